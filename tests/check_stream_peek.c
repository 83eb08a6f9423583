/* SPDX-License-Identifier: MIT */
/* A look at what has come, and lines without their ends. */
#include "tests/streams.h"

#define MS COIL_MILLISECOND

static void peeks(struct coil_stream *stream, size_t min, const char *text)
{
	const char *data = NULL;

	ck_assert_int_eq(coil_stream_peek(stream, min, &data), (ssize_t)strlen(text));
	ck_assert_mem_eq(data, text, strlen(text));
}

COIL_TEST(peek_takes_nothing_and_buffered_counts_what_is_there)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	ck_assert_uint_eq(coil_stream_buffered(stream), 0);
	peeks(stream, 0, "");
	give_text(peer, "line\nrest");
	peeks(stream, 1, "line\nrest");
	ck_assert_uint_eq(coil_stream_buffered(stream), 9);
	peeks(stream, 9, "line\nrest");
	next_line(stream, "line\n");
	ck_assert_uint_eq(coil_stream_buffered(stream), 4);
	peeks(stream, 0, "rest");
	next_bytes(stream, "rest");
	ck_assert_uint_eq(coil_stream_buffered(stream), 0);
	done(stream, peer);
}

COIL_TEST(peek_waits_for_so_many_bytes_in_whatever_pieces)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);
	struct stream_call call = { .fn = call_peek, .stream = stream };
	struct coil_task *task = start_stream_call(&call);

	for (int i = 0; i < 4; i++) {
		ck_assert(!coil_done(task));
		give_text(peer, "x");
		ck_assert_int_eq(coil_sleep(MS), 0);
	}
	ck_assert(!coil_done(task));
	give_text(peer, "yz");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 6);
	next_bytes(stream, "xxxxyz");
	done(stream, peer);
}

COIL_TEST(peek_at_the_end_returns_what_there_is)
{
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "abc");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	peeks(stream, 5, "abc");
	ck_assert(!coil_stream_at_eof(stream));
	next_bytes(stream, "abc");
	peeks(stream, 5, "");
	peeks(stream, 0, "");
	ck_assert(coil_stream_at_eof(stream));
	done(stream, peer);
}

COIL_TEST(peek_returns_the_error_that_ended_the_stream_before_so_many_bytes)
{
	const char *data;
	int peer;
	struct coil_stream *stream = tcp_stream(&peer);

	give_text(peer, "abc");
	peeks(stream, 3, "abc");
	reset(peer);
	ck_assert_int_eq(coil_stream_peek(stream, 4, &data), -ECONNRESET);
	peeks(stream, 3, "abc");
	next_bytes(stream, "abc");
	ck_assert_int_eq(coil_stream_peek(stream, 1, &data), -ECONNRESET);
	ck_assert_int_eq(coil_stream_close(stream), 0);
}

COIL_TEST(peek_goes_up_to_the_read_limit)
{
	static char text[71];
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	memset(text, 't', 70);
	coil_stream_set_limits(stream, 70, 0);
	ck_assert_int_eq(coil_stream_peek(stream, 71, &data), -EMSGSIZE);
	give_text(peer, text);
	peeks(stream, 70, text);
	done(stream, peer);
}

COIL_TEST(a_cancelled_peek_leaves_what_has_come)
{
	const char *data;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "abc");
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_peek(stream, 4, &data), -ETIMEDOUT);
	ck_assert_uint_eq(coil_stream_buffered(stream), 3);
	COIL_TIMEOUT(0)
		ck_assert_int_eq(coil_stream_peek(stream, 1, &data), -ETIMEDOUT);
	next_bytes(stream, "abc");
	done(stream, peer);
}

static void gets(struct coil_stream *stream, const char *text)
{
	size_t len = 99;
	char *line = NULL;

	ck_assert_int_eq(coil_stream_next_line(stream, &line, &len), 1);
	ck_assert_str_eq(line, text);
	ck_assert_uint_eq(len, strlen(text));
	/* It is the caller's to change. */
	memset(line, '#', len);
}

COIL_TEST(next_line_strips_the_end_of_the_line)
{
	char *line;
	size_t len;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	give_text(peer, "one\ntwo\r\n\n\r\n\r\r\nlone\rcr\n");
	gets(stream, "one");
	gets(stream, "two");
	gets(stream, "");
	gets(stream, "");
	gets(stream, "\r");
	gets(stream, "lone\rcr");
	ck_assert_int_eq(write(peer, "a\0b\nlast\r", 9), 9);
	ck_assert_int_eq(coil_stream_next_line(stream, &line, &len), 1);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(line, "a\0b", 4);
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	gets(stream, "last\r");
	ck_assert_int_eq(coil_stream_next_line(stream, &line, NULL), 0);
	done(stream, peer);
}

/* The NUL of a last line without an end lies behind all that has come. */
COIL_TEST(next_line_has_room_for_its_nul_whatever_the_length_of_the_last_line)
{
	static char text[70000];
	size_t len;
	char *line;

	for (size_t size = 1; size < sizeof(text); size += size < 4100 ? 97 : 4001) {
		int peer;
		struct coil_stream *stream = unix_stream(&peer);
		ssize_t sent = 0;

		coil_stream_set_limits(stream, sizeof(text), 0);
		memset(text, 't', size);
		while (sent < (ssize_t)size) {
			ssize_t n = write(peer, text + sent, size - (size_t)sent);

			ck_assert_int_gt(n, 0);
			sent += n;
			/* In pieces, between which the stream holds no more than came. */
			COIL_TIMEOUT(1)
				(void)!coil_stream_next_line(stream, &line, &len);
		}
		ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
		ck_assert_int_eq(coil_stream_next_line(stream, &line, &len), 1);
		ck_assert_uint_eq(len, size);
		ck_assert_uint_eq(strlen(line), size);
		done(stream, peer);
	}
}

COIL_TEST(next_line_says_what_read_line_says)
{
	char *line = NULL;
	int peer;
	struct coil_stream *stream = unix_stream(&peer);

	coil_stream_set_limits(stream, 3, 0);
	give_text(peer, "long\n");
	ck_assert_int_eq(coil_stream_next_line(stream, &line, NULL), -EMSGSIZE);
	ck_assert_int_eq(coil_stream_skip(stream, 1), 1);
	gets(stream, "ong");
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_stream_next_line(stream, &line, NULL), -ETIMEDOUT);
	done(stream, peer);
}

Suite *suite(void)
{
	Suite *stream = suite_create("stream_peek");
	TCase *tests = tcase_create("stream_peek");

	tcase_add_test(tests, peek_takes_nothing_and_buffered_counts_what_is_there);
	tcase_add_test(tests, peek_waits_for_so_many_bytes_in_whatever_pieces);
	tcase_add_test(tests, peek_at_the_end_returns_what_there_is);
	tcase_add_test(tests, peek_returns_the_error_that_ended_the_stream_before_so_many_bytes);
	tcase_add_test(tests, peek_goes_up_to_the_read_limit);
	tcase_add_test(tests, a_cancelled_peek_leaves_what_has_come);
	tcase_add_test(tests, next_line_strips_the_end_of_the_line);
	tcase_add_test(tests,
		       next_line_has_room_for_its_nul_whatever_the_length_of_the_last_line);
	tcase_add_test(tests, next_line_says_what_read_line_says);
	suite_add_tcase(stream, tests);
	return stream;
}
