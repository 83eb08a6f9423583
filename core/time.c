/* SPDX-License-Identifier: MIT */
#include <coil/time.h>
#include "core/loop.h"
#include "core/task.h"
#include <errno.h>
#include <time.h>

int64_t coil__clock(const struct coil_loop *loop)
{
	struct timespec ts;

	if (unlikely(loop->clock != NULL))
		return *loop->clock;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * COIL_SECOND + ts.tv_nsec;
}

int64_t coil_now(void)
{
	return coil__clock(coil__loop);
}

static void interrupt(struct coil_task *task)
{
	if (task->timer)
		coil__timer_remove(&task->loop->timers, task->timer);
	task->timer = 0;
	coil__ready(task, WAKE_REQUEST);
}

static const struct wait sleeping = { "sleep", interrupt };

int coil_sleep_until(int64_t when)
{
	struct coil_task *self = coil__self();
	struct coil_loop *loop = self->loop;

	if (unlikely(self->pending))
		return coil__refuse(self);
	if (when != COIL_FOREVER) {
		if (when <= coil__clock(loop)) {
			coil__turn(self);
			return 0;
		}
		self->timer = coil__timer_add(&loop->timers, when, TIMER_TASK, self);
		if (!self->timer)
			return -ENOMEM;
	}
	if (unlikely(coil__park(self, &sleeping, self) == WAKE_REQUEST))
		return coil__scope_deliver(self);
	return 0;
}

int coil_sleep(int64_t ns)
{
	struct coil_task *self = coil__self();
	struct coil_loop *loop = self->loop;

	if (ns <= 0)
		return coil_yield();
	if (unlikely(self->pending))
		return coil__refuse(self);
	return coil_sleep_until(coil__deadline(coil__clock(loop), ns));
}
