/* SPDX-License-Identifier: MIT */
#include "core/backend/syscall.h"
#include "core/backend/fd.h"
#include "core/backend/move.h"
#include "core/backend/uring_abi.h"
#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETRY_MS = 5, PAGE = 4096 };

int coil__syscall_cancelled(const struct op *op)
{
	return so_far(op) ? (int)so_far(op) : -ECANCELED;
}

void coil__syscall_unpollable(struct op *op)
{
	remember(op, BLOCKS);
}

/*
 * Sockets.
 */

static bool is_message(const struct op *op)
{
	return op->sqe.opcode == IORING_OP_RECVMSG ||
	       op->sqe.opcode == IORING_OP_SENDMSG;
}

static bool is_stream(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

/* The rest of a message, after its first done bytes. */
static struct msghdr *rest_of(struct msghdr *msg, size_t done,
			      struct msghdr *rest, struct iovec *some)
{
	if (!done)
		return msg;
	memset(rest, 0, sizeof(*rest));
	rest->msg_iov = some;
	rest->msg_iovlen = (size_t)coil__window(some, msg->msg_iov, msg->msg_iovlen,
					  done, OP_MAX);
	return rest;
}

static ssize_t transfer(const struct op *op, size_t done)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	int flags = (int)sqe->msg_flags | MSG_DONTWAIT;
	char *at = (char *)ptr(sqe->addr) + done;
	size_t len = op_cut(sqe->len) - done;
	struct iovec some[WINDOW];
	struct msghdr rest;

	switch (sqe->opcode) {
	case IORING_OP_RECV:
		return RETRY(recv(sqe->fd, at, len, flags));
	case IORING_OP_SEND:
		return RETRY(sendto(sqe->fd, at, len, flags | MSG_NOSIGNAL,
				    ptr(sqe->addr2), sqe->addr_len));
	case IORING_OP_RECVMSG:
		return RETRY(recvmsg(sqe->fd, rest_of(ptr(sqe->addr), done,
						      &rest, some), flags));
	default:
		return RETRY(sendmsg(sqe->fd, rest_of(ptr(sqe->addr), done,
						      &rest, some),
				     flags | MSG_NOSIGNAL));
	}
}

static size_t transfer_length(const struct op *op)
{
	const struct msghdr *msg = ptr(op->sqe.addr);

	if (is_message(op))
		return coil__sum(msg->msg_iov, msg->msg_iovlen);
	return op_cut(op->sqe.len);
}

static bool sends_to_a_name(const struct op *op)
{
	const struct msghdr *msg = ptr(op->sqe.addr);

	if (op->sqe.opcode == IORING_OP_SENDMSG)
		return msg->msg_name != NULL;
	return op->sqe.opcode == IORING_OP_SEND && op->sqe.addr2;
}

/*
 * With MSG_DONTWAIT the kernel ignores MSG_WAITALL, so the loop below does it.  A
 * datagram to an unconnected peer may get EAGAIN because the peer's queue is full, while
 * the socket itself has room and polls as ready.
 */
static int try_transfer(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	bool all = sqe->msg_flags & MSG_WAITALL && !(sqe->msg_flags & MSG_PEEK);

	for (;;) {
		ssize_t n = transfer(op, so_far(op));

		if (n < 0 && errno == EAGAIN && !coil__syscall_nowait(op)) {
			if (sends_to_a_name(op) && coil__is_ready(sqe->fd, POLLOUT))
				remember(op, BLIND);
			return -EAGAIN;
		}
		if (n <= 0 || !all || !is_stream(sqe->fd) ||
		    so_far(op) + (size_t)n >= transfer_length(op))
			return moved(op, n);
		op->sqe.user_data += (uint64_t)n;
	}
}

static int try_recvmmsg(const struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;

	return result(RETRY(recvmmsg(sqe->fd, ptr(sqe->addr), sqe->len,
				     (int)sqe->msg_flags | MSG_DONTWAIT, NULL)));
}

/*
 * accept and connect have no flag against blocking, so the fd must be O_NONBLOCK.  An fd
 * that cannot listen keeps its flags: fd 0 may be the user's terminal, and accept
 * returns an error for it without a wait.
 *
 * A listener becomes O_NONBLOCK even on fd 0, where inetd and its like put it, although
 * other processes share the flag.  Every other way fails:
 * - poll(2) first: another process may take the connection, and accept would then wait
 *   for the next one.  In the loop's thread that stops all tasks; in a thread of the
 *   pool no cancellation could end it.
 * - SO_RCVTIMEO: it would end that wait, but new TCP connections inherit it.
 * - O_NONBLOCK only during the call: two processes would undo each other's change.
 */
static int make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return flags & O_NONBLOCK || !fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? 0 : -errno;
}

static int try_accept(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;

	if (!remembers(op, STARTED) && is_stream(sqe->fd)) {
		int err = make_nonblocking(sqe->fd);

		if (err)
			return err;
		remember(op, STARTED);
	}
	return result(RETRY(accept4(sqe->fd, ptr(sqe->addr), ptr(sqe->addr2),
				    (int)sqe->accept_flags)));
}

static int call_connect(const struct op *op)
{
	return connect(op->sqe.fd, ptr(op->sqe.addr), (socklen_t)op->sqe.off);
}

/* A second connect(2) returns how the first one went. */
static int continue_connect(struct op *op)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(op->sqe.fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	if (err)
		return -err;
	if (!call_connect(op) || errno == EISCONN)
		return 0;
	if (errno == EALREADY || errno == EINPROGRESS || errno == EINTR)
		return -EAGAIN;
	return -errno;
}

/*
 * An AF_UNIX connect does not go on in the background.  EAGAIN means that the listener's
 * queue is full, and no event shows when it has room again.
 */
static int try_connect(struct op *op)
{
	int err;

	if (remembers(op, STARTED))
		return continue_connect(op);
	/* Other processes share standard input, output and error, so keep their flags. */
	if (op->sqe.fd <= STDERR_FILENO && !coil__is_nonblocking(op->sqe.fd))
		return leave_to_pool(op);
	err = make_nonblocking(op->sqe.fd);
	if (err)
		return err;
	if (!call_connect(op))
		return 0;
	if (errno == EINPROGRESS || errno == EINTR)
		remember(op, STARTED);
	else if (errno == EAGAIN)
		remember(op, BLIND);
	else
		return -errno;
	return -EAGAIN;
}

static short poll_events(const struct op *op)
{
	uint32_t events = op->sqe.poll32_events;

#if __BYTE_ORDER == __BIG_ENDIAN
	events = events << 16 | events >> 16;
#endif
	return (short)events;
}

static int try_poll(struct op *op)
{
	struct pollfd pollfd = { .fd = op->sqe.fd, .events = poll_events(op) };
	int n = RETRY(poll(&pollfd, 1, 0));

	if (n < 0)
		return -errno;
	if (pollfd.revents & POLLNVAL)
		return -EBADF;
	return n ? pollfd.revents : -EAGAIN;
}

/*
 * SPLICE_F_NONBLOCK affects pipes only.  A socket that is not O_NONBLOCK blocks until it
 * has room for all bytes.  So both ends must be ready, and try_splice() cuts the length.
 */
static ssize_t splice_ends(const struct op *op, size_t len)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	unsigned flags = sqe->splice_flags | SPLICE_F_NONBLOCK;
	off64_t in = (off64_t)sqe->splice_off_in, out = (off64_t)sqe->off;

	return splice(sqe->splice_fd_in, in == -1 ? NULL : &in,
		      sqe->fd, out == -1 ? NULL : &out, len, flags);
}

static int try_splice(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	bool from_file = coil__is_file(sqe->splice_fd_in);
	bool to_file = coil__is_file(sqe->fd);
	size_t len = op_cut(sqe->len);
	ssize_t n;

	op->sqe.user_data &= ~INPUT;
	/* A file is always ready, and poll(2) on it may wait for its server. */
	if (!from_file && !coil__is_ready(sqe->splice_fd_in, POLLIN)) {
		remember(op, INPUT);
		return -EAGAIN;
	}
	if (!to_file && !coil__is_ready(sqe->fd, POLLOUT))
		return -EAGAIN;
	if (from_file || to_file)
		return leave_to_pool(op);
	if (len > 4096 && !coil__is_nonblocking(sqe->fd))
		len = 4096;
	n = RETRY(splice_ends(op, len));
	if (n < 0 && errno == EAGAIN)
		remember(op, BLIND);
	return result(n);
}

/* Whether all bytes are in memory.  Reads a byte of each page to find out. */
static bool syscall_is_cached(int fd, off_t at, size_t len)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	off_t end = at + (off_t)len;
	ssize_t n = 1;

	for (; n > 0 && at < end; at = (at | (PAGE - 1)) + 1)
		n = preadv2(fd, &iov, 1, at, RWF_NOWAIT);
	return n >= 0;
}

/* Checks the pages at each try: they may have left memory while op waited for room. */
static int try_sendfile(const struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	off_t at = (off_t)sqe->off;

	if (!syscall_is_cached(sqe->splice_fd_in, at, sqe->len))
		return -EOPNOTSUPP;
	return result(RETRY(sendfile(sqe->fd, sqe->splice_fd_in, &at, sqe->len)));
}

/*
 * System calls that wait for no peer, at most for a disk.
 */

static ssize_t call_with_path(const struct io_uring_sqe *sqe)
{
	const char *path = ptr(sqe->addr), *other = ptr(sqe->addr2);

	switch (sqe->opcode) {
	case IORING_OP_OPENAT:
		return openat(sqe->fd, path, (int)sqe->open_flags,
			      (mode_t)sqe->len);
	case IORING_OP_STATX:
		return statx(sqe->fd, path, (int)sqe->statx_flags, sqe->len,
			     ptr(sqe->off));
	case IORING_OP_UNLINKAT:
		return unlinkat(sqe->fd, path, (int)sqe->unlink_flags);
	case IORING_OP_MKDIRAT:
		return mkdirat(sqe->fd, path, (mode_t)sqe->len);
	case IORING_OP_SYMLINKAT:
		return symlinkat(path, sqe->fd, other);
	case IORING_OP_LINKAT:
		return linkat(sqe->fd, path, (int)sqe->len, other,
			      (int)sqe->hardlink_flags);
	case IORING_OP_RENAMEAT:
		return renameat2(sqe->fd, path, (int)sqe->len, other,
				 sqe->rename_flags);
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

static int syscall_call(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_NOP:
		return 0;
	case IORING_OP_FSYNC:
		if (sqe->fsync_flags & IORING_FSYNC_DATASYNC)
			return result(RETRY(fdatasync(sqe->fd)));
		return result(RETRY(fsync(sqe->fd)));
	case IORING_OP_FTRUNCATE:
		return result(RETRY(ftruncate(sqe->fd, (off_t)sqe->off)));
	case IORING_OP_FALLOCATE:
		return result(RETRY(fallocate(sqe->fd, (int)sqe->len,
					      (off_t)sqe->off,
					      (off_t)sqe->addr)));
	default:
		return result(RETRY(call_with_path(sqe)));
	}
}

enum syscall_class coil__syscall_class(const struct op *op)
{
	if (remembers(op, BLOCKS))
		return SYSCALL_POOL;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_ACCEPT:
	case IORING_OP_POLL_ADD:
	case OP_RECVMMSG:
		return SYSCALL_READY_IN;
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_CONNECT:
	case IORING_OP_SPLICE:
	case OP_SENDFILE:
		return SYSCALL_READY_OUT;
	case IORING_OP_NOP:
		return SYSCALL_NOW;
	case OP_SEEK:
	case IORING_OP_OPENAT:
	case IORING_OP_FTRUNCATE:
	case IORING_OP_FSYNC:
	case IORING_OP_FALLOCATE:
	case IORING_OP_STATX:
	case IORING_OP_UNLINKAT:
	case IORING_OP_RENAMEAT:
	case IORING_OP_MKDIRAT:
	case IORING_OP_SYMLINKAT:
	case IORING_OP_LINKAT:
		return SYSCALL_POOL;
	default:
		return SYSCALL_UNKNOWN;
	}
}

int coil__syscall_fd(const struct op *op)
{
	return remembers(op, INPUT) ? op->sqe.splice_fd_in : op->sqe.fd;
}

short coil__syscall_events(const struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	bool receives = sqe->opcode == IORING_OP_RECV ||
			sqe->opcode == IORING_OP_RECVMSG ||
			sqe->opcode == OP_RECVMMSG;

	if (remembers(op, BLIND))
		return 0;
	if (sqe->opcode == IORING_OP_POLL_ADD)
		return poll_events(op);
	if (receives && sqe->msg_flags & MSG_ERRQUEUE)
		return POLLERR;
	if (receives && sqe->msg_flags & MSG_OOB)
		return POLLPRI;
	if (remembers(op, INPUT) || coil__syscall_class(op) == SYSCALL_READY_IN)
		return POLLIN;
	return POLLOUT;
}

bool coil__syscall_nowait(const struct op *op)
{
	/* SPLICE_F_NONBLOCK affects pipes only: a splice with a file still waits. */
	if (remembers(op, BLOCKS))
		return false;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return coil__move_nowait(op);
	case IORING_OP_RECV:
	case IORING_OP_SEND:
	case IORING_OP_RECVMSG:
	case IORING_OP_SENDMSG:
	case OP_RECVMMSG:
		return op->sqe.msg_flags & MSG_DONTWAIT;
	case IORING_OP_SPLICE:
		return op->sqe.splice_flags & SPLICE_F_NONBLOCK;
	default:
		return false;
	}
}

int coil__syscall_try(struct op *op)
{
	op->sqe.user_data &= ~BLIND;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return coil__move_try(op);
	case IORING_OP_RECV:
	case IORING_OP_SEND:
	case IORING_OP_RECVMSG:
	case IORING_OP_SENDMSG:
		return try_transfer(op);
	case IORING_OP_ACCEPT:
		return try_accept(op);
	case IORING_OP_CONNECT:
		return try_connect(op);
	case IORING_OP_POLL_ADD:
		return try_poll(op);
	case IORING_OP_SPLICE:
		return try_splice(op);
	case OP_RECVMMSG:
		return try_recvmmsg(op);
	case OP_SENDFILE:
		return try_sendfile(op);
	default:
		return syscall_call(&op->sqe);
	}
}

/* If an end is no longer ready, op returns to the loop, which waits for it. */
static int block_splice(struct op *op)
{
	int n = result(RETRY(splice_ends(op, op_cut(op->sqe.len))));

	if (n == -EAGAIN && !(op->sqe.splice_flags & SPLICE_F_NONBLOCK))
		op->sqe.user_data &= ~BLOCKS;
	return n;
}

static int syscall_seek(const struct io_uring_sqe *sqe)
{
	off_t *position = ptr(sqe->addr);
	off_t at = lseek(sqe->fd, *position, (int)sqe->len);

	if (at < 0)
		return -errno;
	*position = at;
	return 0;
}

static int block(struct op *op)
{
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return coil__move_block(op);
	case OP_SEEK:
		return syscall_seek(&op->sqe);
	case IORING_OP_CONNECT:
		return result(call_connect(op));
	case IORING_OP_SPLICE:
		return block_splice(op);
	default:
		return syscall_call(&op->sqe);
	}
}

int coil__syscall_block(struct op *op)
{
	struct pollfd pollfd;
	int res;

	for (;;) {
		if (coil__syscall_class(op) == SYSCALL_POOL)
			return block(op);
		res = coil__syscall_try(op);
		if (res != -EAGAIN || coil__syscall_nowait(op))
			return res;
		pollfd.fd = coil__syscall_fd(op);
		pollfd.events = coil__syscall_events(op);
		poll(&pollfd, pollfd.events != 0,
		     pollfd.events ? -1 : RETRY_MS);
	}
}
