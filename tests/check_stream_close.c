/* SPDX-License-Identifier: MIT */
/* How a stream begins and ends, over what, and who frees it. */
#include "tests/streams.h"
#include <coil/address.h>
#include <coil/socket.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <stdio.h>
#include <sys/un.h>

#define MS COIL_MILLISECOND

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int open_fails(int fd)
{
	struct coil_stream *stream = coil_stream_open(fd);
	int err = errno;

	ck_assert_ptr_null(stream);
	return -err;
}

COIL_TEST(stream_029_close_ends_all_at_once_also_with_input_unread)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	int fd = coil_stream_fd(stream);

	give_text(peer, "one\ntwo\n");
	next_line(stream, "one\n");
	coil__stream_hold(stream);
	ck_assert(is_open(fd));
	ck_assert_int_eq(coil_stream_close(stream), 0);
	ck_assert(!is_open(fd));
	ck_assert_int_eq(coil_stream_close(stream), -EBADF);
	ck_assert_int_eq(coil__stream_release(stream, true), 0);
	close(peer);
}

COIL_TEST(stream_030_calls_on_a_stream_that_was_closed_but_is_held_are_ebadf)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "one\n");
	coil__stream_hold(stream);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	for (size_t i = 0; i < COUNT(stream_readers); i++)
		ck_assert_int_eq(stream_readers[i](stream), -EBADF);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EBADF);
	ck_assert_int_eq(coil_stream_printf(stream, "x"), -EBADF);
	ck_assert_int_eq(coil_stream_flush(stream), -EBADF);
	ck_assert_int_eq(coil_stream_shutdown(stream), -EBADF);
	ck_assert_int_eq(coil_stream_fd(stream), -EBADF);
	ck_assert_int_eq(coil__stream_release(stream, false), 0);
	close(peer);
}

COIL_TEST(release_closes_what_its_holder_finds_open)
{
	for (int flush = 0; flush < 2; flush++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		int fd = coil_stream_fd(stream);

		coil__stream_hold(stream);
		ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
		ck_assert_int_eq(coil__stream_release(stream, flush), 0);
		ck_assert(!is_open(fd));
		got_text(peer, "x");
		close(peer);
	}
}

struct closing {
	struct coil_stream *stream;
	int result;
	bool release;
	bool flush;
};

static int do_close(void *arg)
{
	struct closing *closing = arg;

	if (closing->release)
		closing->result = coil__stream_release(closing->stream, closing->flush);
	else
		closing->result = coil_stream_close(closing->stream);
	return 0;
}

COIL_TEST(close_flushes_and_so_does_a_release_that_is_told_to)
{
	for (int release = 0; release < 2; release++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		struct closing closing = { stream, -1, release, true };
		size_t filled = queue_some(stream, coil_stream_fd(stream));
		struct coil_task *task;

		if (release)
			coil__stream_hold(stream);
		task = start(do_close, &closing);
		ck_assert_int_eq(coil_sleep(MS), 0);
		ck_assert(!coil_done(task));
		ck_assert_uint_eq(drain_until(peer, filled), filled);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(closing.result, 0);
		close(peer);
	}
}

COIL_TEST(a_release_that_is_told_not_to_flush_drops_the_queue)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	size_t filled = queue_some(stream, coil_stream_fd(stream));

	coil__stream_hold(stream);
	ck_assert_int_eq(coil__stream_release(stream, false), -ECANCELED);
	ck_assert_uint_eq(drain_until(peer, filled - 10), filled - 10);
	ck_assert_uint_eq(drain(peer), 0);
	close(peer);
}

COIL_TEST(a_close_in_a_cancelled_task_does_not_flush)
{
	for (int late = 0; late < 2; late++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		struct closing closing = { .stream = stream };
		size_t filled = queue_some(stream, coil_stream_fd(stream));
		struct coil_task *task = start(do_close, &closing);

		if (late)
			ck_assert_int_eq(coil_sleep(MS), 0);
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(closing.result, -ECANCELED);
		ck_assert_uint_eq(drain_until(peer, filled - 10), filled - 10);
		ck_assert_uint_eq(drain(peer), 0);
		close(peer);
	}
}

COIL_TEST(a_deadline_ends_the_flush_of_a_close_and_nothing_queued_is_no_loss)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	queue_some(stream, coil_stream_fd(stream));
	COIL_TIMEOUT(10 * MS)
		ck_assert_int_eq(coil_stream_close(stream), -ETIMEDOUT);
	close(peer);
	stream = unix_stream(&peer);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
	COIL_TIMEOUT(0)
		ck_assert_int_eq(coil_stream_close(stream), 0);
	got_text(peer, "x");
	close(peer);
}

COIL_TEST(a_close_sends_those_away_who_read)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		for (int queued = 0; queued < 2; queued++) {
			struct stream_call call = { .fn = stream_readers[i] };
			struct coil_task *task;
			int peer;

			call.stream = unix_stream(&peer);
			if (queued)
				give_text(peer, "A");
			task = start_stream_call(&call);
			ck_assert(coil_done(task) == (queued && i < 2));
			ck_assert_int_eq(coil_stream_close(call.stream), 0);
			ck_assert_int_eq(coil_await(task), 0);
			if (queued && (i < 2 || stream_readers[i] == call_skip))
				ck_assert_int_eq(call.result, 1);
			else
				ck_assert_int_eq(call.result, -ECANCELED);
			close(peer);
		}
	}
}

COIL_TEST(a_close_that_does_not_flush_sends_those_away_who_write_and_flush)
{
	static ssize_t (*const calls[])(struct coil_stream *) = {
		call_flush, call_shutdown, call_write,
	};

	for (size_t i = 0; i < COUNT(calls); i++) {
		struct stream_call call = { .fn = calls[i] };
		struct coil_task *task;
		int peer;

		call.stream = unix_stream(&peer);
		queue_some(call.stream, coil_stream_fd(call.stream));
		task = start_stream_call(&call);
		ck_assert(!coil_done(task));
		COIL_TIMEOUT(0)
			ck_assert_int_eq(coil_stream_close(call.stream), -ETIMEDOUT);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_msg(call.result == -ECANCELED || call.result == -ETIMEDOUT,
			      "call %zu: %zd", i, call.result);
		close(peer);
	}
}

COIL_TEST(while_a_close_flushes_writers_are_sent_away_and_flushers_served)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call writes = { .fn = call_write, .stream = stream };
	struct stream_call flushes = { .fn = call_flush, .stream = stream };
	struct closing closing = { .stream = stream };
	size_t filled = queue_some(stream, coil_stream_fd(stream));
	struct coil_task *tasks[3];

	tasks[0] = start_stream_call(&writes);
	tasks[1] = start_stream_call(&flushes);
	tasks[2] = start(do_close, &closing);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert(coil_done(tasks[0]));
	ck_assert_int_eq(writes.result, -ECANCELED);
	ck_assert(!coil_done(tasks[1]) && !coil_done(tasks[2]));
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	ck_assert_int_eq(flushes.result, 0);
	ck_assert_int_eq(closing.result, 0);
	close(peer);
}

/* A writer that sends straight from its own memory: the peer has some of the bytes. */
COIL_TEST(a_close_ends_a_write_of_more_than_the_queue_holds)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_write, .stream = stream };
	struct coil_task *task = start_stream_call(&call);

	ck_assert_int_eq(coil_stream_close(stream), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_uint_gt(drain(peer), 0);
	close(peer);
}

COIL_TEST(an_fd_that_can_carry_no_stream_is_closed)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), dir, other[2];

	ck_assert_int_eq(open_fails(fd), -EINVAL);
	ck_assert(!is_open(fd));
	unix_pair(other, SOCK_SEQPACKET);
	ck_assert_int_eq(open_fails(other[0]), -EINVAL);
	ck_assert(!is_open(other[0]));
	close(other[1]);
	dir = open("/", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(open_fails(dir), -EINVAL);
	ck_assert(!is_open(dir));
	ck_assert_int_eq(open_fails(-1), -EBADF);
	ck_assert_int_eq(open_fails(dir), -EBADF);
}

COIL_TEST(without_memory_the_fd_is_closed)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	support_fail_allocation(1);
	ck_assert_int_eq(open_fails(fds[0]), -ENOMEM);
	support_fail_allocation(0);
	ck_assert(!is_open(fds[0]));
	close(fds[1]);
}

static void converse(struct coil_stream *in, int to, struct coil_stream *out, int from)
{
	struct stream_call call = { .fn = call_read_line, .stream = in };
	struct coil_task *task = start_stream_call(&call);

	ck_assert(!coil_done(task));
	give_text(to, "first\nsec");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 6);
	call.fn = call_read_exactly;
	task = start_stream_call(&call);
	give_text(to, "ond\n");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 5);
	next_line(in, "d\n");
	call.fn = call_read;
	task = start_stream_call(&call);
	give_text(to, "third\n");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 6);
	ck_assert_int_eq(coil_stream_printf(out, "%d\n", 42), 3);
	got_text(from, "42\n");
}

COIL_TEST(sockets_and_pipes_serve_blocking_or_not)
{
	for (int blocking = 0; blocking < 2; blocking++) {
		int flags = blocking ? 0 : O_NONBLOCK, fds[2], in_peer, out_peer;
		struct coil_stream *in, *out;

		unix_pair(fds, SOCK_STREAM | flags);
		set_nonblocking(fds[1], true);
		in = coil_stream_open(fds[0]);
		converse(in, fds[1], in, fds[1]);
		ck_assert_int_eq(is_nonblocking(fds[0]), !blocking);
		ck_assert_int_eq(coil_stream_close(in), 0);
		close(fds[1]);
		in = pipe_stream(&in_peer, false, flags);
		out = pipe_stream(&out_peer, true, flags);
		converse(in, in_peer, out, out_peer);
		ck_assert_int_eq(is_nonblocking(coil_stream_fd(in)), !blocking);
		ck_assert_int_eq(coil_stream_close(in), 0);
		ck_assert_int_eq(coil_stream_close(out), 0);
		close(in_peer);
		close(out_peer);
	}
}

COIL_TEST(a_full_pipe_blocking_or_not_takes_what_is_queued_later)
{
	for (int blocking = 0; blocking < 2; blocking++) {
		int peer;
		struct coil_stream *stream =
			pipe_stream(&peer, true, blocking ? 0 : O_NONBLOCK);
		struct stream_call call = { .fn = call_write, .stream = stream };
		struct coil_task *task = start_stream_call(&call);
		size_t got = 0;
		ssize_t n;

		ck_assert(!coil_done(task));
		while (!coil_done(task) || got < STREAM_MUCH) {
			static char bytes[65536];

			n = read(peer, bytes, sizeof(bytes));
			if (n > 0)
				got += (size_t)n;
			ck_assert_int_eq(coil_yield(), 0);
		}
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(call.result, STREAM_MUCH);
		ck_assert_uint_eq(got, STREAM_MUCH);
		ck_assert_int_eq(coil_stream_close(stream), 0);
		close(peer);
	}
}

COIL_TEST(a_broken_pipe_is_epipe_and_raises_nothing)
{
	int peer;
	struct coil_stream *stream = pipe_stream(&peer, true, 0);

	close(peer);
	ck_assert_int_eq(coil_stream_write(stream, stream_much, 5000), -EPIPE);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EPIPE);
	ck_assert_int_eq(coil_stream_close(stream), 0);
}

COIL_TEST(a_terminal_is_read_by_the_line)
{
	struct stream_call call = { .fn = call_read_line };
	struct coil_task *task;
	int ours, theirs;

	ck_assert_int_eq(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
	call.stream = coil_stream_open(theirs);
	ck_assert_ptr_nonnull(call.stream);
	task = start_stream_call(&call);
	ck_assert(!coil_done(task));
	give_text(ours, "typed\n");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 6);
	ck_assert_int_eq(coil_stream_write(call.stream, "shown\n", 6), 6);
	ck_assert_int_eq(coil_stream_flush(call.stream), 0);
	ck_assert_int_eq(coil_stream_close(call.stream), 0);
	close(ours);
}

COIL_TEST(a_file_is_read_to_its_end_and_written)
{
	FILE *file = tmpfile();
	struct coil_stream *stream;
	int fd;

	ck_assert_ptr_nonnull(file);
	fputs("one\ntwo\nthree", file);
	ck_assert_int_eq(fflush(file), 0);
	rewind(file);
	fd = dup(fileno(file));
	stream = coil_stream_open(fd);
	next_line(stream, "one\n");
	ck_assert_int_eq(call_read_exactly(stream), 5);
	next_line(stream, "hree");
	next_line(stream, "");
	ck_assert(coil_stream_at_eof(stream));
	ck_assert_int_eq(coil_stream_write(stream, "\nfour\n", 6), 6);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	ck_assert_int_eq(lseek(fileno(file), 0, SEEK_END), 19);
	fclose(file);
}

static void serve_page(int listener)
{
	char request[64];
	int fd = coil_accept(listener, NULL, NULL);
	struct coil_stream *stream = coil_stream_open(fd);
	const char *line;

	ck_assert_ptr_nonnull(stream);
	ck_assert_int_eq(coil_stream_read_until(stream, "\r\n\r\n", 4, &line), 18);
	memcpy(request, line, 18);
	ck_assert_mem_eq(request, "GET / HTTP/1.0\r\n\r\n", 18);
	ck_assert_int_gt(coil_stream_printf(stream, "HTTP/1.0 200 OK\r\n\r\n%s", "Hi"), 0);
	ck_assert_int_eq(coil_stream_close(stream), 0);
}

static int page_server(void *arg)
{
	serve_page(*(int *)arg);
	return 0;
}

static void get_page(struct coil_stream *stream)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	ck_assert_ptr_nonnull(stream);
	ck_assert_int_eq(coil_stream_write(stream, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	next_line(stream, "HTTP/1.0 200 OK\r\n");
	ck_assert_int_eq(getpeername(coil_stream_fd(stream), (struct sockaddr *)&name, &len), 0);
	len = sizeof(name);
	ck_assert_int_eq(getsockname(coil_stream_fd(stream), (struct sockaddr *)&name, &len), 0);
	next_line(stream, "\r\n");
	next_line(stream, "Hi");
	next_line(stream, "");
	ck_assert_int_eq(coil_stream_close(stream), 0);
}

COIL_TEST(conn_001_a_stream_is_opened_to_an_address_or_over_an_fd)
{
	char address[64];
	struct sockaddr_in addr;
	int tcp = listener(&addr), local, fd;
	struct coil_task *task;

	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(addr.sin_port));
	task = start(page_server, &tcp);
	get_page(coil_open_connection(address));
	ck_assert_int_eq(coil_await(task), 0);
	task = start(page_server, &tcp);
	fd = client(&addr);
	get_page(coil_stream_open(fd));
	ck_assert_int_eq(coil_await(task), 0);
	close(tcp);
	snprintf(address, sizeof(address), "unix:@coil-stream-%d", getpid());
	local = coil_listen(address, NULL);
	ck_assert_int_ge(local, 0);
	task = start(page_server, &local);
	get_page(coil_open_connection(address));
	ck_assert_int_eq(coil_await(task), 0);
	close(local);
}

COIL_TEST(conn_005_what_cannot_be_connected_says_so)
{
	ck_assert_ptr_null(coil_open_connection("unix:/nowhere/at/all"));
	ck_assert_ptr_null(coil_open_connection(NULL));
	ck_assert_ptr_null(coil_open_connection("no address"));
	COIL_TIMEOUT(0) {
		ck_assert_ptr_null(coil_open_connection("127.0.0.1:1"));
		ck_assert_int_eq(errno, ETIMEDOUT);
	}
	ck_assert_ptr_null(coil_open_connection("127.0.0.1:1"));
	ck_assert_int_eq(errno, ECONNREFUSED);
}

COIL_TEST(conn_007_a_tcp_stream_has_tcp_nodelay)
{
	socklen_t len = sizeof(int);
	int peer, on = 0;
	struct coil_stream *stream = tcp_stream(&peer);

	ck_assert_int_eq(getsockopt(coil_stream_fd(stream), IPPROTO_TCP, TCP_NODELAY, &on, &len),
			 0);
	ck_assert_int_ne(on, 0);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	close(peer);
}

static struct coil_stream *left;
static int left_peer;

static int leave_open(void *arg)
{
	(void)arg;
	left = unix_stream(&left_peer);
	queue_some(left, coil_stream_fd(left));
	ck_assert_uint_gt(left->queued, 0);
	return 0;
}

START_TEST(a_queue_that_was_left_behind_does_not_keep_the_run)
{
	support_run(leave_open);
	ck_assert_int_eq(coil_stream_close(left), -ECANCELED);
	close(left_peer);
}
END_TEST

START_TEST(a_stream_can_be_opened_and_closed_off_a_loop)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_int_eq(coil_stream_close(NULL), -EINVAL);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	ck_assert_ptr_null(coil_open_connection("127.0.0.1:1"));
	ck_assert_int_eq(errno, EPERM);
	close(peer);
}
END_TEST

/* The peer resets the connection, and a send is the first to meet that. */
static ssize_t write_into_a_reset(struct coil_stream *stream, int peer)
{
	reset(peer);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_stream_write(stream, "more", 4), 4);
	return coil_stream_flush(stream);
}

COIL_TEST(a_reset_that_a_write_meets_first_is_no_clean_end)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		int peer;
		struct coil_stream *stream = tcp_stream(&peer);

		give_text(peer, "half");
		ck_assert_int_eq(write_into_a_reset(stream, peer), -ECONNRESET);
		next_bytes(stream, "half");
		ck_assert_int_eq(stream_readers[i](stream), -ECONNRESET);
		ck_assert_int_eq(stream_readers[i](stream), -ECONNRESET);
		ck_assert(!coil_stream_at_eof(stream));
		ck_assert_int_eq(coil_stream_close(stream), -ECONNRESET);
	}
}

COIL_TEST(a_reset_that_ends_the_queue_is_no_clean_end)
{
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);
	struct stream_call reads = { .fn = call_read, .stream = stream };
	struct coil_task *task;

	fill(coil_stream_fd(stream), 'f');
	ck_assert_int_eq(coil_sleep(MS), 0);
	fill(coil_stream_fd(stream), 'f');
	ck_assert_int_eq(coil_stream_write(stream, stream_much, 60000), 60000);
	ck_assert_uint_gt(stream->queued, 0);
	task = start_stream_call(&reads);
	reset(peer);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(reads.result, -ECONNRESET);
	ck_assert(!coil_stream_at_eof(stream));
	ck_assert_int_lt(coil_stream_close(stream), 0);
}

COIL_TEST(a_reset_that_a_parked_write_meets_is_no_clean_end)
{
	for (size_t i = 0; i < 2 * COUNT(stream_readers); i++) {
		int peer, first = i % 2;
		struct coil_stream *stream = tcp_stream(&peer);
		struct stream_call calls[] = {
			{ stream_readers[i / 2], stream, 0, 0 }, { call_write, stream, 0, 0 },
		};
		struct coil_task *tasks[2];

		tasks[first] = start_stream_call(&calls[first]);
		tasks[!first] = start_stream_call(&calls[!first]);
		reset(peer);
		ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
		ck_assert_int_eq(calls[0].result, -ECONNRESET);
		ck_assert_int_lt(calls[1].result, 0);
		ck_assert(!coil_stream_at_eof(stream));
		ck_assert_int_lt(coil_stream_flush(stream), 0);
		coil_stream_close(stream);
	}
}

COIL_TEST(a_write_that_fails_behind_the_peers_end_leaves_the_end_clean)
{
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);

	give_text(peer, "whole");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	ck_assert_int_eq(write_into_a_reset(stream, peer), -EPIPE);
	next_bytes(stream, "whole");
	ck_assert_int_eq(call_read(stream), 0);
	ck_assert(coil_stream_at_eof(stream));
	ck_assert_int_eq(coil_stream_close(stream), -EPIPE);
}

Suite *suite(void)
{
	Suite *stream = suite_create("stream_close");
	TCase *tests = tcase_create("stream_close");

	tcase_add_test(tests, stream_029_close_ends_all_at_once_also_with_input_unread);
	tcase_add_test(tests, stream_030_calls_on_a_stream_that_was_closed_but_is_held_are_ebadf);
	tcase_add_test(tests, release_closes_what_its_holder_finds_open);
	tcase_add_test(tests, close_flushes_and_so_does_a_release_that_is_told_to);
	tcase_add_test(tests, a_release_that_is_told_not_to_flush_drops_the_queue);
	tcase_add_test(tests, a_close_in_a_cancelled_task_does_not_flush);
	tcase_add_test(tests, a_deadline_ends_the_flush_of_a_close_and_nothing_queued_is_no_loss);
	tcase_add_test(tests, a_close_sends_those_away_who_read);
	tcase_add_test(tests, a_close_that_does_not_flush_sends_those_away_who_write_and_flush);
	tcase_add_test(tests, while_a_close_flushes_writers_are_sent_away_and_flushers_served);
	tcase_add_test(tests, a_close_ends_a_write_of_more_than_the_queue_holds);
	tcase_add_test(tests, an_fd_that_can_carry_no_stream_is_closed);
	tcase_add_test(tests, without_memory_the_fd_is_closed);
	tcase_add_test(tests, sockets_and_pipes_serve_blocking_or_not);
	tcase_add_test(tests, a_full_pipe_blocking_or_not_takes_what_is_queued_later);
	tcase_add_test(tests, a_broken_pipe_is_epipe_and_raises_nothing);
	tcase_add_test(tests, a_terminal_is_read_by_the_line);
	tcase_add_test(tests, a_file_is_read_to_its_end_and_written);
	tcase_add_test(tests, conn_001_a_stream_is_opened_to_an_address_or_over_an_fd);
	tcase_add_test(tests, conn_005_what_cannot_be_connected_says_so);
	tcase_add_test(tests, conn_007_a_tcp_stream_has_tcp_nodelay);
	tcase_add_test(tests, a_queue_that_was_left_behind_does_not_keep_the_run);
	tcase_add_test(tests, a_stream_can_be_opened_and_closed_off_a_loop);
	tcase_add_test(tests, a_reset_that_a_write_meets_first_is_no_clean_end);
	tcase_add_test(tests, a_reset_that_ends_the_queue_is_no_clean_end);
	tcase_add_test(tests, a_reset_that_a_parked_write_meets_is_no_clean_end);
	tcase_add_test(tests, a_write_that_fails_behind_the_peers_end_leaves_the_end_clean);
	suite_add_tcase(stream, tests);
	return stream;
}
