/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/condition.h>

/* What all tasks of a test meet at. */
struct room {
	struct coil_lock lock;
	struct coil_condition condition;
	int count;
};

struct waiter {
	const char *name;
	struct room *room;
	int err;	/* of the wait; 1: it has not come back */
	int turns;	/* to hold the lock afterwards */
};

#define WAITER(n, r) { .name = (n), .room = (r), .err = 1 }

static bool holds(struct room *room)
{
	return coil_current_task() == room->lock.owner;
}

static int wait_once(void *arg)
{
	struct waiter *waiter = arg;
	struct room *room = waiter->room;
	int err = coil_lock_acquire(&room->lock);

	if (err)
		return err;
	waiter->err = coil_condition_wait(&room->condition, &room->lock);
	ck_assert(holds(room));
	trace("%s%s", waiter->name, waiter->err ? "!" : "");
	for (int i = 0; i < waiter->turns; i++)
		(void)!coil_yield();
	ck_assert_int_eq(coil_lock_release(&room->lock), 0);
	return waiter->err;
}

static void notify(struct room *room, size_t n)
{
	ck_assert_int_eq(coil_lock_acquire(&room->lock), 0);
	ck_assert_int_eq(coil_condition_notify(&room->condition, n), 0);
	ck_assert_int_eq(coil_lock_release(&room->lock), 0);
}

static void is_idle(struct room *room)
{
	ck_assert(!coil_lock_locked(&room->lock));
	ck_assert_ptr_null(room->lock.waiters.head);
	ck_assert_ptr_null(room->condition.waiters.head);
}

COIL_TEST(cond_001_one_waiter_a_release_returns_and_none_before)
{
	struct room room = {0};
	struct waiter waiters[] = {
		WAITER("1", &room), WAITER("2", &room), WAITER("3", &room),
	};
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++) {
		waiters[i].turns = 20;
		tasks[i] = start(wait_once, &waiters[i]);
	}
	settle();
	ck_assert(!coil_lock_locked(&room.lock));
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), 0);
	settle();
	traced("");
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	settle();
	traced("1");
	ck_assert_int_eq(coil_await(tasks[0]), 0);
	notify(&room, 2);
	settle();
	traced("2");
	ck_assert_int_eq(coil_gather(tasks + 1, 2, NULL), 0);
	traced("3");
	is_idle(&room);
}

COIL_TEST(notify_all_wakes_all_in_order_and_a_notify_without_waiters_nobody)
{
	struct room room = {0};
	struct waiter waiters[] = {
		WAITER("a", &room), WAITER("b", &room), WAITER("c", &room),
	};
	struct coil_task *tasks[3];

	notify(&room, 5);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(wait_once, &waiters[i]);
	settle();
	notify(&room, 0);
	settle();
	traced("");
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_notify_all(&room.condition), 0);
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("a b c");
	is_idle(&room);
}

static bool never(void *arg)
{
	(void)arg;
	ck_abort_msg("a predicate was asked without the lock");
	return false;
}

COIL_TEST(cond_003_without_the_lock_every_call_is_eperm)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -EPERM);
	ck_assert_int_eq(coil_condition_wait_until(&room.condition, &room.lock, never, NULL),
			 -EPERM);
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), -EPERM);
	ck_assert_int_eq(coil_condition_notify_all(&room.condition), -EPERM);
	settle();
	ck_assert_int_eq(waiter.err, 1);
	notify(&room, 1);
	ck_assert_int_eq(coil_await(task), 0);
	is_idle(&room);
}

static bool is_positive(void *arg)
{
	struct room *room = arg;

	ck_assert(holds(room));
	return room->count > 0;
}

static int wait_until_positive(void *arg)
{
	struct waiter *waiter = arg;
	struct room *room = waiter->room;
	int err = coil_lock_acquire(&room->lock);

	if (err)
		return err;
	waiter->err = coil_condition_wait_until(&room->condition, &room->lock, is_positive, room);
	ck_assert(holds(room));
	ck_assert_int_eq(coil_lock_release(&room->lock), 0);
	return waiter->err;
}

COIL_TEST(cond_004_wait_until_waits_on_while_its_predicate_is_false)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_until_positive, &waiter);

	settle();
	notify(&room, 1);
	settle();
	ck_assert_int_eq(waiter.err, 1);
	room.count = 1;
	settle();
	ck_assert_int_eq(waiter.err, 1);
	notify(&room, 1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_wait_until(&room.condition, &room.lock,
						   is_positive, &room), 0);
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	is_idle(&room);
}

COIL_TEST(cond_005_a_cancelled_waiter_has_the_lock_again_and_left_the_queue)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert(coil_cancel(task));
	ck_assert_ptr_null(room.condition.waiters.head);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	traced("w!");
	is_idle(&room);
}

COIL_TEST(a_wait_that_ran_out_of_time_has_the_lock_again)
{
	struct room room = {0};

	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	COIL_TIMEOUT(COIL_MILLISECOND) {
		ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -ETIMEDOUT);
		ck_assert(holds(&room));
		ck_assert_int_eq(coil_condition_wait_until(&room.condition, &room.lock,
							   is_positive, &room), -ETIMEDOUT);
		ck_assert(holds(&room));
	}
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	is_idle(&room);
}

/* The waiter was notified before the cancel, so the cancel shows at its next call. */
COIL_TEST(cond_006_a_notified_waiter_has_the_lock_again_though_cancelled)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), 0);
	settle();
	ck_assert(coil_cancel(task));
	settle();
	ck_assert(!coil_done(task));
	ck_assert(holds(&room));
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert_ptr_eq(room.lock.owner, task);
	ck_assert_int_eq(coil_await(task), 0);
	is_idle(&room);
}

COIL_TEST(cond_006_a_cancelled_waiter_waits_for_the_lock_all_the_same)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert(coil_cancel(task));
	settle();
	ck_assert(!coil_done(task));
	ck_assert(holds(&room));
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	is_idle(&room);
}

COIL_TEST(cond_007_a_notification_is_never_lost)
{
	struct room room = {0};
	struct waiter a = WAITER("a", &room), b = WAITER("b", &room);
	struct coil_task *first = start(wait_once, &a), *second = start(wait_once, &b);

	settle();
	/* Cancelled before it was chosen: the other is. */
	ck_assert(coil_cancel(first));
	notify(&room, 1);
	ck_assert_int_eq(coil_await(second), 0);
	ck_assert_int_eq(coil_await(first), -ECANCELED);
	traced("a! b");
	/* Chosen, and then cancelled: it returns 0, the other waits on. */
	first = start(wait_once, &a);
	second = start(wait_once, &b);
	settle();
	notify(&room, 1);
	ck_assert(coil_cancel(first));
	ck_assert_int_eq(coil_await(first), 0);
	traced("a");
	notify(&room, 1);
	ck_assert_int_eq(coil_await(second), 0);
	is_idle(&room);
}

COIL_TEST(cond_009_two_conditions_on_one_lock_agree_on_it)
{
	struct room room = {0};
	struct coil_condition other = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert(!coil_lock_locked(&room.lock));
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_notify(&other, 1), 0);
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), 0);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_condition_wait(&other, &room.lock), -ETIMEDOUT);
	ck_assert(coil_lock_locked(&room.lock));
	ck_assert_int_eq(waiter.err, 0);
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert_int_eq(coil_await(task), 0);
	is_idle(&room);
}

COIL_TEST(those_who_wait_together_must_have_one_lock)
{
	struct room room = {0};
	struct coil_lock other = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task = start(wait_once, &waiter);

	settle();
	ck_assert_int_eq(coil_lock_acquire(&other), 0);
	ck_assert_int_eq(coil_condition_wait(&room.condition, &other), -EINVAL);
	ck_assert(coil_lock_locked(&other));
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), -EPERM);
	notify(&room, 1);
	ck_assert_int_eq(coil_await(task), 0);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_condition_wait(&room.condition, &other), -ETIMEDOUT);
	ck_assert_int_eq(coil_lock_release(&other), 0);
}

static int wait_locked(void *arg)
{
	struct room *room = arg;
	int err;

	if (!holds(room))
		ck_assert_int_eq(coil_lock_acquire(&room->lock), 0);
	err = coil_condition_wait(&room->condition, &room->lock);
	ck_assert(holds(room));
	return err;
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static int wait_for_nothing(void *arg)
{
	struct room *room = arg;

	/* A free lock cannot be taken while a request is pending; try never asks. */
	if (!holds(room))
		ck_assert_int_eq(coil_lock_try_acquire(&room->lock), 0);
	return coil_condition_wait_until(&room->condition, &room->lock, always, NULL);
}

static int release(void *arg)
{
	struct room *room = arg;

	return holds(room) ? coil_lock_release(&room->lock) : 0;
}

static int wait_for_nothing_and_release(void *arg)
{
	int err = wait_for_nothing(arg);

	ck_assert_int_eq(release(arg), 0);
	return err;
}

COIL_TEST(a_pending_request_wins_though_the_predicate_is_true)
{
	struct room room = {0};

	refuses(wait_for_nothing_and_release, &room);
	is_idle(&room);
}

COIL_TEST(a_refused_wait_does_not_give_the_lock_up)
{
	struct room room = {0};
	struct waiter waiter = WAITER("w", &room);
	struct coil_task *task;

	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	task = start(wait_once, &waiter);
	settle();
	COIL_TIMEOUT(0)
		ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -ETIMEDOUT);
	ck_assert(holds(&room));
	ck_assert_ptr_null(room.condition.waiters.head);
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	is_idle(&room);
}

START_TEST(off_a_task_every_call_is_eperm)
{
	struct room room = {0};

	ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -EPERM);
	ck_assert_int_eq(coil_condition_wait_until(&room.condition, &room.lock, never, NULL),
			 -EPERM);
	ck_assert_int_eq(coil_condition_notify(&room.condition, 1), -EPERM);
	ck_assert_int_eq(coil_condition_notify_all(&room.condition), -EPERM);
}
END_TEST

static int wait_and_release(void *arg)
{
	int err = wait_locked(arg);

	ck_assert_int_eq(release(arg), 0);
	return err;
}

COIL_TEST(tasks_of_two_loops_cannot_wait_for_one_condition)
{
	struct room room = {0};
	struct abroad abroad;

	abroad_begin(&abroad, wait_and_release, &room);
	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -EXDEV);
	ck_assert(holds(&room));
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	is_idle(&room);
}

static int acquire(void *lock)
{
	return coil_lock_acquire(lock);
}

COIL_TEST(a_wait_that_cannot_give_the_lock_up_is_told)
{
	struct room room = {0};
	struct abroad abroad;

	ck_assert_int_eq(coil_lock_acquire(&room.lock), 0);
	abroad_begin(&abroad, acquire, &room.lock);
	ck_assert_int_eq(coil_condition_wait(&room.condition, &room.lock), -EXDEV);
	ck_assert(holds(&room));
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_lock_release(&room.lock), 0);
	is_idle(&room);
}

/*
 * At random: every unit that was made is consumed, by tasks that are cancelled
 * and run out of time all along.
 */

enum { CONSUMERS = 12, UNITS = 800 };

struct market {
	struct room room;
	uint64_t state;
	int consumed;
};

static int consume(void *arg)
{
	struct market *market = arg;
	struct room *room = &market->room;
	int err = coil_lock_acquire(&room->lock);

	while (!err) {
		COIL_TIMEOUT(roll(&market->state, 3) ? COIL_FOREVER : COIL_MICROSECOND)
			err = coil_condition_wait_until(&room->condition, &room->lock,
							is_positive, room);
		ck_assert(holds(room));
		if (!err) {
			room->count--;
			market->consumed++;
		}
		if (err == -ETIMEDOUT)
			err = 0;
		ck_assert_int_eq(coil_lock_release(&room->lock), 0);
		if (!err)
			err = coil_lock_acquire(&room->lock);
	}
	return err;
}

COIL_TEST(at_random_no_notification_is_lost)
{
	struct market market = { .state = roll_begin() };
	struct coil_task *tasks[CONSUMERS];

	for (int i = 0; i < CONSUMERS; i++)
		tasks[i] = start(consume, &market);
	for (int i = 0; i < UNITS; i++) {
		int victim = (int)roll(&market.state, CONSUMERS);

		ck_assert_int_eq(coil_lock_acquire(&market.room.lock), 0);
		market.room.count++;
		ck_assert_int_eq(coil_condition_notify(&market.room.condition, 1), 0);
		ck_assert_int_eq(coil_lock_release(&market.room.lock), 0);
		if (roll(&market.state, 4) == 0) {
			coil_cancel(tasks[victim]);
			ck_assert_int_eq(coil_await(tasks[victim]), -ECANCELED);
			tasks[victim] = start(consume, &market);
		}
	}
	for (int i = 0; i < 1000 && market.consumed < UNITS; i++)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(market.consumed, UNITS);
	for (int i = 0; i < CONSUMERS; i++) {
		coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	}
	is_idle(&market.room);
}

Suite *suite(void)
{
	Suite *whole = suite_create("condition");
	TCase *tests = tcase_create("condition");

	tcase_add_test(tests, cond_001_one_waiter_a_release_returns_and_none_before);
	tcase_add_test(tests, notify_all_wakes_all_in_order_and_a_notify_without_waiters_nobody);
	tcase_add_test(tests, cond_003_without_the_lock_every_call_is_eperm);
	tcase_add_test(tests, cond_004_wait_until_waits_on_while_its_predicate_is_false);
	tcase_add_test(tests, cond_005_a_cancelled_waiter_has_the_lock_again_and_left_the_queue);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_has_the_lock_again);
	tcase_add_test(tests, cond_006_a_notified_waiter_has_the_lock_again_though_cancelled);
	tcase_add_test(tests, cond_006_a_cancelled_waiter_waits_for_the_lock_all_the_same);
	tcase_add_test(tests, cond_007_a_notification_is_never_lost);
	tcase_add_test(tests, cond_009_two_conditions_on_one_lock_agree_on_it);
	tcase_add_test(tests, those_who_wait_together_must_have_one_lock);
	tcase_add_test(tests, a_pending_request_wins_though_the_predicate_is_true);
	tcase_add_test(tests, a_refused_wait_does_not_give_the_lock_up);
	tcase_add_test(tests, off_a_task_every_call_is_eperm);
	tcase_add_test(tests, tasks_of_two_loops_cannot_wait_for_one_condition);
	tcase_add_test(tests, a_wait_that_cannot_give_the_lock_up_is_told);
	tcase_add_test(tests, at_random_no_notification_is_lost);
	suite_add_tcase(whole, tests);
	return whole;
}
