/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SERVERS_H
#define COIL_TESTS_SERVERS_H

/* Servers, handlers that many tests use, and clients made by plain calls. */

#include "tests/sockets.h"
#include "tests/tasks.h"
#include <coil/group.h>
#include <coil/server.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LOCAL "127.0.0.1:0"

typedef int handler_fn(struct coil_stream *stream, void *arg);

/* A server that must be there. */
static UNUSED struct coil_server *
server_on(const char *address, handler_fn *handler, void *arg,
	  const struct coil_server_options *options)
{
	struct coil_server *server =
		coil_start_server(address, handler, arg, options);

	ck_assert_msg(server != NULL, "%s: %s", address, strerror(errno));
	return server;
}

/* Where its i-th socket listens. */
static UNUSED struct sockaddr_in where(struct coil_server *server, size_t i)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(getsockname(coil_server_fd(server, i),
				     (struct sockaddr *)&addr, &len), 0);
	return addr;
}

/* A client that the kernel has connected to it. */
static UNUSED int client_of(struct coil_server *server)
{
	struct sockaddr_in addr = where(server, 0);

	return client(&addr);
}

static UNUSED struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

static UNUSED int unix_client(const char *path)
{
	struct sockaddr_un un = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	set_nonblocking(fd, true);
	return fd;
}

/* Whether somebody listens there; whoever does gets a connection that ends. */
static UNUSED bool is_listening(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool listening;

	ck_assert_int_ge(fd, 0);
	listening = !connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	close(fd);
	return listening;
}

static UNUSED void say(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(coil_send_all(fd, text, len, 0, NULL), (ssize_t)len);
}

/* What comes next must be that. */
static UNUSED void hear(int fd, const char *text)
{
	char got[256] = "";
	size_t len = strlen(text);

	ck_assert_uint_lt(len, sizeof(got));
	ck_assert_int_eq(coil_recv_all(fd, got, len, 0, NULL), (ssize_t)len);
	ck_assert_str_eq(got, text);
}

static UNUSED bool hears_end(int fd)
{
	char byte;
	ssize_t n = coil_recv(fd, &byte, 1, 0);

	return n == 0 || n == -ECONNRESET || n == -EPIPE;
}

/* Lets the loop go on until something is so. */
#define until(condition)						\
	do {								\
		while (!(condition))					\
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0); \
	} while (0)

static UNUSED void until_connections(struct coil_server *server, int n)
{
	until(coil_server_connections(server) == n);
}

/* Gives every line back, to the end. */
static UNUSED int echo(struct coil_stream *stream, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = coil_stream_read_line(stream, &line)) > 0) {
		n = coil_stream_write(stream, line, (size_t)n);
		if (n < 0)
			break;
	}
	return (int)n;
}

/* Handlers that are held, and how each of them went. */
struct held {
	struct coil_future go;
	int entered;
	int ended;
	int err;	/* what the last one's wait returned */
	int result;	/* what they return after that */
};

static UNUSED int be_held(struct coil_stream *stream, void *arg)
{
	struct held *held = arg;

	(void)stream;
	held->entered++;
	held->err = coil_future_wait(&held->go);
	held->ended++;
	return held->err ? held->err : held->result;
}

static UNUSED void close_server(struct coil_server *server)
{
	ck_assert_int_eq(coil_server_close(server, 0), 0);
}

#endif
