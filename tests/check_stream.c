/* SPDX-License-Identifier: MIT */
/* Reading from a stream: what comes, in what pieces, up to where. */
#include "tests/streams.h"
#include <coil/address.h>
#include <limits.h>
#include <netinet/tcp.h>

#define MS COIL_MILLISECOND

COIL_TEST(stream_001_nothing_sent_is_not_the_end_and_bytes_come_in_order)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_read, .stream = stream };
	struct coil_task *task = start_stream_call(&call);

	ck_assert_int_eq(send(peer, "", 0, 0), 0);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert(!coil_done(task));
	ck_assert(!coil_stream_at_eof(stream));
	give_text(peer, "data");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 4);
	ck_assert_mem_eq(stream_bytes, "data", 4);
	done(stream, peer);
}

COIL_TEST(stream_002_a_read_of_0_bytes_is_0_and_takes_nothing)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_int_eq(coil_stream_read(stream, NULL, 0), 0);
	ck_assert_int_eq(coil_stream_skip(stream, 0), 0);
	give_text(peer, "line\nrest");
	next_line(stream, "line\n");
	ck_assert_int_eq(coil_stream_read(stream, stream_bytes, 0), 0);
	ck_assert(!coil_stream_at_eof(stream));
	next_bytes(stream, "rest");
	done(stream, peer);
}

COIL_TEST(stream_003_a_read_returns_what_is_there_and_waits_for_no_more)
{
	char bytes[30];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	coil_stream_set_limits(stream, 3, 0);
	give_text(peer, "line1line2line3end");
	ck_assert_int_eq(coil_stream_read(stream, bytes, 5), 5);
	ck_assert_mem_eq(bytes, "line1", 5);
	ck_assert_int_eq(coil_stream_read(stream, bytes, 30), 13);
	ck_assert_mem_eq(bytes, "line2line3end", 13);
	done(stream, peer);
}

COIL_TEST(a_read_parks_until_something_comes)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		struct stream_call call = { .fn = stream_readers[i] };
		struct coil_task *task;
		int peer;

		call.stream = unix_stream(&peer);
		task = start_stream_call(&call);
		ck_assert(!coil_done(task));
		give_text(peer, "12AB\n");
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(call.result, call.fn == call_next_line ? 1 :
					      call.fn == call_read_until ? 4 : 5);
		done(call.stream, peer);
	}
}

COIL_TEST(stream_004_at_the_end_a_read_is_0_and_before_it_all_comes)
{
	char bytes[16];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "chunk1");
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, 3), 3);
	give_text(peer, "chunk2");
	close(peer);
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes + 3, 9), 9);
	ck_assert_mem_eq(bytes, "chunk1chunk2", 12);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(coil_stream_read(stream, bytes, 1), 0);
		ck_assert_int_eq(call_read(stream), 0);
		ck_assert_int_eq(call_read_line(stream), 0);
		ck_assert_int_eq(call_read_until(stream), 0);
		ck_assert_int_eq(call_skip(stream), 0);
		ck_assert_int_eq(call_read_exactly(stream), -ENODATA);
	}
	done(stream, -1);
}

COIL_TEST(stream_005_the_end_is_there_when_the_last_byte_was_read)
{
	char bytes[2];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "one\nto");
	close(peer);
	next_line(stream, "one\n");
	ck_assert_int_eq(call_read_exactly(stream), -ENODATA);
	ck_assert(!coil_stream_at_eof(stream));
	ck_assert_int_eq(coil_stream_read(stream, bytes, 1), 1);
	ck_assert(!coil_stream_at_eof(stream));
	ck_assert_int_eq(coil_stream_read(stream, bytes, 1), 1);
	ck_assert(coil_stream_at_eof(stream));
	ck_assert(!coil_stream_at_eof(NULL));
	done(stream, -1);
}

COIL_TEST(stream_006_bytes_come_before_the_error_which_stays)
{
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);

	give_text(peer, "one\ntwo");
	next_line(stream, "one\n");
	reset(peer);
	ck_assert_int_eq(call_read_line(stream), -ECONNRESET);
	ck_assert_int_eq(call_read_until(stream), -ECONNRESET);
	ck_assert_int_eq(call_read_exactly(stream), -ECONNRESET);
	next_bytes(stream, "two");
	for (size_t i = 0; i < COUNT(stream_readers); i++)
		ck_assert_int_eq(stream_readers[i](stream), -ECONNRESET);
	ck_assert(!coil_stream_at_eof(stream));
	done(stream, -1);
}

COIL_TEST(stream_008_a_limit_of_0_is_the_default)
{
	static char line[65538];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	memset(line, 'x', sizeof(line));
	line[65536] = '\n';
	coil_stream_set_limits(stream, 1, 1);
	coil_stream_set_limits(stream, 0, 0);
	coil_stream_set_limits(NULL, 0, 0);
	ck_assert_int_eq(send(peer, line, 65537, 0), 65537);
	ck_assert_int_eq(call_read_line(stream), 65537);
	line[65536] = 'x';
	line[65537] = '\n';
	ck_assert_int_eq(send(peer, line, 65538, 0), 65538);
	ck_assert_int_eq(call_read_line(stream), -EMSGSIZE);
	done(stream, peer);
}

COIL_TEST(stream_009_a_line_in_many_pieces_is_one_and_the_rest_stays)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_read_line, .stream = stream };
	struct coil_task *task = start_stream_call(&call);

	for (int i = 1; i <= 3; i++) {
		give_text(peer, "chunk");
		ck_assert_int_eq(coil_sleep(MS), 0);
		ck_assert(!coil_done(task));
	}
	give_text(peer, "\nchunk4");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 16);
	next_bytes(stream, "chunk4");
	done(stream, peer);
}

COIL_TEST(stream_010_the_last_line_need_not_have_a_newline)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "\nsome data");
	close(peer);
	next_line(stream, "\n");
	next_line(stream, "some data");
	ck_assert(coil_stream_at_eof(stream));
	next_line(stream, "");
	done(stream, -1);
}

COIL_TEST(stream_011_a_line_may_be_as_long_as_the_limit_and_a_longer_one_stays)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	coil_stream_set_limits(stream, 7, 0);
	give_text(peer, "1234567\n12345678\n123456789");
	next_line(stream, "1234567\n");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(call_read_line(stream), -EMSGSIZE);
	ck_assert_int_eq(coil_stream_skip(stream, 1), 1);
	next_line(stream, "2345678\n");
	ck_assert_int_eq(call_read_line(stream), -EMSGSIZE);
	next_bytes(stream, "123456789");
	give_text(peer, "1\n");
	next_line(stream, "1\n");
	done(stream, peer);
}

COIL_TEST(stream_014_without_its_separator_the_end_is_an_error_and_takes_nothing)
{
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "some dataAA");
	close(peer);
	ck_assert_int_eq(coil_stream_read_until(stream, "AAA", 3, &data), -ENODATA);
	ck_assert_int_eq(coil_stream_read_until(stream, "AAA", 3, &data), -ENODATA);
	next_bytes(stream, "some dataAA");
	ck_assert_int_eq(coil_stream_read_until(stream, "AAA", 3, &data), 0);
	done(stream, -1);
}

COIL_TEST(stream_015_beyond_the_limit_all_bytes_stay)
{
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	coil_stream_set_limits(stream, 3, 0);
	give_text(peer, "some dataAB");
	ck_assert_int_eq(call_read_until(stream), -EMSGSIZE);
	ck_assert_int_eq(coil_stream_read_until(stream, "--", 2, &data), -EMSGSIZE);
	ck_assert_int_eq(coil_stream_skip(stream, 6), 6);
	ck_assert_int_eq(call_read_until(stream), 5);
	done(stream, peer);
}

COIL_TEST(a_separator_may_come_in_pieces_and_overlap_itself)
{
	static const struct { const char *sep, *pieces[4]; ssize_t len; } rows[] = {
		{ "\r\n", { "ab\r", "\n" }, 4 },
		{ "\r\n\r\n", { "a\r\n\r", "x\r\n", "\r\n" }, 9 },
		{ "aab", { "aaa", "a", "b" }, 5 },
		{ "abab", { "aba", "abab", "" }, 7 },
		{ "ABCDEFGHIJ", { "ABCDEFGHI", "ABCDEFGHIJ" }, 19 },
		{ "x", { "x" }, 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *data;
		int peer;
		struct coil_stream *stream = unix_stream(&peer);

		for (int j = 0; j < 4 && rows[i].pieces[j]; j++) {
			size_t len = strlen(rows[i].sep);

			give_text(peer, rows[i].pieces[j]);
			COIL_TIMEOUT(MS) {
				ssize_t n = coil_stream_read_until(stream, rows[i].sep, len,
								   &data);

				if (n != -ETIMEDOUT)
					ck_assert_int_eq(n, rows[i].len);
			}
		}
		close(peer);
		ck_assert_int_eq(call_read(stream), 0);
		done(stream, -1);
	}
}

COIL_TEST(what_was_searched_for_one_separator_is_searched_again_for_another)
{
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "a;b\nc");
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_read_until(stream, "|", 1, &data), -ETIMEDOUT);
	ck_assert_int_eq(coil_stream_read_until(stream, ";", 1, &data), 2);
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_read_until(stream, "0123456789", 10, &data),
				 -ETIMEDOUT);
	next_line(stream, "b\n");
	done(stream, peer);
}

COIL_TEST(stream_016_exactly_so_many_bytes_whatever_the_limit)
{
	char bytes[54];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	coil_stream_set_limits(stream, 5, 0);
	give_text(peer, "line1line2line3endline1line2line3endline1line2line3end");
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, 36), 36);
	ck_assert_mem_eq(bytes, "line1line2line3endline1line2line3end", 36);
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, 0), 0);
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, (size_t)-1), -EINVAL);
	ck_assert_int_eq(coil_stream_skip(stream, (size_t)-1), -EINVAL);
	next_bytes(stream, "line1line2line3end");
	done(stream, peer);
}

COIL_TEST(stream_017_a_short_end_takes_nothing)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "some");
	close(peer);
	ck_assert_int_eq(call_read_exactly(stream), -ENODATA);
	ck_assert_int_eq(call_read_exactly(stream), -ENODATA);
	next_bytes(stream, "some");
	done(stream, -1);
}

COIL_TEST(stream_018_a_cancelled_read_leaves_what_has_come)
{
	for (size_t i = 2; i < COUNT(stream_readers); i++) {
		struct stream_call call = { .fn = stream_readers[i] };
		struct coil_task *task;
		int peer;

		call.stream = unix_stream(&peer);
		give_text(peer, "abc");
		task = start_stream_call(&call);
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), 0);
		/* Only what is skipped is gone, and is told. */
		if (stream_readers[i] == call_skip) {
			ck_assert_int_eq(call.result, 3);
			give_text(peer, "abc");
		} else {
			ck_assert_int_eq(call.result, -ECANCELED);
		}
		next_bytes(call.stream, "abc");
		done(call.stream, peer);
	}
}

COIL_TEST(stream_019_a_second_reader_is_ebusy_and_the_first_undisturbed)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		struct stream_call call = { .fn = stream_readers[i] };
		struct coil_task *task;
		int peer;

		call.stream = unix_stream(&peer);
		task = start_stream_call(&call);
		for (size_t j = 0; j < COUNT(stream_readers); j++)
			ck_assert_int_eq(stream_readers[j](call.stream), -EBUSY);
		ck_assert_int_eq(coil_stream_write(call.stream, "x", 1), 1);
		give_text(peer, "12AB\n");
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_gt(call.result, 0);
		done(call.stream, peer);
	}
}

COIL_TEST(stream_021_more_than_the_limit_can_be_read_from_a_pipe)
{
	char bytes[8];
	int peer;
	struct coil_stream *stream = pipe_stream(&peer, false, 0);

	coil_stream_set_limits(stream, 1, 0);
	give_text(peer, "abcd");
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, 4), 4);
	give_text(peer, "abcd");
	close(peer);
	ck_assert_int_eq(coil_stream_read(stream, bytes, 8), 4);
	ck_assert_int_eq(coil_stream_read(stream, bytes, 8), 0);
	done(stream, -1);
}

COIL_TEST(stream_033_an_interrupted_read_goes_on_and_an_error_stays)
{
	int peer;
	struct coil_stream *stream;

	if (support_skip_on("uring", "its operations cannot be scripted") ||
	    support_skip_on("epoll", "its operations cannot be scripted"))
		return;
	stream = unix_stream(&peer);
	sim_script(IORING_OP_RECV, 1, -EINTR);
	sim_script(IORING_OP_RECV, 2, -EINTR);
	give_text(peer, "text");
	ck_assert_int_eq(call_read(stream), 4);
	sim_script(IORING_OP_RECV, 1, -ENOMEM);
	give_text(peer, "more");
	ck_assert_int_eq(call_read(stream), -ENOMEM);
	ck_assert_int_eq(call_read(stream), 4);
	sim_script(IORING_OP_RECV, 1, -ETIMEDOUT);
	ck_assert_int_eq(call_read(stream), -ETIMEDOUT);
	give_text(peer, "late");
	for (size_t i = 0; i < COUNT(stream_readers); i++)
		ck_assert_int_eq(stream_readers[i](stream), -ETIMEDOUT);
	done(stream, peer);
}

COIL_TEST(stream_037_many_bytes_come_in_order_through_a_small_buffer)
{
	char bytes[9216], part[100];
	size_t got = 0;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 + i / 256);
	ck_assert_int_eq(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	close(peer);
	for (;;) {
		ssize_t n = coil_stream_read(stream, part, sizeof(part));

		ck_assert_int_ge(n, 0);
		if (!n)
			break;
		ck_assert_mem_eq(part, bytes + got, (size_t)n);
		got += (size_t)n;
	}
	ck_assert_uint_eq(got, sizeof(bytes));
	done(stream, -1);
}

static ssize_t read_long_line(struct coil_stream *stream)
{
	const char *line;
	ssize_t n = coil_stream_read_line(stream, &line);

	ck_assert_int_lt(n, 2 << 20);
	if (n > 0)
		memcpy(stream_much, line, (size_t)n);
	return n;
}

enum { LONG = 1000000 };

COIL_TEST(a_line_of_a_million_bytes_is_searched_once)
{
	static char line[LONG + 1];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = read_long_line, .stream = stream };
	struct coil_task *task;
	size_t sent = 0;

	for (size_t i = 0; i < LONG; i++)
		line[i] = (char)('a' + i % 23);
	line[LONG] = '\n';
	coil_stream_set_limits(stream, LONG, 0);
	task = start(call_stream, &call);
	while (sent < sizeof(line)) {
		size_t len = sizeof(line) - sent < 5000 ? sizeof(line) - sent : 5000;
		ssize_t n = send(peer, line + sent, len, MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		ck_assert_int_eq(coil_yield(), 0);
		ck_assert(coil_done(task) || stream->searched == stream->end - stream->start);
	}
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, LONG + 1);
	ck_assert_mem_eq(stream_much, line, LONG + 1);
	ck_assert_uint_le(stream->size, 4 * LONG);
	done(stream, peer);
}

COIL_TEST(a_peer_that_sends_a_byte_at_a_time_is_understood)
{
	static const char text[] = "GET / HTTP/1.0\r\nHost: x\r\n\r\n";
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_read_line, .stream = stream };
	static const ssize_t lines[] = { 16, 9, 2 };
	size_t at = 0;

	for (size_t i = 0; i < COUNT(lines); i++) {
		struct coil_task *task = start(call_stream, &call);

		for (ssize_t n = 0; n < lines[i]; n++) {
			ck_assert_int_eq(send(peer, text + at++, 1, 0), 1);
			ck_assert_int_eq(coil_sleep(1), 0);
		}
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(call.result, lines[i]);
	}
	done(stream, peer);
}

COIL_TEST(a_stream_that_waits_holds_what_has_come_and_no_more)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		struct stream_call call = { .fn = stream_readers[i] };
		size_t before, idle;
		struct coil_task *task;
		int peer;

		call.stream = unix_stream(&peer);
		give_text(peer, "AB\n");
		ck_assert_int_eq(call_read_line(call.stream), 3);
		ck_assert_ptr_null(call.stream->head);
		task = start_stream_call(&call);
		ck_assert_ptr_null(call.stream->buf);
		before = support_outstanding();
		give_text(peer, "ab");
		ck_assert_int_eq(coil_sleep(MS), 0);
		idle = support_outstanding();
		if (!coil_done(task))
			ck_assert_uint_le(idle, before + 128);
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), 0);
		done(call.stream, peer);
	}
}

COIL_TEST(a_deadline_around_a_read_leaves_the_stream_usable)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		int64_t since = coil_now();

		COIL_TIMEOUT(10 * MS)
			ck_assert_int_eq(stream_readers[i](stream), -ETIMEDOUT);
		ck_assert_int_ge(coil_now() - since, 10 * MS);
		give_text(peer, "12AB\n");
		next_line(stream, "12AB\n");
	}
	done(stream, peer);
}

COIL_TEST(a_slow_loris_meets_the_deadline_of_the_whole_line)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_read_line, .stream = stream };
	struct coil_timeout timeout = {0};
	struct coil_task *task;
	int bytes = 0;

	task = start_stream_call(&call);
	ck_assert_int_eq(coil_timeout_begin(&timeout, 50 * MS), 0);
	while (!coil_sleep(MS))
		bytes += (int)send(peer, "x", 1, 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_int_gt(bytes, 0);
	ck_assert_int_eq(coil_wait_for(task, 0), 0);
	ck_assert_int_eq(call.result, -ECANCELED);
	/* The last may have come when the deadline was there. */
	ck_assert_int_eq(coil_stream_read_exactly(stream, stream_bytes, (size_t)bytes), bytes);
	done(stream, peer);
}

COIL_TEST(a_pending_request_wins_over_bytes_that_are_there)
{
	for (size_t i = 0; i < COUNT(stream_readers); i++) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);

		give_text(peer, "1\n12AB\n");
		next_line(stream, "1\n");
		COIL_TIMEOUT(0)
			ck_assert_int_eq(stream_readers[i](stream), -ETIMEDOUT);
		next_line(stream, "12AB\n");
		done(stream, peer);
	}
}

COIL_TEST(a_view_stays_good_while_others_run_and_the_stream_is_written)
{
	const char *line, *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "one\ntwo\n");
	ck_assert_int_eq(coil_stream_read_line(stream, &line), 4);
	ck_assert_int_eq(coil_stream_write(stream, line, 4), 4);
	give_text(peer, "three\n");
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_mem_eq(line, "one\n", 4);
	got_text(peer, "one\n");
	ck_assert_int_eq(coil_stream_read_until(stream, "three\n", 6, &data), 10);
	ck_assert_mem_eq(data, "two\nthree\n", 10);
	done(stream, peer);
}

COIL_TEST(skip_throws_away_exactly_so_much_over_many_receives)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_write };
	struct coil_task *task;
	struct coil_stream *other;

	other = coil_stream_open(peer);
	call.stream = other;
	memset(stream_much, 'x', sizeof(stream_much));
	memcpy(stream_much + 5000000, "here\n", 5);
	task = start(call_stream, &call);
	ck_assert_int_eq(coil_stream_skip(stream, 5000000), 5000000);
	next_line(stream, "here\n");
	ck_assert_int_eq(coil_stream_skip(stream, STREAM_MUCH - 5000005), STREAM_MUCH - 5000005);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_stream_close(other), 0);
	ck_assert_int_eq(coil_stream_skip(stream, 1), 0);
	done(stream, -1);
}

COIL_TEST(read_exactly_takes_millions_of_bytes)
{
	static char bytes[STREAM_MUCH];
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_write };
	struct coil_task *task;

	for (size_t i = 0; i < sizeof(stream_much); i++)
		stream_much[i] = (char)(i * 13 + i / 1021);
	call.stream = coil_stream_open(peer);
	task = start(call_stream, &call);
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes, 3), 3);
	ck_assert_int_eq(coil_stream_read_exactly(stream, bytes + 3, sizeof(bytes) - 3),
			 sizeof(bytes) - 3);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert(!memcmp(bytes, stream_much, sizeof(bytes)));
	ck_assert_int_eq(coil_stream_close(call.stream), 0);
	done(stream, -1);
}

COIL_TEST(bad_arguments_are_told_and_change_nothing)
{
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	for (size_t i = 0; i < COUNT(stream_readers); i++)
		ck_assert_int_eq(stream_readers[i](NULL), -EINVAL);
	ck_assert_int_eq(coil_stream_fd(NULL), -EINVAL);
	ck_assert_int_eq(coil_stream_read(stream, NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_stream_read_exactly(stream, NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_stream_read_line(stream, NULL), -EFAULT);
	ck_assert_int_eq(coil_stream_next_line(stream, NULL, NULL), -EFAULT);
	ck_assert_int_eq(coil_stream_peek(stream, 1, NULL), -EFAULT);
	ck_assert_uint_eq(coil_stream_buffered(NULL), 0);
	ck_assert_int_eq(coil_stream_read_until(stream, "x", 1, NULL), -EFAULT);
	ck_assert_int_eq(coil_stream_read_until(stream, NULL, 1, &data), -EFAULT);
	ck_assert_int_eq(coil_stream_read_until(stream, "x", 0, &data), -EINVAL);
	give_text(peer, "fine");
	next_bytes(stream, "fine");
	done(stream, peer);
}

START_TEST(off_a_loop_a_read_is_eperm)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "12AB\n");
	for (size_t i = 0; i < COUNT(stream_readers); i++)
		ck_assert_int_eq(stream_readers[i](stream), -EPERM);
	done(stream, peer);
}
END_TEST

static void add_rows(TCase *tests)
{
	tcase_add_test(tests, stream_001_nothing_sent_is_not_the_end_and_bytes_come_in_order);
	tcase_add_test(tests, stream_002_a_read_of_0_bytes_is_0_and_takes_nothing);
	tcase_add_test(tests, stream_003_a_read_returns_what_is_there_and_waits_for_no_more);
	tcase_add_test(tests, stream_004_at_the_end_a_read_is_0_and_before_it_all_comes);
	tcase_add_test(tests, stream_005_the_end_is_there_when_the_last_byte_was_read);
	tcase_add_test(tests, stream_006_bytes_come_before_the_error_which_stays);
	tcase_add_test(tests, stream_008_a_limit_of_0_is_the_default);
	tcase_add_test(tests, stream_009_a_line_in_many_pieces_is_one_and_the_rest_stays);
	tcase_add_test(tests, stream_010_the_last_line_need_not_have_a_newline);
	tcase_add_test(tests,
		       stream_011_a_line_may_be_as_long_as_the_limit_and_a_longer_one_stays);
	tcase_add_test(tests,
		       stream_014_without_its_separator_the_end_is_an_error_and_takes_nothing);
	tcase_add_test(tests, stream_015_beyond_the_limit_all_bytes_stay);
	tcase_add_test(tests, stream_016_exactly_so_many_bytes_whatever_the_limit);
	tcase_add_test(tests, stream_017_a_short_end_takes_nothing);
	tcase_add_test(tests, stream_018_a_cancelled_read_leaves_what_has_come);
	tcase_add_test(tests, stream_019_a_second_reader_is_ebusy_and_the_first_undisturbed);
	tcase_add_test(tests, stream_021_more_than_the_limit_can_be_read_from_a_pipe);
	tcase_add_test(tests, stream_033_an_interrupted_read_goes_on_and_an_error_stays);
	tcase_add_test(tests, stream_037_many_bytes_come_in_order_through_a_small_buffer);
}

Suite *suite(void)
{
	Suite *stream = suite_create("stream");
	TCase *tests = tcase_create("stream");

	add_rows(tests);
	tcase_add_test(tests, a_read_parks_until_something_comes);
	tcase_add_test(tests, a_separator_may_come_in_pieces_and_overlap_itself);
	tcase_add_test(tests, what_was_searched_for_one_separator_is_searched_again_for_another);
	tcase_add_test(tests, a_line_of_a_million_bytes_is_searched_once);
	tcase_add_test(tests, a_peer_that_sends_a_byte_at_a_time_is_understood);
	tcase_add_test(tests, a_stream_that_waits_holds_what_has_come_and_no_more);
	tcase_add_test(tests, a_deadline_around_a_read_leaves_the_stream_usable);
	tcase_add_test(tests, a_slow_loris_meets_the_deadline_of_the_whole_line);
	tcase_add_test(tests, a_pending_request_wins_over_bytes_that_are_there);
	tcase_add_test(tests, a_view_stays_good_while_others_run_and_the_stream_is_written);
	tcase_add_test(tests, skip_throws_away_exactly_so_much_over_many_receives);
	tcase_add_test(tests, read_exactly_takes_millions_of_bytes);
	tcase_add_test(tests, bad_arguments_are_told_and_change_nothing);
	tcase_add_test(tests, off_a_loop_a_read_is_eperm);
	suite_add_tcase(stream, tests);
	return stream;
}
