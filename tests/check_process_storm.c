/* SPDX-License-Identifier: MIT */
/*
 * Children in rough weather.
 */
#include "tests/processes.h"
#include "tests/sweep.h"
#include <coil/stream.h>

/*
 * Many at once.
 */

enum {
	MANY = 200
};

static int live_shortly(void *arg)
{
	char script[64], text[16] = "";
	struct coil_process process;
	int status = -1, err, i = (int)(intptr_t)arg;
	size_t length;

	snprintf(script, sizeof(script), "echo %d; exit %d", i, i % 100);
	err = try_sh(&process, script, &out_pipe);
	if (err)
		return err;
	err = coil_process_communicate(&process, NULL, 0, text,
				       sizeof(text) - 1, &length);
	if (!err)
		err = coil_process_wait(&process, &status);
	if (!err && (status != i % 100 << 8 || strtol(text, NULL, 10) != i))
		err = -EPROTO;
	coil_process_close(&process);
	return err;
}

COIL_TEST(a_storm_of_short_lived_children_keeps_each_ones_own)
{
	struct coil_task *tasks[MANY];

	for (int i = 0; i < MANY; i++)
		tasks[i] = start(live_shortly, INT(i));
	ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
}

/* Killed, waited for, cancelled and closed at any moment. */
static int live_dangerously(void *arg)
{
	uint64_t dice = (uint64_t)(uintptr_t)arg | 1;
	struct coil_process process;
	int status = 0, err;

	err = try_sh(&process, "sleep 0.00$(($$ % 10))", &all_pipes);
	if (err)
		return err;
	coil_sleep(roll(&dice, 8) * MS);
	if (roll(&dice, 2))
		coil_process_kill(&process, roll(&dice, 2) ? SIGKILL : SIGTERM);
	if (roll(&dice, 2))
		err = coil_process_communicate(&process, "x", 1, NULL, 0, NULL);
	if (!err && roll(&dice, 2))
		err = coil_process_wait(&process, &status);
	if (coil_process_close(&process))
		err = -EPROTO;
	return err == -ECANCELED ? 0 : err;
}

COIL_TEST(children_that_are_killed_and_closed_at_random_leave_nothing)
{
	uint64_t seed = support_seed() | 1;
	struct coil_task *tasks[32];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 32; i++) {
			roll(&seed, 2);
			tasks[i] = start(live_dangerously,
					 (void *)(uintptr_t)seed);
		}
		coil_sleep(roll(&seed, 10) * MS);
		for (int i = 0; i < 32; i += 3)
			coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_gather(tasks, 32, NULL), 0);
		no_child_is_left();
	}
}

/*
 * A cancel at every park.
 */

static int communicate(void *arg)
{
	static char text[65536];
	struct coil_process process;
	size_t length;
	int err = try_sh(&process, "exec cat", &all_pipes);

	if (err)
		return err;
	err = coil_process_communicate(&process, text, sizeof(text), text,
				       sizeof(text), &length);
	if (!err)
		err = coil_process_wait(&process, NULL);
	if (coil_process_close(&process))
		err = -EPROTO;
	return err;
}

static void nothing_is_left(int result)
{
	ok_or_cancelled(result);
	no_child_is_left();
}

COIL_TEST(a_cancel_at_any_moment_leaves_no_child)
{
	static const struct sweep it = {
		.run = communicate,
		.end = nothing_is_left,
	};

	sweep(&it);
}

/*
 * Want of everything.
 */

static rlim_t lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return (rlim_t)fd;
}

/* A copy of our own output may be a file or a terminal, which a thread closes. */
static void is_lowest_soon(rlim_t lowest)
{
	for (int i = 0; i < 5000 && lowest_fd() != lowest; i++)
		ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_uint_eq(lowest_fd(), lowest);
}

COIL_TEST(wherever_fds_run_out_nothing_is_left)
{
	struct coil_process_options options[] = {
		{ .in = COIL_PIPE, .out = COIL_PIPE, .err = COIL_PIPE },
		{ .in = COIL_DEVNULL, .out = COIL_PIPE, .err = COIL_STDOUT },
		{ .out = 2, .err = 1 },
		{ .in = 0 },
	};
	struct rlimit limit, old;

	if (support_on_valgrind())
		return;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		int made = 0, failed = 0;

		for (rlim_t n = 0; n <= 10; n++) {
			struct coil_process process;
			rlim_t lowest = lowest_fd();
			int err;

			limit = old;
			limit.rlim_cur = lowest + n;
			ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
			err = try_sh(&process, "exit 0", &options[i]);
			ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
			ck_assert_msg(!err || err == -EMFILE, "%d", err);
			made += !err;
			failed += err == -EMFILE;
			if (err)
				is_none(&process);
			else
				done_with(&process);
			is_lowest_soon(lowest);
			no_child_is_left();
		}
		ck_assert(made && failed);
	}
}

static void be_nobody(void *arg)
{
	const struct rlimit none = {0};
	struct coil_process process;

	if (setrlimit(RLIMIT_NPROC, &none) || (!geteuid() && setuid(65534)))
		_exit(2);
	if (try_sh(&process, "true", &all_pipes) != -EAGAIN || process.pid)
		_exit(3);
	_exit(lowest_fd() == *(rlim_t *)arg ? 0 : 4);
}

START_TEST(where_there_may_be_no_more_processes_it_is_eagain)
{
	rlim_t lowest = lowest_fd();
	char said[256];
	int status = in_child(be_nobody, &lowest, said, sizeof(said));

	ck_assert_msg(!status, "status %#x: %s", status, said);
}
END_TEST

static int use_all(void *arg)
{
	struct coil_process process;
	int fds[80], err, status;

	/* So that the loop's table of fds has to grow. */
	for (int i = 0; i < 80; i++)
		fds[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	err = try_sh(&process, "exec cat", &all_pipes);
	if (!err) {
		err = coil_process_communicate(&process, "abc", 3, NULL, 0,
					       NULL);
		if (!err)
			err = coil_process_wait(&process, &status);
		if (coil_process_close(&process))
			err = -EPROTO;
	}
	for (int i = 0; i < 80; i++)
		close(fds[i]);
	return err;
}

START_TEST(any_allocation_may_fail)
{
	bool failed = true;

	for (unsigned long nth = 1; failed; nth++) {
		int result;

		support_fail_allocation(nth);
		result = coil_run(use_all, NULL);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		ck_assert_msg(result == 0 || (failed && result == -ENOMEM),
			      "allocation %lu: %d", nth, result);
		no_child_is_left();
	}
}
END_TEST

/*
 * Others who have to do with children.
 */

COIL_TEST(where_sigchld_is_ignored_output_is_read_and_the_status_is_echild)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	char text[16];
	size_t length;

	ck_assert_int_eq(sigaction(SIGCHLD, &ignore, &old), 0);
	for (int i = 0; i < 50; i++) {
		struct coil_process process;

		sh(&process, "echo hi", &out_pipe);
		ck_assert_int_eq(coil_process_communicate(&process, NULL, 0,
							  text, 16, &length),
				 0);
		ck_assert_uint_eq(length, 3);
		ck_assert_int_eq(coil_process_wait(&process, NULL), -ECHILD);
		ck_assert_int_eq(coil_process_wait(&process, NULL), -ECHILD);
		ck_assert_int_eq(coil_process_kill(&process, SIGKILL), -ESRCH);
		done_with(&process);
		sh(&process, "exec sleep 100", NULL);
		ck_assert_int_eq(coil_process_kill(&process, 0), 0);
		done_with(&process);
	}
	ck_assert_int_eq(sigaction(SIGCHLD, &old, NULL), 0);
}

static int count_turns(void *arg)
{
	while (!coil_sleep(100 * COIL_MICROSECOND))
		++*(int *)arg;
	return 0;
}

COIL_TEST(a_childs_start_does_not_disturb_the_loop)
{
	int turns = 0, ends[2], before;
	struct coil_task *other = start(count_turns, &turns);
	struct coil_stream *stream;
	struct coil_process process;
	const char *line;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	stream = coil_stream_open(ends[0]);
	ck_assert_ptr_nonnull(stream);
	for (int i = 0; i < 20; i++) {
		sh(&process, "exec sleep 100", NULL);
		before = turns;
		ck_assert_int_eq(coil_write(ends[1], "line\n", 5), 5);
		ck_assert_int_eq(coil_stream_read_line(stream, &line), 5);
		ck_assert_int_eq(coil_sleep(MS), 0);
		ck_assert_int_gt(turns, before);
		done_with(&process);
	}
	ck_assert_int_eq(coil_stream_close(stream), 0);
	close(ends[1]);
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), 0);
}

/* Of a pidfd a newer kernel says that it is a file, whose close may wait. */
COIL_TEST(a_child_takes_no_thread)
{
	unsigned long threads = support_threads();
	struct coil_process process;

	sh(&process, "exit 0", &all_pipes);
	exits(&process, 0);
	done_with(&process);
	sh(&process, "exec sleep 100", NULL);
	done_with(&process);
	ck_assert_uint_eq(support_threads(), threads);
}

static int be_parent_too(void *arg)
{
	struct coil_process process;
	char text[16] = "";
	size_t length;
	int status;

	/* Its parent's child is none of its own. */
	if (coil_process_wait(arg, NULL) != -ECHILD)
		return 10;
	if (try_sh(&process, "echo hi; exit 3", &out_pipe))
		return 11;
	if (coil_process_communicate(&process, NULL, 0, text, 16, &length) ||
	    length != 3)
		return 12;
	if (coil_process_wait(&process, &status) || status != 3 << 8)
		return 13;
	return coil_process_close(&process) ? 14 : 0;
}

COIL_TEST(the_child_of_a_fork_has_children_of_its_own_and_kills_no_others)
{
	struct coil_process process, copy;
	int status;
	pid_t pid;

	sh(&process, "read x; exit 6", &all_pipes);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		copy = process;
		if (coil_process_wait(&process, NULL) != -EPERM)
			_exit(1);
		status = coil_run(be_parent_too, &copy);
		if (status || coil_process_close(&process) || process.pid)
			_exit(status ? status : 2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(coil_process_kill(&process, 0), 0);
	ck_assert_int_eq(coil_write(process.in, "\n", 1), 1);
	exits(&process, 6);
	done_with(&process);
}

/* A child that runs as another user, which is not ours to kill. */
static int close_in_vain(void *arg)
{
	struct coil_process process;
	int status;

	if (try_sh(&process, "read x; exit 6", &all_pipes))
		return 10;
	if (setuid(65534))
		return 11;
	if (coil_process_kill(&process, SIGTERM) != -EPERM)
		return 12;
	if (coil_process_close(&process) != -EPERM)
		return 13;
	if (process.in != -1 || process.out != -1 || !process.pid)
		return 14;
	if (coil_process_wait(&process, &status) || status != 6 << 8)
		return 15;
	return coil_process_close(&process) ? 16 : 0;
}

static void be_another(void *arg)
{
	_exit(coil_run(close_in_vain, NULL));
}

START_TEST(one_that_may_not_be_killed_is_waited_for)
{
	char said[256];
	int status;

	if (geteuid()) {
		printf("skip: only root has children that it cannot kill\n");
		return;
	}
	status = in_child(be_another, NULL, said, sizeof(said));
	ck_assert_msg(!status, "status %#x: %s", status, said);
}
END_TEST

/* It is a signal like others, and statuses are had all the same. */
COIL_TEST(sigchld_may_be_waited_for_beside_the_children)
{
	struct coil_process process;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	sh(&process, "exit 5", NULL);
	ck_assert_int_eq(coil_signal_wait(&set, &info), SIGCHLD);
	ck_assert_int_eq(info.si_pid, process.pid);
	exits(&process, 5);
	done_with(&process);
}

static int start_children(void *arg)
{
	for (int i = 0; i < 10; i++) {
		int err = live_shortly(INT(i));

		if (err)
			return err;
	}
	return 0;
}

START_TEST(loops_of_several_threads_have_children)
{
	ck_assert_int_eq(coil_run_workers(3, start_children, NULL), 0);
}
END_TEST

static void add_others(TCase *tests)
{
	tcase_add_test(
		tests,
		where_sigchld_is_ignored_output_is_read_and_the_status_is_echild);
	tcase_add_test(tests, a_childs_start_does_not_disturb_the_loop);
	tcase_add_test(tests, a_child_takes_no_thread);
	tcase_add_test(
		tests,
		the_child_of_a_fork_has_children_of_its_own_and_kills_no_others);
	tcase_add_test(tests, one_that_may_not_be_killed_is_waited_for);
	tcase_add_test(tests, sigchld_may_be_waited_for_beside_the_children);
	tcase_add_test(tests, loops_of_several_threads_have_children);
}

Suite *suite(void)
{
	Suite *whole;
	TCase *storm, *others;

	if (support_skip_on("sim", "children do not know its clock"))
		return NULL;
	whole = suite_create("process_storm");
	storm = case_of_children("storm");
	others = case_of_children("others");
	tcase_set_timeout(storm, 60 * support_patience());
	tcase_add_test(storm,
		       a_storm_of_short_lived_children_keeps_each_ones_own);
	tcase_add_test(
		storm,
		children_that_are_killed_and_closed_at_random_leave_nothing);
	tcase_add_test(storm, a_cancel_at_any_moment_leaves_no_child);
	tcase_add_test(storm, wherever_fds_run_out_nothing_is_left);
	tcase_add_test(storm,
		       where_there_may_be_no_more_processes_it_is_eagain);
	tcase_add_test(storm, any_allocation_may_fail);
	add_others(others);
	suite_add_tcase(whole, storm);
	suite_add_tcase(whole, others);
	return whole;
}
