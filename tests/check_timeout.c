/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <coil/waitq.h>

#define MS COIL_MILLISECOND

static const struct coil_timeout fresh;

COIL_TEST(timeout_001_a_deadline_ends_the_sleep_inside_and_nothing_else)
{
	struct coil_timeout timeout = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&timeout, 10 * MS), 0);
	ck_assert_int_eq(coil_sleep(10 * COIL_SECOND), -ETIMEDOUT);
	ck_assert(coil_timeout_expired(&timeout));
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	passed(began, 10 * MS);
	ck_assert(coil_timeout_expired(&timeout));
	ck_assert(!coil_cancel_requested());
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_yield(), 0);
}

COIL_TEST(once_noticed_it_is_returned_by_every_call_inside)
{
	struct coil_timeout timeout = {0};
	struct coil_future future = {0};

	coil_future_set(&future, 1);
	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -ETIMEDOUT);
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_future_wait(&future), -ETIMEDOUT);
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(coil_future_wait(&future), 1);
}

COIL_TEST(timeout_003_of_two_with_one_deadline_the_outer_one_speaks)
{
	struct coil_timeout outer = {0}, inner = {0};
	int64_t when = coil_now() + ahead();

	ck_assert_int_eq(coil_timeout_begin(&outer, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_begin(&inner, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&inner, when), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&outer, when), 0);
	ck_assert_int_eq(coil_sleep(10 * COIL_SECOND), -ETIMEDOUT);
	ck_assert(coil_timeout_expired(&inner));
	ck_assert(coil_timeout_expired(&outer));
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	ck_assert_int_eq(coil_check(), 0);
}

COIL_TEST(timeout_004_both_passed_while_nobody_looked_and_the_outer_speaks)
{
	struct coil_timeout outer = {0}, inner = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&outer, 3 * MS), 0);
	ck_assert_int_eq(coil_timeout_begin(&inner, MS), 0);
	burn(5 * MS);
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -ETIMEDOUT);
	passed(began, 5 * MS);
	ck_assert(coil_timeout_expired(&inner));
	ck_assert(coil_timeout_expired(&outer));
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	/* What stands between the two ends is skipped as well. */
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -ETIMEDOUT);
	passed(began, 5 * MS);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
}

COIL_TEST(timeout_004_only_the_outer_one_passed)
{
	struct coil_timeout outer = {0}, inner = {0};

	ck_assert_int_eq(coil_timeout_begin(&outer, 2 * MS), 0);
	ck_assert_int_eq(coil_timeout_begin(&inner, 100 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert(!coil_timeout_expired(&inner));
	ck_assert(coil_timeout_expired(&outer));
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
}

COIL_TEST(only_the_inner_one_passed_and_the_outer_goes_on)
{
	struct coil_timeout outer = {0}, inner = {0};

	ck_assert_int_eq(coil_timeout_begin(&outer, 100 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_begin(&inner, MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&inner), -ETIMEDOUT);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert(!coil_timeout_expired(&outer));
	ck_assert_int_eq(coil_timeout_end(&outer), 0);
}

struct moment {
	int64_t when;
	struct coil_future *future;
};

static int set_at(void *arg)
{
	struct moment *own = arg;
	int err = coil_sleep_until(own->when);

	return err ? err : coil_future_set(own->future, 0);
}

/* What it waited for came in the same moment, so no call has said so yet. */
COIL_TEST(one_that_fell_due_has_expired_though_nobody_was_told)
{
	struct coil_timeout timeout = {0};
	struct coil_future future = {0};
	struct moment own = { coil_now() + ahead(), &future };
	struct coil_task *task = start(set_at, &own);

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, own.when), 0);
	ck_assert_int_eq(coil_future_wait(&future), 0);
	ck_assert(coil_timeout_expired(&timeout));
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	ck_assert_int_eq(coil_await(task), 0);
}

/* A cancel of the group outranks the expiry outside it, as long as it lasts. */
COIL_TEST(inside_a_cancelled_group_an_expired_deadline_is_not_seen)
{
	struct coil_timeout timeout = {0};
	struct coil_group group = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	timeout = fresh;
	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_group_create_task(&group, give, NULL), 0);
	coil_group_cancel(&group);
	burn(2 * MS);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, 0), 0);
	ck_assert_int_eq(coil_check(), -ECANCELED);
	ck_assert(coil_cancel_requested());
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(timeout_005_without_a_deadline_it_never_expires)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_when(&timeout), COIL_FOREVER);
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_sleep(10 * MS), 0);
	ck_assert_int_eq(coil_timeout_when(&timeout), COIL_FOREVER);
	ck_assert(!coil_timeout_expired(&timeout));
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

COIL_TEST(timeout_006_one_that_has_passed_is_seen_by_the_first_call)
{
	static const int64_t durations[] = { 0, -1, -11 * COIL_SECOND,
					     INT64_MIN };
	int64_t began = coil_now();

	for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
		struct coil_timeout timeout = {0};

		ck_assert_int_eq(coil_timeout_begin(&timeout, durations[i]), 0);
		ck_assert_int_eq(i % 2 ? coil_sleep(0)
				       : coil_sleep(10 * COIL_SECOND),
				 -ETIMEDOUT);
		ck_assert(coil_timeout_expired(&timeout));
		ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	}
	passed(began, 0);
}

COIL_TEST(timeout_006_rescheduled_into_the_past_it_is_seen_by_the_next_call)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), 0);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout,
						 coil_now() - 11 * COIL_SECOND),
			 0);
	ck_assert_int_eq(coil_sleep(0), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(timeout_007_who_never_parks_never_hears_of_it)
{
	struct coil_timeout now = {0}, soon = {0};

	ck_assert_int_eq(coil_timeout_begin(&now, 0), 0);
	burn(10 * COIL_MICROSECOND);
	ck_assert(!coil_timeout_expired(&now));
	ck_assert_int_eq(coil_timeout_end(&now), 0);
	ck_assert(!coil_timeout_expired(&now));
	ck_assert_int_eq(coil_timeout_begin(&soon, MS), 0);
	burn(2 * MS);
	ck_assert_int_eq(coil_timeout_end(&soon), 0);
	ck_assert(!coil_timeout_expired(&soon));
	ck_assert_int_eq(coil_yield(), 0);
}

/* What a task saw that was in a scope when it was cancelled. */
struct scoped {
	int64_t ns;
	int swallow;		/* requests to swallow before */
	int inside;
	int end;
	bool expired;
};

static int sleep_scoped(void *arg)
{
	struct scoped *own = arg;
	struct coil_timeout timeout = {0};

	for (int i = 0; i < own->swallow; i++)
		ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	coil_timeout_begin(&timeout, own->ns);
	own->inside = coil_sleep(COIL_FOREVER);
	own->end = coil_timeout_end(&timeout);
	own->expired = coil_timeout_expired(&timeout);
	return own->inside;
}

COIL_TEST(timeout_009_a_cancel_from_outside_is_not_an_expiry)
{
	struct scoped own = { .ns = 10 * COIL_SECOND };
	struct coil_task *task = start(sleep_scoped, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.inside, -ECANCELED);
	ck_assert_int_eq(own.end, 0);
	ck_assert(!own.expired);
}

COIL_TEST(timeout_011_a_new_scope_inside_one_that_expired_does_not_help)
{
	struct coil_timeout outer = {0}, inner = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&outer, 10 * MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_begin(&inner, 10 * MS), 0);
	ck_assert_int_eq(coil_sleep(10 * COIL_SECOND), -ETIMEDOUT);
	ck_assert(!coil_timeout_expired(&inner));
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	passed(began, 10 * MS);
	/* A shield does. */
	inner = fresh;
	ck_assert_int_eq(coil_shield_begin(&inner, 10 * MS), 0);
	ck_assert_int_eq(coil_sleep(10 * COIL_SECOND), -ETIMEDOUT);
	ck_assert(coil_timeout_expired(&inner));
	ck_assert_int_eq(coil_timeout_end(&inner), -ETIMEDOUT);
	passed(began, 20 * MS);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
}

COIL_TEST(timeout_012_a_swallowed_cancel_outranks_a_later_deadline)
{
	struct scoped own = { .ns = 0, .swallow = 1 };
	struct coil_task *task = start(sleep_scoped, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.inside, -ECANCELED);
	ck_assert_int_eq(own.end, 0);
}

struct again {
	int inside;
	int end;
};

static int sleep_again(void *arg)
{
	struct again *own = arg;
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	coil_timeout_begin(&timeout, COIL_SECOND);
	ck_assert(coil_cancel(coil_current_task()));
	own->inside = coil_sleep(COIL_FOREVER);
	own->end = coil_timeout_end(&timeout);
	return own->inside;
}

COIL_TEST(timeout_013_cancelled_twice_is_cancelled)
{
	struct again own = {0};
	struct coil_task *task = start(sleep_again, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(own.inside, -ECANCELED);
	ck_assert_int_eq(own.end, 0);
}

static int use_anothers(void *arg)
{
	struct coil_timeout *timeout = arg;

	ck_assert_int_eq(coil_timeout_reschedule(timeout, 0), -EPERM);
	ck_assert_int_eq(coil_timeout_end(timeout), -EPERM);
	ck_assert_int_eq(coil_timeout_begin(timeout, 0), -EINVAL);
	return 0;
}

COIL_TEST(timeout_014_used_out_of_turn_it_is_einval_and_nothing_changes)
{
	struct coil_timeout timeout = {0};
	int64_t when;

	ck_assert_int_eq(coil_timeout_reschedule(&timeout, 1), -EINVAL);
	ck_assert_int_eq(coil_timeout_end(&timeout), -EINVAL);
	ck_assert_int_eq(coil_timeout_begin(&timeout, 5 * MS), 0);
	when = coil_timeout_when(&timeout);
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), -EINVAL);
	ck_assert_int_eq(coil_shield_begin(&timeout, COIL_SECOND), -EINVAL);
	ck_assert_int_eq(coil_await(start(use_anothers, &timeout)), 0);
	ck_assert_int_eq(coil_timeout_when(&timeout), when);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, COIL_FOREVER),
			 -EINVAL);
	ck_assert_int_eq(coil_timeout_when(&timeout), when);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -EINVAL);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, COIL_FOREVER),
			 -EINVAL);
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), -EINVAL);
	timeout = fresh;
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

static int begun_outside;

static void begin_outside(const struct coil_task *task, int error, void *arg)
{
	struct coil_timeout timeout = {0};

	ck_assert_ptr_null(coil_current_task());
	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), -EPERM);
	ck_assert_int_eq(coil_shield_begin(&timeout, COIL_SECOND), -EPERM);
	ck_assert(!memcmp(&timeout, &fresh, sizeof(timeout)));
	ck_assert_int_eq(coil_sleep(0), -EPERM);
	begun_outside++;
}

static int leave_failure(void *arg)
{
	struct coil_task *task = start(give, INT(-EIO));

	coil_set_error_handler(begin_outside, NULL);
	settle();
	return coil_done(task) ? 0 : -EAGAIN;
}

/* The error handler is told of a handle left behind when no task is left. */
START_TEST(timeout_015_outside_a_task_it_is_eperm_and_stays_unused)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), -EPERM);
	ck_assert(!memcmp(&timeout, &fresh, sizeof(timeout)));
	ck_assert_int_eq(coil_run(leave_failure, NULL), 0);
	ck_assert_int_eq(begun_outside, 1);
}
END_TEST

static int clean_up_slowly(void *arg)
{
	coil_sleep(COIL_FOREVER);
	COIL_SHIELD(COIL_FOREVER)
		coil_sleep(10 * MS);
	*(bool *)arg = true;
	return -ECANCELED;
}

COIL_TEST(timeout_016_a_deadline_that_passes_while_a_group_ends_is_not_lost)
{
	struct coil_timeout timeout = {0};
	struct coil_group group = {0};
	bool cleaned = false;
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&timeout, 5 * MS), 0);
	ck_assert_int_eq(
		coil_group_create_task(&group, clean_up_slowly, &cleaned), 0);
	settle();
	coil_group_cancel(&group);
	ck_assert_int_eq(coil_group_wait(&group), -ETIMEDOUT);
	ck_assert(cleaned);
	passed(began, 10 * MS);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

/*
 * The moment.
 */

struct appointment {
	struct coil_future future;
	int64_t when;
};

static int keep_appointment(void *arg)
{
	struct appointment *own = arg;

	ck_assert_int_eq(coil_sleep_until(own->when), 0);
	return coil_future_set(&own->future, 23);
}

COIL_TEST(a_result_beats_a_deadline_of_the_same_moment)
{
	for (int first = 0; first < 2; first++) {
		struct appointment own = { .when = coil_now() + ahead() };
		struct coil_timeout timeout = {0};
		struct coil_task *task = NULL;

		/* In whichever order they are made. */
		if (first)
			task = start(keep_appointment, &own);
		if (first)
			settle();
		ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
		ck_assert_int_eq(coil_timeout_reschedule(&timeout, own.when),
				 0);
		if (!first)
			task = start(keep_appointment, &own);
		ck_assert_int_eq(coil_future_wait(&own.future), 23);
		ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
		ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
		ck_assert_int_eq(coil_await(task), 0);
	}
}

COIL_TEST(a_scope_may_end_after_its_deadline_fell_due_and_before_it_showed)
{
	for (int i = 0; i < (support_simulated() ? 3 : 1); i++) {
		struct coil_timeout timeout = {0};
		int64_t when = coil_now() + ahead();

		ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
		ck_assert_int_eq(coil_timeout_reschedule(&timeout, when), 0);
		ck_assert_int_eq(coil_sleep_until(when), 0);
		ck_assert_int_eq(coil_timeout_end(&timeout), 0);
		ck_assert(!coil_timeout_expired(&timeout));
		memset(&timeout, 0xff, sizeof(timeout));
		ck_assert_int_eq(coil_yield(), 0);
	}
}

COIL_TEST(a_scope_may_be_put_off_after_its_deadline_fell_due)
{
	struct coil_timeout timeout = {0};
	int64_t when = coil_now() + ahead();

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, when), 0);
	ck_assert_int_eq(coil_sleep_until(when), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

enum { CROWD = 400 };

static int crowd_turns;

static int stand_in_crowd(void *arg)
{
	if (++crowd_turns == CROWD / 2)
		burn(*(int64_t *)arg);
	return 0;
}

static int time_out(void *arg)
{
	struct coil_timeout timeout = {0};

	coil_timeout_begin(&timeout, *(int64_t *)arg);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	return crowd_turns;
}

/*
 * More tasks are ready than one pass runs: the second deadline falls due while
 * the first still waits for those before it.
 */
COIL_TEST(deadlines_that_fall_due_in_a_crowd_wait_for_those_before_them)
{
	struct coil_task *tasks[CROWD + 2];
	int64_t first = ahead(), second = 2 * first;
	int results[CROWD + 2];

	tasks[CROWD] = start(time_out, &second);
	tasks[CROWD + 1] = start(time_out, &first);
	settle();
	burn(first);
	for (int i = 0; i < CROWD; i++)
		tasks[i] = start(stand_in_crowd, &first);
	ck_assert_int_eq(coil_gather(tasks, CROWD + 2, results), 0);
	ck_assert_int_eq(results[CROWD], CROWD);
	ck_assert_int_eq(results[CROWD + 1], CROWD);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

static struct coil_waitq signalled;
static int64_t second_when;
static bool too_late;		/* a busy machine let the second fall due first */

static int set_when_signalled(void *arg)
{
	struct coil_future *future = arg;
	int err = coil_waitq_park(&signalled);

	return err ? err : coil_future_set(future, 23);
}

static int signal_in_crowd(void *arg)
{
	if (++crowd_turns == CROWD / 2) {
		coil_waitq_unpark(&signalled);
		too_late = coil_now() >= second_when;
	}
	if (crowd_turns == 3 * CROWD / 4)
		burn(*(int64_t *)arg);
	return 0;
}

static int time_out_on(void *arg)
{
	struct coil_timeout timeout = {0};
	int result;

	coil_timeout_begin(&timeout, 2 * ahead());
	second_when = coil_timeout_when(&timeout);
	result = coil_future_wait(arg);
	coil_timeout_end(&timeout);
	return result;
}

/*
 * The one that will set the future became ready while the first deadline waited,
 * and before the second fell due: so the future beats the second.
 */
COIL_TEST(a_deadline_does_not_overtake_by_way_of_an_earlier_one)
{
	struct coil_task *tasks[CROWD + 3];
	struct coil_future future = {0};
	int64_t first = ahead();
	int results[CROWD + 3];

	tasks[CROWD] = start(time_out, &first);
	tasks[CROWD + 1] = start(time_out_on, &future);
	tasks[CROWD + 2] = start(set_when_signalled, &future);
	settle();
	burn(first);
	for (int i = 0; i < CROWD; i++)
		tasks[i] = start(signal_in_crowd, &first);
	ck_assert_int_eq(coil_gather(tasks, CROWD + 3, results), 0);
	ck_assert_int_eq(results[CROWD], CROWD);
	if (!too_late)
		ck_assert_int_eq(results[CROWD + 1], 23);
}

/*
 * Moving it.
 */

COIL_TEST(a_deadline_can_be_put_off_again_and_again)
{
	struct coil_timeout timeout = {0};
	int64_t began = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&timeout, 20 * COIL_SECOND), 0);
	for (int i = 0; i < 10; i++) {
		int64_t when = coil_now() + 20 * COIL_SECOND;

		ck_assert_int_eq(coil_timeout_reschedule(&timeout, when), 0);
		ck_assert_int_eq(coil_timeout_when(&timeout), when);
		ck_assert_int_eq(coil_sleep(MS), 0);
		ck_assert_uint_eq(coil__loop->timers.count, 1);
	}
	passed(began, 10 * MS);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

COIL_TEST(a_deadline_can_be_brought_forward_and_taken_away)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 100 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, COIL_FOREVER), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, coil_now() + MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(a_duration_past_the_end_of_the_clock_is_for_ever)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER - 1), 0);
	ck_assert_int_eq(coil_timeout_when(&timeout), COIL_FOREVER);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

/*
 * The block.
 */

static int leave_by_return(int *after)
{
	COIL_TIMEOUT(COIL_SECOND) {
		return coil_yield() ? -EPROTO : 5;
	}
	++*after;
	return 0;
}

COIL_TEST(the_block_is_left_cleanly_by_its_end_break_return_and_goto)
{
	int inside = 0, after = 0;

	COIL_TIMEOUT(MS)
		inside = coil_sleep(COIL_FOREVER);
	ck_assert_int_eq(inside, -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), 0);
	COIL_TIMEOUT(COIL_SECOND) {
		COIL_TIMEOUT(0)
			break;
		inside++;
		break;
	}
	ck_assert_int_eq(inside, -ETIMEDOUT + 1);
	ck_assert_int_eq(leave_by_return(&after), 5);
	ck_assert_int_eq(after, 0);
	COIL_TIMEOUT(COIL_SECOND) {
		goto out;
	}
	after++;
out:
	ck_assert_int_eq(after, 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	ck_assert_ptr_eq(coil_current_task()->innermost,
			 &coil_current_task()->scope);
	ck_assert_int_eq(coil_yield(), 0);
}

static int fill_timers(void *arg)
{
	struct coil_timeout timeouts[100] = {0};

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(
			coil_timeout_begin(&timeouts[i], COIL_SECOND + i), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 100);
	for (int i = 99; i >= 0; i--)
		ck_assert_int_eq(coil_timeout_end(&timeouts[i]), 0);
	return 0;
}

/* rows: LOOP-005 */
COIL_TEST(loop_005_timers_that_are_not_needed_any_more_are_gone_at_once)
{
	ck_assert_int_eq(coil_await(start(fill_timers, NULL)), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("timeout");
	TCase *tests = tcase_create("timeout");

	tcase_add_test(tests,
		       timeout_001_a_deadline_ends_the_sleep_inside_and_nothing_else);
	tcase_add_test(tests, once_noticed_it_is_returned_by_every_call_inside);
	tcase_add_test(tests,
		       timeout_003_of_two_with_one_deadline_the_outer_one_speaks);
	tcase_add_test(tests,
		       timeout_004_both_passed_while_nobody_looked_and_the_outer_speaks);
	tcase_add_test(tests, timeout_004_only_the_outer_one_passed);
	tcase_add_test(tests, one_that_fell_due_has_expired_though_nobody_was_told);
	tcase_add_test(tests, only_the_inner_one_passed_and_the_outer_goes_on);
	tcase_add_test(tests,
		       inside_a_cancelled_group_an_expired_deadline_is_not_seen);
	tcase_add_test(tests, timeout_005_without_a_deadline_it_never_expires);
	tcase_add_test(tests,
		       timeout_006_one_that_has_passed_is_seen_by_the_first_call);
	tcase_add_test(tests,
		       timeout_006_rescheduled_into_the_past_it_is_seen_by_the_next_call);
	tcase_add_test(tests, timeout_007_who_never_parks_never_hears_of_it);
	tcase_add_test(tests,
		       timeout_009_a_cancel_from_outside_is_not_an_expiry);
	tcase_add_test(tests,
		       timeout_011_a_new_scope_inside_one_that_expired_does_not_help);
	tcase_add_test(tests,
		       timeout_012_a_swallowed_cancel_outranks_a_later_deadline);
	tcase_add_test(tests, timeout_013_cancelled_twice_is_cancelled);
	tcase_add_test(tests,
		       timeout_014_used_out_of_turn_it_is_einval_and_nothing_changes);
	tcase_add_test(tests,
		       timeout_015_outside_a_task_it_is_eperm_and_stays_unused);
	tcase_add_test(tests,
		       timeout_016_a_deadline_that_passes_while_a_group_ends_is_not_lost);
	tcase_add_test(tests, a_result_beats_a_deadline_of_the_same_moment);
	tcase_add_test(tests,
		       a_scope_may_end_after_its_deadline_fell_due_and_before_it_showed);
	tcase_add_test(tests,
		       a_scope_may_be_put_off_after_its_deadline_fell_due);
	tcase_add_test(tests,
		       deadlines_that_fall_due_in_a_crowd_wait_for_those_before_them);
	tcase_add_test(tests,
		       a_deadline_does_not_overtake_by_way_of_an_earlier_one);
	tcase_add_test(tests, a_deadline_can_be_put_off_again_and_again);
	tcase_add_test(tests, a_deadline_can_be_brought_forward_and_taken_away);
	tcase_add_test(tests, a_duration_past_the_end_of_the_clock_is_for_ever);
	tcase_add_test(tests,
		       the_block_is_left_cleanly_by_its_end_break_return_and_goto);
	tcase_add_test(tests,
		       loop_005_timers_that_are_not_needed_any_more_are_gone_at_once);
	suite_add_tcase(whole, tests);
	return whole;
}
