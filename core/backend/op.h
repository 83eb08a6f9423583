/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_OP_H
#define COIL_CORE_BACKEND_OP_H

/*
 * An op is one operation of the kernel, in io_uring's own form: the owner fills in sqe
 * with liburing's io_uring_prep_*().  All other fields may be 0 at first.
 *
 * The owner must outlive the op.  It is a parked task, with the op on its stack, or an
 * object that waits for the op's last completion before it is freed.
 */

#include <limits.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct coil_loop;
struct coil_task;

/*
 * Opcodes for system calls that io_uring lacks.
 *
 * OP_SEEK: lseek(2), which may block on the lock of the file's position.  addr points to
 * the offset, which the new position replaces; len is the whence (SEEK_SET and the like).
 *
 * OP_RECVMMSG: recvmmsg(2) of len messages at addr, with msg_flags.
 *
 * OP_SENDFILE: sendfile(2) of len bytes from splice_fd_in, at off, to fd, which must be
 * O_NONBLOCK.  Fails with -EOPNOTSUPP if the call would wait for a disk.
 */
enum { OP_SEEK = 254, OP_RECVMMSG = 253, OP_SENDFILE = 252 };

/* Links an op into the list of an fd that it uses. */
struct fd_ref {
	struct op *op;
	struct fd_ref *next;
	struct fd_ref **link;	/* what points to this; NULL: on no list */
	int fd;
};

struct op {
	struct io_uring_sqe sqe;

	/* Called once per completion; IORING_CQE_F_MORE in flags: more will follow. */
	void (*complete)(struct op *op, int res, unsigned flags);

	struct coil_task *task;		/* the task that waits for it, or NULL */
	const char *what;		/* name in reports; NULL: the opcode's name */
	int res;
	unsigned flags;
	bool done;			/* the last completion has come */
	bool cancelled;			/* a cancellation was started */
	bool closing;			/* ... by coil_close() */
	bool hint;			/* a poll: epoll's event is its result, unchecked */
	bool background;		/* the loop's own: the loop does not wait for it */
	bool attempted;			/* attempt() has just returned -EAGAIN */

	/* The fields below are the backend's. */
	unsigned char queued;
	bool counted;			/* among the receives of its fd that are in the ring */
	unsigned char state;
	bool positioned;		/* must queue with the movers of its fd: see pool.c */
	bool made_up;			/* a read that must wait for content: see move.c */
	uint32_t sequence;		/* its place in the order of entry to the ring */

	struct fd_ref names[2];		/* for each fd that it uses */

	/* The fields below are the backend's. */
	struct op *next;
	struct op *prev;
	void *backend_data;
};

/* The kernel cuts a read or write to this length; sqe.len has only 32 bits. */
enum { OP_MAX = 0x7ffff000 };

static inline unsigned op_cut(size_t len)
{
	return len < OP_MAX ? (unsigned)len : OP_MAX;
}

/*
 * Runs op for the calling task, which parks until op has completed.  Returns op's
 * result; -EBADF if its fd is not open or is being closed; -ENOMEM; -EPERM outside a
 * task.  Returns -ECANCELED or -ETIMEDOUT if a cancellation was pending at entry (op was
 * not started) or ended op.  In every case the kernel no longer uses op's buffers.
 */
ssize_t coil__op_run(struct op *op);

/* The same, but no cancellation has an effect, neither at entry nor later. */
ssize_t coil__op_run_shielded(struct op *op);

/*
 * Does op at once with a plain system call, without parking, if the call need not wait.
 * Returns op's result, or -EAGAIN if it would wait.  Returns -EOPNOTSUPP if the fd is
 * ready but only a thread may make the call: run op instead.  The fd must be pollable.
 */
int coil__op_try(struct op *op);

/*
 * Starts op on the loop without parking; the caller has set op->complete.  Returns 0,
 * or -EBADF or -ENOMEM if op was not started.  coil__op_cancel() starts its cancellation;
 * op still completes, perhaps with another result.
 */
int coil__op_start(struct coil_loop *loop, struct op *op);
void coil__op_cancel(struct coil_loop *loop, struct op *op);

/* How a result of the kernel came. */
enum op_way {
	OP_BY_RING,	/* from op's own completion in a ring */
	OP_BY_POLL,	/* from a ring's poll or timeout that stands in for op */
	OP_BY_CALL,	/* from a plain system call, in the loop's thread or another */
};

/* Not a result: the kernel did nothing, and op needs a plain system call. */
enum { OP_UNDONE = INT_MIN };

/* Maps the kernel's result of op to coil's, or to OP_UNDONE. */
int coil__op_result(const struct op *op, enum op_way way, int res);

/*
 * Ends op for a backend: unlinks it from its fds and calls op->complete().  An op that a
 * signal interrupted is submitted again instead.
 */
void coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags);

/*
 * Cancels every op of this loop that uses fd, and waits for their completions.  Until
 * coil__op_close_end() a new op on fd fails with -EBADF.  Returns 0; -EBADF if another
 * task is closing fd; -EPERM outside a task, where it cannot wait, if there are such ops.
 */
int coil__op_close_begin(int fd);
void coil__op_close_end(int fd);

/* Returns the op's name for reports, such as "recv". */
const char *coil__op_name(const struct op *op);

#endif
