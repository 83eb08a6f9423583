/* SPDX-License-Identifier: MIT */
#ifndef COIL_SOCKET_H
#define COIL_SOCKET_H

/*
 * The socket calls of POSIX, with their names and arguments, for tasks: where
 * one would block, the task parks and the others run.
 *
 * A call returns its result or a negative errno, and -EPERM outside a task.  A
 * request that is pending at entry wins: -ECANCELED or -ETIMEDOUT, and nothing
 * was done.  One that arrives later ends the call the same way, unless it had
 * completed: then the result stands and the request shows at the next parking
 * call.  So no byte and no fd is lost by a cancel.  Buffers are the kernel's
 * until the call returns and not a moment longer.  When another task closes the
 * fd with coil_close() the call returns -ECANCELED.
 *
 * The fd may be blocking or not; an fd belongs to one loop.  One task may read
 * while another writes.  Lengths above 0x7ffff000 bytes are cut to that.  Flags
 * are the system call's: with MSG_DONTWAIT a call never waits (-EAGAIN).  No
 * call raises SIGPIPE.
 */

#include <coil/cdefs.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mmsghdr;

/*
 * socket(2) with SOCK_NONBLOCK and SOCK_CLOEXEC: the fd or a negative errno.
 * Never parks; works on every thread.
 */
COIL_MUST_CHECK int coil_socket(int domain, int type, int protocol);

/*
 * The next connection, as an fd of the caller's that is O_NONBLOCK and
 * O_CLOEXEC; parks until there is one.  addr may be NULL; else *addrlen holds
 * its size and is set to what the address took.  -EINVAL when fd does not
 * listen, -EMFILE or -ENFILE when no fd is to be had (the connection stays
 * queued).  May set O_NONBLOCK on a listening socket that was blocking.
 */
COIL_MUST_CHECK int coil_accept(int fd, struct sockaddr *addr,
				socklen_t *addrlen);

/*
 * Connects, or for a datagram socket sets the peer; parks until it is done.  0,
 * -ECONNREFUSED and what connect(2) has.  After -ECANCELED or -ETIMEDOUT the
 * attempt may go on in the kernel: close the socket, or call again to wait for
 * it.  May set O_NONBLOCK on a socket that was blocking.
 */
COIL_MUST_CHECK int coil_connect(int fd, const struct sockaddr *addr,
				 socklen_t addrlen);

/*
 * What recv(2) and send(2) and their kin return: a count of bytes, 0 at the end
 * of a stream, or a negative errno (-EPIPE, -ECONNRESET, -ENOTCONN ...).  May
 * be short.  recv parks until there is something, send until something fits.
 */
COIL_MUST_CHECK ssize_t coil_recv(int fd, void *buf, size_t len, int flags);
COIL_MUST_CHECK ssize_t coil_send(int fd, const void *buf, size_t len,
				  int flags);

/* The same with an address, or NULL; *addrlen as for coil_accept(). */
COIL_MUST_CHECK ssize_t coil_recvfrom(int fd, void *buf, size_t len, int flags,
				      struct sockaddr *addr,
				      socklen_t *addrlen);
COIL_MUST_CHECK ssize_t coil_sendto(int fd, const void *buf, size_t len,
				    int flags, const struct sockaddr *addr,
				    socklen_t addrlen);

/* The same with vectors and control data.  Fds received are O_CLOEXEC. */
COIL_MUST_CHECK ssize_t coil_recvmsg(int fd, struct msghdr *msg, int flags);
COIL_MUST_CHECK ssize_t coil_sendmsg(int fd, const struct msghdr *msg,
				     int flags);

/*
 * Several messages at once: how many were received or sent, at least one; the
 * call parks for the first and never for another.  0 for n 0.  An error after
 * the first message shows at the next call, or as recvmmsg(2) and sendmmsg(2)
 * have it.
 */
COIL_MUST_CHECK int coil_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n,
				  int flags);
COIL_MUST_CHECK int coil_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n,
				  int flags);

/*
 * Sends all of len, parking as often as it takes.  Returns len, or a negative
 * errno; *done, unless done is NULL, holds the count that was sent on every
 * return, so that after a cancel one can go on from there.
 */
COIL_MUST_CHECK ssize_t coil_send_all(int fd, const void *buf, size_t len,
				      int flags, size_t *done);

/*
 * Receives len bytes, fewer only at the end of the stream.  Returns the count,
 * or a negative errno; *done as for coil_send_all().
 */
COIL_MUST_CHECK ssize_t coil_recv_all(int fd, void *buf, size_t len, int flags,
				      size_t *done);

/* shutdown(2): 0 or a negative errno.  Never parks; works on every thread. */
int coil_shutdown(int fd, int how);

/*
 * Closes any fd.  Calls of this loop's tasks that are under way on it return
 * -ECANCELED, and the fd is closed when the last of them is over, so that no
 * operation reaches the next file with its number.  Returns 0, -EBADF, or another
 * negative errno (-EIO, -ENOSPC, -EDQUOT: data of a file was lost), and then too the
 * fd is closed.
 *
 * Parks until those calls are over.  No cancel ends or refuses it.
 *
 * For a file or terminal it also parks until a thread has closed it, as a disk or a
 * server may be slow; until then no other file has the number.  If there is no thread
 * or no fd for that, the loop waits instead.  On a loop outside a task the call
 * returns 0 without waiting for the thread.
 *
 * It does not wait for a peer, except for a socket with SO_LINGER: its number is free
 * at once, and the task parks until a thread has closed the socket.  If there is no
 * thread or no fd for that, and on a loop outside a task, the call does not linger;
 * the kernel still sends what is left.
 *
 * Off a loop it is close(2).
 */
int coil_close(int fd);

/*
 * poll(2) without its timeout, deadlines being scopes: parks until one of the
 * fds is ready, and returns how many are, with revents filled in for all.
 * Negative fds are passed over; with none at all it parks until it is cancelled.  A
 * regular file is always ready for POLLIN and POLLOUT and reports no other event: an
 * entry for one with other events, or 0, is never ready.
 * -EINVAL for more fds than the process may open, -EFAULT, -ENOMEM; -ECANCELED
 * also when another task closes one of them.
 */
COIL_MUST_CHECK int coil_poll(struct pollfd *fds, nfds_t n);

#ifdef __cplusplus
}
#endif
#endif
