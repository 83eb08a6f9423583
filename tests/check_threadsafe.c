/* SPDX-License-Identifier: MIT */
/*
 * What other threads may ask of a loop: calls, and that it waits for them.  The
 * tasks that they may run on it are in check_visit.c.
 */
#include "tests/threads.h"
#include <coil/event.h>
#include <coil/file.h>
#include <coil/group.h>
#include <coil/thread.h>
#include <coil/waitq.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CROWD = 16 };

/*
 * Calls.
 */

static void note_call(void *arg)
{
	trace("%d", (int)(intptr_t)arg);
}

static void note_nothing(void *arg)
{
	(void)arg;
}

static int soon(void (*fn)(void *arg), void *arg)
{
	return coil_call_soon_threadsafe(coil_current_loop(), fn, arg);
}

COIL_TEST(loop_001_calls_are_made_in_the_order_of_asking)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(soon(note_call, INT(i)), 0);
	traced("");
	pass();
	traced("0 1 2 3 4 5 6 7 8 9");
}

/* Calls itself again for as long as nothing has been read. */
struct again {
	int fd;
	int calls;
	ssize_t n;
	bool stop;
};

static void call_again(void *arg)
{
	struct again *own = arg;

	if (++own->calls == 20)
		ck_assert_int_eq(write(own->fd, "x", 1), 1);
	if (!own->stop)
		ck_assert_int_eq(soon(call_again, own), 0);
}

COIL_TEST(loop_001_a_call_that_asks_for_itself_again_starves_neither_io_nor_tasks)
{
	struct again own = {0};
	int ends[2], turns;
	char byte;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	own.fd = ends[1];
	ck_assert_int_eq(soon(call_again, &own), 0);
	ck_assert_int_eq(coil_read(ends[0], &byte, 1), 1);
	ck_assert_int_ge(own.calls, 20);
	/* What is asked for by a call is of the next pass: tasks run in between. */
	own.calls = 0;
	for (turns = 0; own.calls < 5; turns++)
		ck_assert_int_eq(coil_sleep(COIL_MICROSECOND), 0);
	ck_assert_int_ge(turns, 1);
	own.stop = true;
	pass();
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	close(ends[0]);
	close(ends[1]);
}

static void look_around(void *arg)
{
	struct coil_waitq waitq = {0};

	ck_assert_ptr_eq(coil_current_loop(), arg);
	ck_assert_ptr_null(coil_current_task());
	ck_assert_int_eq(coil_sleep(1), -EPERM);
	ck_assert_int_eq(coil_waitq_park(&waitq), -EPERM);
	trace("looked");
}

static void make_task(void *arg)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_task *task = coil_create_task_with(&eager, note_run, arg);

	ck_assert_ptr_nonnull(task);
	/* There is nobody to come back to: it is queued all the same. */
	ck_assert(!*(bool *)arg);
	coil_detach(task);
}

COIL_TEST(a_call_is_no_task_and_may_make_tasks)
{
	bool ran = false;

	ck_assert_int_eq(soon(look_around, coil_current_loop()), 0);
	ck_assert_int_eq(soon(make_task, &ran), 0);
	pass();
	traced("looked");
	ck_assert(ran);
}

static void set_future(void *arg)
{
	ck_assert_int_eq(coil_future_set(arg, 4), 0);
}

struct setter {
	struct hold held;
	struct coil_loop *loop;
};

static void *call_to_set(void *arg)
{
	struct setter *own = arg;

	rest();
	return INT(coil_call_soon_threadsafe(own->loop, set_future, &own->held.future));
}

COIL_TEST(a_call_wakes_a_loop_that_has_nothing_else_to_wait_for)
{
	struct setter own = { .loop = coil_loop_ref(coil_current_loop()) };
	pthread_t thread = begin(call_to_set, &own);

	ck_assert_int_eq(hold(&own.held), 4);
	ck_assert_int_eq(end(thread), 0);
	coil_loop_unref(own.loop);
}

/* Many threads, each of whose calls keep their order. */
enum { THREADS = 4, CALLS = 2000 };

struct caller {
	struct coil_loop *loop;
	int seen;
	atomic_int taken;
};

struct one_call {
	struct caller *caller;
	int number;
};

static void receive(void *arg)
{
	struct one_call *call = arg;

	ck_assert_int_eq(call->number, call->caller->seen);
	call->caller->seen++;
	free(call);
}

static int call_numbered(struct caller *caller, int number)
{
	struct one_call *call = malloc(sizeof(*call));
	int err;

	*call = (struct one_call){ caller, number };
	err = coil_call_soon_threadsafe(caller->loop, receive, call);
	if (err)
		free(call);
	return err;
}

static void *call_often(void *arg)
{
	for (int i = 0; i < CALLS; i++) {
		if (call_numbered(arg, i))
			return INT(1);
	}
	return NULL;
}

COIL_TEST(the_calls_of_each_of_many_threads_keep_their_order)
{
	struct caller callers[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){ .loop = coil_loop_ref(coil_current_loop()) };
		threads[i] = begin(call_often, &callers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		until(callers[i].seen == CALLS);
		ck_assert_int_eq(end(threads[i]), 0);
		coil_loop_unref(callers[i].loop);
	}
}

/* Calls until the loop has ended; what was taken has been made by then. */
static void *call_to_the_end(void *arg)
{
	struct caller *own = arg;
	int err;

	while (!(err = call_numbered(own, own->taken)))
		own->taken++;
	return INT(err);
}

struct fire {
	struct caller callers[THREADS];
	pthread_t threads[THREADS];
};

static int end_under_fire(void *arg)
{
	struct fire *fire = arg;

	for (int i = 0; i < THREADS; i++) {
		fire->callers[i] = (struct caller){ .loop = coil_loop_ref(coil_current_loop()) };
		fire->threads[i] = begin(call_to_the_end, &fire->callers[i]);
	}
	until(fire->callers[THREADS - 1].seen);
	return 0;
}

START_TEST(a_call_that_was_taken_is_made_even_as_the_loop_ends)
{
	for (int round = 0; round < 3; round++) {
		struct fire fire;

		ck_assert_int_eq(coil_run(end_under_fire, &fire), 0);
		for (int i = 0; i < THREADS; i++) {
			ck_assert_int_eq(end(fire.threads[i]), -ESHUTDOWN);
			ck_assert_int_eq(fire.callers[i].seen, fire.callers[i].taken);
			coil_loop_unref(fire.callers[i].loop);
		}
	}
}
END_TEST

static atomic_bool enough;

static void *call_for_ever(void *arg)
{
	while (!atomic_load(&enough))
		(void)!coil_call_soon_threadsafe(arg, note_nothing, NULL);
	coil_loop_unref(arg);
	return NULL;
}

static int end_all_the_same(void *arg)
{
	pthread_t *threads = arg;

	for (int i = 0; i < CROWD; i++)
		threads[i] = begin(call_for_ever, coil_loop_ref(coil_current_loop()));
	return coil_sleep(10 * COIL_MILLISECOND);
}

/* There is always one of them who is about to be refused. */
START_TEST(threads_that_do_not_take_no_for_an_answer_keep_no_loop_from_ending)
{
	pthread_t threads[CROWD];

	atomic_store(&enough, false);
	ck_assert_int_eq(coil_run(end_all_the_same, threads), 0);
	atomic_store(&enough, true);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(end(threads[i]), 0);
}
END_TEST

COIL_TEST(a_call_that_cannot_be_taken_is_refused)
{
	ck_assert_int_eq(coil_call_soon_threadsafe(NULL, note_call, NULL), -EINVAL);
	ck_assert_int_eq(soon(NULL, NULL), -EINVAL);
	support_fail_allocation(1);
	ck_assert_int_eq(soon(note_call, NULL), -ENOMEM);
	pass();
	traced("");
}

/*
 * References.
 */

static int keep_loop(void *arg)
{
	*(struct coil_loop **)arg = coil_loop_ref(coil_current_loop());
	return 0;
}

static int mark_run(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void mark_call(void *arg)
{
	++*(int *)arg;
}

static void count_release(void *arg)
{
	++*(int *)arg;
}

START_TEST(task_016_a_loop_that_has_ended_refuses_and_hands_the_argument_back)
{
	struct coil_loop *loop = NULL;
	struct coil_group group = {0};
	int ran = 0, released = 0;

	ck_assert_int_eq(coil_run(keep_loop, &loop), 0);
	ck_assert_ptr_nonnull(loop);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(coil_call_soon_threadsafe(loop, mark_call, &ran), -ESHUTDOWN);
		ck_assert_int_eq(coil_run_coroutine_threadsafe(loop, mark_run, &ran, COIL_SECOND),
				 -ESHUTDOWN);
		ck_assert_int_eq(coil_run_coroutine_threadsafe(loop, mark_run, &ran, 0),
				 -ESHUTDOWN);
	}
	/* The calling thread has no loop any more. */
	errno = 0;
	ck_assert_ptr_null(coil_create_task(mark_run, &ran));
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(coil_group_create_task(&group, mark_run, &ran), -EPERM);
	ck_assert_int_eq(coil_sleep(1), -EPERM);
	ck_assert_int_eq(coil_to_thread(mark_run, &ran), -EPERM);
	ck_assert_int_eq(coil_to_thread_abandonable(mark_run, &ran, NULL), -EPERM);
	ck_assert_int_eq(coil_to_thread_abandonable(mark_run, &released, count_release), -EPERM);
	ck_assert_int_eq(ran, 0);
	ck_assert_int_eq(released, 1);
	coil_loop_unref(loop);
}
END_TEST

START_TEST(no_loop_can_be_referred_to_everywhere)
{
	ck_assert_ptr_null(coil_current_loop());
	ck_assert_ptr_null(coil_loop_ref(NULL));
	coil_loop_unref(NULL);
	ck_assert_int_eq(coil_run_coroutine_threadsafe(NULL, mark_run, NULL, 0), -EINVAL);
}
END_TEST

static int wait_in_vain(void *arg)
{
	struct coil_waitq waitq = {0};

	return coil_waitq_park(&waitq);
}

struct wake_up {
	struct coil_loop *loop;
	struct coil_event event;
	bool by_reference;
};

static void set_event(void *event)
{
	ck_assert_int_eq(coil_event_set(event), 0);
}

/* Long after the loop had nothing left to do. */
static void *call_late(void *arg)
{
	const struct timespec moment = { .tv_nsec = 30 * COIL_MILLISECOND };
	struct wake_up *own = arg;

	nanosleep(&moment, NULL);
	if (own->by_reference)
		coil_loop_unref(own->loop);
	nanosleep(&moment, NULL);
	return INT(coil_call_soon_threadsafe(own->loop, set_event, &own->event));
}

static int wait_for_call(void *arg)
{
	struct wake_up *own = arg;
	pthread_t thread;

	own->loop = coil_current_loop();
	if (own->by_reference)
		coil_loop_ref(own->loop);
	thread = begin(call_late, own);
	ck_assert_int_eq(coil_event_wait(&own->event), 0);
	ck_assert_int_eq(end(thread), 0);
	return 0;
}

START_TEST(a_loop_that_others_may_know_is_never_taken_for_deadlocked)
{
	struct wake_up own = {0}, referred = { .by_reference = true };

	if (support_skip_on("sim", "threads"))
		return;
	ck_assert_int_eq(coil_run(wait_for_call, &own), 0);
	ck_assert_int_eq(coil_run(wait_for_call, &referred), 0);
}
END_TEST

/* What it says goes nowhere: it is said very often. */
static void in_silence(void (*fn)(void))
{
	int old = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO);
	close(null);
	fn();
	dup2(old, STDERR_FILENO);
	close(old);
}

static void wait_without_anybody(void)
{
	ck_assert_int_eq(coil_run(wait_in_vain, NULL), -EDEADLK);
}

START_TEST(one_that_nobody_knows_is)
{
	in_silence(wait_without_anybody);
}
END_TEST

/*
 * What is not for other threads.
 */

struct foreign {
	struct coil_task *task;
	struct coil_waitq *waitq;
	struct coil_event *event;
	struct coil_group *group;
};

/* The loop stands still meanwhile. */
static void *try_all_from_nowhere(void *arg)
{
	struct foreign *foreign = arg;
	struct coil_task *tasks[1] = { foreign->task };
	size_t done = 0;

	if (coil_cancel(foreign->task) || coil_await(foreign->task) != -EPERM)
		return INT(1);
	if (coil_gather(tasks, 1, NULL) != -EPERM || coil_wait_for(foreign->task, 1) != -EPERM)
		return INT(2);
	if (coil_wait(tasks, 1, COIL_ALL_COMPLETED, 1) != -EPERM ||
	    coil_as_completed(tasks, 1, &done) != -EPERM)
		return INT(3);
	coil_detach(foreign->task);
	errno = 0;
	if (coil_waitq_unpark(foreign->waitq) || errno != EXDEV)
		return INT(4);
	if (coil_waitq_unpark_all(foreign->waitq) || coil_waitq_park(foreign->waitq) != -EPERM)
		return INT(5);
	if (coil_event_set(foreign->event) != -EXDEV || coil_event_is_set(foreign->event))
		return INT(6);
	if (coil_group_create_task(foreign->group, note_run, NULL) != -EPERM)
		return INT(7);
	if (coil_group_wait(foreign->group) != -EPERM || coil_all_tasks(NULL, 0))
		return INT(8);
	errno = 0;
	return INT(coil_create_task(note_run, NULL) || errno != EPERM ? 9 : 0);
}

static int try_all(void *arg)
{
	struct foreign *foreign = arg;
	struct coil_task *tasks[1] = { foreign->task };

	ck_assert(!coil_cancel(foreign->task));
	ck_assert_int_eq(coil_await(foreign->task), -EXDEV);
	ck_assert_int_eq(coil_gather(tasks, 1, NULL), -EXDEV);
	ck_assert_int_eq(coil_shield(foreign->task), -EXDEV);
	ck_assert_int_eq(coil_wait(tasks, 1, COIL_ALL_COMPLETED, 1), -EXDEV);
	coil_detach(foreign->task);
	errno = 0;
	ck_assert_ptr_null(coil_waitq_unpark(foreign->waitq));
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(coil_waitq_park(foreign->waitq), -EXDEV);
	ck_assert_int_eq(coil_event_set(foreign->event), -EXDEV);
	ck_assert_int_eq(coil_event_wait(foreign->event), -EXDEV);
	ck_assert_int_eq(coil_group_create_task(foreign->group, note_run, NULL), -EXDEV);
	ck_assert_int_eq(coil_group_wait(foreign->group), -EPERM);
	return 0;
}

static void *try_all_from_another_loop(void *arg)
{
	return INT(coil_run(try_all, arg));
}

static int park_on(void *waitq)
{
	return coil_waitq_park(waitq);
}

static int wait_event(void *event)
{
	return coil_event_wait(event);
}

COIL_TEST(thread_007_what_is_not_for_other_threads_is_refused)
{
	struct coil_waitq waitq = {0};
	struct coil_event event = {0};
	struct coil_group group = {0};
	struct foreign foreign = {
		.task = start(park_on, &waitq), .waitq = &waitq, .event = &event,
		.group = &group,
	};
	struct coil_task *waiter = start(wait_event, &event);

	ck_assert_int_eq(coil_group_create_task(&group, give, NULL), 0);
	pass();
	ck_assert_int_eq(end(begin(try_all_from_nowhere, &foreign)), 0);
	ck_assert_int_eq(end(begin(try_all_from_another_loop, &foreign)), 0);
	/* And nothing has happened. */
	ck_assert(!coil_done(foreign.task));
	ck_assert(!coil_done(waiter));
	ck_assert_ptr_eq(coil_waitq_unpark(&waitq), foreign.task);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_await(foreign.task), 0);
	ck_assert_int_eq(coil_await(waiter), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

static int run_inside(void *arg)
{
	ck_assert_int_eq(coil_run(mark_run, arg), -EBUSY);
	ck_assert_int_eq(coil_run_with(NULL, mark_run, arg), -EBUSY);
	ck_assert_int_eq(coil_run_workers(1, mark_run, arg), -EBUSY);
	return coil_sleep(COIL_MILLISECOND);
}

START_TEST(run_004_a_run_inside_a_run_is_refused_and_the_outer_goes_on)
{
	int ran = 0;

	ck_assert_int_eq(coil_run(run_inside, &ran), 0);
	ck_assert_int_eq(ran, 0);
}
END_TEST

static Suite *add_calls(Suite *whole)
{
	TCase *tests = tcase_create("calls");

	tcase_add_test(tests, loop_001_calls_are_made_in_the_order_of_asking);
	tcase_add_test(tests,
		loop_001_a_call_that_asks_for_itself_again_starves_neither_io_nor_tasks);
	tcase_add_test(tests, a_call_is_no_task_and_may_make_tasks);
	tcase_add_test(tests, a_call_wakes_a_loop_that_has_nothing_else_to_wait_for);
	tcase_add_test(tests, the_calls_of_each_of_many_threads_keep_their_order);
	tcase_add_test(tests, a_call_that_was_taken_is_made_even_as_the_loop_ends);
	tcase_add_test(tests, threads_that_do_not_take_no_for_an_answer_keep_no_loop_from_ending);
	tcase_add_test(tests, a_call_that_cannot_be_taken_is_refused);
	suite_add_tcase(whole, tests);
	return whole;
}

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = add_calls(suite_create("threadsafe"));
	tests = tcase_create("references");
	tcase_add_test(tests, task_016_a_loop_that_has_ended_refuses_and_hands_the_argument_back);
	tcase_add_test(tests, no_loop_can_be_referred_to_everywhere);
	tcase_add_test(tests, a_loop_that_others_may_know_is_never_taken_for_deadlocked);
	tcase_add_test(tests, one_that_nobody_knows_is);
	suite_add_tcase(whole, tests);
	tests = tcase_create("misuse");
	tcase_add_test(tests, thread_007_what_is_not_for_other_threads_is_refused);
	tcase_add_test(tests, run_004_a_run_inside_a_run_is_refused_and_the_outer_goes_on);
	suite_add_tcase(whole, tests);
	return whole;
}
