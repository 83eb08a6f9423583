/* SPDX-License-Identifier: MIT */
#include <coil/socket.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "io/wait.h"
#include <coil/task.h>
#include <errno.h>

/* The caller has to state the size of an address that is filled in. */
static int check_room(const struct sockaddr *addr, const socklen_t *addrlen)
{
	if (!addr)
		return 0;
	if (!addrlen)
		return -EFAULT;
	return (int)*addrlen < 0 ? -EINVAL : 0;
}

int coil_socket(int domain, int type, int protocol)
{
	int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	coil__fd_made(coil__loop, fd);
	return fd;
}

int coil_accept(int fd, struct sockaddr *addr, socklen_t *addrlen)
{
	struct op op = {0};
	int err = fd < 0 ? -EBADF : check_room(addr, addrlen), made;

	if (err)
		return err;
	io_uring_prep_accept(&op.sqe, fd, addr, addr ? addrlen : NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	made = (int)coil__op_run(&op);
	if (made >= 0)
		coil__fd_made(coil__loop, made);
	return made;
}

/*
 * An earlier call began the attempt, and a cancellation ended that call.  This
 * call waits for the attempt's result.
 */
static int finish_connect(int fd, const struct close_guard *guard)
{
	socklen_t len = sizeof(int);
	int error, ready;

	if (guard->closed)
		return -ECANCELED;
	ready = coil__poll_fd(fd, POLLOUT);
	if (ready < 0 || guard->closed)
		return ready < 0 ? ready : -ECANCELED;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	return -error;
}

int coil_connect(int fd, const struct sockaddr *addr, socklen_t addrlen)
{
	struct op op = {0};
	struct close_guard guard;
	int err = check_buffer(fd, addr, 1);

	if (err)
		return err;
	io_uring_prep_connect(&op.sqe, fd, addr, addrlen);
	coil__close_guard_begin(&guard, fd);
	err = (int)coil__op_run(&op);
	if (err == -EALREADY || err == -EINPROGRESS)
		err = finish_connect(fd, &guard);
	coil__close_guard_end(&guard);
	return err;
}

ssize_t coil_recv(int fd, void *buf, size_t len, int flags)
{
	struct op op = {0};
	int err = check_buffer(fd, buf, len);

	if (err)
		return err;
	io_uring_prep_recv(&op.sqe, fd, buf, op_cut(len), flags);
	return coil__op_run(&op);
}

ssize_t coil_send(int fd, const void *buf, size_t len, int flags)
{
	struct op op = {0};
	int err = check_buffer(fd, buf, len);

	if (err)
		return err;
	io_uring_prep_send(&op.sqe, fd, buf, op_cut(len), flags | MSG_NOSIGNAL);
	return coil__op_run(&op);
}

ssize_t coil_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct op op = {0};
	int err = check_buffer(fd, msg, 1);

	if (err)
		return err;
	io_uring_prep_recvmsg(&op.sqe, fd, msg,
			      (unsigned)flags | MSG_CMSG_CLOEXEC);
	return coil__op_run(&op);
}

ssize_t coil_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct op op = {0};
	int err = check_buffer(fd, msg, 1);

	if (err)
		return err;
	io_uring_prep_sendmsg(&op.sqe, fd, msg, (unsigned)flags | MSG_NOSIGNAL);
	return coil__op_run(&op);
}

ssize_t coil_recvfrom(int fd, void *buf, size_t len, int flags,
		      struct sockaddr *addr, socklen_t *addrlen)
{
	struct iovec iov = { .iov_base = buf, .iov_len = op_cut(len) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int err = check_buffer(fd, buf, len);
	ssize_t n;

	if (!err)
		err = check_room(addr, addrlen);
	if (err)
		return err;
	msg.msg_name = addr;
	msg.msg_namelen = addr ? *addrlen : 0;
	n = coil_recvmsg(fd, &msg, flags);
	if (n >= 0 && addr)
		*addrlen = msg.msg_namelen;
	return n;
}

ssize_t coil_sendto(int fd, const void *buf, size_t len, int flags,
		    const struct sockaddr *addr, socklen_t addrlen)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = op_cut(len) };
	struct msghdr msg = {
		.msg_name = (void *)addr,
		.msg_namelen = addr ? addrlen : 0,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	int err = check_buffer(fd, buf, len);

	return err ? err : coil_sendmsg(fd, &msg, flags);
}

/*
 * If an error follows some messages, recvmmsg(2) keeps it for the next call.
 * Two system calls, one for the first message and one for the rest, would lose
 * it.  So the operation is a single recvmmsg(2), tried until a message is
 * there.
 */
int coil_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	struct op op = { .what = "recvmmsg" };
	int got = check_buffer(fd, msgs, n);

	if (got)
		return got;
	op.sqe.opcode = OP_RECVMMSG;
	op.sqe.fd = fd;
	op.sqe.addr = (uintptr_t)msgs;
	op.sqe.len = n;
	op.sqe.msg_flags = (unsigned)flags | MSG_CMSG_CLOEXEC;
	got = (int)coil__op_run(&op);
	if (got >= 0)
		coil__let_others_run();
	return got;
}

/*
 * If the first message does not fit, an operation of its own sends it.  A poll
 * would not do: a unix datagram socket polls as writable even if the receiver's
 * queue is full.
 */
int coil_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	int sent = check_buffer(fd, msgs, n);
	ssize_t len;

	if (!sent)
		sent = coil__enter();
	if (sent)
		return sent;
	flags |= MSG_NOSIGNAL;
	sent = sendmmsg(fd, msgs, n, flags | MSG_DONTWAIT);
	if (sent >= 0) {
		coil__let_others_run();
		return sent;
	}
	if (errno != EINTR && (errno != EAGAIN || flags & MSG_DONTWAIT))
		return -errno;
	len = coil_sendmsg(fd, &msgs->msg_hdr, flags);
	if (len < 0)
		return (int)len;
	msgs->msg_len = (unsigned)len;
	return 1;
}

static ssize_t socket_send_some(int fd, void *buf, size_t len, int flags)
{
	return coil_send(fd, buf, len, flags);
}

ssize_t coil_send_all(int fd, const void *buf, size_t len, int flags,
		      size_t *done)
{
	return coil__move_all(socket_send_some, fd, (void *)buf, len, flags, done);
}

ssize_t coil_recv_all(int fd, void *buf, size_t len, int flags, size_t *done)
{
	return coil__move_all(coil_recv, fd, buf, len, flags, done);
}

int coil_shutdown(int fd, int how)
{
	return shutdown(fd, how) ? -errno : 0;
}
