/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/task.h"
#include <coil/timeout.h>
#include <pthread.h>
#include <semaphore.h>

#define MS COIL_MILLISECOND

COIL_TEST(all_results_are_in_the_order_of_the_handles)
{
	struct nap naps[3] = {
		{ .ns = 3 * MS, .result = 1 },
		{ .ns = MS, .result = 2 },
		{ .ns = 2 * MS, .result = 3 },
	};
	struct coil_task *tasks[3];
	int results[3];
	int64_t began = coil_now();

	for (int i = 0; i < 3; i++)
		tasks[i] = start(nap, &naps[i]);
	ck_assert_int_eq(coil_gather(tasks, 3, results), 0);
	passed(began, 3 * MS);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(results[i], i + 1);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

COIL_TEST(without_failures_it_returns_0_whatever_they_returned)
{
	struct coil_task *tasks[] = { start(give, INT(5)),
				      start(give, INT(0)) };

	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
}

COIL_TEST(none_is_0)
{
	struct coil_task *tasks[1] = { NULL };

	ck_assert_int_eq(coil_gather(tasks, 0, NULL), 0);
	ck_assert_int_eq(coil_gather(NULL, 0, NULL), 0);
	ck_assert_int_eq(coil_gather(NULL, 1, NULL), -EINVAL);
}

/*
 * The first failure cancels the others, and they are waited for: what they were
 * given may lie on the caller's stack.  (asyncio returns at once and lets them
 * run on.)
 */
COIL_TEST(gather_002_the_first_failure_cancels_the_others_and_waits_for_them)
{
	struct hold held[4] = {0};
	struct nap failing = { .ns = MS, .result = -EIO };
	struct coil_task *tasks[5];

	tasks[0] = start(hold, &held[0]);
	tasks[1] = start(nap, &failing);
	for (int i = 2; i < 5; i++)
		tasks[i] = start(hold, &held[i - 1]);
	ck_assert_int_eq(coil_gather(tasks, 5, NULL), -EIO);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(held[i].err, -ECANCELED);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
	ck_assert_int_eq(coil_check(), 0);
}

COIL_TEST(a_failure_from_before_the_call_cancels_the_others_as_well)
{
	struct hold held = {0};
	struct coil_task *tasks[] = { start(hold, &held),
				      start(give, INT(-EIO)), NULL };

	settle();
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -EIO);
	ck_assert_int_eq(held.err, -ECANCELED);
	held = (struct hold){0};
	tasks[0] = NULL;
	tasks[1] = start(hold, &held);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -ENOMEM);
	ck_assert_int_eq(held.err, -ECANCELED);
}

COIL_TEST(a_task_that_was_cancelled_by_another_is_a_failure_too)
{
	struct hold a = {0}, b = {0};
	struct coil_task *tasks[] = { start(hold, &a), start(hold, &b) };

	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -ECANCELED);
	ck_assert_int_eq(b.err, -ECANCELED);
	ck_assert_int_eq(coil_check(), 0);
}

COIL_TEST(gather_005_with_results_every_end_has_its_slot)
{
	struct nap naps[3] = {
		{ .ns = 2 * MS, .result = 1 },
		{ .ns = MS, .result = -EIO },
		{ .ns = 3 * MS, .result = 3 },
	};
	struct hold cancelled[2] = {0};
	struct coil_task *tasks[] = {
		start(nap, &naps[0]),	    start(nap, &naps[1]),
		start(hold, &cancelled[0]), start(nap, &naps[2]),
		start(hold, &cancelled[1]), start(give, INT(-EPIPE)),
	};
	int results[6];

	settle();
	ck_assert(coil_cancel(tasks[2]));
	ck_assert(coil_cancel(tasks[4]));
	ck_assert_int_eq(coil_gather(tasks, 6, results), 0);
	ck_assert_int_eq(results[0], 1);
	ck_assert_int_eq(results[1], -EIO);
	ck_assert_int_eq(results[2], -ECANCELED);
	ck_assert_int_eq(results[3], 3);
	ck_assert_int_eq(results[4], -ECANCELED);
	ck_assert_int_eq(results[5], -EPIPE);
}

static int runs;

static int run_once(void *arg)
{
	int err = coil_yield();

	runs++;
	return err ? err : (int)(intptr_t)arg;
}

COIL_TEST(gather_007_a_handle_that_stands_there_twice_is_one_task)
{
	struct coil_task *x = start(run_once, INT(70)),
			 *y = start(run_once, INT(80));
	struct coil_task *tasks[] = { x, x, y, x };
	int results[4];

	ck_assert_int_eq(coil_gather(tasks, 4, results), 0);
	ck_assert_int_eq(runs, 2);
	ck_assert_int_eq(results[0], 70);
	ck_assert_int_eq(results[1], 70);
	ck_assert_int_eq(results[2], 80);
	ck_assert_int_eq(results[3], 70);
	/* The same when they had ended before. */
	tasks[0] = tasks[1] = tasks[3] = start(run_once, INT(71));
	tasks[2] = start(run_once, INT(81));
	settle();
	ck_assert_int_eq(coil_gather(tasks, 4, results), 0);
	ck_assert_int_eq(results[3], 71);
	ck_assert_int_eq(results[2], 81);
}

struct abroad {
	sem_t there;
	sem_t go_on;
	struct coil_task *task;
};

static int main_abroad(void *arg)
{
	struct abroad *abroad = arg;

	abroad->task = start(give, INT(9));
	sem_post(&abroad->there);
	sem_wait(&abroad->go_on);
	return coil_await(abroad->task);
}

static void *run_abroad(void *arg)
{
	return INT(coil_run(main_abroad, arg));
}

COIL_TEST(gather_008_handles_of_two_loops_are_refused_before_anything_is_done)
{
	struct abroad abroad = {0};
	struct coil_task *tasks[] = { start(give, INT(6)), NULL };
	int results[2] = { 1, 1 };
	pthread_t thread;
	void *result;

	sem_init(&abroad.there, 0, 0);
	sem_init(&abroad.go_on, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_abroad, &abroad), 0);
	sem_wait(&abroad.there);
	tasks[1] = abroad.task;
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -EXDEV);
	ck_assert_int_eq(coil_gather(tasks, 2, results), -EXDEV);
	ck_assert_int_eq(results[0], 1);
	sem_post(&abroad.go_on);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, INT(9));
	/* The other one is still ours to await. */
	ck_assert_int_eq(coil_await(tasks[0]), 6);
}

/* Those before the bad one were looked at already: one twice, one that had failed. */
COIL_TEST(a_gather_that_is_refused_leaves_every_handle_as_it_was)
{
	struct coil_task *failed = start(give, INT(-EIO)), *x, *y;
	struct coil_task *tasks[6];
	int results[6] = { 1, 1, 1, 1, 1, 1 };

	settle();
	x = start(run_once, INT(70));
	y = start(run_once, INT(80));
	memcpy(tasks, (struct coil_task *[]){ x, failed, x, NULL, y, coil_current_task() },
	       sizeof(tasks));
	ck_assert_int_eq(coil_gather(tasks, 6, NULL), -EDEADLK);
	ck_assert_int_eq(coil_gather(tasks, 6, results), -EDEADLK);
	ck_assert_int_eq(results[0], 1);
	ck_assert_uint_eq(x->refs, y->refs);
	ck_assert_int_eq(coil_await(x), 70);
	ck_assert_int_eq(coil_await(failed), -EIO);
	ck_assert_int_eq(coil_await(y), 80);
}

struct gatherer {
	struct coil_task *tasks[2];
	int results[2];
	bool collect;
	int gathered;
	int after;
	bool hurry;		/* cancels itself before it gathers */
};

static int gather(void *arg)
{
	struct gatherer *own = arg;

	if (own->hurry)
		coil_cancel(coil_current_task());
	own->gathered =
		coil_gather(own->tasks, 2, own->collect ? own->results : NULL);
	own->after = coil_yield();
	return own->gathered;
}

COIL_TEST(gather_009_cancelled_it_cancels_them_all)
{
	struct hold a = {0}, b = {0};
	struct gatherer own = { .tasks = { start(hold, &a), start(hold, &b) } };
	struct coil_task *task = start(gather, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(a.err, -ECANCELED);
	ck_assert_int_eq(b.err, -ECANCELED);
	ck_assert_int_eq(own.gathered, -ECANCELED);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(gather_010_cancelled_it_says_so_also_where_results_are_wanted)
{
	struct hold a = {0};
	struct gatherer own = {
		.tasks = { start(hold, &a), start(give, INT(4)) },
		.collect = true,
	};
	struct coil_task *task = start(gather, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.gathered, -ECANCELED);
	ck_assert_int_eq(own.results[0], -ECANCELED);
	ck_assert_int_eq(own.results[1], 4);
}

COIL_TEST(gather_011_what_all_had_finished_is_not_taken_back_by_a_cancel)
{
	struct hold a = {0};
	struct gatherer own = {
		.tasks = { start(hold, &a), start(give, INT(4)) },
		.collect = true,
	};
	struct coil_task *task = start(gather, &own);

	settle();
	ck_assert_int_eq(coil_future_set(&a.future, 42), 0);
	/* The child runs and ends; its gatherer is ready, and has not run yet. */
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert(coil_done(own.tasks[0]) && !coil_done(task));
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.results[0], 42);
	ck_assert_int_eq(own.results[1], 4);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(results_that_are_there_beat_a_request_from_before_the_call)
{
	struct gatherer own = {
		.tasks = { start(give, INT(1)), start(give, INT(2)) },
		.hurry = true,
	};

	settle();
	ck_assert_int_eq(coil_await(start(gather, &own)), 0);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(a_request_from_before_the_call_cancels_those_that_run)
{
	struct hold a = {0};
	struct gatherer own = {
		.tasks = { start(hold, &a), start(give, INT(2)) },
		.hurry = true,
	};

	ck_assert_int_eq(coil_await(start(gather, &own)), -ECANCELED);
	ck_assert_int_eq(a.err, -ECANCELED);
}

COIL_TEST(children_that_succeed_although_cancelled_are_a_success)
{
	struct gatherer own = { .tasks = { start(run_once, INT(3)), NULL } };
	struct coil_task *task;

	own.tasks[1] = own.tasks[0];
	task = start(gather, &own);
	ck_assert_int_eq(coil_yield(), 0);
	/* run_once is ready again: its yield has completed. */
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.after, -ECANCELED);
}

struct slow {
	bool cleaned;
	int64_t ns;
};

static int clean_up(void *arg)
{
	struct slow *own = arg;
	int err = coil_sleep(COIL_FOREVER);

	COIL_SHIELD(COIL_FOREVER)
		coil_sleep(own->ns);
	own->cleaned = true;
	return err;
}

COIL_TEST(gather_012_it_returns_only_when_their_clean_up_is_done)
{
	struct slow slow = { .ns = 20 * MS };
	struct gatherer own = { .tasks = { start(clean_up, &slow),
					   start(give, INT(1)) } };
	struct coil_task *task = start(gather, &own);
	int64_t began;

	settle();
	began = coil_now();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(slow.cleaned);
	passed(began, 20 * MS);
}

COIL_TEST(gather_013_a_second_failure_is_not_reported)
{
	struct coil_task *tasks[] = { start(give, INT(-EIO)),
				      start(give, INT(-EPIPE)) };

	coil_set_error_handler(note_error, NULL);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -EIO);
	settle();
	ck_assert_int_eq(told.calls, 0);
}

COIL_TEST(a_deadline_around_it_cancels_them_and_is_what_it_returns)
{
	struct hold a = {0}, b = {0};
	struct coil_timeout timeout = {0};
	struct coil_task *tasks[] = { start(hold, &a), start(hold, &b) };

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -ETIMEDOUT);
	ck_assert_int_eq(a.err, -ECANCELED);
	ck_assert_int_eq(b.err, -ECANCELED);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(a_thousand_can_be_gathered)
{
	enum { MANY = 1000 };
	struct coil_task *tasks[MANY];
	int results[MANY];

	for (int i = 0; i < MANY; i++)
		tasks[i] = start(run_once, INT(i));
	ck_assert_int_eq(coil_gather(tasks, MANY, results), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(results[i], i);
}

Suite *suite(void)
{
	Suite *whole = suite_create("gather");
	TCase *tests = tcase_create("gather");

	tcase_add_test(tests, all_results_are_in_the_order_of_the_handles);
	tcase_add_test(tests,
		       without_failures_it_returns_0_whatever_they_returned);
	tcase_add_test(tests, none_is_0);
	tcase_add_test(tests,
		       gather_002_the_first_failure_cancels_the_others_and_waits_for_them);
	tcase_add_test(tests,
		       a_failure_from_before_the_call_cancels_the_others_as_well);
	tcase_add_test(tests,
		       a_task_that_was_cancelled_by_another_is_a_failure_too);
	tcase_add_test(tests, gather_005_with_results_every_end_has_its_slot);
	tcase_add_test(tests,
		       gather_007_a_handle_that_stands_there_twice_is_one_task);
	tcase_add_test(tests,
		       gather_008_handles_of_two_loops_are_refused_before_anything_is_done);
	tcase_add_test(tests, a_gather_that_is_refused_leaves_every_handle_as_it_was);
	tcase_add_test(tests, gather_009_cancelled_it_cancels_them_all);
	tcase_add_test(tests,
		       gather_010_cancelled_it_says_so_also_where_results_are_wanted);
	tcase_add_test(tests,
		       gather_011_what_all_had_finished_is_not_taken_back_by_a_cancel);
	tcase_add_test(tests,
		       results_that_are_there_beat_a_request_from_before_the_call);
	tcase_add_test(tests,
		       a_request_from_before_the_call_cancels_those_that_run);
	tcase_add_test(tests,
		       children_that_succeed_although_cancelled_are_a_success);
	tcase_add_test(tests,
		       gather_012_it_returns_only_when_their_clean_up_is_done);
	tcase_add_test(tests, gather_013_a_second_failure_is_not_reported);
	tcase_add_test(tests,
		       a_deadline_around_it_cancels_them_and_is_what_it_returns);
	tcase_add_test(tests, a_thousand_can_be_gathered);
	suite_add_tcase(whole, tests);
	return whole;
}
