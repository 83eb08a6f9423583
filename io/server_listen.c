/* SPDX-License-Identifier: MIT */
/*
 * The listeners of a server: how they begin and how they end.
 *
 * A server that stops must not lose a connection that the kernel has established.
 * close(2) and shutdown(2) reset the connections in the queue of a TCP listener.  So
 * the queue must be empty by then, and no connection may join it between the last
 * accept and the close:
 *
 * 1. The server sets the minimum time to live to 255.  Packets of most clients have
 *    less.  The kernel checks a SYN against it and drops the SYN, so that no new
 *    handshake begins.  It does not check the last ACK of a handshake.  A client that
 *    connects now sends its SYN again after a second.  It then reaches another socket
 *    of the port, or is refused.  A SO_REUSEPORT group still chooses this socket until
 *    the close, so such a client loses a second, but nothing else.  (A socket filter
 *    would do the same, but Linux 6.18 accepts one for TCP from root only.)
 * 2. The server accepts the connections in the queue.
 * 3. Handshakes that began earlier end within a round trip.  So the server waits for
 *    twice the longest round trip of its connections, at least SETTLE_MIN and at most
 *    SETTLE_MAX.  Then it accepts again.
 * 4. The server closes the socket.
 *
 * A client whose packets have the highest time to live, 255, is not kept out.  The
 * server loses its connection if it arrives between the last accept and the close.
 *
 * A Unix listener is simpler: shutdown(SHUT_RD) makes connect(2) fail, and the
 * connections in the queue can still be accepted.
 *
 * The server does not end a listener that it inherited.  The socket stays open, and
 * its queue is left to the other processes that have it.
 */
#include "io/server.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "io/close.h"
#include <coil/socket.h>
#include <coil/time.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MIN COIL_MILLISECOND
#define SETTLE_MAX (200 * COIL_MILLISECOND)

/*
 * Beginning.
 */

/* Replaces the caller's fd by a copy.  Returns the number of fds, 1, or an error. */
static int duplicate(int *fd)
{
	int copy = fcntl(*fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	coil__fd_made(coil__loop, copy);
	*fd = copy;
	return 1;
}

/*
 * Records the file of a Unix socket, so that the server removes that file and no other.
 * Also opens its folder: the path may be relative, and the program may change its
 * directory, as daemons do.
 */
static int note_file(struct coil_server *server, int fd)
{
	struct sockaddr_un un = {0};
	socklen_t len = sizeof(un);
	char path[sizeof(un.sun_path) + 1] = "";
	struct stat file;
	char *name;

	if (getsockname(fd, (struct sockaddr *)&un, &len) ||
	    un.sun_family != AF_UNIX ||
	    len <= offsetof(struct sockaddr_un, sun_path) || !un.sun_path[0])
		return 0;
	memcpy(path, un.sun_path, sizeof(un.sun_path));
	name = strrchr(path, '/');
	memcpy(server->file, name ? name + 1 : path, strlen(name ? name + 1 : path) + 1);
	if (name)
		name[1] = '\0';
	server->folder = open(name ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->folder < 0)
		return -errno;
	server->is_file = !fstatat(server->folder, server->file, &file, AT_SYMLINK_NOFOLLOW);
	server->device = file.st_dev;
	server->inode = file.st_ino;
	return 0;
}

static void remove_file(struct coil_server *server)
{
	struct stat file;

	/* While the socket is open, no other file can have its inode number. */
	if (server->is_file &&
	    !fstatat(server->folder, server->file, &file, AT_SYMLINK_NOFOLLOW) &&
	    file.st_dev == server->device && file.st_ino == server->inode)
		unlinkat(server->folder, server->file, 0);
	if (server->folder >= 0)
		close(server->folder);
	server->folder = -1;
	server->is_file = false;
}

/* Returns 0 where the socket has no such option. */
static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void note_listener(struct coil_server *server, struct listener *listener, int fd)
{
	int domain = option(fd, SOL_SOCKET, SO_DOMAIN);

	listener->server = server;
	listener->fd = fd;
	listener->is_tcp = domain == AF_INET || domain == AF_INET6;
	listener->one_shot = server->options.max_connections;
	coil__close_guard_begin(&listener->guard, fd);
	/* Connections inherit the options.  A shared socket must not be changed. */
	if (!server->is_shared)
		coil__server_set_options(server, fd);
}

int coil__server_listen(struct coil_server *server, const char *address)
{
	int fds[LISTENERS];
	int err, n = coil__listen_all(address, &server->options.listen, fds, LISTENERS);

	server->folder = -1;
	server->is_shared = n > 0 && !strncmp(address, "fd:", 3);
	if (server->is_shared)
		n = duplicate(&fds[0]);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		note_listener(server, &server->listeners[i], fds[i]);
	server->listener_count = (size_t)n;
	err = server->is_shared ? 0 : note_file(server, fds[0]);
	if (err)
		coil__server_unlisten(server);
	return err;
}

/*
 * Ending.
 */

bool coil__listener_is_taken(const struct listener *listener)
{
	return listener->guard.closed || listener->op.closing;
}

void coil__listener_disarm(struct listener *listener)
{
	if (listener->armed)
		coil__op_cancel(listener->server->loop, &listener->op);
}

void coil__listener_close(struct listener *listener, bool is_ours)
{
	int fd = listener->fd;

	if (is_ours)
		remove_file(listener->server);
	coil__close_guard_end(&listener->guard);
	listener->fd = -1;
	if (is_ours)
		coil_close(fd);
}

static bool set_hops(int fd, int ttl, int hops)
{
	return !setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl)) &&
	       (option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET ||
		!setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof(hops)));
}

static bool drop_syns(struct listener *listener)
{
	listener->min_ttl = option(listener->fd, IPPROTO_IP, IP_MINTTL);
	listener->min_hops = option(listener->fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
	if (set_hops(listener->fd, 255, 255))
		return true;
	/* Connections would inherit the one that was set, and keep it. */
	set_hops(listener->fd, listener->min_ttl, listener->min_hops);
	return false;
}

static bool is_ours(const struct listener *listener)
{
	return listener->fd >= 0 && !coil__listener_is_taken(listener);
}

static bool any_armed(const struct coil_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		if (server->listeners[i].armed)
			return true;
	}
	return false;
}

void coil__server_refuse(struct coil_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		coil__listener_disarm(&server->listeners[i]);
	while (any_armed(server))
		coil__server_wait(&server->work, "accepts to end");
	if (server->is_shared)
		return;
	/* Before the sockets refuse, so that a successor can bind the path. */
	if (is_ours(&server->listeners[0]))
		remove_file(server);
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (!is_ours(listener))
			continue;
		if (listener->is_tcp)
			listener->drops_syns = drop_syns(listener);
		else
			shutdown(listener->fd, SHUT_RD);
	}
}

/*
 * Until it is accepted, a connection drops the packets of its peer, as it inherits what
 * its listener demands of them.  Data is sent again, after 200 ms as a rule, but a reset
 * is not.  A keep-alive probe after a second has the peer send another.
 */
static void probe_soon(int fd)
{
	const int on = 1, second = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof(second));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/*
 * Accepts one connection.  Returns false if there is none.  A connection inherits the
 * minimum time to live of its listener, so this is set back.
 */
static bool accept_one(struct listener *listener)
{
	int64_t round_trip;
	int fd;

	do
		fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && listener->server->reserve >= 0) {
		coil__server_release(listener->server);
		return accept_one(listener);
	}
	if (fd < 0)
		return false;
	if (listener->drops_syns) {
		set_hops(fd, listener->min_ttl, listener->min_hops);
		probe_soon(fd);
		round_trip = coil__round_trip(fd);
		if (listener->server->round_trip < round_trip)
			listener->server->round_trip = round_trip;
	}
	coil__server_push(listener->server, fd);
	return true;
}

/*
 * When several loops wait on one socket, the kernel wakes one of them for each
 * connection.  If that loop has ended its accept meanwhile, the kernel wakes no other,
 * and the connection waits until the next one arrives.  So a loop that stops listening
 * first accepts one connection.
 */
static void take_one_along(struct listener *listener)
{
	struct coil_server *server = listener->server;
	size_t connections = server->connections + coil__server_waiting(server);

	if (server->is_shared && coil__server_has_room(server, connections))
		accept_one(listener);
}

size_t coil__server_drain(struct coil_server *server, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; !server->is_shared && i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		while (n < max && is_ours(listener) && accept_one(listener))
			n++;
	}
	return n;
}

/* Without a connection there is no round trip to measure, and no client to lose. */
int64_t coil__server_settle_time(const struct coil_server *server, int64_t longest)
{
	bool drops_syns = false;

	for (size_t i = 0; i < server->listener_count; i++)
		drops_syns |= is_ours(&server->listeners[i]) && server->listeners[i].drops_syns;
	if (longest < server->round_trip)
		longest = server->round_trip;
	if (!drops_syns || !longest)
		return 0;
	longest *= 2;
	if (longest < SETTLE_MIN)
		return SETTLE_MIN;
	return longest < SETTLE_MAX ? longest : SETTLE_MAX;
}

void coil__server_unlisten(struct coil_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];
		bool ours = !coil__listener_is_taken(listener);

		if (listener->fd < 0)
			continue;
		if (ours && server->acceptor)
			take_one_along(listener);
		coil__listener_close(listener, ours);
	}
}
