/* SPDX-License-Identifier: MIT */
/*
 * The half of a stream that writes.
 *
 * With nothing queued a write is one system call.  What did not fit is copied to
 * chunks, and one op, the stream's own, sends the first of them again and again
 * until none is left; no task is parked for it.  A write of more than the queue
 * may hold sends from the caller's memory, parked, until the rest fits.
 */
#include "io/stream.h"
#include "io/wait.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 };

static void free_chunks(struct coil_stream *stream)
{
	struct chunk *next;

	for (struct chunk *chunk = stream->head; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	stream->head = stream->tail = NULL;
	stream->queued = 0;
}

void coil__stream_drop(struct coil_stream *stream, int why)
{
	if (stream->head && !stream->lost)
		stream->lost = why;
	free_chunks(stream);
	stream->write_error = why;
}

static void consume(struct coil_stream *stream, size_t n)
{
	struct chunk *chunk = stream->head;

	chunk->start += n;
	stream->queued -= n;
	if (chunk->start < chunk->end)
		return;
	stream->head = chunk->next;
	if (!stream->head)
		stream->tail = NULL;
	free(chunk);
}

static void wake(struct coil_stream *stream)
{
	if (stream->queued <= stream->low)
		coil_waitq_unpark(&stream->writer);
	if (!stream->head)
		coil_waitq_unpark_all(&stream->flushers);
}

static void sent(struct op *op, int res, unsigned flags);

static int start(struct coil_stream *stream)
{
	struct chunk *chunk = stream->head;
	int err;

	stream->out = (struct op){ .complete = sent, .what = "stream" };
	stream->transport->prepare_send(stream, &stream->out, chunk->bytes + chunk->start,
					chunk->end - chunk->start);
	stream->sending = true;
	err = coil__op_start(coil__loop, &stream->out);
	if (err)
		stream->sending = false;
	return err;
}

/* The queue's own op has sent some.  Once the fd is gone close() does the rest. */
static void sent(struct op *op, int res, unsigned flags)
{
	struct coil_stream *stream = container_of(op, struct coil_stream, out);

	(void)flags;
	stream->sending = false;
	if (res > 0)
		consume(stream, (size_t)res);
	if (stream->fd < 0)
		return;
	if (res <= 0 && (res != -EINTR || op->cancelled))
		coil__stream_drop(stream, res ? res : -EIO);
	if (stream->head) {
		res = start(stream);
		if (res)
			coil__stream_drop(stream, res);
	}
	wake(stream);
}

static struct chunk *new_chunk(size_t size)
{
	struct chunk *chunk;

	if (size < CHUNK)
		size = CHUNK;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->start = chunk->end = 0;
	chunk->size = size;
	return chunk;
}

static void append(struct coil_stream *stream, const char *bytes, size_t len)
{
	struct chunk *chunk = stream->tail;

	memcpy(chunk->bytes + chunk->end, bytes, len);
	chunk->end += len;
	stream->queued += len;
}

/* All of it, or -ENOMEM and nothing. */
static int enqueue(struct coil_stream *stream, const char *bytes, size_t len)
{
	size_t room = stream->tail ? stream->tail->size - stream->tail->end : 0;
	struct chunk *chunk = NULL;
	int err;

	if (room > len)
		room = len;
	if (room < len) {
		chunk = new_chunk(len - room);
		if (!chunk)
			return -ENOMEM;
	}
	if (room)
		append(stream, bytes, room);
	if (chunk) {
		if (stream->tail)
			stream->tail->next = chunk;
		else
			stream->head = chunk;
		stream->tail = chunk;
		append(stream, bytes + room, len - room);
	}
	if (stream->sending)
		return 0;
	/* It was empty, and is again if this fails. */
	err = start(stream);
	if (err)
		free_chunks(stream);
	return err;
}

/* From the caller's memory, as the queue is empty and may not hold so much. */
static ssize_t send_directly(struct coil_stream *stream, const char *bytes, size_t len)
{
	struct op op = {0};
	ssize_t n;

	stream->transport->prepare_send(stream, &op, bytes, len);
	n = coil__op_run(&op);
	if (coil__stream_is_final(&op, n))
		stream->write_error = (int)n;
	return n;
}

static int wait_for_room(struct coil_stream *stream, size_t rest)
{
	size_t high = stream->high_water;

	stream->low = rest > high ? 0 : high - rest < high / 4 ? high - rest : high / 4;
	return coil_waitq_park_for(&stream->writer, NULL, "stream");
}

/* One step of a write that has to queue: how many bytes it took. */
static ssize_t step(struct coil_stream *stream, const char *bytes, size_t rest)
{
	int err;

	if (stream->closed)
		return -ECANCELED;
	if (stream->write_error)
		return stream->write_error;
	if (rest <= stream->high_water && stream->queued <= stream->high_water - rest) {
		err = enqueue(stream, bytes, rest);
		return err ? err : (ssize_t)rest;
	}
	return stream->head ? wait_for_room(stream, rest) : send_directly(stream, bytes, rest);
}

/* A write of which done bytes are sent, and there is more to queue. */
static ssize_t write_rest(struct coil_stream *stream, const char *bytes, size_t len, size_t done)
{
	bool alive;
	ssize_t n = 0;

	stream->refs++;
	stream->writing = true;
	while (n >= 0 && done < len) {
		n = step(stream, bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
	}
	alive = !stream->closed && !stream->write_error;
	stream->writing = false;
	coil__stream_unref(stream);
	return n >= 0 || (done && alive) ? (ssize_t)done : n;
}

static int begin(const struct coil_stream *stream)
{
	if (unlikely(!stream))
		return -EINVAL;
	if (unlikely(stream->closed))
		return -EBADF;
	if (unlikely(stream->writing))
		return -EBUSY;
	return coil__enter();
}

ssize_t coil_stream_write(struct coil_stream *stream, const void *buf, size_t len)
{
	ssize_t n = begin(stream);

	if (unlikely(n))
		return n;
	if (unlikely(!buf && len))
		return -EFAULT;
	if (unlikely(stream->write_error))
		return stream->write_error;
	if (unlikely(stream->shut))
		return -EPIPE;
	if (unlikely(!len || len > SSIZE_MAX))
		return len ? -EINVAL : 0;
	if (unlikely(stream->head))
		return write_rest(stream, buf, len, 0);
	n = stream->transport->send(stream, buf, len);
	if (likely(n == (ssize_t)len)) {
		coil__stream_charge();
		return n;
	}
	if (n >= 0 || n == -EAGAIN || n == -EINTR)
		return write_rest(stream, buf, len, n > 0 ? (size_t)n : 0);
	if (n != -ENOMEM && n != -ENOBUFS)
		stream->write_error = (int)n;
	return n;
}

ssize_t coil_stream_vprintf(struct coil_stream *stream, const char *format, va_list args)
{
	char few[512], *text = few;
	va_list again;
	ssize_t n;
	int len;

	if (!format)
		return -EFAULT;
	/* What cannot be written need not be made: a log that is off costs little. */
	n = begin(stream);
	if (n)
		return n;
	va_copy(again, args);
	len = vsnprintf(few, sizeof(few), format, args);
	if (len >= (int)sizeof(few)) {
		text = malloc((size_t)len + 1);
		if (text)
			len = vsnprintf(text, (size_t)len + 1, format, again);
	}
	va_end(again);
	if (!text)
		return -ENOMEM;
	n = len < 0 ? -errno : coil_stream_write(stream, text, (size_t)len);
	if (text != few)
		free(text);
	return n;
}

ssize_t coil_stream_printf(struct coil_stream *stream, const char *format, ...)
{
	va_list args;
	ssize_t n;

	va_start(args, format);
	n = coil_stream_vprintf(stream, format, args);
	va_end(args);
	return n;
}

int coil__stream_drain(struct coil_stream *stream)
{
	int err = 0;

	while (!err && stream->head)
		err = coil_waitq_park_for(&stream->flushers, NULL, "flush");
	return err;
}

static int flush(struct coil_stream *stream)
{
	int err;

	stream->refs++;
	err = coil__stream_drain(stream);
	if (!err)
		err = stream->write_error;
	coil__stream_unref(stream);
	return err;
}

int coil_stream_flush(struct coil_stream *stream)
{
	int err;

	if (!stream)
		return -EINVAL;
	err = stream->closed ? -EBADF : coil__enter();
	if (err)
		return err;
	return stream->head ? flush(stream) : stream->write_error;
}

int coil_stream_shutdown(struct coil_stream *stream)
{
	int err = begin(stream);

	if (err)
		return err;
	if (stream->shut)
		return 0;
	stream->refs++;
	stream->writing = true;
	err = coil__stream_drain(stream);
	if (!err && stream->closed)
		err = -ECANCELED;
	if (!err)
		err = stream->write_error;
	if (!err)
		err = stream->transport->shutdown(stream);
	stream->shut = !err;
	stream->writing = false;
	coil__stream_unref(stream);
	return err;
}
