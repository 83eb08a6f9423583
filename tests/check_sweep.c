/* SPDX-License-Identifier: MIT */
/*
 * What waits inside the process, cancelled at every point: see sweep.h.
 */
#include "tests/sweep.h"
#include <coil.h>

#define MS COIL_MILLISECOND

/* What the scenarios work on, zeroed by begin(). */
static struct {
	struct coil_waitq waitq;
	struct coil_future future[3];
	struct hold holds[3];
	int given;		/* by help() */
	int got;		/* by the task */
} own;

static void begin(void)
{
	memset(&own, 0, sizeof(own));
}

/*
 * Time and queues of waiters.
 */

static int run_sleep(void *arg)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = coil_sleep(MS);
	if (!err)
		err = coil_yield();
	if (!err)
		err = coil_sleep_until(coil_now() + MS);
	return err;
}

static void help_sleep(void)
{
	if (support_simulated())
		sim_advance(MS);
}

COIL_TEST(a_sleep)
{
	static const struct sweep it = { begin, run_sleep, help_sleep,
					 ok_or_cancelled };

	sweep(&it);
}

static int run_waitq(void *arg)
{
	int err;

	for (int i = 0; i < 3; i++) {
		err = coil_waitq_park_with(&own.waitq, &own.got);
		if (err)
			return err;
		own.got++;
	}
	return 0;
}

static void help_waitq(void)
{
	void *data = NULL;

	if (coil_waitq_unpark_with(&own.waitq, &data)) {
		ck_assert_ptr_eq(data, &own.got);
		own.given++;
	}
}

static void end_waitq(int result)
{
	ok_or_cancelled(result);
	ck_assert_int_eq(own.got, own.given);
	ck_assert_ptr_null(own.waitq.head);
	ck_assert_ptr_null(own.waitq.tail);
}

COIL_TEST(a_wait_queue)
{
	static const struct sweep it = { begin, run_waitq, help_waitq,
					 end_waitq };

	sweep(&it);
}

/* More queues than fit on its stack. */
enum { QUEUES = 12 };

static struct coil_waitq queues[QUEUES];

static int run_any(void *arg)
{
	struct coil_waitq *waitqs[QUEUES];
	void *data[QUEUES];
	int at;

	for (int i = 0; i < QUEUES; i++) {
		waitqs[i] = &queues[i];
		data[i] = &queues[i];
	}
	for (size_t n = 2; n <= QUEUES; n += 5) {
		at = coil_waitq_park_any(waitqs, data, n, "test");
		if (at < 0)
			return at;
		ck_assert_int_eq(at, own.got % 2);
		own.got++;
	}
	return 0;
}

static void help_any(void)
{
	struct coil_waitq *waitq = &queues[own.given % 2];
	void *data = NULL;

	if (coil_waitq_unpark_with(waitq, &data)) {
		ck_assert_ptr_eq(data, waitq);
		own.given++;
	}
}

static void end_any(int result)
{
	ok_or_cancelled(result);
	ck_assert_int_eq(own.got, own.given);
	for (int i = 0; i < QUEUES; i++)
		ck_assert(!queues[i].head && !queues[i].tail);
}

COIL_TEST(many_wait_queues_at_once)
{
	static const struct sweep it = { begin, run_any, help_any, end_any };

	sweep(&it);
}

static int run_future(void *arg)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = coil_future_wait(&own.future[i]);
	return err;
}

static void help_future(void)
{
	if (own.given < 3)
		coil_future_set(&own.future[own.given++], 0);
}

COIL_TEST(a_future)
{
	static const struct sweep it = { begin, run_future, help_future,
					 ok_or_cancelled };

	sweep(&it);
}

static int run_deadline(void *arg)
{
	struct coil_timeout outer = {0}, inner = {0};
	int err, end;

	coil_timeout_begin(&outer, COIL_SECOND);
	coil_timeout_begin(&inner, MS);
	err = coil_waitq_park(&own.waitq);
	end = coil_timeout_end(&inner);
	ck_assert(err == -ECANCELED ? !end : end == err);
	if (err == -ETIMEDOUT)
		err = coil_waitq_park(&own.waitq);
	ck_assert_int_eq(coil_timeout_end(&outer), 0);
	return err;
}

static void help_deadline(void)
{
	if (!own.given++)
		burn(MS);
	else
		coil_waitq_unpark(&own.waitq);
}

COIL_TEST(a_deadline)
{
	static const struct sweep it = { begin, run_deadline, help_deadline,
					 ok_or_cancelled };

	sweep(&it);
}

/*
 * Tasks.  Whoever gave a child a piece of its stack must not return before it.
 */

static struct coil_task *start_hold(int i)
{
	return start(hold, &own.holds[i]);
}

static void help_holds(void)
{
	if (own.given < 3)
		coil_future_set(&own.holds[own.given++].future, 0);
}

static void all_ended(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert(!own.holds[i].entered || own.holds[i].ended);
}

static int run_await(void *arg)
{
	int err = coil_await(start_hold(0)), result;

	all_ended(1);
	if (err)
		return err;
	ck_assert_int_eq(coil_join(start_hold(1), &result), 0);
	all_ended(2);
	err = coil_wait_for(start_hold(2), COIL_SECOND);
	all_ended(3);
	return err ? err : result;
}

COIL_TEST(await_join_and_wait_for)
{
	static const struct sweep it = { begin, run_await, help_holds,
					 ok_or_cancelled };

	sweep(&it);
}

static int run_gather(void *arg)
{
	struct coil_task *tasks[] = { start_hold(0), start_hold(1),
				      start_hold(2) };
	int err = coil_gather(tasks, 3, NULL);

	all_ended(3);
	return err;
}

COIL_TEST(gather)
{
	static const struct sweep it = { begin, run_gather, help_holds,
					 ok_or_cancelled };

	sweep(&it);
}

static int run_gather_results(void *arg)
{
	struct coil_task *tasks[] = { start_hold(0), start_hold(1),
				      start_hold(2) };
	int results[3] = { 1, 1, 1 }, err = coil_gather(tasks, 3, results);

	all_ended(3);
	for (int i = 0; i < 3; i++)
		ok_or_cancelled(results[i]);
	return err;
}

COIL_TEST(gather_with_results)
{
	static const struct sweep it = { begin, run_gather_results, help_holds,
					 ok_or_cancelled };

	sweep(&it);
}

static int run_group(void *arg)
{
	struct coil_group group = {0};
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = coil_group_create_task(&group, hold, &own.holds[i]);
	if (!err)
		err = coil_future_wait(&own.holds[1].future);
	err = coil_group_wait(&group);
	all_ended(3);
	return err;
}

COIL_TEST(a_group)
{
	static const struct sweep it = { begin, run_group, help_holds,
					 ok_or_cancelled };

	sweep(&it);
}

/* Asked to end, then cancelled by its own grace if nobody else was quicker. */
static int run_ending(void *arg)
{
	struct coil_group group = {0};
	int err = coil_group_create_task(&group, hold, &own.holds[0]);

	if (!err)
		err = coil_group_create_task(&group, hold, &own.holds[1]);
	if (!err) {
		coil_group_cancel_after(&group, MS);
		ck_assert_int_eq(coil_group_create_task(&group, hold, &own.holds[2]),
				 -ECANCELED);
	}
	err = coil_group_wait(&group);
	all_ended(3);
	ck_assert(!own.holds[2].entered);
	return err;
}

static void help_ending(void)
{
	if (own.given++)
		burn(MS);
	else
		coil_future_set(&own.holds[0].future, 0);
}

COIL_TEST(a_group_that_was_asked_to_end)
{
	static const struct sweep it = { begin, run_ending, help_ending, ok_or_cancelled };

	sweep(&it);
}

static int run_shield(void *arg)
{
	return coil_shield(start_hold(0));
}

/* It runs on by itself, and hears nothing. */
static void end_shield(int result)
{
	ok_or_cancelled(result);
	help_holds();
	sweep_rest();
	ck_assert(own.holds[0].ended);
	ck_assert_int_eq(own.holds[0].err, 0);
}

COIL_TEST(a_shielded_task)
{
	static const struct sweep it = { begin, run_shield, help_holds,
					 end_shield };

	sweep(&it);
}

static int run_wait(void *arg)
{
	struct coil_task *tasks[3];
	size_t done = 0;
	int err = 0;

	for (int i = 0; i < 3; i++)
		tasks[i] = start_hold(i);
	for (int n = 1; n <= 2 && err >= 0; n++)
		err = coil_as_completed(tasks, 3, &done);
	if (err >= 0)
		err = coil_wait(tasks, 3, COIL_ALL_COMPLETED, COIL_SECOND);
	if (err == 3)
		err = 0;
	/* They were only looked at. */
	for (int i = 0; i < 3; i++)
		coil_detach(tasks[i]);
	return err;
}

static void end_wait(int result)
{
	ok_or_cancelled(result);
	for (int i = 0; i < 3; i++)
		help_holds();
	sweep_rest();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(own.holds[i].err, 0);
	all_ended(3);
}

COIL_TEST(wait_and_as_completed)
{
	static const struct sweep it = { begin, run_wait, help_holds,
					 end_wait };

	sweep(&it);
}

static int run_in_shield(void *arg)
{
	int err = coil_future_wait(&own.future[0]), inside = 0;

	/* This is clean-up: it comes to its end whatever happens. */
	COIL_SHIELD(COIL_FOREVER)
		inside = coil_future_wait(&own.future[1]);
	ck_assert_int_eq(inside, 0);
	own.got++;
	return err ? err : coil_future_wait(&own.future[2]);
}

static void end_in_shield(int result)
{
	ok_or_cancelled(result);
	ck_assert_int_eq(own.got, 1);
}

COIL_TEST(clean_up_in_a_shield)
{
	static const struct sweep it = { begin, run_in_shield, help_future,
					 end_in_shield };

	sweep(&it);
}

Suite *suite(void)
{
	Suite *whole = suite_create("sweep");
	TCase *tests = tcase_create("sweep");

	tcase_add_test(tests, a_sleep);
	tcase_add_test(tests, a_wait_queue);
	tcase_add_test(tests, many_wait_queues_at_once);
	tcase_add_test(tests, a_future);
	tcase_add_test(tests, a_deadline);
	tcase_add_test(tests, await_join_and_wait_for);
	tcase_add_test(tests, gather);
	tcase_add_test(tests, gather_with_results);
	tcase_add_test(tests, a_group);
	tcase_add_test(tests, a_group_that_was_asked_to_end);
	tcase_add_test(tests, a_shielded_task);
	tcase_add_test(tests, wait_and_as_completed);
	tcase_add_test(tests, clean_up_in_a_shield);
	suite_add_tcase(whole, tests);
	return whole;
}
