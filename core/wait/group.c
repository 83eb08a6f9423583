/* SPDX-License-Identifier: MIT */
#include <coil/group.h>
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/task/scope.h"
#include "core/task/self.h"
#include "core/task/task.h"
#include <errno.h>

/*
 * A group's scope is in its owner's list of scopes from the first child on.  A
 * cancellation of the owner does not interrupt the wait at the group's end.
 * It reaches the children instead (scope.c passes it on), and the wait ends
 * when they have ended.
 */

static void unlink_child(struct coil_group *group, struct coil_task *task)
{
	if (task->sibling_prev)
		task->sibling_prev->sibling_next = task->sibling_next;
	else
		group->children = task->sibling_next;
	if (task->sibling_next)
		task->sibling_next->sibling_prev = task->sibling_prev;
	task->group = NULL;
	group->size--;
}

/*
 * A caller on another thread must not use the group's fields: they may change
 * at any moment.  A group without a child has no owner yet, and so no loop.
 */
static bool is_foreign(const struct coil_group *group)
{
	return coil__loop == &coil__no_loop ||
	       (group->scope.task && group->scope.task->loop != coil__loop);
}

static void cancel(struct coil_group *group)
{
	if (group->scope.task)
		coil__scope_cancel(&group->scope, SCOPE_CANCELLED);
	else
		group->scope.flags |= SCOPE_CANCELLED;
}

void coil_group_fail(struct coil_group *group, int error)
{
	if (!group || is_foreign(group))
		return;
	if (!group->error)
		group->error = error;
	cancel(group);
}

void coil_group_cancel(struct coil_group *group)
{
	if (group && !is_foreign(group))
		cancel(group);
}

void coil_group_cancel_after(struct coil_group *group, int64_t grace_ns)
{
	struct coil_scope *scope;

	if (!group || is_foreign(group))
		return;
	scope = &group->scope;
	/* Without a child no task can use the grace. */
	if (!scope->task)
		cancel(group);
	if (scope->flags & SCOPE_CANCELLED)
		return;
	scope->flags |= SCOPE_ENDING;
	if (grace_ns <= 0 ||
	    coil__scope_arm(scope, coil__deadline(coil__clock(scope->task->loop), grace_ns)))
		cancel(group);
}

/* A group that is ending starts no more children. */
static bool is_ending(const struct coil_scope *scope)
{
	return scope->flags & SCOPE_ENDING || coil__scope_pending(scope);
}

/*
 * Looks at the task's scopes from the innermost one outwards.  Then it does
 * the same for the owner of the task's group, from the group's scope on.
 */
bool coil_group_ending(void)
{
	const struct coil_task *task = coil_current_task();
	const struct coil_scope *scope = task ? task->innermost : NULL;

	while (scope) {
		if (scope->flags & SCOPE_GROUP && is_ending(scope))
			return true;
		if (scope->outer) {
			scope = scope->outer;
			continue;
		}
		scope = scope->task->group ? &scope->task->group->scope : NULL;
	}
	return false;
}

/* Keeps the first child whose failure may be lost.  An awaited one is not. */
static void group_fail(struct coil_group *group, struct coil_task *task)
{
	if (!group->error && !task->consumer) {
		coil__task_hold(task);
		group->failed = task;
	}
	coil_group_fail(group, task->result);
}

/* A child has ended. */
static void leave_group(struct coil_task *task)
{
	struct coil_group *group = task->group;
	int result = task->result;

	unlink_child(group, task);
	if (result < 0 && result != -ECANCELED) {
		task->reported = true;
		if (!group->independent)
			group_fail(group, task);
		else if (!task->consumer)
			coil__report(task, result);
	}
	if (!group->size)
		coil_waitq_unpark(&group->leaving);
}

static int group_check(struct coil_group *group, int (*fn)(void *arg))
{
	struct coil_task *self = coil__self();
	struct coil_loop *loop = coil__loop;

	if (loop == &coil__no_loop)
		return -EPERM;
	if (!group || !fn)
		return -EINVAL;
	if (group->scope.task) {
		if (group->scope.task->loop != loop)
			return -EXDEV;
		return is_ending(&group->scope) ? -ECANCELED : 0;
	}
	if (self == &loop->root)
		return -EPERM;
	return self->pending || group->error || group->scope.flags ? -ECANCELED : 0;
}

static void open_scope(struct coil_group *group)
{
	if (group->scope.task)
		return;
	group->scope.flags = SCOPE_GROUP;
	coil__scope_push(&group->scope, coil__self());
}

static void group_add(struct coil_group *group, struct coil_task *task)
{
	task->group = group;
	task->leave_group = leave_group;
	task->sibling_prev = NULL;
	task->sibling_next = group->children;
	if (task->sibling_next)
		task->sibling_next->sibling_prev = task;
	group->children = task;
	group->size++;
}

int coil_group_create_task_with(struct coil_group *group,
				const struct coil_task_options *options,
				int (*fn)(void *arg), void *arg,
				struct coil_task **handle)
{
	struct coil_task *task;
	int err = group_check(group, fn);

	if (handle)
		*handle = NULL;
	if (err)
		return err;
	err = coil__task_check_options(options);
	if (err)
		return err;
	open_scope(group);
	task = coil__task_new(coil__loop, options, fn, arg);
	if (!task) {
		if (!group->independent)
			coil_group_fail(group, -ENOMEM);
		return -ENOMEM;
	}
	group_add(group, task);
	if (handle)
		*handle = task;
	else
		task->refs--;
	coil__task_start(task, options && options->eager);
	return 0;
}

int coil_group_create_task(struct coil_group *group, int (*fn)(void *arg), void *arg)
{
	return coil_group_create_task_with(group, NULL, fn, arg, NULL);
}

/* If lost, no call returns the result, and the error handler gets the failure. */
static int group_end(struct coil_group *group, bool lost)
{
	struct coil_task *failed;
	int error;

	if (group->scope.task) {
		/* A shield may have hidden a cancellation from a child. */
		if (coil__scope_pending(&group->scope))
			coil__scope_spread(&group->scope);
		/* The park fails only outside of a task and across loops. */
		while (group->size && !coil_waitq_park_shielded(&group->leaving, NULL, "group"))
			;
		coil__scope_remove(&group->scope);
	}
	error = group->error;
	failed = group->failed;
	*group = (struct coil_group){ .independent = group->independent };
	if (failed) {
		if (lost)
			coil__report(failed, error);
		coil__task_unref(failed);
	}
	return error;
}

/* Leaves a pending cancellation for the caller's next call. */
int coil__group_end(struct coil_group *group)
{
	return group_end(group, false);
}

static int group_wait_for(struct coil_group *group, bool lost)
{
	struct coil_task *self = coil_current_task();
	int error;

	if (!self)
		return -EPERM;
	/* May find nothing to wait for, but must not starve other tasks. */
	if (!self->pending)
		coil__spend(self, SPEND_CALL);
	if (!group)
		return -EINVAL;
	if (group->scope.task) {
		if (group->scope.task != self)
			return -EPERM;
		/* An open shield is allowed: the children are outside of it. */
		if (coil__scope_holds_but(&group->scope, SCOPE_GROUP | SCOPE_SHIELD))
			return -EBUSY;
	}
	error = group_end(group, lost);
	if (error)
		return error;
	return self->pending ? coil__refuse(self) : 0;
}

int coil_group_wait(struct coil_group *group)
{
	return group_wait_for(group, false);
}

void coil_group_finish(struct coil_group *group)
{
	(void)group_wait_for(group, true);
}

void coil_group_leave(struct coil_group *group)
{
	if (!group || (!group->scope.task && !group->scope.flags && !group->error))
		return;
	coil_group_cancel(group);
	coil_group_finish(group);
	if (group->scope.task)
		coil__die(coil__self(), "leaves a group's block with a scope open in it: "
			  "end that first");
}
