/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_STREAM_H
#define COIL_IO_STREAM_H

/* What the files of a stream share, and what a server uses of a stream. */

#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/task/task.h"
#include <coil/stream.h>
#include <coil/waitq.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bytes written and not sent yet.  A chunk never moves: the kernel reads it. */
struct chunk {
	struct chunk *next;
	size_t start;		/* offset of the first byte not sent */
	size_t end;
	size_t size;
	char bytes[];
};

/* The rest of a write: parts of the caller's memory.  The first is never empty. */
struct rest {
	const struct iovec *iov;
	int count;
	size_t skip;		/* bytes of the first part that are done */
	size_t len;		/* bytes of all parts */
};

/*
 * The operations of the file or socket under a stream.  receive and send never
 * wait.  Instead they return -EAGAIN; poll(2) reports POLLIN or POLLOUT when
 * they can go on.
 */
struct transport {
	bool pollable;		/* false: a file, which never needs a poll */
	ssize_t (*receive)(struct coil_stream *stream, void *buf, size_t len);
	ssize_t (*send)(struct coil_stream *stream, const struct iovec *parts, int count);
	int (*shutdown)(struct coil_stream *stream);

	/* Prepare an op that waits, for a task or for the queue. */
	void (*prepare_receive)(struct coil_stream *stream, struct op *op, void *buf, size_t len);
	void (*prepare_send)(struct coil_stream *stream, struct op *op, const void *buf,
			     size_t len);
};

struct coil_stream {
	const struct transport *transport;
	int fd;			/* -1: closed */
	int64_t moved_at;	/* about when bytes last arrived or left */
	unsigned refs;		/* the owner's, the server's, one for each task inside */
	bool closed;
	bool reading;		/* a task is reading */
	bool writing;		/* a task has the turn to write */

	/* The bytes received and not read: buf[start] to buf[end]. */
	bool ended;
	bool drained;		/* the last receive left nothing in the kernel */
	int read_error;
	char *buf;
	size_t start;
	size_t end;
	size_t size;
	size_t limit;
	size_t searched;	/* bytes from start that hold no separator ... */
	uint64_t searched_for;	/* ... of this kind; 0: of none */

	/* The bytes written and not sent. */
	int write_error;
	bool reported;		/* a call has returned write_error */
	int lost;		/* the error by which accepted bytes were lost */
	bool gathering;		/* chore is on the loop's list: see stream_queue.c */
	bool sending;		/* out is under way */
	bool corked;
	bool shut;
	const struct op *direct;	/* sends from a parked writer's memory */
	struct chunk *head;
	struct chunk *tail;
	size_t queued;
	size_t room;		/* bytes that a small write may add unchecked; 0: check */
	size_t high_water;
	size_t low;		/* wake the writer when no more than this is queued */
	struct coil_waitq turns;	/* writers, in the order of their calls */
	struct coil_waitq writer;
	struct coil_waitq flushers;
	struct coil_loop *loop;		/* the loop that gathers or sends */
	struct chore chore;
	struct op out;
};

/*
 * Takes a second reference.  If a handler closes the stream, the memory stays
 * until coil__stream_release(), and calls return -EBADF.
 */
void coil__stream_hold(struct coil_stream *stream);

/*
 * Closes the stream if it is open and drops the reference of
 * coil__stream_hold().  If flush, and the caller is not cancelled, waits until
 * all is sent.  Returns 0 if the stream was closed already, else what
 * coil_stream_close() returns.
 */
int coil__stream_release(struct coil_stream *stream, bool flush);

/*
 * Drops the reference of a task inside a call.  The last reference frees the
 * stream.
 */
void coil__stream_unref(struct coil_stream *stream);

/*
 * Discards the queue.  Later writes fail with why, and the close returns it if
 * bytes were lost.
 */
void coil__stream_drop(struct coil_stream *stream, int why);

/*
 * Parks until the queue is empty.  The caller holds a reference.  Returns 0,
 * -EPERM if another loop has to send it, or the cancellation that ended the
 * wait.
 */
int coil__stream_drain(struct coil_stream *stream);

/* Removes the first n bytes. */
void coil__rest_skip(struct rest *rest, size_t n);

/*
 * Copies a small write to the queue, to be sent later.  Returns false, and
 * copies nothing, if the write has to take another path.
 */
bool coil__stream_gather(struct coil_stream *stream, const struct rest *rest);

/* Starts to send what was gathered, if anything was.  Does not park. */
void coil__stream_push(struct coil_stream *stream);

/*
 * Sends what was gathered and then rest, without parking.  No send may be under
 * way.  Removes from rest the bytes sent.  Returns how many bytes of rest were
 * sent, or a negative errno.
 */
ssize_t coil__stream_send(struct coil_stream *stream, struct rest *rest);

/* Copies all of rest to the queue.  Returns 0, or -ENOMEM and copies nothing. */
int coil__stream_enqueue(struct coil_stream *stream, struct rest *rest);

/* Notes that bytes arrived or left. */
static inline void coil__stream_moved(struct coil_stream *stream)
{
	stream->moved_at = coil__loop->clock.pass_start;
}

/*
 * Called before a system call that does not wait: a task that never has to wait
 * would starve the others.
 */
static inline void coil__stream_charge(void)
{
	struct coil_task *self = coil__self();

	if (--self->loop->run.budget <= 0)
		coil__turn(self);
}

/* Whether a later write may succeed after this error: a disk may have room again. */
static inline bool coil__stream_is_passing(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/*
 * Whether a result ends the connection for good: neither a cancellation nor a
 * passing lack of memory or space.  op distinguishes the kernel's -ETIMEDOUT
 * from that of a deadline.
 */
static inline bool coil__stream_is_final(const struct op *op, ssize_t r)
{
	if (r >= 0 || r == -EAGAIN || r == -EINTR || r == -ENOMEM || r == -ENOBUFS ||
	    coil__stream_is_passing((int)r))
		return false;
	return op->done && !op->cancelled && r == op->res;
}

#endif
