/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_TASKS_H
#define COIL_TESTS_TASKS_H

/*
 * Small tasks that many suites start, a trace of what ran in which order, and
 * how to expect the end of a process.
 */

#include "tests/support.h"
#include <coil/future.h>
#include <coil/run.h>
#include <coil/task.h>
#include <coil/time.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

/* A task that must be there. */
static UNUSED struct coil_task *start(int (*fn)(void *arg), void *arg)
{
	struct coil_task *task = coil_create_task(fn, arg);

	ck_assert_ptr_nonnull(task);
	return task;
}

/* An int as an argument, and a task that returns it without parking. */
#define INT(value) ((void *)(intptr_t)(value))

static UNUSED int give(void *arg)
{
	return (int)(intptr_t)arg;
}

/* Sleeps, and remembers how that went; its result unless the sleep fails. */
struct nap {
	int64_t ns;
	int result;
	int err;
	bool entered;
	bool ended;
};

static UNUSED int nap(void *arg)
{
	struct nap *own = arg;

	own->entered = true;
	own->err = coil_sleep(own->ns);
	own->ended = true;
	return own->err ? own->err : own->result;
}

/* Waits for a future, and remembers how that went. */
struct hold {
	struct coil_future future;
	int err;
	bool entered;
	bool ended;
};

static UNUSED int hold(void *arg)
{
	struct hold *own = arg;

	own->entered = true;
	own->err = coil_future_wait(&own->future);
	own->ended = true;
	return own->err;
}

/* Lets everything that is ready now, and what that makes ready, run. */
static UNUSED void settle(void)
{
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

/* Asserts that ns passed since an instant: exactly so where time is simulated. */
static UNUSED void passed(int64_t since, int64_t ns)
{
	int64_t elapsed = coil_now() - since;

	if (support_simulated())
		ck_assert_int_eq(elapsed, ns);
	else
		ck_assert_int_ge(elapsed, ns);
}

/* So far ahead that by a real clock, too, what is to be done before is done. */
static UNUSED int64_t ahead(void)
{
	return support_simulated()
		       ? COIL_MILLISECOND
		       : 100 * COIL_MILLISECOND * support_patience();
}

/* Keeps the thread busy while time passes. */
static UNUSED void burn(int64_t ns)
{
	int64_t until = coil_now() + ns;

	if (support_simulated())
		sim_advance(ns);
	while (coil_now() < until)
		;
}

/* What ran, in order: words with a space between. */
static char trace_text[4096];

static UNUSED void __attribute__((format(printf, 1, 2)))
trace(const char *format, ...)
{
	size_t length = strlen(trace_text);
	va_list args;

	if (length)
		trace_text[length++] = ' ';
	va_start(args, format);
	vsnprintf(trace_text + length, sizeof(trace_text) - length, format,
		  args);
	va_end(args);
}

static UNUSED void traced(const char *text)
{
	ck_assert_str_eq(trace_text, text);
	trace_text[0] = '\0';
}

/* The next number of a sequence (xorshift), below n. */
static UNUSED unsigned roll(uint64_t *state, unsigned n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state >> 33) % n;
}

/* What the error handler was told last, and how often. */
static struct {
	int calls;
	int error;
	char name[200];
} told;

static UNUSED void note_error(const struct coil_task *task, int error,
			      void *arg)
{
	(void)arg;
	told.calls++;
	told.error = error;
	snprintf(told.name, sizeof(told.name), "%s", coil_task_name(task));
}

/* Runs fn(arg) in a child process and returns its status; *text is its stderr. */
static UNUSED int in_child(void (*fn)(void *arg), void *arg, char *text,
			   size_t size)
{
	int ends[2], status;
	size_t length = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		fn(arg);
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/*
 * Runs fn(arg) in a child, which must exit with 0; text is what it wrote on standard
 * error.  Returns false if the child exited with 77, as it lacks something, and prints a
 * line that says what.
 */
static UNUSED bool ends_well(void (*fn)(void *arg), void *arg, char *text, size_t size,
			     const char *lack)
{
	int status = in_child(fn, arg, text, size);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip: %s\n", lack);
		return false;
	}
	ck_assert_msg(!status, "status %#x: %s", status, text);
	return true;
}

static UNUSED void run_in_child(void *arg)
{
	_exit(coil_run((int (*)(void *))arg, NULL) ? 1 : 0);
}

/* Runs fn as a loop's main in a child, which must die and say text before. */
static UNUSED void dies(int (*fn)(void *arg), int number, const char *text)
{
	static char said[65536];
	int status = in_child(run_in_child, (void *)fn, said, sizeof(said));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == number,
		      "status %#x instead of signal %d; it said: %s", status,
		      number, said);
	ck_assert_msg(strstr(said, text) != NULL, "no \"%s\" in: %s", text,
		      said);
}

#endif
