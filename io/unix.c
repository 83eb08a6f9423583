/* SPDX-License-Identifier: MIT */
#include <coil/unix.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "io/close.h"
#include "io/control.h"
#include <coil/socket.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Room for the maximum of fds, and for what the socket's options may add. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(COIL_FDS_MAX * sizeof(int)) + 512];
};

static bool brings_fds(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == SOL_SOCKET &&
	       (cmsg->cmsg_type == SCM_RIGHTS || cmsg->cmsg_type == SCM_PIDFD);
}

static size_t count_fds(const struct cmsghdr *cmsg)
{
	return (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static int nth_fd(const struct cmsghdr *cmsg, size_t n)
{
	int fd;

	memcpy(&fd, CMSG_DATA(cmsg) + n * sizeof(fd), sizeof(fd));
	return fd;
}

/* CMSG_NXTHDR() lacks const. */
static struct cmsghdr *next(const struct msghdr *msg, struct cmsghdr *cmsg)
{
	return cmsg ? CMSG_NXTHDR((struct msghdr *)msg, cmsg) :
		      CMSG_FIRSTHDR(msg);
}

size_t coil__control_fds(const struct msghdr *msg, int fds[], size_t room)
{
	struct cmsghdr *cmsg = NULL;
	size_t n = 0;

	while ((cmsg = next(msg, cmsg))) {
		if (!brings_fds(cmsg) || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count_fds(cmsg); i++, n++) {
			if (n < room)
				fds[n] = nth_fd(cmsg, i);
		}
	}
	return n;
}

/*
 * If the kernel has no pidfd to pass, SCM_PIDFD holds a negative number;
 * closing that does nothing.
 */
void coil__control_close(const struct msghdr *msg)
{
	struct cmsghdr *cmsg = NULL;

	while ((cmsg = next(msg, cmsg))) {
		if (!brings_fds(cmsg))
			continue;
		for (size_t i = 0; i < count_fds(cmsg); i++)
			coil__close_unwanted(nth_fd(cmsg, i));
	}
}

static void pack(struct msghdr *msg, const int fds[], size_t n)
{
	struct cmsghdr *cmsg = msg->msg_control;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(*fds));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(*fds));
	msg->msg_controllen = CMSG_SPACE(n * sizeof(*fds));
}

ssize_t coil_send_fds(int fd, const void *buf, size_t len, const int fds[],
		      size_t n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;

	if (fd < 0)
		return -EBADF;
	if ((!buf && len) || (!fds && n))
		return -EFAULT;
	if (n > COIL_FDS_MAX || (n && !len))
		return -EINVAL;
	if (n) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		pack(&msg, fds, n);
	}
	return coil_sendmsg(fd, &msg, 0);
}

/* With SO_PASSPIDFD the socket adds a pidfd, which the caller did not ask for. */
static void close_others(const struct msghdr *msg)
{
	struct cmsghdr *cmsg = NULL;

	while ((cmsg = next(msg, cmsg))) {
		if (brings_fds(cmsg) && cmsg->cmsg_type == SCM_PIDFD)
			coil__close_unwanted(nth_fd(cmsg, 0));
	}
}

ssize_t coil_recv_fds(int fd, void *buf, size_t len, int fds[], size_t *n)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	size_t room, count;
	ssize_t got;

	if (fd < 0)
		return -EBADF;
	if (!buf || !n || (!fds && *n))
		return -EFAULT;
	if (!len)
		return -EINVAL;
	room = *n;
	*n = 0;
	got = coil_recvmsg(fd, &msg, 0);
	if (got < 0)
		return got;
	count = coil__control_fds(&msg, fds, room);
	if (count > room || msg.msg_flags & MSG_CTRUNC) {
		coil__control_close(&msg);
		return count > room ? -EMSGSIZE : -EMFILE;
	}
	close_others(&msg);
	for (size_t i = 0; i < count; i++)
		coil__fd_made(coil__loop, fds[i]);
	*n = count;
	return got;
}

static int check_unix(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return -errno;
	return domain == AF_UNIX ? 0 : -EOPNOTSUPP;
}

int coil_peer_credentials(int fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	int err = check_unix(fd);

	if (err)
		return err;
	if (!peer)
		return -EFAULT;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len))
		return -errno;
	return peer->uid == (uid_t)-1 ? -ENOTCONN : 0;
}

int coil_peer_pidfd(int fd)
{
	int pidfd, err = check_unix(fd);
	socklen_t len = sizeof(pidfd);

	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return errno == ENODATA ? -ENOTCONN : -errno;
	coil__fd_made(coil__loop, pidfd);
	return pidfd;
}
