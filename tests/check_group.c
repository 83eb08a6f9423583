/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <coil/timeout.h>

#define MS COIL_MILLISECOND

static void add(struct coil_group *group, int (*fn)(void *arg), void *arg)
{
	ck_assert_int_eq(coil_group_create_task(group, fn, arg), 0);
}

/* Nothing of an earlier use is left. */
static void is_fresh(const struct coil_group *group)
{
	static const struct coil_group fresh;

	ck_assert_mem_eq(group, &fresh, sizeof(fresh));
}

/*
 * What leaving returns.
 */

COIL_TEST(leaving_waits_for_every_child)
{
	struct nap a = { .ns = 2 * MS, .result = 7 }, b = { .ns = MS };
	struct coil_group group = {0};
	int64_t began = coil_now();

	add(&group, nap, &a);
	add(&group, nap, &b);
	ck_assert(!a.entered);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert(a.ended && b.ended);
	passed(began, 2 * MS);
	is_fresh(&group);
}

COIL_TEST(a_group_without_children_is_left_at_once)
{
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_wait(&group), 0);
	coil_group_fail(&group, -EIO);
	ck_assert_int_eq(coil_group_create_task(&group, give, NULL),
			 -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	is_fresh(&group);
}

COIL_TEST(the_first_failure_cancels_the_others_and_is_returned)
{
	struct hold held = {0};
	struct coil_group group = {0};

	add(&group, hold, &held);
	add(&group, give, INT(-EIO));
	add(&group, give, INT(-EPIPE));
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	ck_assert_int_eq(held.err, -ECANCELED);
	is_fresh(&group);
	/* It can be used again. */
	add(&group, give, INT(3));
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

COIL_TEST(group_002_a_cancelled_child_is_no_failure)
{
	struct hold cancelled = {0};
	struct nap other = { .ns = MS, .result = 11 };
	struct coil_group group = {0};
	struct coil_task *task, *second;

	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, hold,
						     &cancelled, &task),
			 0);
	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, nap, &other,
						     &second),
			 0);
	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert(coil_cancelled(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(coil_await(second), 11);
}

struct parent {
	int (*child)(void *arg);
	void *arg;
	int left;
	int after;
};

static int lead(void *arg)
{
	struct parent *own = arg;
	struct coil_group group = {0};

	add(&group, own->child, own->arg);
	own->left = coil_group_wait(&group);
	own->after = coil_yield();
	return own->left;
}

static int fail_when_cancelled(void *arg)
{
	return coil_sleep(COIL_FOREVER) == -ECANCELED ? -EIO : 0;
}

COIL_TEST(group_005_a_failure_outranks_the_request_which_stays_pending)
{
	struct parent own = { .child = fail_when_cancelled };
	struct coil_task *task = start(lead, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -EIO);
	ck_assert_int_eq(own.left, -EIO);
	ck_assert_int_eq(own.after, -ECANCELED);
}

COIL_TEST(a_request_cancels_the_children_and_is_what_leaving_returns)
{
	struct hold held = {0};
	struct parent own = { .child = hold, .arg = &held };
	struct coil_task *task = start(lead, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(held.err, -ECANCELED);
	ck_assert_int_eq(own.after, -ECANCELED);
}

struct slow_hold {
	struct hold held;
	bool cleaned;
};

static int hold_and_clean_up(void *arg)
{
	struct slow_hold *own = arg;
	int err = hold(&own->held);

	/* Longer than settle() takes. */
	COIL_SHIELD(COIL_FOREVER) {
		for (int i = 0; i < 100; i++)
			coil_yield();
	}
	own->cleaned = true;
	return err;
}

COIL_TEST(group_006_the_body_s_own_failure_is_handed_to_the_group)
{
	struct hold a = {0};
	struct slow_hold b = {0};
	struct coil_group group = {0};

	add(&group, hold, &a);
	add(&group, hold_and_clean_up, &b);
	settle();
	coil_group_fail(&group, -EIO);
	ck_assert(!a.ended);
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	/* One is left, and waited for as well. */
	COIL_SHIELD(COIL_FOREVER)
		settle();
	ck_assert(a.ended && !b.cleaned);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	ck_assert_int_eq(a.err, -ECANCELED);
	ck_assert_int_eq(b.held.err, -ECANCELED);
	ck_assert(b.cleaned);
	ck_assert_int_eq(coil_yield(), 0);
}

static int fail_inside(void *arg)
{
	struct coil_group group = {0};
	struct nap failing = { .ns = MS, .result = -EIO };
	int err;

	add(&group, nap, &failing);
	err = coil_group_wait(&group);
	*(int *)arg = err;
	return err;
}

COIL_TEST(group_009_a_failure_travels_outwards)
{
	struct coil_group group = {0};
	struct nap sleeper = { .ns = 10 * COIL_SECOND };
	int inner = 0;

	add(&group, nap, &sleeper);
	add(&group, fail_inside, &inner);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	ck_assert_int_eq(inner, -EIO);
	ck_assert_int_eq(sleeper.err, -ECANCELED);
}

struct cleaner {
	struct nap child;
	int64_t clean_up;
	bool shielded;
	int cleaned;
	int left;
};

static int clean_up_in_body(void *arg)
{
	struct cleaner *own = arg;
	struct coil_group group = {0};

	add(&group, nap, &own->child);
	if (coil_sleep(COIL_FOREVER)) {
		if (own->shielded) {
			COIL_SHIELD(COIL_FOREVER)
				own->cleaned = coil_sleep(own->clean_up);
		} else {
			own->cleaned = coil_sleep(own->clean_up);
		}
	}
	own->left = coil_group_wait(&group);
	return own->left;
}

/*
 * A request reaches the children when it is made, not when the body is done with
 * its clean-up: a child that would have failed later does not come to it.
 */
COIL_TEST(group_010_a_cancel_reaches_the_child_before_it_can_fail)
{
	for (int shielded = 0; shielded < 2; shielded++) {
		struct cleaner own = {
			.child = { .ns = 3 * COIL_SECOND, .result = -EIO },
			.clean_up = 5 * MS, .shielded = shielded,
		};
		struct coil_task *task = start(clean_up_in_body, &own);

		settle();
		ck_assert(coil_cancel(task));
		ck_assert_int_eq(coil_await(task), -ECANCELED);
		ck_assert_int_eq(own.child.err, -ECANCELED);
		ck_assert_int_eq(own.cleaned, shielded ? 0 : -ECANCELED);
		ck_assert_int_eq(own.left, -ECANCELED);
	}
}

COIL_TEST(group_011_of_two_failures_the_first_is_returned)
{
	struct coil_group group = {0};

	add(&group, give, INT(-EIO));
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	coil_group_fail(&group, -EPIPE);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
}

/*
 * Children that come and go.
 */

COIL_TEST(group_012_children_that_have_ended_are_not_held)
{
	struct coil_group group = {0};
	struct nap naps[10];
	size_t held = 0;

	for (int i = 0; i < 10; i++) {
		naps[i] = (struct nap){ .ns = 3 * MS };
		add(&group, nap, &naps[i]);
		if (group.size > held)
			held = group.size;
		ck_assert_int_eq(coil_sleep(MS), 0);
	}
	/* By a real clock a child may be late. */
	if (support_simulated())
		ck_assert_uint_lt(held, 5);
	ck_assert_int_eq(coil_sleep(3 * MS), 0);
	while (group.size)
		ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_ptr_null(group.children);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

struct family {
	struct coil_group group;
	struct nap naps[2];
	int born;
	int failures;
};

static int have_two(void *arg)
{
	struct family *own = arg;
	int err = coil_sleep(MS);

	for (int i = 0; i < 2 && !err; i++) {
		own->naps[i].ns = MS;
		err = coil_group_create_task(&own->group, nap, &own->naps[i]);
	}
	return err;
}

COIL_TEST(group_013_leaving_waits_for_children_born_meanwhile)
{
	struct family own = {0};

	add(&own.group, have_two, &own);
	ck_assert_int_eq(coil_group_wait(&own.group), 0);
	ck_assert(own.naps[0].ended && own.naps[1].ended);
}

static int multiply(void *arg)
{
	struct family *own = arg;
	int err = 0;

	own->born++;
	while (!err) {
		err = coil_yield();
		for (int i = 0; i < 2 && !err; i++)
			err = coil_group_create_task(&own->group, multiply,
						     own);
	}
	own->failures += err != -ECANCELED;
	return err;
}

static int fail_at_ten(void *arg)
{
	struct family *own = arg;

	while (own->born < 10) {
		if (coil_yield())
			return -EPROTO;
	}
	return -EIO;
}

COIL_TEST(group_014_a_failure_stops_children_that_multiply)
{
	struct family own = {0};
	int born;

	add(&own.group, fail_at_ten, &own);
	add(&own.group, multiply, &own);
	ck_assert_int_eq(coil_group_wait(&own.group), -EIO);
	ck_assert_int_eq(own.failures, 0);
	born = own.born;
	settle();
	ck_assert_int_eq(own.born, born);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

static int never(void *arg)
{
	*(int *)arg = 1;
	return 0;
}

COIL_TEST(group_015_a_group_that_is_ending_takes_no_more)
{
	struct coil_task_options bad = { .reserved = { 1 } };
	struct hold held = {0};
	struct coil_group group = {0};
	struct coil_task *handle = coil_current_task();
	int ran = 0;

	add(&group, hold, &held);
	ck_assert_int_eq(coil_group_create_task_with(&group, &bad, never, &ran,
						     &handle),
			 -EINVAL);
	ck_assert_ptr_null(handle);
	ck_assert_int_eq(coil_group_create_task(&group, NULL, &ran), -EINVAL);
	ck_assert_int_eq(coil_group_create_task(NULL, never, &ran), -EINVAL);
	/* Misuse does not count as a failed child. */
	ck_assert_int_eq(coil_yield(), 0);
	coil_group_cancel(&group);
	handle = coil_current_task();
	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, never, &ran,
						     &handle),
			 -ECANCELED);
	ck_assert_ptr_null(handle);
	ck_assert_int_eq(coil_group_create_task(&group, never, &ran),
			 -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(ran, 0);
}

static int add_with_pending(void *arg)
{
	struct coil_group group = {0};

	coil_cancel(coil_current_task());
	ck_assert_int_eq(coil_group_create_task(&group, never, arg),
			 -ECANCELED);
	return coil_group_wait(&group);
}

COIL_TEST(a_task_that_was_cancelled_opens_no_group)
{
	int ran = 0;

	ck_assert_int_eq(coil_await(start(add_with_pending, &ran)), -ECANCELED);
	ck_assert_int_eq(ran, 0);
}

static int outside;

static void add_outside(const struct coil_task *task, int error, void *arg)
{
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, give, NULL), -EPERM);
	ck_assert_int_eq(coil_group_wait(&group), -EPERM);
	coil_group_cancel(&group);
	is_fresh(&group);
	errno = 0;
	ck_assert_ptr_null(coil_create_task(give, NULL));
	ck_assert_int_eq(errno, EPERM);
	outside++;
}

static int leave_failure(void *arg)
{
	struct coil_task *task = start(give, INT(-EIO));

	coil_set_error_handler(add_outside, NULL);
	settle();
	return coil_done(task) ? 0 : -EAGAIN;
}

START_TEST(group_016_outside_a_task_it_is_eperm_and_stays_unused)
{
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, give, NULL), -EPERM);
	is_fresh(&group);
	ck_assert_int_eq(coil_run(leave_failure, NULL), 0);
	ck_assert_int_eq(outside, 1);
}
END_TEST

COIL_TEST(group_018_a_body_that_awaits_a_failing_child_is_told_of_both)
{
	struct nap failing = { .ns = MS, .result = -EIO };
	struct coil_group group = {0};
	struct coil_task *task;

	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, nap,
						     &failing, &task),
			 0);
	ck_assert_int_eq(coil_await(task), -EIO);
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	ck_assert_int_eq(coil_yield(), 0);
}

struct eager {
	struct coil_group *group;
	int err;
};

static int cancel_the_group(void *arg)
{
	struct eager *own = arg;

	coil_group_cancel(own->group);
	own->err = coil_sleep(COIL_FOREVER);
	return own->err;
}

COIL_TEST(group_023_an_eager_child_that_cancels_the_group_is_cancelled_too)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_group group = {0};
	struct eager own = { .group = &group };

	ck_assert_int_eq(coil_group_create_task_with(
				 &group, &eager, cancel_the_group, &own, NULL),
			 0);
	ck_assert_int_eq(own.err, -ECANCELED);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

COIL_TEST(an_eager_child_that_fails_at_once_is_a_failure_of_the_group)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_group group = {0};
	struct coil_task *task = NULL;

	ck_assert_int_eq(coil_group_create_task_with(&group, &eager, give,
						     INT(-EIO), &task),
			 0);
	ck_assert(coil_done(task));
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	ck_assert_int_eq(coil_await(task), -EIO);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
}

/*
 * Whose it is.
 */

static int leave_anothers(void *arg)
{
	struct coil_group *group = arg;
	struct hold held = {0};

	ck_assert_int_eq(coil_group_wait(group), -EPERM);
	/* Adding to it is anybody's, cancelling as well. */
	ck_assert_int_eq(coil_group_create_task(group, hold, &held), 0);
	coil_group_cancel(group);
	while (!held.ended)
		coil_yield();
	return held.err == -ECANCELED ? 0 : -EPROTO;
}

COIL_TEST(only_the_owner_leaves_it)
{
	struct hold held = {0};
	struct coil_group group = {0};
	struct coil_task *other;

	add(&group, hold, &held);
	other = start(leave_anothers, &group);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(held.err, -ECANCELED);
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(a_deadline_around_a_group_cancels_its_children)
{
	struct hold held = {0};
	struct coil_group group = {0};
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	add(&group, hold, &held);
	ck_assert_int_eq(coil_group_wait(&group), -ETIMEDOUT);
	ck_assert_int_eq(held.err, -ECANCELED);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(a_deadline_inside_a_group_spares_its_children)
{
	struct hold held = {0};
	struct coil_group group = {0};
	struct coil_timeout timeout = {0};

	add(&group, hold, &held);
	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert(!held.ended);
	ck_assert_int_eq(coil_future_set(&held.future, 0), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(held.err, 0);
}

static int lead_shielded(void *arg)
{
	struct parent *own = arg;

	COIL_SHIELD(COIL_FOREVER) {
		struct coil_group group = {0};

		add(&group, own->child, own->arg);
		own->left = coil_group_wait(&group);
	}
	own->after = coil_yield();
	return own->left;
}

COIL_TEST(a_group_inside_a_shield_does_not_hear_of_a_cancel_outside)
{
	struct nap child = { .ns = 2 * MS, .result = 1 };
	struct parent own = { .child = nap, .arg = &child };
	struct coil_task *task = start(lead_shielded, &own);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(child.err, 0);
	ck_assert_int_eq(own.after, -ECANCELED);
}

static int fail_if_not_asked(void *arg)
{
	return coil_yield() ? -EPROTO : -EIO;
}

COIL_TEST(in_an_independent_group_a_failure_is_reported_and_spares_the_rest)
{
	struct nap other = { .ns = MS, .result = 2 };
	struct coil_group group = { .independent = true };
	struct coil_task *task;

	coil_set_error_handler(note_error, NULL);
	add(&group, nap, &other);
	add(&group, fail_if_not_asked, NULL);
	ck_assert_int_eq(coil_group_create_task_with(
				 &group, NULL, fail_if_not_asked, NULL, &task),
			 0);
	/* One that somebody awaits needs no report. */
	ck_assert_int_eq(coil_await(task), -EIO);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(other.err, 0);
	ck_assert(group.independent);
	/* It still ends when it is told to. */
	other = (struct nap){ .ns = COIL_SECOND };
	add(&group, nap, &other);
	coil_group_fail(&group, -EPIPE);
	ck_assert_int_eq(coil_group_wait(&group), -EPIPE);
	ck_assert_int_eq(other.err, -ECANCELED);
}

COIL_TEST(a_failure_that_the_group_returns_is_not_reported_as_well)
{
	struct coil_group group = {0};
	struct coil_task *early, *late;

	coil_set_error_handler(note_error, NULL);
	ck_assert_int_eq(coil_group_create_task_with(
				 &group, NULL, fail_if_not_asked, NULL, &early),
			 0);
	ck_assert_int_eq(coil_group_create_task_with(
				 &group, NULL, fail_if_not_asked, NULL, &late),
			 0);
	coil_detach(early);
	ck_assert_int_eq(coil_group_wait(&group), -EIO);
	coil_detach(late);
	ck_assert_int_eq(told.calls, 0);
}

COIL_TEST(in_an_independent_group_a_detached_failure_is_reported_once)
{
	struct coil_group group = { .independent = true };
	struct coil_task *early, *late;

	coil_set_error_handler(note_error, NULL);
	ck_assert_int_eq(coil_group_create_task_with(
				 &group, NULL, fail_if_not_asked, NULL, &early),
			 0);
	ck_assert_int_eq(coil_group_create_task_with(
				 &group, NULL, fail_if_not_asked, NULL, &late),
			 0);
	coil_detach(early);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(told.calls, 2);
	coil_detach(late);
	ck_assert_int_eq(told.calls, 2);
}

/*
 * The block.
 */

static int leave_by_return(struct hold *held)
{
	COIL_GROUP(group) {
		add(&group, hold, held);
		if (coil_yield())
			return -EPROTO;
		return 4;
	}
	return 0;
}

COIL_TEST(the_end_of_the_block_waits)
{
	struct nap child = { .ns = MS };

	COIL_GROUP(group)
		add(&group, nap, &child);
	ck_assert(child.ended);
	ck_assert_int_eq(child.err, 0);
}

COIL_TEST(break_return_and_goto_cancel_and_wait)
{
	struct hold held[3] = {0};

	ck_assert_int_eq(leave_by_return(&held[0]), 4);
	ck_assert_int_eq(held[0].err, -ECANCELED);
	COIL_GROUP(group) {
		add(&group, hold, &held[1]);
		break;
	}
	ck_assert(held[1].entered && held[1].ended);
	ck_assert_int_eq(held[1].err, -ECANCELED);
	COIL_GROUP(group) {
		add(&group, hold, &held[2]);
		goto out;
	}
out:
	ck_assert_int_eq(held[2].err, -ECANCELED);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

Suite *suite(void)
{
	Suite *whole = suite_create("group");
	TCase *tests = tcase_create("group");

	tcase_add_test(tests, leaving_waits_for_every_child);
	tcase_add_test(tests, a_group_without_children_is_left_at_once);
	tcase_add_test(tests,
		       the_first_failure_cancels_the_others_and_is_returned);
	tcase_add_test(tests, group_002_a_cancelled_child_is_no_failure);
	tcase_add_test(tests,
		       group_005_a_failure_outranks_the_request_which_stays_pending);
	tcase_add_test(tests,
		       a_request_cancels_the_children_and_is_what_leaving_returns);
	tcase_add_test(tests,
		       group_006_the_body_s_own_failure_is_handed_to_the_group);
	tcase_add_test(tests, group_009_a_failure_travels_outwards);
	tcase_add_test(tests,
		       group_010_a_cancel_reaches_the_child_before_it_can_fail);
	tcase_add_test(tests, group_011_of_two_failures_the_first_is_returned);
	tcase_add_test(tests, group_012_children_that_have_ended_are_not_held);
	tcase_add_test(tests,
		       group_013_leaving_waits_for_children_born_meanwhile);
	tcase_add_test(tests, group_014_a_failure_stops_children_that_multiply);
	tcase_add_test(tests, group_015_a_group_that_is_ending_takes_no_more);
	tcase_add_test(tests, a_task_that_was_cancelled_opens_no_group);
	tcase_add_test(tests,
		       group_016_outside_a_task_it_is_eperm_and_stays_unused);
	tcase_add_test(tests,
		       group_018_a_body_that_awaits_a_failing_child_is_told_of_both);
	tcase_add_test(tests,
		       group_023_an_eager_child_that_cancels_the_group_is_cancelled_too);
	tcase_add_test(tests,
		       an_eager_child_that_fails_at_once_is_a_failure_of_the_group);
	tcase_add_test(tests, only_the_owner_leaves_it);
	tcase_add_test(tests, a_deadline_around_a_group_cancels_its_children);
	tcase_add_test(tests, a_deadline_inside_a_group_spares_its_children);
	tcase_add_test(tests,
		       a_group_inside_a_shield_does_not_hear_of_a_cancel_outside);
	tcase_add_test(tests,
		       in_an_independent_group_a_failure_is_reported_and_spares_the_rest);
	tcase_add_test(tests,
		       a_failure_that_the_group_returns_is_not_reported_as_well);
	tcase_add_test(tests,
		       in_an_independent_group_a_detached_failure_is_reported_once);
	tcase_add_test(tests, the_end_of_the_block_waits);
	tcase_add_test(tests, break_return_and_goto_cancel_and_wait);
	suite_add_tcase(whole, tests);
	return whole;
}
