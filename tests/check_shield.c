/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <coil/timeout.h>

#define MS COIL_MILLISECOND

/*
 * Of a task.
 */

static int shield(void *arg)
{
	return coil_shield(arg);
}

COIL_TEST(shield_001_it_returns_what_the_task_returned)
{
	struct nap good = { .ns = MS, .result = 42 },
		   bad = { .ns = MS, .result = -EIO };

	ck_assert_int_eq(coil_shield(start(nap, &good)), 42);
	ck_assert_int_eq(coil_shield(start(nap, &bad)), -EIO);
}

COIL_TEST(shield_002_a_task_that_was_cancelled_itself_is_ecanceled)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held),
			 *waiter = start(shield, task);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(waiter), -ECANCELED);
	ck_assert_int_eq(coil_yield(), 0);
}

struct proof {
	struct hold held;
	int proof;
};

static int prove(void *arg)
{
	struct proof *own = arg;

	own->proof +=
		coil_future_wait(&own->held.future) == -ECANCELED ? 100 : 1;
	return 0;
}

COIL_TEST(shield_003_cancelled_it_returns_at_once_and_the_task_runs_on)
{
	struct proof own = {0};
	struct coil_task *task = start(prove, &own),
			 *waiter = start(shield, task);

	settle();
	ck_assert(coil_cancel(waiter));
	ck_assert_int_eq(coil_await(waiter), -ECANCELED);
	ck_assert_int_eq(own.proof, 0);
	ck_assert_ptr_null(task->consumer);
	ck_assert_int_eq(coil_future_set(&own.held.future, 0), 0);
	settle();
	ck_assert_int_eq(own.proof, 1);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

static int shield_with_pending(void *arg)
{
	coil_cancel(coil_current_task());
	return coil_shield(arg);
}

COIL_TEST(with_a_request_pending_it_lets_go_of_a_task_that_runs)
{
	struct proof own = {0};
	struct coil_task *task = start(prove, &own);

	settle();
	ck_assert_int_eq(coil_await(start(shield_with_pending, task)),
			 -ECANCELED);
	ck_assert_int_eq(coil_future_set(&own.held.future, 0), 0);
	settle();
	ck_assert_int_eq(own.proof, 1);
	/* The result of one that has ended is not lost. */
	task = start(give, INT(5));
	settle();
	ck_assert_int_eq(coil_await(start(shield_with_pending, task)), 5);
}

static struct coil_task *other;

static int note_other(void *arg)
{
	other = coil_current_task();
	return 0;
}

COIL_TEST(shield_004_of_a_task_that_is_done_it_does_not_switch)
{
	struct coil_task *task = start(give, INT(8)), *ready;

	settle();
	ready = start(note_other, NULL);
	ck_assert_int_eq(coil_shield(task), 8);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(coil_await(ready), 0);
}

static int gather_both(void *arg)
{
	return coil_gather(arg, 2, NULL);
}

COIL_TEST(shield_006_shields_inside_a_gather_let_their_tasks_run_on)
{
	struct proof a = {0}, b = {0};
	struct coil_task *shields[] = {
		start(shield, start(prove, &a)),
		start(shield, start(prove, &b)),
	};
	struct coil_task *task = start(gather_both, shields);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(coil_future_set(&a.held.future, 0), 0);
	ck_assert_int_eq(coil_future_set(&b.held.future, 0), 0);
	settle();
	ck_assert_int_eq(a.proof, 1);
	ck_assert_int_eq(b.proof, 1);
}

COIL_TEST(shield_007_a_task_that_fails_after_its_waiter_left_is_reported_once)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held),
			 *waiter = start(shield, task);

	coil_set_error_handler(note_error, NULL);
	settle();
	ck_assert(coil_cancel(waiter));
	ck_assert_int_eq(coil_await(waiter), -ECANCELED);
	ck_assert_int_eq(told.calls, 0);
	ck_assert_int_eq(coil_future_set(&held.future, -EIO), 0);
	settle();
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
}

COIL_TEST(a_task_that_fails_just_as_its_waiter_leaves_is_reported_once)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held),
			 *waiter = start(shield, task);

	coil_set_error_handler(note_error, NULL);
	settle();
	/* The task is first in the run queue, the waiter behind it. */
	ck_assert_int_eq(coil_future_set(&held.future, -EIO), 0);
	ck_assert(coil_cancel(waiter));
	ck_assert_int_eq(coil_await(waiter), -ECANCELED);
	settle();
	ck_assert_int_eq(told.calls, 1);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

COIL_TEST(a_deadline_around_it_ends_the_wait_and_spares_the_task)
{
	struct proof own = {0};
	struct coil_task *task = start(prove, &own);
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_shield(task), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(coil_future_set(&own.held.future, 0), 0);
	settle();
	ck_assert_int_eq(own.proof, 1);
}

/* Of two -ECANCELED, the task's is the one that gives way. */
COIL_TEST(a_task_that_was_cancelled_gives_way_to_the_caller_s_own_reason)
{
	struct hold held = {0};
	struct coil_timeout timeout = {0};
	struct coil_task *task = start(hold, &held),
			 *second = start(hold, &held);

	settle();
	coil_cancel(task);
	coil_cancel(second);
	settle();
	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	ck_assert_int_eq(coil_await(task), -ETIMEDOUT);
	ck_assert_int_eq(coil_shield(second), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

/*
 * Of a stretch of the task's own life.
 */

struct limited {
	int64_t limit;
	int inside;
	int end;
	bool expired;
	int after;
};

static int sleep_in_shield(void *arg)
{
	struct limited *own = arg;
	struct coil_timeout limit = {0};

	if (!coil_sleep(COIL_FOREVER))
		return -EPROTO;
	coil_shield_begin(&limit, own->limit);
	own->inside = coil_sleep(10 * COIL_SECOND);
	own->end = coil_timeout_end(&limit);
	own->expired = coil_timeout_expired(&limit);
	own->after = coil_yield();
	return own->after;
}

COIL_TEST(shield_008_a_limit_of_its_own_ends_what_is_inside)
{
	struct limited own = { .limit = 20 * MS };
	struct coil_task *task = start(sleep_in_shield, &own);
	int64_t began;

	settle();
	began = coil_now();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	passed(began, 20 * MS);
	ck_assert_int_eq(own.inside, -ETIMEDOUT);
	ck_assert_int_eq(own.end, -ETIMEDOUT);
	ck_assert(own.expired);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(a_limit_of_zero_lets_nothing_park)
{
	struct limited own = { .limit = 0 };
	struct coil_task *task = start(sleep_in_shield, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.inside, -ETIMEDOUT);
}

struct finish {
	int64_t limit;		/* of the shield */
	int64_t work;
	int64_t after;		/* more work, once the first is done */
	int worked;
	int then;
	int end;
	int64_t when[2];	/* the shield's deadline, before and after the work */
};

static int finish(void *arg)
{
	struct finish *own = arg;
	struct coil_timeout shield = {0};

	ck_assert_int_eq(coil_shield_begin(&shield, own->limit), 0);
	own->when[0] = coil_timeout_when(&shield);
	own->worked = coil_sleep(own->work);
	own->when[1] = coil_timeout_when(&shield);
	own->then = coil_sleep(own->after);
	own->end = coil_timeout_end(&shield);
	return coil_yield();
}

COIL_TEST(the_limit_of_a_shield_begins_when_the_cancel_arrives)
{
	struct finish own = { .limit = 20 * MS, .work = 50 * MS, .after = COIL_FOREVER };
	struct coil_task *task = start(finish, &own);
	int64_t began;

	ck_assert_int_eq(coil_sleep(45 * MS), 0);
	began = coil_now();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	passed(began, 20 * MS);
	ck_assert_int_eq(own.worked, 0);
	ck_assert_int_eq(own.then, -ETIMEDOUT);
	ck_assert_int_eq(own.end, -ETIMEDOUT);
	ck_assert_int_eq(own.when[0], COIL_FOREVER);
	ck_assert_int_ge(own.when[1], began + 20 * MS);
	ck_assert_int_lt(own.when[1], COIL_FOREVER);
}

COIL_TEST(a_shield_without_a_cancel_has_no_limit)
{
	struct finish own = { .limit = 20 * MS, .work = 50 * MS, .after = 50 * MS },
		      none = { .limit = 0, .work = 5 * MS, .after = 5 * MS };

	ck_assert_int_eq(coil_await(start(finish, &own)), 0);
	ck_assert_int_eq(coil_await(start(finish, &none)), 0);
	ck_assert_int_eq(own.worked + own.then + own.end, 0);
	ck_assert_int_eq(none.worked + none.then + none.end, 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

COIL_TEST(an_expiry_outside_begins_the_limit_too)
{
	struct coil_timeout outside = {0}, shield = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&outside, 30 * MS), 0);
	ck_assert_int_eq(coil_shield_begin(&shield, 20 * MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	passed(began, 50 * MS);
	ck_assert_int_eq(coil_timeout_end(&shield), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outside), 0);
}

/* To the inner one the end of the outer one's limit comes from outside. */
COIL_TEST(the_limit_of_an_inner_shield_begins_when_the_outer_one_s_ends)
{
	struct coil_timeout outside = {0}, outer = {0}, inner = {0}, none = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&outside, 10 * MS), 0);
	ck_assert_int_eq(coil_shield_begin(&outer, 10 * MS), 0);
	ck_assert_int_eq(coil_shield_begin(&inner, 10 * MS), 0);
	ck_assert_int_eq(coil_shield_begin(&none, 0), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	passed(began, 30 * MS);
	ck_assert_int_eq(coil_timeout_end(&none), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&inner), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outside), 0);
}

COIL_TEST(a_shield_may_be_given_a_fixed_deadline)
{
	struct coil_timeout shield = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_shield_begin(&shield, COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&shield, began + 10 * MS), 0);
	ck_assert_int_eq(coil_timeout_when(&shield), began + 10 * MS);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	passed(began, 10 * MS);
	ck_assert_int_eq(coil_timeout_end(&shield), -ETIMEDOUT);
}

COIL_TEST(without_memory_for_its_limit_that_has_passed)
{
	struct coil_timeout fill[65] = {0};
	struct finish own = { .limit = COIL_SECOND, .work = 10 * COIL_SECOND };
	struct coil_task *task = start(finish, &own);
	int n = 0;

	settle();
	/* Until the next timer takes memory, as far as the heap has room. */
	while (coil__loop->timers.count < 64)
		ck_assert_int_eq(coil_timeout_begin(&fill[n++], COIL_SECOND), 0);
	support_fail_allocation(1);
	ck_assert(coil_cancel(task));
	ck_assert(support_allocation_failed());
	support_fail_allocation(0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.worked, -ETIMEDOUT);
	while (n)
		ck_assert_int_eq(coil_timeout_end(&fill[--n]), 0);
}

static int lead(void *arg)
{
	struct nap *naps = arg;
	struct coil_group outside = {0}, inside = {0};

	ck_assert_int_eq(coil_group_create_task(&outside, nap, &naps[0]), 0);
	COIL_SHIELD(COIL_SECOND) {
		ck_assert_int_eq(coil_group_create_task(&inside, nap, &naps[1]), 0);
		ck_assert_int_eq(coil_group_wait(&inside), 0);
	}
	return coil_group_wait(&outside);
}

COIL_TEST(a_shield_covers_the_groups_that_begin_in_it)
{
	struct nap naps[2] = { { .ns = 20 * MS }, { .ns = 20 * MS } };
	struct coil_task *task = start(lead, naps);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(naps[0].err, -ECANCELED);
	ck_assert_int_eq(naps[1].err, 0);
}

COIL_TEST(a_deadline_outside_waits_until_the_shield_is_left)
{
	struct coil_timeout outside = {0}, inside = {0};

	ck_assert_int_eq(coil_timeout_begin(&outside, MS), 0);
	COIL_SHIELD(COIL_FOREVER) {
		ck_assert_int_eq(coil_sleep(3 * MS), 0);
		ck_assert_int_eq(coil_check(), 0);
		/* One inside the shield holds. */
		ck_assert_int_eq(coil_timeout_begin(&inside, MS), 0);
		ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
		ck_assert_int_eq(coil_timeout_end(&inside), -ETIMEDOUT);
		ck_assert_int_eq(coil_sleep(MS), 0);
	}
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outside), -ETIMEDOUT);
}

static int shield_twice(void *arg)
{
	int *after = arg;

	COIL_SHIELD(COIL_FOREVER) {
		COIL_SHIELD(COIL_FOREVER)
			after[0] = coil_sleep(5 * MS);
		after[1] = coil_sleep(MS);
	}
	after[2] = coil_sleep(MS);
	return 0;
}

COIL_TEST(shields_nest)
{
	int after[3] = { 1, 1, 1 };
	struct coil_task *task = start(shield_twice, after);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(after[0], 0);
	ck_assert_int_eq(after[1], 0);
	ck_assert_int_eq(after[2], -ECANCELED);
}

static int await_in_shield(void *arg)
{
	int err = 0;

	COIL_SHIELD(COIL_FOREVER)
		err = coil_await(arg);
	return err;
}

COIL_TEST(an_await_inside_a_shield_does_not_pass_a_cancel_on)
{
	struct nap own = { .ns = 5 * MS, .result = 4 };
	struct coil_task *task = start(await_in_shield, start(nap, &own));

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 4);
	ck_assert_int_eq(own.err, 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("shield");
	TCase *tests = tcase_create("shield");

	tcase_add_test(tests, shield_001_it_returns_what_the_task_returned);
	tcase_add_test(tests,
		       shield_002_a_task_that_was_cancelled_itself_is_ecanceled);
	tcase_add_test(tests,
		       shield_003_cancelled_it_returns_at_once_and_the_task_runs_on);
	tcase_add_test(tests,
		       with_a_request_pending_it_lets_go_of_a_task_that_runs);
	tcase_add_test(tests,
		       shield_004_of_a_task_that_is_done_it_does_not_switch);
	tcase_add_test(tests,
		       shield_006_shields_inside_a_gather_let_their_tasks_run_on);
	tcase_add_test(tests,
		       shield_007_a_task_that_fails_after_its_waiter_left_is_reported_once);
	tcase_add_test(tests,
		       a_task_that_fails_just_as_its_waiter_leaves_is_reported_once);
	tcase_add_test(tests,
		       a_deadline_around_it_ends_the_wait_and_spares_the_task);
	tcase_add_test(tests,
		       a_task_that_was_cancelled_gives_way_to_the_caller_s_own_reason);
	tcase_add_test(tests,
		       shield_008_a_limit_of_its_own_ends_what_is_inside);
	tcase_add_test(tests, a_limit_of_zero_lets_nothing_park);
	tcase_add_test(tests, the_limit_of_a_shield_begins_when_the_cancel_arrives);
	tcase_add_test(tests, a_shield_without_a_cancel_has_no_limit);
	tcase_add_test(tests, an_expiry_outside_begins_the_limit_too);
	tcase_add_test(tests, the_limit_of_an_inner_shield_begins_when_the_outer_one_s_ends);
	tcase_add_test(tests, a_shield_may_be_given_a_fixed_deadline);
	tcase_add_test(tests, without_memory_for_its_limit_that_has_passed);
	tcase_add_test(tests, a_shield_covers_the_groups_that_begin_in_it);
	tcase_add_test(tests,
		       a_deadline_outside_waits_until_the_shield_is_left);
	tcase_add_test(tests, shields_nest);
	tcase_add_test(tests,
		       an_await_inside_a_shield_does_not_pass_a_cancel_on);
	suite_add_tcase(whole, tests);
	return whole;
}
