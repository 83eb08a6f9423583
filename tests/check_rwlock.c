/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/rwlock.h>

/* A task that takes the lock to read, or to write, and holds it for some turns. */
struct worker {
	const char *name;
	struct coil_rwlock *lock;
	bool write;
	int turns;
	int err;	/* of the acquire; 1: it has not come back */
	int then;	/* what the first turn said */
};

#define READER(n, l) { .name = (n), .lock = (l), .err = 1, .turns = 3 }
#define WRITER(n, l) { .name = (n), .lock = (l), .write = true, .err = 1, .turns = 3 }

static int work(void *arg)
{
	struct worker *worker = arg;
	struct coil_rwlock *lock = worker->lock;

	worker->err = worker->write ? coil_rwlock_write(lock) : coil_rwlock_read(lock);
	trace("%s%s", worker->name, worker->err ? "!" : "");
	if (worker->err)
		return worker->err;
	for (int i = 0; i < worker->turns; i++) {
		int err = coil_yield();

		if (!i)
			worker->then = err;
		if (worker->write)
			ck_assert(lock->writer == coil_current_task() && !lock->readers);
		else
			ck_assert(!lock->writer && lock->readers);
	}
	trace("/%s", worker->name);
	return coil_rwlock_release(lock);
}

static int read_lock(void *lock)
{
	return coil_rwlock_read(lock);
}

static int write_lock(void *lock)
{
	return coil_rwlock_write(lock);
}

static void is_free(struct coil_rwlock *lock)
{
	ck_assert_ptr_null(lock->writer);
	ck_assert_uint_eq(lock->readers, 0);
	ck_assert_ptr_null(lock->waiters.head);
	ck_assert_ptr_null(lock->waiters.tail);
}

static void run_all(struct worker workers[], int n)
{
	struct coil_task *tasks[8];

	for (int i = 0; i < n; i++)
		tasks[i] = start(work, &workers[i]);
	ck_assert_int_eq(coil_gather(tasks, (size_t)n, NULL), 0);
}

COIL_TEST(a_free_lock_is_taken_without_a_switch)
{
	struct coil_rwlock lock = {0};
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	ck_assert_int_eq(coil_rwlock_read(&lock), 0);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert(!ran);
	is_free(&lock);
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(readers_read_together_and_a_writer_is_alone)
{
	struct coil_rwlock lock = {0};
	struct worker workers[] = {
		READER("r1", &lock), READER("r2", &lock),
		WRITER("w1", &lock), WRITER("w2", &lock),
	};

	run_all(workers, 4);
	traced("r1 r2 /r1 /r2 w1 /w1 w2 /w2");
	is_free(&lock);
}

COIL_TEST(a_reader_queues_behind_a_writer_that_waits)
{
	struct coil_rwlock lock = {0};
	struct worker workers[] = {
		READER("r1", &lock), WRITER("w", &lock), READER("r2", &lock),
		READER("r3", &lock), WRITER("v", &lock), READER("r4", &lock),
	};

	run_all(workers, 6);
	traced("r1 /r1 w /w r2 r3 /r2 /r3 v /v r4 /r4");
	is_free(&lock);
}

COIL_TEST(readers_who_keep_coming_do_not_starve_a_writer)
{
	struct coil_rwlock lock = {0};
	struct worker writer = WRITER("w", &lock), readers[50];
	struct coil_task *tasks[50], *task = NULL;

	for (int i = 0; i < 50; i++) {
		readers[i] = (struct worker)READER("r", &lock);
		tasks[i] = start(work, &readers[i]);
		ck_assert_int_eq(coil_yield(), 0);
		if (i == 5)
			task = start(work, &writer);
		if (i == 15)
			ck_assert_int_eq(writer.err, 0);
	}
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_gather(tasks, 50, NULL), 0);
	is_free(&lock);
}

COIL_TEST(a_release_hands_over_before_the_holder_can_barge)
{
	struct coil_rwlock lock = {0};
	struct worker workers[] = { READER("r1", &lock), READER("r2", &lock) };
	struct coil_task *tasks[2];

	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	for (int i = 0; i < 2; i++)
		tasks[i] = start(work, &workers[i]);
	settle();
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert_uint_eq(lock.readers, 2);
	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	traced("r1 r2 /r1 /r2");
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	is_free(&lock);
}

COIL_TEST(those_behind_a_cancelled_writer_go_on)
{
	struct coil_rwlock lock = {0};
	struct worker writer = WRITER("w", &lock);
	struct worker readers[] = { READER("r1", &lock), READER("r2", &lock) };
	struct coil_task *task, *tasks[2];

	ck_assert_int_eq(coil_rwlock_read(&lock), 0);
	task = start(work, &writer);
	for (int i = 0; i < 2; i++)
		tasks[i] = start(work, &readers[i]);
	settle();
	traced("");
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_uint_eq(lock.readers, 3);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	traced("w! r1 r2 /r1 /r2");
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	is_free(&lock);
}

COIL_TEST(a_release_between_the_cancel_of_a_writer_and_its_run_loses_nothing)
{
	struct coil_rwlock lock = {0};
	struct worker writer = WRITER("w", &lock), reader = READER("r", &lock);
	struct coil_task *task, *other;

	ck_assert_int_eq(coil_rwlock_read(&lock), 0);
	task = start(work, &writer);
	other = start(work, &reader);
	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert_uint_eq(lock.readers, 1);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(coil_await(other), 0);
	is_free(&lock);
}

COIL_TEST(a_lock_handed_over_is_held_and_the_cancel_shows_later)
{
	struct coil_rwlock lock = {0};
	struct worker workers[] = { WRITER("w", &lock), READER("r", &lock) };

	for (int i = 0; i < 2; i++) {
		struct coil_task *task;

		ck_assert_int_eq(coil_rwlock_write(&lock), 0);
		task = start(work, &workers[i]);
		settle();
		ck_assert_int_eq(coil_rwlock_release(&lock), 0);
		ck_assert(coil_cancel(task));
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(workers[i].err, 0);
		ck_assert_int_eq(workers[i].then, -ECANCELED);
		is_free(&lock);
	}
}

static int write_until_cancelled(void *lock)
{
	ck_assert_int_eq(coil_rwlock_write(lock), 0);
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	return coil_rwlock_release(lock);
}

COIL_TEST(a_wait_that_ran_out_of_time_does_not_have_the_lock)
{
	struct coil_rwlock lock = {0};
	struct coil_task *task = start(write_until_cancelled, &lock);

	settle();
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_rwlock_read(&lock), -ETIMEDOUT);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_rwlock_write(&lock), -ETIMEDOUT);
	ck_assert_ptr_eq(lock.writer, task);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	is_free(&lock);
}

static int release_of_another(void *lock)
{
	ck_assert_int_eq(coil_rwlock_release(lock), -EPERM);
	return 0;
}

COIL_TEST(a_free_lock_or_that_of_another_writer_cannot_be_released)
{
	struct coil_rwlock lock = {0};

	ck_assert_int_eq(coil_rwlock_release(&lock), -EPERM);
	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	ck_assert_int_eq(coil_await(start(release_of_another, &lock)), 0);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	ck_assert_int_eq(coil_rwlock_release(&lock), -EPERM);
	is_free(&lock);
}

COIL_TEST(a_writer_cannot_take_it_again)
{
	struct coil_rwlock lock = {0};

	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	ck_assert_int_eq(coil_rwlock_write(&lock), -EDEADLK);
	ck_assert_int_eq(coil_rwlock_read(&lock), -EDEADLK);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	is_free(&lock);
}

COIL_TEST(a_pending_request_wins_though_the_lock_is_free)
{
	struct coil_rwlock lock = {0};

	refuses(read_lock, &lock);
	is_free(&lock);
	refuses(write_lock, &lock);
	is_free(&lock);
}

START_TEST(off_a_task_every_call_is_eperm)
{
	struct coil_rwlock lock = {0};

	ck_assert_int_eq(coil_rwlock_read(&lock), -EPERM);
	ck_assert_int_eq(coil_rwlock_write(&lock), -EPERM);
	ck_assert_int_eq(coil_rwlock_release(&lock), -EPERM);
	is_free(&lock);
}
END_TEST

COIL_TEST(tasks_of_two_loops_cannot_wait_for_one_lock)
{
	struct coil_rwlock lock = {0};
	struct abroad abroad;

	ck_assert_int_eq(coil_rwlock_write(&lock), 0);
	abroad_begin(&abroad, write_lock, &lock);
	ck_assert_int_eq(coil_await(start(read_lock, &lock)), -EXDEV);
	ck_assert_int_eq(coil_await(start(write_lock, &lock)), -EXDEV);
	ck_assert_int_eq(coil_rwlock_release(&lock), -EXDEV);
	ck_assert_ptr_eq(lock.writer, coil_current_task());
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	is_free(&lock);
	ck_assert_int_eq(coil_rwlock_read(&lock), 0);
	abroad_begin(&abroad, write_lock, &lock);
	ck_assert_int_eq(coil_rwlock_release(&lock), -EXDEV);
	ck_assert_uint_eq(lock.readers, 1);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_rwlock_release(&lock), 0);
	is_free(&lock);
}

/*
 * At random: a writer is alone, and all come to an end.
 */

enum { CROWD = 24, ROUNDS = 60 };

struct crowd {
	struct coil_rwlock lock;
	uint64_t state;
	int readers;
	int writers;
};

static int jostle(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < ROUNDS; i++) {
		bool write = roll(&crowd->state, 3) == 0;
		int *inside = write ? &crowd->writers : &crowd->readers, err = 0;

		COIL_TIMEOUT(roll(&crowd->state, 4) ? COIL_FOREVER : COIL_MICROSECOND)
			err = write ? coil_rwlock_write(&crowd->lock) :
				      coil_rwlock_read(&crowd->lock);
		if (err == -ETIMEDOUT)
			continue;
		if (err)
			return err;
		++*inside;
		ck_assert(!crowd->writers || (crowd->writers == 1 && !crowd->readers));
		for (unsigned turns = roll(&crowd->state, 3); turns; turns--)
			(void)!coil_yield();
		--*inside;
		ck_assert_int_eq(coil_rwlock_release(&crowd->lock), 0);
	}
	return 0;
}

COIL_TEST(at_random_a_writer_is_alone_and_nobody_waits_for_ever)
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
	is_free(&crowd.lock);
}

Suite *suite(void)
{
	Suite *whole = suite_create("rwlock");
	TCase *tests = tcase_create("rwlock");

	tcase_add_test(tests, a_free_lock_is_taken_without_a_switch);
	tcase_add_test(tests, readers_read_together_and_a_writer_is_alone);
	tcase_add_test(tests, a_reader_queues_behind_a_writer_that_waits);
	tcase_add_test(tests, readers_who_keep_coming_do_not_starve_a_writer);
	tcase_add_test(tests, a_release_hands_over_before_the_holder_can_barge);
	tcase_add_test(tests, those_behind_a_cancelled_writer_go_on);
	tcase_add_test(tests, a_release_between_the_cancel_of_a_writer_and_its_run_loses_nothing);
	tcase_add_test(tests, a_lock_handed_over_is_held_and_the_cancel_shows_later);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_does_not_have_the_lock);
	tcase_add_test(tests, a_free_lock_or_that_of_another_writer_cannot_be_released);
	tcase_add_test(tests, a_writer_cannot_take_it_again);
	tcase_add_test(tests, a_pending_request_wins_though_the_lock_is_free);
	tcase_add_test(tests, off_a_task_every_call_is_eperm);
	tcase_add_test(tests, tasks_of_two_loops_cannot_wait_for_one_lock);
	tcase_add_test(tests, at_random_a_writer_is_alone_and_nobody_waits_for_ever);
	suite_add_tcase(whole, tests);
	return whole;
}
