/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_PROCESS_H
#define COIL_IO_PROCESS_H

/* What spawn.c, process.c and communicate.c know of a child. */

#include <coil/process.h>

enum process_flag {
	PROCESS_LEADS = 1 << 0,		/* a group of its own */
	PROCESS_REAPED = 1 << 1,	/* its status is known */
	PROCESS_LOST = 1 << 2,		/* somebody else has it */
	PROCESS_CLOSING = 1 << 3,
};

static const struct coil_process no_process = {
	.pidfd = -1, .in = -1, .out = -1, .err = -1,
};

/*
 * Reaps a child if it has ended: 0 and its status, -EAGAIN if it has not, which
 * needs WNOHANG in flags, or -ECHILD if it is none of ours.
 */
int coil__process_reap(const struct coil_process *process, int flags, int *status);

/* The task that communicates with it, if any, must not touch it any more. */
void coil__process_hush(struct coil_process *process);

#endif
