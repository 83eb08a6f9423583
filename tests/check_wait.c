/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/timeout.h>

#define MS COIL_MILLISECOND

static void consume(struct coil_task *tasks[], size_t n)
{
	int results[16];

	ck_assert_int_eq(coil_gather(tasks, n, results), 0);
}

/*
 * wait.
 */

COIL_TEST(wait_001_all_have_ended_when_it_returns)
{
	struct nap naps[] = { { .ns = 10 * MS, .result = 1 },
			      { .ns = 15 * MS, .result = 2 } };
	struct coil_task *tasks[] = { start(nap, &naps[0]),
				      start(nap, &naps[1]) };
	int64_t began = coil_now();

	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, COIL_FOREVER),
			 2);
	passed(began, 15 * MS);
	ck_assert(coil_done(tasks[0]) && coil_done(tasks[1]));
	began = coil_now();
	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, COIL_FOREVER),
			 2);
	passed(began, 0);
	/* It consumed nothing. */
	ck_assert_int_eq(coil_await(tasks[0]), 1);
	ck_assert_int_eq(coil_await(tasks[1]), 2);
}

COIL_TEST(wait_002_a_handle_that_stands_there_twice_counts_once)
{
	struct hold c = {0}, d = {0};
	struct coil_task *task = start(hold, &c),
			 *tasks[] = { task, task, start(hold, &d) };

	ck_assert_int_eq(coil_wait(tasks, 3, COIL_ALL_COMPLETED, MS), 0);
	ck_assert_int_eq(coil_future_set(&c.future, 0), 0);
	ck_assert_int_eq(
		coil_wait(tasks, 3, COIL_FIRST_COMPLETED, COIL_FOREVER), 1);
	ck_assert_int_eq(coil_wait(tasks, 3, COIL_ALL_COMPLETED, MS), 1);
	ck_assert_int_eq(coil_future_set(&d.future, 0), 0);
	ck_assert_int_eq(coil_wait(tasks, 3, COIL_ALL_COMPLETED, COIL_FOREVER),
			 2);
	consume(tasks, 3);
}

COIL_TEST(wait_003_no_tasks_or_no_such_mode_is_einval)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held);

	ck_assert_int_eq(coil_wait(&task, 0, COIL_ALL_COMPLETED, COIL_FOREVER),
			 -EINVAL);
	ck_assert_int_eq(coil_wait(NULL, 1, COIL_ALL_COMPLETED, COIL_FOREVER),
			 -EINVAL);
	ck_assert_int_eq(coil_wait(&task, 1, (enum coil_wait) - 1,
				   COIL_FOREVER),
			 -EINVAL);
	ck_assert_int_eq(coil_wait(&task, 1, (enum coil_wait)3, COIL_FOREVER),
			 -EINVAL);
	ck_assert(!held.entered);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

COIL_TEST(the_first_to_end_is_enough)
{
	struct hold held[2] = {0};
	struct coil_task *tasks[] = { start(hold, &held[0]),
				      start(hold, &held[1]) };

	settle();
	coil_future_set(&held[1].future, -ECANCELED);
	ck_assert_int_eq(
		coil_wait(tasks, 2, COIL_FIRST_COMPLETED, COIL_FOREVER), 1);
	ck_assert(!coil_done(tasks[0]) && coil_done(tasks[1]));
	coil_future_set(&held[0].future, 0);
	consume(tasks, 2);
}

COIL_TEST(wait_006_a_failure_from_before_ends_it_at_once)
{
	struct hold held = {0};
	struct coil_task *tasks[] = { start(hold, &held),
				      start(give, INT(-EIO)) };
	int64_t began;

	settle();
	began = coil_now();
	ck_assert_int_eq(
		coil_wait(tasks, 2, COIL_FIRST_EXCEPTION, 10 * COIL_SECOND), 1);
	passed(began, 0);
	ck_assert(coil_done(tasks[1]) && !coil_done(tasks[0]));
	coil_future_set(&held.future, 0);
	consume(tasks, 2);
}

COIL_TEST(wait_007_the_first_failure_ends_it)
{
	struct nap naps[] = {
		{ .ns = 10 * COIL_SECOND }, { .ns = 5 * MS, .result = 3 },
		{ .ns = 10 * MS, .result = -EIO },
	};
	struct coil_task *tasks[3];
	int64_t began = coil_now();

	for (int i = 0; i < 3; i++)
		tasks[i] = start(nap, &naps[i]);
	ck_assert_int_eq(
		coil_wait(tasks, 3, COIL_FIRST_EXCEPTION, COIL_FOREVER), 2);
	passed(began, 10 * MS);
	ck_assert(!coil_done(tasks[0]));
	coil_cancel(tasks[0]);
	consume(tasks, 3);
}

COIL_TEST(wait_008_a_cancelled_task_is_no_failure)
{
	struct nap soon = { .ns = 5 * MS }, late = { .ns = 10 * COIL_SECOND };
	struct coil_task *tasks[] = { start(nap, &soon), start(nap, &late) };
	int64_t began = coil_now();

	settle();
	coil_cancel(tasks[1]);
	ck_assert_int_eq(
		coil_wait(tasks, 2, COIL_FIRST_EXCEPTION, COIL_FOREVER), 2);
	passed(began, 5 * MS);
	consume(tasks, 2);
}

COIL_TEST(wait_010_when_time_runs_out_it_returns_how_many_ended)
{
	struct hold held = {0};
	struct coil_task *tasks[] = { start(give, INT(1)), start(hold, &held) };
	int64_t began = coil_now();

	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, 11 * MS), 1);
	passed(began, 11 * MS);
	ck_assert(coil_done(tasks[0]) && !coil_done(tasks[1]));
	ck_assert_int_eq(coil_check(), 0);
	/* It runs on, and nobody has asked it to end. */
	settle();
	ck_assert(!held.ended);
	coil_future_set(&held.future, 0);
	settle();
	ck_assert_int_eq(held.err, 0);
	consume(tasks, 2);
}

/* Not in time if it is asked to end before it has. */
static int keep_appointment(void *arg)
{
	int err = coil_sleep_until(*(int64_t *)arg);

	return err ? err : coil_check();
}

/* By a real clock the limit is a moment later than the task's end. */
COIL_TEST(wait_011_a_task_that_ends_with_the_limit_is_among_them)
{
	int64_t when = coil_now() + 10 * MS * support_patience();
	struct coil_task *task = start(keep_appointment, &when);

	settle();
	ck_assert_int_eq(
		coil_wait(&task, 1, COIL_ALL_COMPLETED, when - coil_now()), 1);
	consume(&task, 1);
}

static int count_turns(void *arg)
{
	do {
		++*(int *)arg;
	} while (!coil_yield());
	return 0;
}

COIL_TEST(wait_012_without_any_time_it_is_one_turn)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held), *other;
	int64_t began = coil_now();
	int turns = 0;

	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, 0), 0);
	ck_assert(held.entered);
	other = start(count_turns, &turns);
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, -COIL_SECOND),
			 0);
	ck_assert_int_eq(turns, 1);
	passed(began, 0);
	coil_future_set(&held.future, 0);
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, 0), 1);
	ck_assert_int_eq(turns, 2);
	consume(&task, 1);
	coil_cancel(other);
	coil_await(other);
}

struct waiter {
	struct coil_task *tasks[2];
	size_t n;
	int result;
	size_t done;
};

static int wait_for_all(void *arg)
{
	struct waiter *own = arg;

	own->result =
		coil_wait(own->tasks, own->n, COIL_ALL_COMPLETED, COIL_FOREVER);
	return own->result;
}

COIL_TEST(wait_013_cancelled_it_leaves_them_running)
{
	struct hold held = {0};
	struct waiter own = { .tasks = { start(hold, &held) }, .n = 1 };
	struct coil_task *task = start(wait_for_all, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.result, -ECANCELED);
	ck_assert(!held.ended);
	coil_future_set(&held.future, 1);
	ck_assert_int_eq(coil_await(own.tasks[0]), 1);
}

struct looks {
	struct coil_task *tasks[2];
	int taken;
};

static int look_three_times(void *arg)
{
	struct looks *own = arg;
	struct coil_task **tasks = own->tasks;
	size_t done = 0;

	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, MS), 0);
	own->taken++;
	ck_assert_int_eq(
		coil_wait(tasks, 2, COIL_FIRST_COMPLETED, COIL_FOREVER), 1);
	ck_assert_int_eq(coil_as_completed(tasks, 2, &done), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	return 0;
}

/* rows: WAIT-014 */
COIL_TEST(wait_014_those_that_end_later_do_not_touch_who_waited)
{
	struct hold held[2] = {0};
	struct looks looks = { .tasks = { start(hold, &held[0]),
					  start(hold, &held[1]) } };
	struct coil_task **tasks = looks.tasks,
			 *task = start(look_three_times, &looks);

	while (!looks.taken)
		ck_assert_int_eq(coil_sleep(MS), 0);
	coil_future_set(&held[0].future, 0);
	settle();
	coil_future_set(&held[1].future, 0);
	settle();
	ck_assert_ptr_null(tasks[1]->watches);
	ck_assert(!coil_done(task));
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert(coil_done(tasks[0]) && coil_done(tasks[1]));
	consume(tasks, 2);
}

COIL_TEST(a_deadline_around_it_is_an_error_and_its_own_limit_is_not)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held);
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, MS), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, coil_now() + MS), 0);
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, COIL_FOREVER),
			 -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	/* Both at once: the one outside counts. */
	timeout = (struct coil_timeout){0};
	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	burn(2 * MS);
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, 1),
			 -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	coil_future_set(&held.future, 0);
	consume(&task, 1);
}

COIL_TEST(a_task_can_be_waited_for_by_many)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held), *waiters[12];
	struct waiter own = { .tasks = { task }, .n = 1 };

	for (int i = 0; i < 12; i++)
		waiters[i] = start(wait_for_all, &own);
	settle();
	coil_cancel(waiters[5]);
	settle();
	coil_future_set(&held.future, 3);
	for (int i = 0; i < 12; i++)
		ck_assert_int_eq(coil_await(waiters[i]),
				 i == 5 ? -ECANCELED : 1);
	ck_assert_int_eq(coil_await(task), 3);
}

/*
 * as_completed.
 */

COIL_TEST(ascomp_001_results_come_in_the_order_in_which_they_ended)
{
	struct hold held[3] = {0};
	struct coil_task *tasks[3], *made[3];
	size_t done = 0;

	for (int i = 0; i < 3; i++)
		made[i] = tasks[i] = start(hold, &held[i]);
	settle();
	coil_future_set(&held[2].future, 20);
	coil_future_set(&held[0].future, 10);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 0);
	ck_assert_uint_eq(done, 1);
	ck_assert_ptr_eq(tasks[0], made[2]);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 1);
	ck_assert_ptr_eq(tasks[1], made[0]);
	ck_assert_int_eq(coil_result(tasks[1]), 10);
	coil_future_set(&held[1].future, 150);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 2);
	ck_assert_ptr_eq(tasks[2], made[1]);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), -ENOENT);
	ck_assert_uint_eq(done, 3);
	consume(tasks, 3);
}

COIL_TEST(ascomp_003_after_a_deadline_each_call_says_so_at_once)
{
	struct nap naps[] = { { .ns = MS },
			      { .ns = COIL_SECOND },
			      { .ns = COIL_SECOND } };
	struct coil_task *tasks[3];
	struct coil_timeout timeout = {0};
	int64_t began = coil_now();
	size_t done = 0;

	for (int i = 0; i < 3; i++)
		tasks[i] = start(nap, &naps[i]);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 0);
	ck_assert_int_eq(coil_timeout_begin(&timeout, 4 * MS), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_as_completed(tasks, 3, &done),
				 -ETIMEDOUT);
	ck_assert_uint_eq(done, 1);
	passed(began, 5 * MS);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	for (int i = 1; i < 3; i++)
		coil_cancel(tasks[i]);
	consume(tasks, 3);
}

COIL_TEST(ascomp_007_a_handle_that_stands_there_twice_is_one_result)
{
	struct hold c = {0}, d = {0};
	struct coil_task *first = start(hold, &c), *second = start(hold, &d);
	struct coil_task *tasks[] = { first, second, first };
	size_t done = 0;

	settle();
	coil_future_set(&c.future, 1);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 0);
	ck_assert_ptr_eq(tasks[0], first);
	ck_assert_uint_eq(done, 2);
	coil_future_set(&d.future, 2);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 2);
	ck_assert_ptr_eq(tasks[2], second);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), -ENOENT);
	consume(tasks, 3);
}

COIL_TEST(ascomp_011_it_can_be_left_and_taken_up_again)
{
	struct hold held[3] = {0};
	struct coil_task *tasks[3];
	size_t done = 0;

	for (int i = 0; i < 3; i++)
		tasks[i] = start(hold, &held[i]);
	settle();
	coil_future_set(&held[1].future, 1);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 0);
	/* What is behind may be consumed on the way. */
	ck_assert_int_eq(coil_await(tasks[0]), 1);
	tasks[0] = NULL;
	coil_future_set(&held[2].future, 2);
	coil_future_set(&held[0].future, 3);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 1);
	ck_assert_int_eq(coil_await(tasks[1]), 2);
	ck_assert_int_eq(coil_as_completed(tasks, 3, &done), 2);
	ck_assert_int_eq(coil_await(tasks[2]), 3);
}

static int take_next(void *arg)
{
	struct waiter *own = arg;

	own->result = coil_as_completed(own->tasks, own->n, &own->done);
	return own->result;
}

COIL_TEST(ascomp_012_cancelled_it_loses_none)
{
	struct hold held[2] = {0};
	struct waiter own = { .n = 2 };
	struct coil_task *task;

	for (int i = 0; i < 2; i++)
		own.tasks[i] = start(hold, &held[i]);
	task = start(take_next, &own);
	settle();
	ck_assert(coil_cancel(task));
	coil_future_set(&held[1].future, 7);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_uint_eq(own.done, 0);
	ck_assert_int_eq(coil_as_completed(own.tasks, 2, &own.done), 0);
	ck_assert_int_eq(coil_result(own.tasks[0]), 7);
	ck_assert(!held[0].ended);
	coil_future_set(&held[0].future, 0);
	consume(own.tasks, 2);
}

COIL_TEST(ascomp_012_one_that_ended_before_the_cancel_is_returned)
{
	struct hold held[2] = {0};
	struct waiter own = { .n = 2 };
	struct coil_task *task;

	for (int i = 0; i < 2; i++)
		own.tasks[i] = start(hold, &held[i]);
	task = start(take_next, &own);
	settle();
	coil_future_set(&held[1].future, 7);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_uint_eq(own.done, 1);
	coil_future_set(&held[0].future, 0);
	consume(own.tasks, 2);
}

COIL_TEST(more_than_a_few_take_memory_and_give_it_back)
{
	struct hold held[40] = {0};
	struct coil_task *tasks[40];
	int results[40];
	size_t done = 0;

	for (int i = 0; i < 40; i++)
		tasks[i] = start(hold, &held[i]);
	settle();
	coil_future_set(&held[30].future, 0);
	ck_assert_int_eq(
		coil_wait(tasks, 40, COIL_FIRST_COMPLETED, COIL_FOREVER), 1);
	for (int i = 0; i < 40; i++)
		coil_future_set(&held[i].future, 0);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(coil_as_completed(tasks, 40, &done), i);
	ck_assert_int_eq(coil_gather(tasks, 40, results), 0);
}

/*
 * wait_for.
 */

COIL_TEST(a_task_in_time_is_as_awaited)
{
	struct nap own = { .ns = MS, .result = 3 };

	ck_assert_int_eq(coil_wait_for(start(nap, &own), COIL_SECOND), 3);
	ck_assert_int_eq(coil_wait_for(start(nap, &own), COIL_FOREVER), 3);
	own.result = -EIO;
	ck_assert_int_eq(coil_wait_for(start(nap, &own), COIL_SECOND), -EIO);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

/* It owns its argument, so it is entered, with the request pending. */
COIL_TEST(waitfor_004_with_no_time_a_task_is_cancelled_before_its_first_run)
{
	struct nap own = { .ns = COIL_SECOND };
	int64_t began = coil_now();

	ck_assert_int_eq(coil_wait_for(start(nap, &own), 0), -ETIMEDOUT);
	ck_assert(own.entered);
	ck_assert_int_eq(own.err, -ECANCELED);
	ck_assert_int_eq(coil_wait_for(start(nap, &own), -COIL_SECOND),
			 -ETIMEDOUT);
	passed(began, 0);
}

COIL_TEST(with_no_time_one_that_is_done_was_in_time)
{
	struct coil_task *task = start(give, INT(6));

	settle();
	ck_assert_int_eq(coil_wait_for(task, 0), 6);
}

COIL_TEST(waitfor_006_a_task_that_ends_with_the_limit_was_in_time)
{
	int64_t when = coil_now() + 10 * MS;
	struct coil_task *task = start(keep_appointment, &when);

	settle();
	ck_assert_int_eq(coil_wait_for(task, when - coil_now()), 0);
	ck_assert_int_eq(coil_check(), 0);
}

struct slow {
	bool cleaned;
	int result;
};

static int clean_up(void *arg)
{
	struct slow *own = arg;
	int err = coil_sleep(COIL_FOREVER);

	COIL_SHIELD(COIL_FOREVER)
		coil_sleep(5 * MS);
	own->cleaned = true;
	return own->result ? own->result : err;
}

COIL_TEST(waitfor_008_it_returns_only_when_the_clean_up_is_done)
{
	struct slow own = {0};

	ck_assert_int_eq(coil_wait_for(start(clean_up, &own),
				       100 * COIL_MICROSECOND),
			 -ETIMEDOUT);
	ck_assert(own.cleaned);
	own.cleaned = false;
	ck_assert_int_eq(coil_wait_for(start(clean_up, &own), 0), -ETIMEDOUT);
	ck_assert(own.cleaned);
}

struct limited {
	struct coil_task *task;
	int64_t ns;
	int result;
	int after;
};

static int wait_limited(void *arg)
{
	struct limited *own = arg;

	own->result = coil_wait_for(own->task, own->ns);
	own->after = coil_yield();
	return own->result;
}

/* It cannot leave a task that may use its frame; so it says how that ended. */
COIL_TEST(waitfor_010_cancelled_while_it_waits_for_the_end_it_waits_on)
{
	struct slow slow = { .result = 42 };
	struct limited own = { .task = start(clean_up, &slow), .ns = MS };
	struct coil_task *task = start(wait_limited, &own);

	ck_assert_int_eq(coil_sleep(2 * MS), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 42);
	ck_assert(slow.cleaned);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(waitfor_011_cancelled_it_cancels_the_task_and_waits_for_it)
{
	static const int64_t limits[] = { COIL_FOREVER, 60 * COIL_SECOND };

	for (int i = 0; i < 2; i++) {
		struct slow slow = {0};
		struct limited own = { .task = start(clean_up, &slow),
				       .ns = limits[i] };
		struct coil_task *task = start(wait_limited, &own);

		settle();
		ck_assert(coil_cancel(task));
		settle();
		ck_assert(!coil_done(task));
		ck_assert_int_eq(coil_await(task), -ECANCELED);
		ck_assert_int_eq(own.result, -ECANCELED);
		ck_assert(slow.cleaned);
	}
}

COIL_TEST(a_deadline_outside_that_comes_first_is_not_the_limit_s)
{
	struct hold held = {0};
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_wait_for(start(hold, &held), COIL_SECOND),
			 -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	timeout = (struct coil_timeout){0};
	held = (struct hold){0};
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), 0);
	ck_assert_int_eq(coil_wait_for(start(hold, &held), MS), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("wait");
	TCase *tests = tcase_create("wait");

	tcase_add_test(tests, wait_001_all_have_ended_when_it_returns);
	tcase_add_test(tests,
		       wait_002_a_handle_that_stands_there_twice_counts_once);
	tcase_add_test(tests, wait_003_no_tasks_or_no_such_mode_is_einval);
	tcase_add_test(tests, the_first_to_end_is_enough);
	tcase_add_test(tests, wait_006_a_failure_from_before_ends_it_at_once);
	tcase_add_test(tests, wait_007_the_first_failure_ends_it);
	tcase_add_test(tests, wait_008_a_cancelled_task_is_no_failure);
	tcase_add_test(tests,
		       wait_010_when_time_runs_out_it_returns_how_many_ended);
	tcase_add_test(tests,
		       wait_011_a_task_that_ends_with_the_limit_is_among_them);
	tcase_add_test(tests, wait_012_without_any_time_it_is_one_turn);
	tcase_add_test(tests, wait_013_cancelled_it_leaves_them_running);
	tcase_add_test(tests,
		       wait_014_those_that_end_later_do_not_touch_who_waited);
	tcase_add_test(tests,
		       a_deadline_around_it_is_an_error_and_its_own_limit_is_not);
	tcase_add_test(tests, a_task_can_be_waited_for_by_many);
	tcase_add_test(tests,
		       ascomp_001_results_come_in_the_order_in_which_they_ended);
	tcase_add_test(tests,
		       ascomp_003_after_a_deadline_each_call_says_so_at_once);
	tcase_add_test(tests,
		       ascomp_007_a_handle_that_stands_there_twice_is_one_result);
	tcase_add_test(tests, ascomp_011_it_can_be_left_and_taken_up_again);
	tcase_add_test(tests, ascomp_012_cancelled_it_loses_none);
	tcase_add_test(tests,
		       ascomp_012_one_that_ended_before_the_cancel_is_returned);
	tcase_add_test(tests, more_than_a_few_take_memory_and_give_it_back);
	tcase_add_test(tests, a_task_in_time_is_as_awaited);
	tcase_add_test(tests,
		       waitfor_004_with_no_time_a_task_is_cancelled_before_its_first_run);
	tcase_add_test(tests, with_no_time_one_that_is_done_was_in_time);
	tcase_add_test(tests,
		       waitfor_006_a_task_that_ends_with_the_limit_was_in_time);
	tcase_add_test(tests,
		       waitfor_008_it_returns_only_when_the_clean_up_is_done);
	tcase_add_test(tests,
		       waitfor_010_cancelled_while_it_waits_for_the_end_it_waits_on);
	tcase_add_test(tests,
		       waitfor_011_cancelled_it_cancels_the_task_and_waits_for_it);
	tcase_add_test(tests,
		       a_deadline_outside_that_comes_first_is_not_the_limit_s);
	suite_add_tcase(whole, tests);
	return whole;
}
