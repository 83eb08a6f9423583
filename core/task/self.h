/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_SELF_H
#define COIL_CORE_TASK_SELF_H

/*
 * The internal functions that sync uses: the public interface has no such function, or
 * has one that is too slow for it.
 */

#include "core/task/loop.h"
#include "core/task/task.h"

/*
 * Does what coil_check() does, inline.  In the fast paths of sync a function call would
 * be a quarter of the cost (docs/decisions.md has the figure).
 */
static inline int coil__pending(void)
{
	return coil__current->pending;
}

/* Counts a call that got its result without parking: see coil__spend(). */
static inline void coil__got(void)
{
	coil__spend(coil__current, SPEND_CALL);
}

/* Keeps a task's memory and result even if its handle is consumed. */
static inline void coil__task_hold(struct coil_task *task)
{
	task->refs++;
}

#endif
