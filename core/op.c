/* SPDX-License-Identifier: MIT */
#include "core/op.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/task.h"
#include "core/uring_abi.h"
#include <errno.h>

/* What a cancelled op may say, apart from its result: see io_uring_cancelation(7). */
static bool is_cancel(int res)
{
	return res == -ECANCELED || res == -EINTR || (res <= -512 && res >= -516);
}

/* The fds that coil_close must look for: so many, in fds[]. */
static int named(const struct op *op, int fds[2])
{
	const struct io_uring_sqe *sqe = &op->sqe;
	int n = 0;

	switch (sqe->opcode) {
	case IORING_OP_NOP:
	case IORING_OP_TIMEOUT:
	case IORING_OP_SOCKET:
		return 0;
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		fds[n++] = sqe->splice_fd_in;
		break;
	case IORING_OP_RENAMEAT:
	case IORING_OP_LINKAT:
		fds[n++] = (int)sqe->len;
		break;
	default:
		break;
	}
	if (n && fds[0] < 0)
		n = 0;
	if (sqe->fd >= 0)
		fds[n++] = sqe->fd;
	return n;
}

void coil__fd_made(struct coil_loop *loop, int fd)
{
	if ((size_t)fd < loop->fd_count)
		loop->fds[fd].events = 0;
}

static void link_name(struct fd *fd, struct naming *naming, struct op *op)
{
	naming->op = op;
	naming->next = fd->ops;
	naming->link = &fd->ops;
	if (fd->ops)
		fd->ops->link = &naming->next;
	fd->ops = naming;
}

/* The last op that names an fd lets coil_close go on. */
static void unlink_names(struct coil_loop *loop, struct op *op)
{
	int fds[2], n = named(op, fds);

	for (int i = 0; i < n; i++) {
		struct naming *naming = &op->names[i];
		struct fd *fd = &loop->fds[fds[i]];

		if (!naming->link)
			continue;
		*naming->link = naming->next;
		if (naming->next)
			naming->next->link = naming->link;
		naming->link = NULL;
		if (!fd->ops && fd->closer && fd->closer->wait)
			coil__ready(fd->closer, 0);
	}
}

int coil__op_start(struct coil_loop *loop, struct op *op)
{
	int fds[2], n = named(op, fds);

	for (int i = 0; i < n; i++) {
		op->names[i].link = NULL;
		if (unlikely((size_t)fds[i] >= loop->fd_count) && !coil__loop_fd(loop, fds[i]))
			return -ENOMEM;
		/* It is being closed: the number is as good as gone. */
		if (unlikely(loop->fds[fds[i]].closer != NULL))
			return -EBADF;
	}
	for (int i = 0; i < n; i++)
		link_name(&loop->fds[fds[i]], &op->names[i], op);
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
		unlink_names(loop, op);
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

int coil__op_close_begin(int number)
{
	struct coil_loop *loop = coil__loop;
	struct coil_task *self = coil__self();
	struct naming *next;
	struct fd *fd = NULL;

	if (loop != &coil__nowhere)
		fd = coil__loop_fd(loop, number);
	/* Out of memory there is no op that names it, nor can one be started. */
	if (!fd)
		return 0;
	if (fd->closer)
		return -EBADF;
	if (self->pending == -EPERM)
		return fd->ops ? -EPERM : 0;
	fd->closer = self;
	for (struct naming *naming = fd->ops; naming; naming = next) {
		next = naming->next;
		naming->op->closing = true;
		coil__op_cancel(loop, naming->op);
	}
	/* The table may move while we wait. */
	if (loop->fds[number].ops)
		coil__park(self, &closing, NULL);
	return 0;
}

void coil__op_close_end(int number)
{
	struct coil_loop *loop = coil__loop;

	if ((size_t)number < loop->fd_count && loop->fds[number].closer == coil__self())
		loop->fds[number].closer = NULL;
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
		[IORING_OP_FTRUNCATE] = "ftruncate",
	};

	if (op->what)
		return op->what;
	if (op->sqe.opcode < sizeof(names) / sizeof(*names) && names[op->sqe.opcode])
		return names[op->sqe.opcode];
	return "request";
}
