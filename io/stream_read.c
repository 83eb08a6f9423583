/* SPDX-License-Identifier: MIT */
/*
 * The half of a stream that reads.
 *
 * Bytes are received when a task asks for them, never ahead of that.  A stream
 * waits for readiness, not for bytes, and allocates when bytes are there.  So a
 * waiting stream holds exactly the bytes that arrived and are not read yet.  If
 * the program reads with a buffer of DIRECT bytes or more, the stream waits
 * with that buffer instead.
 */
#include "io/stream.h"
#include "io/wait.h"
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIRECT = 1024,		/* a read of so many bytes needs no buffer of the stream */
	PIECE = 16 * 1024,	/* minimum to receive at a time */
};

static size_t read_held(const struct coil_stream *stream)
{
	return stream->end - stream->start;
}

/* The checks at the beginning of every call: misuse, and the pending cancellation. */
static int read_begin(const struct coil_stream *stream, const void *out, size_t len)
{
	if (unlikely(!stream))
		return -EINVAL;
	if (unlikely(!out && len))
		return -EFAULT;
	if (unlikely(stream->closed))
		return -EBADF;
	if (unlikely(stream->reading))
		return -EBUSY;
	return coil__enter();
}

/*
 * Lets other tasks run now and then, but before the call takes bytes.  After a
 * call that returns a pointer, no other task may close the stream before the
 * caller has used the bytes.
 */
static int read_enter(struct coil_stream *stream)
{
	stream->refs++;
	stream->reading = true;
	coil__spend(coil__self(), SPEND_CALL);
	return unlikely(stream->closed) ? -ECANCELED : 0;
}

static void read_leave(struct coil_stream *stream)
{
	stream->reading = false;
	coil__stream_unref(stream);
}

/* Hands the next n bytes to the caller.  They stay in place until the next fill. */
static const char *read_take(struct coil_stream *stream, size_t n)
{
	const char *bytes = stream->buf + stream->start;

	stream->start += n;
	stream->searched -= n < stream->searched ? n : stream->searched;
	return bytes;
}

static void read_give_back(struct coil_stream *stream)
{
	free(stream->buf);
	stream->buf = NULL;
	stream->start = stream->end = stream->size = 0;
}

static void copy_out(struct coil_stream *stream, void *to, size_t n)
{
	memcpy(to, read_take(stream, n), n);
	if (!read_held(stream))
		read_give_back(stream);
}

static void move_to_front(struct coil_stream *stream)
{
	size_t len = read_held(stream);

	if (stream->start && len)
		memmove(stream->buf, stream->buf + stream->start, len);
	stream->start = 0;
	stream->end = len;
}

/* Shrinks the buffer to its bytes: a waiting stream holds no free memory. */
static void shrink(struct coil_stream *stream)
{
	char *buf;

	if (!read_held(stream)) {
		read_give_back(stream);
		return;
	}
	move_to_front(stream);
	if (stream->size <= stream->end)
		return;
	buf = realloc(stream->buf, stream->end);
	if (!buf)
		return;
	stream->buf = buf;
	stream->size = stream->end;
}

/*
 * Makes room at the end of the buffer.  Adds PIECE bytes or, if more are
 * wanted, at most as many as the buffer holds.  Half of that is enough if a
 * move to the front yields it: that saves a move to another place.
 */
static int read_make_room(struct coil_stream *stream, size_t more)
{
	size_t most = read_held(stream) > PIECE ? read_held(stream) : PIECE;
	char *buf;

	if (more < PIECE)
		more = PIECE;
	if (more > most)
		more = most;
	if (stream->size - stream->end >= more)
		return 0;
	move_to_front(stream);
	if (stream->size - stream->end >= more / 2)
		return 0;
	if (more > SIZE_MAX - stream->end)
		return -ENOMEM;
	buf = realloc(stream->buf, stream->end + more);
	if (!buf)
		return -ENOMEM;
	stream->buf = buf;
	stream->size = stream->end + more;
	return 0;
}

/*
 * Whether err, the error of a send, means that the connection broke before the
 * peer ended it.  The kernel reports the error of a socket once.  If a send got
 * it, a receive finds the bytes that arrived before, and then 0 as at a clean
 * end.  So the send's error tells the two apart:
 *
 * - -EPIPE: TCP reports it for a reset that follows the peer's FIN.  Everything
 *   that the peer sent has arrived, and the end is clean.  A pipe or a Unix
 *   socket reports it if the peer no longer reads; a receive then gets the
 *   socket's own error.
 * - An error of this list: the end was not received.  Only after -ETIMEDOUT and
 *   the like may a FIN have arrived and not been read.  The stream cannot know,
 *   and a cut transfer must not look whole.
 */
static bool says_broken(int err)
{
	switch (-err) {
	case ECONNRESET:
	case ECONNABORTED:
	case ECONNREFUSED:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENETRESET:
		return true;
	default:
		return false;
	}
}

/*
 * Returns the error that a send met, or 0.  The reader may run before the
 * writer whose op has completed.
 */
static int error_of_sends(const struct coil_stream *stream)
{
	const struct op *op = stream->direct;

	if (!stream->write_error && op && coil__stream_is_final(op, op->res))
		return op->res;
	return stream->write_error;
}

/*
 * Keeps a result n that ends the stream: later reads return it again.  Returns
 * n, or the error that a send met if n only looks like a clean end.  A file has
 * no connection: its -ETIMEDOUT is that of a file system.
 */
static ssize_t note(struct coil_stream *stream, ssize_t n, bool final)
{
	if (!n && stream->transport->pollable && says_broken(error_of_sends(stream)))
		n = stream->read_error = error_of_sends(stream);
	else if (!n)
		stream->ended = true;
	else if (n < 0 && final)
		stream->read_error = (int)n;
	return n;
}

/* Receives without waiting.  Returns -EAGAIN if no byte is there. */
static ssize_t read_receive(struct coil_stream *stream, size_t more)
{
	ssize_t n = read_make_room(stream, more);
	size_t room;

	if (n)
		return n;
	room = stream->size - stream->end;
	do
		n = stream->transport->receive(stream, stream->buf + stream->end, room);
	while (n == -EINTR);
	if (n == -EOPNOTSUPP)
		return n;
	if (n > 0) {
		stream->end += (size_t)n;
		coil__stream_moved(stream);
	}
	/* A second receive after a short one seldom finds anything. */
	stream->drained = n < 0 || (size_t)n < room;
	return note(stream, n, n != -EAGAIN && n != -ENOMEM && n != -ENOBUFS);
}

/*
 * Receives by an op, which may wait.  Serves a file, an fd that is ready but
 * that only a thread can read, and an fd that reports an error.
 */
static ssize_t receive_file(struct coil_stream *stream, size_t more)
{
	ssize_t n = read_make_room(stream, more);
	struct op op = {0};

	if (n)
		return n;
	stream->transport->prepare_receive(stream, &op, stream->buf + stream->end,
					   stream->size - stream->end);
	n = coil__op_run(&op);
	if (n > 0)
		stream->end += (size_t)n;
	return note(stream, n, coil__stream_is_final(&op, n));
}

/*
 * Receives bytes into the buffer; the caller still wants more of them.  Parks
 * if none has arrived.  The caller is between read_enter() and read_leave(), and the end
 * has not come before.  Returns the number of bytes, 0 at the end, or a
 * negative errno.
 */
static ssize_t fill(struct coil_stream *stream, size_t more)
{
	ssize_t n;

	for (;;) {
		coil__stream_charge();
		if (stream->closed)
			return -ECANCELED;
		if (stream->gathering && !stream->corked)
			coil__stream_push(stream);
		if (!stream->transport->pollable)
			return receive_file(stream, more);
		if (!stream->drained) {
			n = read_receive(stream, more);
			if (n == -EOPNOTSUPP)
				return receive_file(stream, more);
			if (n != -EAGAIN)
				return n;
		}
		coil__stream_push(stream);
		shrink(stream);
		n = coil__poll_hint(stream->fd, POLLIN);
		if (n < 0)
			return n;
		/*
		 * An event without POLLIN, such as POLLERR, may last for hours:
		 * another poll would return at once, but an op sleeps.
		 */
		if (!(n & POLLIN))
			return receive_file(stream, more);
		stream->drained = false;
	}
}

/* Returns the result if no more bytes will come, or 0 if they may. */
static int over(const struct coil_stream *stream, int at_end)
{
	if (stream->read_error)
		return stream->read_error;
	return stream->ended ? at_end : 0;
}

/* Whether the result of a receive that did not wait ends the stream. */
static bool is_last_word(ssize_t n)
{
	return n <= 0 && n != -EAGAIN && n != -EINTR && n != -EOPNOTSUPP && n != -ENOMEM &&
	       n != -ENOBUFS;
}

/* Receives into the caller's memory, which saves a buffer and a copy. */
static ssize_t receive_direct(struct coil_stream *stream, void *buf, size_t len)
{
	struct op op = {0};
	ssize_t n;

	if (stream->buf)
		read_give_back(stream);
	/* A corked stream sends nothing before a read that need not wait. */
	if (stream->gathering && stream->corked) {
		n = stream->transport->receive(stream, buf, len);
		n = note(stream, n, is_last_word(n));
		if (n > 0) {
			coil__stream_moved(stream);
			coil__stream_charge();
		}
		if (n > 0 || is_last_word(n))
			return n;
	}
	if (stream->gathering)
		coil__stream_push(stream);
	stream->transport->prepare_receive(stream, &op, buf, len);
	n = coil__op_run(&op);
	if (unlikely(n <= 0))
		return note(stream, n, coil__stream_is_final(&op, n));
	coil__stream_moved(stream);
	return n;
}

/* Reads at least one byte, or returns 0 at the end, or a negative errno. */
static ssize_t read_some(struct coil_stream *stream, void *buf, size_t len)
{
	ssize_t n;

	if (!read_held(stream)) {
		if (stream->read_error || stream->ended)
			return stream->read_error;
		if (len >= DIRECT)
			return receive_direct(stream, buf, len);
		n = fill(stream, PIECE);
		if (n <= 0)
			return n;
	}
	if (len > read_held(stream))
		len = read_held(stream);
	copy_out(stream, buf, len);
	return (ssize_t)len;
}

ssize_t coil_stream_read(struct coil_stream *stream, void *buf, size_t len)
{
	ssize_t n = read_begin(stream, buf, len);

	if (unlikely(n || !len))
		return n;
	n = read_enter(stream);
	if (likely(!n))
		n = read_some(stream, buf, len);
	read_leave(stream);
	return n;
}

/* Reads exactly len bytes.  Returns -ENODATA if the stream ends before. */
static ssize_t read_all(struct coil_stream *stream, void *buf, size_t len)
{
	ssize_t n;

	while (read_held(stream) < len) {
		n = over(stream, -ENODATA);
		if (!n)
			n = fill(stream, len - read_held(stream));
		if (n < 0)
			return n;
	}
	copy_out(stream, buf, len);
	return (ssize_t)len;
}

ssize_t coil_stream_read_exactly(struct coil_stream *stream, void *buf, size_t len)
{
	ssize_t n = read_begin(stream, buf, len);

	if (n || !len)
		return n;
	if (len > SSIZE_MAX)
		return -EINVAL;
	n = read_enter(stream);
	if (!n)
		n = read_all(stream, buf, len);
	read_leave(stream);
	return n;
}

struct separator {
	const char *bytes;
	size_t len;
	uint64_t kind;		/* see kind_of() */
	bool line;		/* the end of the stream also ends a record */
};

#define KIND_LINE UINT64_MAX

/*
 * Returns a key of the separator.  A later call with the same key continues the
 * search.  0: too long for a key.
 */
static uint64_t kind_of(const char *separator, size_t len)
{
	unsigned char bytes[8] = {0};
	uint64_t kind;

	if (len >= sizeof(bytes))
		return 0;
	memcpy(bytes, separator, len);
	bytes[sizeof(bytes) - 1] = (unsigned char)len;
	memcpy(&kind, bytes, sizeof(kind));
	return kind;
}

/*
 * Returns the offset of the separator, or SIZE_MAX.  Searches no byte twice,
 * except the start of a separator that has not arrived whole.
 */
static size_t read_find(struct coil_stream *stream, const struct separator *sep)
{
	size_t from = stream->searched, len = read_held(stream);
	const char *bytes, *at;

	if (len < sep->len)
		return SIZE_MAX;
	bytes = stream->buf + stream->start;
	if (sep->len == 1)
		at = memchr(bytes + from, *sep->bytes, len - from);
	else
		at = memmem(bytes + from, len - from, sep->bytes, sep->len);
	if (at)
		return (size_t)(at - bytes);
	stream->searched = len - sep->len + 1;
	return SIZE_MAX;
}

/*
 * Receives up to and including the separator.  at is its offset, or SIZE_MAX if
 * it has not been found.  Returns the number of bytes, 0 at the end, or a
 * negative errno.
 */
static ssize_t look_for(struct coil_stream *stream, const struct separator *sep, size_t at)
{
	for (;; at = read_find(stream, sep)) {
		size_t least;
		ssize_t n;

		/* The least offset that the separator can have. */
		least = at != SIZE_MAX ? at : stream->searched;
		if (least > stream->limit)
			return -EMSGSIZE;
		if (at != SIZE_MAX)
			return (ssize_t)(at + sep->len);
		if (stream->ended && (sep->line || !read_held(stream)))
			return (ssize_t)read_held(stream);
		n = over(stream, -ENODATA);
		if (!n)
			n = fill(stream, stream->limit - least + sep->len);
		if (n < 0)
			return n;
	}
}

static ssize_t until(struct coil_stream *stream, const struct separator *sep, const char **data)
{
	size_t at;
	ssize_t n;

	if (!sep->kind || sep->kind != stream->searched_for)
		stream->searched = 0;
	stream->searched_for = sep->kind;
	/*
	 * Usually the separator has arrived already.  Then the task does not
	 * yield.
	 */
	at = read_find(stream, sep);
	if (likely(at != SIZE_MAX && at <= stream->limit && coil__spend_some(SPEND_ITEM))) {
		*data = stream->buf + stream->start;
		stream->start += at + sep->len;
		stream->searched = 0;
		return (ssize_t)(at + sep->len);
	}
	n = read_enter(stream);
	if (!n)
		n = look_for(stream, sep, read_find(stream, sep));
	if (n > 0)
		*data = read_take(stream, (size_t)n);
	read_leave(stream);
	return n;
}

ssize_t coil_stream_read_until(struct coil_stream *stream, const char *bytes, size_t len,
			       const char **data)
{
	struct separator sep = { bytes, len, 0, false };
	ssize_t n = read_begin(stream, data, 1);

	if (n)
		return n;
	if (!bytes)
		return -EFAULT;
	if (!len)
		return -EINVAL;
	sep.kind = kind_of(bytes, len);
	return until(stream, &sep, data);
}

ssize_t coil_stream_read_line(struct coil_stream *stream, const char **line)
{
	static const struct separator newline = { "\n", 1, KIND_LINE, true };
	ssize_t n = read_begin(stream, line, 1);

	return n ? n : until(stream, &newline, line);
}

/*
 * The NUL replaces the line's end.  Without a line's end it goes behind the
 * line.  That byte exists: the receive that met the stream's end had room.
 */
int coil_stream_next_line(struct coil_stream *stream, char **line, size_t *len)
{
	const char *bytes;
	ssize_t n = line ? coil_stream_read_line(stream, &bytes) : -EFAULT;

	if (n <= 0)
		return (int)n;
	*line = (char *)bytes;
	if (bytes[n - 1] == '\n')
		n -= n > 1 && bytes[n - 2] == '\r' ? 2 : 1;
	(*line)[n] = '\0';
	if (len)
		*len = (size_t)n;
	return 1;
}

size_t coil_stream_buffered(const struct coil_stream *stream)
{
	return stream ? read_held(stream) : 0;
}

ssize_t coil_stream_peek(struct coil_stream *stream, size_t min, const char **data)
{
	ssize_t n = read_begin(stream, data, 1);

	if (n)
		return n;
	if (min > stream->limit)
		return -EMSGSIZE;
	n = read_enter(stream);
	while (n >= 0 && read_held(stream) < min && !stream->ended) {
		n = over(stream, 0);
		if (!n)
			n = fill(stream, min - read_held(stream));
	}
	if (n >= 0) {
		n = (ssize_t)read_held(stream);
		*data = n ? stream->buf + stream->start : "";
	}
	read_leave(stream);
	return n;
}

ssize_t coil_stream_skip(struct coil_stream *stream, size_t len)
{
	ssize_t n = read_begin(stream, stream, 1);
	size_t done = 0, some;

	if (n || !len)
		return n;
	if (len > SSIZE_MAX)
		return -EINVAL;
	n = read_enter(stream);
	while (!n) {
		some = read_held(stream) < len - done ? read_held(stream) : len - done;
		if (some)
			read_take(stream, some);
		done += some;
		if (done == len || stream->ended)
			break;
		n = over(stream, 0);
		if (!n)
			n = fill(stream, PIECE);
		n = n < 0 ? n : 0;
	}
	read_leave(stream);
	return done ? (ssize_t)done : n;
}

bool coil_stream_at_eof(const struct coil_stream *stream)
{
	return stream && stream->ended && !read_held(stream);
}
