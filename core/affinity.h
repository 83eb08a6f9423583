/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_AFFINITY_H
#define COIL_CORE_AFFINITY_H

/* Sets of processors of any size: a cpu_set_t ends at 1024. */

#include <sched.h>

struct affinity {
	cpu_set_t *set;
	size_t size;		/* in bytes */
};

/* Reads where the calling thread may run.  0, or -ENOMEM; release it after use. */
int coil__affinity_get(struct affinity *allowed);
void coil__affinity_release(struct affinity *allowed);

/* The nth processor of a set, -1 if it has fewer. */
int coil__affinity_nth(const struct affinity *allowed, unsigned n);

/* Has the calling thread run on one processor alone. */
void coil__affinity_pin(const struct affinity *allowed, int cpu);

/*
 * The processors for what a pinned thread starts: the pool's threads and child
 * processes.  NULL: the thread is not pinned.
 */
extern __thread const struct affinity *coil__unpinned
	__attribute__((tls_model("initial-exec")));

#endif
