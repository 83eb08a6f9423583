/* SPDX-License-Identifier: MIT */
/*
 * Locks, queues and what else tasks meet at, cancelled at every point: see sweep.h.
 */
#include "tests/sweep.h"
#include <coil.h>

/* What the scenarios work on, zeroed by begin(). */
static struct {
	struct coil_waitq waitq;
	struct coil_lock lock;
	struct coil_condition condition;
	struct coil_semaphore semaphore;
	struct coil_barrier barrier;
	struct coil_rwlock rwlock;
	struct coil_event event;
	struct coil_queue queue;
	int given;		/* by help() */
	int got;		/* by the task */
	bool held;
} own;

static void begin(void)
{
	memset(&own, 0, sizeof(own));
}

static void begin_locked(void)
{
	begin();
	ck_assert_int_eq(coil_lock_acquire(&own.lock), 0);
	own.held = true;
}

static void help_lock(void)
{
	if (own.held)
		ck_assert_int_eq(coil_lock_release(&own.lock), 0);
	own.held = false;
	coil_waitq_unpark(&own.waitq);
}

static int run_lock(void *arg)
{
	int err = coil_lock_acquire(&own.lock);

	if (err)
		return err;
	err = coil_waitq_park_with(&own.waitq, &own.got);
	ck_assert(coil_lock_locked(&own.lock));
	ck_assert_int_eq(coil_lock_release(&own.lock), 0);
	return err;
}

static void end_lock(int result)
{
	ok_or_cancelled(result);
	help_lock();
	ck_assert(!coil_lock_locked(&own.lock));
	ck_assert_ptr_null(own.lock.waiters.head);
}

COIL_TEST(a_lock)
{
	static const struct sweep it = { begin_locked, run_lock, help_lock,
					 end_lock };

	sweep(&it);
}

static int wait_for_condition(void)
{
	int err = coil_condition_wait(&own.condition, &own.lock);

	/* It holds the lock, however it came back. */
	ck_assert(coil_lock_locked(&own.lock));
	ck_assert_int_eq(coil_lock_acquire(&own.lock), -EDEADLK);
	return err;
}

static int run_condition(void *arg)
{
	int err = coil_lock_acquire(&own.lock);

	if (err)
		return err;
	for (int i = 0; i < 2 && !err; i++)
		err = wait_for_condition();
	ck_assert_int_eq(coil_lock_release(&own.lock), 0);
	return err;
}

/* Notifies while it holds the lock, and lets go of it only the next time. */
static void help_condition(void)
{
	if (own.held) {
		help_lock();
	} else if (!coil_lock_try_acquire(&own.lock)) {
		own.held = true;
		coil_condition_notify(&own.condition, 1);
	}
}

static void end_condition(int result)
{
	end_lock(result);
	ck_assert_ptr_null(own.condition.waiters.head);
}

COIL_TEST(a_condition)
{
	static const struct sweep it = { begin, run_condition, help_condition,
					 end_condition };

	sweep(&it);
}

static bool has_been_given(void *arg)
{
	ck_assert_ptr_eq(arg, &own);
	ck_assert(coil_lock_locked(&own.lock));
	return own.given >= 2;
}

static int run_condition_until(void *arg)
{
	int err = coil_lock_acquire(&own.lock);

	if (err)
		return err;
	err = coil_condition_wait_until(&own.condition, &own.lock,
					has_been_given, &own);
	ck_assert(err || own.given >= 2);
	ck_assert_int_eq(coil_lock_acquire(&own.lock), -EDEADLK);
	ck_assert_int_eq(coil_lock_release(&own.lock), 0);
	return err;
}

static void help_condition_until(void)
{
	if (!own.held)
		own.given++;
	help_condition();
}

COIL_TEST(a_condition_with_a_predicate)
{
	static const struct sweep it = {
		begin, run_condition_until, help_condition_until, end_condition,
	};

	sweep(&it);
}

static void begin_semaphore(void)
{
	begin();
	own.semaphore = (struct coil_semaphore)COIL_BOUNDED_SEMAPHORE(2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(coil_semaphore_acquire(&own.semaphore), 0);
}

static int run_semaphore(void *arg)
{
	int err = 0;

	while (own.got < 2 && !err) {
		err = coil_semaphore_acquire(&own.semaphore);
		own.got += !err;
	}
	if (!err)
		err = coil_waitq_park_with(&own.waitq, &own.got);
	while (own.got--)
		ck_assert_int_eq(coil_semaphore_release(&own.semaphore), 0);
	return err;
}

static void help_semaphore(void)
{
	if (own.given < 2) {
		own.given++;
		ck_assert_int_eq(coil_semaphore_release(&own.semaphore), 0);
	} else {
		coil_waitq_unpark(&own.waitq);
	}
}

static void end_semaphore(int result)
{
	ok_or_cancelled(result);
	while (own.given < 2)
		help_semaphore();
	/* Both permits are back, and no third one. */
	ck_assert_int_eq(coil_semaphore_release(&own.semaphore), -ERANGE);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(coil_semaphore_try_acquire(&own.semaphore), 0);
	ck_assert_int_eq(coil_semaphore_try_acquire(&own.semaphore), -EAGAIN);
}

COIL_TEST(a_semaphore)
{
	static const struct sweep it = {
		begin_semaphore, run_semaphore, help_semaphore, end_semaphore,
	};

	sweep(&it);
}

static void begin_rwlock(void)
{
	begin();
	ck_assert_int_eq(coil_rwlock_write(&own.rwlock), 0);
	own.held = true;
}

static int run_rwlock(void *arg)
{
	int err = coil_rwlock_read(&own.rwlock);

	if (err)
		return err;
	err = coil_waitq_park_with(&own.waitq, &own.got);
	ck_assert_int_eq(coil_rwlock_release(&own.rwlock), 0);
	if (err)
		return err;
	err = coil_rwlock_write(&own.rwlock);
	if (err)
		return err;
	err = coil_waitq_park_with(&own.waitq, &own.got);
	ck_assert_int_eq(coil_rwlock_release(&own.rwlock), 0);
	return err;
}

static void help_rwlock(void)
{
	if (own.held)
		ck_assert_int_eq(coil_rwlock_release(&own.rwlock), 0);
	own.held = false;
	coil_waitq_unpark(&own.waitq);
}

static void end_rwlock(int result)
{
	ok_or_cancelled(result);
	help_rwlock();
	/* It is free: to write at once, and to read. */
	ck_assert_int_eq(coil_rwlock_write(&own.rwlock), 0);
	ck_assert_int_eq(coil_rwlock_release(&own.rwlock), 0);
	ck_assert_ptr_null(own.rwlock.waiters.head);
}

COIL_TEST(a_rwlock)
{
	static const struct sweep it = { begin_rwlock, run_rwlock, help_rwlock,
					 end_rwlock };

	sweep(&it);
}

static int run_barrier(void *arg)
{
	int place = coil_barrier_wait(&own.barrier);

	return place >= 0 ? 0 : place;
}

static int be_other_party(void *arg)
{
	int place = coil_barrier_wait(&own.barrier);

	ck_assert(place >= 0 || place == -ENOTRECOVERABLE);
	return 0;
}

static void begin_barrier(void)
{
	begin();
	own.barrier = (struct coil_barrier)COIL_BARRIER(2);
}

static void help_barrier(void)
{
	if (!own.given++)
		coil_detach(start(be_other_party, NULL));
}

static void end_barrier(int result)
{
	ck_assert(!result || result == -ECANCELED ||
		  result == -ENOTRECOVERABLE);
	coil_barrier_abort(&own.barrier);
	sweep_rest();
	ck_assert_int_eq(coil_barrier_n_waiting(&own.barrier), 0);
}

COIL_TEST(a_barrier)
{
	static const struct sweep it = { begin_barrier, run_barrier,
					 help_barrier, end_barrier };

	sweep(&it);
}

static int run_event(void *arg)
{
	return coil_event_wait(&own.event);
}

static void help_event(void)
{
	coil_event_set(&own.event);
}

static void end_event(int result)
{
	ok_or_cancelled(result);
	ck_assert_ptr_null(own.event.waiters.head);
	if (own.event.shared)
		ck_assert_int_eq(coil_event_close(&own.event), 0);
}

COIL_TEST(an_event)
{
	static const struct sweep it = { begin, run_event, help_event,
					 end_event };

	sweep(&it);
}

static void begin_shared_event(void)
{
	begin();
	ck_assert_int_eq(coil_event_open(&own.event), 0);
}

/* As another process would. */
static void help_shared_event(void)
{
	uint64_t one = 1;

	if (!own.given++)
		ck_assert_int_eq(write(coil_event_fd(&own.event), &one,
				       sizeof(one)),
				 (int)sizeof(one));
}

COIL_TEST(a_shared_event)
{
	static const struct sweep it = {
		begin_shared_event, run_event, help_shared_event, end_event,
	};

	sweep(&it);
}

/*
 * Queues.
 */

/* Of one item, which comes first in any order. */
static enum { FIFO, LIFO, PRIORITY, ORDERS } order;

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void begin_queue(void)
{
	int err;

	begin();
	if (order == FIFO)
		err = coil_queue_init(&own.queue, sizeof(int), 1);
	else if (order == LIFO)
		err = coil_queue_init_lifo(&own.queue, sizeof(int), 1);
	else
		err = coil_queue_init_priority(&own.queue, sizeof(int), 1, compare);
	ck_assert_int_eq(err, 0);
}

static int run_get(void *arg)
{
	int item, err;

	while (own.got < 3) {
		err = coil_queue_get(&own.queue, &item);
		if (err)
			return err;
		ck_assert_int_eq(item, own.got++);
	}
	return 0;
}

static void help_get(void)
{
	if (!coil_queue_put_nowait(&own.queue, &own.given))
		own.given++;
}

static void end_get(int result)
{
	ok_or_cancelled(result);
	ck_assert_uint_eq((size_t)(own.given - own.got),
			  coil_queue_size(&own.queue));
	coil_queue_fini(&own.queue);
}

COIL_TEST(a_queue_s_get)
{
	static const struct sweep it = { begin_queue, run_get, help_get,
					 end_get };

	for (order = FIFO; order < ORDERS; order++)
		sweep(&it);
}

static int run_put(void *arg)
{
	int err;

	while (own.given < 4) {
		err = coil_queue_put(&own.queue, &own.given);
		if (err)
			return err;
		own.given++;
	}
	return 0;
}

static void help_put(void)
{
	int item;

	if (!coil_queue_get_nowait(&own.queue, &item))
		ck_assert_int_eq(item, own.got++);
}

static void end_put(int result)
{
	ok_or_cancelled(result);
	ck_assert_uint_eq((size_t)(own.given - own.got),
			  coil_queue_size(&own.queue));
	while (!coil_queue_empty(&own.queue))
		help_put();
	ck_assert_int_eq(own.got, own.given);
	coil_queue_fini(&own.queue);
}

COIL_TEST(a_queue_s_put)
{
	static const struct sweep it = { begin_queue, run_put, help_put,
					 end_put };

	for (order = FIFO; order < ORDERS; order++)
		sweep(&it);
}

static void begin_join(void)
{
	int item = 0;

	begin();
	ck_assert_int_eq(coil_queue_init(&own.queue, sizeof(int), 0), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(coil_queue_put_nowait(&own.queue, &item), 0);
}

static int run_join(void *arg)
{
	return coil_queue_join(&own.queue);
}

static void help_join(void)
{
	int item;

	if (!coil_queue_get_nowait(&own.queue, &item))
		ck_assert_int_eq(coil_queue_task_done(&own.queue), 0);
}

static void end_join(int result)
{
	ok_or_cancelled(result);
	ck_assert_ptr_null(own.queue.joiners.head);
	coil_queue_fini(&own.queue);
}

COIL_TEST(a_queue_s_join)
{
	static const struct sweep it = { begin_join, run_join, help_join,
					 end_join };

	sweep(&it);
}

Suite *suite(void)
{
	Suite *whole = suite_create("sweep_sync");
	TCase *tests = tcase_create("sweep_sync");

	tcase_add_test(tests, a_lock);
	tcase_add_test(tests, a_condition);
	tcase_add_test(tests, a_condition_with_a_predicate);
	tcase_add_test(tests, a_semaphore);
	tcase_add_test(tests, a_rwlock);
	tcase_add_test(tests, a_barrier);
	tcase_add_test(tests, an_event);
	tcase_add_test(tests, a_shared_event);
	tcase_add_test(tests, a_queue_s_get);
	tcase_add_test(tests, a_queue_s_put);
	tcase_add_test(tests, a_queue_s_join);
	suite_add_tcase(whole, tests);
	return whole;
}
