/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_SELF_H
#define COIL_CORE_TASK_SELF_H

/* The part of core that sync uses: no public call has it, or a call would cost too much. */

#include "core/task/loop.h"
#include "core/task/task.h"

/*
 * coil_check(), but not a call: for the fast paths of sync, where that call would be
 * a quarter of the price (docs/decisions.md has the figure).
 */
static inline int coil__pending(void)
{
	return coil__current->pending;
}

/* A call got its result without waiting: see coil__spend(). */
static inline void coil__got(void)
{
	coil__spend(coil__current, SPEND_CALL);
}

/* Keeps a task's memory and result although its handle may be consumed meanwhile. */
static inline void coil__task_hold(struct coil_task *task)
{
	task->refs++;
}

#endif
