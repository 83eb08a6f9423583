/* SPDX-License-Identifier: MIT */
#include "core/perform.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/uring_abi.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	AT_ONCE = 1 << 20,	/* bytes of a file to be read while all wait */
	COPY_A_SWITCH = 1 << 14,	/* bytes copied take as much of the budget as a switch */
	WINDOW = 64,		/* buffers of a part of an array of them */
	RETRY_MS = 5,
};

/* In sqe.user_data, above the bytes that were moved so far. */
#define STARTED (UINT64_C(1) << 32)	/* connect: so; accept: O_NONBLOCK is */
#define BLOCKS (UINT64_C(1) << 33)	/* a file that is not in memory */
#define BLIND (UINT64_C(1) << 34)	/* no readiness will tell */
#define INPUT (UINT64_C(1) << 35)	/* a splice waits for its input */

#define RETRY(call)							\
	({								\
		__typeof__(call) ret_;					\
									\
		do							\
			ret_ = (call);					\
		while (ret_ < 0 && errno == EINTR);			\
		ret_;							\
	})

static void *ptr(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

static int result(ssize_t ret)
{
	return ret < 0 ? -errno : (int)ret;
}

static size_t so_far(const struct op *op)
{
	return op->sqe.user_data & UINT32_MAX;
}

static void remember(struct op *op, uint64_t bits)
{
	op->sqe.user_data |= bits;
}

static bool remembers(const struct op *op, uint64_t bits)
{
	return op->sqe.user_data & bits;
}

/* An error after some bytes is not their error: it will come again. */
static int moved(const struct op *op, ssize_t ret)
{
	size_t done = so_far(op);

	if (!done)
		return result(ret);
	return (int)(ret < 0 ? done : done + (size_t)ret);
}

int coil__perform_cancelled(const struct op *op)
{
	return so_far(op) ? (int)so_far(op) : -ECANCELED;
}

void coil__perform_unpollable(struct op *op)
{
	remember(op, BLOCKS);
}

static bool ready(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return RETRY(poll(&pollfd, 1, 0)) != 0;
}

static bool nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || flags & O_NONBLOCK;
}

/*
 * Whether fd is read from a disk, however long that takes; then its size, too.
 * What lies in /proc is a regular file, but is made up as it is read, and some
 * of it can be waited for.
 */
static bool on_disk(int fd, off_t *size)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st))
		return false;
	*size = S_ISREG(st.st_mode) ? st.st_size : INT64_MAX;
	if (S_ISREG(st.st_mode))
		return fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC;
	return S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode);
}

/*
 * Reading and writing, with and without a position.
 */

static bool is_write(const struct op *op)
{
	return op->sqe.opcode == IORING_OP_WRITE ||
	       op->sqe.opcode == IORING_OP_WRITEV;
}

static bool is_vector(const struct op *op)
{
	return op->sqe.opcode == IORING_OP_READV ||
	       op->sqe.opcode == IORING_OP_WRITEV;
}

/* Of buffers, cut. */
static size_t sum(const struct iovec *iov, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count && len < OP_MOST; i++)
		len += op_cut(iov[i].iov_len);
	return op_cut(len);
}

size_t coil__op_length(const struct op *op)
{
	if (is_vector(op))
		return sum(ptr(op->sqe.addr), op->sqe.len);
	return op_cut(op->sqe.len);
}

/* What comes after the first skip bytes of iov, at most that many bytes. */
static int window(struct iovec *to, const struct iovec *iov, size_t count,
		  size_t skip, size_t most)
{
	int n = 0;

	for (size_t i = 0; i < count && n < WINDOW && most; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > most)
			len = most;
		to[n].iov_base = (char *)iov[i].iov_base + skip;
		to[n++].iov_len = len;
		most -= len;
		skip = 0;
	}
	return n;
}

/* One system call for the rest of op, at most that many bytes of it. */
static ssize_t move(const struct op *op, int flags, size_t most)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	struct iovec one = { ptr(sqe->addr), op_cut(sqe->len) }, some[WINDOW];
	const struct iovec *iov = ptr(sqe->addr);
	int count = (int)sqe->len;
	size_t done = so_far(op);
	off_t at = sqe->off == UINT64_MAX ? -1 : (off_t)(sqe->off + done);

	if (!is_vector(op)) {
		iov = &one;
		count = 1;
	}
	if (done || most < OP_MOST) {
		count = window(some, iov, (size_t)count, done, most);
		iov = some;
	}
	if (is_write(op))
		return RETRY(pwritev2(sqe->fd, iov, count, at, flags));
	return RETRY(preadv2(sqe->fd, iov, count, at, flags));
}

static int leave_to_pool(struct op *op)
{
	remember(op, BLOCKS);
	return -EAGAIN;
}

/* Files that cannot be asked not to block: poll first, then take little. */
static int try_odd(struct op *op)
{
	bool out = is_write(op);
	size_t most = OP_MOST;
	off_t size;

	if (coil__perform_nowait(op))
		return -EOPNOTSUPP;
	if (on_disk(op->sqe.fd, &size)) {
		if (coil__op_length(op) > AT_ONCE || !coil__file_in_memory(op->sqe.fd))
			return leave_to_pool(op);
		return result(move(op, (int)op->sqe.rw_flags, OP_MOST));
	}
	if (!nonblocking(op->sqe.fd)) {
		if (!ready(op->sqe.fd, out ? POLLOUT : POLLIN))
			return -EAGAIN;
		/* A pipe that is ready has room for so much, perhaps no more. */
		if (out)
			most = 4096;
	}
	return result(move(op, (int)op->sqe.rw_flags, most));
}

/* Whether a read, or a write, of a file came short of what it could do. */
static bool cut_short(const struct op *op, ssize_t n)
{
	off_t size, at = (off_t)op->sqe.off + n;

	if ((size_t)n >= coil__op_length(op) || !on_disk(op->sqe.fd, &size))
		return false;
	if (op->sqe.off == UINT64_MAX)
		at = lseek(op->sqe.fd, 0, SEEK_CUR);
	return is_write(op) || at < size;
}

/*
 * Past the cache RWF_NOWAIT waits for the disk all the same.  Such a file takes
 * nothing that is not aligned, so of most others nothing has to be asked.
 */
static bool is_direct(const struct op *op)
{
	uint64_t first = op->sqe.addr;
	int flags;

	if (is_vector(op) && op->sqe.len)
		first = (uintptr_t)((const struct iovec *)ptr(op->sqe.addr))->iov_base;
	if ((first | coil__op_length(op)) % 512)
		return false;
	flags = fcntl(op->sqe.fd, F_GETFL);
	return flags >= 0 && flags & O_DIRECT;
}

static int try_move(struct op *op)
{
	bool nowait = coil__perform_nowait(op);
	off_t size;
	ssize_t n;

	/* What is in memory is had at once, if it is not too much. */
	if (!nowait && (coil__op_length(op) > AT_ONCE || is_direct(op)) &&
	    on_disk(op->sqe.fd, &size))
		return leave_to_pool(op);
	n = move(op, (int)op->sqe.rw_flags | RWF_NOWAIT, OP_MOST);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		return try_odd(op);
	if (n < 0 && errno == EAGAIN && !nowait && on_disk(op->sqe.fd, &size))
		return leave_to_pool(op);
	if (n > 0 && !nowait && cut_short(op, n)) {
		remember(op, (uint64_t)n);
		return leave_to_pool(op);
	}
	return result(n);
}

/*
 * A read of a file that comes short of its end met what is not in memory, and is made
 * anew.  What is no file may have given all that it had: that is the result.
 */
bool coil__perform_cached(struct coil_loop *loop, struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	struct iovec iov = { ptr(sqe->addr), sqe->len };
	ssize_t n;

	if (sqe->opcode != IORING_OP_READ || sqe->off == UINT64_MAX || sqe->rw_flags ||
	    sqe->len > AT_ONCE || !coil__fd_cached(loop, sqe->fd))
		return false;
	n = preadv2(sqe->fd, &iov, 1, (off_t)sqe->off, RWF_NOWAIT);
	if (n < 0 && errno == EOPNOTSUPP && coil__file_in_memory(sqe->fd))
		n = pread(sqe->fd, iov.iov_base, iov.iov_len, (off_t)sqe->off);
	if (!n || (n > 0 && !cut_short(op, n))) {
		op->res = (int)n;
		loop->budget -= (int)(n / COPY_A_SWITCH);
		return true;
	}
	if (n < 0)
		coil__fd_uncached(loop, sqe->fd);
	return false;
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

/* What is left of a message whose first bytes have been moved. */
static struct msghdr *rest_of(struct msghdr *msg, size_t done,
			      struct msghdr *rest, struct iovec *some)
{
	if (!done)
		return msg;
	memset(rest, 0, sizeof(*rest));
	rest->msg_iov = some;
	rest->msg_iovlen = (size_t)window(some, msg->msg_iov, msg->msg_iovlen,
					  done, OP_MOST);
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
		return sum(msg->msg_iov, msg->msg_iovlen);
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
 * MSG_DONTWAIT takes the meaning from MSG_WAITALL, so that is done here.  A
 * datagram to a peer that the socket is not connected to may be refused because
 * that one's queue is full, while the socket has room and polls ready.
 */
static int try_transfer(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	bool all = sqe->msg_flags & MSG_WAITALL && !(sqe->msg_flags & MSG_PEEK);

	for (;;) {
		ssize_t n = transfer(op, so_far(op));

		if (n < 0 && errno == EAGAIN && !coil__perform_nowait(op)) {
			if (sends_to_a_name(op) && ready(sqe->fd, POLLOUT))
				remember(op, BLIND);
			return -EAGAIN;
		}
		if (n <= 0 || !all || !is_stream(sqe->fd) ||
		    so_far(op) + (size_t)n >= transfer_length(op))
			return moved(op, n);
		op->sqe.user_data += (uint64_t)n;
	}
}

/*
 * accept and connect know no flag that would keep them from blocking, so the fd
 * is made O_NONBLOCK; but not one that others are sure to share.
 */
static int make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	if (fd <= STDERR_FILENO)
		return -EBUSY;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

static int try_accept(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;

	if (!remembers(op, STARTED)) {
		int err = make_nonblocking(sqe->fd);

		if (!err)
			remember(op, STARTED);
		else if (err != -EBUSY)
			return err;
		else if (!ready(sqe->fd, POLLIN))
			return -EAGAIN;
	}
	return result(RETRY(accept4(sqe->fd, ptr(sqe->addr), ptr(sqe->addr2),
				    (int)sqe->accept_flags)));
}

static int call_connect(const struct op *op)
{
	return connect(op->sqe.fd, ptr(op->sqe.addr), (socklen_t)op->sqe.off);
}

/* The second call of connect(2) says how the first went. */
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
 * AF_UNIX does not go on in the background: -EAGAIN says that the listener's
 * queue is full, and nothing that could be polled tells when it no longer is.
 */
static int try_connect(struct op *op)
{
	int err;

	if (remembers(op, STARTED))
		return continue_connect(op);
	err = make_nonblocking(op->sqe.fd);
	if (err == -EBUSY)
		return leave_to_pool(op);
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
 * Both ends have to be ready, and SPLICE_F_NONBLOCK is for pipes only: a socket
 * that is not O_NONBLOCK would block for what it has no room for.
 */
static ssize_t splice_ends(const struct op *op, size_t len)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	unsigned flags = sqe->splice_flags | SPLICE_F_NONBLOCK;
	off64_t in = (off64_t)sqe->splice_off_in, out = (off64_t)sqe->off;

	if (sqe->opcode == IORING_OP_TEE)
		return tee(sqe->splice_fd_in, sqe->fd, len, flags);
	return splice(sqe->splice_fd_in, in == -1 ? NULL : &in,
		      sqe->fd, out == -1 ? NULL : &out, len, flags);
}

static int try_splice(struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	size_t len = op_cut(sqe->len);
	off_t size;
	ssize_t n;

	op->sqe.user_data &= ~INPUT;
	if (!ready(sqe->splice_fd_in, POLLIN)) {
		remember(op, INPUT);
		return -EAGAIN;
	}
	if (!ready(sqe->fd, POLLOUT))
		return -EAGAIN;
	if (on_disk(sqe->splice_fd_in, &size) || on_disk(sqe->fd, &size))
		return leave_to_pool(op);
	if (len > 4096 && !nonblocking(sqe->fd))
		len = 4096;
	n = RETRY(splice_ends(op, len));
	if (n < 0 && errno == EAGAIN)
		remember(op, BLIND);
	return result(n);
}

/*
 * Calls that do not wait for anybody, though a disk may be slow.
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

static int call(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_NOP:
		return 0;
	case IORING_OP_SHUTDOWN:
		return result(shutdown(sqe->fd, (int)sqe->len));
	case IORING_OP_SOCKET:
		return result(socket(sqe->fd, (int)sqe->off, (int)sqe->len));
	case IORING_OP_CLOSE:
		/* Whatever it says, the fd is gone. */
		return close(sqe->fd) && errno != EINTR ? -errno : 0;
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

/* close(2) waits for a socket that lingers, and for what a file was told. */
static bool close_blocks(int fd)
{
	struct linger linger;
	socklen_t len = sizeof(linger);
	off_t size;

	if (!getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len))
		return linger.l_onoff && linger.l_linger;
	return on_disk(fd, &size);
}

enum perform_class coil__perform_class(const struct op *op)
{
	if (remembers(op, BLOCKS))
		return PERFORM_POOL;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_ACCEPT:
	case IORING_OP_POLL_ADD:
		return PERFORM_READY_IN;
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_CONNECT:
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return PERFORM_READY_OUT;
	case IORING_OP_NOP:
	case IORING_OP_SHUTDOWN:
	case IORING_OP_SOCKET:
		return PERFORM_NOW;
	case IORING_OP_CLOSE:
		return close_blocks(op->sqe.fd) ? PERFORM_POOL : PERFORM_NOW;
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
		return PERFORM_POOL;
	default:
		return PERFORM_UNKNOWN;
	}
}

int coil__perform_fd(const struct op *op)
{
	return remembers(op, INPUT) ? op->sqe.splice_fd_in : op->sqe.fd;
}

short coil__perform_events(const struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	bool receives = sqe->opcode == IORING_OP_RECV ||
			sqe->opcode == IORING_OP_RECVMSG;

	if (remembers(op, BLIND))
		return 0;
	if (sqe->opcode == IORING_OP_POLL_ADD)
		return poll_events(op);
	if (receives && sqe->msg_flags & MSG_ERRQUEUE)
		return POLLERR;
	if (receives && sqe->msg_flags & MSG_OOB)
		return POLLPRI;
	if (remembers(op, INPUT) || coil__perform_class(op) == PERFORM_READY_IN)
		return POLLIN;
	return POLLOUT;
}

bool coil__perform_nowait(const struct op *op)
{
	/* SPLICE_F_NONBLOCK is about pipes: a file may take its time. */
	if (remembers(op, BLOCKS))
		return false;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return op->sqe.rw_flags & RWF_NOWAIT;
	case IORING_OP_RECV:
	case IORING_OP_SEND:
	case IORING_OP_RECVMSG:
	case IORING_OP_SENDMSG:
		return op->sqe.msg_flags & MSG_DONTWAIT;
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return op->sqe.splice_flags & SPLICE_F_NONBLOCK;
	default:
		return false;
	}
}

int coil__perform_try(struct op *op)
{
	op->sqe.user_data &= ~BLIND;
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return try_move(op);
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
	case IORING_OP_TEE:
		return try_splice(op);
	default:
		return call(&op->sqe);
	}
}

/* An end of a splice may not be ready any more: back to the loop. */
static int block_splice(struct op *op)
{
	int n = result(RETRY(splice_ends(op, op_cut(op->sqe.len))));

	if (n == -EAGAIN && !(op->sqe.splice_flags & SPLICE_F_NONBLOCK))
		op->sqe.user_data &= ~BLOCKS;
	return n;
}

static int block(struct op *op)
{
	switch (op->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return moved(op, move(op, (int)op->sqe.rw_flags, OP_MOST));
	case IORING_OP_CONNECT:
		return result(call_connect(op));
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return block_splice(op);
	default:
		return call(&op->sqe);
	}
}

int coil__perform_block(struct op *op)
{
	struct pollfd pollfd;
	int res;

	for (;;) {
		if (coil__perform_class(op) == PERFORM_POOL)
			return block(op);
		res = coil__perform_try(op);
		if (res != -EAGAIN || coil__perform_nowait(op))
			return res;
		pollfd.fd = coil__perform_fd(op);
		pollfd.events = coil__perform_events(op);
		poll(&pollfd, pollfd.events != 0,
		     pollfd.events ? -1 : RETRY_MS);
	}
}
