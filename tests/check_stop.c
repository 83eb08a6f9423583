/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/backend/op.h"
#include <coil/timeout.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define MS COIL_MILLISECOND

/*
 * Signals that stop a run.
 */

static sigset_t set_of(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

static int run_stoppable(int (*fn)(void *arg), void *arg)
{
	sigset_t set = set_of(SIGINT);
	const struct coil_options options = { .stop_signals = &set };

	sigaddset(&set, SIGTERM);
	return coil_run_with(&options, fn, arg);
}

/* As it was before. */
static void ck_unblocked(int number)
{
	sigset_t mask, pending;

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	ck_assert_int_eq(sigismember(&mask, number), 0);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, number), 0);
}

struct stopped {
	int err;
	int cleaned;
	int (*wait)(void);
};

static int sleep_for_ever(void)
{
	return coil_sleep(COIL_FOREVER);
}

static int yield_for_ever(void)
{
	int err;

	while (!(err = coil_sleep(0)))
		;
	return err;
}

static int be_stopped(void *arg)
{
	struct stopped *own = arg;

	raise(SIGINT);
	own->err = own->wait();
	COIL_SHIELD(COIL_SECOND)
		own->cleaned = coil_sleep(MS);
	return own->err;
}

START_TEST(run_006_a_stop_signal_cancels_main_and_the_run_is_eintr)
{
	static int (*const waits[])(void) = { sleep_for_ever, yield_for_ever };

	for (int i = 0; i < 2; i++) {
		struct stopped own = { .wait = waits[i], .cleaned = 1 };

		ck_assert_int_eq(run_stoppable(be_stopped, &own), -EINTR);
		ck_assert_int_eq(own.err, -ECANCELED);
		ck_assert_int_eq(own.cleaned, 0);
		ck_unblocked(SIGINT);
	}
}
END_TEST

static int finish_all_the_same(void *arg)
{
	raise(SIGTERM);
	return coil_sleep(COIL_FOREVER) == -ECANCELED ? 8 : -EPROTO;
}

START_TEST(run_006_a_main_that_finishes_all_the_same_has_its_result)
{
	ck_assert_int_eq(run_stoppable(finish_all_the_same, NULL), 8);
}
END_TEST

static int cancel_by_hand(void *arg)
{
	coil_cancel(coil_current_task());
	return coil_yield();
}

START_TEST(run_006_a_cancel_from_elsewhere_stays_ecanceled)
{
	ck_assert_int_eq(run_stoppable(cancel_by_hand, NULL), -ECANCELED);
	ck_unblocked(SIGINT);
}
END_TEST

static int do_not_stop(void *arg)
{
	raise(SIGINT);
	if (coil_sleep(COIL_FOREVER) != -ECANCELED)
		return -EPROTO;
	raise(SIGINT);
	COIL_SHIELD(COIL_FOREVER)
		coil_sleep(COIL_FOREVER);
	return 0;
}

static void run_twice_stopped(void *arg)
{
	_exit(run_stoppable(arg, NULL) ? 1 : 0);
}

START_TEST(run_006_a_second_signal_ends_the_process)
{
	char said[4096];
	int status = in_child(run_twice_stopped, (void *)do_not_stop, said,
			      sizeof(said));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT,
		      "status %#x: %s", status, said);
}
END_TEST

static int sleep_as_main(void *arg)
{
	return coil_sleep(COIL_FOREVER);
}

START_TEST(a_signal_that_was_pending_before_the_run_stops_it)
{
	sigset_t set = set_of(SIGINT);

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	raise(SIGINT);
	ck_assert_int_eq(run_stoppable(sleep_as_main, NULL), -EINTR);
	ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	ck_unblocked(SIGINT);
}
END_TEST

static void *signal_later(void *arg)
{
	const struct timespec moment = { .tv_nsec = 20 * MS };

	nanosleep(&moment, NULL);
	pthread_kill(*(pthread_t *)arg, SIGTERM);
	return NULL;
}

/* It waits for what only a signal can bring: that is no deadlock. */
START_TEST(a_main_that_sleeps_until_it_is_stopped_is_not_stuck)
{
	pthread_t self = pthread_self(), thread;
	sigset_t set = set_of(SIGTERM), old;

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, signal_later, &self), 0);
	ck_assert_int_eq(run_stoppable(sleep_as_main, NULL), -EINTR);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}
END_TEST

/* Whoever ends a process may send it two at once: main was told of neither yet. */
START_TEST(two_different_signals_at_once_are_one_and_so_is_the_same_twice)
{
	static const int pairs[][2] = { { SIGINT, SIGTERM }, { SIGTERM, SIGTERM } };
	sigset_t set = set_of(SIGINT);

	sigaddset(&set, SIGTERM);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
		raise(pairs[i][1]);
		raise(pairs[i][0]);
		ck_assert_int_eq(run_stoppable(sleep_as_main, NULL), -EINTR);
		ck_assert_int_eq(coil_stop_signal(), pairs[i][0]);
		ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
		ck_unblocked(SIGINT);
		ck_unblocked(SIGTERM);
	}
}
END_TEST

static int tell_stop_signal(void *arg)
{
	ck_assert_int_eq(coil_stop_signal(), 0);
	if (arg) {
		raise(SIGTERM);
		ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ECANCELED);
	}
	return coil_stop_signal();
}

START_TEST(which_signal_stopped_the_run_can_be_asked_in_it_and_after_it)
{
	for (int stop = 0; stop < 2; stop++) {
		int expected = stop ? SIGTERM : 0;

		ck_assert_int_eq(run_stoppable(tell_stop_signal, stop ? &stop : NULL), expected);
		ck_assert_int_eq(coil_stop_signal(), expected);
	}
	ck_assert_int_eq(coil_run(tell_stop_signal, NULL), 0);
	ck_assert_int_eq(coil_stop_signal(), 0);
}
END_TEST

/* Exits with what process 1 of a new namespace exits with, 77 if there is none. */
static void run_as_process_1(void *arg)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
		_exit(77);
	pid = fork();
	if (pid < 0)
		_exit(77);
	if (!pid) {
		if (getpid() != 1)
			_exit(77);
		run_twice_stopped(arg);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		_exit(99);
	_exit(WEXITSTATUS(status));
}

START_TEST(run_006_a_second_signal_ends_process_1_too)
{
	char said[4096];
	int status = in_child(run_as_process_1, (void *)do_not_stop, said, sizeof(said));

	ck_assert_msg(WIFEXITED(status), "status %#x: %s", status, said);
	if (WEXITSTATUS(status) == 77)
		return;
	ck_assert_msg(WEXITSTATUS(status) == 128 + SIGINT, "status %#x: %s", status, said);
}
END_TEST

/*
 * SIGPIPE.
 */

static int write_to_nobody(void *arg)
{
	struct op op = {0};
	int ends[2];
	ssize_t n;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	close(ends[0]);
	ck_assert_int_eq(write(ends[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	io_uring_prep_write(&op.sqe, ends[1], "x", 1, (uint64_t)-1);
	n = coil__op_run(&op);
	close(ends[1]);
	return (int)n;
}

START_TEST(a_broken_pipe_kills_nobody_and_leaves_no_signal_behind)
{
	struct sigaction before, after;

	ck_assert_int_eq(sigaction(SIGPIPE, NULL, &before), 0);
	ck_assert_int_eq(coil_run(write_to_nobody, NULL), -EPIPE);
	ck_unblocked(SIGPIPE);
	ck_assert_int_eq(sigaction(SIGPIPE, NULL, &after), 0);
	ck_assert(before.sa_handler == after.sa_handler);
	ck_assert(after.sa_handler == SIG_DFL);
}
END_TEST

START_TEST(a_sigpipe_that_was_pending_before_stays)
{
	sigset_t set = set_of(SIGPIPE), pending;
	const struct timespec now = {0};

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	raise(SIGPIPE);
	ck_assert_int_eq(coil_run(write_to_nobody, NULL), -EPIPE);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, SIGPIPE), 1);
	ck_assert_int_eq(sigtimedwait(&set, NULL, &now), SIGPIPE);
	ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("stop");
	TCase *tests = tcase_create("stop");

	tcase_add_test(tests,
		       run_006_a_stop_signal_cancels_main_and_the_run_is_eintr);
	tcase_add_test(tests,
		       run_006_a_main_that_finishes_all_the_same_has_its_result);
	tcase_add_test(tests, run_006_a_cancel_from_elsewhere_stays_ecanceled);
	tcase_add_test(tests, run_006_a_second_signal_ends_the_process);
	tcase_add_test(tests, run_006_a_second_signal_ends_process_1_too);
	tcase_add_test(tests, two_different_signals_at_once_are_one_and_so_is_the_same_twice);
	tcase_add_test(tests, which_signal_stopped_the_run_can_be_asked_in_it_and_after_it);
	tcase_add_test(tests,
		       a_signal_that_was_pending_before_the_run_stops_it);
	tcase_add_test(tests,
		       a_main_that_sleeps_until_it_is_stopped_is_not_stuck);
	tcase_add_test(tests,
		       a_broken_pipe_kills_nobody_and_leaves_no_signal_behind);
	tcase_add_test(tests, a_sigpipe_that_was_pending_before_stays);
	suite_add_tcase(whole, tests);
	return whole;
}
