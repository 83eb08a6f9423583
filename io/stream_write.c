/* SPDX-License-Identifier: MIT */
/*
 * The half of a stream that writes.
 *
 * A small write is copied to the queue (stream_queue.c), which is sent a little
 * later.  A large write is one system call, together with what was gathered
 * before it.  If the kernel has no room, the rest goes to the queue.  A write
 * that exceeds the queue's maximum parks and sends from the caller's memory
 * until the rest fits.
 *
 * A write that has to park takes the turn, and later writes queue for it.  So
 * writes are whole and in the order of their calls.  The turn passes directly
 * to the next waiter: stream->writing stays true meanwhile.
 */
#include "io/stream.h"
#include "io/wait.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sends from the caller's memory: the queue is empty and may not hold so much. */
static ssize_t send_directly(struct coil_stream *stream, struct rest *rest)
{
	const char *bytes = (const char *)rest->iov->iov_base + rest->skip;
	struct op op = {0};
	ssize_t n;

	stream->transport->prepare_send(stream, &op, bytes, rest->iov->iov_len - rest->skip);
	stream->direct = &op;
	n = coil__op_run(&op);
	stream->direct = NULL;
	if (n > 0)
		coil__stream_moved(stream);
	if (coil__stream_is_final(&op, n))
		stream->write_error = (int)n;
	if (n > 0)
		coil__rest_skip(rest, (size_t)n);
	return n;
}

static int wait_for_room(struct coil_stream *stream, size_t rest)
{
	size_t high = stream->high_water;

	stream->low = rest > high ? 0 : high - rest < high / 4 ? high - rest : high / 4;
	return coil_waitq_park_for(&stream->writer, NULL, "stream");
}

static bool fits(const struct coil_stream *stream, size_t len)
{
	return len <= stream->high_water && stream->queued <= stream->high_water - len;
}

/* One step of a write that has to queue. */
static ssize_t write_step(struct coil_stream *stream, struct rest *rest)
{
	if (stream->closed)
		return -ECANCELED;
	if (stream->write_error)
		return stream->write_error;
	if (stream->shut)
		return -EPIPE;
	if (fits(stream, rest->len))
		return coil__stream_enqueue(stream, rest);
	coil__stream_push(stream);
	/* Bytes were lost, so no later byte may be sent. */
	if (stream->write_error)
		return stream->write_error;
	return stream->head ? wait_for_room(stream, rest->len) : send_directly(stream, rest);
}

static int take_turn(struct coil_stream *stream)
{
	if (stream->writing)
		return coil_waitq_park_for(&stream->turns, NULL, "stream");
	stream->writing = true;
	return 0;
}

static void pass_turn(struct coil_stream *stream)
{
	if (!coil_waitq_unpark(&stream->turns))
		stream->writing = false;
}

/*
 * Queues or sends the rest of a write of len bytes.  Parks for the turn and for
 * room.
 */
static ssize_t write_rest(struct coil_stream *stream, struct rest *rest, size_t len)
{
	size_t done;
	bool alive;
	ssize_t n;

	stream->refs++;
	n = take_turn(stream);
	if (!n) {
		while (n >= 0 && rest->len)
			n = write_step(stream, rest);
		pass_turn(stream);
	}
	done = len - rest->len;
	alive = !stream->closed && !stream->write_error;
	stream->reported |= n < 0 && n == stream->write_error;
	coil__stream_unref(stream);
	return n >= 0 || (done && alive) ? (ssize_t)done : n;
}

/*
 * Returns the error by which earlier bytes were lost.  The error of a full disk
 * is returned at most once and cleared, as the disk may have room by now.
 */
static int old_error(struct coil_stream *stream)
{
	int err = stream->write_error;

	if (!coil__stream_is_passing(err))
		return err;
	if (stream->reported)
		err = 0;
	stream->write_error = 0;
	return err;
}

/* Returns the error by which bytes were lost; that of a full disk only once. */
static int report_error(struct coil_stream *stream)
{
	bool again = stream->reported && coil__stream_is_passing(stream->write_error);

	stream->reported = true;
	return again ? 0 : stream->write_error;
}

static int write_begin(const struct coil_stream *stream)
{
	if (unlikely(!stream))
		return -EINVAL;
	if (unlikely(stream->closed))
		return -EBADF;
	return likely(!coil__self()->pending) ? 0 : coil__enter();
}

/* A write that is not gathered. */
static ssize_t write_now(struct coil_stream *stream, struct rest *rest)
{
	size_t len = rest->len;
	ssize_t n = 0;

	if (stream->writing || stream->sending || (stream->corked && fits(stream, len)))
		return write_rest(stream, rest, len);
	n = coil__stream_send(stream, rest);
	if (likely(!rest->len)) {
		coil__stream_charge();
		return (ssize_t)len;
	}
	if (n >= 0 || n == -EAGAIN || n == -EINTR)
		return write_rest(stream, rest, len);
	if (n != -ENOMEM && n != -ENOBUFS)
		coil__stream_drop(stream, (int)n);
	return n;
}

static ssize_t write_all(struct coil_stream *stream, struct rest *rest)
{
	if (unlikely(stream->writing) || !coil__stream_gather(stream, rest))
		return write_now(stream, rest);
	coil__stream_charge();
	return (ssize_t)rest->len;
}

/* The checks at the beginning of a write of len bytes. */
static int begin_write(struct coil_stream *stream, size_t len)
{
	int err = write_begin(stream);

	if (likely(!err) && unlikely(stream->write_error))
		err = old_error(stream);
	if (unlikely(err))
		return err;
	if (unlikely(stream->shut))
		return -EPIPE;
	return unlikely(len > SSIZE_MAX) ? -EINVAL : 0;
}

static ssize_t write_more(struct coil_stream *stream, const void *buf, size_t len)
{
	const struct iovec iov = { (void *)buf, len };
	struct rest rest = { .iov = &iov, .count = 1, .len = len };
	int err = begin_write(stream, len);

	if (unlikely(err || !len))
		return err;
	if (unlikely(!buf))
		return -EFAULT;
	return write_all(stream, &rest);
}

/*
 * A small write behind another costs little more than its copy, so it does not
 * count against the budget.  The first write of a chunk and the chunk's send
 * count.
 */
ssize_t coil_stream_write(struct coil_stream *stream, const void *buf, size_t len)
{
	struct chunk *chunk;

	if (!stream || !buf || len - 1 >= stream->room || coil__self()->pending)
		return write_more(stream, buf, len);
	chunk = stream->tail;
	memcpy(chunk->bytes + chunk->end, buf, len);
	chunk->end += len;
	stream->queued += len;
	stream->room -= len;
	return (ssize_t)len;
}

/* Returns the number of bytes, or a negative errno if the vector is not valid. */
static ssize_t length(const struct iovec *iov, int count)
{
	size_t len = 0;

	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	if (!iov && count)
		return -EFAULT;
	for (int i = 0; i < count; i++) {
		if (!iov[i].iov_base && iov[i].iov_len)
			return -EFAULT;
		if (iov[i].iov_len > SSIZE_MAX - len)
			return -EINVAL;
		len += iov[i].iov_len;
	}
	return (ssize_t)len;
}

ssize_t coil_stream_writev(struct coil_stream *stream, const struct iovec *iov, int count)
{
	struct rest rest = { .iov = iov, .count = count };
	ssize_t len = length(iov, count);
	int err = begin_write(stream, 0);

	if (unlikely(err || len <= 0))
		return err ? err : len;
	rest.len = (size_t)len;
	coil__rest_skip(&rest, 0);
	return write_all(stream, &rest);
}

ssize_t coil_stream_vprintf(struct coil_stream *stream, const char *format, va_list args)
{
	char few[512], *text = few;
	va_list again;
	ssize_t n;
	int len;

	if (!format)
		return -EFAULT;
	/*
	 * Checks before it formats: a log whose stream is NULL or closed costs
	 * little.
	 */
	n = write_begin(stream);
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

static int flush(struct coil_stream *stream)
{
	int err;

	stream->refs++;
	err = coil__stream_drain(stream);
	if (!err)
		err = report_error(stream);
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
	return stream->head ? flush(stream) : report_error(stream);
}

static int shut(struct coil_stream *stream)
{
	int err;

	if (stream->shut)
		return 0;
	err = coil__stream_drain(stream);
	if (!err && stream->closed)
		err = -ECANCELED;
	if (!err)
		err = report_error(stream);
	if (!err)
		err = stream->transport->shutdown(stream);
	stream->shut = !err;
	return err;
}

int coil_stream_shutdown(struct coil_stream *stream)
{
	int err = write_begin(stream);

	if (err)
		return err;
	stream->refs++;
	err = take_turn(stream);
	if (!err) {
		err = shut(stream);
		pass_turn(stream);
	}
	coil__stream_unref(stream);
	return err;
}
