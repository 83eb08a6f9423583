/* SPDX-License-Identifier: MIT */
/*
 * Cancellation.
 *
 * A request to end is level-triggered and belongs to a scope: once made it
 * stands, and every parking call inside that scope returns it, until the scope
 * is left.  The task itself is the outermost scope; timeouts, groups and shields
 * lie inside it, in a doubly linked list from task->innermost outwards.
 *
 * A cancel or an expiry shows to the task if it was made to a scope that is not
 * outside the innermost shield.  Each scope keeps in its flags what shows in it, its
 * own and what shows in the next scope outwards, so that neither the begin nor the end
 * of a scope walks over the others.  What shows in the innermost one is kept in
 * task->pending, which every parking call looks at first.  A cancel outranks an expiry.
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
 * applies the deadlines when it meets the mark, a crowd of them in slices.
 */
#include "core/task/scope.h"
#include "core/task/elastic.h"
#include "core/task/loop.h"
#include "core/task/timers.h"
#include "core/task/task.h"
#include <coil/task.h>
#include <errno.h>

/* Deadlines that are applied, or tasks that those make ready, before a look at I/O. */
enum { DUE_AT_ONCE = 256, FETCH_STEPS = 8 };

enum {
	OWN = SCOPE_CANCELLED | SCOPE_DUE,
	SEES = SCOPE_SEES_CANCEL | SCOPE_SEES_DUE,
};

/* What shows in scope by its own flags and those of the next one outwards. */
static unsigned seen_in(const struct coil_scope *scope)
{
	unsigned own = (scope->flags & OWN) * (SCOPE_SEES_CANCEL / SCOPE_CANCELLED);

	if (!scope->outer || scope->flags & SCOPE_SHIELD)
		return own;
	return own | (scope->outer->flags & SEES);
}

/* A cancellation or an expiry may have become visible in task, or none is any more. */
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
 * Each task is a miss of the TLB and of several cache lines, one after the other where a
 * list leads from task to task.  But children that were made in a row often have stacks
 * in a row: so what may follow some steps later is fetched by its number.
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
 * The scope around inner, and of the groups in it, has gone: what it had asked for does
 * not show in them any more, and what it had held back, if it was a shield, does.
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

/* Something has arrived at a shield: true if there is no time left, or no timer. */
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

/* A cancel that shows in an inner scope shows in all scopes inside that already. */
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

void coil__scope_request(struct coil_scope *scope, unsigned flag)
{
	if (scope->flags & flag)
		return;
	scope->flags |= flag;
	coil__scope_spread(scope);
}

int coil__scope_deliver(struct coil_task *task)
{
	struct coil_scope *told = NULL, *s = task->innermost;

	for (; s && s->flags & SCOPE_SEES_DUE; s = s->outer) {
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

/* Whether the deadline was put off; if so it is armed anew. */
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
		coil__scope_request(scope, SCOPE_CANCELLED);
	} else if (!scope_put_off(scope)) {
		scope->flags |= SCOPE_EXPIRED;
		coil__scope_request(scope, SCOPE_DUE);
	}
}

/*
 * The outer scopes of one deadline come with it, wherever they are in the list, so that
 * the task sees the outermost as the cause.
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

/* Those that fell due while the mark was on the run queue go behind the others. */
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
 * The rest of a crowd waits for the next mark, so that the loop looks at I/O between.
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

	/* Stacks grow down: what lies below this frame has been returned from. */
	if (scope < frame && scope >= task->stack.bottom)
		coil__die(task, "parks in a scope whose block it has left: end it first");
}
