/* SPDX-License-Identifier: MIT */
#include "core/backend/op.h"
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/backend.h"
#include "core/backend/syscall.h"
#include "core/task/task.h"
#include "core/backend/uring_abi.h"
#include <errno.h>

/* Whether the kernel gave the op up: see io_uring_cancelation(7). */
static bool is_given_up(int res)
{
	return res == -ECANCELED || res == -EINTR || (res <= -512 && res >= -516);
}

/*
 * The read of a timerfd returns -ECANCELED once when the clock was set.  The kernel
 * never reads such a file in a worker thread, so the error is the file's own.
 */
static bool is_files_own(const struct op *op, int res)
{
	return res == -ECANCELED &&
	       (op->sqe.opcode == IORING_OP_READ || op->sqe.opcode == IORING_OP_READV) &&
	       !coil__file_type(op->sqe.fd);
}

/* The fallback knows every opcode that coil uses.  For an unknown one res is final. */
static int undone(const struct op *op, int res)
{
	return coil__syscall_class(op) == SYSCALL_UNKNOWN ? res : OP_UNDONE;
}

static bool is_poll_of_terminal(const struct op *op, enum op_way way)
{
	return (way == OP_BY_POLL ||
		(way == OP_BY_RING && op->sqe.opcode == IORING_OP_POLL_ADD)) &&
	       isatty(coil__syscall_fd(op));
}

/*
 * The meaning of each result:
 *
 * - 0 and above: the op is done, even if it was cancelled.  From a poll that stands in
 *   for the op: the system call may succeed now.
 * - -ECANCELED, -EINTR, -512 to -516, and the op was cancelled: the cancellation came
 *   first.
 * - The same from a ring, and the op was not cancelled: the kernel could start no worker
 *   thread (RLIMIT_NPROC, pids.max), or a signal came.  The kernel did nothing.
 * - The same from a call, and the op was not cancelled: -EINTR means a signal, and
 *   -ECANCELED is the file's own error.
 * - -EINVAL from a poll of a terminal: another poll or read of it came between, in the
 *   kernel (Linux 6.18).  Poll again.
 * - -EINTR from a close: the fd is closed all the same.
 * - -EAGAIN from a ring: the op would block.  The owner wants that error (MSG_DONTWAIT),
 *   or the op has to wait.
 * - -EACCES from a ring: the file or a filter of the ring refuses.  A system call shows
 *   which.
 * - -ETIME from a timeout that stands in for the op: try the system call again.
 * - Any other negative number: the error.
 */
int coil__op_result(const struct op *op, enum op_way way, int res)
{
	if (res == -EINVAL && is_poll_of_terminal(op, way))
		return op->cancelled ? -ECANCELED : OP_UNDONE;
	if (way == OP_BY_POLL && (res >= 0 || res == -ETIME || is_given_up(res)))
		return OP_UNDONE;
	if (res >= 0 || way == OP_BY_POLL)
		return res;
	if (is_given_up(res)) {
		if (op->cancelled)
			return -ECANCELED;
		if (way == OP_BY_CALL)
			return res == -EINTR ? OP_UNDONE : res;
		return is_files_own(op, res) ? res : undone(op, -EAGAIN);
	}
	if (way != OP_BY_RING || (res != -EAGAIN && res != -EACCES))
		return res;
	if (op->cancelled)
		return -ECANCELED;
	return res == -EAGAIN && coil__syscall_nowait(op) ? res : undone(op, res);
}

/* The fd whose coil_close() cancels the op, or a negative number. */
static inline int first_fd(const struct io_uring_sqe *sqe)
{
	if (sqe->opcode == IORING_OP_NOP || sqe->opcode == IORING_OP_TIMEOUT)
		return -1;
	return sqe->fd;
}

/* The other fd of an op that uses two. */
static inline int second_fd(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_SPLICE:
	case OP_SENDFILE:
		return sqe->splice_fd_in;
	case IORING_OP_RENAMEAT:
	case IORING_OP_LINKAT:
		return (int)sqe->len;
	default:
		return -1;
	}
}

/* An fd that is being closed counts as closed: its number may soon mean another file. */
static inline int check_name(struct coil_loop *loop, int number)
{
	if (number < 0)
		return 0;
	if (unlikely((size_t)number >= loop->io.fd_count) && !coil__loop_fd(loop, number))
		return -errno;
	return unlikely(loop->io.fds[number].closer != NULL) ? -EBADF : 0;
}

static inline void link_name(struct coil_loop *loop, struct op *op, int which, int number)
{
	struct fd_ref *ref = &op->names[which];
	struct fd *fd;

	ref->link = NULL;
	if (number < 0)
		return;
	fd = &loop->io.fds[number];
	ref->op = op;
	ref->fd = number;
	ref->next = fd->ops;
	ref->link = &fd->ops;
	if (fd->ops)
		fd->ops->link = &ref->next;
	fd->ops = ref;
}

/* When the last op that uses an fd ends, coil_close() goes on. */
static inline void unlink_name(struct coil_loop *loop, struct fd_ref *ref)
{
	struct fd *fd;

	if (!ref->link)
		return;
	fd = &loop->io.fds[ref->fd];
	*ref->link = ref->next;
	if (ref->next)
		ref->next->link = ref->link;
	ref->link = NULL;
	if (unlikely(fd->closer != NULL) && !fd->ops && fd->closer->wait)
		coil__ready(fd->closer, 0);
}

int coil__op_start(struct coil_loop *loop, struct op *op)
{
	int first = first_fd(&op->sqe), second = second_fd(&op->sqe);
	int err = check_name(loop, first);

	if (!err)
		err = check_name(loop, second);
	if (unlikely(err))
		return err;
	link_name(loop, op, 0, first);
	link_name(loop, op, 1, second);
	if (!op->background)
		loop->io.ops++;
	loop->io.backend->submit(loop, op);
	return 0;
}

static void op_begin(struct op *op)
{
	op->done = op->cancelled = op->closing = op->attempted = false;
	op->positioned = op->made_up = false;
	op->state = 0;
	op->sqe.user_data = 0;
}

void coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags)
{
	if (unlikely(res < 0)) {
		res = coil__op_result(op, OP_BY_CALL, res);
		/* Submit at once: later the fd's number may mean another file. */
		if (unlikely(res == OP_UNDONE)) {
			op_begin(op);
			loop->io.backend->submit(loop, op);
			return;
		}
	}
	op->res = res;
	op->flags = flags;
	if (!(flags & IORING_CQE_F_MORE)) {
		op->done = true;
		if (!op->background)
			loop->io.ops--;
		unlink_name(loop, &op->names[0]);
		unlink_name(loop, &op->names[1]);
	}
	op->complete(op, res, flags);
}

void coil__op_cancel(struct coil_loop *loop, struct op *op)
{
	if (op->done || op->cancelled)
		return;
	op->cancelled = true;
	loop->io.backend->cancel(loop, op);
}

/* If the op completes within submit(), the task runs and must not be woken. */
static void op_wake(struct op *op, int res, unsigned flags)
{
	(void)res, (void)flags;
	if (op->task->wait)
		coil__ready(op->task, 0);
}

static void op_interrupt(struct coil_task *self)
{
	coil__op_cancel(self->loop, self->object);
}

static const struct wait heard = { .what = "io", .interrupt = op_interrupt };
static const struct wait shielded = { .what = "io" };

static ssize_t op_run(struct coil_task *self, struct op *op, const struct wait *wait)
{
	struct coil_loop *loop = self->loop;
	int err;

	op->task = self;
	op->complete = op_wake;
	op_begin(op);
	if (loop->io.backend->attempt && loop->io.backend->attempt(loop, op)) {
		op->done = true;
		op->flags = 0;
	} else {
		err = coil__op_start(loop, op);
		if (err)
			return err;
	}
	if (!op->done)
		coil__park(self, wait, op);
	else if (--loop->run.budget <= 0)
		/* A task whose ops never wait must not starve other tasks. */
		coil__turn(self);
	if (!op->cancelled || op->res != -ECANCELED)
		return op->res;
	return op->closing || !self->pending ? -ECANCELED : coil__scope_deliver(self);
}

ssize_t coil__op_run(struct op *op)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending))
		return coil__refuse(self);
	return op_run(self, op, &heard);
}

ssize_t coil__op_run_shielded(struct op *op)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending == -EPERM))
		return -EPERM;
	return op_run(self, op, &shielded);
}

int coil__op_try(struct op *op)
{
	struct coil_loop *loop = coil__loop;
	int res;

	if (loop->io.backend && loop->io.backend->attempt) {
		if (loop->io.backend->attempt(loop, op))
			return op->res;
		if (op->attempted)
			return -EAGAIN;
	}
	op->sqe.user_data = 0;
	res = coil__syscall_try(op);
	return res == -EAGAIN && coil__syscall_class(op) == SYSCALL_POOL ? -EOPNOTSUPP : res;
}

static const struct wait closing = { .what = "operations to end" };

int coil__op_close_begin(int number)
{
	struct coil_loop *loop = coil__loop;
	struct coil_task *self = coil__self();
	struct fd_ref *next;
	struct fd *fd = NULL;

	if (loop != &coil__no_loop)
		fd = coil__loop_fd(loop, number);
	/* Without an entry no op uses the fd, and none can be started. */
	if (!fd)
		return 0;
	if (fd->closer)
		return -EBADF;
	if (self->pending == -EPERM)
		return fd->ops ? -EPERM : 0;
	fd->closer = self;
	for (struct fd_ref *ref = fd->ops; ref; ref = next) {
		next = ref->next;
		ref->op->closing = true;
		coil__op_cancel(loop, ref->op);
	}
	/* A cancelled op's completion may have moved the table, so fd is stale. */
	if (loop->io.fds[number].ops)
		coil__park(self, &closing, NULL);
	return 0;
}

void coil__op_close_end(int number)
{
	struct coil_loop *loop = coil__loop;

	if ((size_t)number >= loop->io.fd_count || loop->io.fds[number].closer != coil__self())
		return;
	loop->io.fds[number].closer = NULL;
	loop->io.fds[number].guess = 0;
}

const char *coil__op_name(const struct op *op)
{
	static const char *const names[] = {
		[IORING_OP_READV] = "readv", [IORING_OP_WRITEV] = "writev",
		[IORING_OP_FSYNC] = "fsync", [IORING_OP_POLL_ADD] = "poll",
		[IORING_OP_SENDMSG] = "sendmsg", [IORING_OP_RECVMSG] = "recvmsg",
		[IORING_OP_ACCEPT] = "accept", [IORING_OP_CONNECT] = "connect",
		[IORING_OP_OPENAT] = "openat", [IORING_OP_RENAMEAT] = "renameat",
		[IORING_OP_STATX] = "statx", [IORING_OP_READ] = "read",
		[IORING_OP_WRITE] = "write", [IORING_OP_SEND] = "send",
		[IORING_OP_RECV] = "recv", [IORING_OP_SPLICE] = "splice",
		[IORING_OP_UNLINKAT] = "unlinkat", [IORING_OP_MKDIRAT] = "mkdirat",
		[IORING_OP_LINKAT] = "linkat", [IORING_OP_SYMLINKAT] = "symlinkat",
		[IORING_OP_FTRUNCATE] = "ftruncate", [IORING_OP_FALLOCATE] = "fallocate",
	};

	if (op->what)
		return op->what;
	if (op->sqe.opcode < sizeof(names) / sizeof(*names) && names[op->sqe.opcode])
		return names[op->sqe.opcode];
	return "operation";
}
