/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <stdlib.h>

/*
 * How a request arrives.
 */

COIL_TEST(cancel_001_a_sleeper_ends_at_once_and_no_time_passes)
{
	struct nap own = { .ns = 10 * COIL_SECOND };
	struct coil_task *task = start(nap, &own);
	int64_t began = coil_now();

	settle();
	ck_assert(coil_cancel(task));
	settle();
	ck_assert_int_eq(own.err, -ECANCELED);
	ck_assert(coil_done(task));
	ck_assert(coil_cancelled(task));
	ck_assert(!coil_cancel(task));
	passed(began, 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

static int yield_twice(void *arg)
{
	int *steps = arg;
	int err;

	for (*steps = 0; *steps < 2; ++*steps) {
		err = coil_sleep(0);
		if (err)
			return err;
	}
	return 0;
}

COIL_TEST(cancel_002_between_two_yields_the_next_one_says_so)
{
	int steps = -1;
	struct coil_task *task = start(yield_twice, &steps);

	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(steps, 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	/* The first had begun, and completed; the second was refused. */
	ck_assert_int_eq(steps, 1);
}

COIL_TEST(cancel_003_a_task_cancelled_before_its_first_run_is_entered)
{
	struct nap own = { .ns = COIL_SECOND };
	struct coil_task *task = start(nap, &own);

	ck_assert(coil_cancel(task));
	ck_assert(coil_cancel(task));
	ck_assert(!own.entered);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(own.entered);
	ck_assert_int_eq(own.err, -ECANCELED);
}

static int cancel_myself(void *arg)
{
	int *err = arg;

	if (!coil_cancel(coil_current_task()))
		return 1;
	*err = coil_sleep(100 * COIL_SECOND);
	return *err;
}

COIL_TEST(cancel_004_a_task_can_cancel_itself)
{
	int err = 0;
	struct coil_task *task = start(cancel_myself, &err);
	int64_t began = coil_now();

	settle();
	ck_assert(coil_done(task));
	ck_assert_int_eq(err, -ECANCELED);
	ck_assert(!coil_cancel(task));
	passed(began, 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

static int cancel_myself_and_return(void *arg)
{
	coil_cancel(coil_current_task());
	return 12;
}

COIL_TEST(cancel_005_what_fn_returns_is_the_result_also_after_a_cancel)
{
	struct coil_task *task = start(cancel_myself_and_return, NULL);

	settle();
	ck_assert(!coil_cancelled(task));
	ck_assert_int_eq(coil_await(task), 12);
}

struct twice {
	struct coil_future first;
	struct coil_future second;
	int err[2];
	int turns;
};

static int wait_twice(void *arg)
{
	struct twice *own = arg;

	own->err[0] = coil_future_wait(&own->first);
	own->turns++;
	own->err[1] = coil_future_wait(&own->second);
	own->turns++;
	return 42;
}

COIL_TEST(cancel_007_a_cancelled_future_does_not_cancel_who_waits_for_it)
{
	struct twice own = {0};
	struct coil_task *task = start(wait_twice, &own);

	settle();
	ck_assert_int_eq(coil_future_set(&own.first, -ECANCELED), 0);
	settle();
	ck_assert_int_eq(own.turns, 1);
	ck_assert_int_eq(own.err[0], -ECANCELED);
	ck_assert_int_eq(coil_future_set(&own.second, 7), 0);
	ck_assert_int_eq(coil_await(task), 42);
	ck_assert_int_eq(own.err[1], 7);
}

COIL_TEST(cancel_007_future_and_task_cancelled_together_wake_it_once)
{
	struct twice own = {0};
	struct coil_task *task = start(wait_twice, &own);

	settle();
	ck_assert_int_eq(coil_future_set(&own.first, -ECANCELED), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 42);
	ck_assert_int_eq(own.turns, 2);
	ck_assert_int_eq(own.err[0], -ECANCELED);
	ck_assert_int_eq(own.err[1], -ECANCELED);
}

static int inner(struct coil_future *future)
{
	int err = coil_future_wait(future);

	trace("inner%d", err == -ECANCELED);
	return err;
}

static int middle(struct coil_future *future)
{
	int err = inner(future);

	trace("middle%d", err == -ECANCELED);
	return err;
}

static int outer(void *arg)
{
	int err = middle(arg);

	trace("outer%d", err == -ECANCELED);
	return 42;
}

COIL_TEST(cancel_008_every_frame_sees_it_and_the_last_may_swallow_it)
{
	struct coil_future future = {0};
	struct coil_task *task = start(outer, &future);

	settle();
	ck_assert(coil_cancel(task));
	settle();
	ck_assert(!coil_cancelled(task));
	ck_assert_int_eq(coil_await(task), 42);
	traced("inner1 middle1 outer1");
}

COIL_TEST(cancel_009_a_swallowed_cancel_stays_pending)
{
	struct twice own = {0};
	struct coil_task *task = start(wait_twice, &own);

	settle();
	ck_assert(coil_cancel(task));
	settle();
	ck_assert(coil_done(task));
	ck_assert_int_eq(own.err[0], -ECANCELED);
	ck_assert_int_eq(own.err[1], -ECANCELED);
	ck_assert_int_eq(coil_await(task), 42);
}

COIL_TEST(cancel_012_a_deadline_does_not_outlive_its_block)
{
	struct coil_timeout timeout = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&timeout, 10 * COIL_MILLISECOND),
			 0);
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -ETIMEDOUT);
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert(!coil_cancel_requested());
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	passed(began, 10 * COIL_MILLISECOND);
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	timeout = (struct coil_timeout){0};
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), 0);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	ck_assert_int_eq(coil_check(), 0);
}

static int clean_up_badly(void *arg)
{
	return coil_future_wait(arg) == -ECANCELED ? -EIO : 0;
}

COIL_TEST(cancel_014_clean_up_that_fails_is_a_failure)
{
	struct coil_future future = {0};
	struct coil_task *task = start(clean_up_badly, &future);

	settle();
	ck_assert(coil_cancel(task));
	settle();
	ck_assert(!coil_cancelled(task));
	ck_assert_int_eq(coil_await(task), -EIO);
}

COIL_TEST(cancel_015_who_awaits_a_cancelled_task_is_not_cancelled)
{
	struct nap own = { .ns = COIL_SECOND };
	struct coil_task *task = start(nap, &own), *other = start(nap, &own);
	int result = 0;

	settle();
	coil_cancel(task);
	coil_cancel(other);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_join(other, &result), 0);
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq(coil_yield(), 0);
}

COIL_TEST(cancel_017_the_timer_of_a_cancelled_sleep_is_gone)
{
	struct nap own = { .ns = 10 * COIL_SECOND };
	struct coil_task *task = start(nap, &own);

	settle();
	ck_assert_uint_eq(coil__loop->timers.count, 1);
	ck_assert(coil_cancel(task));
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

static int park(void *arg)
{
	return coil_waitq_park(arg);
}

COIL_TEST(cancel_018_what_it_was_parked_on_forgets_it)
{
	struct coil_waitq waitq = {0};
	struct coil_task *tasks[3];
	int results[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start(park, &waitq);
	settle();
	/* In the middle, at the end, at the head. */
	ck_assert(coil_cancel(tasks[1]));
	ck_assert(coil_cancel(tasks[2]));
	ck_assert_ptr_eq(coil_waitq_unpark(&waitq), tasks[0]);
	ck_assert_ptr_null(coil_waitq_unpark(&waitq));
	ck_assert_ptr_null(waitq.head);
	ck_assert_ptr_null(waitq.tail);
	ck_assert_int_eq(coil_gather(tasks, 3, results), 0);
	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(results[1], -ECANCELED);
	ck_assert_int_eq(results[2], -ECANCELED);
}

enum { QUEUES = 10 };

static int park_in_many(void *arg)
{
	struct coil_waitq *waitqs[QUEUES], *first = arg;

	for (int i = 0; i < QUEUES; i++)
		waitqs[i] = &first[i];
	return coil_waitq_park_any(waitqs, NULL, QUEUES, "test");
}

COIL_TEST(cancel_018_each_of_many_queues_forgets_it)
{
	struct coil_waitq waitqs[QUEUES] = {0};
	struct coil_task *task = start(park_in_many, waitqs);

	settle();
	ck_assert(coil_cancel(task));
	for (int i = 0; i < QUEUES; i++) {
		ck_assert_ptr_null(waitqs[i].head);
		ck_assert_ptr_null(waitqs[i].tail);
	}
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

static int look_at_two(void *tasks)
{
	return coil_wait(tasks, 2, COIL_ALL_COMPLETED, COIL_FOREVER);
}

static int look_for_next_of_two(void *tasks)
{
	size_t done = 0;

	return coil_as_completed(tasks, 2, &done);
}

COIL_TEST(cancel_018_the_tasks_that_it_waited_for_forget_it)
{
	struct hold held[2] = {0};
	struct coil_task *tasks[] = { start(hold, &held[0]), start(hold, &held[1]) };
	struct coil_task *waiters[] = { start(look_at_two, tasks),
					start(look_for_next_of_two, tasks) };

	settle();
	for (int i = 0; i < 2; i++) {
		ck_assert(coil_cancel(waiters[i]));
		ck_assert_int_eq(coil_await(waiters[i]), -ECANCELED);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_null(tasks[i]->watches);
		coil_future_set(&held[i].future, 0);
		ck_assert_int_eq(coil_await(tasks[i]), 0);
	}
}

COIL_TEST(cancel_019_the_one_cancelled_runs_later)
{
	struct hold own = {0};
	struct coil_task *task = start(hold, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert(!own.ended);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert(own.ended);
	ck_assert(coil_done(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

COIL_TEST(cancel_020_a_finished_task_cannot_be_cancelled)
{
	struct coil_task *good = start(give, INT(1)),
			 *bad = start(give, INT(-EIO));
	struct coil_task *gone = start(give, INT(-ECANCELED));

	settle();
	ck_assert(!coil_cancel(good));
	ck_assert(!coil_cancel(bad));
	ck_assert(!coil_cancel(gone));
	ck_assert(!coil_cancelled(good));
	ck_assert(coil_cancelled(gone));
	ck_assert_int_eq(coil_await(good), 1);
	ck_assert_int_eq(coil_await(bad), -EIO);
	ck_assert_int_eq(coil_await(gone), -ECANCELED);
}

/*
 * A request beats what would not have had to park; and what was handed over
 * beats a request that comes after it.
 */

static int try_everything(void *arg)
{
	struct coil_future done = {0};
	struct coil_waitq waitq = {0};
	struct coil_task *ended = arg;
	size_t at = 0;

	coil_future_set(&done, 5);
	coil_cancel(coil_current_task());
	ck_assert_int_eq(coil_check(), -ECANCELED);
	ck_assert(coil_cancel_requested());
	ck_assert_int_eq(coil_future_wait(&done), -ECANCELED);
	ck_assert_int_eq(coil_waitq_park(&waitq), -ECANCELED);
	ck_assert_ptr_null(waitq.head);
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	ck_assert_int_eq(coil_sleep(0), -ECANCELED);
	ck_assert_int_eq(coil_sleep(-1), -ECANCELED);
	ck_assert_int_eq(coil_sleep(1), -ECANCELED);
	ck_assert_int_eq(coil_sleep_until(0), -ECANCELED);
	ck_assert_int_eq(coil_sleep_until(COIL_FOREVER), -ECANCELED);
	ck_assert_int_eq(coil_wait(&ended, 1, COIL_ALL_COMPLETED, 0),
			 -ECANCELED);
	ck_assert_int_eq(coil_as_completed(&ended, 1, &at), -ECANCELED);
	ck_assert_uint_eq(at, 0);
	/* But a result that is there is not thrown away. */
	return coil_await(ended);
}

COIL_TEST(cancel_021_a_pending_request_is_seen_before_anything_is_done)
{
	struct coil_task *ended = start(give, INT(77));

	settle();
	ck_assert_int_eq(coil_await(start(try_everything, ended)), 77);
}

struct handed {
	struct coil_waitq waitq;
	int parked;
	int after;
};

static int take_hand_over(void *arg)
{
	struct handed *own = arg;

	own->parked = coil_waitq_park(&own->waitq);
	own->after = coil_yield();
	return 0;
}

COIL_TEST(cancel_022_what_was_handed_over_is_kept_and_the_cancel_shows_next)
{
	struct handed own = {0};
	struct coil_task *task = start(take_hand_over, &own);

	settle();
	ck_assert_ptr_eq(coil_waitq_unpark(&own.waitq), task);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.parked, 0);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(cancel_022_a_value_set_before_the_cancel_is_returned)
{
	struct hold own = {0};
	struct coil_task *task = start(hold, &own);

	settle();
	ck_assert_int_eq(coil_future_set(&own.future, 31), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 31);
}

struct shielded {
	int inside;
	int after;
	int64_t slept;
};

static int sleep_shielded(void *arg)
{
	struct shielded *own = arg;
	int64_t began = coil_now();

	coil_sleep(COIL_SECOND);
	COIL_SHIELD(COIL_FOREVER) {
		ck_assert_int_eq(coil_check(), 0);
		own->inside = coil_sleep(5 * COIL_MILLISECOND);
	}
	own->slept = coil_now() - began;
	own->after = coil_sleep(COIL_SECOND);
	return own->after;
}

COIL_TEST(cancel_023_inside_a_shield_a_cancelled_task_can_sleep)
{
	struct shielded own = {0};
	struct coil_task *task = start(sleep_shielded, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.inside, 0);
	ck_assert_int_ge(own.slept, 5 * COIL_MILLISECOND);
	ck_assert_int_eq(own.after, -ECANCELED);
}

/*
 * Tasks that do not listen.
 */

struct deaf {
	int calls;
	int until;
};

static int do_not_listen(void *arg)
{
	struct deaf *own = arg;

	while (own->calls < own->until && coil_yield() == -ECANCELED)
		own->calls++;
	return 0;
}

COIL_TEST(every_64th_refused_call_lets_the_others_run)
{
	struct deaf own = { .until = 1000 };
	struct coil_task *task = start(do_not_listen, &own);
	int seen[4];

	coil_cancel(task);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(coil_yield(), 0);
		seen[i] = own.calls;
	}
	ck_assert_int_lt(seen[0], seen[1]);
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(seen[i] - seen[i - 1], 64);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.calls, 1000);
}

COIL_TEST(after_10000_refused_calls_the_error_handler_hears_of_it_once)
{
	const struct coil_task_options named = { .name = "deaf" };
	struct deaf own = { .until = 9999 };
	struct coil_task *task =
		coil_create_task_with(&named, do_not_listen, &own);

	coil_set_error_handler(note_error, NULL);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(told.calls, 0);
	own = (struct deaf){ .until = 30000 };
	task = coil_create_task_with(&named, do_not_listen, &own);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -ECANCELED);
	ck_assert_str_eq(told.name, "deaf");
}

/*
 * Where a request goes.
 */

struct chain {
	struct coil_task *next;
	int result;
	int ended;
};

static int await_next(void *arg)
{
	struct chain *own = arg;

	own->result =
		own->next ? coil_await(own->next) : coil_sleep(COIL_FOREVER);
	own->ended++;
	return own->result;
}

/* So deep that a recursion would not fit on a stack; ThreadSanitizer has 8128. */
static int great_depth(void)
{
	return support_patience() > 1 ? 2000 : 20000;
}

COIL_TEST(a_cancel_goes_down_a_chain_of_awaits_of_any_length)
{
	size_t depth = (size_t)great_depth();
	struct chain *links = calloc(depth, sizeof(*links));
	struct coil_task *task = NULL;

	for (size_t i = 0; i < depth; i++) {
		links[i].next = task;
		task = start(await_next, &links[i]);
	}
	settle();
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), depth + 1);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	for (size_t i = 0; i < depth; i++) {
		ck_assert_int_eq(links[i].ended, 1);
		ck_assert_int_eq(links[i].result, -ECANCELED);
	}
	free(links);
}

static int nest_groups(void *arg)
{
	struct coil_group group = {0};
	int *depth = arg, err;

	if (!--*depth)
		return coil_sleep(COIL_FOREVER);
	err = coil_group_create_task(&group, nest_groups, depth);
	return err ? err : coil_group_wait(&group);
}

COIL_TEST(a_cancel_goes_down_a_tree_of_groups_of_any_depth)
{
	int depth = great_depth();
	size_t tasks = (size_t)depth + 1;
	struct coil_task *task = start(nest_groups, &depth);

	while (depth)
		ck_assert_int_eq(coil_yield(), 0);
	settle();
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), tasks);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

COIL_TEST(an_expiry_around_an_await_cancels_the_task_awaited)
{
	struct nap own = { .ns = COIL_FOREVER };
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_MILLISECOND), 0);
	/* The task was cancelled; the caller's own reason is the deadline. */
	ck_assert_int_eq(coil_await(start(nap, &own)), -ETIMEDOUT);
	ck_assert_int_eq(own.err, -ECANCELED);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

static int await_with_pending(void *arg)
{
	struct hold own = {0};
	struct coil_task *task = start(hold, &own);
	int *order = arg;

	coil_cancel(coil_current_task());
	*order = 1;
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(own.ended);
	ck_assert_int_eq(own.err, -ECANCELED);
	return 6;
}

COIL_TEST(await_with_a_request_pending_cancels_and_still_waits)
{
	int order = 0;

	ck_assert_int_eq(coil_await(start(await_with_pending, &order)), 6);
	ck_assert_int_eq(order, 1);
}

static int finish_although_cancelled(void *arg)
{
	struct coil_future *future = arg;

	COIL_SHIELD(COIL_FOREVER)
		(void)!coil_future_wait(future);
	return 17;
}

static int await_arg(void *arg)
{
	return coil_await(arg);
}

COIL_TEST(a_result_that_was_saved_from_a_cancel_reaches_who_awaits)
{
	struct coil_future future = {0};
	struct coil_task *task = start(finish_although_cancelled, &future);
	struct coil_task *waiter = start(await_arg, task);

	settle();
	ck_assert(coil_cancel(waiter));
	settle();
	ck_assert(!coil_done(waiter));
	ck_assert_int_eq(coil_future_set(&future, 0), 0);
	ck_assert_int_eq(coil_await(waiter), 17);
}

Suite *suite(void)
{
	Suite *whole = suite_create("cancel");
	TCase *tests = tcase_create("cancel");

	tcase_add_test(tests,
		       cancel_001_a_sleeper_ends_at_once_and_no_time_passes);
	tcase_add_test(tests,
		       cancel_002_between_two_yields_the_next_one_says_so);
	tcase_add_test(tests,
		       cancel_003_a_task_cancelled_before_its_first_run_is_entered);
	tcase_add_test(tests, cancel_004_a_task_can_cancel_itself);
	tcase_add_test(tests,
		       cancel_005_what_fn_returns_is_the_result_also_after_a_cancel);
	tcase_add_test(tests,
		       cancel_007_a_cancelled_future_does_not_cancel_who_waits_for_it);
	tcase_add_test(tests,
		       cancel_007_future_and_task_cancelled_together_wake_it_once);
	tcase_add_test(tests,
		       cancel_008_every_frame_sees_it_and_the_last_may_swallow_it);
	tcase_add_test(tests, cancel_009_a_swallowed_cancel_stays_pending);
	tcase_add_test(tests, cancel_012_a_deadline_does_not_outlive_its_block);
	tcase_add_test(tests, cancel_014_clean_up_that_fails_is_a_failure);
	tcase_add_test(tests,
		       cancel_015_who_awaits_a_cancelled_task_is_not_cancelled);
	tcase_add_test(tests,
		       cancel_017_the_timer_of_a_cancelled_sleep_is_gone);
	tcase_add_test(tests, cancel_018_what_it_was_parked_on_forgets_it);
	tcase_add_test(tests, cancel_018_each_of_many_queues_forgets_it);
	tcase_add_test(tests, cancel_018_the_tasks_that_it_waited_for_forget_it);
	tcase_add_test(tests, cancel_019_the_one_cancelled_runs_later);
	tcase_add_test(tests, cancel_020_a_finished_task_cannot_be_cancelled);
	tcase_add_test(tests,
		       cancel_021_a_pending_request_is_seen_before_anything_is_done);
	tcase_add_test(tests,
		       cancel_022_what_was_handed_over_is_kept_and_the_cancel_shows_next);
	tcase_add_test(tests,
		       cancel_022_a_value_set_before_the_cancel_is_returned);
	tcase_add_test(tests,
		       cancel_023_inside_a_shield_a_cancelled_task_can_sleep);
	tcase_add_test(tests, every_64th_refused_call_lets_the_others_run);
	tcase_add_test(tests,
		       after_10000_refused_calls_the_error_handler_hears_of_it_once);
	tcase_add_test(tests,
		       a_cancel_goes_down_a_chain_of_awaits_of_any_length);
	tcase_add_test(tests, a_cancel_goes_down_a_tree_of_groups_of_any_depth);
	tcase_add_test(tests,
		       an_expiry_around_an_await_cancels_the_task_awaited);
	tcase_add_test(tests,
		       await_with_a_request_pending_cancels_and_still_waits);
	tcase_add_test(tests,
		       a_result_that_was_saved_from_a_cancel_reaches_who_awaits);
	suite_add_tcase(whole, tests);
	return whole;
}
