/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_STREAMS_H
#define COIL_TESTS_STREAMS_H

/* Streams to test with: this end is coil's, the other is served by plain calls. */

#include "io/stream.h"
#include "tests/sockets.h"
#include "tests/support.h"
#include "tests/tasks.h"
#include <coil/stream.h>
#include <coil/timeout.h>
#include <stdlib.h>

#define ABORTIVE ((struct linger){ .l_onoff = 1, .l_linger = 0 })

/* Over a pair of unix sockets; *peer is the other end, which does not block. */
static UNUSED struct coil_stream *unix_stream(int *peer)
{
	struct coil_stream *stream;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	stream = coil_stream_open(fds[0]);
	ck_assert_ptr_nonnull(stream);
	*peer = fds[1];
	return stream;
}

static UNUSED struct coil_stream *tcp_stream(int *peer)
{
	struct coil_stream *stream;
	int fds[2];

	tcp_pair(fds);
	stream = coil_stream_open(fds[0]);
	ck_assert_ptr_nonnull(stream);
	*peer = fds[1];
	return stream;
}

/* Over one end of a pipe: the one that is written, or the one that is read. */
static UNUSED struct coil_stream *pipe_stream(int *peer, bool writes, int flags)
{
	struct coil_stream *stream;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | flags), 0);
	stream = coil_stream_open(ends[writes]);
	ck_assert_ptr_nonnull(stream);
	*peer = ends[!writes];
	set_nonblocking(*peer, true);
	return stream;
}

/* The peer sends. */
/* A stream that nothing went wrong with ends, and its peer, unless that is -1. */
static UNUSED void done(struct coil_stream *stream, int peer)
{
	ck_assert_int_eq(coil_stream_close(stream), 0);
	if (peer >= 0)
		close(peer);
}

static UNUSED void give_text(int fd, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	ck_assert_int_eq(write(fd, text, (size_t)len), len);
}

/* The peer has received exactly this. */
static UNUSED void got_text(int fd, const char *text)
{
	char bytes[256];
	ssize_t n;

	for (int i = 0; i < 1000; i++) {
		n = read(fd, bytes, sizeof(bytes));
		if (n >= 0 || errno != EAGAIN)
			break;
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	}
	ck_assert_int_eq(n, (ssize_t)strlen(text));
	ck_assert_mem_eq(bytes, text, (size_t)n);
}

/* The next line is this one, newline and all. */
static UNUSED void next_line(struct coil_stream *stream, const char *text)
{
	const char *line;
	ssize_t n = coil_stream_read_line(stream, &line);

	ck_assert_int_eq(n, (ssize_t)strlen(text));
	if (n > 0)
		ck_assert_mem_eq(line, text, (size_t)n);
}

/* What is there to be read is this. */
static UNUSED void next_bytes(struct coil_stream *stream, const char *text)
{
	char bytes[256];

	ck_assert_int_eq(coil_stream_read(stream, bytes, sizeof(bytes)), (ssize_t)strlen(text));
	ck_assert_mem_eq(bytes, text, strlen(text));
}

/* The peer is gone, and said so by a reset. */
static UNUSED void reset(int fd)
{
	struct linger linger = ABORTIVE;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	ck_assert_int_eq(close(fd), 0);
}

/* A task that makes one call of a stream. */
struct stream_call {
	ssize_t (*fn)(struct coil_stream *stream);
	struct coil_stream *stream;
	ssize_t result;
	bool entered;
};

static UNUSED int call_stream(void *arg)
{
	struct stream_call *call = arg;

	call->entered = true;
	call->result = call->fn(call->stream);
	return 0;
}

/* Starts it and lets it run up to where it parks. */
static UNUSED struct coil_task *start_stream_call(struct stream_call *call)
{
	struct coil_task *task = start(call_stream, call);

	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(call->entered);
	return task;
}

static char stream_bytes[4096];

static UNUSED ssize_t call_read(struct coil_stream *stream)
{
	return coil_stream_read(stream, stream_bytes, sizeof(stream_bytes));
}

static UNUSED ssize_t call_read_little(struct coil_stream *stream)
{
	return coil_stream_read(stream, stream_bytes, 8);
}

static UNUSED ssize_t call_read_exactly(struct coil_stream *stream)
{
	return coil_stream_read_exactly(stream, stream_bytes, 5);
}

static UNUSED ssize_t call_read_until(struct coil_stream *stream)
{
	const char *data;

	return coil_stream_read_until(stream, "AB", 2, &data);
}

static UNUSED ssize_t call_read_line(struct coil_stream *stream)
{
	const char *line;

	return coil_stream_read_line(stream, &line);
}

static UNUSED ssize_t call_skip(struct coil_stream *stream)
{
	return coil_stream_skip(stream, 5);
}

static UNUSED ssize_t call_next_line(struct coil_stream *stream)
{
	char *line;

	return coil_stream_next_line(stream, &line, NULL);
}

static UNUSED ssize_t call_peek(struct coil_stream *stream)
{
	const char *data;

	return coil_stream_peek(stream, 5, &data);
}

static UNUSED ssize_t (*const stream_readers[])(struct coil_stream *) = {
	call_read, call_read_little, call_read_exactly, call_read_until, call_read_line, call_skip,
	call_next_line, call_peek,
};

/* More than the queue may hold and the kernel takes, if nobody reads. */
enum { STREAM_MUCH = 16 << 20 };

static char stream_much[STREAM_MUCH];

static UNUSED ssize_t call_write(struct coil_stream *stream)
{
	return coil_stream_write(stream, stream_much, sizeof(stream_much));
}

static UNUSED ssize_t call_write_one(struct coil_stream *stream)
{
	return coil_stream_write(stream, "x", 1);
}

static UNUSED ssize_t call_flush(struct coil_stream *stream)
{
	return coil_stream_flush(stream);
}

static UNUSED ssize_t call_shutdown(struct coil_stream *stream)
{
	return coil_stream_shutdown(stream);
}

/* Writes until something is queued: how many bytes were written. */
static UNUSED size_t queue_some(struct coil_stream *stream, int fd)
{
	size_t filled = fill(fd, 'f');

	ck_assert_int_eq(coil_stream_write(stream, "0123456789", 10), 10);
	return filled + 10;
}

#endif
