/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/semaphore.h>
#include <limits.h>

/* A task that takes a permit and, after some turns, gives it back or keeps it. */
struct worker {
	const char *name;
	struct coil_semaphore *semaphore;
	bool keep;
	int err;	/* of the acquire; 1: it has not come back */
	int then;	/* what the first turn said */
};

#define WORKER(n, s) { .name = (n), .semaphore = (s), .err = 1 }

static int work(void *arg)
{
	struct worker *worker = arg;

	worker->err = coil_semaphore_acquire(worker->semaphore);
	trace("%s%s", worker->name, worker->err ? "!" : "");
	if (worker->err)
		return worker->err;
	worker->then = coil_yield();
	return worker->keep ? 0 : coil_semaphore_release(worker->semaphore);
}

static int acquire(void *semaphore)
{
	return coil_semaphore_acquire(semaphore);
}

static void has(struct coil_semaphore *semaphore, long value)
{
	ck_assert_int_eq(semaphore->value, value);
	ck_assert(coil_semaphore_locked(semaphore) == (value <= 0));
	ck_assert_ptr_null(semaphore->waiters.head);
	ck_assert_ptr_null(semaphore->waiters.tail);
}

COIL_TEST(sem_001_zero_is_locked_one_is_not_and_less_is_refused)
{
	struct coil_semaphore none = COIL_SEMAPHORE(0), zeroed = {0};
	struct coil_semaphore one = COIL_SEMAPHORE(1), less = COIL_SEMAPHORE(-1);
	struct coil_semaphore bounded = COIL_BOUNDED_SEMAPHORE(-1);

	has(&none, 0);
	has(&zeroed, 0);
	ck_assert_int_eq(coil_semaphore_try_acquire(&none), -EAGAIN);
	has(&one, 1);
	ck_assert_int_eq(coil_semaphore_acquire(&one), 0);
	has(&one, 0);
	ck_assert_int_eq(coil_semaphore_release(&one), 0);
	has(&one, 1);
	ck_assert_int_eq(coil_semaphore_acquire(&less), -EINVAL);
	ck_assert_int_eq(coil_semaphore_try_acquire(&less), -EINVAL);
	ck_assert_int_eq(coil_semaphore_release(&less), -EINVAL);
	ck_assert_int_eq(coil_semaphore_acquire(&bounded), -EINVAL);
	ck_assert_int_eq(coil_semaphore_release(&bounded), -EINVAL);
	has(&less, -1);
	has(&bounded, -1);
}

COIL_TEST(sem_002_as_many_pass_as_permits_are_given_back)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(3);
	struct worker workers[] = {
		WORKER("1", &semaphore), WORKER("2", &semaphore),
		WORKER("3", &semaphore), WORKER("4", &semaphore),
	};
	struct coil_task *tasks[4];

	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	ck_assert(!coil_semaphore_locked(&semaphore));
	for (int i = 0; i < 4; i++)
		workers[i].keep = true;
	for (int i = 0; i < 3; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	traced("1");
	ck_assert_int_eq(semaphore.value, 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert_int_eq(semaphore.value, 0);
	tasks[3] = start(work, &workers[3]);
	settle();
	traced("2 3");
	ck_assert_int_eq(semaphore.value, 0);
	ck_assert(coil_cancel(tasks[3]));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
	ck_assert_int_eq(coil_await(tasks[3]), -ECANCELED);
	has(&semaphore, 0);
}

COIL_TEST(sem_004_a_release_right_after_a_cancel_goes_to_the_next)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(0);
	struct worker workers[] = { WORKER("1", &semaphore), WORKER("2", &semaphore) };
	struct coil_task *tasks[2];
	int results[2];

	workers[1].keep = true;
	for (int i = 0; i < 2; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert(coil_semaphore_locked(&semaphore));
	ck_assert_int_eq(coil_gather(tasks, 2, results), 0);
	ck_assert_int_eq(results[0], -ECANCELED);
	ck_assert_int_eq(results[1], 0);
	has(&semaphore, 0);
}

COIL_TEST(sem_005_a_permit_handed_over_is_held_though_cancelled)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(0);
	struct worker worker = WORKER("w", &semaphore);
	struct coil_task *task = start(work, &worker);

	settle();
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(worker.err, 0);
	ck_assert_int_eq(worker.then, -ECANCELED);
	has(&semaphore, 1);
	COIL_TIMEOUT(COIL_SECOND)
		ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	has(&semaphore, 0);
}

COIL_TEST(sem_006_a_bounded_one_that_has_all_permits_takes_none)
{
	struct coil_semaphore semaphore = COIL_BOUNDED_SEMAPHORE(2);
	struct coil_semaphore none = COIL_BOUNDED_SEMAPHORE(0);

	ck_assert_int_eq(coil_semaphore_release(&semaphore), -ERANGE);
	has(&semaphore, 2);
	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), -ERANGE);
	has(&semaphore, 2);
	ck_assert_int_eq(coil_semaphore_release(&none), -ERANGE);
	has(&none, 0);
}

COIL_TEST(one_without_bound_takes_as_many_as_can_be_counted)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(LONG_MAX - 1);

	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), -ERANGE);
	has(&semaphore, LONG_MAX);
}

static int take_turns(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_semaphore_acquire(worker->semaphore), 0);
		trace("%s", worker->name);
		ck_assert_int_eq(coil_sleep(10 * COIL_MILLISECOND), 0);
		ck_assert(coil_semaphore_locked(worker->semaphore));
		ck_assert_int_eq(coil_semaphore_release(worker->semaphore), 0);
	}
	return 0;
}

COIL_TEST(sem_007_newcomers_queue_behind_those_who_wait)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(1);
	struct worker workers[] = {
		WORKER("c1", &semaphore), WORKER("c2", &semaphore), WORKER("c3", &semaphore),
	};
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start(take_turns, &workers[i]);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("c1 c2 c3 c1 c2 c3");
	has(&semaphore, 1);
}

COIL_TEST(nobody_barges_past_a_waiter)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(1);
	struct worker worker = WORKER("waiter", &semaphore);
	struct coil_task *task;

	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	task = start(work, &worker);
	settle();
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_try_acquire(&semaphore), -EAGAIN);
	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), 0);
	trace("main");
	traced("waiter main");
	ck_assert_int_eq(coil_await(task), 0);
	has(&semaphore, 0);
}

COIL_TEST(a_wait_that_ran_out_of_time_took_no_permit)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(0);

	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_semaphore_acquire(&semaphore), -ETIMEDOUT);
	has(&semaphore, 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	has(&semaphore, 1);
}

COIL_TEST(a_pending_request_wins_though_a_permit_is_free)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(1);

	refuses(acquire, &semaphore);
	has(&semaphore, 1);
}

START_TEST(off_a_task_only_an_acquire_is_eperm)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(1);

	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), -EPERM);
	ck_assert_int_eq(coil_semaphore_try_acquire(&semaphore), 0);
	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), -EPERM);
	ck_assert_int_eq(coil_semaphore_try_acquire(&semaphore), -EAGAIN);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	has(&semaphore, 1);
}
END_TEST

COIL_TEST(tasks_of_two_loops_cannot_wait_for_one_semaphore)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(0);
	struct abroad abroad;

	abroad_begin(&abroad, acquire, &semaphore);
	ck_assert_int_eq(coil_semaphore_acquire(&semaphore), -EXDEV);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), -EXDEV);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	has(&semaphore, 0);
	ck_assert_int_eq(coil_semaphore_release(&semaphore), 0);
	has(&semaphore, 1);
}

/*
 * At random: permits are neither lost nor multiplied.
 */

enum { CROWD = 24, ROUNDS = 60, PERMITS = 3 };

struct crowd {
	struct coil_semaphore semaphore;
	uint64_t state;
	int inside;
};

static int jostle(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int err = 0;

		COIL_TIMEOUT(roll(&crowd->state, 4) ? COIL_FOREVER : COIL_MICROSECOND)
			err = coil_semaphore_acquire(&crowd->semaphore);
		if (err == -ETIMEDOUT)
			continue;
		if (err)
			return err;
		ck_assert_int_le(++crowd->inside, PERMITS);
		for (unsigned turns = roll(&crowd->state, 3); turns; turns--)
			(void)!coil_yield();
		crowd->inside--;
		ck_assert_int_eq(coil_semaphore_release(&crowd->semaphore), 0);
	}
	return 0;
}

COIL_TEST(at_random_no_permit_is_lost_or_made)
{
	struct crowd crowd = {
		.semaphore = COIL_BOUNDED_SEMAPHORE(PERMITS), .state = roll_begin(),
	};
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
	has(&crowd.semaphore, PERMITS);
}

Suite *suite(void)
{
	Suite *whole = suite_create("semaphore");
	TCase *tests = tcase_create("semaphore");

	tcase_add_test(tests, sem_001_zero_is_locked_one_is_not_and_less_is_refused);
	tcase_add_test(tests, sem_002_as_many_pass_as_permits_are_given_back);
	tcase_add_test(tests, sem_004_a_release_right_after_a_cancel_goes_to_the_next);
	tcase_add_test(tests, sem_005_a_permit_handed_over_is_held_though_cancelled);
	tcase_add_test(tests, sem_006_a_bounded_one_that_has_all_permits_takes_none);
	tcase_add_test(tests, one_without_bound_takes_as_many_as_can_be_counted);
	tcase_add_test(tests, sem_007_newcomers_queue_behind_those_who_wait);
	tcase_add_test(tests, nobody_barges_past_a_waiter);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_took_no_permit);
	tcase_add_test(tests, a_pending_request_wins_though_a_permit_is_free);
	tcase_add_test(tests, off_a_task_only_an_acquire_is_eperm);
	tcase_add_test(tests, tasks_of_two_loops_cannot_wait_for_one_semaphore);
	tcase_add_test(tests, at_random_no_permit_is_lost_or_made);
	suite_add_tcase(whole, tests);
	return whole;
}
