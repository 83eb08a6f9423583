/* SPDX-License-Identifier: MIT */
/*
 * A server is a task, the acceptor, which no task awaits.  The acceptor owns the group
 * in which the handlers run.  It alone starts handlers, begins and ends accepts, and
 * closes listeners.  The completion of an accept only records the connection or the
 * error, and wakes the acceptor.  After the main task has returned, the loop cancels
 * the acceptor, which then closes everything.
 *
 * Accepts.  Each listener has one operation.  It is a multishot accept if the number of
 * connections is not limited.  Otherwise it is one accept at a time, because a
 * multishot accept would continue until its cancel arrives.  Every completion may carry
 * the fd of a connection, even one that was cancelled.  With several listeners, the
 * accepts under way may bring more connections than there is room for.  The surplus
 * waits in the ring, like any connection without a task.
 *
 * Connections.  An accepted fd waits in a ring.  The acceptor starts one task for each.
 * When the task first runs it takes the first fd of the ring.  A task that was started
 * always enters its function, even if it is cancelled.  So between the kernel and the
 * handler the ring alone owns the fd, and what is left in the ring is closed.  The
 * acceptor starts at most AT_ONCE tasks, and then lets other tasks run.
 *
 * Errors.  An accept that failed because of one connection, or for a short time, is
 * tried again; after many failures in a row the acceptor pauses.  It also pauses
 * without memory.  Without fds, new connections are accepted with the fd in reserve and
 * closed; the acceptor pauses only if that fd is gone.
 *
 * The handle.  Each call looks for its server in the list of the thread's servers, so
 * that a closed server is detected.  A call that parks holds a reference.
 */
#include "io/server.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/time.h>
#include <coil/timeout.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	AT_ONCE = 64,		/* maximum of handlers started before other tasks run */
	LAST_MAX = 16384,	/* maximum of connections that serve_the_last() accepts */
};

/* The servers of the thread that are not closed.  A server stays on its thread. */
static __thread struct coil_server *servers
	__attribute__((tls_model("initial-exec")));

static void server_release(struct coil_server *server)
{
	if (--server->refs)
		return;
	free(server->arrivals);
	free(server->peers.table);
	free(server);
}

/*
 * The acceptor.
 */

static void start_handlers(struct coil_server *server)
{
	const struct coil_task_options options = {
		.stack_size = server->options.stack_size,
	};

	for (int n = 0; coil__server_waiting(server); n++) {
		int err;

		if (!server->stopping && !coil__server_has_room(server, server->connections))
			return;
		if (n == AT_ONCE) {
			server->news = true;
			return;
		}
		err = coil_group_create_task_with(&server->group, &options,
						  coil__server_serve, server, NULL);
		if (err == -ENOMEM)
			coil__server_pause(server, err);
		if (err)
			return;
		server->started++;
		server->connections++;
	}
}

static int wait_for_news(struct coil_server *server)
{
	struct coil_timeout timeout = {0};
	int err;

	if (server->news) {
		coil__let_others_run();
		return coil_check();
	}
	if (!server->paused)
		return coil_waitq_park_for(&server->work, NULL, "connections");
	/* Without memory for a timer, at least let other tasks run. */
	if (coil_timeout_begin(&timeout, server->resume_at - coil_now()))
		return coil_yield();
	err = coil_waitq_park_for(&server->work, NULL, "better times");
	if (coil_timeout_end(&timeout) == -ETIMEDOUT)
		return 0;
	return err;
}

/*
 * Accepts what the kernel has connected until now, and starts a handler for each
 * connection as long as there is memory.
 */
static void serve_the_last(struct coil_server *server)
{
	size_t taken = 0, waiting, n;

	do {
		n = taken < LAST_MAX ? coil__server_drain(server, AT_ONCE) : 0;
		taken += n;
		waiting = coil__server_waiting(server);
		start_handlers(server);
		coil__let_others_run();
	} while (n || coil__server_waiting(server) < waiting);
}

static void end_group(struct coil_server *server)
{
	int64_t left = server->grace_end;

	if (left != COIL_FOREVER)
		left -= coil_now();
	coil_group_cancel_after(&server->group, left);
}

static void stop(struct coil_server *server)
{
	int64_t settle;

	server->stopping = true;
	coil__server_refuse(server);
	if (!coil_check()) {
		serve_the_last(server);
		settle = coil__server_settle_time(server,
						  coil__server_round_trip(server));
		if (settle && !coil_sleep(settle))
			serve_the_last(server);
	}
	coil__server_unlisten(server);
	serve_the_last(server);
	coil__server_send_away(server);
	coil__server_release(server);
	server->stopped = true;
	if (server->closing)
		end_group(server);
	coil_waitq_unpark_all(&server->forever);
	coil_waitq_unpark_all(&server->stop);
}

static void server_unlist(struct coil_server *server)
{
	struct coil_server **at = &servers;

	if (!server->listed)
		return;
	while (*at != server)
		at = &(*at)->next;
	*at = server->next;
	server->listed = false;
}

static int keep(void *arg)
{
	struct coil_server *server = arg;
	int err = coil_check();

	while (!err && !server->stopping) {
		coil__server_judge(server);
		if (server->stopping)
			break;
		start_handlers(server);
		coil__server_accept(server);
		err = wait_for_news(server);
	}
	stop(server);
	/* The only possible error is a cancellation, and the server has stopped anyway. */
	(void)coil_group_wait(&server->group);
	while (!server->closing &&
	       !coil_waitq_park_for(&server->work, NULL, "coil_server_close"))
		;
	server_unlist(server);
	server->closed = true;
	coil_waitq_unpark_all(&server->close);
	server_release(server);
	return 0;
}

/*
 * Starting.
 */

static int server_check_options(const struct coil_server_options *options)
{
	const struct coil_task_options task = {
		.stack_size = options->stack_size,
	};

	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	if (options->flush_ns < 0 || options->idle_ns < 0 || options->keepalive_ns < 0 ||
	    options->close_ns < 0)
		return -EINVAL;
	return coil__task_check_options(&task);
}

static int start_acceptor(struct coil_server *server, const char *address)
{
	char name[128];
	const struct coil_task_options options = { .name = name };

	snprintf(name, sizeof(name), "server %s", address);
	server->acceptor = coil_create_task_with(&options, keep, server);
	if (!server->acceptor)
		return -errno;
	coil_detach(server->acceptor);
	server->listed = true;
	server->next = servers;
	servers = server;
	return 0;
}

static int server_start(struct coil_server *server, const char *address)
{
	int err = server_check_options(&server->options);

	server->reserve = -1;
	if (!err)
		err = coil__server_listen(server, address);
	if (err)
		return err;
	err = coil__server_regain(server) ? start_acceptor(server, address) : -EMFILE;
	if (err) {
		coil__server_release(server);
		coil__server_unlisten(server);
	}
	return err;
}

struct coil_server *
coil_start_server(const char *address, int (*handler)(struct coil_stream *stream, void *arg),
		  void *arg, const struct coil_server_options *options)
{
	struct coil_server *server;
	int err;

	if (!coil_current_task()) {
		errno = EPERM;
		return NULL;
	}
	if (!address || !handler) {
		errno = EINVAL;
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	if (options)
		server->options = *options;
	server->loop = coil__loop;
	server->refs = 1;
	server->handler = handler;
	server->arg = arg;
	server->group.independent = true;
	err = server_start(server, address);
	if (!err)
		return server;
	free(server);
	errno = -err;
	return NULL;
}

/*
 * The other calls.
 */

/* Returns 0 if server is open and belongs to this loop, otherwise an error. */
static int server_find(const struct coil_server *server)
{
	if (coil__loop == &coil__no_loop)
		return -EPERM;
	for (const struct coil_server *s = servers; s; s = s->next) {
		if (s == server)
			return s->loop == coil__loop ? 0 : -EINVAL;
	}
	return -EINVAL;
}

/* The same for a call that parks: -EPERM outside a task. */
static int server_enter(const struct coil_server *server)
{
	return coil_current_task() ? server_find(server) : -EPERM;
}

int coil_server_fd(const struct coil_server *server, size_t i)
{
	int err = server_find(server);

	if (err)
		return err;
	if (i >= server->listener_count || server->listeners[i].fd < 0)
		return -ENOENT;
	return server->listeners[i].fd;
}

int coil_server_connections(const struct coil_server *server)
{
	int err = server_find(server);

	return err ? err : (int)server->connections;
}

/*
 * Parks until the acceptor has stopped the server.  The error handler runs in the
 * acceptor and does not park: the acceptor stops the server after the handler returns.
 */
static void wait_until_stopped(struct coil_server *server)
{
	server->stopping = true;
	coil__server_wake(server);
	while (!server->stopped && coil_current_task() != server->acceptor)
		coil__server_wait(&server->stop, "server to stop");
}

int coil_serve_forever(struct coil_server *server)
{
	int err = server_enter(server);

	if (err)
		return err;
	if (coil_current_task() == server->acceptor)
		return -EDEADLK;
	if (server->stopping)
		return -ESHUTDOWN;
	server->refs++;
	err = coil_waitq_park_for(&server->forever, NULL, "server");
	if (err)
		wait_until_stopped(server);
	else
		err = server->error;
	server_release(server);
	return err;
}

int coil_server_stop(struct coil_server *server)
{
	int err = server_enter(server);

	if (err)
		return err;
	server->refs++;
	wait_until_stopped(server);
	server_release(server);
	return 0;
}

/* True if the server cannot end before the task does. */
static bool belongs_to(const struct coil_server *server, const struct coil_task *task)
{
	while (task != server->acceptor && task->group)
		task = task->group->scope.task;
	return task == server->acceptor;
}

static void wait_for_close(struct coil_server *server, int64_t ns)
{
	struct coil_timeout shield = {0}, limit = {0};
	int err = coil_shield_begin(&shield, COIL_FOREVER);

	if (!err)
		err = coil_timeout_begin(&limit, ns);
	while (!err && !server->closed)
		err = coil_waitq_park_for(&server->close, NULL, "server to close");
	if (limit.scope.task)
		coil_timeout_end(&limit);
	if (shield.scope.task)
		coil_timeout_end(&shield);
}

static int wait_until_closed(struct coil_server *server)
{
	int64_t last = server->options.close_ns / 10;

	if (server->options.close_ns) {
		wait_for_close(server, server->options.close_ns - last);
		if (!server->closed)
			coil__server_abort(server);
		wait_for_close(server, last);
		server_unlist(server);
		return server->closed ? 0 : -ETIMEDOUT;
	}
	while (!server->closed)
		coil__server_wait(&server->close, "server to close");
	return 0;
}

int coil_server_close(struct coil_server *server, int64_t grace_ns)
{
	int err = server_enter(server);

	if (err)
		return err;
	if (belongs_to(server, coil_current_task()))
		return -EDEADLK;
	if (server->closing)
		return -EBUSY;
	server->closing = true;
	server->stopping = true;
	server->refs++;
	server->grace_end = coil__deadline(coil_now(), grace_ns > 0 ? grace_ns : 0);
	if (server->stopped)
		end_group(server);
	coil__server_wake(server);
	err = wait_until_closed(server);
	server_release(server);
	return err;
}
