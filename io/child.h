/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CHILD_H
#define COIL_IO_CHILD_H

/* How a child is made, until it executes its program. */

#include "core/affinity.h"
#include <coil/process.h>

enum { CHILD_FDS_MAX = 256 };

struct child {
	const struct coil_process_options *options;
	const int *kind;			/* of 0 to 2: as in the options, or an fd */
	const int *source;			/* what becomes it, or -1 */
	const char *const *argv;
	const struct affinity *allowed;		/* where it may run; NULL: as this thread */
	const char *path;			/* where programs are looked for */
	int error;				/* an errno, or 0: it has its program */
};

/* Returns the child's pid once it has begun its program, or a negative errno: no child. */
pid_t coil__child_start(struct child *child);

#endif
