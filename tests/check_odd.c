/* SPDX-License-Identifier: MIT */
/*
 * Blocking terminals and FIFOs that other processes use, too: poll(2) reports one as
 * ready, and then another process is faster.  The linker makes the library call
 * __wrap_poll(), which reports fds as ready that are not.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/run.h>
#include <coil/stream.h>
#include <coil/timeout.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/stat.h>

static int lies_of = -1, lies;
static int slow_after = -1;	/* an fd that a thread of the pool finds ready */

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (n != 1 || timeout || fds->fd != lies_of || !lies) {
		int ready = __real_poll(fds, n, timeout);

		/* Gives the thread of another loop time to look, too, before this one reads. */
		if (n == 1 && ready == 1 && fds->fd == slow_after && !coil_backend_name())
			usleep(50000);
		return ready;
	}
	lies--;
	fds->revents = fds->events;
	return 1;
}

static void lie(int fd)
{
	lies_of = fd;
	lies = 3;
}

/* A FIFO without O_NONBLOCK, as a shell's redirection has it. */
static void open_fifo(int ends[2])
{
	char path[] = "/tmp/coil-odd-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ends[1] = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(ends[0], 0);
	ck_assert_int_ge(ends[1], 0);
	set_nonblocking(ends[0], false);
	ck_assert_int_eq(unlink(path), 0);
}

static void open_terminal(int ends[2])
{
	ck_assert_int_eq(openpty(&ends[1], &ends[0], NULL, NULL, NULL), 0);
}

/* To the last byte of the last page. */
static void fill_up(int fd)
{
	set_nonblocking(fd, true);
	fill(fd, '.');
	while (write(fd, ".", 1) == 1)
		;
	set_nonblocking(fd, false);
}

static void read_all(int fd)
{
	char buf[4096];

	set_nonblocking(fd, true);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

/* The loop goes round, and the task has not ended. */
static void others_go_on(struct coil_task *task)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
}

static char line_read[16];

static ssize_t read_line_of(int fd)
{
	return coil_read(fd, line_read, 16);
}

static void read_stops_only_its_task(void (*make)(int ends[2]))
{
	struct call call = { .fn = read_line_of };
	struct coil_task *task;
	int ends[2];

	make(ends);
	call.fd = ends[0];
	lie(ends[0]);
	task = start_call(&call);
	others_go_on(task);
	ck_assert_int_eq(write(ends[1], "line\n", 5), 5);
	coil_await(task);
	ck_assert_int_eq(call.result, 5);
	ck_assert(!is_nonblocking(ends[0]));
	close_all(ends, 2);
}

COIL_TEST(a_blocking_fifo_or_terminal_that_another_reads_stops_only_the_task)
{
	read_stops_only_its_task(open_fifo);
	read_stops_only_its_task(open_terminal);
}

/* A terminal's master cannot be opened anew: what is read of it may block its thread. */
COIL_TEST(of_two_that_read_a_blocking_master_one_has_the_line_and_one_can_be_cancelled)
{
	struct call calls[2] = { { .fn = read_line_of }, { .fn = read_line_of } };
	struct coil_task *tasks[2];
	int ends[2], other;

	open_terminal(ends);
	for (int i = 0; i < 2; i++) {
		calls[i].fd = ends[1];
		tasks[i] = start_call(&calls[i]);
	}
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(write(ends[0], "line", 4), 4);
	while (!coil_done(tasks[0]) && !coil_done(tasks[1]))
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	other = coil_done(tasks[0]);
	others_go_on(tasks[other]);
	ck_assert(coil_cancel(tasks[other]));
	for (int i = 0; i < 2; i++)
		coil_await(tasks[i]);
	ck_assert_int_eq(calls[!other].result, 4);
	ck_assert_int_eq(calls[other].result, -ECANCELED);
	close_all(ends, 2);
}

static int read_for_a_while(void *arg)
{
	char line[16];
	ssize_t n = 0;

	COIL_TIMEOUT(COIL_SECOND / 2)
		n = coil_read(*(int *)arg, line, sizeof(line));
	return (int)n;
}

static void *run_reader(void *arg)
{
	return (void *)(intptr_t)coil_run(read_for_a_while, arg);
}

START_TEST(of_two_loops_that_read_a_blocking_master_one_has_the_line_and_both_end)
{
	pthread_t threads[2];
	void *results[2];
	int ends[2], masters[2];

	if (support_skip_on("sim", "it needs another thread"))
		return;
	open_terminal(ends);
	for (int dup_too = 0; dup_too < 2; dup_too++) {
		masters[0] = ends[1];
		masters[1] = dup_too ? dup(ends[1]) : ends[1];
		slow_after = ends[1];
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, run_reader,
							&masters[i]), 0);
		usleep(50000);
		ck_assert_int_eq(write(ends[0], "line", 4), 4);
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_join(threads[i], &results[i]), 0);
		slow_after = -1;
		if (dup_too)
			close(masters[1]);
		ck_assert_int_eq((intptr_t)results[0] + (intptr_t)results[1], 4 - ETIMEDOUT);
	}
	close_all(ends, 2);
}
END_TEST

static ssize_t write_page(int fd)
{
	static const char page[4096];

	return coil_write(fd, page, sizeof(page));
}

COIL_TEST(a_blocking_fifo_that_another_fills_stops_only_the_task)
{
	struct call call = { .fn = write_page };
	struct coil_task *task;
	int ends[2];

	open_fifo(ends);
	fill_up(ends[1]);
	call.fd = ends[1];
	lie(ends[1]);
	task = start_call(&call);
	others_go_on(task);
	read_all(ends[0]);
	coil_await(task);
	ck_assert_int_gt(call.result, 0);
	close_all(ends, 2);
}

static ssize_t write_much(int fd)
{
	static const char much[1 << 20];

	return coil_write_all(fd, much, sizeof(much));
}

/* poll(2) says that there is room, and there is, but not for all. */
static void large_write_stops_only_its_task(int ends[2], int fd)
{
	struct call call = { .fn = write_much, .fd = fd };
	struct coil_task *task = start_call(&call);

	others_go_on(task);
	ck_assert(coil_cancel(task));
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	close_all(ends, 2);
}

COIL_TEST(a_large_write_to_a_blocking_fifo_or_terminal_stops_only_the_task)
{
	int ends[2];

	open_fifo(ends);
	large_write_stops_only_its_task(ends, ends[1]);
	open_terminal(ends);
	large_write_stops_only_its_task(ends, ends[0]);
}

struct lines {
	struct coil_stream *stream;
	ssize_t result;
};

static int stream_line(void *arg)
{
	struct lines *lines = arg;
	const char *line;

	lines->result = coil_stream_read_line(lines->stream, &line);
	return 0;
}

static void stream_reads(void (*make)(int ends[2]))
{
	struct coil_task *task;
	struct lines lines;
	int ends[2];

	make(ends);
	lines.stream = coil_stream_open(ends[0]);
	ck_assert_ptr_nonnull(lines.stream);
	lie(ends[0]);
	task = coil_create_task(stream_line, &lines);
	others_go_on(task);
	ck_assert_int_eq(write(ends[1], "line\n", 5), 5);
	coil_await(task);
	ck_assert_int_eq(lines.result, 5);
	ck_assert_int_eq(coil_stream_close(lines.stream), 0);
	close(ends[1]);
}

COIL_TEST(a_stream_over_one_that_blocks_reads_and_stops_only_its_task)
{
	stream_reads(open_fifo);
	stream_reads(open_terminal);
}

static int flush_it(void *arg)
{
	return coil_stream_flush(arg);
}

COIL_TEST(a_stream_over_one_that_blocks_writes_and_stops_only_its_task)
{
	struct coil_stream *stream;
	struct coil_task *task;
	int ends[2];

	open_fifo(ends);
	fill_up(ends[1]);
	stream = coil_stream_open(ends[1]);
	lie(ends[1]);
	ck_assert_int_eq(coil_stream_write(stream, "line\n", 5), 5);
	task = coil_create_task(flush_it, stream);
	others_go_on(task);
	read_all(ends[0]);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	close(ends[0]);
}

Suite *suite(void)
{
	Suite *odd = suite_create("odd");
	TCase *tests = tcase_create("odd");

	tcase_add_test(tests, a_blocking_fifo_or_terminal_that_another_reads_stops_only_the_task);
	tcase_add_test(
		tests,
		of_two_loops_that_read_a_blocking_master_one_has_the_line_and_both_end);
	tcase_add_test(
		tests,
		of_two_that_read_a_blocking_master_one_has_the_line_and_one_can_be_cancelled);
	tcase_add_test(tests, a_blocking_fifo_that_another_fills_stops_only_the_task);
	tcase_add_test(tests, a_large_write_to_a_blocking_fifo_or_terminal_stops_only_the_task);
	tcase_add_test(tests, a_stream_over_one_that_blocks_reads_and_stops_only_its_task);
	tcase_add_test(tests, a_stream_over_one_that_blocks_writes_and_stops_only_its_task);
	suite_add_tcase(odd, tests);
	return odd;
}
