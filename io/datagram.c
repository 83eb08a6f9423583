/* SPDX-License-Identifier: MIT */
#include <coil/datagram.h>
#include "io/control.h"
#include "io/wait.h"
#include <coil/socket.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	SEGMENTS = 64,		/* the maximum that every kernel with GSO takes */
	PAYLOAD = 65507,	/* bytes of one packet over IPv4 */
	BATCH = 16,		/* messages of one sendmmsg(2) */
	CONTROL = 256,		/* bytes of control data that a caller may add */
};

/* A send in progress. */
struct sending {
	const struct msghdr *msg;
	const char *bytes;
	size_t len;
	size_t sent;
	size_t segment;
	int fd;
	int flags;
};

/*
 * A kernel without GSO ignores UDP_SEGMENT in control data and sends all
 * segments as one packet.  So the socket option is tried first.  Returns 1, 0,
 * or a negative errno.
 */
static int has_gso(int fd)
{
	int value;
	socklen_t len = sizeof(value);

	if (!getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len))
		return 1;
	len = sizeof(value);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len))
		return -errno;
	return value == SOCK_STREAM ? -EOPNOTSUPP : 0;
}

/* The errors of a kernel, or of a route to the peer, that lacks GSO. */
static bool refused(ssize_t err)
{
	return err == -EINVAL || err == -EIO || err == -EMSGSIZE ||
	       err == -EOPNOTSUPP;
}

static size_t left(const struct sending *sending)
{
	return sending->len - sending->sent;
}

/* Copies the caller's control data to room and adds UDP_SEGMENT behind it. */
static void add_gso(struct msghdr *msg, void *room, uint16_t segment)
{
	size_t len = CMSG_ALIGN(msg->msg_controllen);
	struct cmsghdr *cmsg = (void *)((char *)room + len);

	if (msg->msg_controllen)
		memcpy(room, msg->msg_control, msg->msg_controllen);
	cmsg->cmsg_level = IPPROTO_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(cmsg), &segment, sizeof(segment));
	msg->msg_control = room;
	msg->msg_controllen = len + CMSG_SPACE(sizeof(segment));
}

/* Sends as many segments as fit into one packet, which the kernel splits. */
static ssize_t send_packet(const struct sending *sending)
{
	union {
		struct cmsghdr align;
		char bytes[CONTROL + CMSG_SPACE(sizeof(uint16_t))];
	} control = {0};
	size_t most = PAYLOAD / sending->segment;
	struct msghdr msg = *sending->msg;
	struct iovec iov = {
		.iov_base = (char *)sending->bytes + sending->sent,
		.iov_len = left(sending),
	};

	if (most > SEGMENTS)
		most = SEGMENTS;
	if (iov.iov_len > most * sending->segment)
		iov.iov_len = most * sending->segment;
	msg.msg_iov = &iov;
	add_gso(&msg, &control, (uint16_t)sending->segment);
	return coil_sendmsg(sending->fd, &msg, sending->flags);
}

static ssize_t send_singly(const struct sending *sending)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iovs[BATCH];
	size_t at = sending->sent;
	ssize_t bytes = 0;
	unsigned n = 0;
	int sent;

	for (; n < BATCH && at < sending->len; n++) {
		size_t len = sending->len - at;

		if (len > sending->segment)
			len = sending->segment;
		iovs[n].iov_base = (char *)sending->bytes + at;
		iovs[n].iov_len = len;
		msgs[n].msg_hdr = *sending->msg;
		msgs[n].msg_hdr.msg_iov = &iovs[n];
		at += len;
	}
	sent = coil_sendmmsg(sending->fd, msgs, n, sending->flags);
	for (int i = 0; i < sent; i++)
		bytes += msgs[i].msg_len;
	return sent < 0 ? sent : bytes;
}

static ssize_t datagram_send_some(const struct sending *sending, bool *gso)
{
	ssize_t n = -EINVAL;

	if (*gso && PAYLOAD / sending->segment)
		n = send_packet(sending);
	if (!*gso || refused(n)) {
		*gso = false;
		n = send_singly(sending);
	}
	return n;
}

static int datagram_check(int fd, const struct msghdr *msg, size_t segment_size)
{
	if (fd < 0)
		return -EBADF;
	if (!msg)
		return -EFAULT;
	if (!segment_size || segment_size > UINT16_MAX)
		return -EINVAL;
	if (msg->msg_iovlen != 1 || msg->msg_controllen > CONTROL)
		return -EINVAL;
	if (!msg->msg_iov || (!msg->msg_control && msg->msg_controllen) ||
	    (!msg->msg_iov->iov_base && msg->msg_iov->iov_len))
		return -EFAULT;
	return 0;
}

ssize_t coil_send_segments(int fd, const struct msghdr *msg,
			   size_t segment_size, int flags)
{
	struct sending sending = {
		.msg = msg, .segment = segment_size, .fd = fd, .flags = flags,
	};
	struct close_guard guard;
	ssize_t n = datagram_check(fd, msg, segment_size);
	bool gso;

	if (!n)
		n = coil__enter();
	if (!n)
		n = has_gso(fd);
	if (n < 0)
		return n;
	gso = n > 0;
	sending.bytes = msg->msg_iov->iov_base;
	sending.len = msg->msg_iov->iov_len;
	coil__close_guard_begin(&guard, fd);
	for (n = 0; n >= 0 && left(&sending); ) {
		n = guard.closed ? -ECANCELED : datagram_send_some(&sending, &gso);
		if (n > 0)
			sending.sent += (size_t)n;
	}
	coil__close_guard_end(&guard);
	return sending.sent ? (ssize_t)sending.sent : n < 0 ? n : 0;
}

/* Returns the size of the segments that the kernel joined; 0: it joined none. */
static size_t find_gro(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int size;

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != IPPROTO_UDP ||
		    cmsg->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		return (size_t)size;
	}
	return 0;
}

ssize_t coil_recv_segments(int fd, struct msghdr *msg, size_t *segment_size,
			   int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CONTROL];
	} control;
	struct msghdr own;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	if (!msg || !segment_size)
		return -EFAULT;
	own = *msg;
	if (!msg->msg_control) {
		own.msg_control = &control;
		own.msg_controllen = sizeof(control);
	}
	n = coil_recvmsg(fd, &own, flags);
	if (n < 0)
		return n;
	*segment_size = find_gro(&own);
	if (!*segment_size)
		*segment_size = (size_t)n;
	if (!msg->msg_control) {
		coil__control_close(&own);
		own.msg_control = NULL;
		own.msg_controllen = 0;
	}
	*msg = own;
	return n;
}
