/* SPDX-License-Identifier: MIT */
#include "tests/threads.h"
#include "core/task/loop.h"
#include "core/backend/backend.h"
#include <coil/thread.h>
#include <coil/waitq.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { POOL = 32, LOOSE = 16 };	/* threads, of a loop and of the process */

/*
 * A function for a thread: it may wait at a gate, and tells of itself.
 */
struct work {
	sem_t *gate;
	int result;
	atomic_int began;
	atomic_int ended;
	atomic_int released;
	pthread_t thread;
};

static int work(void *arg)
{
	struct work *own = arg;

	own->began++;
	own->thread = pthread_self();
	while (own->gate && sem_wait(own->gate))
		;
	own->ended++;
	return own->result;
}

static void release(void *arg)
{
	struct work *own = arg;

	own->released++;
}

/* As a task; its result is the call's. */
static int send_away(void *arg)
{
	return coil_to_thread(work, arg);
}

static int send_away_loosely(void *arg)
{
	return coil_to_thread_abandonable(work, arg, release);
}

/* The thread waits, and the loop stands still. */
static void until_set(const atomic_int *value)
{
	while (!*value)
		rest();
}

static int count_turns(void *arg)
{
	while (!coil_sleep(100 * COIL_MICROSECOND))
		++*(int *)arg;
	return 0;
}

static void go_away(int (*fn)(void *arg), int result)
{
	struct work own = { .result = result };
	struct coil_task *task, *other;
	int turns = 0, before;
	sem_t gate;

	sem_init(&gate, 0, 0);
	own.gate = &gate;
	other = start(count_turns, &turns);
	task = start(fn, &own);
	until(own.began);
	before = turns;
	until(turns > before + 5);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(own.ended, 0);
	sem_post(&gate);
	ck_assert_int_eq(coil_await(task), result);
	ck_assert_int_eq(own.began, 1);
	ck_assert_int_eq(own.ended, 1);
	ck_assert(!pthread_equal(own.thread, pthread_self()));
	ck_assert(coil_cancel(other));
	ck_assert_int_eq(coil_await(other), 0);
	ck_assert_int_eq(own.released, fn == send_away_loosely);
}

COIL_TEST(thread_001_a_function_runs_once_on_another_thread_while_the_loop_goes_on)
{
	go_away(send_away, 42);
	go_away(send_away, -EIO);
	go_away(send_away_loosely, 42);
	go_away(send_away_loosely, -EIO);
}

/*
 * What the function finds there.
 */

static struct coil_var var;

static int get_var(void *arg)
{
	ck_assert_int_eq(coil_var_set(&var, INT(99)), -EPERM);
	return (int)(intptr_t)coil_var_get(&var);
}

static int set_and_send(void *arg)
{
	bool loosely = *(bool *)arg;
	int inherited = (int)(intptr_t)coil_var_get(&var), result;

	for (int i = 1; i < 20; i++) {
		ck_assert_int_eq(coil_var_set(&var, INT(inherited + i)), 0);
		if (loosely)
			result = coil_to_thread_abandonable(get_var, NULL, NULL);
		else
			result = coil_to_thread(get_var, NULL);
		ck_assert_int_eq(result, inherited + i);
	}
	return 0;
}

COIL_TEST(ctx_004_a_function_sees_the_variables_of_its_task)
{
	bool loosely[] = { false, true, false, true };
	struct coil_task *tasks[4];

	ck_assert_int_eq(coil_to_thread(get_var, NULL), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(coil_var_set(&var, INT(100 * (i + 1))), 0);
		tasks[i] = start(set_and_send, &loosely[i]);
	}
	ck_assert_int_eq(coil_gather(tasks, 4, NULL), 0);
	/* A thread that had a task's before has none of the next's. */
	ck_assert_int_eq(coil_var_set(&var, NULL), 0);
	ck_assert_int_eq(coil_to_thread(get_var, NULL), 0);
	ck_assert_int_eq(coil_to_thread_abandonable(get_var, NULL, NULL), 0);
}

/* What an abandoned function sees is its own: its task is gone. */
static int get_var_late(void *arg)
{
	struct work *own = arg;

	work(own);
	own->result = get_var(NULL);
	return 0;
}

static int abandon_with_var(void *arg)
{
	ck_assert_int_eq(coil_var_set(&var, INT(7)), 0);
	return coil_to_thread_abandonable(get_var_late, arg, release);
}

COIL_TEST(ctx_004_also_when_that_has_ended)
{
	struct work own = {0};
	struct coil_task *task;
	sem_t gate;

	sem_init(&gate, 0, 0);
	own.gate = &gate;
	task = start(abandon_with_var, &own);
	until(own.began);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	sem_post(&gate);
	until(own.released);
	ck_assert_int_eq(own.result, 7);
}

static int never(void *arg)
{
	ck_abort_msg("it ran");
	return 0;
}

static int look_for_a_loop(void *arg)
{
	struct coil_waitq waitq = {0};
	sigset_t mask;

	if (coil_current_loop() || coil_current_task() || coil_backend_name())
		return 1;
	if (coil_sleep(1) != -EPERM || coil_yield() != -EPERM || coil_check() != -EPERM)
		return 2;
	if (coil_waitq_park(&waitq) != -EPERM || coil_to_thread(never, NULL) != -EPERM)
		return 3;
	if (coil_create_task(never, NULL) || errno != EPERM)
		return 4;
	if (pthread_sigmask(SIG_SETMASK, NULL, &mask))
		return 5;
	if (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGPIPE))
		return 6;
	return 0;
}

COIL_TEST(there_is_no_loop_there_and_no_signal_comes)
{
	ck_assert_int_eq(coil_to_thread(look_for_a_loop, NULL), 0);
	ck_assert_int_eq(coil_to_thread_abandonable(look_for_a_loop, NULL, NULL), 0);
}

static int run_another_loop(void *arg)
{
	struct nap own = { .ns = COIL_MILLISECOND, .result = 3 };

	return coil_run(nap, &own);
}

COIL_TEST(a_function_may_run_a_loop_of_its_own)
{
	ck_assert_int_eq(coil_to_thread(run_another_loop, NULL), 3);
	ck_assert_int_eq(coil_to_thread_abandonable(run_another_loop, NULL, NULL), 3);
}

static int square(void *arg)
{
	int n = (int)(intptr_t)arg;

	return n * n;
}

static int square_away(void *arg)
{
	return coil_to_thread(square, arg);
}

COIL_TEST(more_calls_than_threads_wait_for_their_turn)
{
	enum { MANY = 300 };
	struct coil_task *tasks[MANY];
	int results[MANY];

	for (int i = 0; i < MANY; i++)
		tasks[i] = start(square_away, INT(i));
	ck_assert_int_eq(coil_gather(tasks, MANY, results), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(results[i], i * i);
}

/*
 * Misuse, and want.
 */

COIL_TEST(no_function_is_einval)
{
	struct work own = {0};

	ck_assert_int_eq(coil_to_thread(NULL, &own), -EINVAL);
	ck_assert_int_eq(coil_to_thread_abandonable(NULL, &own, release), -EINVAL);
	ck_assert_int_eq(own.released, 1);
	ck_assert_int_eq(coil_to_thread_abandonable(NULL, &own, NULL), -EINVAL);
}

START_TEST(off_a_task_nothing_runs_and_the_argument_is_released)
{
	struct work own = {0};

	ck_assert_int_eq(coil_to_thread(never, &own), -EPERM);
	ck_assert_int_eq(coil_to_thread_abandonable(never, &own, release), -EPERM);
	ck_assert_int_eq(own.released, 1);
}
END_TEST

static int send_in_vain(void *arg)
{
	return coil_to_thread(never, arg);
}

static int send_loosely_in_vain(void *arg)
{
	struct work own = {0};
	int err = coil_to_thread_abandonable(never, &own, release);

	ck_assert_int_eq(own.released, 1);
	return err;
}

COIL_TEST(with_a_request_pending_nothing_runs)
{
	refuses(send_in_vain, NULL);
	refuses(send_loosely_in_vain, NULL);
}

/* Whatever fails, it fails cleanly, and the next call may work. */
static void try_every_allocation(int (*fn)(void *arg))
{
	int refused = 0;

	for (unsigned long n = 1; ; n++) {
		struct work own = { .result = 5 };
		bool failed;
		int err;

		support_fail_allocation(n);
		err = fn(&own);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		ck_assert_int_eq(own.released, fn == send_away_loosely);
		if (err == 5) {
			ck_assert_int_eq(own.ended, 1);
		} else {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_int_eq(own.began, 0);
			refused++;
		}
		if (!failed)
			break;
	}
	ck_assert_int_gt(refused, 0);
}

COIL_TEST(without_memory_nothing_runs)
{
	try_every_allocation(send_away);
	try_every_allocation(send_away_loosely);
}

COIL_TEST(without_a_thread_nothing_runs)
{
	struct work own = { .result = 5 };

	support_fail_threads(true);
	ck_assert_int_eq(send_away(&own), -EAGAIN);
	ck_assert_int_eq(own.released, 0);
	ck_assert_int_eq(send_away_loosely(&own), -EAGAIN);
	ck_assert_int_eq(own.released, 1);
	ck_assert_int_eq(own.began, 0);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	support_fail_threads(false);
	ck_assert_int_eq(send_away(&own), 5);
}

/*
 * Requests.
 */

/* Fills all threads that there may be with tasks that wait at the gate. */
static void fill(struct work own[], struct coil_task *tasks[], int n, sem_t *gate,
		 int (*fn)(void *arg))
{
	sem_init(gate, 0, 0);
	for (int i = 0; i < n; i++) {
		own[i] = (struct work){ .gate = gate };
		tasks[i] = start(fn, &own[i]);
	}
	for (int i = 0; i < n; i++)
		until(own[i].began);
}

static void drain(struct coil_task *tasks[], int n, sem_t *gate)
{
	for (int i = 0; i < n; i++)
		sem_post(gate);
	ck_assert_int_eq(coil_gather(tasks, (size_t)n, NULL), 0);
}

static void taken_back(int (*fn)(void *arg), int threads)
{
	struct work own[POOL], last = {0};
	struct coil_task *tasks[POOL], *task;
	sem_t gate;

	fill(own, tasks, threads, &gate, fn);
	task = start(fn, &last);
	settle();
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(last.released, fn == send_away_loosely);
	drain(tasks, threads, &gate);
	ck_assert_int_eq(last.began, 0);
	ck_assert_int_eq(last.released, fn == send_away_loosely);
}

COIL_TEST(one_that_waits_for_a_thread_is_taken_back)
{
	taken_back(send_away, POOL);
	taken_back(send_away_loosely, LOOSE);
}

static int send_and_look(void *arg)
{
	int result = coil_to_thread(work, arg);

	ck_assert_int_eq(coil_check(), -ECANCELED);
	ck_assert_int_eq(coil_yield(), -ECANCELED);
	return result;
}

COIL_TEST(one_that_runs_is_waited_for_and_its_result_stands)
{
	struct work own = { .result = 8 };
	struct coil_task *task;
	sem_t gate;

	sem_init(&gate, 0, 0);
	own.gate = &gate;
	task = start(send_and_look, &own);
	until(own.began);
	ck_assert(coil_cancel(task));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	sem_post(&gate);
	ck_assert_int_eq(coil_await(task), 8);
	ck_assert_int_eq(own.ended, 1);
}

/* Opens the gate once the deadline of the other has passed. */
struct late {
	struct work work;
	struct coil_timeout timeout;
	sem_t gate;
};

static int open_when_late(void *arg)
{
	struct late *late = arg;

	until(coil_timeout_expired(&late->timeout));
	sem_post(&late->gate);
	return 0;
}

COIL_TEST(a_deadline_passes_while_it_runs_and_its_result_stands)
{
	struct late late = { .work.result = 8 };
	struct coil_task *opener;

	sem_init(&late.gate, 0, 0);
	late.work.gate = &late.gate;
	opener = start(open_when_late, &late);
	ck_assert_int_eq(coil_timeout_begin(&late.timeout, ahead()), 0);
	ck_assert_int_eq(coil_to_thread(work, &late.work), 8);
	ck_assert_int_eq(coil_to_thread(never, NULL), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&late.timeout), -ETIMEDOUT);
	ck_assert_int_eq(coil_await(opener), 0);
}

/* It has ended, its news has not come. */
COIL_TEST(one_that_has_ended_is_waited_for_and_its_result_stands)
{
	struct work own = { .result = 8 };
	struct coil_task *task = start(send_and_look, &own);

	settle();
	until_set(&own.ended);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 8);
}

COIL_TEST(an_abandonable_one_is_left_to_itself)
{
	struct work own = { .result = 8 };
	struct coil_task *task;
	sem_t gate;

	sem_init(&gate, 0, 0);
	own.gate = &gate;
	task = start(send_away_loosely, &own);
	until(own.began);
	ck_assert_uint_eq(coil__loop->io.jobs, 1);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	ck_assert_int_eq(own.ended, 0);
	ck_assert_int_eq(own.released, 0);
	sem_post(&gate);
	until(own.released);
	ck_assert_int_eq(own.ended, 1);
	ck_assert_int_eq(own.released, 1);
}

COIL_TEST(an_abandonable_one_under_a_deadline_is_left_when_that_passes)
{
	struct work own = { .result = 8 };
	int err = 0;
	sem_t gate;

	sem_init(&gate, 0, 0);
	own.gate = &gate;
	COIL_TIMEOUT(ahead())
		err = send_away_loosely(&own);
	ck_assert_int_eq(err, -ETIMEDOUT);
	sem_post(&gate);
	until(own.released);
}

/* Ended, on its way to the loop, or arrived there: abandoned once, released once. */
COIL_TEST(an_abandonable_one_that_has_ended_is_released_once)
{
	for (int i = 0; i < 20; i++) {
		struct work own = { .result = 8 };
		struct coil_task *task = start(send_away_loosely, &own);
		int result;

		ck_assert_int_eq(coil_yield(), 0);
		until_set(&own.ended);
		if (i % 2)
			ck_assert_int_eq(coil_yield(), 0);
		coil_cancel(task);
		result = coil_await(task);
		ck_assert(result == -ECANCELED || result == 8);
		until(own.released);
		until(!coil__loop->io.jobs);
		ck_assert_int_eq(own.released, 1);
	}
}

/*
 * The end of a run.
 */

static struct work last;
static sem_t last_gate;

static void reset_last(void)
{
	last = (struct work){ .gate = &last_gate };
	sem_init(&last_gate, 0, 0);
}

static int leave_one(void *arg)
{
	int (*fn)(void *arg) = (int (*)(void *))arg;

	coil_detach(start(fn, &last));
	until(last.began);
	return 6;
}

static void *open_gate(void *arg)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	until_set(&last.began);
	nanosleep(&moment, NULL);
	sem_post(&last_gate);
	return NULL;
}

START_TEST(thread_008_a_run_waits_for_functions_that_run)
{
	pthread_t opener;

	reset_last();
	ck_assert_int_eq(pthread_create(&opener, NULL, open_gate, NULL), 0);
	ck_assert_int_eq(coil_run(leave_one, (void *)send_away), 6);
	ck_assert_int_eq(last.ended, 1);
	ck_assert_int_eq(pthread_join(opener, NULL), 0);
}
END_TEST

START_TEST(thread_008_a_run_does_not_wait_for_those_that_may_be_abandoned)
{
	reset_last();
	ck_assert_int_eq(coil_run(leave_one, (void *)send_away_loosely), 6);
	ck_assert_int_eq(last.ended, 0);
	ck_assert_int_eq(last.released, 0);
	sem_post(&last_gate);
	until_set(&last.released);
	ck_assert_int_eq(last.ended, 1);
}
END_TEST

/* Waits until the run has complained twice, as whoever has an ear for stderr would. */
static int ends[2];
static struct backend counting;
static atomic_int polls;
static void (*real_poll)(struct coil_loop *loop, int64_t deadline);

static void count_poll(struct coil_loop *loop, int64_t deadline)
{
	polls++;
	real_poll(loop, deadline);
}

static int hear_two_lines(void *arg)
{
	static char said[4096];
	size_t length = 0;
	char *second;

	atomic_store(&last.began, 1);
	do {
		ssize_t n = read(ends[0], said + length, sizeof(said) - 1 - length);

		if (n <= 0)
			return -EIO;
		length += (size_t)n;
		said[length] = '\0';
		second = strstr(said, "on a thread\n");
		second = second ? strstr(second + 1, "on a thread\n") : NULL;
	} while (!second);
	if (!strstr(said, "the run waits for task slow-one, whose function still runs"))
		return -EBADMSG;
	return strstr(said, "other") ? -EBADMSG : 0;
}

static int send_to_hear(void *arg)
{
	return coil_to_thread(hear_two_lines, NULL);
}

static int sleep_shielded(void *arg)
{
	COIL_SHIELD(COIL_SECOND)
		coil_sleep(10 * COIL_MILLISECOND);
	return 0;
}

static int leave_a_slow_one(void *arg)
{
	const struct coil_task_options slow = { .name = "slow-one" }, other = { .name = "other" };

	reset_last();
	coil_detach(coil_create_task_with(&slow, send_to_hear, NULL));
	coil_detach(coil_create_task_with(&other, sleep_shielded, NULL));
	until(last.began);
	counting = *coil__loop->io.backend;
	real_poll = counting.poll;
	counting.poll = count_poll;
	coil__loop->io.backend = &counting;
	return 9;
}

START_TEST(a_run_that_waits_names_the_task_once_a_second_by_the_real_clock)
{
	int old = dup(STDERR_FILENO), result;

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	result = coil_run(leave_a_slow_one, NULL);
	dup2(old, STDERR_FILENO);
	close(old);
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(result, 9);
	/* It sleeps between its lines. */
	ck_assert_int_le(polls, 50);
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = suite_create("thread");
	tests = tcase_create("thread");
	tcase_add_test(tests,
		thread_001_a_function_runs_once_on_another_thread_while_the_loop_goes_on);
	tcase_add_test(tests, ctx_004_a_function_sees_the_variables_of_its_task);
	tcase_add_test(tests, ctx_004_also_when_that_has_ended);
	tcase_add_test(tests, there_is_no_loop_there_and_no_signal_comes);
	tcase_add_test(tests, a_function_may_run_a_loop_of_its_own);
	tcase_add_test(tests, more_calls_than_threads_wait_for_their_turn);
	tcase_add_test(tests, no_function_is_einval);
	tcase_add_test(tests, off_a_task_nothing_runs_and_the_argument_is_released);
	tcase_add_test(tests, with_a_request_pending_nothing_runs);
	tcase_add_test(tests, without_memory_nothing_runs);
	tcase_add_test(tests, without_a_thread_nothing_runs);
	tcase_add_test(tests, one_that_waits_for_a_thread_is_taken_back);
	tcase_add_test(tests, one_that_runs_is_waited_for_and_its_result_stands);
	tcase_add_test(tests, a_deadline_passes_while_it_runs_and_its_result_stands);
	tcase_add_test(tests, one_that_has_ended_is_waited_for_and_its_result_stands);
	tcase_add_test(tests, an_abandonable_one_is_left_to_itself);
	tcase_add_test(tests, an_abandonable_one_under_a_deadline_is_left_when_that_passes);
	tcase_add_test(tests, an_abandonable_one_that_has_ended_is_released_once);
	suite_add_tcase(whole, tests);
	tests = tcase_create("end");
	tcase_add_test(tests, thread_008_a_run_waits_for_functions_that_run);
	tcase_add_test(tests, thread_008_a_run_does_not_wait_for_those_that_may_be_abandoned);
	tcase_add_test(tests, a_run_that_waits_names_the_task_once_a_second_by_the_real_clock);
	suite_add_tcase(whole, tests);
	return whole;
}
