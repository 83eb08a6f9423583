/* SPDX-License-Identifier: MIT */
#ifndef COIL_SERVER_H
#define COIL_SERVER_H

/*
 * A server listens on an address and runs a handler, as a task of its own, for
 * each connection:
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
 * A server belongs to the loop that it was started on, and outlives neither
 * that nor, once the main task has returned, anything that coil_run() cancels.
 * What all calls have in common: -EINVAL for NULL, for a server of another loop,
 * and for one that was closed; -EPERM off a loop, and outside a task from those
 * that wait.
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

/* Zero is the default of each; reserved must be zero. */
struct coil_server_options {
	unsigned max_connections;	/* open at a time; 0: no bound */
	struct coil_listen_options listen;
	size_t stack_size;		/* of a handler's task; 0: the loop's */
	int64_t flush_ns;		/* limit of the flush after a handler; 0: 10 s */
	int64_t idle_ns;		/* limit without a byte moved; 0: none */
	unsigned max_per_address;	/* connections of one address; 0: no bound */
	int64_t keepalive_ns;		/* until a silent peer counts as gone; 0: never */
	unsigned notsent_lowat;		/* TCP_NOTSENT_LOWAT, in bytes; 0: the system's */
	int64_t close_ns;		/* limit of coil_server_close() in all; 0: none */
	uint64_t reserved[4];
};

/*
 * Listens on an address in any of the forms of <coil/address.h>, a name on all
 * its addresses (at most 16), and runs handler(stream, arg) for each connection.
 * options may be NULL and are copied.  NULL and errno: what coil_listen() says of
 * the address, EINVAL for options or handler, EPERM outside a task, ENOMEM.
 * Parks for a name only, and then a request is ECANCELED or ETIMEDOUT.
 *
 * The stream is the server's: when the handler returns it is closed, flushed
 * first unless the result is negative or the task was cancelled.  A flush that is
 * not done after flush_ns is given up (COIL_FOREVER: never).  A handler may have
 * closed the stream itself.  A negative result other than -ECANCELED goes to the
 * error handler (coil_set_error_handler()), and spares the other connections; the
 * task's name, if the handler gave it none, names the server and the peer.
 *
 * idle_ns is how long a connection may be idle.  A connection is idle while its
 * stream receives and sends no byte, and its TCP peer takes none of the bytes that
 * the kernel still has for it.  One byte is enough: a slow peer is served, a peer
 * that stands still is not.  After the limit parking calls of the handler return
 * -ETIMEDOUT, as in a COIL_TIMEOUT; a handler that returns -ETIMEDOUT then has not
 * failed.
 *
 * max_per_address bounds the open connections of one IPv4 address, or of one /64
 * network of IPv6; further ones are closed at once.  keepalive_ns is after about how
 * long a TCP peer is noticed that is gone without a message; SO_KEEPALIVE and
 * TCP_USER_TIMEOUT are set for it, in whole seconds.  These two and notsent_lowat have
 * no effect on Unix sockets.
 *
 * While max_connections are open no more are accepted: they wait in the backlog.
 * If fds run out, the server frees an fd that it holds in reserve, accepts each new
 * connection with it and closes the connection at once, so that the peer notices;
 * between them the program can open files with that fd.  The server serves again when
 * two fds are free.  If memory runs out it pauses, for 100 ms or until one of its
 * connections ends.  It reports each such shortage once to the error handler.
 *
 * "fd:3" is listened on by a duplicate: 3 stays open and is the caller's, and may
 * be given to several servers, also in several loops.  The file of a unix socket
 * is removed when the server stops, unless it is another's by then.
 */
COIL_MUST_CHECK struct coil_server *
coil_start_server(const char *address, int (*handler)(struct coil_stream *stream, void *arg),
		  void *arg, const struct coil_server_options *options);

/*
 * The fd of the i-th listening socket, for getsockname(2) and setsockopt(2); still
 * the server's.  -ENOENT for one that there is not, or not any more.
 */
int coil_server_fd(const struct coil_server *server, size_t i);

/* How many connections are open: handlers that run, or are about to. */
int coil_server_connections(const struct coil_server *server);

/*
 * Parks until the server stops: 0, or why there is nothing left to listen on
 * (-EBADF, if the program closed the sockets).  A request that is pending at entry,
 * or arrives, stops the server, and is returned when the sockets are closed:
 * -ECANCELED or -ETIMEDOUT.  The handlers go on.  -ESHUTDOWN: it has stopped before.
 */
int coil_serve_forever(struct coil_server *server);

/*
 * Stops the server: no new client can connect, each client that the kernel has
 * connected by then is accepted and gets a handler, and the listening sockets are
 * closed.  Handlers go on.  Clients above max_connections wait for their turn.
 *
 * Returns 0, also the second time, when no client can connect any more.  With TCP
 * clients it first waits for two of their round trips (at least 1 ms, at most 200 ms),
 * so that handshakes under way can end; a slower handshake is reset.
 *
 * Parks.  No cancel ends it.  A handler may call it.
 */
int coil_server_stop(struct coil_server *server);

/*
 * Stops the server, waits for the handlers, cancels those that are left after
 * grace_ns nanoseconds (at once if that is <= 0; never: COIL_FOREVER), waits for
 * their ends and frees the server.  During the grace coil_group_ending() is true
 * in them.  coil_serve_forever() returns first.  Returns 0; -ETIMEDOUT after
 * close_ns; -EDEADLK from a handler of this server or a task in a group of one;
 * -EBUSY while another task closes it.  Parks.  No cancel ends or refuses it: a task
 * that was cancelled closes a server in good order.
 *
 * close_ns bounds all of that.  After nine tenths of it the handlers are cancelled
 * and their connections shut down, so that a call that waits for a peer ends, in a
 * shield too.  If handlers are left at the end of close_ns the call returns
 * -ETIMEDOUT.  The server is then closed for the caller all the same, and is freed
 * when the last handler has ended.
 *
 * Every server that is not closed when the main task has returned is cancelled
 * with its handlers, and freed.
 */
int coil_server_close(struct coil_server *server, int64_t grace_ns);

#ifdef __cplusplus
}
#endif
#endif
