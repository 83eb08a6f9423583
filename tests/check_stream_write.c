/* SPDX-License-Identifier: MIT */
/* Writing to a stream: what is sent at once, what is queued, and up to where. */
#include "tests/streams.h"
#include <limits.h>
#include <stdio.h>

#define MS COIL_MILLISECOND

COIL_TEST(stream_023_a_write_to_an_idle_stream_is_sent_before_the_loop_sleeps)
{
	struct iovec parts[] = { { "ve", 2 }, { NULL, 0 }, { "ct", 2 }, { "or", 2 } };
	char bytes[8];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_int_eq(coil_stream_write(stream, "data", 4), 4);
	ck_assert_int_eq(coil_sleep(1), 0);
	ck_assert_int_eq(recv(peer, bytes, 8, MSG_DONTWAIT), 4);
	ck_assert_int_eq(coil_stream_write(stream, "", 0), 0);
	ck_assert_int_eq(coil_stream_write(stream, NULL, 0), 0);
	ck_assert_int_eq(coil_stream_writev(stream, NULL, 0), 0);
	ck_assert_int_eq(coil_stream_writev(stream, parts + 1, 1), 0);
	ck_assert_int_eq(coil_sleep(1), 0);
	ck_assert_int_lt(recv(peer, bytes, 8, MSG_DONTWAIT), 0);
	ck_assert_int_eq(coil_stream_printf(stream, "%d %s", 12, "x"), 4);
	got_text(peer, "12 x");
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	ck_assert_int_eq(coil_stream_writev(stream, parts, COUNT(parts)), 6);
	got_text(peer, "vector");
	done(stream, peer);
}

/* A send that finds no room, and then fails; after that there is room again. */
static int failing_sends;
static int send_failure;

static ssize_t failing_send(struct coil_stream *stream, const struct iovec *parts, int count)
{
	(void)stream, (void)parts, (void)count;
	return failing_sends++ ? send_failure : -EAGAIN;
}

COIL_TEST(a_write_is_not_sent_behind_bytes_that_were_lost)
{
	static const int failures[] = { -EPIPE, -ENOSPC };

	for (size_t i = 0; i < COUNT(failures); i++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		struct transport failing = *stream->transport;

		failing.send = failing_send;
		stream->transport = &failing;
		failing_sends = 0;
		send_failure = failures[i];
		coil_stream_set_limits(stream, 0, 4096);
		ck_assert_int_eq(coil_stream_write(stream, "first", 5), 5);
		ck_assert_int_eq(coil_stream_write(stream, stream_much, 8192), failures[i]);
		ck_assert_int_lt(recv(peer, stream_much, 1, MSG_DONTWAIT), 0);
		ck_assert_int_eq(coil_stream_close(stream), failures[i]);
		close(peer);
	}
}

static struct iovec much_parts[40];

static ssize_t write_parts(struct coil_stream *stream)
{
	size_t at = 0;

	for (size_t i = 0; i < STREAM_MUCH; i++)
		stream_much[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < COUNT(much_parts); i++) {
		much_parts[i].iov_base = stream_much + at;
		much_parts[i].iov_len = i % 5 ? (STREAM_MUCH / 128) * (i % 5) : 3;
		if (i + 1 == COUNT(much_parts))
			much_parts[i].iov_len = STREAM_MUCH - at;
		at += much_parts[i].iov_len;
		ck_assert_uint_le(at, STREAM_MUCH);
	}
	return coil_stream_writev(stream, much_parts, COUNT(much_parts));
}

static ssize_t write_pattern(struct coil_stream *stream)
{
	for (size_t i = 0; i < sizeof(stream_much); i++)
		stream_much[i] = (char)(i * 7 + i / 251);
	return call_write(stream);
}

static void much_comes_whole(ssize_t (*write)(struct coil_stream *stream))
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = write, .stream = stream };
	struct coil_task *task = start_stream_call(&call);
	static char bytes[STREAM_MUCH];
	size_t got = 0, wrong = 0;

	while (got < sizeof(bytes)) {
		ssize_t n = recv(peer, bytes + got, sizeof(bytes) - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		ck_assert_int_eq(coil_sleep(COIL_MICROSECOND), 0);
		/* The caller's memory is its own again. */
		if (coil_done(task))
			stream_much[sizeof(stream_much) - 1] = 1;
	}
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, STREAM_MUCH);
	for (size_t i = 0; i < sizeof(bytes); i++)
		wrong += bytes[i] != (char)(i * 7 + i / 251);
	ck_assert_uint_eq(wrong, 0);
	done(stream, peer);
}

COIL_TEST(stream_025_what_could_not_be_sent_at_once_is_a_copy_and_comes_whole)
{
	much_comes_whole(write_pattern);
	much_comes_whole(write_parts);
}

COIL_TEST(small_writes_behind_a_full_socket_come_in_order)
{
	char expected[600], bytes[600];
	size_t filled, len = 0, got = 0;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	filled = fill(coil_stream_fd(stream), 'f');
	for (int i = 0; i < 200; i++) {
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%d,", i);
		ck_assert_int_gt(coil_stream_printf(stream, "%d,", i), 0);
		ck_assert_uint_eq(stream->queued, len);
		if (len > sizeof(expected) - 8)
			break;
	}
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	ck_assert_ptr_null(stream->head);
	while (got < len) {
		ssize_t n = recv(peer, bytes + got, sizeof(bytes) - got, 0);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_mem_eq(bytes, expected, len);
	done(stream, peer);
}

COIL_TEST(stream_026_after_an_error_no_write_reaches_the_kernel)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	int fd = coil_stream_fd(stream), other[2];

	close(peer);
	ck_assert_int_eq(coil_stream_write(stream, stream_much, 5000), -EPIPE);
	/* Under its number lies something that could be written. */
	unix_pair(other, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(dup3(other[0], fd, O_CLOEXEC), fd);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EPIPE);
	ck_assert_int_eq(coil_stream_write(stream, "x", 0), -EPIPE);
	ck_assert_int_eq(coil_stream_printf(stream, "x"), -EPIPE);
	ck_assert_int_eq(coil_stream_flush(stream), -EPIPE);
	ck_assert_int_eq(coil_stream_shutdown(stream), -EPIPE);
	ck_assert_uint_eq(drain(other[1]), 0);
	/* Nothing that was taken is lost. */
	done(stream, -1);
	close(other[0]);
	close(other[1]);
}

COIL_TEST(stream_027_ten_tasks_may_flush_and_all_return)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	size_t filled = queue_some(stream, coil_stream_fd(stream));
	struct stream_call calls[10];
	struct coil_task *tasks[10];

	for (int i = 0; i < 10; i++) {
		calls[i] = (struct stream_call){ call_flush, stream, -1, false };
		tasks[i] = start_stream_call(&calls[i]);
	}
	ck_assert_int_eq(coil_sleep(100 * MS), 0);
	for (int i = 0; i < 10; i++)
		ck_assert(!coil_done(tasks[i]));
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(coil_await(tasks[i]), 0);
		ck_assert_int_eq(calls[i].result, 0);
	}
	done(stream, peer);
}

COIL_TEST(stream_028_who_writes_and_flushes_hears_soon_that_the_peer_is_gone)
{
	int peer, err = 0, turns = 0;
	struct coil_stream *stream = tcp_stream(&peer);

	close(peer);
	while (!err && turns++ < 10000) {
		ssize_t n = coil_stream_write(stream, "foo", 3);

		err = n < 0 ? (int)n : coil_stream_flush(stream);
	}
	ck_assert(err == -EPIPE || err == -ECONNRESET);
	/* What was taken before is lost, and close() says so. */
	ck_assert_int_eq(coil_stream_close(stream), err);
}

COIL_TEST(stream_032_shutdown_comes_after_what_is_queued_and_reading_goes_on)
{
	char byte;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	size_t filled = queue_some(stream, coil_stream_fd(stream));
	struct stream_call call = { .fn = call_shutdown, .stream = stream, .result = -1 };
	struct stream_call late = { .fn = call_write_one, .stream = stream };
	struct stream_call again = { .fn = call_shutdown, .stream = stream, .result = -1 };
	struct coil_task *tasks[] = {
		start_stream_call(&call), start_stream_call(&late), start_stream_call(&again),
	};

	ck_assert(!coil_done(tasks[0]) && !coil_done(tasks[1]) && !coil_done(tasks[2]));
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	ck_assert_int_eq(call.result, 0);
	ck_assert_int_eq(late.result, -EPIPE);
	ck_assert_int_eq(again.result, 0);
	ck_assert_int_eq(recv(peer, &byte, 1, MSG_DONTWAIT), 0);
	ck_assert_int_eq(coil_stream_shutdown(stream), 0);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EPIPE);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	give_text(peer, "go on\n");
	next_line(stream, "go on\n");
	done(stream, peer);
}

COIL_TEST(a_peer_that_half_closes_can_still_be_written_to)
{
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);

	give_text(peer, "question");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	ck_assert_int_eq(call_read_line(stream), 8);
	ck_assert_int_eq(call_read_line(stream), 0);
	ck_assert_int_eq(coil_stream_write(stream, "answer", 6), 6);
	got_text(peer, "answer");
	done(stream, peer);
}

COIL_TEST(a_pipe_has_nothing_to_shut_down)
{
	int peer;
	struct coil_stream *stream = pipe_stream(&peer, true, O_NONBLOCK);

	ck_assert_int_eq(coil_stream_shutdown(stream), -ENOTSOCK);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
	got_text(peer, "x");
	done(stream, peer);
}

/* By the thousand, and more than the kernel and the highest water take. */
enum { WRITTEN = 3000000 };

static size_t much_given;

static ssize_t write_lines(struct coil_stream *stream)
{
	ssize_t n = 0;

	much_given = 0;
	while (n >= 0 && much_given < WRITTEN) {
		n = coil_stream_write(stream, stream_much, 1000);
		if (n > 0)
			much_given += (size_t)n;
	}
	return n;
}

COIL_TEST(stream_036_a_slow_reader_stops_the_writer_at_the_high_water)
{
	static const size_t waters[] = { 1024, 4096, 65536, 500000 };

	for (size_t i = 0; i < COUNT(waters); i++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		struct stream_call call = { .fn = write_lines, .stream = stream };
		size_t filled, before = support_outstanding();
		struct coil_task *task;

		coil_stream_set_limits(stream, 0, waters[i]);
		filled = fill(coil_stream_fd(stream), 'f');
		task = start_stream_call(&call);
		ck_assert(!coil_done(task));
		ck_assert_uint_le(stream->queued, waters[i]);
		ck_assert_uint_ge(stream->queued + 1000, waters[i]);
		ck_assert_uint_eq(stream->queued, much_given);
		ck_assert_uint_le(support_outstanding() - before, 2 * waters[i] + 16384);
		ck_assert_uint_eq(drain_until(peer, filled + WRITTEN), filled + WRITTEN);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(call.result, 1000);
		done(stream, peer);
	}
}

/*
 * Several writers: each writes a piece of one letter, larger than the queue may hold.
 */

enum { WRITERS = 6, PIECE = 700000 };

static struct letter {
	struct coil_stream *stream;
	char letter;
	size_t len;
	ssize_t result;
} letters[WRITERS];

static int write_letter(void *arg)
{
	struct letter *own = arg;
	char *bytes = malloc(own->len);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, own->letter, own->len);
	own->result = coil_stream_write(own->stream, bytes, own->len);
	free(bytes);
	return 0;
}

/* The peer takes all that comes until the tasks have ended: how many of each letter. */
static void take_letters(int peer, struct coil_task *tasks[], size_t arrived[WRITERS])
{
	static char bytes[65536];
	char order[2 * WRITERS] = "";
	bool over = false;

	memset(arrived, 0, WRITERS * sizeof(*arrived));
	while (!over) {
		ssize_t n;

		over = true;
		for (int i = 0; i < WRITERS; i++)
			over = over && coil_done(tasks[i]);
		ck_assert_int_eq(coil_sleep(10 * COIL_MICROSECOND), 0);
		while ((n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
			for (ssize_t i = 0; i < n; i++) {
				size_t len = strlen(order);

				if (!len || order[len - 1] != bytes[i])
					order[len] = bytes[i];
				ck_assert_uint_le(len, WRITERS);
				arrived[bytes[i] - 'a']++;
			}
		}
	}
	/* None in the middle of another, and in the order of the calls. */
	for (size_t i = 1; i < strlen(order); i++)
		ck_assert_int_lt(order[i - 1], order[i]);
}

static void start_letters(struct coil_stream *stream, struct coil_task *tasks[])
{
	for (int i = 0; i < WRITERS; i++) {
		letters[i] = (struct letter){ stream, (char)('a' + i), i % 2 ? 10 : PIECE, 0 };
		tasks[i] = start(write_letter, &letters[i]);
	}
	ck_assert_int_eq(coil_sleep(MS), 0);
}

COIL_TEST(writes_of_several_tasks_are_whole_and_in_the_order_of_the_calls)
{
	struct coil_task *tasks[WRITERS];
	size_t arrived[WRITERS];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	start_letters(stream, tasks);
	ck_assert(!coil_done(tasks[WRITERS - 1]));
	give_text(peer, "line\n");
	next_line(stream, "line\n");
	take_letters(peer, tasks, arrived);
	for (int i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(coil_await(tasks[i]), 0);
		ck_assert_int_eq(letters[i].result, i % 2 ? 10 : PIECE);
		ck_assert_uint_eq(arrived[i], (size_t)letters[i].result);
	}
	done(stream, peer);
}

COIL_TEST(a_cancelled_writer_loses_nothing_of_the_others)
{
	for (int victim = 0; victim < WRITERS; victim++) {
		struct coil_task *tasks[WRITERS];
		size_t arrived[WRITERS];
		int peer;
		struct coil_stream *stream = unix_stream(&peer);

		start_letters(stream, tasks);
		coil_cancel(tasks[victim]);
		take_letters(peer, tasks, arrived);
		for (int i = 0; i < WRITERS; i++) {
			ck_assert_int_eq(coil_await(tasks[i]), 0);
			if (i != victim)
				ck_assert_int_eq(letters[i].result, i % 2 ? 10 : PIECE);
			else if (i)
				ck_assert_int_eq(letters[i].result, -ECANCELED);
			else
				ck_assert_int_lt(letters[i].result, PIECE);
			ck_assert_uint_eq(arrived[i], letters[i].result > 0 ?
						    (size_t)letters[i].result : 0);
		}
		done(stream, peer);
	}
}

COIL_TEST(a_close_sends_all_writers_away)
{
	struct coil_task *tasks[WRITERS];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	start_letters(stream, tasks);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	for (int i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(coil_await(tasks[i]), 0);
		ck_assert_int_eq(letters[i].result, -ECANCELED);
	}
	close(peer);
}

COIL_TEST(a_cancelled_write_of_less_than_the_high_water_took_nothing)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	size_t filled;

	coil_stream_set_limits(stream, 0, 16);
	filled = queue_some(stream, coil_stream_fd(stream));
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_write(stream, "never seen", 10), -ETIMEDOUT);
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	ck_assert_int_eq(coil_stream_write(stream, "seen", 4), 4);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	got_text(peer, "seen");
	done(stream, peer);
}

COIL_TEST(a_cancelled_write_of_more_says_how_much_it_took)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	ssize_t took = 0;

	COIL_TIMEOUT(MS)
		took = call_write(stream);
	ck_assert_int_gt(took, 0);
	ck_assert_int_lt(took, STREAM_MUCH);
	ck_assert_uint_eq(drain_until(peer, (size_t)took), (size_t)took);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	ck_assert_uint_eq(drain(peer), 0);
	done(stream, peer);
}

COIL_TEST(a_cancelled_flush_does_not_stop_what_is_queued)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	size_t filled = queue_some(stream, coil_stream_fd(stream));

	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_flush(stream), -ETIMEDOUT);
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_shutdown(stream), -ETIMEDOUT);
	ck_assert_uint_eq(drain_until(peer, filled), filled);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
	done(stream, peer);
}

COIL_TEST(a_pending_request_wins_over_room)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	COIL_TIMEOUT(0) {
		ck_assert_int_eq(coil_stream_write(stream, "x", 1), -ETIMEDOUT);
		ck_assert_int_eq(coil_stream_flush(stream), -ETIMEDOUT);
		ck_assert_int_eq(coil_stream_shutdown(stream), -ETIMEDOUT);
	}
	ck_assert_uint_eq(drain(peer), 0);
	done(stream, peer);
}

COIL_TEST(a_reset_under_a_full_queue_ends_all_who_wait_and_close_says_what_is_lost)
{
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);
	struct stream_call writes = { .fn = call_write, .stream = stream };
	struct stream_call flushes = { .fn = call_flush, .stream = stream };
	struct coil_task *tasks[2];

	fill(coil_stream_fd(stream), 'f');
	ck_assert_int_eq(coil_sleep(MS), 0);
	fill(coil_stream_fd(stream), 'f');
	ck_assert_int_eq(coil_stream_write(stream, stream_much, 60000), 60000);
	ck_assert_uint_gt(stream->queued, 0);
	tasks[0] = start_stream_call(&writes);
	tasks[1] = start_stream_call(&flushes);
	reset(peer);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	ck_assert(writes.result == -ECONNRESET || writes.result == -EPIPE);
	ck_assert_int_eq(flushes.result, writes.result);
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), writes.result);
	ck_assert_int_eq(coil_stream_close(stream), (int)writes.result);
}

COIL_TEST(printf_makes_text_of_any_length)
{
	static char text[70000], bytes[70001];
	size_t got = 0;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	memset(text, 't', sizeof(text) - 1);
	for (size_t len = 510; len < 515; len++) {
		ck_assert_int_eq(coil_stream_printf(stream, "%.*s", (int)len, text), (int)len);
		ck_assert_int_eq(coil_stream_flush(stream), 0);
		ck_assert_uint_eq(drain(peer), len);
	}
	ck_assert_int_eq(coil_stream_printf(stream, "%s!", text), 70000);
	while (got < 70000) {
		ssize_t n = recv(peer, bytes + got, sizeof(bytes) - got, 0);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_mem_eq(bytes, text, 69999);
	ck_assert_int_eq(bytes[69999], '!');
	done(stream, peer);
}

COIL_TEST(many_small_writes_let_the_others_run)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct coil_task *task = start(give, NULL);
	int writes = 0;

	while (!coil_done(task) && writes < 10000) {
		ck_assert_int_eq(coil_stream_write(stream, stream_much, 1000), 1000);
		drain(peer);
		writes++;
	}
	ck_assert_int_lt(writes, 10000);
	coil_await(task);
	done(stream, peer);
}

COIL_TEST(bad_arguments_are_told_and_change_nothing)
{
	struct iovec part = { NULL, 1 };
	const char *nothing = NULL;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_int_eq(coil_stream_write(NULL, "x", 1), -EINVAL);
	ck_assert_int_eq(coil_stream_printf(NULL, "x"), -EINVAL);
	ck_assert_int_eq(coil_stream_flush(NULL), -EINVAL);
	ck_assert_int_eq(coil_stream_shutdown(NULL), -EINVAL);
	ck_assert_int_eq(coil_stream_writev(NULL, &part, 1), -EINVAL);
	ck_assert_int_eq(coil_stream_writev(stream, NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_stream_writev(stream, &part, -1), -EINVAL);
	ck_assert_int_eq(coil_stream_writev(stream, &part, IOV_MAX + 1), -EINVAL);
	ck_assert_int_eq(coil_stream_writev(stream, &part, 1), -EFAULT);
	part = (struct iovec){ "x", (size_t)SSIZE_MAX + 1 };
	ck_assert_int_eq(coil_stream_writev(stream, &part, 1), -EINVAL);
	coil_stream_cork(NULL, true);
	ck_assert_int_eq(coil_stream_write(stream, NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_stream_write(stream, "x", (size_t)SSIZE_MAX + 1), -EINVAL);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	ck_assert_int_eq(coil_stream_printf(stream, nothing), -EFAULT);
#pragma GCC diagnostic pop
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
	got_text(peer, "x");
	done(stream, peer);
}

START_TEST(off_a_loop_a_write_is_eperm)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EPERM);
	ck_assert_int_eq(coil_stream_writev(stream, &(struct iovec){ "x", 1 }, 1), -EPERM);
	ck_assert_int_eq(coil_stream_flush(stream), -EPERM);
	ck_assert_int_eq(coil_stream_shutdown(stream), -EPERM);
	done(stream, peer);
}
END_TEST

Suite *suite(void)
{
	Suite *stream = suite_create("stream_write");
	TCase *tests = tcase_create("stream_write");

	tcase_add_test(tests, a_write_is_not_sent_behind_bytes_that_were_lost);
	tcase_add_test(tests, stream_023_a_write_to_an_idle_stream_is_sent_before_the_loop_sleeps);
	tcase_add_test(tests, stream_025_what_could_not_be_sent_at_once_is_a_copy_and_comes_whole);
	tcase_add_test(tests, small_writes_behind_a_full_socket_come_in_order);
	tcase_add_test(tests, stream_026_after_an_error_no_write_reaches_the_kernel);
	tcase_add_test(tests, stream_027_ten_tasks_may_flush_and_all_return);
	tcase_add_test(tests, stream_028_who_writes_and_flushes_hears_soon_that_the_peer_is_gone);
	tcase_add_test(tests, stream_032_shutdown_comes_after_what_is_queued_and_reading_goes_on);
	tcase_add_test(tests, a_peer_that_half_closes_can_still_be_written_to);
	tcase_add_test(tests, a_pipe_has_nothing_to_shut_down);
	tcase_add_test(tests, stream_036_a_slow_reader_stops_the_writer_at_the_high_water);
	tcase_add_test(tests, writes_of_several_tasks_are_whole_and_in_the_order_of_the_calls);
	tcase_add_test(tests, a_cancelled_writer_loses_nothing_of_the_others);
	tcase_add_test(tests, a_close_sends_all_writers_away);
	tcase_add_test(tests, a_cancelled_write_of_less_than_the_high_water_took_nothing);
	tcase_add_test(tests, a_cancelled_write_of_more_says_how_much_it_took);
	tcase_add_test(tests, a_cancelled_flush_does_not_stop_what_is_queued);
	tcase_add_test(tests, a_pending_request_wins_over_room);
	tcase_add_test(tests,
		       a_reset_under_a_full_queue_ends_all_who_wait_and_close_says_what_is_lost);
	tcase_add_test(tests, printf_makes_text_of_any_length);
	tcase_add_test(tests, many_small_writes_let_the_others_run);
	tcase_add_test(tests, bad_arguments_are_told_and_change_nothing);
	tcase_add_test(tests, off_a_loop_a_write_is_eperm);
	suite_add_tcase(stream, tests);
	return stream;
}
