/* SPDX-License-Identifier: MIT */
#ifndef COIL_UNIX_H
#define COIL_UNIX_H

/*
 * Calls that only unix sockets have: they pass fds to another process, and
 * identify the peer.  The rules of <coil/socket.h> on errors, cancels, fds and
 * buffers apply.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ucred;

enum { COIL_FDS_MOST = 253 };	/* fds in a message: the kernel's maximum */

/*
 * Sends bytes and, with the first of them, n fds.  The fds stay open, and the
 * caller still owns them.  Parks until something fits.
 *
 * Returns the number of bytes, or a negative errno if nothing was sent.  The
 * number may be less than len; all fds have been sent then.  Returns -EINVAL
 * for more than COIL_FDS_MAX fds, or for fds without a byte; -EBADF if one of
 * them is not open; -ETOOMANYREFS if too many fds are in transit.
 */
COIL_MUST_CHECK ssize_t coil_send_fds(int fd, const void *buf, size_t len,
				      const int fds[], size_t n);

/*
 * Receives bytes and the fds that came with them, and parks until there is
 * something.  On entry *n is the number of fds for which fds has room; on
 * return it is the number that came.  The fds are O_CLOEXEC, and the caller
 * owns them.  len must not be 0 (-EINVAL).
 *
 * Returns the number of bytes, 0 at the end of a stream, or a negative errno.
 * Returns -EMSGSIZE if more fds came than there is room for, and -EMFILE if the
 * process may not have so many.  Then all fds that came are closed, *n is 0,
 * and the bytes are lost.
 *
 * A cancel that arrives after the message does not lose it: the call returns
 * the bytes and fds.
 */
COIL_MUST_CHECK ssize_t coil_recv_fds(int fd, void *buf, size_t len, int fds[],
				      size_t *n);

/*
 * Gets the credentials of the peer at the time when it connected, listened or
 * made the pair.  Returns 0 and sets *peer, a struct ucred of <sys/socket.h>,
 * or returns a negative errno: -ENOTCONN without a peer, -EOPNOTSUPP if fd is
 * no unix socket.  Does not park.  Works on every thread.
 */
int coil_peer_credentials(int fd, struct ucred *peer);

/*
 * Returns a pidfd of the same process, O_CLOEXEC, that the caller owns.  A
 * pidfd never refers to a later process with the same number.  Returns
 * -ENOPROTOOPT where the kernel does not support it, and the errors of
 * coil_peer_credentials().  Does not park.  Works on every thread.
 */
COIL_MUST_CHECK int coil_peer_pidfd(int fd);

#ifdef __cplusplus
}
#endif
#endif
