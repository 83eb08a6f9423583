/* SPDX-License-Identifier: MIT */
/* The task of one connection, from the start of the handler to the close. */
#include "io/server.h"
#include "io/close.h"
#include "io/stream.h"
#include <coil/time.h>
#include <coil/unix.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

enum { LOOKED_AT = 64 };	/* connections whose round trip is measured */

#define FLUSH (10 * COIL_SECOND)	/* limit of the flush if flush_ns is 0 */

static void enlist(struct coil_server *server, struct connection *connection)
{
	connection->next = server->newest;
	connection->link = &server->newest;
	if (connection->next)
		connection->next->link = &connection->next;
	server->newest = connection;
}

static void connection_unlist(struct connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
}

/* Flushes the stream if asked to, within the time limit, and closes it. */
static void put_away(struct coil_server *server, struct coil_stream *stream,
		     bool flush)
{
	int64_t limit = server->options.flush_ns ? server->options.flush_ns : FLUSH;
	struct coil_timeout timeout = {0};

	if (flush && coil_timeout_begin(&timeout, limit))
		flush = false;
	/* The error is ignored: a peer that is gone is no failure of the handler. */
	(void)coil__stream_release(stream, flush);
	if (timeout.scope.task)
		coil_timeout_end(&timeout);
}

/*
 * True if the kernel still has bytes for the peer, and the peer has acknowledged some
 * since the last check.
 */
static bool has_taken(struct connection *connection, int fd)
{
	uint64_t before = connection->acked;
	int left;

	if (ioctl(fd, SIOCOUTQ, &left) || !left)
		return false;
	connection->acked = coil__bytes_acked(fd);
	return connection->acked != before;
}

/* Returns the earliest time at which the connection may count as idle. */
static int64_t idle_until(struct elastic *elastic)
{
	struct connection *connection = container_of(elastic, struct connection, idle);
	const struct coil_stream *stream = connection->stream;
	int64_t until = coil__deadline(stream->moved_at, connection->idle_ns);
	int64_t now = coil_now();

	/* The handler has closed the stream: no connection is left to be idle. */
	if (stream->fd < 0)
		return COIL_FOREVER;
	if (until <= now && has_taken(connection, stream->fd))
		return coil__deadline(now, connection->idle_ns);
	return until;
}

/* Names the task after its peer, for the report of the handler's error. */
static void connection_name_task(const struct coil_server *server,
				 const struct arrival *arrival, int fd)
{
	struct coil_task *self = coil_current_task();
	char peer[COIL_ADDRESS_SIZE] = "unknown";
	struct ucred ucred;

	if (self->name)
		return;
	if (arrival->peer.any.sa_family == AF_UNIX) {
		if (fd >= 0 && !coil_peer_credentials(fd, &ucred))
			snprintf(peer, sizeof(peer), "process %d", (int)ucred.pid);
	} else {
		(void)!coil__address_write(&arrival->peer.any, sizeof(arrival->peer), false, peer,
					   sizeof(peer));
	}
	(void)!coil_task_set_name(self, "%s, peer %s", coil_task_name(server->acceptor), peer);
}

/*
 * A server that stops starts a task for each connection that it still accepted, even
 * above max_connections.  Such tasks wait here until a running one has finished.
 */
static int connection_enter(struct coil_server *server)
{
	int err = 0;

	while (!err && !coil__server_has_room(server, server->running))
		err = coil_waitq_park_for(&server->room, NULL, "room");
	if (!err)
		server->running++;
	return err;
}

static void connection_leave(struct coil_server *server)
{
	server->running--;
	coil_waitq_unpark(&server->room);
}

static int run_handler(struct coil_server *server, struct connection *connection)
{
	struct elastic *idle = &connection->idle;
	int err;

	connection->idle_ns = server->options.idle_ns ? server->options.idle_ns : COIL_FOREVER;
	connection->stream->moved_at = coil_now();
	err = coil__elastic_begin(idle, connection->idle_ns, idle_until);
	if (err)
		return err;
	err = server->handler(connection->stream, server->arg);
	coil_timeout_end(&idle->timeout);
	return err;
}

static int connection_handle(struct coil_server *server, const struct arrival *arrival)
{
	struct connection connection = {0};
	struct coil_stream *stream;
	int err;

	if (server->is_shared)
		coil__server_set_options(server, arrival->fd);
	stream = coil_stream_open(arrival->fd);
	if (!stream)
		return -errno;
	coil__stream_hold(stream);
	connection.stream = stream;
	enlist(server, &connection);
	err = run_handler(server, &connection);
	if (err < 0 && err != -ECANCELED)
		connection_name_task(server, arrival, stream->fd);
	put_away(server, stream, err >= 0);
	connection_unlist(&connection);
	if (err == -ETIMEDOUT && coil_timeout_expired(&connection.idle.timeout))
		return 0;
	return err;
}

int coil__server_serve(void *arg)
{
	struct coil_server *server = arg;
	struct arrival arrival;
	int err;

	server->started--;
	arrival = coil__server_take(server);
	err = connection_enter(server);
	if (!err) {
		err = connection_handle(server, &arrival);
		connection_leave(server);
	} else {
		coil__close_accepted(arrival.fd);
	}
	coil__server_forget(server, &arrival);
	server->connections--;
	if (server->full || server->paused) {
		server->paused = false;
		coil__server_wake(server);
	}
	return err < 0 ? err : 0;
}

void coil__server_abort(struct coil_server *server)
{
	server->grace_end = 0;
	coil_group_cancel(&server->group);
	for (struct connection *c = server->newest; c; c = c->next) {
		if (c->stream->fd >= 0)
			shutdown(c->stream->fd, SHUT_RDWR);
	}
}

int64_t coil__server_round_trip(const struct coil_server *server)
{
	const struct connection *connection = server->newest;
	int64_t longest = 0;

	for (int i = 0; connection && i < LOOKED_AT; i++, connection = connection->next) {
		int64_t ns = coil__round_trip(coil_stream_fd(connection->stream));

		if (longest < ns)
			longest = ns;
	}
	return longest;
}
