/* SPDX-License-Identifier: MIT */
/*
 * coil_run_workers: a loop on each of several threads.
 */
#include "core/task/sanitize.h"
#include "tests/threads.h"
#include "core/task/loop.h"
#include <coil/process.h>
#include <coil/signal.h>
#include <coil/thread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MANY = 4 };

/* What the workers of a test say of themselves, by index. */
static struct {
	atomic_int entered;
	atomic_int left;
	pthread_t thread[MANY];
	struct coil_loop *loop[MANY];
	int result[MANY];
	int signal[MANY];
	void *arg;
} seen;

static int processors(cpu_set_t *set)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(*set), set), 0);
	return CPU_COUNT(set);
}

static int introduce(void *arg)
{
	unsigned me = coil_worker_index();

	ck_assert_uint_lt(me, MANY);
	seen.thread[me] = pthread_self();
	seen.loop[me] = coil_loop_ref(coil_current_loop());
	seen.arg = arg;
	seen.entered++;
	/* All of them run at the same time. */
	until(seen.entered == MANY);
	ck_assert_uint_eq(coil_worker_index(), me);
	return (int)me;
}

START_TEST(every_worker_has_a_thread_a_loop_and_an_index_of_its_own)
{
	int arg;

	ck_assert_uint_eq(coil_worker_index(), 0);
	ck_assert_int_eq(coil_run_workers(MANY, introduce, &arg), 0);
	ck_assert_int_eq(seen.entered, MANY);
	ck_assert_ptr_eq(seen.arg, &arg);
	for (int i = 0; i < MANY; i++) {
		ck_assert(!pthread_equal(seen.thread[i], pthread_self()));
		for (int j = 0; j < i; j++) {
			ck_assert(!pthread_equal(seen.thread[i], seen.thread[j]));
			ck_assert_ptr_ne(seen.loop[i], seen.loop[j]);
		}
	}
	for (int i = 0; i < MANY; i++)
		coil_loop_unref(seen.loop[i]);
	ck_assert_uint_eq(coil_worker_index(), 0);
}
END_TEST

static int be_counted(void *arg)
{
	seen.entered++;
	return 1000;
}

START_TEST(without_a_number_there_is_one_a_processor)
{
	cpu_set_t set;

	ck_assert_int_eq(coil_run_workers(0, be_counted, NULL), 0);
	ck_assert_int_eq(seen.entered, processors(&set));
}
END_TEST

static int first_cpu(const cpu_set_t *set)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

static cpu_set_t all;
static cpu_set_t pins[MANY];
static pthread_mutex_t pins_lock = PTHREAD_MUTEX_INITIALIZER;

static int count_in_thread(void *arg)
{
	cpu_set_t set;

	/* Nor is a thread beside a loop a worker. */
	ck_assert_uint_eq(coil_worker_index(), 0);
	ck_assert_int_eq(processors(&set), CPU_COUNT(&all));
	return CPU_EQUAL(&set, &all) ? 0 : -EPROTO;
}

static int tell_pin(void *arg)
{
	int err;

	pthread_mutex_lock(&pins_lock);
	processors(&pins[coil_worker_index()]);
	pthread_mutex_unlock(&pins_lock);
	err = coil_to_thread(count_in_thread, NULL);
	return err ? err : coil_to_thread_abandonable(count_in_thread, NULL, NULL);
}

/* Of a large machine a few are enough. */
static int few_processors(void)
{
	int n = 0;

	processors(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && ++n > MANY)
			CPU_CLR(cpu, &all);
	}
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	return processors(&all);
}

START_TEST(one_worker_a_processor_has_that_and_its_threads_have_all)
{
	int n = few_processors();

	ck_assert_int_eq(coil_run_workers((unsigned)n, tell_pin, NULL), 0);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(CPU_COUNT(&pins[i]), 1);
		ck_assert(CPU_ISSET(first_cpu(&pins[i]), &all));
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(first_cpu(&pins[i]), first_cpu(&pins[j]));
	}
}
END_TEST

static int spawn_and_look(void *arg)
{
	const char *const argv[] = { "cat", NULL };
	const struct coil_process_options options = { .in = COIL_PIPE };
	struct coil_process process;
	cpu_set_t before, set;

	processors(&before);
	ck_assert_int_eq(coil_process_spawn(&process, argv, &options), 0);
	ck_assert_int_eq(sched_getaffinity(process.pid, sizeof(set), &set), 0);
	ck_assert(CPU_EQUAL(&set, &all));
	processors(&set);
	ck_assert(CPU_EQUAL(&set, &before));
	return coil_process_close(&process);
}

START_TEST(children_of_a_pinned_worker_may_run_where_the_process_may)
{
	/* ThreadSanitizer takes a child that shares our memory until execve for a race. */
	if (SANITIZED && !ADDRESS_SANITIZED)
		return;
	ck_assert_int_eq(coil_run_workers((unsigned)few_processors(), spawn_and_look, NULL), 0);
}
END_TEST

static int tell_no_pin(void *arg)
{
	cpu_set_t set;

	return processors(&set) == CPU_COUNT(&all) ? 0 : -EPROTO;
}

START_TEST(more_workers_than_processors_may_all_run_anywhere)
{
	unsigned n = (unsigned)processors(&all) + 1;

	ck_assert_int_eq(coil_run_workers(n, tell_no_pin, NULL), 0);
}
END_TEST

/* Any choice of some of them would be another program's choice as well. */
START_TEST(fewer_workers_than_processors_may_all_run_anywhere)
{
	unsigned n = (unsigned)few_processors();

	if (n > 1)
		ck_assert_int_eq(coil_run_workers(n - 1, tell_no_pin, NULL), 0);
}
END_TEST

START_TEST(no_pin_binds_nobody)
{
	const struct coil_workers_options options = { .no_pin = true };

	few_processors();
	ck_assert_int_eq(coil_run_workers_with(&options, tell_no_pin, NULL), 0);
}
END_TEST

static bool large_machine;

int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

/* A kernel for 4096 processors, of which we may use three. */
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	if (!large_machine)
		return __real_sched_getaffinity(pid, size, set);
	if (size < 4096 / 8) {
		errno = EINVAL;
		return -1;
	}
	CPU_ZERO_S(size, set);
	CPU_SET_S(1, size, set);
	CPU_SET_S(1500, size, set);
	CPU_SET_S(4095, size, set);
	return 0;
}

START_TEST(a_machine_may_have_more_than_1024_processors)
{
	large_machine = true;
	ck_assert_int_eq(coil_run_workers(0, be_counted, NULL), 0);
	ck_assert_int_eq(seen.entered, 3);
}
END_TEST

/*
 * Options of the loops, and stop signals.
 */

static int tell_options(void *arg)
{
	const struct coil_workers_options *options = arg;

	return strcmp(coil_backend_name(), options->loop.backend) ? -EPROTO : 0;
}

START_TEST(each_loop_has_the_options)
{
	struct coil_workers_options options = { .n = 2, .loop.backend = "epoll" };

	ck_assert_int_eq(coil_run_workers_with(&options, tell_options, &options), 0);
	options.loop.stack_size = 1;
	ck_assert_int_eq(coil_run_workers_with(&options, be_counted, NULL), -EINVAL);
	options.loop.stack_size = 0;
	options.reserved[3] = 1;
	ck_assert_int_eq(coil_run_workers_with(&options, be_counted, NULL), -EINVAL);
	ck_assert_int_eq(coil_run_workers_with(NULL, be_counted, NULL), 0);
}
END_TEST

static sigset_t stop_set;

static int run_stoppable(int (*fn)(void *arg), void *arg)
{
	const struct coil_workers_options options = {
		.n = MANY, .loop.stop_signals = &stop_set,
	};

	sigemptyset(&stop_set);
	sigaddset(&stop_set, SIGTERM);
	sigaddset(&stop_set, SIGUSR1);
	return coil_run_workers_with(&options, fn, arg);
}

/* The first may have ended when the signal comes, and others not be there yet. */
static int be_stopped(void *arg)
{
	unsigned me = coil_worker_index();
	sigset_t set = stop_set;

	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EBUSY);
	seen.entered++;
	if (me == 0)
		return 0;
	if (me == 1) {
		ck_assert_int_eq(coil_stop_signal(), 0);
		kill(getpid(), SIGTERM);
	}
	seen.result[me] = coil_sleep(COIL_FOREVER);
	seen.signal[me] = coil_stop_signal();
	seen.left++;
	return seen.result[me];
}

START_TEST(a_stop_signal_cancels_all_mains_and_each_learns_it)
{
	sigset_t mask;

	ck_assert_int_eq(run_stoppable(be_stopped, NULL), -EINTR);
	ck_assert_int_eq(coil_stop_signal(), SIGTERM);
	ck_assert_int_eq(seen.left, MANY - 1);
	for (int i = 1; i < MANY; i++) {
		ck_assert_int_eq(seen.result[i], -ECANCELED);
		ck_assert_int_eq(seen.signal[i], SIGTERM);
	}
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
	seen.entered = 0;
	ck_assert_int_eq(run_stoppable(be_counted, NULL), 0);
	ck_assert_int_eq(coil_stop_signal(), 0);
}
END_TEST

/* Also where every loop is busy. */
static int do_not_stop(void *arg)
{
	if (++seen.entered == 1)
		kill(getpid(), SIGTERM);
	coil_sleep(COIL_FOREVER);
	if (++seen.left == MANY)
		kill(getpid(), SIGUSR1);
	for (;;)
		usleep(1000);
	return 0;
}

static void run_twice_stopped(void *arg)
{
	_exit(run_stoppable(do_not_stop, arg) ? 1 : 0);
}

START_TEST(a_second_stop_signal_ends_the_process)
{
	char said[4096];
	int status = in_child(run_twice_stopped, NULL, said, sizeof(said));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status %#x: %s",
		      status, said);
}
END_TEST

/*
 * Failures.
 */

static int fail_once_all_are_there(void *arg)
{
	unsigned me = coil_worker_index();
	int err;

	seen.entered++;
	if (me == 2) {
		until(seen.entered == MANY);
		return -EIO;
	}
	err = coil_sleep(COIL_FOREVER);
	seen.result[me] = err;
	seen.left++;
	return me ? err : -EPIPE;
}

START_TEST(the_first_failure_cancels_the_others_and_is_returned)
{
	ck_assert_int_eq(coil_run_workers(MANY, fail_once_all_are_there, NULL), -EIO);
	ck_assert_int_eq(seen.left, MANY - 1);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(seen.result[i], i == 2 ? 0 : -ECANCELED);
}
END_TEST

/* The others may not have begun, or have their loops and not their mains. */
static int fail_at_once(void *arg)
{
	if (coil_worker_index() == *(unsigned *)arg)
		return -EIO;
	seen.left++;
	return coil_sleep(COIL_FOREVER);
}

START_TEST(those_that_begin_after_the_failure_are_cancelled_too)
{
	for (unsigned round = 0; round < 40; round++) {
		unsigned which = round % MANY;

		seen.left = 0;
		ck_assert_int_eq(coil_run_workers(MANY, fail_at_once, &which), -EIO);
		ck_assert_int_eq(seen.left, MANY - 1);
	}
}
END_TEST

/* All at the same moment, more or less. */
static int fail_or_succeed(void *arg)
{
	unsigned me = coil_worker_index();

	return me % 2 ? -1000 - (int)me : 0;
}

START_TEST(of_many_failures_one_is_returned)
{
	for (int round = 0; round < 40; round++) {
		int err = coil_run_workers(MANY, fail_or_succeed, NULL);

		ck_assert(err == -1001 || err == -1003);
	}
}
END_TEST

static int cancel_oneself(void *arg)
{
	if (coil_worker_index() == 1)
		coil_cancel(coil_current_task());
	return coil_sleep(COIL_FOREVER);
}

START_TEST(a_main_that_is_cancelled_from_elsewhere_is_a_failure)
{
	ck_assert_int_eq(coil_run_workers(MANY, cancel_oneself, NULL), -ECANCELED);
}
END_TEST

/* The request to stop finds a main that has returned, a loop that has not ended. */
static int linger(void *arg)
{
	COIL_SHIELD(COIL_FOREVER)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	return 0;
}

static int fail_while_others_end(void *arg)
{
	unsigned me = coil_worker_index();
	struct coil_task *task = start(linger, NULL);

	seen.entered++;
	/* The first may be done before the others are. */
	while (seen.entered < MANY && !coil_sleep(COIL_MILLISECOND))
		;
	coil_detach(task);
	return me ? 0 : -EIO;
}

START_TEST(a_failure_while_the_others_end_does_no_harm)
{
	for (int round = 0; round < 20; round++) {
		seen.entered = 0;
		ck_assert_int_eq(coil_run_workers(MANY, fail_while_others_end, NULL), -EIO);
	}
}
END_TEST

static int wait_in_vain(void *arg)
{
	return coil_sleep(COIL_FOREVER);
}

START_TEST(one_worker_alone_can_be_stuck)
{
	ck_assert_int_eq(coil_run_workers(1, wait_in_vain, NULL), -EDEADLK);
}
END_TEST

/*
 * Misuse, and want.
 */

static int never(void *arg)
{
	ck_abort_msg("it ran");
	return 0;
}

static int run_workers_inside(void *arg)
{
	ck_assert_int_eq(coil_run_workers(2, never, NULL), -EBUSY);
	return 5;
}

START_TEST(what_makes_no_sense_is_refused)
{
	ck_assert_int_eq(coil_run_workers(2, NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil_run_workers(4097, never, NULL), -EINVAL);
	ck_assert_int_eq(coil_run(run_workers_inside, NULL), 5);
}
END_TEST

static int wait_for_the_end(void *arg)
{
	seen.entered++;
	return coil_sleep(COIL_FOREVER);
}

START_TEST(when_a_thread_cannot_be_made_those_that_were_are_cancelled)
{
	for (unsigned n = 0; n < MANY; n++) {
		seen.entered = 0;
		support_limit_threads(n);
		ck_assert_int_eq(coil_run_workers(MANY, wait_for_the_end, NULL), -EAGAIN);
		ck_assert_int_eq(seen.entered, (int)n);
	}
	support_limit_threads(MANY);
	ck_assert_int_eq(coil_run_workers(MANY, be_counted, NULL), 0);
}
END_TEST

/* Fails before the others are made, and then one of those cannot be. */
static int fail_first(void *arg)
{
	return -EIO;
}

START_TEST(a_worker_may_fail_before_a_thread_could_not_be_made)
{
	for (int round = 0; round < 40; round++) {
		int err;

		support_limit_threads(MANY - 1);
		err = coil_run_workers(MANY, fail_first, NULL);
		ck_assert(err == -EIO || err == -EAGAIN);
	}
}
END_TEST

START_TEST(whatever_memory_is_out_for_all_end)
{
	int refused = 0;
	bool failed = true;

	for (unsigned long n = 1; failed; n++) {
		int err;

		support_fail_allocation(n);
		err = coil_run_workers(2, be_counted, NULL);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		ck_assert(err == 0 || err == -ENOMEM);
		refused += err != 0;
	}
	ck_assert_int_gt(refused, 1);
}
END_TEST

/*
 * Workers that speak to each other.
 */

struct talk {
	atomic_int ready;
	atomic_int heard;
	struct coil_loop *_Atomic loops[MANY];
};

static void hear(void *arg)
{
	((struct talk *)arg)->heard++;
}

static int talk(void *arg)
{
	struct talk *own = arg;
	unsigned me = coil_worker_index();

	own->loops[me] = coil_loop_ref(coil_current_loop());
	own->ready++;
	until(own->ready == MANY);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(coil_call_soon_threadsafe(own->loops[i], hear, own), 0);
		if (round % 20 == 0)
			ck_assert_int_eq(coil_yield(), 0);
	}
	until(own->heard == 200 * MANY * MANY);
	return 0;
}

START_TEST(workers_call_each_other)
{
	struct talk own = {0};

	ck_assert_int_eq(coil_run_workers(MANY, talk, &own), 0);
	for (int i = 0; i < MANY; i++)
		coil_loop_unref(own.loops[i]);
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = suite_create("workers");
	tests = tcase_create("workers");
	tcase_add_test(tests, every_worker_has_a_thread_a_loop_and_an_index_of_its_own);
	tcase_add_test(tests, without_a_number_there_is_one_a_processor);
	tcase_add_test(tests, one_worker_a_processor_has_that_and_its_threads_have_all);
	tcase_add_test(tests, children_of_a_pinned_worker_may_run_where_the_process_may);
	tcase_add_test(tests, fewer_workers_than_processors_may_all_run_anywhere);
	tcase_add_test(tests, no_pin_binds_nobody);
	tcase_add_test(tests, a_machine_may_have_more_than_1024_processors);
	tcase_add_test(tests, each_loop_has_the_options);
	tcase_add_test(tests, a_stop_signal_cancels_all_mains_and_each_learns_it);
	tcase_add_test(tests, a_second_stop_signal_ends_the_process);
	tcase_add_test(tests, more_workers_than_processors_may_all_run_anywhere);
	tcase_add_test(tests, the_first_failure_cancels_the_others_and_is_returned);
	tcase_add_test(tests, those_that_begin_after_the_failure_are_cancelled_too);
	tcase_add_test(tests, of_many_failures_one_is_returned);
	tcase_add_test(tests, a_main_that_is_cancelled_from_elsewhere_is_a_failure);
	tcase_add_test(tests, a_failure_while_the_others_end_does_no_harm);
	tcase_add_test(tests, one_worker_alone_can_be_stuck);
	tcase_add_test(tests, what_makes_no_sense_is_refused);
	tcase_add_test(tests, when_a_thread_cannot_be_made_those_that_were_are_cancelled);
	tcase_add_test(tests, a_worker_may_fail_before_a_thread_could_not_be_made);
	tcase_add_test(tests, whatever_memory_is_out_for_all_end);
	tcase_add_test(tests, workers_call_each_other);
	suite_add_tcase(whole, tests);
	return whole;
}
