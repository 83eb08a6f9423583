/* SPDX-License-Identifier: MIT */
#ifndef COIL_UNIX_H
#define COIL_UNIX_H

/*
 * Calls that only Unix sockets have: they pass fds to another process, and
 * identify the peer.  The rules of <coil/socket.h> on errors, cancellation, fds
 * and buffers apply.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ucred;

enum { COIL_FDS_MAX = 253 };	/* fds in a message: the kernel's maximum */

/*
 * Sends bytes and, with the first of them, n fds.  The fds stay open, and the
 * caller still owns them.  Parks until something fits.  Returns the number of
 * bytes, which may be less than len; all fds have been sent then.  On an error
 * nothing was sent:
 *	-EINVAL: n is above COIL_FDS_MAX, or len is 0 and n is not
 *	-EBADF: one of the fds is not open
 *	-ETOOMANYREFS: too many fds are in transit
 */
COIL_MUST_CHECK ssize_t coil_send_fds(int fd, const void *buf, size_t len,
				      const int fds[], size_t n);

/*
 * Receives bytes and the fds that came with them, and parks until there is
 * something.  On entry *n is the number of fds for which fds has room; on
 * return it is the number that came.  The fds are O_CLOEXEC, and the caller
 * owns them.  A cancellation that arrives after the message does not lose it:
 * the call returns the bytes and fds.
 *
 * Returns the number of bytes, 0 at the end of a stream, or an error.  On
 * -EMSGSIZE and -EMFILE all fds that came are closed, *n is 0, and the bytes
 * are lost:
 *	-EMSGSIZE: more fds came than there is room for
 *	-EMFILE: the process may not have so many fds
 *	-EINVAL: len is 0
 */
COIL_MUST_CHECK ssize_t coil_recv_fds(int fd, void *buf, size_t len, int fds[],
				      size_t *n);

/*
 * Gets the credentials of the peer at the time when it connected, listened or
 * made the pair.  Does not park.  Works on every thread.  Returns 0 and sets
 * *peer, a struct ucred of <sys/socket.h>, or returns an error:
 *	-ENOTCONN: there is no peer
 *	-EOPNOTSUPP: fd is no Unix socket
 */
int coil_peer_credentials(int fd, struct ucred *peer);

/*
 * Returns a pidfd of the same process, which is O_CLOEXEC and which the caller
 * owns.  A pidfd never refers to a later process with the same number.  Does
 * not park.  Works on every thread.  Returns -ENOPROTOOPT if the kernel does
 * not support it, or an error of coil_peer_credentials().
 */
COIL_MUST_CHECK int coil_peer_pidfd(int fd);

#ifdef __cplusplus
}
#endif
#endif
