/* SPDX-License-Identifier: MIT */
/*
 * A server's listeners: how they begin and how they end.
 *
 * Nothing the kernel has connected may be lost when a server stops.  close(2) and
 * shutdown(2) reset what is in the queue of a TCP listener, so the queue has to be
 * empty then, and nothing may join it between the last accept and the close:
 *
 * 1. A filter on the socket drops each SYN.  The kernel begins no more handshakes.
 *    A client that comes now sends its SYN again after a second, and then reaches
 *    another socket of the port or is refused.  A SO_REUSEPORT group still chooses
 *    this socket until its close, so that such a client loses a second, but nothing
 *    else.
 * 2. What is in the queue is accepted.
 * 3. Handshakes that began before the filter end within a round trip.  So the
 *    server waits as long as its connections' round trips take, at most SETTLE_MAX,
 *    and accepts again.
 * 4. The socket is closed.
 *
 * Where the kernel takes no filter, or the program has one of its own on the
 * socket, the server loses what comes between the last accept and the close.
 *
 * A Unix listener is simpler: shutdown(SHUT_RD) makes connect(2) fail and leaves
 * the queue to be accepted.
 *
 * A listener that was inherited is not ended by the server.  It stays open, and its
 * queue is left to the other processes that have it.
 */
#include "io/server.h"
#include "core/loop.h"
#include "io/close.h"
#include <coil/socket.h>
#include <coil/time.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MIN COIL_MILLISECOND
#define SETTLE_MAX (200 * COIL_MILLISECOND)

/*
 * Beginning.
 */

/* The number is the caller's, and others may listen on it as well. */
static int duplicate(int *fd)
{
	int type, copy;
	socklen_t len = sizeof(type);

	if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	if (type != SOCK_STREAM)
		return -EINVAL;
	copy = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	coil__fd_made(coil__loop, copy);
	*fd = copy;
	return 1;
}

/*
 * Which file the socket has, to remove that and no other, and its folder: the
 * program may change its directory, as daemons do, and the path be relative.
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

	/* While the socket is open nobody else can have its inode's number. */
	if (server->is_file &&
	    !fstatat(server->folder, server->file, &file, AT_SYMLINK_NOFOLLOW) &&
	    file.st_dev == server->device && file.st_ino == server->inode)
		unlinkat(server->folder, server->file, 0);
	if (server->folder >= 0)
		close(server->folder);
	server->folder = -1;
	server->is_file = false;
}

static void note_listener(struct coil_server *server, struct listener *listener, int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	listener->server = server;
	listener->fd = fd;
	listener->is_tcp = domain == AF_INET || domain == AF_INET6;
	listener->one_shot = server->options.max_connections;
	coil__steps_begin(&listener->steps, fd);
	/* Connections inherit them; but others may use this one. */
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
	return listener->steps.closed || listener->op.closing;
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
	coil__steps_end(&listener->steps);
	listener->fd = -1;
	if (is_ours)
		coil_close(fd);
}

/* Drops what has SYN and not ACK in the flags of its TCP header; lets all else pass. */
static bool drop_syns(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	socklen_t len = 0;

	/* The program's own filter would be lost. */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) || len)
		return false;
	return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
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
	/* First of all, so that a successor can have the path. */
	if (is_ours(&server->listeners[0]))
		remove_file(server);
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (!is_ours(listener))
			continue;
		if (listener->is_tcp)
			listener->filtered = drop_syns(listener->fd);
		else
			shutdown(listener->fd, SHUT_RD);
	}
}

/* A connection's shortest round trip is that of its handshake, or less. */
int64_t coil__round_trip(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt * COIL_MICROSECOND;
}

uint64_t coil__bytes_acked(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_bytes_acked;
}

/* A connection inherits the filter of its listener. */
static bool accept_one(struct listener *listener)
{
	const int unused = 0;
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
	if (listener->filtered) {
		setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
		round_trip = coil__round_trip(fd);
		if (listener->server->round_trip < round_trip)
			listener->server->round_trip = round_trip;
	}
	coil__server_push(listener->server, fd);
	return true;
}

/*
 * Of the loops that wait on one socket the kernel wakes one for each connection.
 * If that one has ended its accept meanwhile nobody is woken in its place, and the
 * connection would wait for the next to come.  So a loop that leaves accepts one.
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

/* Without any connection there is no round trip to measure, and no client to lose. */
int64_t coil__server_settle_time(const struct coil_server *server)
{
	int64_t longest = coil__server_round_trip(server);
	bool filtered = false;

	for (size_t i = 0; i < server->listener_count; i++)
		filtered |= is_ours(&server->listeners[i]) && server->listeners[i].filtered;
	if (longest < server->round_trip)
		longest = server->round_trip;
	if (!filtered || !longest)
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
		if (ours && server->keeper)
			take_one_along(listener);
		coil__listener_close(listener, ours);
	}
}
