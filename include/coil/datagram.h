/* SPDX-License-Identifier: MIT */
#ifndef COIL_DATAGRAM_H
#define COIL_DATAGRAM_H

/*
 * Many datagrams of one size in one buffer and one call: segmentation and
 * receive offload of UDP (GSO, UDP_SEGMENT; GRO, UDP_GRO), where the kernel and
 * the way to the peer have them.  For datagrams of various sizes and peers there
 * are coil_recvmmsg() and coil_sendmmsg().
 *
 * What <coil/socket.h> says of errors, requests and buffers holds here.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct msghdr;

/*
 * Sends the one buffer of msg as datagrams of segment_size bytes each, of which
 * the last may be shorter, to msg's address or the socket's peer; every one has
 * msg's control data.  Where the kernel refuses to segment they are sent one by
 * one.  Parks whenever nothing fits.
 *
 * The count of bytes that were sent, all of them unless an error or a request
 * came after some: then it is whole datagrams, and the error or request shows
 * at the next call.  A negative errno if nothing was sent: -EINVAL for a
 * segment_size of 0 or above 65535, for a msg_iovlen other than 1 and for more
 * than 256 bytes of control data; -EMSGSIZE for datagrams that are too large;
 * -EOPNOTSUPP for a stream socket.  0 for no bytes: nothing is sent.
 */
COIL_MUST_CHECK ssize_t coil_send_segments(int fd, const struct msghdr *msg,
					   size_t segment_size, int flags);

/*
 * As coil_recvmsg(), of one datagram or of several of one size that the kernel
 * has put together: *segment_size is the size of each, of which the last may be
 * shorter.  The kernel does so only where setsockopt(2) was told, IPPROTO_UDP
 * and UDP_GRO; the buffer should have 65535 bytes then.  msg may have control
 * data or none, and then what comes of it is dropped.
 */
COIL_MUST_CHECK ssize_t coil_recv_segments(int fd, struct msghdr *msg,
					   size_t *segment_size, int flags);

#ifdef __cplusplus
}
#endif
#endif
