/* SPDX-License-Identifier: MIT */
/*
 * coil_as_completed().
 *
 * The first call of an iteration builds it; later calls continue it.  Each task has a
 * turn in the iteration.  When the task ends, its turn goes to the end of the line of
 * ended tasks.  So the cost of a call does not depend on the number of tasks left.
 *
 * The program may drop an iteration without a call, and may change the array and start
 * again at any time.  So an iteration in which no call is parked is only a cache.  It
 * is found through the turns of the next task.  It is valid only if array, length and
 * index are as the last call left them.  If they are not, or if a call was cancelled
 * meanwhile, the iteration is freed and built again.
 *
 * When a task joins another iteration, its idle iteration is freed.  When a task is
 * freed, it leaves its iterations.  So each task is in at most one cache, and no cache
 * outlives its tasks.
 */
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/task.h>
#include <coil/waitq.h>
#include <errno.h>
#include <stdlib.h>

/* One entry of the array. */
struct turn {
	struct watch watch;	/* of the running task; then links the line of ended tasks */
	struct iteration *of;	/* NULL: a further handle, or a turn that was dropped */
	struct coil_task *task;
	struct turn *others;	/* of the same task, in other iterations */
	struct turn *copies;	/* further handles of the same task, in this iteration */
	size_t at;		/* its index in the array */
};

struct iteration {
	struct coil_task **tasks;
	size_t n;
	size_t *done;
	size_t next;		/* what *done was when the last call returned */
	size_t left;		/* tasks that were not yet returned */
	size_t calls;		/* calls that are parked or were just woken */
	struct coil_waitq waiting;
	struct turn *first;	/* the line of ended tasks, linked by watch.next */
	struct turn *last;
	struct turn **places;	/* the turn of each entry of the array */
	struct turn **ended;	/* space to sort in */
	struct turn turns[];
};

static struct turn *turn_of(const struct coil_task *task, const struct iteration *it)
{
	struct turn *turn = task->turns;

	while (turn && turn->of != it)
		turn = turn->others;
	return turn;
}

/*
 * The line of ended tasks, in the order in which they ended.
 */

static void line_up(struct iteration *it, struct turn *turn)
{
	turn->watch.next = NULL;
	turn->watch.prev = it->last ? &it->last->watch : NULL;
	if (it->last)
		it->last->watch.next = &turn->watch;
	else
		it->first = turn;
	it->last = turn;
}

static struct turn *of_watch(struct watch *watch)
{
	return watch ? container_of(watch, struct turn, watch) : NULL;
}

static void leave_line(struct iteration *it, struct turn *turn)
{
	struct turn *before = of_watch(turn->watch.prev), *behind = of_watch(turn->watch.next);

	if (before)
		before->watch.next = turn->watch.next;
	else
		it->first = behind;
	if (behind)
		behind->watch.prev = turn->watch.prev;
	else
		it->last = before;
}

/*
 * The end of a turn, and of an iteration.
 */

static void drop_turn(struct turn *turn)
{
	struct iteration *it = turn->of;
	struct turn **link = &turn->task->turns;

	while (*link != turn)
		link = &(*link)->others;
	*link = turn->others;
	if (turn->watch.of)
		coil__unwatch(&turn->watch);
	else
		leave_line(it, turn);
	turn->of = NULL;
	it->left--;
}

static void completed_forget(struct iteration *it)
{
	for (size_t i = 0; it->left; i++) {
		if (it->turns[i].of)
			drop_turn(&it->turns[i]);
	}
	free(it);
}

/* If no task is left, parked calls return -ENOENT, and an idle iteration is freed. */
static void completed_settle(struct iteration *it)
{
	void *result;

	if (it->left)
		return;
	while (coil_waitq_unpark_with(&it->waiting, &result))
		*(int *)result = -ENOENT;
	if (!it->calls)
		completed_forget(it);
}

/* Frees the iterations of the task in which no call is parked. */
static void forget_idle(struct coil_task *task)
{
	struct turn *turn = task->turns;

	while (turn) {
		struct iteration *it = turn->of;

		turn = turn->others;
		if (it->calls)
			continue;
		completed_forget(it);
		turn = task->turns;
	}
}

static void drop_turns(struct coil_task *task)
{
	while (task->turns) {
		struct iteration *it = task->turns->of;

		drop_turn(task->turns);
		completed_settle(it);
	}
}

/*
 * Results.
 */

static void completed_put(struct iteration *it, size_t at, struct turn *turn)
{
	struct turn *other = it->places[at];

	it->tasks[turn->at] = it->tasks[at];
	it->places[turn->at] = other;
	other->at = turn->at;
	it->tasks[at] = turn->task;
	it->places[at] = turn;
	turn->at = at;
}

/* Makes the turn's task the next one of the array.  Returns its index. */
static int completed_give(struct iteration *it, struct turn *turn)
{
	size_t at = it->next;

	completed_put(it, it->next++, turn);
	for (struct turn *copy = turn->copies; copy; copy = copy->copies)
		completed_put(it, it->next++, copy);
	*it->done = it->next;
	drop_turn(turn);
	return (int)at;
}

static void turn_ended(struct watch *watch, struct coil_task *task)
{
	struct turn *turn = of_watch(watch);
	struct iteration *it = turn->of;
	void *result;

	(void)task;
	line_up(it, turn);
	if (!coil_waitq_size(&it->waiting))
		return;
	result = coil_waitq_peek(&it->waiting);
	*(int *)result = completed_give(it, turn);
	coil_waitq_unpark(&it->waiting);
	completed_settle(it);
}

/*
 * The beginning.
 */

static void take_up(struct iteration *it, struct turn *turn, size_t at)
{
	struct coil_task *task = it->tasks[at];
	struct turn *same;

	*turn = (struct turn){ .task = task, .at = at };
	it->places[at] = turn;
	same = turn_of(task, it);
	if (same) {
		turn->copies = same->copies;
		same->copies = turn;
		return;
	}
	forget_idle(task);
	turn->of = it;
	turn->others = task->turns;
	task->turns = turn;
	task->drop_turns = drop_turns;
	task->needs_cleanup = true;
	it->left++;
	turn->watch.ended = turn_ended;
	if (!task->done)
		coil__watch(&turn->watch, task);
}

static int by_end(const void *a, const void *b)
{
	const struct turn *const *x = a, *const *y = b;

	return (*x)->task->ended_order < (*y)->task->ended_order ? -1 : 1;
}

/*
 * Puts the tasks that have already ended into the line, in the order in which they
 * ended.  That is mostly the order of the array, and nothing has to be sorted.
 */
static void line_up_ended(struct iteration *it)
{
	size_t count = 0;
	int64_t last = 0;
	bool in_order = true;

	for (size_t i = it->next; i < it->n; i++) {
		struct turn *turn = it->places[i];

		if (!turn->of || !turn->task->done)
			continue;
		it->ended[count++] = turn;
		in_order &= turn->task->ended_order > last;
		last = turn->task->ended_order;
	}
	if (!in_order)
		qsort(it->ended, count, sizeof(*it->ended), by_end);
	for (size_t i = 0; i < count; i++)
		line_up(it, it->ended[i]);
}

static struct iteration *completed_begin(struct coil_task *tasks[], size_t n, size_t *done)
{
	enum { EACH = sizeof(struct turn) + 2 * sizeof(struct turn *) };
	struct iteration *it;
	size_t size;

	if (__builtin_mul_overflow(n, EACH, &size) ||
	    __builtin_add_overflow(size, sizeof(*it), &size))
		return NULL;
	it = malloc(size);
	if (!it)
		return NULL;
	*it = (struct iteration){ .tasks = tasks, .n = n, .done = done, .next = *done };
	it->places = (struct turn **)(it->turns + n);
	it->ended = it->places + n;
	for (size_t i = *done; i < n; i++)
		take_up(it, &it->turns[i - *done], i);
	line_up_ended(it);
	return it;
}

/*
 * Returns the iteration that the last call with these arguments left, or in which
 * another call is parked.  Returns NULL if there is none.  At index 0 an idle iteration
 * is not used, because the array may have changed.
 */
static struct iteration *completed_find(const struct coil_task *self, struct coil_task *tasks[],
					size_t n, const size_t *done)
{
	const struct coil_task *next = tasks[*done];

	if (!next || next->loop != self->loop)
		return NULL;
	for (const struct turn *turn = next->turns; turn; turn = turn->others) {
		struct iteration *it = turn->of;

		if (it->tasks == tasks && it->n == n && it->done == done &&
		    it->next == *done && (it->next || it->calls))
			return it;
	}
	return NULL;
}

static int park_for_next(struct iteration *it)
{
	int at, err;

	it->calls++;
	err = coil_waitq_park_for(&it->waiting, &at, "tasks");
	it->calls--;
	if (!it->calls && (err || !it->left))
		completed_forget(it);
	return err ? err : at;
}

int coil_as_completed(struct coil_task *tasks[], size_t n, size_t *done)
{
	struct coil_task *self = coil__self();
	struct iteration *it;
	int at, err;

	if (self->pending == -EPERM)
		return -EPERM;
	if (!done || (n && !tasks))
		return -EINVAL;
	if (*done >= n)
		return -ENOENT;
	it = completed_find(self, tasks, n, done);
	if (it)
		err = turn_of(self, it) ? -EDEADLK : 0;
	else
		err = coil__tasks_check(self, tasks + *done, n - *done);
	if (err)
		return err;
	if (self->pending)
		return coil__refuse(self);
	if (!it)
		it = completed_begin(tasks, n, done);
	if (!it)
		return -ENOMEM;
	if (!it->first)
		return park_for_next(it);
	at = completed_give(it, it->first);
	completed_settle(it);
	coil__spend(self, SPEND_CALL);
	return at;
}
