/* SPDX-License-Identifier: MIT */
/*
 * Children: how they are started, what they find, and how they end.
 */
#include "tests/filters.h"
#include "tests/processes.h"

COIL_TEST(proc_002_a_shell_command_has_its_output_and_its_status)
{
	const struct coil_process_options sessions[] = {
		{ .out = COIL_PIPE },
		{ .out = COIL_PIPE, .new_session = true },
	};
	struct coil_process process;
	char text[64];

	for (int i = 0; i < 2; i++) {
		sh(&process, i ? "echo two; exit 8" : "echo one; exit 7",
		   &sessions[i]);
		ck_assert_int_gt(process.pid, 0);
		read_text(process.out, text, sizeof(text));
		ck_assert_str_eq(text, i ? "two\n" : "one\n");
		exits(&process, 7 + i);
		done_with(&process);
	}
}

COIL_TEST(proc_003_a_signal_that_ends_it_shows_in_its_status)
{
	static const int numbers[] = { SIGKILL, SIGTERM, SIGHUP };
	struct coil_process process;

	for (int i = 0; i < 3; i++) {
		sh(&process, "exec sleep 100", NULL);
		ck_assert_int_eq(coil_process_kill(&process, 0), 0);
		ck_assert_int_eq(coil_process_kill(&process, numbers[i]), 0);
		is_killed(&process, numbers[i]);
		ck_assert_int_eq(coil_process_kill(&process, SIGTERM), -ESRCH);
		done_with(&process);
	}
}

/* Whatever the machine does with dumps, waitpid(2) says it the same way. */
static int status_by_waitpid(const char *script, const char *folder)
{
	int status = -1;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (!chdir(folder))
			execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

COIL_TEST(a_status_is_what_waitpid_gives_with_and_without_a_core_dump)
{
	static const char *const scripts[] = {
		"ulimit -c 0; kill -ABRT $$", "ulimit -c 1000; kill -ABRT $$",
		"exit 0", "exit 255", "kill -KILL $$",
	};
	char folder[] = "/tmp/coil-test-XXXXXX", command[64];
	const struct coil_process_options options = { .cwd = folder };
	struct coil_process process;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		sh(&process, scripts[i], &options);
		ck_assert_int_eq(status_of(&process),
				 status_by_waitpid(scripts[i], folder));
		done_with(&process);
	}
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	sh(&process, command, NULL);
	exits(&process, 0);
	done_with(&process);
}

/* As in Linux 5.3: waitid(2) does not know P_PIDFD, which is 3. */
COIL_TEST(where_a_pidfd_cannot_be_waited_for_the_child_is)
{
	struct coil_process process;

	if (refuse_call_of(SYS_waitid, 0, 3, EINVAL)) {
		printf("skip: " NO_FILTER "\n");
		return;
	}
	sh(&process, "read line; exit 7", &all_pipes);
	coil_close(process.in);
	process.in = -1;
	exits(&process, 7);
	done_with(&process);
	sh(&process, "sleep 100", NULL);
	ck_assert_int_eq(coil_process_kill(&process, SIGKILL), 0);
	is_killed(&process, SIGKILL);
	done_with(&process);
	/* Another part of the program reaped it. */
	sh(&process, "exit 3", NULL);
	ck_assert_int_eq(waitpid(process.pid, NULL, 0), process.pid);
	ck_assert_int_eq(coil_process_wait(&process, NULL), -ECHILD);
	done_with(&process);
}

COIL_TEST(proc_005_a_grandchild_with_the_pipe_does_not_delay_the_wait)
{
	const struct coil_process_options options = {
		.out = COIL_PIPE,
		.new_group = true,
	};
	struct coil_process process;
	int err;

	sh(&process, "sleep 100 & echo up; wait", &options);
	hears_line(process.out);
	ck_assert_int_eq(coil_process_kill(&process, SIGKILL), 0);
	is_killed(&process, SIGKILL);
	/* Its leader is gone, and Linux before 6.9 cannot reach the rest. */
	err = coil_process_kill_group(&process, SIGKILL);
	ck_assert(err == 0 || err == -ESRCH);
	done_with(&process);
}

static bool mentions(const char *text, int fd)
{
	struct stat status;
	char name[64];

	ck_assert_int_eq(fstat(fd, &status), 0);
	snprintf(name, sizeof(name), "pipe:[%lu]",
		 (unsigned long)status.st_ino);
	return strstr(text, name);
}

COIL_TEST(proc_007_a_child_has_no_fd_of_ours_nor_of_another_child)
{
	static char text[16384];
	struct coil_process first, second;

	sh(&first, "exec wc -c", &all_pipes);
	sh(&second, "exec ls -l /proc/self/fd", &all_pipes);
	read_text(second.out, text, sizeof(text));
	ck_assert(mentions(text, second.out) && mentions(text, second.in));
	ck_assert(!mentions(text, first.in) && !mentions(text, first.out));
	ck_assert_ptr_null(strstr(text, "pidfd"));
	ck_assert_ptr_null(strstr(text, "io_uring"));
	ck_assert_ptr_null(strstr(text, "eventpoll"));
	ck_assert_int_eq(coil_write(first.in, "abc", 3), 3);
	coil_close(first.in);
	first.in = -1;
	read_text(first.out, text, sizeof(text));
	ck_assert_str_eq(text, "3\n");
	exits(&first, 0);
	exits(&second, 0);
	done_with(&first);
	done_with(&second);
}

COIL_TEST(our_ends_of_pipes_do_not_block_and_the_childs_do)
{
	struct coil_process process;

	sh(&process, "exec cat", &all_pipes);
	for (int i = 0; i < 3; i++) {
		int fd = i ? i == 1 ? process.out : process.err : process.in;

		ck_assert_int_gt(fd, 2);
		ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	ck_assert(fcntl(process.pidfd, F_GETFD) & FD_CLOEXEC);
	done_with(&process);
	prints("cat /proc/self/fdinfo/1 | grep -c '^flags:.*4...$'; true",
	       &out_pipe, "0\n");
}

COIL_TEST(proc_008_null_reads_as_the_end_and_what_is_written_vanishes)
{
	struct coil_process_options options = {
		.in = COIL_DEVNULL,
		.out = COIL_PIPE,
		.err = COIL_DEVNULL,
	};

	prints("wc -c; wc -c </dev/stdin; echo gone >&2", &options, "0\n0\n");
	options.in = COIL_PIPE;
	options.out = COIL_DEVNULL;
	for (int i = 0; i < 2; i++) {
		struct coil_process process;

		sh(&process, "echo gone; exec cat", &options);
		ck_assert_int_eq(process.out, -1);
		ck_assert_int_eq(process.err, -1);
		coil_close(process.in);
		process.in = -1;
		exits(&process, 0);
		done_with(&process);
	}
}

COIL_TEST(an_fd_may_serve_as_one_two_or_three)
{
	struct coil_process_options options = {0};
	struct coil_process process;
	int ends[2], fds[2];
	char text[64];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	options.out = options.err = ends[1];
	sh(&process, "echo a; echo b >&2", &options);
	exits(&process, 0);
	done_with(&process);
	options.in = options.out = fds[0];
	options.err = COIL_STDOUT;
	sh(&process, "read x; echo $x; echo $x >&2", &options);
	ck_assert_int_eq(write(fds[1], "c\n", 2), 2);
	exits(&process, 0);
	done_with(&process);
	/* They are still the caller's. */
	close(ends[1]);
	close(fds[0]);
	read_text(ends[0], text, sizeof(text));
	ck_assert_str_eq(text, "a\nb\n");
	read_text(fds[1], text, sizeof(text));
	ck_assert_str_eq(text, "c\nc\n");
	close(ends[0]);
	close(fds[1]);
}

COIL_TEST(errors_may_go_where_the_output_goes)
{
	const struct coil_process_options options = {
		.out = COIL_PIPE,
		.err = COIL_STDOUT,
	};

	prints("echo a; echo b >&2; echo c", &options, "a\nb\nc\n");
}

/* Standard output and error change places. */
static int exchange(void *arg)
{
	const struct coil_process_options options = { .out = 2, .err = 1 };
	struct coil_process process;
	int status = -1;

	if (try_sh(&process, "echo out; echo err >&2", &options) ||
	    coil_process_wait(&process, &status) || status)
		return -EPROTO;
	return coil_process_close(&process);
}

static void exchange_in_child(void *arg)
{
	int fd = open("/dev/null", O_WRONLY);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || close(fd))
		_exit(2);
	_exit(coil_run(exchange, NULL) ? 1 : 0);
}

START_TEST(standard_fds_may_change_places)
{
	char said[256];
	int status = in_child(exchange_in_child, NULL, said, sizeof(said));

	ck_assert_msg(!status, "%#x %s", status, said);
	ck_assert_str_eq(said, "out\n");
}
END_TEST

/* Nothing is open below 3 when it runs. */
static int spawn_without(void *arg)
{
	struct coil_process process;
	char text[64] = "";
	size_t length;
	int status = -1;

	for (int i = 0; i < 3; i++) {
		if (try_sh(&process, "read x; echo $x; echo err >&2; exit 5",
			   &all_pipes))
			return 10;
		if (process.in < 3 || process.out < 3 || process.err < 3 ||
		    process.pidfd < 3)
			return 11;
		if (coil_process_communicate(&process, "hello\n", 6, text,
					     sizeof(text), &length))
			return 12;
		if (length != 6 || memcmp(text, "hello\n", 6))
			return 13;
		if (coil_process_wait(&process, &status) || status != 5 << 8)
			return 14;
		if (coil_process_close(&process))
			return 15;
	}
	/* What is inherited stays closed. */
	if (try_sh(&process, "[ ! -e /proc/$$/fd/0 ]", &out_pipe))
		return 16;
	if (coil_process_wait(&process, &status) || status)
		return 17;
	if (coil_process_close(&process))
		return 18;
	if (try_sh(&process, "true",
		   &(struct coil_process_options){ .err = COIL_STDOUT }) !=
	    -EBADF)
		return 19;
	return 0;
}

static void close_standard(void *arg)
{
	struct coil_process process;

	for (int i = 0; i < 3; i++)
		close(i);
	/* With no loop, either, whose fds would take their places. */
	if (try_sh(&process, "exec cat", &all_pipes))
		_exit(30);
	if (process.in < 3 || process.out < 3 || process.err < 3 ||
	    process.pidfd < 3 || !fcntl(0, F_GETFD) || coil_process_close(&process))
		_exit(31);
	_exit(coil_run(spawn_without, NULL));
}

START_TEST(a_parent_without_standard_fds_may_have_children_with_them)
{
	char said[256];
	int status = in_child(close_standard, NULL, said, sizeof(said));

	ck_assert_msg(!status, "status %#x %s", status, said);
}
END_TEST

/*
 * What the child is given.
 */

/* Those between are the C library's own. */
static uint64_t signals_of(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	ck_assert_ptr_nonnull(line);
	return strtoull(line + strlen(name), NULL, 16) & ~UINT64_C(0x180000000);
}

COIL_TEST(a_child_has_an_empty_mask_and_default_dispositions)
{
	const char *const argv[] = { "cat", "/proc/self/status", NULL };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct coil_process process;
	sigset_t all;
	char text[4096];

	sigfillset(&all);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
	for (int i = 1; i < SIGRTMAX; i++) {
		if (i != SIGCHLD)
			sigaction(i, &ignore, NULL);
	}
	ck_assert_int_eq(coil_process_spawn(&process, argv, &out_pipe), 0);
	read_text(process.out, text, sizeof(text));
	ck_assert_uint_eq(signals_of(text, "SigBlk:"), 0);
	ck_assert_uint_eq(signals_of(text, "SigIgn:"), 0);
	ck_assert_uint_eq(signals_of(text, "SigCgt:"), 0);
	exits(&process, 0);
	done_with(&process);
}

COIL_TEST(a_child_starts_in_its_folder_with_its_environment)
{
	char *const env[] = { (char *)"COIL_A=1", (char *)"COIL_B=two", NULL };
	char *const none[] = { NULL };
	struct coil_process_options options = {
		.out = COIL_PIPE,
		.cwd = "/proc/self/",
	};
	const char *const argv[] = { "env", NULL };
	struct coil_process process;
	char text[256];

	options.cwd = "/usr";
	prints("pwd", &options, "/usr\n");
	options.env = env;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_process_spawn(&process, argv, &options),
				 0);
		read_text(process.out, text, sizeof(text));
		ck_assert_str_eq(text, i ? "" : "COIL_A=1\nCOIL_B=two\n");
		exits(&process, 0);
		done_with(&process);
		options.env = none;
	}
	setenv("COIL_C", "ours", 1);
	prints("echo $COIL_C", &out_pipe, "ours\n");
}

COIL_TEST(a_group_is_led_and_signalled_as_one)
{
	struct coil_process_options options = { .out = COIL_PIPE };
	struct coil_process process;

	sh(&process, "sleep 100", &options);
	ck_assert_int_eq(getpgid(process.pid), getpgrp());
	ck_assert_int_eq(coil_process_kill_group(&process, SIGTERM), -EINVAL);
	done_with(&process);
	for (int session = 0; session < 2; session++) {
		char text[8];

		options.new_group = !session;
		options.new_session = session;
		sh(&process, "sleep 100 & sleep 100 & echo up; wait", &options);
		hears_line(process.out);
		ck_assert_int_eq(getpgid(process.pid), process.pid);
		ck_assert_int_eq(getsid(process.pid) == process.pid, session);
		ck_assert_int_eq(coil_process_kill_group(&process, -5),
				 -EINVAL);
		ck_assert_int_eq(coil_process_kill_group(&process, SIGTERM), 0);
		is_killed(&process, SIGTERM);
		/* Those in the background, too, or the pipe would not end. */
		ck_assert_uint_eq(read_text(process.out, text, sizeof(text)),
				  0);
		done_with(&process);
		ck_assert_int_eq(coil_process_kill_group(&process, SIGTERM),
				 -ESRCH);
	}
}

/*
 * What cannot be started.
 */

static void is_refused(const char *const argv[],
		       const struct coil_process_options *options, int err)
{
	struct coil_process process;

	memset(&process, 0x55, sizeof(process));
	ck_assert_int_eq(coil_process_spawn(&process, argv, options), err);
	is_none(&process);
	no_child_is_left();
}

COIL_TEST(proc_019_a_call_that_makes_no_sense_is_einval_and_starts_nothing)
{
	const char *const none[] = { NULL }, *const some[] = { "true", NULL };
	struct coil_process_options wrong[] = {
		{ .in = COIL_STDOUT }, { .out = COIL_STDOUT },	 { .err = -4 },
		{ .in = INT32_MIN },
		{ .reserved = { 0, 0, 0, 1 } },
	};
	const struct coil_process_options closed = { .out = 999 };

	is_refused(none, NULL, -EINVAL);
	is_refused(NULL, NULL, -EINVAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		is_refused(some, &wrong[i], -EINVAL);
	is_refused(some, &closed, -EBADF);
	ck_assert_int_eq(coil_process_spawn(NULL, some, NULL), -EINVAL);
}

COIL_TEST(what_exec_refuses_is_returned_and_nothing_is_left)
{
	static char large[512 * 1024];
	char path[] = "/tmp/coil-test-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	const char *const absent[] = { "/nonexistent/true", NULL };
	const char *const unknown[] = { "coil-no-such-command", NULL };
	const char *const file[] = { path, NULL };
	const char *const folder[] = { "/", NULL };
	const char *const some[] = { "true", NULL };
	const char *const too_large[] = { "true", large, NULL };
	struct coil_process_options options = all_pipes;

	/* A folder that this user may not enter would be EACCES. */
	ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "no program\n", 11), 11);
	close(fd);
	memset(large, 'x', sizeof(large) - 1);
	is_refused(absent, &all_pipes, -ENOENT);
	is_refused(unknown, &all_pipes, -ENOENT);
	is_refused(file, &all_pipes, -EACCES);
	is_refused(folder, &all_pipes, -EACCES);
	is_refused(too_large, &all_pipes, -E2BIG);
	ck_assert_int_eq(chmod(path, 0700), 0);
	is_refused(file, &all_pipes, -ENOEXEC);
	options.cwd = "/nonexistent";
	is_refused(some, &options, -ENOENT);
	options.cwd = path;
	is_refused(some, &options, -ENOTDIR);
	unlink(path);
}

/*
 * Waiting.
 */

COIL_TEST(proc_009_a_cancelled_wait_leaves_the_child_alone)
{
	struct coil_process process;
	struct waits own = { .process = &process };
	struct coil_task *task;
	int err = 0;

	sh(&process, "exec sleep 100", NULL);
	task = start(wait_for_it, &own);
	ck_assert_int_eq(coil_sleep(MS), 0);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.err, -ECANCELED);
	COIL_TIMEOUT(MS)
		err = coil_process_wait(&process, NULL);
	ck_assert_int_eq(err, -ETIMEDOUT);
	ck_assert_int_eq(coil_process_kill(&process, SIGKILL), 0);
	is_killed(&process, SIGKILL);
	done_with(&process);
}

COIL_TEST(any_number_may_wait_and_wait_again)
{
	struct coil_process process;
	struct waits own[8];
	struct coil_task *tasks[8];

	sh(&process, "read x; exit 9", &all_pipes);
	for (int i = 0; i < 8; i++) {
		own[i] = (struct waits){ .process = &process };
		tasks[i] = start(wait_for_it, &own[i]);
	}
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_write(process.in, "\n", 1), 1);
	ck_assert_int_eq(coil_gather(tasks, 8, NULL), 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(own[i].err, 0);
		ck_assert_int_eq(own[i].status, 9 << 8);
	}
	exits(&process, 9);
	exits(&process, 9);
	ck_assert_int_eq(coil_process_wait(&process, NULL), 0);
	done_with(&process);
}

COIL_TEST(a_pending_request_is_returned_before_a_status)
{
	struct coil_process process;
	int err = 0;

	sh(&process, "exit 0", NULL);
	exits(&process, 0);
	COIL_TIMEOUT(0)
		err = coil_process_wait(&process, NULL);
	ck_assert_int_eq(err, -ETIMEDOUT);
	done_with(&process);
}

COIL_TEST(proc_016_each_wait_has_its_own_status_whatever_the_order)
{
	static const char *const scripts[] = {
		"exit 12", "ulimit -c 0; kill -3 $$", "exit 108",
		"exit 78", "ulimit -c 0; kill -5 $$", "exit 4",
	};
	static const int expected[] = { 12, -3, 108, 78, -5, 4 };
	struct coil_process processes[6];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 6; i++)
			sh(&processes[i], scripts[i], NULL);
		/* All have ended before anybody waits, in the second round. */
		for (int i = 0; i < 6 && round; i++) {
			siginfo_t info;

			ck_assert_int_eq(waitid(P_PID, (id_t)processes[i].pid,
						&info, WEXITED | WNOWAIT),
					 0);
		}
		for (int i = 5; i >= 0; i--) {
			if (expected[i] < 0)
				is_killed(&processes[i], -expected[i]);
			else
				exits(&processes[i], expected[i]);
			done_with(&processes[i]);
		}
	}
}

COIL_TEST(proc_017_a_child_reaped_elsewhere_is_echild)
{
	struct coil_process process;
	struct waits own = { .process = &process };
	pid_t foreign = fork();
	struct coil_task *task;
	int status;

	if (!foreign)
		_exit(3);
	sh(&process, "read x", &all_pipes);
	task = start(wait_for_it, &own);
	ck_assert_int_eq(coil_sleep(MS), 0);
	coil_close(process.in);
	process.in = -1;
	ck_assert_int_eq(waitpid(process.pid, &status, 0), process.pid);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.err, -ECHILD);
	ck_assert_int_eq(coil_process_wait(&process, NULL), -ECHILD);
	ck_assert_int_eq(coil_process_kill(&process, SIGKILL), -ESRCH);
	done_with(&process);
	ck_assert_int_eq(waitpid(foreign, &status, 0), foreign);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
}

COIL_TEST(what_is_no_child_says_so)
{
	struct coil_process none = {0}, gone;

	sh(&gone, "true", NULL);
	done_with(&gone);
	for (int i = 0; i < 2; i++) {
		struct coil_process *process = i ? &gone : &none;

		ck_assert_int_eq(coil_process_wait(process, NULL), -ECHILD);
		ck_assert_int_eq(coil_process_kill(process, SIGTERM), -ESRCH);
		ck_assert_int_eq(coil_process_kill_group(process, SIGTERM),
				 -ESRCH);
		ck_assert_int_eq(coil_process_communicate(process, NULL, 0,
							  NULL, 0, NULL),
				 -EINVAL);
		ck_assert_int_eq(coil_process_close(process), 0);
	}
	ck_assert_int_eq(coil_process_wait(NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil_process_kill(NULL, SIGTERM), -EINVAL);
	ck_assert_int_eq(coil_process_kill_group(NULL, SIGTERM), -EINVAL);
	ck_assert_int_eq(coil_process_communicate(NULL, NULL, 0, NULL, 0, NULL),
			 -EINVAL);
	ck_assert_int_eq(coil_process_close(NULL), -EINVAL);
}

START_TEST(off_a_loop_a_child_is_started_signalled_and_closed)
{
	struct coil_process process;
	size_t length = 7;

	sh(&process, "exec sleep 100", &all_pipes);
	ck_assert_int_eq(coil_process_wait(&process, NULL), -EPERM);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 0, &length),
		-EPERM);
	ck_assert_uint_eq(length, 0);
	ck_assert_int_ge(process.in, 0);
	ck_assert_int_eq(coil_process_kill(&process, SIGCONT), 0);
	done_with(&process);
}
END_TEST

static void add_starts(TCase *tests)
{
	tcase_add_test(tests,
		       proc_002_a_shell_command_has_its_output_and_its_status);
	tcase_add_test(tests,
		       proc_003_a_signal_that_ends_it_shows_in_its_status);
	tcase_add_test(tests, a_status_is_what_waitpid_gives_with_and_without_a_core_dump);
	tcase_add_test(tests, where_a_pidfd_cannot_be_waited_for_the_child_is);
	tcase_add_test(
		tests,
		proc_005_a_grandchild_with_the_pipe_does_not_delay_the_wait);
	tcase_add_test(tests,
		       proc_007_a_child_has_no_fd_of_ours_nor_of_another_child);
	tcase_add_test(tests, our_ends_of_pipes_do_not_block_and_the_childs_do);
	tcase_add_test(
		tests,
		proc_008_null_reads_as_the_end_and_what_is_written_vanishes);
	tcase_add_test(tests, an_fd_may_serve_as_one_two_or_three);
	tcase_add_test(tests, errors_may_go_where_the_output_goes);
	tcase_add_test(tests, standard_fds_may_change_places);
	tcase_add_test(
		tests,
		a_parent_without_standard_fds_may_have_children_with_them);
	tcase_add_test(tests,
		       a_child_has_an_empty_mask_and_default_dispositions);
	tcase_add_test(tests,
		       a_child_starts_in_its_folder_with_its_environment);
	tcase_add_test(tests, a_group_is_led_and_signalled_as_one);
	tcase_add_test(
		tests,
		proc_019_a_call_that_makes_no_sense_is_einval_and_starts_nothing);
	tcase_add_test(tests,
		       what_exec_refuses_is_returned_and_nothing_is_left);
}

static void add_waits(TCase *tests)
{
	tcase_add_test(tests, proc_009_a_cancelled_wait_leaves_the_child_alone);
	tcase_add_test(tests, any_number_may_wait_and_wait_again);
	tcase_add_test(tests, a_pending_request_is_returned_before_a_status);
	tcase_add_test(
		tests,
		proc_016_each_wait_has_its_own_status_whatever_the_order);
	tcase_add_test(tests, proc_017_a_child_reaped_elsewhere_is_echild);
	tcase_add_test(tests, what_is_no_child_says_so);
	tcase_add_test(tests,
		       off_a_loop_a_child_is_started_signalled_and_closed);
}

Suite *suite(void)
{
	Suite *whole;
	TCase *starts, *waits;

	if (support_skip_on("sim", "children do not know its clock"))
		return NULL;
	whole = suite_create("process");
	starts = case_of_children("starts");
	waits = case_of_children("waits");
	add_starts(starts);
	add_waits(waits);
	suite_add_tcase(whole, starts);
	suite_add_tcase(whole, waits);
	return whole;
}
