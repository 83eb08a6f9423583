/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks.  A call that consumes handles sets each task's consumer
 * to one struct watch on the caller's stack.  A task has one consumer at most,
 * so a gather of any size allocates nothing.  A call that only looks
 * (coil_wait, and completed.c) adds a watch of its own to every task.
 */
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/task.h>
#include <coil/time.h>
#include <coil/timeout.h>
#include <errno.h>
#include <stdlib.h>

/* Returns 0 if the caller may consume task. */
static int gather_check(const struct coil_task *self, const struct coil_task *task)
{
	if (self->pending == -EPERM)
		return -EPERM;
	if (!task)
		return -ENOMEM;
	if (task == self)
		return -EDEADLK;
	if (task->loop != self->loop)
		return -EXDEV;
	return task->consumer || task->detached ? -EBUSY : 0;
}

static int consume(struct coil_task *task)
{
	int result = task->result;

	coil__task_unref(task);
	return result;
}

/*
 * await.
 */

struct await {
	struct watch watch;
	struct coil_task *waiter;
};

static void await_ended(struct watch *watch, struct coil_task *task)
{
	(void)task;
	coil__ready(container_of(watch, struct await, watch)->waiter, 0);
}

static void await_interrupt(struct coil_task *self)
{
	coil_cancel(self->object);
}

static void shield_interrupt(struct coil_task *self)
{
	struct coil_task *task = self->object;

	task->consumer = NULL;
	coil__ready(self, WAKE_CANCELLED);
}

static const struct wait awaiting = { .what = "task", .interrupt = await_interrupt };
static const struct wait shielding = { .what = "task (shielded)", .interrupt = shield_interrupt };
static const struct wait ending = { .what = "task (cancelled)" };

static int await(struct coil_task *self, struct coil_task *task, const struct wait *wait)
{
	struct await await = { .watch.ended = await_ended, .waiter = self };

	task->consumer = &await.watch;
	return coil__park(self, wait, task);
}

/* Waits until task has ended.  Passes the caller's cancellation on to it. */
static void await_end(struct coil_task *self, struct coil_task *task)
{
	if (task->done) {
		if (!self->pending)
			coil__spend(self, SPEND_CALL);
		return;
	}
	if (self->pending) {
		coil_cancel(task);
		await(self, task, &ending);
	} else {
		await(self, task, &awaiting);
	}
}

/*
 * Returns the task's result.  If the task was cancelled while the caller has a
 * cancellation or a time-out pending, returns that instead.
 */
static int own_reason(struct coil_task *self, int result)
{
	return result == -ECANCELED && self->pending ? coil__refuse(self) : result;
}

int coil_join(struct coil_task *task, int *result)
{
	struct coil_task *self = coil__self();
	int err = gather_check(self, task);

	if (err)
		return err;
	await_end(self, task);
	err = consume(task);
	if (result)
		*result = err;
	return 0;
}

int coil_await(struct coil_task *task)
{
	struct coil_task *self = coil__self();
	int err = gather_check(self, task);

	if (err)
		return err;
	await_end(self, task);
	return own_reason(self, consume(task));
}

int coil_shield(struct coil_task *task)
{
	struct coil_task *self = coil__self();
	int err = gather_check(self, task);

	if (err)
		return err;
	if (task->done)
		return own_reason(self, consume(task));
	if (self->pending) {
		coil_detach(task);
		return coil__refuse(self);
	}
	if (await(self, task, &shielding) == WAKE_CANCELLED) {
		coil_detach(task);
		return coil__scope_deliver(self);
	}
	return own_reason(self, consume(task));
}

int coil_wait_for(struct coil_task *task, int64_t ns)
{
	struct coil_task *self = coil__self();
	struct coil_timeout limit = {0};
	int err = gather_check(self, task), result;

	if (err)
		return err;
	err = coil_timeout_begin(&limit, ns);
	if (err)
		coil_cancel(task);
	result = coil_await(task);
	if (err)
		return result == -ECANCELED ? err : result;
	coil_timeout_end(&limit);
	return result;
}

void coil_detach(struct coil_task *task)
{
	if (!task || coil__loop == &coil__no_loop || task->loop != coil__loop ||
	    task->consumer || task->detached)
		return;
	if (task->done) {
		if (task->result < 0 && task->result != -ECANCELED && !task->reported)
			coil__report(task, task->result);
	} else {
		task->detached = true;
		if (task->loop->shutdown.ending && !task->group)
			coil_cancel(task);
	}
	coil__task_unref(task);
}

/*
 * gather.
 */

struct gather {
	struct watch watch;
	struct coil_task *waiter;
	struct coil_task **tasks;
	size_t n;
	size_t left;		/* tasks that have not ended */
	int error;		/* the first failure */
	bool collect;		/* results are wanted: a failure stops nothing */
	bool hooking;
	bool cancelled;
	bool lost;		/* with collect: the cancellation cost a result */
};

static void gather_cancel(struct gather *gather)
{
	if (gather->cancelled)
		return;
	gather->cancelled = true;
	for (size_t i = 0; i < gather->n; i++)
		coil_cancel(gather->tasks[i]);
}

static void gather_result(struct gather *gather, int result)
{
	if (result >= 0 || gather->collect)
		return;
	if (!gather->error)
		gather->error = result;
	if (!gather->hooking)
		gather_cancel(gather);
}

static void gather_ended(struct watch *watch, struct coil_task *task)
{
	struct gather *gather = container_of(watch, struct gather, watch);

	gather_result(gather, task->result);
	if (!--gather->left && gather->waiter->wait)
		coil__ready(gather->waiter, 0);
}

static void gather_interrupt(struct coil_task *self)
{
	gather_cancel(self->object);
}

static const struct wait gathering = { .what = "tasks", .interrupt = gather_interrupt };

/* A task that is in the array twice needs a reference for each entry. */
static int gather_hook_one(struct gather *gather, struct coil_task *task)
{
	int err = gather_check(gather->waiter, task);

	if (err == -EBUSY && task->consumer == &gather->watch) {
		task->refs++;
		return 0;
	}
	if (err == -ENOMEM)
		gather_result(gather, err);
	else if (err)
		return err;
	else if (task->done)
		gather_result(gather, task->result);
	else
		gather->left++;
	if (task)
		task->consumer = &gather->watch;
	return 0;
}

/* Gives the first n tasks back to the caller. */
static void gather_unhook(struct gather *gather, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct coil_task *task = gather->tasks[i];

		if (!task)
			continue;
		if (task->consumer)
			task->consumer = NULL;
		else
			task->refs--;
	}
}

/*
 * Makes gather the consumer of all tasks, or of none.  It visits each task
 * only once, because each visit is a cache miss if there are many tasks.
 */
static int gather_hook(struct gather *gather)
{
	gather->hooking = true;
	for (size_t i = 0; i < gather->n; i++) {
		int err = gather_hook_one(gather, gather->tasks[i]);

		if (err) {
			gather_unhook(gather, i);
			return err;
		}
	}
	gather->hooking = false;
	if (gather->error)
		gather_cancel(gather);
	return 0;
}

static void gather_consume(struct gather *gather, int results[])
{
	for (size_t i = 0; i < gather->n; i++) {
		struct coil_task *task = gather->tasks[i];
		int result = task ? task->result : -ENOMEM;

		if (results)
			results[i] = result;
		if (!task)
			continue;
		gather->lost |= gather->collect && gather->cancelled && result == -ECANCELED;
		coil__task_unref(task);
	}
}

int coil_gather(struct coil_task *tasks[], size_t n, int results[])
{
	struct coil_task *self = coil__self();
	struct gather gather = {
		.watch.ended = gather_ended, .waiter = self, .tasks = tasks,
		.n = n, .collect = results != NULL,
	};
	int err;

	if (self->pending == -EPERM)
		return -EPERM;
	if (n && !tasks)
		return -EINVAL;
	err = gather_hook(&gather);
	if (err)
		return err;
	if (gather.left && self->pending)
		gather_cancel(&gather);
	if (gather.left)
		coil__park(self, &gathering, &gather);
	else if (!self->pending)
		coil__spend(self, SPEND_CALL);
	gather_consume(&gather, results);
	/* Report the caller's own cancellation only if it changed a result. */
	if (self->pending && (gather.error == -ECANCELED || gather.lost))
		return coil__refuse(self);
	return gather.error;
}

/*
 * wait.
 */

enum { FEW = 8 };

struct look_watch;

struct look {
	struct coil_task *waiter;
	struct look_watch *watches;
	size_t n;
	size_t left;		/* tasks that still have to end */
	bool first;		/* one task that ends is enough */
	bool exception;		/* one task that fails is enough */
};

struct look_watch {
	struct watch watch;
	struct look *look;
	struct coil_task *task;	/* with a reference of our own */
};

static bool is_failure(const struct coil_task *task)
{
	return task->result < 0 && task->result != -ECANCELED;
}

static void look_ended(struct watch *watch, struct coil_task *task)
{
	struct look *look = container_of(watch, struct look_watch, watch)->look;

	look->left--;
	if (look->first || (look->exception && is_failure(task)))
		look->left = 0;
	if (!look->left && look->waiter->wait)
		coil__ready(look->waiter, 0);
}

static void look_interrupt(struct coil_task *self)
{
	coil__ready(self, WAKE_CANCELLED);
}

static const struct wait looking = { .what = "tasks", .interrupt = look_interrupt };

int coil__tasks_check(const struct coil_task *self, struct coil_task *tasks[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!tasks[i])
			return -ENOMEM;
		if (tasks[i] == self)
			return -EDEADLK;
		if (tasks[i]->loop != self->loop)
			return -EXDEV;
	}
	return 0;
}

/*
 * Another task may await one of these tasks meanwhile.  That frees the handle,
 * and with it memory that this call reads when it goes on.  So the call holds
 * its own reference to each task.  It records the tasks, because the caller
 * may change the array.
 */
static int look_begin(struct look *look, struct coil_task *tasks[], size_t n,
		      struct look_watch few[])
{
	look->watches = n > FEW ? calloc(n, sizeof(*look->watches)) : few;
	if (!look->watches)
		return -ENOMEM;
	look->n = n;
	look->left = 0;
	for (size_t i = 0; i < n; i++) {
		struct look_watch *watch = &look->watches[i];

		*watch = (struct look_watch){
			.watch.ended = look_ended, .look = look, .task = tasks[i],
		};
		tasks[i]->refs++;
		if (tasks[i]->done)
			continue;
		coil__watch(&watch->watch, tasks[i]);
		look->left++;
	}
	return 0;
}

static void look_end(struct look *look, struct look_watch few[])
{
	for (size_t i = 0; i < look->n; i++) {
		coil__unwatch(&look->watches[i].watch);
		coil__task_unref(look->watches[i].task);
	}
	if (look->watches != few)
		free(look->watches);
}

/*
 * Returns how many tasks have ended, and sets *distinct to how many tasks
 * there are.  Both count a task that is in the array twice as one.  Sets
 * *failed if a task failed.
 */
static size_t count_done(struct coil_task *tasks[], size_t n, size_t *distinct, bool *failed)
{
	size_t done = 0;

	*distinct = 0;
	*failed = false;
	for (size_t i = 0; i < n; i++)
		tasks[i]->mark = NULL;
	for (size_t i = 0; i < n; i++) {
		if (tasks[i]->mark == tasks)
			continue;
		tasks[i]->mark = tasks;
		++*distinct;
		if (!tasks[i]->done)
			continue;
		done++;
		*failed |= is_failure(tasks[i]);
	}
	return done;
}

static bool satisfied(size_t done, size_t distinct, bool failed, enum coil_wait until)
{
	if (done == distinct)
		return true;
	if (until == COIL_FIRST_COMPLETED)
		return done > 0;
	return until == COIL_FIRST_EXCEPTION && failed;
}

/*
 * The limit is a scope around the park.  Its expiry ends this call without an
 * error, unless an outer scope has expired or was cancelled too.
 */
static int wait_limited(struct coil_task *self, struct look *look, int64_t ns)
{
	struct coil_timeout limit = {0};
	int wake, err = coil_timeout_begin(&limit, ns);

	if (err)
		return err;
	wake = self->pending ? WAKE_CANCELLED : coil__park(self, &looking, look);
	coil_timeout_end(&limit);
	if (wake != WAKE_CANCELLED)
		return 0;
	return self->pending ? coil__scope_deliver(self) : 0;
}

/* Returns how many have ended once the wait is over, or a negative error. */
static int wait_for_some(struct look *look, struct coil_task *tasks[], size_t n, int64_t ns)
{
	struct look_watch few[FEW];
	size_t distinct;
	bool failed;
	int err = look_begin(look, tasks, n, few);

	if (err)
		return err;
	if (ns <= 0)
		coil__turn(look->waiter);
	else
		err = wait_limited(look->waiter, look, ns);
	if (!err)
		err = (int)count_done(tasks, n, &distinct, &failed);
	look_end(look, few);
	return err;
}

int coil_wait(struct coil_task *tasks[], size_t n, enum coil_wait until, int64_t ns)
{
	struct coil_task *self = coil__self();
	struct look look = {
		.waiter = self, .first = until == COIL_FIRST_COMPLETED,
		.exception = until == COIL_FIRST_EXCEPTION,
	};
	size_t distinct, done;
	bool failed;
	int err;

	if (self->pending == -EPERM)
		return -EPERM;
	if (!n || !tasks || until < COIL_ALL_COMPLETED || until > COIL_FIRST_EXCEPTION)
		return -EINVAL;
	err = coil__tasks_check(self, tasks, n);
	if (err)
		return err;
	if (self->pending)
		return coil__refuse(self);
	done = count_done(tasks, n, &distinct, &failed);
	if (satisfied(done, distinct, failed, until)) {
		coil__spend(self, SPEND_CALL);
		return (int)done;
	}
	return wait_for_some(&look, tasks, n, ns);
}
