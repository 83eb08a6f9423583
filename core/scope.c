/* SPDX-License-Identifier: MIT */
/*
 * Cancellation.
 *
 * A request to end is level-triggered and belongs to a scope: once made it
 * stands, and every parking call inside that scope returns it, until the scope
 * is left.  The task itself is the outermost scope; timeouts, groups and shields
 * lie inside it, in a doubly linked list from task->innermost outwards.
 *
 * A request shows to the task if it was made to a scope that is not outside the
 * innermost shield.  What shows is kept in task->pending, which every parking
 * call looks at first, and is worked out again whenever a request is made or a
 * scope goes.  A cancel outranks an expiry.
 *
 * A group's children are not in the list: they are tasks, with lists of their
 * own.  So a request that reaches a group is passed on to its children as a
 * cancel.  This happens at once, not when the owner next runs: the owner may be
 * waiting for those very children.
 *
 * -ETIMEDOUT is said on the account of one scope: the outermost of those whose
 * expiry shows, since the inner ones are left on the way to it.  That scope is
 * marked, and its end returns -ETIMEDOUT; the others' ends return 0.
 *
 * A deadline that fell due is not applied when the loop notices it, but after
 * everything that was ready then has run: a result that is there beats a
 * deadline of the same moment.  The loop puts a mark on the ready list, and
 * applies the deadlines when it meets the mark.
 */
#include "core/scope.h"
#include "core/loop.h"
#include "core/task.h"
#include <coil/task.h>
#include <errno.h>

void coil__scope_push(struct coil_scope *scope, struct coil_task *task)
{
	scope->task = task;
	scope->outer = task->innermost;
	scope->inner = NULL;
	scope->due = NULL;
	scope->deadline = INT64_MAX;
	scope->timer = 0;
	scope->flags |= SCOPE_OPEN;
	if (scope->outer)
		scope->outer->inner = scope;
	task->innermost = scope;
	if (scope->flags & SCOPE_SHIELD)
		coil__task_refresh(task);
}

static void unlink_due(struct coil_scope **first, struct coil_scope **last,
		       struct coil_scope *scope)
{
	struct coil_scope *before = NULL;

	for (struct coil_scope *s = *first; s; before = s, s = s->due) {
		if (s != scope)
			continue;
		if (before)
			before->due = s->due;
		else
			*first = s->due;
		if (*last == s)
			*last = before;
		s->due = NULL;
		return;
	}
}

static void disarm(struct coil_scope *scope)
{
	struct coil_loop *loop = scope->task->loop;

	if (scope->timer)
		coil__timer_remove(&loop->timers, scope->timer);
	scope->timer = 0;
	if (!(scope->flags & SCOPE_LISTED))
		return;
	scope->flags &= ~(unsigned)SCOPE_LISTED;
	unlink_due(&loop->due, &loop->due_last, scope);
	unlink_due(&loop->due_next, &loop->due_next_last, scope);
}

void coil__scope_remove(struct coil_scope *scope)
{
	struct coil_task *task = scope->task;
	struct coil_scope *inner = scope->inner;

	disarm(scope);
	if (scope->inner)
		scope->inner->outer = scope->outer;
	else
		task->innermost = scope->outer;
	if (scope->outer)
		scope->outer->inner = scope->inner;
	scope->outer = scope->inner = NULL;
	scope->task = NULL;
	scope->flags &= ~(unsigned)SCOPE_OPEN;
	/* A group that was begun in a shield and outlives it hears what that held back. */
	if (scope->flags & SCOPE_SHIELD && inner && !(inner->flags & SCOPE_SHIELD) &&
	    coil__scope_pending(inner))
		coil__scope_spread(inner);
	else
		coil__task_refresh(task);
}

int coil__scope_arm(struct coil_scope *scope, int64_t when)
{
	struct coil_loop *loop = scope->task->loop;
	uint32_t timer = 0;

	if (when != INT64_MAX) {
		timer = coil__timer_add(&loop->timers, when, TIMER_SCOPE, scope);
		if (!timer)
			return -ENOMEM;
	}
	disarm(scope);
	scope->timer = timer;
	scope->deadline = when;
	return 0;
}

int coil__scope_pending(const struct coil_scope *scope)
{
	int pending = 0;

	for (; scope; scope = scope->outer) {
		if (scope->flags & SCOPE_CANCELLED)
			return -ECANCELED;
		if (scope->flags & SCOPE_DUE)
			pending = -ETIMEDOUT;
		if (scope->flags & SCOPE_SHIELD)
			break;
	}
	return pending;
}

static void cancel_children(struct coil_scope *scope)
{
	struct coil_group *group = container_of(scope, struct coil_group, scope);
	struct coil_task *next;

	for (struct coil_task *task = group->children; task; task = next) {
		next = task->sibling_next;
		coil_cancel(task);
	}
}

void coil__scope_spread(struct coil_scope *scope)
{
	for (struct coil_scope *s = scope; s; s = s->inner) {
		if (s != scope && s->flags & SCOPE_SHIELD)
			break;
		if (s->flags & SCOPE_GROUP)
			cancel_children(s);
	}
	coil__task_refresh(scope->task);
}

/*
 * A request runs down a tree of tasks (groups' children, tasks awaited) that may
 * be deeper than the caller's stack.  So whoever is asked while another is being
 * told waits in a list until the first caller comes to it.
 */
bool coil_cancel(struct coil_task *task)
{
	struct coil_loop *loop = coil__loop;

	if (!task || task->loop != loop || task->done)
		return false;
	if (task->scope.flags & SCOPE_CANCELLED)
		return true;
	task->scope.flags |= SCOPE_CANCELLED;
	task->has_more = true;
	task->cancel_next = NULL;
	if (loop->cancels) {
		loop->cancels_last->cancel_next = task;
		loop->cancels_last = task;
		return true;
	}
	loop->cancels = loop->cancels_last = task;
	while (loop->cancels) {
		coil__scope_spread(&loop->cancels->scope);
		loop->cancels = loop->cancels->cancel_next;
	}
	return true;
}

void coil__scope_request(struct coil_scope *scope, unsigned flag)
{
	if (scope->flags & flag)
		return;
	scope->flags |= flag;
	coil__scope_spread(scope);
}

int coil__scope_deliver(struct coil_task *task)
{
	struct coil_scope *told = NULL;

	for (struct coil_scope *s = task->innermost; s; s = s->outer) {
		if (s->flags & SCOPE_DUE) {
			s->flags |= SCOPE_EXPIRED;
			told = s;
		}
		if (s->flags & SCOPE_SHIELD)
			break;
	}
	if (told && task->pending == -ETIMEDOUT)
		told->flags |= SCOPE_TOLD;
	return task->pending;
}

static void append(struct coil_scope **first, struct coil_scope **last, struct coil_scope *scope)
{
	if (*last)
		(*last)->due = scope;
	else
		*first = scope;
	*last = scope;
}

void coil__scope_due(struct coil_loop *loop, struct coil_scope *scope)
{
	scope->timer = 0;
	scope->due = NULL;
	scope->flags |= SCOPE_LISTED;
	if (loop->marked)
		append(&loop->due_next, &loop->due_next_last, scope);
	else
		append(&loop->due, &loop->due_last, scope);
}

void coil__scope_apply_due(struct coil_loop *loop)
{
	while (loop->due) {
		struct coil_scope *scope = loop->due;

		loop->due = scope->due;
		if (!loop->due)
			loop->due_last = NULL;
		scope->due = NULL;
		scope->flags &= ~(unsigned)SCOPE_LISTED;
		if (scope->flags & SCOPE_ENDING) {
			coil__scope_request(scope, SCOPE_CANCELLED);
			continue;
		}
		scope->flags |= SCOPE_EXPIRED;
		coil__scope_request(scope, SCOPE_DUE);
	}
	loop->due = loop->due_next;
	loop->due_last = loop->due_next_last;
	loop->due_next = loop->due_next_last = NULL;
}

void coil__scope_check_frame(struct coil_task *task)
{
	const char *scope = (const char *)task->innermost;
	const char *frame = __builtin_frame_address(0);

	/* Stacks grow down: what lies below this frame has been returned from. */
	if (scope < frame && scope >= task->stack.bottom)
		coil__die(task, "parks in a scope whose block it has left: end it first");
}
