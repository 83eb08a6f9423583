/* SPDX-License-Identifier: MIT */
#include <coil/time.h>
#include "core/task/loop.h"
#include "core/task/timers.h"
#include "core/task/task.h"
#include <errno.h>

/* A task whose timer has fired looks parked, but is in the run queue already. */
static void sleep_interrupt(struct coil_task *task)
{
	struct timers *timers = &task->loop->timers;

	if (task->timer) {
		if (!coil__timer_is(timers, task->timer, task))
			return;
		coil__timer_remove(timers, task->timer);
	}
	coil__ready(task, WAKE_CANCELLED);
}

static const struct wait sleeping = { .what = "sleep", .interrupt = sleep_interrupt };

static int sleep_until(struct coil_task *self, int64_t when)
{
	struct coil_loop *loop = self->loop;
	int wake;

	self->timer = 0;
	if (when != COIL_FOREVER) {
		self->timer = coil__timer_add(&loop->timers, when, TIMER_TASK, self);
		if (!self->timer)
			return -ENOMEM;
	}
	/* fire_timers() queues the task without writing to it: wake must be 0 before. */
	self->wake = 0;
	wake = coil__park(self, &sleeping, self);
	self->wait = NULL;
	return unlikely(wake == WAKE_CANCELLED) ? coil__scope_deliver(self) : 0;
}

int coil_sleep_until(int64_t when)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending))
		return coil__refuse(self);
	if (when <= coil__clock(self->loop)) {
		coil__turn(self);
		return 0;
	}
	return sleep_until(self, when);
}

int coil_sleep(int64_t ns)
{
	struct coil_task *self = coil__self();

	if (ns <= 0)
		return coil_yield();
	if (unlikely(self->pending))
		return coil__refuse(self);
	if (ns == COIL_FOREVER)
		return sleep_until(self, COIL_FOREVER);
	return sleep_until(self, coil__deadline(coil__clock(self->loop), ns));
}
