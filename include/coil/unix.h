/* SPDX-License-Identifier: MIT */
#ifndef COIL_UNIX_H
#define COIL_UNIX_H

/*
 * What only unix sockets can do: pass fds to another process, and say who is at
 * the other end.  What <coil/socket.h> says of errors, requests and buffers
 * holds here.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ucred;

enum { COIL_FDS_MOST = 253 };	/* fds in a message: the kernel's limit */

/*
 * Sends bytes, and with the first of them the n fds, which stay open and the
 * caller's.  Parks until something fits.  The count of bytes, which may be
 * short (the fds have gone all the same), or a negative errno and nothing was
 * sent: -EINVAL for more than COIL_FDS_MOST fds, or for fds without a byte to
 * go with; -EBADF if one of them is not open; -ETOOMANYREFS when too many are
 * on their way.
 */
COIL_MUST_CHECK ssize_t coil_send_fds(int fd, const void *buf, size_t len,
				      const int fds[], size_t n);

/*
 * Receives bytes and the fds that came with them, parking until there is
 * something.  *n is how many fds there is room for, and then how many there
 * are; they are the caller's and O_CLOEXEC.  The count of bytes, 0 at the end
 * of a stream, or a negative errno.  -EMSGSIZE when there are more fds than
 * room, -EMFILE when the process may not have as many: then all that came are
 * closed, *n is 0, and the bytes are lost.  len must not be 0 (-EINVAL).
 *
 * A request that comes too late takes nothing back: bytes and fds are returned.
 */
COIL_MUST_CHECK ssize_t coil_recv_fds(int fd, void *buf, size_t len, int fds[],
				      size_t *n);

/*
 * Who was at the other end when it connected, listened or made the pair: 0 and
 * *peer, a struct ucred of <sys/socket.h>.  -ENOTCONN without a peer,
 * -EOPNOTSUPP if fd is no unix socket.  Never parks; works on every thread.
 */
int coil_peer_credentials(int fd, struct ucred *peer);

/*
 * The same process as a pidfd, O_CLOEXEC and the caller's: it never means
 * another process that was given the number later.  -ENOPROTOOPT where the
 * kernel has none.
 */
COIL_MUST_CHECK int coil_peer_pidfd(int fd);

#ifdef __cplusplus
}
#endif
#endif
