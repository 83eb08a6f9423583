/* SPDX-License-Identifier: MIT */
#ifndef COIL_SOCKET_H
#define COIL_SOCKET_H

/*
 * The socket calls of POSIX, with their names and arguments, for tasks.  Where
 * a call would block, the task parks and other tasks run.
 *
 * These rules hold for all calls, unless one says otherwise:
 *
 * - A call returns its result or a negative errno.  It returns -EPERM outside a
 *   task.
 * - If a cancellation is pending at entry, the call does nothing and returns
 *   -ECANCELED or -ETIMEDOUT.
 * - A cancellation ends a parked call with the same error, unless the operation
 *   has completed.  Then the call returns the result, and the next parking call
 *   returns the error.  So a cancellation loses no byte and no fd.
 * - The kernel uses the buffers until the call returns, and never afterwards.
 * - If another task closes the fd with coil_close(), the call returns
 *   -ECANCELED.
 * - The fd may be blocking or not.  An fd belongs to one loop.  One task may
 *   read while another writes.
 * - Lengths above 0x7ffff000 bytes are reduced to that.
 * - Flags are those of the system call.  With MSG_DONTWAIT a call never waits
 *   and returns -EAGAIN.
 * - No call raises SIGPIPE.
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
 * Calls socket(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.  Returns the fd, which
 * the caller owns, or a negative errno.  Does not park.  Works on every thread.
 */
COIL_MUST_CHECK int coil_socket(int domain, int type, int protocol);

/*
 * Accepts the next connection, and parks until there is one.  addr may be NULL.
 * Otherwise *addrlen holds its size and is set to the size of the peer's
 * address.  May set O_NONBLOCK on a blocking listening socket.  Returns an fd
 * that is O_NONBLOCK and O_CLOEXEC and that the caller owns, or an error:
 *	-EINVAL: fd does not listen
 *	-EMFILE, -ENFILE: no fd is left; the connection stays queued
 */
COIL_MUST_CHECK int coil_accept(int fd, struct sockaddr *addr,
				socklen_t *addrlen);

/*
 * Connects a socket, or sets the peer of a datagram socket, and parks until
 * that is done.  Returns 0, or an error of connect(2) such as -ECONNREFUSED.
 * After -ECANCELED or -ETIMEDOUT the kernel may continue the attempt: close the
 * socket, or call again to wait for the result.  May set O_NONBLOCK on a
 * blocking socket.
 */
COIL_MUST_CHECK int coil_connect(int fd, const struct sockaddr *addr,
				 socklen_t addrlen);

/*
 * Receive and send as recv(2) and send(2) do.  coil_recv() parks until there is
 * something to receive, coil_send() until something fits.  Return the number of
 * bytes, which may be less than len, or 0 at the end of a stream.  On an error
 * they return a negative errno such as -EPIPE, -ECONNRESET or -ENOTCONN.
 */
COIL_MUST_CHECK ssize_t coil_recv(int fd, void *buf, size_t len, int flags);
COIL_MUST_CHECK ssize_t coil_send(int fd, const void *buf, size_t len,
				  int flags);

/*
 * The same with an address, which may be NULL.  *addrlen is as for
 * coil_accept().
 */
COIL_MUST_CHECK ssize_t coil_recvfrom(int fd, void *buf, size_t len, int flags,
				      struct sockaddr *addr,
				      socklen_t *addrlen);
COIL_MUST_CHECK ssize_t coil_sendto(int fd, const void *buf, size_t len,
				    int flags, const struct sockaddr *addr,
				    socklen_t addrlen);

/* The same with vectors and control data.  Received fds are O_CLOEXEC. */
COIL_MUST_CHECK ssize_t coil_recvmsg(int fd, struct msghdr *msg, int flags);
COIL_MUST_CHECK ssize_t coil_sendmsg(int fd, const struct msghdr *msg,
				     int flags);

/*
 * Receive or send up to n messages, and park only for the first.  Return the
 * number of messages, which is 1 or more, 0 for n 0, or a negative errno.  An
 * error after the first message is returned by the next call, or as recvmmsg(2)
 * and sendmmsg(2) do.
 */
COIL_MUST_CHECK int coil_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n,
				  int flags);
COIL_MUST_CHECK int coil_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n,
				  int flags);

/*
 * Sends all len bytes, and parks as often as needed.  Returns len or a negative
 * errno.  On every return *done holds the number of bytes sent, unless done is
 * NULL.  So the caller can continue from there after a cancellation.
 */
COIL_MUST_CHECK ssize_t coil_send_all(int fd, const void *buf, size_t len,
				      int flags, size_t *done);

/*
 * Receives len bytes, fewer only at the end of the stream, and parks as often
 * as needed.  Returns the number of bytes or a negative errno.  done is as for
 * coil_send_all().
 */
COIL_MUST_CHECK ssize_t coil_recv_all(int fd, void *buf, size_t len, int flags,
				      size_t *done);

/*
 * Calls shutdown(2).  Returns 0 or a negative errno.  Does not park.  Works on
 * every thread.
 */
int coil_shutdown(int fd, int how);

/*
 * Closes any fd.  Off a loop the call is close(2).
 *
 * Calls of this loop's tasks that are using the fd return -ECANCELED.  The fd
 * is closed when the last of them has ended, so that no operation reaches the
 * next file with its number.  Parks until those calls have ended.  A
 * cancellation neither prevents nor ends it.
 *
 * A disk or a file server may be slow, so a thread closes a file or a terminal.
 * The task parks until that is done; no other file has the number before.  If
 * there is no thread or no fd for that, the loop waits instead.  On a loop
 * outside a task the call returns 0 without waiting for the thread.
 *
 * Does not wait for a peer, except for a socket with SO_LINGER.  The number of
 * such a socket is free at once, and the task parks until a thread has closed
 * the socket.  If there is no thread or no fd for that, and on a loop outside a
 * task, the call does not linger.  The kernel still sends what is left.
 *
 * Returns 0, or an error; the fd is closed all the same, except after -EPERM:
 *	-EBADF: fd is not open, or another task is closing it
 *	-EIO, -ENOSPC, -EDQUOT: data of a file was lost
 *	-EPERM: the call is on a loop outside a task, and a call of a task is
 *		using the fd
 */
int coil_close(int fd);

/*
 * Waits as poll(2) does, and parks until one of the fds is ready.  It has no
 * time-out argument: use a COIL_TIMEOUT scope.  Ignores negative fds; if there
 * are no others it parks until a cancellation.  A regular file is always ready
 * for POLLIN and POLLOUT and reports no other event.  An entry for a regular
 * file with other events, or 0, is never ready.  Returns the number of fds that
 * are ready, and sets revents of all; or an error:
 *	-EINVAL: n is more than the process may open
 *	-EFAULT, -ENOMEM
 *	-ECANCELED: also if another task closes one of the fds
 */
COIL_MUST_CHECK int coil_poll(struct pollfd *fds, nfds_t n);

#ifdef __cplusplus
}
#endif
#endif
