/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_WAITQ_H
#define COIL_CORE_WAITQ_H

#include "core/loop.h"
#include <coil/waitq.h>

/* One task in one queue, on that task's stack. */
struct coil_waiter {
	struct coil_waiter *next;
	struct coil_waiter *prev;
	struct coil_waitq *waitq;
	struct coil_task *task;
	void *data;
	const char *what;
	struct coil_waiter *set;	/* the first of those that wait as one */
	size_t set_size;
};

/* Whether tasks of another loop wait there. */
static inline bool coil__waitq_is_foreign(const struct coil_waitq *waitq)
{
	return waitq->head && waitq->head->task->loop != coil__loop;
}

/* Takes it off its queue. */
void coil__waiter_remove(struct coil_waiter *waiter);

/* What a parked task waits for in a queue; NULL if it waits for something else. */
const char *coil__waiter_what(const struct coil_task *task);

#endif
