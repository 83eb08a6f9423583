/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CHILD_H
#define COIL_IO_CHILD_H

/* Starts a child process and runs in it until it executes its program. */

#include "core/backend/affinity.h"
#include <coil/process.h>

enum { CHILD_FDS_MAX = 256 };

struct child {
	const struct coil_process_options *options;
	const int *kind;			/* for 0 to 2: as in the options, or an fd */
	const int *source;			/* the fd that takes that number, or -1 */
	const char *const *argv;
	const struct affinity *allowed;		/* its processors; NULL: this thread's */
	const char *path;			/* PATH, for the search of the program */
	int error;				/* errno of the failed step; 0: it runs */
};

/*
 * Waits until the child executes its program.  Returns its pid, or a negative
 * errno if there is no child: a child that fails earlier is reaped.
 */
pid_t coil__child_start(struct child *child);

#endif
