/* SPDX-License-Identifier: MIT */
/*
 * Timeouts that end, move or pass before the loop has looked for them: until then
 * they are in no order (core/task/timers.h).
 */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <coil/timeout.h>

#define MS COIL_MILLISECOND

static int nap_long(void *arg)
{
	(void)arg;
	return coil_sleep(1000 * COIL_SECOND);
}

COIL_TEST(a_timeout_around_what_does_not_park_is_put_in_no_order)
{
	const struct timers *timers = &coil__loop->timers;
	struct coil_task *tasks[10];
	uint32_t ordered;

	for (int i = 0; i < 10; i++)
		tasks[i] = start(nap_long, NULL);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ordered = timers->entries;
	for (int i = 0; i < 100; i++) {
		COIL_TIMEOUT(2 * COIL_SECOND) {
			COIL_TIMEOUT(COIL_SECOND)
				ck_assert_uint_eq(timers->count, 12);
			COIL_SHIELD(COIL_SECOND)
				ck_assert_int_eq(coil_check(), 0);
		}
		ck_assert_uint_eq(timers->count, 10);
		ck_assert_uint_eq(timers->entries, ordered);
		ck_assert_uint_eq(timers->added, 0);
	}
	for (int i = 0; i < 10; i++) {
		coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	}
}

static int begin_until_full(void *arg)
{
	const struct timers *timers = &coil__loop->timers;
	struct coil_timeout timeouts[65] = {0};
	int n = 0;

	(void)arg;
	do {
		ck_assert_int_lt(n, 64);
		ck_assert_int_eq(coil_timeout_begin(&timeouts[n++], COIL_SECOND), 0);
	} while (timers->entries + timers->added < timers->capacity);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_timeout_begin(&timeouts[n], MS), -ENOMEM);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert(!support_allocation_failed());
	support_fail_allocation(0);
	ck_assert_int_eq(coil_timeout_begin(&timeouts[n++], COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeouts[0], coil_now() + MS), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	while (n-- > 1)
		ck_assert_int_eq(coil_timeout_end(&timeouts[n]), 0);
	ck_assert_int_eq(coil_timeout_end(&timeouts[0]), -ETIMEDOUT);
	return 0;
}

COIL_TEST(one_that_cannot_be_kept_is_refused_at_its_begin_and_not_later)
{
	ck_assert_int_eq(coil_await(start(begin_until_full, NULL)), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

static int64_t appointed;

static int time_out_at(void *arg)
{
	struct coil_timeout timeout = {0}, other = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 2 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_begin(&other, COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, appointed), 0);
	ck_assert_int_eq(coil_timeout_end(&other), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	trace("%d", (int)(intptr_t)arg);
	return coil_timeout_end(&timeout);
}

COIL_TEST(equal_deadlines_are_noticed_in_the_order_in_which_they_were_begun)
{
	struct coil_task *tasks[8];

	appointed = coil_now() + ahead();
	for (int i = 0; i < 8; i++) {
		tasks[i] = start(time_out_at, INT(i));
		if (i % 3 == 2)
			settle();
	}
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(coil_await(tasks[i]), -ETIMEDOUT);
	traced("0 1 2 3 4 5 6 7");
}

COIL_TEST(a_deadline_that_was_moved_before_the_first_park_is_where_it_was_moved_to)
{
	struct coil_timeout sooner = {0}, later = {0};
	int64_t began = coil_now(), limit = ahead();

	ck_assert_int_eq(coil_timeout_begin(&sooner, 100 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_begin(&later, MS), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&later, began + 50 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&sooner, began + limit), 0);
	ck_assert_uint_eq(coil__loop->timers.count, 2);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	passed(began, limit);
	ck_assert(!coil_timeout_expired(&later));
	ck_assert_int_eq(coil_timeout_end(&later), 0);
	ck_assert_int_eq(coil_timeout_end(&sooner), -ETIMEDOUT);
}

static int burn_eagerly(void *arg)
{
	burn(*(int64_t *)arg);
	return 5;
}

COIL_TEST(a_deadline_that_passes_in_an_eager_child_shows_when_its_parent_parks)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_timeout timeout = {0};
	int64_t began = coil_now(), ns = 2 * MS;
	struct coil_task *task;

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	task = coil_create_task_with(&eager, burn_eagerly, &ns);
	ck_assert(coil_done(task));
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_await(task), 5);
	ck_assert(!coil_timeout_expired(&timeout));
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	passed(began, 2 * MS);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(who_only_yields_hears_of_a_deadline_that_passed_before_the_first)
{
	struct coil_timeout timeout = {0};
	int yields = 0;

	ck_assert_int_eq(coil_timeout_begin(&timeout, MS), 0);
	burn(2 * MS);
	while (coil_yield() == 0)
		ck_assert_int_lt(++yields, 1000);
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(a_deadline_around_a_group_that_was_not_left_once_ends_it)
{
	int64_t began = coil_now(), limit = ahead();

	for (int i = 0; i < 2; i++) {
		struct coil_timeout timeout = {0};
		struct coil_group group = {0};

		ck_assert_int_eq(coil_timeout_begin(&timeout, i ? 100 * COIL_SECOND : limit), 0);
		ck_assert_int_eq(coil_group_create_task(&group, nap_long, NULL), 0);
		if (i)
			coil_group_cancel_after(&group, limit);
		ck_assert_int_eq(coil_group_wait(&group), i ? 0 : -ETIMEDOUT);
		passed(began, (i + 1) * limit);
		ck_assert_int_eq(coil_timeout_end(&timeout), i ? 0 : -ETIMEDOUT);
		ck_assert_uint_eq(coil__loop->timers.count, 0);
	}
}

Suite *suite(void)
{
	Suite *whole = suite_create("timeout_brief");
	TCase *tests = tcase_create("timeout_brief");

	tcase_add_test(tests, a_timeout_around_what_does_not_park_is_put_in_no_order);
	tcase_add_test(tests,
		       one_that_cannot_be_kept_is_refused_at_its_begin_and_not_later);
	tcase_add_test(tests,
		       equal_deadlines_are_noticed_in_the_order_in_which_they_were_begun);
	tcase_add_test(tests,
		       a_deadline_that_was_moved_before_the_first_park_is_where_it_was_moved_to);
	tcase_add_test(tests,
		       a_deadline_that_passes_in_an_eager_child_shows_when_its_parent_parks);
	tcase_add_test(tests,
		       who_only_yields_hears_of_a_deadline_that_passed_before_the_first);
	tcase_add_test(tests, a_deadline_around_a_group_that_was_not_left_once_ends_it);
	suite_add_tcase(whole, tests);
	return whole;
}
