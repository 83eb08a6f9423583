/* SPDX-License-Identifier: MIT */
/*
 * Cancellation.
 *
 * A cancellation is level-triggered and belongs to a scope.  Once made it stands:
 * every parking call inside that scope returns it until the task leaves the scope.
 * The task itself is the outermost scope.  Timeouts, groups and shields lie inside
 * it, in a doubly linked list from task->innermost outwards.
 *
 * A cancel or an expiry shows to the task unless its scope lies outside the
 * innermost shield.  Each scope keeps in its flags what shows in it: its own cancel
 * and expiry, and what shows in the next scope outwards.  So neither the begin nor
 * the end of a scope walks over the others.  task->pending keeps what shows in the
 * innermost scope, and every parking call checks it first.  A cancel outranks an
 * expiry.
 *
 * A group's children are not in the list: they are tasks, with lists of their own.
 * So a cancel or an expiry that reaches a group cancels its children.  This happens
 * at once, not when the owner next runs: the owner may be waiting for these
 * children.
 *
 * A parking call returns -ETIMEDOUT for one scope: the outermost of the scopes whose
 * expiry shows, because the task leaves the inner ones on the way to it.  That scope
 * is marked with SCOPE_REPORTED, and its end returns -ETIMEDOUT.  The ends of the others
 * return 0.
 *
 * The loop does not apply an expired deadline when it notices it.  First it runs
 * every task that was ready at that moment, because a result that is there takes
 * precedence over a deadline of the same moment.  For this the loop puts a mark in
 * the run queue and applies the deadlines when it meets the mark.  Many deadlines
 * are applied in slices.
 */
#include "core/task/scope.h"
#include "core/task/elastic.h"
#include "core/task/loop.h"
#include "core/task/timers.h"
#include "core/task/task.h"
#include <coil/task.h>
#include <errno.h>

/*
 * DUE_AT_ONCE: maximum of deadlines that are applied, or of tasks that they make ready,
 * before the loop polls for I/O.  FETCH_STEPS: how many children ahead are prefetched.
 */
enum { DUE_AT_ONCE = 256, FETCH_STEPS = 8 };

enum {
	OWN = SCOPE_CANCELLED | SCOPE_DUE,
	SEES = SCOPE_SEES_CANCEL | SCOPE_SEES_DUE,
};

/* Returns what shows in scope, from its own flags and those of the next one outwards. */
static unsigned seen_in(const struct coil_scope *scope)
{
	unsigned own = (scope->flags & OWN) * (SCOPE_SEES_CANCEL / SCOPE_CANCELLED);

	if (!scope->outer || scope->flags & SCOPE_SHIELD)
		return own;
	return own | (scope->outer->flags & SEES);
}

/*
 * Updates pending after a change of what shows in the innermost scope.  Interrupts the
 * task's wait if something shows.
 */
static void refresh(struct coil_task *task)
{
	task->pending = coil__scope_pending(task->innermost);
	if (!task->pending)
		task->refused = 0;
	else if (task->wait && task->wait->interrupt)
		task->wait->interrupt(task);
}

void coil__scope_push(struct coil_scope *scope, struct coil_task *task)
{
	scope->task = task;
	scope->outer = task->innermost;
	scope->inner = NULL;
	scope->deadline = INT64_MAX;
	scope->timer = 0;
	scope->outer->inner = scope;
	scope->flags |= SCOPE_OPEN | seen_in(scope);
	task->innermost = scope;
	if (scope->flags & SCOPE_SHIELD)
		refresh(task);
}

static void unlink_due(struct coil_loop *loop, struct coil_scope *scope)
{
	if (scope->due_before)
		scope->due_before->due = scope->due;
	else if (loop->due.first == scope)
		loop->due.first = scope->due;
	else
		loop->due_next.first = scope->due;
	if (scope->due)
		scope->due->due_before = scope->due_before;
	else if (loop->due.last == scope)
		loop->due.last = scope->due_before;
	else
		loop->due_next.last = scope->due_before;
	scope->flags &= ~(unsigned)SCOPE_LISTED;
}

static void disarm(struct coil_scope *scope)
{
	struct coil_loop *loop = scope->task->loop;

	if (scope->timer)
		coil__timer_remove(&loop->timers, scope->timer);
	scope->timer = 0;
	if (scope->flags & SCOPE_LISTED)
		unlink_due(loop, scope);
}

/*
 * Each task of a list costs a miss of the TLB and of several cache lines, one after the
 * other.  But children that were created in a row often have stacks in a row.  So this
 * prefetches the task that may follow FETCH_STEPS later, by the number of its stack.
 */
static void scope_fetch_later(const struct stacks *stacks, const struct coil_task *task,
			      const struct coil_task *next)
{
	uint32_t step = next->stack_number - task->stack_number;
	uint32_t number = next->stack_number + FETCH_STEPS * step;
	const char *line;

	if (number >= stacks->carved)
		return;
	line = (const char *)container_of(stacks->table[number], struct coil_task, stack);
	__builtin_prefetch(line, 1);
	__builtin_prefetch(line + 64, 1);
	__builtin_prefetch(line + 128, 1);
	__builtin_prefetch(line + 192, 1);
	PREFETCHED();
}

static void cancel_children(struct coil_scope *scope)
{
	struct coil_group *group = container_of(scope, struct coil_group, scope);
	struct coil_task *next;

	for (struct coil_task *task = group->children; task; task = next) {
		next = task->sibling_next;
		if (next)
			scope_fetch_later(&task->loop->stacks, task, next);
		coil_cancel(task);
	}
}

bool coil__scope_holds_but(const struct coil_scope *scope, unsigned flags)
{
	for (const struct coil_scope *s = scope->inner; s; s = s->inner) {
		if (!(s->flags & flags))
			return true;
	}
	return false;
}

/*
 * Updates inner and the scopes inside it after the removal of the scope around inner.
 * Its cancel and expiry do not show in them any more.  If it was a shield, what it hid
 * shows in them now.
 */
static void outer_gone(struct coil_scope *inner)
{
	for (struct coil_scope *s = inner; s && !(s->flags & SCOPE_SHIELD); s = s->inner) {
		unsigned seen = seen_in(s), news = seen & ~s->flags;

		s->flags = (s->flags & ~(unsigned)SEES) | seen;
		if (news && s->flags & SCOPE_GROUP)
			cancel_children(s);
	}
}

void coil__scope_remove(struct coil_scope *scope)
{
	struct coil_task *task = scope->task;
	struct coil_scope *inner = scope->inner;

	disarm(scope);
	scope->outer->inner = inner;
	if (inner)
		inner->outer = scope->outer;
	else
		task->innermost = scope->outer;
	scope->outer = scope->inner = NULL;
	scope->task = NULL;
	scope->flags &= ~(unsigned)(SCOPE_OPEN | SEES);
	if (unlikely(inner))
		outer_gone(inner);
	refresh(task);
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

/*
 * Begins the limit of a shield at which a cancel or an expiry has arrived.  Returns true
 * if the shield expires at once, because the limit is 0 or memory for a timer runs out.
 */
static bool begin_limit(struct coil_scope *shield)
{
	int64_t ns = shield->deadline, now;

	if (!(shield->flags & SCOPE_GRACE))
		return false;
	shield->flags &= ~(unsigned)SCOPE_GRACE;
	now = coil__clock(shield->task->loop);
	if (ns > 0 && !coil__scope_arm(shield, coil__deadline(now, ns)))
		return false;
	shield->deadline = now;
	shield->flags |= SCOPE_DUE;
	return true;
}

/* Stops at a scope that already shows all this: the scopes inside it show it, too. */
void coil__scope_spread(struct coil_scope *scope)
{
	unsigned seen = seen_in(scope);

	for (struct coil_scope *s = scope; s; s = s->inner) {
		if (s != scope && (s->flags & seen) == seen)
			break;
		if (s != scope && s->flags & SCOPE_SHIELD) {
			if (!begin_limit(s))
				break;
			seen = seen_in(s);
		}
		s->flags |= seen;
		if (s->flags & SCOPE_GROUP)
			cancel_children(s);
	}
	refresh(scope->task);
}

void coil__scope_set_grace(struct coil_scope *shield, int64_t ns)
{
	shield->deadline = ns;
	shield->flags |= SCOPE_GRACE;
	if (coil__scope_pending(shield->outer) && begin_limit(shield))
		coil__scope_spread(shield);
}

/*
 * A cancellation runs down a tree of tasks: the children of groups and awaited tasks.
 * Recursion could overflow the caller's stack.  So a nested call only appends its task
 * to a list, and the outermost call works through the list.
 */
bool coil_cancel(struct coil_task *task)
{
	struct coil_loop *loop = coil__loop;

	if (!task || task->loop != loop || task->done)
		return false;
	if (task->scope.flags & SCOPE_CANCELLED)
		return true;
	task->scope.flags |= SCOPE_CANCELLED;
	task->needs_cleanup = true;
	task->cancel_next = NULL;
	if (loop->cancels.first) {
		loop->cancels.last->cancel_next = task;
		loop->cancels.last = task;
		return true;
	}
	loop->cancels.first = loop->cancels.last = task;
	while (loop->cancels.first) {
		coil__scope_spread(&loop->cancels.first->scope);
		loop->cancels.first = loop->cancels.first->cancel_next;
	}
	return true;
}

void coil__scope_cancel(struct coil_scope *scope, unsigned flag)
{
	if (scope->flags & flag)
		return;
	scope->flags |= flag;
	coil__scope_spread(scope);
}

int coil__scope_deliver(struct coil_task *task)
{
	struct coil_scope *reported = NULL, *s = task->innermost;

	for (; s && s->flags & SCOPE_SEES_DUE; s = s->outer) {
		if (s->flags & SCOPE_DUE) {
			s->flags |= SCOPE_EXPIRED;
			reported = s;
		}
		if (s->flags & SCOPE_SHIELD)
			break;
	}
	if (reported && task->pending == -ETIMEDOUT)
		reported->flags |= SCOPE_REPORTED;
	return task->pending;
}

static void scope_append(struct coil_scope **first, struct coil_scope **last,
			 struct coil_scope *scope)
{
	scope->due = NULL;
	scope->due_before = *last;
	if (*last)
		(*last)->due = scope;
	else
		*first = scope;
	*last = scope;
}

void coil__scope_due(struct coil_loop *loop, struct coil_scope *scope)
{
	scope->timer = 0;
	scope->flags |= SCOPE_LISTED;
	if (loop->run.marked)
		scope_append(&loop->due_next.first, &loop->due_next.last, scope);
	else
		scope_append(&loop->due.first, &loop->due.last, scope);
}

/* Returns whether an elastic timeout moved its deadline.  If so, it is armed again. */
static bool scope_put_off(struct coil_scope *scope)
{
	struct elastic *elastic = container_of(scope, struct elastic, timeout.scope);
	int64_t when;

	if (!(scope->flags & SCOPE_ELASTIC))
		return false;
	when = elastic->until(elastic);
	return when > coil__clock(scope->task->loop) && !coil__scope_arm(scope, when);
}

static void apply(struct coil_scope *scope)
{
	if (scope->flags & SCOPE_ENDING) {
		coil__scope_cancel(scope, SCOPE_CANCELLED);
	} else if (!scope_put_off(scope)) {
		scope->flags |= SCOPE_EXPIRED;
		coil__scope_cancel(scope, SCOPE_DUE);
	}
}

/*
 * Applies the outer scopes with the same deadline too, wherever they are in the list, so
 * that the task sees the outermost as the cause.
 */
static void apply_with_outer(struct coil_loop *loop, struct coil_scope *scope)
{
	int64_t when = scope->deadline;

	unlink_due(loop, scope);
	apply(scope);
	while ((scope = scope->outer)) {
		if (scope->flags & SCOPE_LISTED && scope->deadline == when) {
			unlink_due(loop, scope);
			apply(scope);
		}
	}
}

/* Appends the scopes that expired while the mark was in the run queue. */
static void join_due(struct coil_loop *loop)
{
	struct coil_scope *first = loop->due_next.first;

	if (!first)
		return;
	first->due_before = loop->due.last;
	if (loop->due.last)
		loop->due.last->due = first;
	else
		loop->due.first = first;
	loop->due.last = loop->due_next.last;
	loop->due_next.first = loop->due_next.last = NULL;
}

/*
 * After DUE_AT_ONCE deadlines the rest waits for the next mark, so that the loop polls
 * for I/O in between.
 */
void coil__scope_apply_due(struct coil_loop *loop)
{
	uint32_t before = coil__ready_count(loop);

	for (int n = 0; loop->due.first && n < DUE_AT_ONCE; n++) {
		if (coil__ready_count(loop) - before >= DUE_AT_ONCE)
			break;
		apply_with_outer(loop, loop->due.first);
	}
	join_due(loop);
}

void coil__scope_check_frame(struct coil_task *task)
{
	const char *scope = (const char *)task->innermost;
	const char *frame = __builtin_frame_address(0);

	/* Stacks grow down: a frame below this one has returned. */
	if (scope < frame && scope >= task->stack.bottom)
		coil__die(task, "parks in a scope whose block it has left: end it first");
}
