/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_STREAM_H
#define COIL_IO_STREAM_H

/* What the files that make a stream share, and what a server asks of one. */

#include "core/loop.h"
#include "core/op.h"
#include "core/task.h"
#include <coil/stream.h>
#include <coil/waitq.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Written and yet to be sent.  Bytes lie still, as the kernel reads them. */
struct chunk {
	struct chunk *next;
	size_t start;		/* sent up to here */
	size_t end;
	size_t size;
	char bytes[];
};

/* What is left of a write: parts of the caller's memory.  The first is never empty. */
struct rest {
	const struct iovec *iov;
	int count;
	size_t skip;		/* bytes of the first part that are done */
	size_t len;		/* bytes in all */
};

/*
 * What a stream asks of what carries it.  Neither waits: -EAGAIN.  One that has
 * said so becomes ready for what poll(2) calls POLLIN and POLLOUT.
 */
struct transport {
	bool pollable;		/* a file is not, and never has to be waited for */
	ssize_t (*receive)(struct coil_stream *stream, void *buf, size_t len);
	ssize_t (*send)(struct coil_stream *stream, const struct iovec *parts, int count);
	int (*shutdown)(struct coil_stream *stream);

	/* One that waits, for a task's op or the stream's own. */
	void (*prepare_receive)(struct coil_stream *stream, struct op *op, void *buf, size_t len);
	void (*prepare_send)(struct coil_stream *stream, struct op *op, const void *buf,
			     size_t len);
};

struct coil_stream {
	const struct transport *transport;
	int fd;			/* -1: closed */
	int64_t moved_at;	/* when bytes were last received or sent, about */
	unsigned refs;		/* the owner's, the server's, and one a task inside */
	bool closed;
	bool reading;		/* a task is */
	bool writing;		/* a task has the turn to */

	/* Arrived: of buf from start to end. */
	bool ended;
	bool drained;		/* the last receive took all there was */
	int read_error;
	char *buf;
	size_t start;
	size_t end;
	size_t size;
	size_t limit;
	size_t searched;	/* so many bytes from start hold no separator ... */
	uint64_t searched_for;	/* ... of this kind; 0: of none */

	/* Queued. */
	int write_error;
	bool told;		/* a caller has returned it */
	int lost;		/* why something that was taken was not sent */
	bool gathering;		/* chore is on the loop's list: see stream_queue.c */
	bool sending;		/* out is under way */
	bool corked;
	bool shut;
	struct chunk *head;
	struct chunk *tail;
	size_t queued;
	size_t room;		/* for small writes, without a further look; 0: look */
	size_t high_water;
	size_t low;		/* the one whose turn it is goes on at so many */
	struct coil_waitq turns;	/* writers, in the order of their calls */
	struct coil_waitq writer;
	struct coil_waitq flushers;
	struct coil_loop *loop;		/* that gathers or sends */
	struct chore chore;
	struct op out;
};

/*
 * A second reference: when a handler has closed the stream the memory stays until
 * coil__stream_release(), and calls are -EBADF.
 */
void coil__stream_hold(struct coil_stream *stream);

/*
 * Closes it if it is still open, flushing first if flush and the caller is not
 * cancelled, and lets go of it.  As coil_stream_close().
 */
int coil__stream_release(struct coil_stream *stream, bool flush);

/* A task is inside; the last to leave frees what was closed meanwhile. */
void coil__stream_unref(struct coil_stream *stream);

/* What is queued is forgotten, and writes fail from now on. */
void coil__stream_drop(struct coil_stream *stream, int why);

/* Parks until nothing is queued.  The caller holds a reference. */
int coil__stream_drain(struct coil_stream *stream);

/* Takes n more bytes off its beginning. */
void coil__rest_skip(struct rest *rest, size_t n);

/* Takes all of a small write, to be sent later; false: the write takes another path. */
bool coil__stream_gather(struct coil_stream *stream, const struct rest *rest);

/* Begins to send what was gathered, if anything was.  Does not park. */
void coil__stream_push(struct coil_stream *stream);

/*
 * Sends what was gathered and, behind it, the rest, without parking.  Returns how many
 * bytes of the rest were sent, which it takes off the rest, or a negative errno.  No
 * send may be under way.
 */
ssize_t coil__stream_send(struct coil_stream *stream, struct rest *rest);

/* Copies all of the rest to the queue: 0; or -ENOMEM, and copies nothing. */
int coil__stream_enqueue(struct coil_stream *stream, struct rest *rest);

/* Bytes were received or sent. */
static inline void coil__stream_moved(struct coil_stream *stream)
{
	stream->moved_at = coil__loop->pass_start;
}

/* Work that never has to wait must not starve the others: before a system call. */
static inline void coil__stream_charge(void)
{
	struct coil_task *self = coil__self();

	if (--self->loop->budget <= 0)
		coil__turn(self);
}

/* Whether a later write may succeed after this error: a disk may have room again. */
static inline bool coil__stream_is_passing(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/*
 * Whether a result is the connection's last word, and no request's and no passing
 * want.  The kernel's own -ETIMEDOUT is told from a deadline's by op.
 */
static inline bool coil__stream_is_final(const struct op *op, ssize_t r)
{
	if (r >= 0 || r == -EAGAIN || r == -EINTR || r == -ENOMEM || r == -ENOBUFS ||
	    coil__stream_is_passing((int)r))
		return false;
	return op->done && !op->cancelled && r == op->res;
}

#endif
