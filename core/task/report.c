/* SPDX-License-Identifier: MIT */
#include "core/task/loop.h"
#include "core/task/task.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Writes a line to stderr, or drops it if the write would block: a daemon must not
 * stop because its stderr is not read.  A pipe that polls as writable takes a line of
 * this length at once.
 */
static void put_line(char *line, size_t length)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	line[length++] = '\n';
	if (poll(&out, 1, 0) == 1 && out.revents & POLLOUT && write(out.fd, line, length) < 0)
		return;
}

void coil__warn(const char *format, ...)
{
	char line[512] = "coil: ";
	size_t length = strlen(line);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	length += (size_t)n;
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	put_line(line, length);
}

void coil__report(const struct coil_task *task, int error)
{
	struct coil_loop *loop = task->loop;

	if (loop->error_handler)
		loop->error_handler(task, error, loop->error_arg);
	else if (!task->done)
		coil__warn("task %s goes on after %u calls that were refused: %s",
			   coil_task_name(task), task->refused, strerror(-error));
	else
		coil__warn("task %s failed, and no task awaited it: %s",
			   coil_task_name(task), strerror(-error));
}

void coil__die(const struct coil_task *task, const char *what)
{
	coil__warn("task %s %s", coil_task_name(task), what);
	abort();
}

void coil_set_error_handler(void (*handler)(const struct coil_task *task, int error, void *arg),
			    void *arg)
{
	if (coil__loop == &coil__no_loop)
		return;
	coil__loop->error_handler = handler;
	coil__loop->error_arg = arg;
}
