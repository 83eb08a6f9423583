/* SPDX-License-Identifier: MIT */
/*
 * The bytes that a stream has accepted and not sent yet: a queue of chunks, in
 * one of two states.
 *
 * Gathering: no send is under way, and small writes are added.  One system call
 * sends all of it, at the first of these events: the stream's reader is about
 * to ask the kernel for more; a write is large or does not fit; a flush; a
 * close; the loop is about to ask the kernel for anything (a chore).  So a
 * program that reads lines and answers each sends once for all lines that
 * arrived together.  A program that writes and then parks has sent before the
 * loop sleeps, wherever it parks.
 *
 * Sending: the kernel had no room.  One op of the stream sends the first chunk,
 * again and again, until none is left.  No task is parked for it.
 */
#include "io/stream.h"
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 4096,
	SMALL = 2048,		/* bytes that are cheaper to copy than to send alone */
	PARTS = 16,		/* buffers in one system call */
};

/* Most streams have one chunk, for a short time.  So the loop keeps a spare one. */
static struct chunk *new_chunk(size_t size)
{
	struct coil_loop *loop = coil__loop;
	struct chunk *chunk = loop->io.spare;

	if (likely(chunk && size <= CHUNK)) {
		loop->io.spare = NULL;
	} else {
		size = size < CHUNK ? CHUNK : size;
		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->size = size;
	}
	chunk->next = NULL;
	chunk->start = chunk->end = 0;
	return chunk;
}

static void free_chunk(struct chunk *chunk)
{
	struct coil_loop *loop = coil__loop;

	if (likely(!loop->io.spare && chunk->size == CHUNK && loop != &coil__no_loop))
		loop->io.spare = chunk;
	else
		free(chunk);
}

static void run_chore(struct chore *chore)
{
	coil__stream_push(container_of(chore, struct coil_stream, chore));
}

static inline void outgoing_put_off(struct coil_stream *stream)
{
	if (stream->gathering)
		return;
	stream->gathering = true;
	stream->loop = coil__loop;
	stream->chore.run = run_chore;
	list_push(&stream->loop->io.chores, &stream->chore.link);
}

static inline void put_off_no_more(struct coil_stream *stream)
{
	if (!stream->gathering)
		return;
	stream->gathering = false;
	stream->room = 0;
	list_remove(&stream->loop->io.chores, &stream->chore.link);
}

void coil__stream_drop(struct coil_stream *stream, int why)
{
	struct chunk *next;

	if (stream->head && !stream->lost)
		stream->lost = why;
	put_off_no_more(stream);
	for (struct chunk *chunk = stream->head; chunk; chunk = next) {
		next = chunk->next;
		free_chunk(chunk);
	}
	stream->head = stream->tail = NULL;
	stream->queued = 0;
	stream->write_error = why;
	stream->reported = false;
}

/* Removes the first n bytes, which were sent. */
static void outgoing_consume(struct coil_stream *stream, size_t n)
{
	struct chunk *chunk;

	stream->queued -= n;
	while ((chunk = stream->head) && n >= chunk->end - chunk->start) {
		n -= chunk->end - chunk->start;
		stream->head = chunk->next;
		free_chunk(chunk);
	}
	if (chunk) {
		chunk->start += n;
		return;
	}
	stream->tail = NULL;
	put_off_no_more(stream);
}

static void outgoing_wake(struct coil_stream *stream)
{
	if (stream->queued <= stream->low)
		coil_waitq_unpark(&stream->writer);
	if (!stream->head)
		coil_waitq_unpark_all(&stream->flushers);
}

static void sent(struct op *op, int res, unsigned flags);

static int outgoing_start(struct coil_stream *stream)
{
	struct chunk *chunk = stream->head;
	int err;

	stream->out = (struct op){ .complete = sent, .what = "stream" };
	stream->transport->prepare_send(stream, &stream->out, chunk->bytes + chunk->start,
					chunk->end - chunk->start);
	stream->sending = true;
	stream->loop = coil__loop;
	err = coil__op_start(coil__loop, &stream->out);
	if (err)
		stream->sending = false;
	return err;
}

/* The op of the queue completed.  If the fd is gone, end() drops the queue. */
static void sent(struct op *op, int res, unsigned flags)
{
	struct coil_stream *stream = container_of(op, struct coil_stream, out);

	(void)flags;
	stream->sending = false;
	if (res > 0) {
		outgoing_consume(stream, (size_t)res);
		/* After a poll that slept, pass_start is too old. */
		stream->moved_at = coil__clock(coil__loop);
	}
	if (stream->fd < 0)
		return;
	if (res <= 0 && (res != -EINTR || op->cancelled))
		coil__stream_drop(stream, res ? res : -EIO);
	if (stream->head) {
		res = outgoing_start(stream);
		if (res)
			coil__stream_drop(stream, res);
	}
	outgoing_wake(stream);
}

void coil__rest_skip(struct rest *rest, size_t n)
{
	rest->len -= n;
	rest->skip += n;
	while (rest->count && rest->skip >= rest->iov->iov_len) {
		rest->skip -= rest->iov->iov_len;
		rest->iov++;
		rest->count--;
	}
}

/*
 * Lists the next parts of the queue and, behind them, of rest.  Returns the
 * number of bytes in them.
 */
static size_t outgoing_collect(const struct coil_stream *stream, const struct rest *rest,
			       struct iovec parts[PARTS], int *count)
{
	const struct chunk *chunk;
	size_t len = 0, skip = rest->skip;
	int n = 0;

	for (chunk = stream->head; chunk && n < PARTS; chunk = chunk->next, n++) {
		parts[n].iov_base = (char *)chunk->bytes + chunk->start;
		parts[n].iov_len = chunk->end - chunk->start;
		len += parts[n].iov_len;
	}
	for (int i = 0; i < rest->count && n < PARTS; i++, n++, skip = 0) {
		parts[n].iov_base = (char *)rest->iov[i].iov_base + skip;
		parts[n].iov_len = rest->iov[i].iov_len - skip;
		len += parts[n].iov_len;
	}
	*count = n;
	return len;
}

ssize_t coil__stream_send(struct coil_stream *stream, struct rest *rest)
{
	struct iovec parts[PARTS];
	size_t asked, done = 0;
	ssize_t n;
	int count;

	do {
		size_t queued = stream->queued;

		asked = outgoing_collect(stream, rest, parts, &count);
		n = stream->transport->send(stream, parts, count);
		if (n < 0)
			break;
		coil__stream_moved(stream);
		if (queued)
			outgoing_consume(stream, (size_t)n < queued ? (size_t)n : queued);
		if ((size_t)n <= queued)
			continue;
		coil__rest_skip(rest, (size_t)n - queued);
		done += (size_t)n - queued;
	} while ((size_t)n == asked && (rest->len || stream->head));
	return done || n >= 0 ? (ssize_t)done : n;
}

/* The gathered bytes usually are one chunk, which needs no list of parts. */
static ssize_t send_gathered(struct coil_stream *stream)
{
	struct chunk *chunk = stream->head;
	struct iovec part = { chunk->bytes + chunk->start, chunk->end - chunk->start };
	struct rest none = {0};
	ssize_t n;

	if (unlikely(chunk != stream->tail))
		return coil__stream_send(stream, &none);
	n = stream->transport->send(stream, &part, 1);
	if (likely(n > 0)) {
		outgoing_consume(stream, (size_t)n);
		coil__stream_moved(stream);
	}
	return n;
}

void coil__stream_push(struct coil_stream *stream)
{
	ssize_t n;

	/* In the child of a fork, the parent sends it. */
	if (!stream->gathering || stream->loop != coil__loop)
		return;
	do
		n = send_gathered(stream);
	while (n == -EINTR);
	put_off_no_more(stream);
	if (n >= 0 || n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS)
		n = stream->head ? outgoing_start(stream) : 0;
	if (n < 0)
		coil__stream_drop(stream, (int)n);
}

static void outgoing_append(struct chunk *chunk, const void *bytes, size_t len)
{
	/* An empty part may be at NULL. */
	if (len)
		memcpy(chunk->bytes + chunk->end, bytes, len);
	chunk->end += len;
}

bool coil__stream_gather(struct coil_stream *stream, const struct rest *rest)
{
	struct chunk *chunk = stream->tail;
	size_t len = rest->len, left;

	if (len > SMALL || stream->sending || stream->queued + len > stream->high_water)
		return false;
	if (!chunk) {
		chunk = new_chunk(CHUNK);
		if (!chunk)
			return false;
		stream->head = stream->tail = chunk;
	} else if (chunk->size - chunk->end < len) {
		return false;
	}
	for (int i = 0; i < rest->count; i++)
		outgoing_append(chunk, rest->iov[i].iov_base, rest->iov[i].iov_len);
	stream->queued += len;
	outgoing_put_off(stream);
	left = stream->high_water - stream->queued;
	stream->room = left < chunk->size - chunk->end ? left : chunk->size - chunk->end;
	return true;
}

int coil__stream_enqueue(struct coil_stream *stream, struct rest *rest)
{
	size_t room = stream->tail ? stream->tail->size - stream->tail->end : 0;
	struct chunk *chunk = stream->tail, *more = NULL;

	if (room < rest->len) {
		more = new_chunk(rest->len - room);
		if (!more)
			return -ENOMEM;
		if (chunk)
			chunk->next = more;
		else
			stream->head = chunk = more;
		stream->tail = more;
	}
	stream->queued += rest->len;
	stream->room = 0;
	while (rest->len) {
		size_t some = rest->iov->iov_len - rest->skip;

		room = chunk->size - chunk->end;
		outgoing_append(chunk, (char *)rest->iov->iov_base + rest->skip,
				some < room ? some : room);
		coil__rest_skip(rest, some < room ? some : room);
		if (chunk->end == chunk->size)
			chunk = more;
	}
	if (stream->sending)
		return 0;
	outgoing_put_off(stream);
	/* If outgoing_start() fails, the chore stays on the list and tries again. */
	if (!stream->corked && !outgoing_start(stream))
		put_off_no_more(stream);
	return 0;
}

int coil__stream_drain(struct coil_stream *stream)
{
	int err = 0;

	coil__stream_push(stream);
	while (!err && stream->head) {
		/*
		 * Another loop has to send it: the parent's, in the child of a
		 * fork.
		 */
		if (stream->loop != coil__loop)
			return -EPERM;
		err = coil_waitq_park_for(&stream->flushers, NULL, "flush");
		coil__stream_push(stream);
	}
	return err;
}
