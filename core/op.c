/* SPDX-License-Identifier: MIT */
#include "core/op.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/task.h"
#include <errno.h>

/* What a cancelled op may say, apart from its result: see io_uring_cancelation(7). */
static bool is_cancel(int res)
{
	return res == -ECANCELED || res == -EINTR || (res <= -512 && res >= -516);
}

bool coil__op_names_fd(const struct op *op)
{
	switch (op->sqe.opcode) {
	case IORING_OP_NOP:
	case IORING_OP_TIMEOUT:
	case IORING_OP_SOCKET:
		return false;
	default:
		return op->sqe.fd >= 0;
	}
}

void coil__fd_made(struct coil_loop *loop, int fd)
{
	if ((size_t)fd < loop->fd_count)
		loop->fds[fd].events = 0;
}

static void link_fd(struct fd *fd, struct op *op)
{
	op->next_on_fd = fd->ops;
	op->link_on_fd = &fd->ops;
	if (fd->ops)
		fd->ops->link_on_fd = &op->next_on_fd;
	fd->ops = op;
}

/* The last op that names an fd lets coil_close go on. */
static void unlink_fd(struct coil_loop *loop, struct op *op)
{
	struct fd *fd = &loop->fds[op->sqe.fd];

	*op->link_on_fd = op->next_on_fd;
	if (op->next_on_fd)
		op->next_on_fd->link_on_fd = op->link_on_fd;
	op->link_on_fd = NULL;
	if (!fd->ops && fd->closer && fd->closer->wait)
		coil__ready(fd->closer, 0);
}

int coil__op_start(struct coil_loop *loop, struct op *op)
{
	if (coil__op_names_fd(op)) {
		struct fd *fd;

		if (unlikely((size_t)op->sqe.fd >= loop->fd_count)) {
			fd = coil__loop_fd(loop, op->sqe.fd);
			if (!fd)
				return -ENOMEM;
		}
		fd = &loop->fds[op->sqe.fd];
		/* It is being closed: the number is as good as gone. */
		if (unlikely(fd->closer != NULL))
			return -EBADF;
		link_fd(fd, op);
	}
	if (!op->background)
		loop->ops++;
	loop->backend->submit(loop, op);
	return 0;
}

void coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags)
{
	op->res = res;
	op->flags = flags;
	if (!(flags & IORING_CQE_F_MORE)) {
		op->done = true;
		if (!op->background)
			loop->ops--;
		if (op->link_on_fd)
			unlink_fd(loop, op);
	}
	op->complete(op, res, flags);
}

void coil__op_cancel(struct coil_loop *loop, struct op *op)
{
	if (op->done || op->cancelled)
		return;
	op->cancelled = true;
	loop->backend->cancel(loop, op);
}

static void begin(struct op *op)
{
	op->done = op->cancelled = op->closing = false;
	op->state = 0;
	op->sqe.user_data = 0;
}

/*
 * A completion from within submit finds the task still running.  One that was merely
 * interrupted is begun again at once: later the number may mean another file.
 */
static void wake(struct op *op, int res, unsigned flags)
{
	int err;

	(void)flags;
	if (res == -EINTR && !op->cancelled) {
		begin(op);
		err = coil__op_start(op->task->loop, op);
		if (!err)
			return;
		op->res = err;
		op->done = true;
	}
	if (op->task->wait)
		coil__ready(op->task, 0);
}

static void interrupt(struct coil_task *self)
{
	coil__op_cancel(self->loop, self->object);
}

static const struct wait heard = { "io", interrupt };
static const struct wait shielded = { "io", NULL };

static ssize_t run(struct coil_task *self, struct op *op, const struct wait *wait)
{
	struct coil_loop *loop = self->loop;
	int err;

	op->task = self;
	op->complete = wake;
	begin(op);
	err = coil__op_start(loop, op);
	if (err)
		return err;
	if (!op->done)
		coil__park(self, wait, op);
	else if (--loop->budget <= 0)
		/* Work that never has to wait must not starve the others. */
		coil__turn(self);
	if (!op->cancelled || !is_cancel(op->res))
		return op->res;
	return op->closing || !self->pending ? -ECANCELED : coil__scope_deliver(self);
}

ssize_t coil__op_run(struct op *op)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending))
		return coil__refuse(self);
	return run(self, op, &heard);
}

ssize_t coil__op_run_shielded(struct op *op)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending == -EPERM))
		return -EPERM;
	return run(self, op, &shielded);
}

static const struct wait closing = { "requests to end", NULL };

int coil__op_drain_fd(int number)
{
	struct coil_loop *loop = coil__loop;
	struct coil_task *self = coil__self();
	struct fd *fd;
	struct op *next;

	if (self->pending == -EPERM || (size_t)number >= loop->fd_count)
		return 0;
	fd = &loop->fds[number];
	if (fd->closer)
		return -EBADF;
	if (!fd->ops)
		return 0;
	fd->closer = self;
	for (struct op *op = fd->ops; op; op = next) {
		next = op->next_on_fd;
		op->closing = true;
		coil__op_cancel(loop, op);
	}
	/* The table may move while we wait. */
	if (loop->fds[number].ops)
		coil__park(self, &closing, NULL);
	loop->fds[number].closer = NULL;
	return 0;
}

const char *coil__op_name(const struct op *op)
{
	static const char *const names[] = {
		[IORING_OP_READV] = "readv", [IORING_OP_WRITEV] = "writev",
		[IORING_OP_FSYNC] = "fsync", [IORING_OP_POLL_ADD] = "poll",
		[IORING_OP_SENDMSG] = "sendmsg", [IORING_OP_RECVMSG] = "recvmsg",
		[IORING_OP_ACCEPT] = "accept", [IORING_OP_CONNECT] = "connect",
		[IORING_OP_OPENAT] = "openat", [IORING_OP_CLOSE] = "close",
		[IORING_OP_STATX] = "statx", [IORING_OP_READ] = "read",
		[IORING_OP_WRITE] = "write", [IORING_OP_SEND] = "send",
		[IORING_OP_RECV] = "recv", [IORING_OP_SPLICE] = "splice",
		[IORING_OP_SHUTDOWN] = "shutdown", [IORING_OP_RENAMEAT] = "renameat",
		[IORING_OP_UNLINKAT] = "unlinkat", [IORING_OP_MKDIRAT] = "mkdirat",
	};

	if (op->what)
		return op->what;
	if (op->sqe.opcode < sizeof(names) / sizeof(*names) && names[op->sqe.opcode])
		return names[op->sqe.opcode];
	return "request";
}
