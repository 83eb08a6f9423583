/* SPDX-License-Identifier: MIT */
#ifndef COIL_SERVER_H
#define COIL_SERVER_H

/*
 * A server listens on an address and runs a handler for each connection, as a
 * task of its own:
 *
 *	static int answer(struct coil_stream *stream, void *arg)
 *	{
 *		const char *line;
 *		ssize_t n;
 *
 *		while ((n = coil_stream_read_line(stream, &line)) > 0) {
 *			n = coil_stream_write(stream, line, (size_t)n);
 *			if (n < 0)
 *				break;
 *		}
 *		return (int)n;
 *	}
 *
 *	server = coil_start_server("localhost:8080", answer, NULL, NULL);
 *	err = coil_serve_forever(server);
 *	coil_server_close(server, 5 * COIL_SECOND);
 *
 * A server belongs to the loop on which it was started.  When the main task has
 * returned, coil_run() cancels and frees each server that is not closed.
 *
 * All calls return -EINVAL for NULL, for a server of another loop, and for a
 * closed server; and -EPERM off a loop.  A call that waits returns -EPERM
 * outside a task.
 */

#include <coil/address.h>
#include <coil/cdefs.h>
#include <coil/stream.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_server;

/* Zero is the default of each field; reserved must be zero. */
struct coil_server_options {
	unsigned max_connections;	/* open at a time; 0: no maximum */
	struct coil_listen_options listen;
	size_t stack_size;		/* of a handler's task; 0: the loop's */
	int64_t flush_ns;		/* limit of the flush after a handler; 0: 10 s */
	int64_t idle_ns;		/* limit of time without a byte; 0: none */
	unsigned max_per_address;	/* connections of one address; 0: no maximum */
	int64_t keepalive_ns;		/* until a silent peer counts as gone; 0: never */
	unsigned notsent_lowat;		/* TCP_NOTSENT_LOWAT, in bytes; 0: the system's */
	int64_t close_ns;		/* limit of coil_server_close(); 0: none */
	uint64_t reserved[4];
};

/*
 * Starts a server: listens on an address in any form of <coil/address.h>, and
 * runs handler(stream, arg) for each connection.  A name is listened on at all
 * its addresses (at most 16).  options may be NULL and are copied.  Parks only
 * for a name or a service; a cancellation ends that, and no server is made.
 * Returns the server, or NULL and sets errno:
 *	an error of coil_listen()
 *	EINVAL: handler is NULL, or a field of options is invalid
 *	EPERM: the caller is not a task
 *	ENOMEM, EMFILE, ENFILE
 *
 * The server owns the stream, and closes it when the handler returns.  It
 * flushes the stream first, unless the result is negative or the task was
 * cancelled.  A flush that takes longer than flush_ns is abandoned
 * (COIL_FOREVER: never).  A handler may close the stream itself.
 *
 * A negative result other than -ECANCELED goes to the error handler
 * (coil_set_error_handler()) and does not affect other connections.  If the
 * handler gave the task no name, the name then states the server and the peer.
 *
 * idle_ns is how long a connection may be idle.  A connection is idle while its
 * stream receives and sends no byte, and its TCP peer takes no byte from the
 * kernel.  One byte is enough: a slow peer is served, a stopped peer is not.
 * After the limit, parking calls of the handler return -ETIMEDOUT, as in a
 * COIL_TIMEOUT.  A handler that returns -ETIMEDOUT then has not failed.
 *
 * max_per_address limits the open connections of one IPv4 address, or of one
 * /64 network of IPv6.  The server closes further ones at once.  The server
 * detects after about keepalive_ns that a TCP peer is gone without a message.
 * It sets SO_KEEPALIVE and TCP_USER_TIMEOUT, in whole seconds.
 * max_per_address, keepalive_ns and notsent_lowat have no effect on Unix
 * sockets.
 *
 * While max_connections are open, the server accepts no more: clients wait in
 * the backlog.
 *
 * If no fd is left, the server frees an fd that it keeps in reserve.  It
 * accepts each new connection with that fd and closes the connection at once,
 * so that the peer notices.  In between the program can open files with the fd.
 * The server serves again when two fds are free.  If memory runs out, it pauses
 * for 100 ms or until one of its connections ends.  It reports each such
 * shortage once to the error handler.
 *
 * For "fd:3" the server listens on a duplicate: fd 3 stays open, and the caller
 * still owns it.  It may be given to several servers, also on several loops.
 * The server removes the file of a Unix socket when it stops, unless another
 * file has replaced it.
 */
COIL_MUST_CHECK struct coil_server *
coil_start_server(const char *address, int (*handler)(struct coil_stream *stream, void *arg),
		  void *arg, const struct coil_server_options *options);

/*
 * Returns the fd of the i-th listening socket, counted from 0, for
 * getsockname(2) and setsockopt(2).  The server still owns it.  Returns -ENOENT
 * if there is no such socket, or it was closed.
 */
int coil_server_fd(const struct coil_server *server, size_t i);

/*
 * Returns the number of open connections: those whose handler runs or is about
 * to.
 */
int coil_server_connections(const struct coil_server *server);

/*
 * Parks until the server stops.  A cancellation, pending or new, stops the
 * server: the call returns -ECANCELED or -ETIMEDOUT when the listening sockets
 * are closed.  The handlers continue.  Returns 0, or an error:
 *	-EBADF, -EINVAL: the program closed, or shut down, the listening sockets,
 *		and none is left
 *	-ESHUTDOWN: the server had stopped before
 *	-EDEADLK: the caller is the error handler, called by this server
 */
int coil_serve_forever(struct coil_server *server);

/*
 * Stops the server.  The handlers continue.  No new client can connect; each
 * client that the kernel has connected by then is accepted and gets a handler.
 * Then the listening sockets are closed.  Clients above max_connections wait
 * until a handler ends.  For "fd:3" the other clients stay in the backlog.
 *
 * Parks.  With TCP clients it first waits for two of their round trips (at
 * least 1 ms, at most 200 ms), so that handshakes in progress can end.  A
 * slower handshake is reset.  A cancellation neither prevents nor ends the
 * call.  A handler may call it.
 *
 * Returns 0, also the second time, when no client can connect any more.
 */
int coil_server_stop(struct coil_server *server);

/*
 * Closes the server: stops it, waits for the handlers, and frees it.  After
 * grace_ns nanoseconds it cancels the handlers that are left and waits for
 * their ends: at once for grace_ns <= 0, never for COIL_FOREVER.  During the
 * grace coil_group_ending() is true in the handlers.  coil_serve_forever()
 * returns first.
 *
 * close_ns limits all of that.  After nine tenths of it the handlers are
 * cancelled and their connections shut down.  So a call that waits for a peer
 * ends even in a shield.  If handlers are left at the end of close_ns, the call
 * returns -ETIMEDOUT.  For the caller the server is closed then too; it is
 * freed when the last handler has ended.
 *
 * Parks.  A cancellation neither prevents nor ends it, so a cancelled task can
 * still close its servers with all of the grace.  Returns 0, or an error:
 *	-ETIMEDOUT: close_ns ended before the last handler
 *	-EDEADLK: the caller is a handler of this server, or a task in a group of
 *		one
 *	-EBUSY: another task is closing the server
 */
int coil_server_close(struct coil_server *server, int64_t grace_ns);

#ifdef __cplusplus
}
#endif
#endif
