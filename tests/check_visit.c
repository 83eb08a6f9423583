/* SPDX-License-Identifier: MIT */
/*
 * coil_run_coroutine_threadsafe: tasks that a thread runs on another's loop.
 */
#include "tests/threads.h"
#include "core/task/loop.h"
#include "core/backend/inbox.h"
#include "core/backend/pool.h"
#include <coil/thread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 4 };

struct visit {
	struct coil_loop *loop;
	int (*fn)(void *arg);
	void *arg;
	int64_t ns;
	pthread_t thread;
};

static void *pay_visit(void *arg)
{
	struct visit *visit = arg;

	return INT(coil_run_coroutine_threadsafe(visit->loop, visit->fn, visit->arg, visit->ns));
}

static void begin_visit(struct visit *visit, int (*fn)(void *arg), void *arg, int64_t ns)
{
	*visit = (struct visit){
		.loop = coil_loop_ref(coil_current_loop()), .fn = fn, .arg = arg, .ns = ns,
	};
	visit->thread = begin(pay_visit, visit);
}

static int end_visit(void *arg)
{
	struct visit *visit = arg;
	int result = end(visit->thread);

	coil_loop_unref(visit->loop);
	return result;
}

/* With the loop going on meanwhile. */
static int pay(int (*fn)(void *arg), void *arg, int64_t ns)
{
	size_t before = coil_all_tasks(NULL, 0);
	struct visit visit;
	int result;

	begin_visit(&visit, fn, arg, ns);
	result = coil_to_thread(end_visit, &visit);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), before);
	return result;
}

static int give_on_the_loop(void *arg)
{
	ck_assert_ptr_nonnull(coil_current_task());
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	return (int)(intptr_t)arg;
}

static int cancel_oneself(void *arg)
{
	coil_cancel(coil_current_task());
	return coil_yield();
}

COIL_TEST(thread_005_a_thread_gets_what_its_task_returned)
{
	coil_set_error_handler(note_error, NULL);
	for (int i = 0; i < 20; i++) {
		int64_t ns = i % 2 ? COIL_FOREVER : 1000 * COIL_SECOND;

		ck_assert_int_eq(pay(give_on_the_loop, INT(3), ns), 3);
		ck_assert_int_eq(pay(give, INT(-EIO), ns), -EIO);
		ck_assert_int_eq(pay(cancel_oneself, NULL, ns), -ECANCELED);
	}
	/* Somebody awaited them. */
	ck_assert_int_eq(told.calls, 0);
}

COIL_TEST(thread_006_with_limit_0_the_task_is_cancelled_and_none_is_left)
{
	static const int64_t limits[] = { 0, -1, INT64_MIN, 1, COIL_MICROSECOND };

	for (int i = 0; i < 5; i++) {
		struct nap own = { .ns = COIL_FOREVER };

		ck_assert_int_eq(pay(nap, &own, limits[i]), -ETIMEDOUT);
		ck_assert(own.entered);
		ck_assert_int_eq(own.err, -ECANCELED);
	}
}

static int ignore_the_cancel(void *arg)
{
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	return 7;
}

COIL_TEST(what_it_returns_although_it_was_late_is_not_lost)
{
	ck_assert_int_eq(pay(ignore_the_cancel, NULL, COIL_MILLISECOND), 7);
	ck_assert_int_eq(pay(give, INT(8), 0), 8);
}

COIL_TEST(a_thread_with_a_loop_must_not_block)
{
	bool ran = false;

	ck_assert_int_eq(coil_run_coroutine_threadsafe(coil_current_loop(), note_run, &ran, 0),
			 -EBUSY);
	ck_assert_int_eq(coil_run_coroutine_threadsafe(coil_current_loop(), NULL, &ran, 0),
			 -EINVAL);
	pass();
	ck_assert(!ran);
}

static int try_from(void *arg)
{
	return coil_run_coroutine_threadsafe(arg, note_run, NULL, 0);
}

static void *run_to_try(void *arg)
{
	return INT(coil_run(try_from, arg));
}

COIL_TEST(nor_one_with_another_loop)
{
	ck_assert_int_eq(end(begin(run_to_try, coil_current_loop())), -EBUSY);
}

/* The task of a visitor that comes while memory is out for each thing in turn. */
COIL_TEST(without_memory_a_visitor_is_refused)
{
	enum { FILL = 70 };	/* more than the run queue has room for */
	struct hold held[FILL] = {0};
	struct coil_task *tasks[FILL];
	int refused = 0;

	for (int i = 0; i < FILL; i++) {
		struct visit visit;
		int result;

		begin_visit(&visit, give, INT(2), COIL_FOREVER);
		while (!coil__inbox_called(&coil__loop->inbox))
			rest();
		support_fail_allocation(1);
		pass();
		support_fail_allocation(0);
		result = coil_to_thread(end_visit, &visit);
		ck_assert(result == 2 || result == -ENOMEM);
		refused += result < 0;
		tasks[i] = start(hold, &held[i]);
		pass();
	}
	ck_assert_int_gt(refused, 0);
	for (int i = 0; i < FILL; i++)
		ck_assert_int_eq(coil_future_set(&held[i].future, 0), 0);
	ck_assert_int_eq(coil_gather(tasks, FILL, NULL), 0);
}

/*
 * A loop that ends.
 */

static int nap_for_ever(void *arg)
{
	int err = coil_sleep(COIL_FOREVER);

	++*(atomic_int *)arg;
	return err;
}

static struct visit left;
static atomic_int visited;

static int leave_a_visit(void *arg)
{
	begin_visit(&left, nap_for_ever, &visited, COIL_FOREVER);
	while (coil_all_tasks(NULL, 0) < 2)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	pass();
	return 1;
}

START_TEST(a_loop_that_ends_cancels_its_visitors_and_waits_for_them)
{
	ck_assert_int_eq(coil_run(leave_a_visit, NULL), 1);
	ck_assert_int_eq(visited, 1);
	ck_assert_int_eq(end_visit(&left), -ECANCELED);
}
END_TEST

/* A job that the loop waits for, though no task does. */
struct lonely {
	struct job job;
	sem_t gate;
	bool done;
};

static struct lonely lonely;

static void wait_at_gate(struct job *job)
{
	while (sem_wait(&container_of(job, struct lonely, job)->gate))
		;
}

static void note_done(struct coil_loop *loop, struct job *job)
{
	(void)loop;
	container_of(job, struct lonely, job)->done = true;
}

static void *visit_late(void *arg)
{
	struct coil_loop *loop = arg;
	int result;

	for (int i = 0; i < 20; i++)
		rest();
	/* Main has returned; only the job keeps the loop. */
	result = coil_run_coroutine_threadsafe(loop, nap_for_ever, &visited, COIL_FOREVER);
	coil_loop_unref(loop);
	sem_post(&lonely.gate);
	return INT(result);
}

static int leave_a_job(void *arg)
{
	sem_init(&lonely.gate, 0, 0);
	lonely.job.work = wait_at_gate;
	lonely.job.done = note_done;
	ck_assert_int_eq(coil__pool_submit(coil__loop, &lonely.job), 0);
	*(pthread_t *)arg = begin(visit_late, coil_loop_ref(coil_current_loop()));
	return 0;
}

START_TEST(a_visitor_who_comes_when_only_a_job_is_left_is_looked_after)
{
	pthread_t visitor;

	ck_assert_int_eq(coil_run(leave_a_job, &visitor), 0);
	ck_assert(lonely.done);
	ck_assert_int_eq(end(visitor), -ECANCELED);
	ck_assert_int_eq(visited, 1);
}
END_TEST

/* Visits until the loop has ended; whoever was let in has been dealt with. */
struct guest {
	struct coil_loop *loop;
	atomic_int entered;
	int returned;
	bool hurried;
};

static int be_guest(void *arg)
{
	struct guest *own = arg;

	own->entered++;
	return coil_sleep(own->entered % 3 ? 0 : 50 * COIL_MICROSECOND);
}

static void *visit_to_the_end(void *arg)
{
	struct guest *own = arg;
	int err;

	do {
		int64_t ns = own->hurried ? own->returned % 3 * 20 * COIL_MICROSECOND
					  : COIL_FOREVER;

		err = coil_run_coroutine_threadsafe(own->loop, be_guest, own, ns);
		own->returned += err != -ESHUTDOWN;
	} while (!err || err == -ECANCELED || err == -ETIMEDOUT);
	return INT(err);
}

struct house {
	struct guest guests[THREADS];
	pthread_t threads[THREADS];
};

static int keep_house(void *arg)
{
	struct house *house = arg;

	for (int i = 0; i < THREADS; i++) {
		house->guests[i] = (struct guest){
			.loop = coil_loop_ref(coil_current_loop()), .hurried = i % 2,
		};
		house->threads[i] = begin(visit_to_the_end, &house->guests[i]);
	}
	until(house->guests[0].entered > 20 && house->guests[1].entered > 20);
	return 0;
}

START_TEST(whoever_was_let_in_has_an_end_even_as_the_loop_ends)
{
	for (int round = 0; round < 10; round++) {
		struct house house;

		ck_assert_int_eq(coil_run(keep_house, &house), 0);
		for (int i = 0; i < THREADS; i++) {
			ck_assert_int_eq(end(house.threads[i]), -ESHUTDOWN);
			ck_assert_int_eq(house.guests[i].entered, house.guests[i].returned);
			coil_loop_unref(house.guests[i].loop);
		}
	}
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = suite_create("visit");
	tests = tcase_create("visit");
	tcase_add_test(tests, thread_005_a_thread_gets_what_its_task_returned);
	tcase_add_test(tests, thread_006_with_limit_0_the_task_is_cancelled_and_none_is_left);
	tcase_add_test(tests, what_it_returns_although_it_was_late_is_not_lost);
	tcase_add_test(tests, a_thread_with_a_loop_must_not_block);
	tcase_add_test(tests, nor_one_with_another_loop);
	tcase_add_test(tests, without_memory_a_visitor_is_refused);
	tcase_add_test(tests, a_loop_that_ends_cancels_its_visitors_and_waits_for_them);
	tcase_add_test(tests, a_visitor_who_comes_when_only_a_job_is_left_is_looked_after);
	tcase_add_test(tests, whoever_was_let_in_has_an_end_even_as_the_loop_ends);
	suite_add_tcase(whole, tests);
	return whole;
}
