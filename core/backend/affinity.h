/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_AFFINITY_H
#define COIL_CORE_BACKEND_AFFINITY_H

/* Sets of processors of any size.  A cpu_set_t has room for only 1024. */

#include <sched.h>

struct affinity {
	cpu_set_t *set;
	size_t size;		/* in bytes */
};

/* Gets the processors of the calling thread.  Returns 0 or -ENOMEM; the caller releases. */
int coil__affinity_get(struct affinity *allowed);
void coil__affinity_release(struct affinity *allowed);

/* Returns the nth processor of a set, counted from 0, or -1 if it has fewer. */
int coil__affinity_nth(const struct affinity *allowed, unsigned n);

/* Pins the calling thread to one processor. */
void coil__affinity_pin(const struct affinity *allowed, int cpu);

/*
 * The processors that this thread had before it was pinned; NULL if it is not pinned.
 * The pool's threads and the child processes that it starts get all of them.
 */
extern __thread const struct affinity *coil__unpinned
	__attribute__((tls_model("initial-exec")));

#endif
