/* SPDX-License-Identifier: MIT */
/*
 * What a child may be given: fds by number, limits, a user, and a signal when its
 * parent's thread ends.
 */
#include "tests/processes.h"
#include <grp.h>
#include <pthread.h>

enum { NOBODY = 65534 };

static void close_both(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

COIL_TEST(fds_have_the_numbers_that_were_asked_for)
{
	struct coil_process_fd fds[2];
	const struct coil_process_options options = {
		.out = COIL_PIPE, .fds = fds, .fd_count = 2,
	};
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "hello\n", 6), 6);
	fds[0] = (struct coil_process_fd){ ends[0], 8 };
	fds[1] = (struct coil_process_fd){ ends[1], 9 };
	prints("read x <&8; echo $x; ls /proc/self/fd | sort -n | tail -n 1 >&9; read x <&8;"
	       "test $x -ge 9 && echo both", &options, "hello\nboth\n");
	close_both(ends);
}

/* Each takes the number of another, and of the pipe that is its stdout. */
COIL_TEST(fds_may_change_places)
{
	struct coil_process_fd fds[2];
	const struct coil_process_options options = {
		.out = COIL_PIPE, .fds = fds, .fd_count = 2,
	};
	int a[2], b[2];

	ck_assert_int_eq(pipe2(a, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(b, O_CLOEXEC), 0);
	ck_assert_int_eq(write(a[1], "a\n", 2), 2);
	ck_assert_int_eq(write(b[1], "b\n", 2), 2);
	fds[0] = (struct coil_process_fd){ a[0], b[0] };
	fds[1] = (struct coil_process_fd){ b[0], a[0] };
	for (int i = 0; i < 2; i++) {
		char script[64];

		/* dash has redirections of one digit alone. */
		snprintf(script, sizeof(script), "head -n 1 /dev/fd/%d", i ? a[0] : b[0]);
		prints(script, &options, i ? "b\n" : "a\n");
	}
	close_both(a);
	close_both(b);
}

COIL_TEST(limits_hold_in_the_child_alone)
{
	const struct coil_process_rlimit limits[] = {
		{ RLIMIT_NOFILE, 50, 60 }, { RLIMIT_CORE, 0, 0 },
	};
	const struct coil_process_options options = {
		.out = COIL_PIPE, .rlimits = limits, .rlimit_count = 2,
	};
	struct rlimit before, after;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	prints("ulimit -Sn; ulimit -Hn; ulimit -Hc", &options, "50\n60\n0\n");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
	ck_assert(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
}

static int spawn_as(uid_t uid, gid_t gid, struct coil_process *process)
{
	return try_sh(process, "id -u; id -g; id -G", &(struct coil_process_options){
		.out = COIL_PIPE, .uid = &uid, .gid = &gid,
	});
}

/* A user namespace may not have the other user at all. */
static bool is_refused(int err)
{
	return err == -EPERM || err == -EINVAL;
}

COIL_TEST(root_may_start_a_child_as_another_user_who_has_no_group_of_ours)
{
	const uid_t uid = NOBODY;
	const gid_t gid = NOBODY, groups[] = { 12345, NOBODY };
	struct coil_process_options options = {
		.out = COIL_PIPE, .uid = &uid, .gid = &gid,
	};

	if (geteuid() || setgroups(1, groups)) {
		ck_assert(is_refused(spawn_as(geteuid() + 1, getegid(),
					      &(struct coil_process){0})));
		return;
	}
	prints("id -u; id -g; id -G", &options, "65534\n65534\n65534\n");
	options.groups = groups;
	options.group_count = 2;
	prints("id -u; id -G", &options, "65534\n65534 12345\n");
	ck_assert_int_eq(geteuid(), 0);
}

static int spawn_as_a_user(void *arg)
{
	const struct coil_process_rlimit more = { RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY };
	struct coil_process process;

	if (!is_refused(spawn_as(0, getegid(), &process)) || process.pid)
		return 1;
	if (try_sh(&process, "true", &(struct coil_process_options){
		.rlimits = &more, .rlimit_count = 1 }) != -EPERM)
		return 2;
	/* As oneself one may, if the user namespace knows one. */
	if (setresuid(-1, geteuid(), -1))
		return 0;
	if (spawn_as(geteuid(), getegid(), &process))
		return 3;
	return coil_process_close(&process) ? 4 : 0;
}

static void run_as_a_user(void *arg)
{
	if (!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(77);
	_exit(coil_run(spawn_as_a_user, NULL));
}

START_TEST(others_may_not_and_the_errno_says_so)
{
	char said[4096];
	int status = in_child(run_as_a_user, NULL, said, sizeof(said));

	ck_assert_msg(WIFEXITED(status), "status %#x: %s", status, said);
	if (WEXITSTATUS(status) != 77)
		ck_assert_msg(WEXITSTATUS(status) == 0, "step %d", WEXITSTATUS(status));
}
END_TEST

static int spawn_and_leave(void *arg)
{
	sh(arg, "exec sleep 1000", &(struct coil_process_options){ .pdeathsig = SIGTERM });
	return 0;
}

static void *run_and_end(void *arg)
{
	ck_assert_int_eq(coil_run(spawn_and_leave, arg), 0);
	return NULL;
}

START_TEST(a_child_is_sent_its_signal_when_the_thread_that_started_it_ends)
{
	struct coil_process process;
	pthread_t thread;
	int status;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_and_end, &process), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(waitpid(process.pid, &status, 0), process.pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status %#x", status);
	close(process.pidfd);
}
END_TEST

COIL_TEST(options_that_make_no_sense_are_refused_and_nothing_is_left)
{
	const struct coil_process_fd low = { 1, 2 }, closed = { 999999, 5 };
	const struct coil_process_fd twice[] = { { 1, 5 }, { 1, 5 } };
	const struct coil_process_rlimit upside_down = { RLIMIT_CORE, 2, 1 };
	const struct coil_process_rlimit unknown = { 9999, 1, 1 };
	const gid_t group = 1;
	const struct { struct coil_process_options options; int err; } cases[] = {
		{ { .fds = &low, .fd_count = 1 }, -EINVAL },
		{ { .fds = twice, .fd_count = 2 }, -EINVAL },
		{ { .fds = &closed, .fd_count = 1 }, -EBADF },
		{ { .fd_count = 1 }, -EINVAL },
		{ { .fds = &low, .fd_count = 257 }, -EINVAL },
		{ { .rlimit_count = 1 }, -EINVAL },
		{ { .rlimits = &upside_down, .rlimit_count = 1 }, -EINVAL },
		{ { .rlimits = &unknown, .rlimit_count = 1 }, -EINVAL },
		{ { .groups = &group, .group_count = 1 }, -EINVAL },
		{ { .group_count = 1 }, -EINVAL },
		{ { .pdeathsig = -1 }, -EINVAL },
		{ { .pdeathsig = 65 }, -EINVAL },
	};
	struct coil_process process;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_msg(try_sh(&process, "true", &cases[i].options) == cases[i].err,
			      "case %zu", i);
		is_none(&process);
	}
}

/* The child begins on a stack that takes a mapping. */
COIL_TEST(without_memory_there_is_no_child)
{
	struct coil_process process;

	support_fail_allocation(1);
	ck_assert_int_eq(try_sh(&process, "true", NULL), -ENOMEM);
	support_fail_allocation(0);
	is_none(&process);
}

Suite *suite(void)
{
	Suite *whole = suite_create("process options");
	TCase *tests = case_of_children("options");

	tcase_add_test(tests, fds_have_the_numbers_that_were_asked_for);
	tcase_add_test(tests, fds_may_change_places);
	tcase_add_test(tests, limits_hold_in_the_child_alone);
	tcase_add_test(tests, root_may_start_a_child_as_another_user_who_has_no_group_of_ours);
	tcase_add_test(tests, others_may_not_and_the_errno_says_so);
	tcase_add_test(tests, a_child_is_sent_its_signal_when_the_thread_that_started_it_ends);
	tcase_add_test(tests, options_that_make_no_sense_are_refused_and_nothing_is_left);
	tcase_add_test(tests, without_memory_there_is_no_child);
	suite_add_tcase(whole, tests);
	return whole;
}
