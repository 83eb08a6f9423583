/* SPDX-License-Identifier: MIT */
#include <coil/thread.h>
#include "core/task/loop.h"
#include "core/backend/pool.h"
#include "core/task/task.h"
#include "core/task/var.h"
#include <errno.h>
#include <stdlib.h>

static int thread_call(int (*fn)(void *arg), void *arg, struct vars *vars)
{
	int result;

	coil__thread_vars = vars;
	result = fn(arg);
	coil__thread_vars = NULL;
	return result;
}

/*
 * The job of coil_to_thread() lies on the stack of the task that waits for it.
 */

struct waited {
	struct job job;
	struct coil_task *task;
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void waited_work(struct job *job)
{
	struct waited *waited = container_of(job, struct waited, job);

	/* The task is parked, so its variables do not change. */
	waited->result = thread_call(waited->fn, waited->arg, waited->task->vars);
}

static void waited_done(struct coil_loop *loop, struct job *job)
{
	(void)loop;
	coil__ready(container_of(job, struct waited, job)->task, 0);
}

static void waited_interrupt(struct coil_task *self)
{
	struct waited *waited = self->object;

	if (coil__pool_remove(self->loop, &waited->job))
		coil__ready(self, WAKE_CANCELLED);
}

static const struct wait thread_wait = {
	.what = "thread", .interrupt = waited_interrupt, .on_thread = true,
};

int coil_to_thread(int (*fn)(void *arg), void *arg)
{
	struct coil_task *self = coil__self();
	struct waited waited = {
		.job.work = waited_work, .job.done = waited_done,
		.task = self, .fn = fn, .arg = arg,
	};
	int err;

	if (self->pending)
		return coil__refuse(self);
	if (!fn)
		return -EINVAL;
	err = coil__pool_submit(self->loop, &waited.job);
	if (err)
		return err;
	if (coil__park(self, &thread_wait, &waited) == WAKE_CANCELLED)
		return coil__scope_deliver(self);
	return waited.result;
}

/*
 * An abandonable job may outlive the task's call, so it has memory of its own.
 */

struct loose {
	struct abandonable_job job;
	struct coil_task *task;
	struct vars *vars;
	int (*fn)(void *arg);
	void *arg;
	void (*release)(void *arg);
	int result;
};

static struct loose *loose_of(struct abandonable_job *job)
{
	return container_of(job, struct loose, job);
}

static void loose_work(struct abandonable_job *job)
{
	struct loose *loose = loose_of(job);

	loose->result = thread_call(loose->fn, loose->arg, loose->vars);
}

static void loose_free(struct abandonable_job *job)
{
	struct loose *loose = loose_of(job);

	if (loose->release)
		loose->release(loose->arg);
	coil__vars_unref(loose->vars);
	free(loose);
}

static void loose_done(struct coil_loop *loop, struct abandonable_job *job)
{
	(void)loop;
	coil__ready(loose_of(job)->task, 0);
}

static void loose_interrupt(struct coil_task *self)
{
	coil__pool_abandon(self->object);
	coil__ready(self, WAKE_CANCELLED);
}

static const struct wait loosely_waiting = {
	.what = "thread (abandonable)", .interrupt = loose_interrupt,
};

static int run_loose(struct coil_task *self, struct loose *loose)
{
	int err = coil__pool_abandonable(self->loop, &loose->job);

	if (err) {
		loose_free(&loose->job);
		return err;
	}
	if (coil__park(self, &loosely_waiting, &loose->job) == WAKE_CANCELLED)
		return coil__scope_deliver(self);
	err = loose->result;
	loose_free(&loose->job);
	return err;
}

int coil_to_thread_abandonable(int (*fn)(void *arg), void *arg, void (*release)(void *arg))
{
	struct coil_task *self = coil__self();
	struct loose *loose = NULL;
	int err;

	if (self->pending)
		err = coil__refuse(self);
	else
		err = fn ? 0 : -EINVAL;
	if (!err) {
		loose = calloc(1, sizeof(*loose));
		err = loose ? 0 : -ENOMEM;
	}
	if (err) {
		if (release)
			release(arg);
		return err;
	}
	*loose = (struct loose){
		.job.work = loose_work, .job.done = loose_done, .job.release = loose_free,
		.task = self, .vars = coil__vars_ref(self->vars),
		.fn = fn, .arg = arg, .release = release,
	};
	return run_loose(self, loose);
}
