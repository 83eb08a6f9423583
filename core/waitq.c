/* SPDX-License-Identifier: MIT */
#include "core/list.h"
#include "core/loop.h"
#include "core/task.h"
#include "core/waitq.h"
#include <coil/waitq.h>
#include <errno.h>

static void add(struct coil_waitq *waitq, struct coil_waiter *waiter)
{
	waiter->next = NULL;
	waiter->prev = waitq->tail;
	if (waitq->tail)
		waitq->tail->next = waiter;
	else
		waitq->head = waiter;
	waitq->tail = waiter;
}

void coil__waiter_remove(struct coil_waiter *waiter)
{
	struct coil_waitq *waitq = waiter->waitq;

	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		waitq->head = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		waitq->tail = waiter->prev;
}

static void interrupt(struct coil_task *task)
{
	coil__waiter_remove(task->object);
	coil__ready(task, WAKE_REQUEST);
}

static const struct wait heard = { "waitq", interrupt };
static const struct wait shielded = { "waitq", NULL };

const char *coil__waiter_what(const struct coil_task *task)
{
	if (task->wait != &heard && task->wait != &shielded)
		return NULL;
	return ((const struct coil_waiter *)task->object)->what;
}

static int park(struct coil_task *self, struct coil_waitq *waitq, void *data,
		const char *what, const struct wait *wait)
{
	struct coil_waiter waiter = {
		.waitq = waitq, .task = self, .data = data, .what = what,
	};

	if (waitq->head && waitq->head->task->loop != self->loop)
		return -EXDEV;
	add(waitq, &waiter);
	return coil__park(self, wait, &waiter);
}

int coil_waitq_park_for(struct coil_waitq *waitq, void *data, const char *what)
{
	struct coil_task *self = coil__self();
	int err;

	if (unlikely(self->pending))
		return coil__refuse(self);
	err = park(self, waitq, data, what, &heard);
	return unlikely(err == WAKE_REQUEST) ? coil__scope_deliver(self) : err;
}

int coil_waitq_park_with(struct coil_waitq *waitq, void *data)
{
	return coil_waitq_park_for(waitq, data, "waitq");
}

int coil_waitq_park(struct coil_waitq *waitq)
{
	return coil_waitq_park_for(waitq, NULL, "waitq");
}

int coil_waitq_park_shielded(struct coil_waitq *waitq, void *data, const char *what)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending == -EPERM))
		return -EPERM;
	return park(self, waitq, data, what, &shielded);
}

struct coil_task *coil_waitq_unpark_with(struct coil_waitq *waitq, void **data)
{
	struct coil_waiter *waiter = waitq->head;
	struct coil_task *task;

	if (!waiter)
		return NULL;
	task = waiter->task;
	if (unlikely(task->loop != coil__loop)) {
		errno = EXDEV;
		return NULL;
	}
	if (data)
		*data = waiter->data;
	coil__waiter_remove(waiter);
	coil__ready(task, 0);
	return task;
}

struct coil_task *coil_waitq_unpark(struct coil_waitq *waitq)
{
	return coil_waitq_unpark_with(waitq, NULL);
}

void *coil_waitq_peek(const struct coil_waitq *waitq)
{
	return waitq->head ? waitq->head->data : NULL;
}

size_t coil_waitq_unpark_all(struct coil_waitq *waitq)
{
	size_t n = 0;

	while (coil_waitq_unpark(waitq))
		n++;
	return n;
}
