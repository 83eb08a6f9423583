/* SPDX-License-Identifier: MIT */
/* The accepts of a server, and how it handles their errors: see server.c. */
#include "io/server.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/task/task.h"
#include "io/close.h"
#include <coil/socket.h>
#include <coil/time.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FAILURES = 16 };	/* in a row, after which the server pauses */

#define PAUSE (100 * COIL_MILLISECOND)
#define QUIET (60 * COIL_SECOND)	/* ... after which the same error is reported again */

/*
 * Errors.
 */

static void accept_tell(struct coil_server *server, int err)
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
		coil__warn("task %s cannot accept connections: %s",
			   coil_task_name(server->acceptor), strerror(-err));
}

void coil__server_pause(struct coil_server *server, int err)
{
	server->paused = true;
	server->resume_at = coil_now() + PAUSE;
	accept_tell(server, err);
}

/*
 * No fd is left.  Releases the fd in reserve: from now on each new connection is
 * accepted with it and closed.
 *
 * A multishot accept tries the next connection before that close, and fails again.  By
 * then the fd is free, so an error after such a close is ignored.  If the reserve is
 * released and no connection was closed, the program has taken the fd: the server pauses.
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
	accept_tell(server, err);
}

/* Closes a listener that cannot accept.  The server stops if it was the last one. */
static void lose(struct listener *listener, int err)
{
	struct coil_server *server = listener->server;

	coil__listener_close(listener, err != -EBADF);
	accept_tell(server, err);
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
		/* No multishot before Linux 5.19.  If one-shot fails too, it does not listen. */
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

static void accept_arm(struct listener *listener)
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
			accept_arm(listener);
	}
}
