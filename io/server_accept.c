/* SPDX-License-Identifier: MIT */
/* A server's accepts, the connections that wait for a handler, and errors: see server.c. */
#include "io/server.h"
#include "core/loop.h"
#include "core/task.h"
#include "io/close.h"
#include <coil/socket.h>
#include <coil/time.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILURES = 16 };	/* in a row, and then they are no accident */

#define PAUSE (100 * COIL_MILLISECOND)
#define QUIET (60 * COIL_SECOND)	/* ... after which trouble is news again */

/*
 * Those who came.
 */

static bool grow(struct coil_server *server)
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

static bool push(struct coil_server *server, const struct arrival *arrival)
{
	if (server->reserve < 0 && !coil__server_regain(server)) {
		server->sent_away = true;
		return false;
	}
	if (!coil__server_admit(server, arrival))
		return false;
	if (server->count == server->capacity && !grow(server)) {
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
	/* Now: once the peer has reset the connection its address is not known any more. */
	if (getpeername(fd, &arrival.peer.any, &len))
		arrival.peer.any.sa_family = AF_UNSPEC;
	if (!push(server, &arrival))
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

/*
 * Trouble.
 */

static void tell(struct coil_server *server, int err)
{
	struct coil_loop *loop = server->loop;
	int64_t now = coil_now();
	bool known = server->trouble == err && now - server->trouble_at < QUIET;

	server->trouble = err;
	server->trouble_at = now;
	if (known)
		return;
	if (loop->error_handler)
		loop->error_handler(server->acceptor, err, loop->error_arg);
	else
		coil__warn("task %s has trouble with accepting: %s",
			   coil_task_name(server->acceptor), strerror(-err));
}

void coil__server_pause(struct coil_server *server, int err)
{
	server->paused = true;
	server->resume_at = coil_now() + PAUSE;
	tell(server, err);
}

/*
 * From now on each new connection is accepted by the fd that was in reserve, and
 * closed.  A multishot accept asks for the next one before that and fails, but then
 * the fd is free again.  If the program has taken it, the server pauses.
 */
static void without_fds(struct coil_server *server, int err)
{
	if (server->sent_away) {
		server->sent_away = false;
		return;
	}
	if (server->reserve < 0) {
		coil__server_pause(server, err);
		return;
	}
	coil__server_release(server);
	tell(server, err);
}

/* Nothing comes from this one any more. */
static void lose(struct listener *listener, int err)
{
	struct coil_server *server = listener->server;

	coil__listener_close(listener, err != -EBADF);
	tell(server, err);
	for (size_t i = 0; i < server->listener_count; i++) {
		if (server->listeners[i].fd >= 0)
			return;
	}
	server->error = err;
	server->stopping = true;
}

static void judge(struct listener *listener)
{
	int err = listener->error;

	listener->error = 0;
	if (coil__listener_is_taken(listener)) {
		lose(listener, -EBADF);
		return;
	}
	switch (err) {
	case 0:
	case -ECANCELED:
		break;
	case -EINVAL:
		/* Multishot is new in Linux 5.19; but perhaps it does not listen now. */
		if (listener->one_shot)
			lose(listener, err);
		listener->one_shot = true;
		break;
	case -EBADF:
	case -ENOTSOCK:
		lose(listener, -EBADF);
		break;
	case -EMFILE:
	case -ENFILE:
		without_fds(listener->server, err);
		break;
	case -ENOBUFS:
	case -ENOMEM:
		coil__server_pause(listener->server, err);
		break;
	default:
		if (++listener->failures >= FAILURES)
			coil__server_pause(listener->server, err);
		break;
	}
}

void coil__server_judge(struct coil_server *server)
{
	server->news = false;
	if (server->paused && coil_now() >= server->resume_at)
		server->paused = false;
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (listener->fd >= 0 && !listener->armed)
			judge(listener);
	}
	if (server->lost)
		coil__server_pause(server, server->lost);
	server->lost = 0;
}

/*
 * Accepts.
 */

static void accepted(struct op *op, int res, unsigned flags)
{
	struct listener *listener = container_of(op, struct listener, op);

	if (res >= 0) {
		listener->failures = 0;
		coil__server_push(listener->server, res);
	} else {
		listener->error = res;
	}
	if (!(flags & IORING_CQE_F_MORE))
		listener->armed = false;
	coil__server_wake(listener->server);
}

static void arm(struct listener *listener)
{
	struct coil_server *server = listener->server;
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct op *op = &listener->op;
	int err;

	*op = (struct op){ .complete = accepted };
	if (listener->one_shot)
		io_uring_prep_accept(&op->sqe, listener->fd, NULL, NULL, flags);
	else
		io_uring_prep_multishot_accept(&op->sqe, listener->fd, NULL,
					       NULL, flags);
	listener->armed = true;
	err = coil__op_start(server->loop, op);
	if (!err)
		return;
	listener->armed = false;
	listener->error = err;
	server->news = true;
}

void coil__server_accept(struct coil_server *server)
{
	size_t waiting = coil__server_waiting(server);
	bool room = coil__server_has_room(server, server->connections + waiting);

	server->full = !room;
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (listener->fd < 0)
			continue;
		if (!room || (server->paused && waiting))
			coil__listener_disarm(listener);
		else if (!server->paused && !listener->armed)
			arm(listener);
	}
}

void coil__server_send_away(struct coil_server *server)
{
	while (coil__server_waiting(server)) {
		size_t last = (server->head + --server->count) % server->capacity;

		coil__server_forget(server, &server->arrivals[last]);
		coil__close_accepted(server->arrivals[last].fd);
	}
}
