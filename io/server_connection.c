/* SPDX-License-Identifier: MIT */
/* One connection of a server: its task, from the handler's start to the close. */
#include "io/server.h"
#include "io/close.h"
#include "io/stream.h"
#include <coil/timeout.h>
#include <errno.h>

enum { LOOKED_AT = 64 };	/* connections that a round trip is taken from */

static void enlist(struct coil_server *server, struct connection *connection)
{
	connection->next = server->newest;
	connection->link = &server->newest;
	if (connection->next)
		connection->next->link = &connection->next;
	server->newest = connection;
}

static void unlist(struct connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
}

static void put_away(struct coil_server *server, struct coil_stream *stream,
		     bool flush)
{
	struct coil_timeout timeout = {0};
	bool limited = flush && server->options.flush_ns &&
		       !coil_timeout_begin(&timeout, server->options.flush_ns);

	/* Peers go away: what that loses is no failure of the handler's. */
	(void)coil__stream_release(stream, flush);
	if (limited)
		coil_timeout_end(&timeout);
}

/*
 * A server that stops starts a task for each connection that it still accepted,
 * also where those are more than may be open.  They have their turns here.
 */
static int enter(struct coil_server *server)
{
	int err = 0;

	while (!err && !coil__server_has_room(server, server->running))
		err = coil_waitq_park_for(&server->room, NULL, "room");
	if (!err)
		server->running++;
	return err;
}

static void leave(struct coil_server *server)
{
	server->running--;
	coil_waitq_unpark(&server->room);
}

static int handle(struct coil_server *server, int fd)
{
	struct connection connection;
	struct coil_stream *stream = coil_stream_open(fd);
	int err;

	if (!stream)
		return -errno;
	coil__stream_hold(stream);
	connection.stream = stream;
	enlist(server, &connection);
	err = server->handler(stream, server->arg);
	unlist(&connection);
	put_away(server, stream, err >= 0);
	return err;
}

int coil__server_serve(void *arg)
{
	struct coil_server *server = arg;
	int err, fd;

	server->started--;
	fd = coil__server_take(server);
	err = enter(server);
	if (!err) {
		err = handle(server, fd);
		leave(server);
	} else {
		coil__close_accepted(fd);
	}
	server->connections--;
	if (server->full || server->paused) {
		server->paused = false;
		coil__server_wake(server);
	}
	return err < 0 ? err : 0;
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
