/* SPDX-License-Identifier: MIT */
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include "core/wait/waitq.h"
#include <coil/waitq.h>
#include <errno.h>
#include <stdlib.h>

enum { FETCH_STEPS = 8 };

static void waitq_add(struct coil_waitq *waitq, struct coil_waiter *waiter)
{
	waiter->next = NULL;
	waiter->prev = waitq->tail;
	if (waitq->tail)
		waitq->tail->next = waiter;
	else
		waitq->head = waiter;
	waitq->tail = waiter;
	waitq->size++;
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
	waitq->size--;
}

/*
 * Each waiter of a crowd is a miss of the TLB and of the cache.  The miss begins
 * only when the waiter before has arrived.  But tasks that were made in a row
 * often wait in a row, at the same depth of stacks that lie in a row.  So this
 * function guesses where a later waiter lies, and fetches it.
 */
static inline void waitq_fetch_later(uintptr_t waiter, uintptr_t next)
{
	__builtin_prefetch((const void *)(waiter + FETCH_STEPS * (next - waiter)), 1);
	PREFETCHED();
}

/* Cheaper than coil__waiter_remove(): the longest waiter has none before it. */
static inline void remove_first(struct coil_waitq *waitq, const struct coil_waiter *waiter)
{
	waitq->head = waiter->next;
	if (waiter->next) {
		waiter->next->prev = NULL;
		waitq_fetch_later((uintptr_t)waiter, (uintptr_t)waiter->next);
	} else {
		waitq->tail = NULL;
	}
	waitq->size--;
}

static void waitq_leave(struct coil_waiter *waiter)
{
	if (likely(!waiter->set)) {
		coil__waiter_remove(waiter);
		return;
	}
	for (size_t i = 0; i < waiter->set_size; i++)
		coil__waiter_remove(&waiter->set[i]);
}

static void waitq_interrupt(struct coil_task *task)
{
	waitq_leave(task->object);
	coil__ready(task, WAKE_CANCELLED);
}

static const struct wait heard = { .what = "waitq", .interrupt = waitq_interrupt };
static const struct wait shielded = { .what = "waitq" };

const char *coil__waiter_what(const struct coil_task *task)
{
	if (task->wait != &heard && task->wait != &shielded)
		return NULL;
	return ((const struct coil_waiter *)task->object)->what;
}

static int waitq_park(struct coil_task *self, struct coil_waitq *waitq, void *data,
		      const char *what, const struct wait *wait)
{
	struct coil_waiter waiter = {
		.waitq = waitq, .task = self, .data = data, .what = what,
	};

	if (waitq->head && waitq->head->task->loop != self->loop)
		return -EXDEV;
	waitq_add(waitq, &waiter);
	return coil__park(self, wait, &waiter);
}

int coil_waitq_park_for(struct coil_waitq *waitq, void *data, const char *what)
{
	struct coil_task *self = coil__self();
	int err;

	if (unlikely(self->pending))
		return coil__refuse(self);
	if (unlikely(!waitq))
		return -EINVAL;
	err = waitq_park(self, waitq, data, what, &heard);
	return unlikely(err == WAKE_CANCELLED) ? coil__scope_deliver(self) : err;
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
	if (unlikely(!waitq))
		return -EINVAL;
	return waitq_park(self, waitq, data, what, &shielded);
}

static int park_any(struct coil_task *self, struct coil_waitq *const waitqs[],
		    void *const data[], struct coil_waiter set[], size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		if (!waitqs[i])
			return -EINVAL;
		if (waitqs[i]->head && waitqs[i]->head->task->loop != self->loop)
			return -EXDEV;
	}
	for (size_t i = 0; i < n; i++) {
		set[i] = (struct coil_waiter){
			.waitq = waitqs[i], .task = self, .data = data ? data[i] : NULL,
			.what = what, .set = set, .set_size = n,
		};
		waitq_add(waitqs[i], &set[i]);
	}
	return coil__park(self, &heard, &set[0]);
}

int coil_waitq_park_any(struct coil_waitq *const waitqs[], void *const data[], size_t n,
			const char *what)
{
	struct coil_task *self = coil__self();
	struct coil_waiter few[8], *set = few;
	int which;

	if (self->pending)
		return coil__refuse(self);
	if (!n || n > INT32_MAX || !waitqs)
		return -EINVAL;
	if (n > sizeof(few) / sizeof(*few)) {
		set = calloc(n, sizeof(*set));
		if (!set)
			return -ENOMEM;
	}
	which = park_any(self, waitqs, data, set, n, what);
	if (set != few)
		free(set);
	return which == WAKE_CANCELLED ? coil__scope_deliver(self) : which;
}

struct coil_task *coil_waitq_unpark_with(struct coil_waitq *waitq, void **data)
{
	struct coil_waiter *waiter;
	struct coil_task *task;

	if (unlikely(!waitq)) {
		errno = EINVAL;
		return NULL;
	}
	waiter = waitq->head;
	if (!waiter)
		return NULL;
	task = waiter->task;
	if (unlikely(task->loop != coil__loop)) {
		errno = EXDEV;
		return NULL;
	}
	if (data)
		*data = waiter->data;
	if (likely(!waiter->set)) {
		remove_first(waitq, waiter);
		coil__ready(task, 0);
		return task;
	}
	waitq_leave(waiter);
	coil__ready(task, (int)(waiter - waiter->set));
	return task;
}

struct coil_task *coil_waitq_unpark(struct coil_waitq *waitq)
{
	return coil_waitq_unpark_with(waitq, NULL);
}

void *coil_waitq_peek(const struct coil_waitq *waitq)
{
	return waitq && waitq->head ? waitq->head->data : NULL;
}

size_t coil_waitq_size(const struct coil_waitq *waitq)
{
	return waitq ? waitq->size : 0;
}

size_t coil_waitq_unpark_all(struct coil_waitq *waitq)
{
	size_t n = 0;

	while (coil_waitq_unpark(waitq))
		n++;
	return n;
}

static void wake_waiters(struct watch *watch, struct coil_task *task)
{
	(void)watch;
	coil_waitq_unpark_all(&task->waiters);
}

struct coil_waitq *coil_task_waiters(struct coil_task *task)
{
	if (!task || task->loop != coil__loop) {
		errno = !task ? ENOMEM : coil__loop == &coil__no_loop ? EPERM : EXDEV;
		return NULL;
	}
	if (!task->has_waiters) {
		task->waiters = (struct coil_waitq){0};
		task->waiters_watch.ended = wake_waiters;
		if (!task->done)
			coil__watch(&task->waiters_watch, task);
	}
	task->has_waiters = true;
	return &task->waiters;
}
