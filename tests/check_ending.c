/* SPDX-License-Identifier: MIT */
/*
 * Groups that are asked to end before they are cancelled: coil_group_cancel_after
 * and coil_group_ending.  Also what the end of a block does with a failure.
 */
#include "tests/tasks.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <pthread.h>
#include <stdlib.h>

#define MS COIL_MILLISECOND

/* Works in steps, and stops between two of them once its group is ending. */
struct worker {
	int64_t step;
	int steps;
	int err;
};

static int work(void *arg)
{
	struct worker *own = arg;

	while (!coil_group_ending() && !own->err) {
		own->err = coil_sleep(own->step);
		own->steps += !own->err;
	}
	return own->err;
}

COIL_TEST(children_see_that_they_are_asked_and_finish_what_they_are_at)
{
	struct worker own[3] = { { .step = 10 * MS }, { .step = 20 * MS }, { .step = 30 * MS } };
	struct coil_group group = {0};
	int64_t begun = coil_now();

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_group_create_task(&group, work, &own[i]), 0);
	settle();
	ck_assert(!coil_group_ending());
	coil_group_cancel_after(&group, 60 * COIL_SECOND);
	ck_assert(coil_group_ending());
	/* It asks, and no more. */
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	passed(begun, 30 * MS);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(own[i].err, 0);
		ck_assert_int_ge(own[i].steps, 1);
	}
	ck_assert(!coil_group_ending());
}

COIL_TEST(after_the_grace_the_rest_is_cancelled)
{
	struct nap quick = { .ns = 5 * MS }, slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};
	int64_t begun = coil_now();

	ck_assert_int_eq(coil_group_create_task(&group, nap, &quick), 0);
	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, 20 * MS);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	passed(begun, 20 * MS);
	ck_assert_int_eq(quick.err, 0);
	ck_assert_int_eq(slow.err, -ECANCELED);
	ck_assert_int_eq(coil_check(), 0);
}

COIL_TEST(the_body_is_in_the_group_and_is_cancelled_with_it)
{
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, ahead());
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_sleep(1000 * COIL_SECOND), -ECANCELED);
	ck_assert_int_eq(coil_sleep(MS), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(coil_sleep(MS), 0);
}

static void cancelled_at_once(int64_t grace_ns)
{
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, grace_ns);
	ck_assert_int_eq(coil_check(), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(slow.err, -ECANCELED);
}

COIL_TEST(without_a_grace_it_is_cancelled_at_once)
{
	cancelled_at_once(0);
	cancelled_at_once(-1);
	cancelled_at_once(INT64_MIN);
}

/* The first timer of a loop asks for memory. */
COIL_TEST(without_memory_it_is_cancelled_at_once)
{
	struct nap slow = { .ns = COIL_FOREVER };
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	settle();
	support_fail_allocation(1);
	coil_group_cancel_after(&group, COIL_SECOND);
	ck_assert(support_allocation_failed());
	ck_assert_int_eq(coil_check(), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(slow.err, -ECANCELED);
}

COIL_TEST(with_all_the_time_in_the_world_nobody_is_cancelled)
{
	struct nap slow = { .ns = 10 * MS };
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, COIL_FOREVER);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(slow.err, 0);
}

COIL_TEST(asked_again_the_new_grace_holds)
{
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};
	int64_t begun = coil_now();

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, 100 * COIL_SECOND);
	coil_group_cancel_after(&group, 1);
	coil_group_cancel_after(&group, ahead());
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	passed(begun, ahead());
	ck_assert_int_eq(slow.err, -ECANCELED);
}

COIL_TEST(a_cancel_within_the_grace_is_one)
{
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};
	int64_t begun = coil_now();

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, 100 * COIL_SECOND);
	coil_group_cancel(&group);
	/* No grace brings it back. */
	coil_group_cancel_after(&group, COIL_FOREVER);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(slow.err, -ECANCELED);
	ck_assert_int_lt(coil_now() - begun, 100 * COIL_SECOND);
}

static int note_run(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

COIL_TEST(an_ending_group_starts_no_more)
{
	struct nap slow = { .ns = 20 * MS };
	struct coil_group group = {0};
	struct coil_task *handle = coil_current_task();
	bool ran = false;

	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, COIL_SECOND);
	ck_assert_int_eq(coil_group_create_task(&group, note_run, &ran), -ECANCELED);
	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, note_run, &ran, &handle),
			 -ECANCELED);
	ck_assert_ptr_null(handle);
	/* That is no failure, and the others go on. */
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(slow.err, 0);
	ck_assert(!ran);
	/* Then the group is as new. */
	ck_assert_int_eq(coil_group_create_task(&group, note_run, &ran), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert(ran);
}

static void is_new(const struct coil_group *group)
{
	static const struct coil_group fresh;

	ck_assert_mem_eq(group, &fresh, sizeof(fresh));
}

/* What there is to remember is forgotten when the group is left. */
static void refuses_until_left(struct coil_group *group)
{
	ck_assert_int_eq(coil_group_create_task(group, give, NULL), -ECANCELED);
	ck_assert_int_eq(coil_group_create_task(group, give, NULL), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(group), 0);
	is_new(group);
	ck_assert_int_eq(coil_group_create_task(group, give, NULL), 0);
	ck_assert_int_eq(coil_group_wait(group), 0);
}

COIL_TEST(a_cancel_before_the_first_child_is_remembered)
{
	struct coil_group group = {0};

	coil_group_cancel(&group);
	refuses_until_left(&group);
	coil_group_cancel_after(&group, COIL_SECOND);
	refuses_until_left(&group);
	coil_group_cancel_after(&group, 0);
	refuses_until_left(&group);
	coil_group_cancel(&group);
	coil_group_leave(&group);
	is_new(&group);
}

static void *cancel_from_outside(void *arg)
{
	coil_group_cancel(arg);
	coil_group_cancel_after(arg, 0);
	coil_group_fail(arg, -EIO);
	return NULL;
}

COIL_TEST(another_thread_that_cancels_a_group_changes_nothing)
{
	struct nap own = { .ns = MS, .result = 1 };
	struct coil_group group = {0}, empty = {0};
	pthread_t thread;

	ck_assert_int_eq(coil_group_create_task(&group, nap, &own), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_from_outside, &group), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_from_outside, &empty), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	is_new(&empty);
	ck_assert(!coil_check());
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(own.err, 0);
}

COIL_TEST(a_failure_within_the_grace_is_the_groups)
{
	struct nap failing = { .ns = 5 * MS, .result = -EIO };
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};
	int64_t begun = coil_now();

	ck_assert_int_eq(coil_group_create_task(&group, nap, &failing), 0);
	ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
	coil_group_cancel_after(&group, 100 * COIL_SECOND);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	ck_assert_int_eq(slow.err, -ECANCELED);
	passed(begun, 5 * MS);
}

COIL_TEST(a_request_of_the_owners_within_the_grace_cancels_at_once)
{
	struct nap slow = { .ns = 1000 * COIL_SECOND };
	struct coil_group group = {0};
	int64_t begun = coil_now();
	int err = 1;

	COIL_TIMEOUT(10 * MS) {
		ck_assert_int_eq(coil_group_create_task(&group, nap, &slow), 0);
		coil_group_cancel_after(&group, 100 * COIL_SECOND);
		err = coil_group_wait(&group);
	}
	ck_assert_int_eq(err, -ETIMEDOUT);
	ck_assert_int_eq(slow.err, -ECANCELED);
	passed(begun, 10 * MS);
}

/* What a task sees of the end of its group, and of those further out. */
struct seen {
	struct coil_future go;
	bool before;
	bool after;
	int err;
};

static int look(void *arg)
{
	struct seen *own = arg;

	own->before = coil_group_ending();
	own->err = coil_future_wait(&own->go);
	own->after = coil_group_ending();
	return 0;
}

static int hold_group(void *arg)
{
	struct coil_group inner = {0};

	ck_assert_int_eq(coil_group_create_task(&inner, look, arg), 0);
	return coil_group_wait(&inner);
}

COIL_TEST(a_group_further_out_counts)
{
	struct seen seen = {0};
	struct coil_group outer = {0};

	ck_assert_int_eq(coil_group_create_task(&outer, hold_group, &seen), 0);
	settle();
	coil_group_cancel_after(&outer, COIL_SECOND);
	ck_assert_int_eq(coil_future_set(&seen.go, 0), 0);
	ck_assert_int_eq(coil_group_wait(&outer), 0);
	ck_assert(!seen.before);
	ck_assert(seen.after);
	ck_assert_int_eq(seen.err, 0);
}

COIL_TEST(a_group_further_in_does_not)
{
	struct seen seen = {0};
	struct nap slow = { .ns = 10 * MS };
	struct coil_group outer = {0}, inner = {0};

	ck_assert_int_eq(coil_group_create_task(&outer, look, &seen), 0);
	ck_assert_int_eq(coil_group_create_task(&inner, nap, &slow), 0);
	coil_group_cancel_after(&inner, COIL_SECOND);
	settle();
	ck_assert_int_eq(coil_future_set(&seen.go, 0), 0);
	ck_assert_int_eq(coil_group_wait(&inner), 0);
	ck_assert(!coil_group_ending());
	ck_assert_int_eq(coil_group_wait(&outer), 0);
	ck_assert(!seen.before);
	ck_assert(!seen.after);
}

COIL_TEST(a_group_that_is_cancelled_is_ending)
{
	struct seen seen = {0};
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, look, &seen), 0);
	settle();
	coil_group_cancel(&group);
	ck_assert(coil_group_ending());
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert(seen.after);
	ck_assert_int_eq(seen.err, -ECANCELED);
}

static int own_group(void *arg)
{
	struct coil_group group = {0};

	coil_group_create_task(&group, look, arg);
	return coil_group_wait(&group);
}

COIL_TEST(a_group_whose_owner_is_cancelled_is_ending)
{
	struct seen seen = {0};
	struct coil_task *task = start(own_group, &seen);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(!seen.before);
	ck_assert(seen.after);
}

/* A shield hides requests, but nobody is kept from knowing that it is late. */
static int look_shielded(void *arg)
{
	COIL_SHIELD(COIL_SECOND)
		look(arg);
	return 0;
}

COIL_TEST(a_shield_hides_the_cancel_and_not_that_the_group_ends)
{
	struct seen seen = {0};
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, look_shielded, &seen), 0);
	settle();
	coil_group_cancel_after(&group, 0);
	ck_assert_int_eq(coil_future_set(&seen.go, 0), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert(seen.after);
	ck_assert_int_eq(seen.err, 0);
}

COIL_TEST(a_group_in_a_shield_does_not_hear_of_requests_outside)
{
	struct coil_timeout timeout = {0};
	struct seen seen = {0};
	struct coil_group group = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	COIL_SHIELD(COIL_SECOND) {
		ck_assert_int_eq(coil_group_create_task(&group, look, &seen), 0);
		settle();
		ck_assert(!coil_group_ending());
		ck_assert_int_eq(coil_future_set(&seen.go, 0), 0);
		ck_assert_int_eq(coil_group_wait(&group), 0);
	}
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	ck_assert(!seen.before);
	ck_assert(!seen.after);
}

static int is_ending(void *arg)
{
	return coil_group_ending();
}

START_TEST(who_is_in_no_group_is_in_none_that_ends)
{
	ck_assert(!coil_group_ending());
	ck_assert_int_eq(coil_run(is_ending, NULL), 0);
}
END_TEST

static int leave_block(void *arg)
{
	COIL_GROUP(group) {
		coil_group_create_task(&group, work, arg);
		settle();
		coil_group_cancel_after(&group, COIL_SECOND);
	}
	return 0;
}

COIL_TEST(the_end_of_a_block_waits_within_the_grace)
{
	struct worker own = { .step = 10 * MS };

	ck_assert_int_eq(coil_await(start(leave_block, &own)), 0);
	ck_assert_int_ge(own.steps, 1);
	ck_assert_int_eq(own.err, 0);
}

static void add(struct coil_group *group, int (*fn)(void *arg), void *arg)
{
	ck_assert_int_eq(coil_group_create_task(group, fn, arg), 0);
}

static void leave_by_break(void)
{
	COIL_GROUP(group) {
		add(&group, give, INT(-EIO));
		ck_assert_int_eq(coil_sleep(MS), -ECANCELED);
		break;
	}
}

static void wait_in_the_block(void)
{
	COIL_GROUP(group) {
		add(&group, give, INT(-EIO));
		ck_assert_int_eq(coil_group_wait(&group), -EIO);
	}
}

static void await_in_the_block(void)
{
	COIL_GROUP(group) {
		struct coil_task *task;

		ck_assert_int_eq(coil_group_create_task_with(&group, NULL, give, INT(-EIO),
							     &task), 0);
		ck_assert_int_lt(coil_await(task), 0);
	}
}

COIL_TEST(a_failure_that_the_block_drops_is_reported_once)
{
	struct hold held = {0};

	coil_set_error_handler(note_error, NULL);
	COIL_GROUP(group) {
		add(&group, give, INT(-EIO));
		add(&group, give, INT(-EPIPE));
	}
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
	leave_by_break();
	ck_assert_int_eq(told.calls, 2);
	wait_in_the_block();
	await_in_the_block();
	COIL_GROUP(group) {
		add(&group, hold, &held);
		coil_group_cancel(&group);
	}
	ck_assert_int_eq(told.calls, 2);
}

Suite *suite(void)
{
	Suite *whole = suite_create("ending");
	TCase *tests = tcase_create("ending");

	tcase_add_test(tests, children_see_that_they_are_asked_and_finish_what_they_are_at);
	tcase_add_test(tests, after_the_grace_the_rest_is_cancelled);
	tcase_add_test(tests, the_body_is_in_the_group_and_is_cancelled_with_it);
	tcase_add_test(tests, without_a_grace_it_is_cancelled_at_once);
	tcase_add_test(tests, without_memory_it_is_cancelled_at_once);
	tcase_add_test(tests, with_all_the_time_in_the_world_nobody_is_cancelled);
	tcase_add_test(tests, asked_again_the_new_grace_holds);
	tcase_add_test(tests, a_cancel_within_the_grace_is_one);
	tcase_add_test(tests, an_ending_group_starts_no_more);
	tcase_add_test(tests, a_cancel_before_the_first_child_is_remembered);
	tcase_add_test(tests, another_thread_that_cancels_a_group_changes_nothing);
	tcase_add_test(tests, a_failure_within_the_grace_is_the_groups);
	tcase_add_test(tests, a_request_of_the_owners_within_the_grace_cancels_at_once);
	tcase_add_test(tests, a_group_further_out_counts);
	tcase_add_test(tests, a_group_further_in_does_not);
	tcase_add_test(tests, a_group_that_is_cancelled_is_ending);
	tcase_add_test(tests, a_group_whose_owner_is_cancelled_is_ending);
	tcase_add_test(tests, a_shield_hides_the_cancel_and_not_that_the_group_ends);
	tcase_add_test(tests, a_group_in_a_shield_does_not_hear_of_requests_outside);
	tcase_add_test(tests, who_is_in_no_group_is_in_none_that_ends);
	tcase_add_test(tests, the_end_of_a_block_waits_within_the_grace);
	tcase_add_test(tests, a_failure_that_the_block_drops_is_reported_once);
	suite_add_tcase(whole, tests);
	return whole;
}
