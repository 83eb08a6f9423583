/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_PROCESSES_H
#define COIL_TESTS_PROCESSES_H

/* Children to test with. */

#include "tests/tasks.h"
#include <coil.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MS COIL_MILLISECOND

static const struct coil_process_options UNUSED all_pipes = {
	.in = COIL_PIPE, .out = COIL_PIPE, .err = COIL_PIPE,
};
static const struct coil_process_options UNUSED out_pipe = { .out = COIL_PIPE };

static UNUSED int try_sh(struct coil_process *process, const char *script,
			 const struct coil_process_options *options)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return coil_process_spawn(process, argv, options);
}

static UNUSED void sh(struct coil_process *process, const char *script,
		      const struct coil_process_options *options)
{
	ck_assert_int_eq(try_sh(process, script, options), 0);
}

static UNUSED int status_of(struct coil_process *process)
{
	int status = -1;

	ck_assert_int_eq(coil_process_wait(process, &status), 0);
	return status;
}

static UNUSED void exits(struct coil_process *process, int code)
{
	int status = status_of(process);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		      "status %#x", status);
}

static UNUSED void is_killed(struct coil_process *process, int number)
{
	int status = status_of(process);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == number,
		      "status %#x", status);
}

static UNUSED void is_none(const struct coil_process *process)
{
	ck_assert_int_eq(process->pid, 0);
	ck_assert_int_eq(process->pidfd, -1);
	ck_assert_int_eq(process->in, -1);
	ck_assert_int_eq(process->out, -1);
	ck_assert_int_eq(process->err, -1);
}

static UNUSED void done_with(struct coil_process *process)
{
	ck_assert_int_eq(coil_process_close(process), 0);
	is_none(process);
}

/* Reads to the end, as text. */
static UNUSED size_t read_text(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;

	while ((n = coil_read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	ck_assert_int_eq(n, 0);
	text[length] = '\0';
	return length;
}

/* What it prints, and that it then ends with 0. */
static UNUSED void prints(const char *script,
			  const struct coil_process_options *options,
			  const char *expected)
{
	struct coil_process process;
	char text[4096];

	sh(&process, script, options);
	read_text(process.out, text, sizeof(text));
	ck_assert_str_eq(text, expected);
	exits(&process, 0);
	done_with(&process);
}

/* Waits for a line of the child's, which says that it has come so far. */
static UNUSED void hears_line(int fd)
{
	char c = 0;

	while (c != '\n')
		ck_assert_int_eq(coil_read(fd, &c, 1), 1);
}

/* A task that waits. */
struct waits {
	struct coil_process *process;
	int err;
	int status;
};

static UNUSED int wait_for_it(void *arg)
{
	struct waits *own = arg;

	own->err = coil_process_wait(own->process, &own->status);
	return 0;
}

/* A fixture of every case: no child and no zombie is left. */
static UNUSED void no_child_is_left(void)
{
	siginfo_t info = {0};
	int err = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);

	ck_assert_msg(err && errno == ECHILD, "a child is left, %d",
		      (int)info.si_pid);
}

static UNUSED TCase *case_of_children(const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_add_checked_fixture(tests, NULL, no_child_is_left);
	return tests;
}

#endif
