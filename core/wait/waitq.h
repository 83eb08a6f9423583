/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_WAIT_WAITQ_H
#define COIL_CORE_WAIT_WAITQ_H

#include "core/task/loop.h"
#include <coil/waitq.h>

/*
 * A task's place in one queue.  It lies on the task's stack, but a large set
 * of places is allocated.
 */
struct coil_waiter {
	struct coil_waiter *next;
	struct coil_waiter *prev;
	struct coil_waitq *waitq;
	struct coil_task *task;
	void *data;
	const char *what;
	struct coil_waiter *set;	/* all places of this wait, or NULL */
	size_t set_size;
};

/* Returns whether tasks of another loop wait in the queue. */
static inline bool coil__waitq_is_foreign(const struct coil_waitq *waitq)
{
	return waitq->head && waitq->head->task->loop != coil__loop;
}

/* Removes waiter from its queue. */
void coil__waiter_remove(struct coil_waiter *waiter);

/* Returns what task waits for in a queue; NULL: it does not wait in one. */
const char *coil__waiter_what(const struct coil_task *task);

#endif
