/* SPDX-License-Identifier: MIT */
#include "tests/events.h"
#include <coil/socket.h>
#include <stdlib.h>

/*
 * What plain and shared events have in common: each test runs for both.
 */

#define EITHER(name)						\
	static void name##_either(bool shared);			\
	COIL_TEST(name)						\
	{							\
		name##_either(false);				\
		alone();					\
		name##_either(true);				\
		alone();					\
	}							\
	static void name##_either(bool shared)

EITHER(event_001_who_comes_after_the_set_passes_and_waiters_follow)
{
	struct coil_event event;
	struct waiter waiters[] = {
		WAITER("1", &event), WAITER("2", &event), WAITER("3", &event),
	};
	struct coil_task *tasks[3];

	ck_assert_int_eq(open_either(&event, shared), 0);
	tasks[0] = start(wait_for, &waiters[0]);
	tasks[1] = start(wait_for, &waiters[1]);
	settle();
	traced("");
	tasks[2] = start(wait_for, &waiters[2]);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("3 1 2");
	close_either(&event);
}

EITHER(event_002_a_wait_for_a_set_event_does_not_switch)
{
	struct coil_event event;
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	ck_assert_int_eq(open_either(&event, shared), 0);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert(coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert(!ran);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_await(other), 0);
	close_either(&event);
}

EITHER(event_003_a_waiter_wakes_once_though_the_event_is_cleared_at_once)
{
	struct coil_event event;
	struct waiter waiter = WAITER("w", &event);
	struct coil_task *task;

	ck_assert_int_eq(open_either(&event, shared), 0);
	task = start(wait_for, &waiter);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(waiter.times, 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(waiter.times, 1);
	close_either(&event);
}

EITHER(all_who_wait_are_woken_by_a_set_that_is_cleared_before_they_run)
{
	struct coil_event event;
	struct waiter waiters[5] = {
		WAITER("a", &event), WAITER("b", &event), WAITER("c", &event),
		WAITER("d", &event), WAITER("e", &event),
	};
	struct coil_task *tasks[5];

	ck_assert_int_eq(open_either(&event, shared), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			tasks[i] = start(wait_for, &waiters[i]);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		ck_assert_int_eq(coil_event_set(&event), 0);
		ck_assert_int_eq(coil_event_clear(&event), 0);
		ck_assert_int_eq(coil_gather(tasks, 5, NULL), 0);
		traced("a b c d e");
	}
	close_either(&event);
}

EITHER(event_005_a_cancelled_waiter_has_left_unless_the_set_came_first)
{
	struct coil_event event;
	struct waiter early = WAITER("early", &event), late = WAITER("late", &event);
	struct coil_task *a, *b;

	ck_assert_int_eq(open_either(&event, shared), 0);
	a = start(wait_for, &early);
	b = start(wait_for, &late);
	settle();
	ck_assert(coil_cancel(a));
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert(coil_cancel(b));
	ck_assert_ptr_null(event.waiters.head);
	ck_assert_int_eq(coil_await(a), -ECANCELED);
	ck_assert_int_eq(coil_await(b), 0);
	ck_assert_int_eq(early.err, -ECANCELED);
	ck_assert_int_eq(late.err, 0);
	close_either(&event);
}

EITHER(the_last_waiter_that_leaves_leaves_nothing_behind)
{
	struct coil_event event;
	struct waiter waiters[2] = { WAITER("a", &event), WAITER("b", &event) };
	struct coil_task *a, *b;

	ck_assert_int_eq(open_either(&event, shared), 0);
	a = start(wait_for, &waiters[0]);
	b = start(wait_for, &waiters[1]);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(coil_cancel(b));
	ck_assert_int_eq(coil_await(b), -ECANCELED);
	ck_assert(shared == (event.watcher != NULL));
	ck_assert(coil_cancel(a));
	ck_assert_int_eq(coil_await(a), -ECANCELED);
	alone();
	close_either(&event);
}

EITHER(a_wait_that_ran_out_of_time_can_be_begun_again)
{
	struct coil_event event;
	int64_t begun = coil_now();
	struct coil_task *task;

	ck_assert_int_eq(open_either(&event, shared), 0);
	for (int i = 0; i < 3; i++) {
		COIL_TIMEOUT(2 * COIL_MILLISECOND)
			ck_assert_int_eq(coil_event_wait(&event), -ETIMEDOUT);
	}
	passed(begun, 6 * COIL_MILLISECOND);
	task = start(wait_event, &event);
	settle();
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_await(task), 0);
	close_either(&event);
}

EITHER(a_pending_request_wins_though_the_event_is_set)
{
	struct coil_event event;

	ck_assert_int_eq(open_either(&event, shared), 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	refuses(wait_event, &event);
	ck_assert(coil_event_is_set(&event));
	close_either(&event);
}

/* What is freed is the event; ASan, or the pattern, tells who still looks. */
EITHER(an_event_may_go_as_soon_as_it_was_set)
{
	struct coil_event *event = malloc(sizeof(*event));
	struct waiter a, b;
	struct coil_task *tasks[2];
	int fd;

	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(open_either(event, shared), 0);
	fd = event->fd;
	a = b = (struct waiter)WAITER("w", event);
	tasks[0] = start(wait_for, &a);
	tasks[1] = start(wait_for, &b);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_event_set(event), 0);
	memset(event, 0xa5, sizeof(*event));
	free(event);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	if (shared)
		ck_assert_int_eq(coil_close(fd), 0);
}

static int wait_on_own_stack(void *arg)
{
	struct coil_event event;
	int err;

	ck_assert_int_eq(open_either(&event, *(bool *)arg), 0);
	err = coil_event_wait(&event);
	close_either(&event);
	memset(&event, 0xa5, sizeof(event));
	return err;
}

EITHER(an_event_may_lie_on_the_stack_of_the_one_who_waits)
{
	struct coil_task *tasks[10];

	for (int i = 0; i < 10; i++)
		tasks[i] = start(wait_on_own_stack, &shared);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert(coil_cancel(tasks[i]));
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
		ck_assert_int_eq(coil_yield(), 0);
	}
}

static void off_a_task(bool shared)
{
	struct coil_event event;

	ck_assert_int_eq(open_either(&event, shared), 0);
	ck_assert_int_eq(coil_event_wait(&event), -EPERM);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert(coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_wait(&event), -EPERM);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert(!coil_event_is_set(&event));
	close_either(&event);
}

START_TEST(off_a_task_an_event_can_be_set_but_not_waited_for)
{
	off_a_task(false);
	off_a_task(true);
}
END_TEST

COIL_TEST(tasks_of_two_loops_cannot_wait_for_one_plain_event)
{
	struct coil_event event = {0};
	struct abroad abroad;

	abroad_begin(&abroad, wait_event, &event);
	ck_assert_int_eq(coil_event_wait(&event), -EXDEV);
	ck_assert_int_eq(coil_event_set(&event), -EXDEV);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_event_set(&event), 0);
}

/*
 * At random: whoever waits when its own loop sets the event, and was not
 * cancelled before, returns 0.
 */

enum { SWARM = 16, STEPS = 4000 };

struct bee {
	struct coil_event *event;
	struct coil_task *task;
	bool waiting;
	bool owed;
};

static int buzz(void *arg)
{
	struct bee *bee = arg;
	int err;

	bee->waiting = true;
	err = coil_event_wait(bee->event);
	bee->waiting = false;
	ck_assert(err == 0 || err == -ECANCELED);
	ck_assert(!bee->owed || err == 0);
	return err;
}

static void disturb(struct coil_event *event, struct bee bees[], uint64_t *state)
{
	struct bee *bee = &bees[roll(state, SWARM)];

	switch (roll(state, 6)) {
	case 0:
		for (int i = 0; i < SWARM; i++)
			bees[i].owed |= bees[i].waiting;
		ck_assert_int_eq(coil_event_set(event), 0);
		break;
	case 1:
		ck_assert_int_eq(coil_event_clear(event), 0);
		break;
	case 2:
		if (bee->task && !bee->owed)
			bee->waiting = !coil_cancel(bee->task) && bee->waiting;
		break;
	default:
		ck_assert_int_eq(coil_yield(), 0);
	}
}

EITHER(at_random_no_set_is_missed_by_those_who_wait)
{
	struct bee bees[SWARM] = {0};
	uint64_t state = roll_begin();
	struct coil_event event;

	ck_assert_int_eq(open_either(&event, shared), 0);
	for (int step = 0; step < STEPS; step++) {
		struct bee *bee = &bees[roll(&state, SWARM)];

		if (bee->task && coil_done(bee->task)) {
			(void)coil_await(bee->task);
			bee->task = NULL;
		}
		if (!bee->task) {
			*bee = (struct bee){ .event = &event };
			bee->task = start(buzz, bee);
		}
		disturb(&event, bees, &state);
	}
	for (int i = 0; i < SWARM; i++) {
		if (bees[i].task) {
			coil_cancel(bees[i].task);
			(void)coil_await(bees[i].task);
		}
	}
	close_either(&event);
}

Suite *suite(void)
{
	Suite *whole = suite_create("event");
	TCase *tests = tcase_create("event");

	tcase_add_test(tests, event_001_who_comes_after_the_set_passes_and_waiters_follow);
	tcase_add_test(tests, event_002_a_wait_for_a_set_event_does_not_switch);
	tcase_add_test(tests, event_003_a_waiter_wakes_once_though_the_event_is_cleared_at_once);
	tcase_add_test(tests, all_who_wait_are_woken_by_a_set_that_is_cleared_before_they_run);
	tcase_add_test(tests, event_005_a_cancelled_waiter_has_left_unless_the_set_came_first);
	tcase_add_test(tests, the_last_waiter_that_leaves_leaves_nothing_behind);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_can_be_begun_again);
	tcase_add_test(tests, a_pending_request_wins_though_the_event_is_set);
	tcase_add_test(tests, an_event_may_go_as_soon_as_it_was_set);
	tcase_add_test(tests, an_event_may_lie_on_the_stack_of_the_one_who_waits);
	tcase_add_test(tests, off_a_task_an_event_can_be_set_but_not_waited_for);
	tcase_add_test(tests, tasks_of_two_loops_cannot_wait_for_one_plain_event);
	tcase_add_test(tests, at_random_no_set_is_missed_by_those_who_wait);
	suite_add_tcase(whole, tests);
	return whole;
}
