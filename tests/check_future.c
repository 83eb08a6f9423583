/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include <coil/timeout.h>
#include <stdlib.h>

COIL_TEST(fut_001_it_is_in_progress_until_it_is_set)
{
	struct coil_future future = {0};

	ck_assert(!coil_future_done(&future));
	ck_assert_int_eq(coil_future_result(&future), -EINPROGRESS);
	ck_assert_int_eq(coil_future_set(&future, 42), 0);
	ck_assert(coil_future_done(&future));
	ck_assert_int_eq(coil_future_result(&future), 42);
	ck_assert_int_eq(coil_future_wait(&future), 42);
	ck_assert_int_eq(coil_future_wait(&future), 42);
}

COIL_TEST(fut_002_the_first_result_stays)
{
	static const int results[] = { 7, -EIO, -ECANCELED, 0 };

	for (int i = 0; i < 4; i++) {
		struct coil_future future = {0};

		ck_assert_int_eq(coil_future_set(&future, results[i]), 0);
		ck_assert_int_eq(coil_future_set(&future, 8), -EALREADY);
		ck_assert_int_eq(coil_future_set(&future, results[i]),
				 -EALREADY);
		ck_assert_int_eq(coil_future_wait(&future), results[i]);
	}
}

struct waiter {
	struct coil_future *future;
	const char *name;
	int result;
};

static int wait_and_say(void *arg)
{
	struct waiter *own = arg;

	own->result = coil_future_wait(own->future);
	trace("%s", own->name);
	return 0;
}

COIL_TEST(fut_003_who_waits_is_woken_in_order_and_not_inside_set)
{
	struct coil_future future = {0};
	struct waiter waiters[] = {
		{ &future, "a", 0 }, { &future, "b", 0 }, { &future, "c", 0 },
	};
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start(wait_and_say, &waiters[i]);
	settle();
	ck_assert_int_eq(coil_future_set(&future, 5), 0);
	trace("set");
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("set a b c");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(waiters[i].result, 5);
}

struct meddler {
	struct coil_future *future;
	struct coil_task *other;
	int waits;
};

static int wait_again_and_cancel(void *arg)
{
	struct meddler *own = arg;

	ck_assert_int_eq(coil_future_wait(own->future), 1);
	own->waits++;
	/* The other one was woken as well, and has not run yet. */
	ck_assert(coil_cancel(own->other));
	ck_assert_int_eq(coil_future_wait(own->future), 1);
	own->waits++;
	return 0;
}

COIL_TEST(fut_005_waiters_may_meddle_with_the_others_while_they_are_woken)
{
	struct coil_future future = {0};
	struct meddler first = { .future = &future };
	struct waiter second = { &future, "b", 0 }, third = { &future, "c", 0 };
	struct coil_task *tasks[3];

	tasks[0] = start(wait_again_and_cancel, &first);
	tasks[1] = first.other = start(wait_and_say, &second);
	tasks[2] = start(wait_and_say, &third);
	settle();
	ck_assert_int_eq(coil_future_set(&future, 1), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	ck_assert_int_eq(first.waits, 2);
	ck_assert_int_eq(second.result, 1);
	ck_assert_int_eq(third.result, 1);
	traced("b c");
}

static int wait_future(void *future)
{
	return coil_future_wait(future);
}

COIL_TEST(once_it_is_set_it_may_go_before_those_who_waited_have_run)
{
	struct coil_future *future = calloc(1, sizeof(*future));
	struct coil_task *tasks[2];
	int results[2];

	ck_assert_ptr_nonnull(future);
	for (int i = 0; i < 2; i++)
		tasks[i] = start(wait_future, future);
	settle();
	ck_assert_int_eq(coil_future_set(future, 42), 0);
	memset(future, 0xaa, sizeof(*future));
	free(future);
	ck_assert_int_eq(coil_gather(tasks, 2, results), 0);
	ck_assert_int_eq(results[0], 42);
	ck_assert_int_eq(results[1], 42);
}

COIL_TEST(fut_006_a_result_that_comes_after_a_cancel_is_dropped)
{
	struct coil_future future = {0};
	struct waiter waiter = { &future, "a", 0 };
	struct coil_task *task = start(wait_and_say, &waiter);

	settle();
	ck_assert_int_eq(coil_future_set(&future, -ECANCELED), 0);
	ck_assert_int_eq(coil_future_set(&future, 9), -EALREADY);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(waiter.result, -ECANCELED);
	ck_assert_int_eq(coil_future_result(&future), -ECANCELED);
}

COIL_TEST(a_waiter_that_is_cancelled_leaves_the_others_waiting)
{
	struct coil_future future = {0};
	struct waiter a = { &future, "a", 0 }, b = { &future, "b", 0 };
	struct coil_task *first = start(wait_and_say, &a),
			 *second = start(wait_and_say, &b);

	settle();
	ck_assert(coil_cancel(first));
	ck_assert_int_eq(coil_await(first), 0);
	ck_assert_int_eq(a.result, -ECANCELED);
	ck_assert(!coil_done(second));
	ck_assert_int_eq(coil_future_set(&future, 3), 0);
	ck_assert_int_eq(coil_await(second), 0);
	ck_assert_int_eq(b.result, 3);
	ck_assert_ptr_null(future.waiters.head);
}

COIL_TEST(a_deadline_ends_the_wait_and_the_future_can_still_be_set)
{
	struct coil_future future = {0};
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_future_wait(&future), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert(!coil_future_done(&future));
	ck_assert_int_eq(coil_future_set(&future, 1), 0);
	ck_assert_int_eq(coil_future_wait(&future), 1);
}

START_TEST(it_can_be_set_and_read_without_a_loop)
{
	struct coil_future future = {0};

	ck_assert_int_eq(coil_future_set(&future, 6), 0);
	ck_assert_int_eq(coil_future_result(&future), 6);
	ck_assert_int_eq(coil_future_wait(&future), -EPERM);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("future");
	TCase *tests = tcase_create("future");

	tcase_add_test(tests, fut_001_it_is_in_progress_until_it_is_set);
	tcase_add_test(tests, fut_002_the_first_result_stays);
	tcase_add_test(tests,
		       fut_003_who_waits_is_woken_in_order_and_not_inside_set);
	tcase_add_test(tests,
		       fut_005_waiters_may_meddle_with_the_others_while_they_are_woken);
	tcase_add_test(tests, once_it_is_set_it_may_go_before_those_who_waited_have_run);
	tcase_add_test(tests,
		       fut_006_a_result_that_comes_after_a_cancel_is_dropped);
	tcase_add_test(tests,
		       a_waiter_that_is_cancelled_leaves_the_others_waiting);
	tcase_add_test(tests,
		       a_deadline_ends_the_wait_and_the_future_can_still_be_set);
	tcase_add_test(tests, it_can_be_set_and_read_without_a_loop);
	suite_add_tcase(whole, tests);
	return whole;
}
