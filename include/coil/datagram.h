/* SPDX-License-Identifier: MIT */
#ifndef COIL_DATAGRAM_H
#define COIL_DATAGRAM_H

/*
 * Sends and receives many datagrams of one size with one buffer and one call.
 * Uses segmentation and receive offload of UDP (GSO, UDP_SEGMENT; GRO, UDP_GRO)
 * where the kernel and the way to the peer support them.  For datagrams of
 * various sizes and peers use coil_recvmmsg() and coil_sendmmsg().
 *
 * The rules of <coil/socket.h> on errors, cancellation, fds and buffers apply.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct msghdr;

/*
 * Sends the one buffer of msg as datagrams of segment_size bytes each; the last
 * may be shorter.  They go to msg's address or to the socket's peer, each with
 * msg's control data.  If the kernel refuses to segment, the call sends them
 * one by one.  Parks when nothing fits.
 *
 * Returns the number of bytes sent; 0 for an empty buffer.  It is less than the
 * buffer's length only if an error or a cancellation came after some datagrams.
 * Then it counts whole datagrams, and the next call returns the error.  On an
 * error nothing was sent:
 *	-EINVAL: segment_size is 0 or above 65535, msg_iovlen is not 1, or msg has
 *		more than 256 bytes of control data
 *	-EMSGSIZE: the datagrams are too large
 *	-EOPNOTSUPP: fd is a stream socket
 */
COIL_MUST_CHECK ssize_t coil_send_segments(int fd, const struct msghdr *msg,
					   size_t segment_size, int flags);

/*
 * Receives as coil_recvmsg() does, one datagram or several of one size that the
 * kernel has combined.  Sets *segment_size to the size of each; the last may be
 * shorter.
 *
 * The kernel combines datagrams only if UDP_GRO is set with setsockopt(2) at
 * level IPPROTO_UDP.  The buffer should have 65535 bytes then.  If msg has no
 * room for control data, the control data is dropped and fds in it are closed.
 */
COIL_MUST_CHECK ssize_t coil_recv_segments(int fd, struct msghdr *msg,
					   size_t *segment_size, int flags);

#ifdef __cplusplus
}
#endif
#endif
