/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_PROCESS_H
#define COIL_IO_PROCESS_H

/* What spawn.c, process.c and communicate.c share. */

#include <coil/process.h>

enum process_flag {
	PROCESS_LEADS = 1 << 0,		/* leads a process group of its own */
	PROCESS_REAPED = 1 << 1,	/* its status is in the struct */
	PROCESS_LOST = 1 << 2,		/* reaped elsewhere: its status is lost */
	PROCESS_CLOSING = 1 << 3,
};

static const struct coil_process no_process = {
	.pidfd = -1, .in = -1, .out = -1, .err = -1,
};

/*
 * Reaps the child if it has ended.  flags are waitid(2)'s; without WNOHANG the
 * thread waits.  Returns 0 and sets *status, -EAGAIN if the child still runs,
 * or -ECHILD if this process has no such child.
 */
int coil__process_reap(const struct coil_process *process, int flags, int *status);

/*
 * Detaches the task that is inside coil_process_communicate(), if any: the task
 * does not touch *process any more.
 */
void coil__process_hush(struct coil_process *process);

#endif
