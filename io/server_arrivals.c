/* SPDX-License-Identifier: MIT */
/* The accepted connections of a server that no task has taken yet. */
#include "io/server.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "io/close.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void coil__server_wake(struct coil_server *server)
{
	server->news = true;
	coil_waitq_unpark(&server->work);
}

void coil__server_wait(struct coil_waitq *waitq, const char *what)
{
	/* Fails only outside a task or for another loop's queue: neither occurs here. */
	coil_waitq_park_shielded(waitq, NULL, what);
}

static bool arrivals_grow(struct coil_server *server)
{
	size_t capacity = server->capacity ? 2 * server->capacity : 16;
	struct arrival *arrivals = malloc(capacity * sizeof(*arrivals));

	if (!arrivals)
		return false;
	for (size_t i = 0; i < server->count; i++)
		arrivals[i] = server->arrivals[(server->head + i) % server->capacity];
	free(server->arrivals);
	server->arrivals = arrivals;
	server->capacity = capacity;
	server->head = 0;
	return true;
}

static bool arrivals_push(struct coil_server *server, const struct arrival *arrival)
{
	if (server->reserve < 0 && !coil__server_regain(server)) {
		server->sent_away = true;
		return false;
	}
	if (!coil__server_admit(server, arrival))
		return false;
	if (server->count == server->capacity && !arrivals_grow(server)) {
		server->lost = -ENOMEM;
		coil__server_forget(server, arrival);
		return false;
	}
	server->arrivals[(server->head + server->count++) % server->capacity] = *arrival;
	return true;
}

void coil__server_push(struct coil_server *server, int fd)
{
	struct arrival arrival = { .fd = fd };
	socklen_t len = sizeof(arrival.peer);

	coil__fd_made(server->loop, fd);
	/* Read the address now: after a reset by the peer it is no longer known. */
	if (getpeername(fd, &arrival.peer.any, &len))
		arrival.peer.any.sa_family = AF_UNSPEC;
	if (!arrivals_push(server, &arrival))
		coil__close_accepted(fd);
}

struct arrival coil__server_take(struct coil_server *server)
{
	struct arrival arrival = server->arrivals[server->head];

	server->head = (server->head + 1) % server->capacity;
	server->count--;
	return arrival;
}

size_t coil__server_waiting(const struct coil_server *server)
{
	return server->count - server->started;
}

bool coil__server_has_room(const struct coil_server *server, size_t connections)
{
	unsigned most = server->options.max_connections;

	return !most || connections < most;
}

void coil__server_send_away(struct coil_server *server)
{
	while (coil__server_waiting(server)) {
		size_t last = (server->head + --server->count) % server->capacity;

		coil__server_forget(server, &server->arrivals[last]);
		coil__close_accepted(server->arrivals[last].fd);
	}
}
