/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/lock.h>

/* A task that takes the lock, holds it for some turns, and gives it back. */
struct worker {
	const char *name;
	struct coil_lock *lock;
	int turns;
	int err;	/* of the acquire */
	int then;	/* what the first turn said */
};

#define WORKER(n, l, t) { .name = (n), .lock = (l), .turns = (t), .err = 1 }

static int work(void *arg)
{
	struct worker *worker = arg;

	worker->err = coil_lock_acquire(worker->lock);
	trace("%s%s", worker->name, worker->err ? "!" : "");
	if (worker->err)
		return worker->err;
	for (int i = 0; i < worker->turns; i++) {
		int err = coil_yield();

		if (!i)
			worker->then = err;
	}
	ck_assert(coil_lock_locked(worker->lock));
	ck_assert_int_eq(coil_lock_release(worker->lock), 0);
	return 0;
}

static int acquire(void *lock)
{
	return coil_lock_acquire(lock);
}

static void is_free(struct coil_lock *lock)
{
	ck_assert(!coil_lock_locked(lock));
	ck_assert_ptr_null(lock->waiters.head);
	ck_assert_ptr_null(lock->waiters.tail);
	ck_assert_int_eq(coil_lock_try_acquire(lock), 0);
	ck_assert_int_eq(coil_lock_release(lock), 0);
}

COIL_TEST(a_free_lock_is_taken_without_a_switch)
{
	struct coil_lock lock = {0};
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	ck_assert(!coil_lock_locked(&lock));
	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	ck_assert(coil_lock_locked(&lock));
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert(!ran);
	is_free(&lock);
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(waiters_get_the_lock_in_the_order_in_which_they_came)
{
	struct coil_lock lock = {0};
	struct worker workers[] = {
		WORKER("a", &lock, 3), WORKER("b", &lock, 0),
		WORKER("c", &lock, 1), WORKER("d", &lock, 2),
	};
	struct coil_task *tasks[4];

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	for (int i = 0; i < 4; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	traced("");
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert_int_eq(coil_gather(tasks, 4, NULL), 0);
	traced("a b c d");
	is_free(&lock);
}

COIL_TEST(lock_003_release_hands_over_before_the_holder_can_barge)
{
	struct coil_lock lock = {0};
	struct worker waiter = WORKER("waiter", &lock, 1);
	struct coil_task *task;

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	task = start(work, &waiter);
	settle();
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert(coil_lock_locked(&lock));
	ck_assert_int_eq(coil_lock_try_acquire(&lock), -EAGAIN);
	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	trace("holder");
	traced("waiter holder");
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert_int_eq(coil_await(task), 0);
	is_free(&lock);
}

/* Two wait: the first is cancelled right before or right after the release. */
static void race(bool cancel_first, struct worker workers[2])
{
	struct coil_lock lock = {0};
	struct coil_task *b, *c;
	int result;

	workers[0] = (struct worker)WORKER("b", &lock, 1);
	workers[1] = (struct worker)WORKER("c", &lock, 1);
	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	b = start(work, &workers[0]);
	c = start(work, &workers[1]);
	settle();
	if (cancel_first)
		ck_assert(coil_cancel(b));
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	if (!cancel_first)
		ck_assert(coil_cancel(b));
	ck_assert(coil_lock_locked(&lock));
	ck_assert_int_eq(coil_join(b, &result), 0);
	ck_assert_int_eq(result, workers[0].err);
	ck_assert_int_eq(coil_await(c), 0);
	is_free(&lock);
}

COIL_TEST(lock_005_a_cancel_in_the_pass_of_the_release_loses_nothing)
{
	struct worker workers[2];

	race(false, workers);
	ck_assert_int_eq(workers[0].err, 0);
	ck_assert_int_eq(workers[1].err, 0);
	traced("b c");
	race(true, workers);
	ck_assert_int_eq(workers[0].err, -ECANCELED);
	ck_assert_int_eq(workers[1].err, 0);
}

COIL_TEST(lock_006_a_cancel_and_one_release_wake_exactly_one)
{
	struct coil_lock lock = {0};
	struct worker workers[] = {
		WORKER("a", &lock, 50), WORKER("b", &lock, 50), WORKER("c", &lock, 50),
	};
	struct coil_task *tasks[3];
	int results[3];

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	settle();
	ck_assert(strcmp(trace_text, "a! b") == 0 || strcmp(trace_text, "b a!") == 0);
	ck_assert_int_eq(coil_gather(tasks, 3, results), 0);
	ck_assert_int_eq(results[0], -ECANCELED);
	ck_assert_int_eq(results[1], 0);
	ck_assert_int_eq(results[2], 0);
	is_free(&lock);
}

COIL_TEST(lock_007_a_lock_handed_over_is_held_and_the_cancel_shows_later)
{
	struct worker workers[2];

	race(false, workers);
	ck_assert_int_eq(workers[0].err, 0);
	ck_assert_int_eq(workers[0].then, -ECANCELED);
	ck_assert_int_eq(workers[1].err, 0);
	ck_assert_int_eq(workers[1].then, 0);
}

COIL_TEST(lock_008_a_free_lock_cannot_be_released_and_stays_usable)
{
	struct coil_lock lock = {0};

	ck_assert_int_eq(coil_lock_release(&lock), -EPERM);
	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert_int_eq(coil_lock_release(&lock), -EPERM);
	is_free(&lock);
}

static int release_of_another(void *lock)
{
	ck_assert_int_eq(coil_lock_release(lock), -EPERM);
	ck_assert_int_eq(coil_lock_try_acquire(lock), -EAGAIN);
	return 0;
}

COIL_TEST(a_stranger_cannot_release_and_the_owner_cannot_take_it_twice)
{
	struct coil_lock lock = {0};

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	ck_assert_int_eq(coil_await(start(release_of_another, &lock)), 0);
	ck_assert_int_eq(coil_lock_acquire(&lock), -EDEADLK);
	ck_assert_int_eq(coil_lock_try_acquire(&lock), -EDEADLK);
	ck_assert(coil_lock_locked(&lock));
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	is_free(&lock);
}

COIL_TEST(lock_009_tasks_of_two_loops_cannot_wait_for_one_lock)
{
	struct coil_lock lock = {0};
	struct abroad abroad;

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	abroad_begin(&abroad, acquire, &lock);
	ck_assert_int_eq(coil_await(start(acquire, &lock)), -EXDEV);
	ck_assert_int_eq(coil_lock_release(&lock), -EXDEV);
	ck_assert_int_eq(coil_lock_acquire(&lock), -EDEADLK);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	is_free(&lock);
}

START_TEST(off_a_task_every_call_is_eperm)
{
	struct coil_lock lock = {0};

	ck_assert_int_eq(coil_lock_acquire(&lock), -EPERM);
	ck_assert_int_eq(coil_lock_try_acquire(&lock), -EPERM);
	ck_assert_int_eq(coil_lock_release(&lock), -EPERM);
	ck_assert(!coil_lock_locked(&lock));
}
END_TEST

COIL_TEST(a_pending_request_wins_though_the_lock_is_free)
{
	struct coil_lock lock = {0};

	refuses(acquire, &lock);
	is_free(&lock);
}

COIL_TEST(a_wait_that_ran_out_of_time_has_left_the_queue)
{
	struct coil_lock lock = {0};
	struct worker worker = WORKER("w", &lock, 0);
	struct coil_task *task;
	int64_t begun = coil_now();
	int result;

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	task = start(work, &worker);
	ck_assert_int_eq(coil_wait_for(task, 5 * COIL_MILLISECOND), -ETIMEDOUT);
	passed(begun, 5 * COIL_MILLISECOND);
	ck_assert_ptr_null(lock.waiters.head);
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	is_free(&lock);
	task = start(work, &worker);
	ck_assert_int_eq(coil_join(task, &result), 0);
	ck_assert_int_eq(result, 0);
}

COIL_TEST(a_waiter_cancelled_in_the_middle_leaves_the_others_in_order)
{
	struct coil_lock lock = {0};
	struct worker workers[] = {
		WORKER("a", &lock, 0), WORKER("b", &lock, 0), WORKER("c", &lock, 0),
	};
	struct coil_task *tasks[3];
	int results[3];

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	ck_assert(coil_cancel(tasks[1]));
	settle();
	ck_assert_int_eq(coil_lock_release(&lock), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, results), 0);
	traced("b! a c");
	is_free(&lock);
}

/*
 * Many tasks, cancelled at random, never two of them inside.
 */

enum { CROWD = 24, ROUNDS = 60 };

struct crowd {
	struct coil_lock lock;
	uint64_t state;
	int inside;
	int entered;
};

static int jostle(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int err = coil_lock_acquire(&crowd->lock);

		if (err)
			return err;
		crowd->entered++;
		ck_assert_int_eq(++crowd->inside, 1);
		for (unsigned turns = roll(&crowd->state, 3); turns; turns--)
			(void)!coil_yield();
		ck_assert_int_eq(crowd->inside--, 1);
		ck_assert_int_eq(coil_lock_release(&crowd->lock), 0);
		if (roll(&crowd->state, 2) && (err = coil_yield()))
			return err;
	}
	return 0;
}

COIL_TEST(among_many_that_are_cancelled_at_random_one_at_a_time_has_it)
{
	struct crowd crowd = { .state = roll_begin() };
	struct coil_task *tasks[CROWD];
	int results[CROWD];

	for (int i = 0; i < CROWD; i++)
		tasks[i] = start(jostle, &crowd);
	for (int i = 0; i < CROWD / 2; i++) {
		for (unsigned turns = roll(&crowd.state, 40); turns; turns--)
			ck_assert_int_eq(coil_yield(), 0);
		coil_cancel(tasks[roll(&crowd.state, CROWD)]);
	}
	ck_assert_int_eq(coil_gather(tasks, CROWD, results), 0);
	for (int i = 0; i < CROWD; i++)
		ck_assert(results[i] == 0 || results[i] == -ECANCELED);
	ck_assert_int_ge(crowd.entered, ROUNDS * CROWD / 2);
	is_free(&crowd.lock);
}

Suite *suite(void)
{
	Suite *whole = suite_create("lock");
	TCase *tests = tcase_create("lock");

	tcase_add_test(tests, a_free_lock_is_taken_without_a_switch);
	tcase_add_test(tests, waiters_get_the_lock_in_the_order_in_which_they_came);
	tcase_add_test(tests, lock_003_release_hands_over_before_the_holder_can_barge);
	tcase_add_test(tests, lock_005_a_cancel_in_the_pass_of_the_release_loses_nothing);
	tcase_add_test(tests, lock_006_a_cancel_and_one_release_wake_exactly_one);
	tcase_add_test(tests, lock_007_a_lock_handed_over_is_held_and_the_cancel_shows_later);
	tcase_add_test(tests, lock_008_a_free_lock_cannot_be_released_and_stays_usable);
	tcase_add_test(tests, a_stranger_cannot_release_and_the_owner_cannot_take_it_twice);
	tcase_add_test(tests, lock_009_tasks_of_two_loops_cannot_wait_for_one_lock);
	tcase_add_test(tests, off_a_task_every_call_is_eperm);
	tcase_add_test(tests, a_pending_request_wins_though_the_lock_is_free);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_has_left_the_queue);
	tcase_add_test(tests, a_waiter_cancelled_in_the_middle_leaves_the_others_in_order);
	tcase_add_test(tests, among_many_that_are_cancelled_at_random_one_at_a_time_has_it);
	suite_add_tcase(whole, tests);
	return whole;
}
