/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_OP_H
#define COIL_CORE_OP_H

/*
 * One request to the kernel, described as the kernel describes it: fill in sqe
 * with liburing's io_uring_prep_*.  An op belongs to whoever must outlive it, a
 * parked task (it lies on that task's stack) or an object that drains it before
 * it goes.  = {0} is ready.
 */

#include <limits.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct coil_loop;
struct coil_task;

/*
 * What io_uring lacks.
 *
 * lseek(2) waits for the lock of the file's position.  The offset is at addr, and
 * replaced by the new position; len says from where.
 *
 * recvmmsg(2) of len messages at addr, with msg_flags.
 *
 * sendfile(2) of len bytes from splice_fd_in, at off, to fd, which has O_NONBLOCK.  It
 * is -EOPNOTSUPP where a disk would be waited for.
 */
enum { OP_SEEK = 254, OP_RECVMMSG = 253, OP_SENDFILE = 252 };

/* An op on the list of an fd that it names. */
struct naming {
	struct op *op;
	struct naming *next;
	struct naming **link;	/* NULL: on no list */
	int fd;
};

struct op {
	struct io_uring_sqe sqe;

	/* A completion; with IORING_CQE_F_MORE in flags there will be another. */
	void (*complete)(struct op *op, int res, unsigned flags);

	struct coil_task *task;		/* who is parked for it, if anybody */
	const char *what;		/* for reports; NULL: by its opcode */
	int res;
	unsigned flags;
	bool done;			/* the last completion has come */
	bool cancelled;			/* its end was asked for */
	bool closing;			/* ... by coil_close */
	bool hint;			/* a poll: an event's word is enough */
	bool background;		/* the loop's own: nobody waits for its end */
	bool attempted;			/* ... in vain, just now */
	unsigned char queued;		/* the engine's, as are those below */
	bool counted;			/* among the receives of its fd that are in the ring */
	unsigned char state;
	bool positioned;		/* has its turn among the movers of its fd: see pool.c */
	bool made_up;			/* a read that has to wait first: see move.c */
	uint32_t sequence;		/* counts what was put into the ring */
	struct naming names[2];		/* in or out, from or to */
	struct op *next;		/* the engine's again */
	struct op *prev;
	void *engine;
};

/* What the kernel cuts a length to; an op's has 32 bits. */
enum { OP_MOST = 0x7ffff000 };

static inline unsigned op_cut(size_t len)
{
	return len < OP_MOST ? (unsigned)len : OP_MOST;
}

/*
 * Runs op for the calling task, which parks until it has completed: its result,
 * or -ECANCELED or -ETIMEDOUT for a request that was pending at entry (nothing
 * was started) or that ended it; -EPERM outside a task; -ENOMEM.  However it
 * returns, the kernel is done with the op's buffers.
 */
ssize_t coil__op_run(struct op *op);

/* The same, but no request is heard, neither at entry nor later. */
ssize_t coil__op_run_shielded(struct op *op);

/*
 * Does it here and now, by a plain system call, if it need not wait for that.  Returns
 * its result, or -EAGAIN; or -EOPNOTSUPP, although its fd is ready, where only a thread
 * can make the call and the op has to be run.  For a fd that can be polled.
 */
int coil__op_try(struct op *op);

/*
 * Starts op on the loop without parking; op->complete is the caller's.  0, -EBADF
 * or -ENOMEM (then it was not started).  coil__op_cancel asks for its early end.
 */
int coil__op_start(struct coil_loop *loop, struct op *op);
void coil__op_cancel(struct coil_loop *loop, struct op *op);

/* The way by which a result of the kernel came. */
enum op_way {
	OP_BY_RING,	/* the op's own completion in a ring */
	OP_BY_POLL,	/* the completion of a poll or timeout in a ring, by which it waits */
	OP_BY_CALL,	/* a plain system call, in the loop's thread or another */
};

/* Not a result: nothing was done, so the op is to be done by a plain call. */
enum { OP_UNDONE = INT_MIN };

/* Maps what the kernel says of op to what coil says of it, or to OP_UNDONE. */
int coil__op_result(const struct op *op, enum op_way way, int res);

/*
 * What the backends call when op is done: counts, unlinks, and tells the owner.  An
 * op that a signal interrupted is started again instead.
 */
void coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags);

/*
 * Ends every op of this loop that names fd, and waits for their completions.  From
 * then until coil__op_close_end() no op can name it: -EBADF.  0; -EBADF if another
 * task is at it already; outside a task, where it cannot wait, -EPERM if there are
 * such ops.
 */
int coil__op_close_begin(int fd);
void coil__op_close_end(int fd);

/* "recv", "fd 7": for people. */
const char *coil__op_name(const struct op *op);

#endif
