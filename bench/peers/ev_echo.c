/* SPDX-License-Identifier: MIT */
/*
 * libev: an echo server that reads and writes by itself, as libev is only about
 * events.  ARGUMENT: PORT.
 */
#include "bench/floor/listen.h"
#include <ev.h>
#include <string.h>

struct conn {
	ev_io io;		/* first, as the callback gets it */
	char *rest;		/* what there was no room for */
	size_t length, at;
};

static char shared[65536];

static void drop(struct ev_loop *loop, struct conn *c)
{
	ev_io_stop(loop, &c->io);
	close(c->io.fd);
	free(c->rest);
	free(c);
}

static void watch(struct ev_loop *loop, struct conn *c, int events)
{
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(loop, &c->io);
}

static void go_on(struct ev_loop *loop, struct conn *c)
{
	ssize_t n = send(c->io.fd, c->rest + c->at, c->length - c->at, MSG_NOSIGNAL);

	if (n > 0 && (c->at += (size_t)n) == c->length) {
		free(c->rest);
		c->rest = NULL;
		watch(loop, c, EV_READ);
	}
}

static void ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct conn *c = (struct conn *)io;
	ssize_t n, sent;

	if (events & EV_WRITE) {
		go_on(loop, c);
		return;
	}
	n = recv(io->fd, shared, sizeof(shared), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		drop(loop, c);
		return;
	}
	if (n < 0)
		return;
	sent = send(io->fd, shared, (size_t)n, MSG_NOSIGNAL);
	if (sent == n)
		return;
	if (sent < 0)
		sent = 0;
	c->length = (size_t)(n - sent);
	c->at = 0;
	c->rest = malloc(c->length);
	if (!c->rest)
		abort();
	memcpy(c->rest, shared + sent, c->length);
	watch(loop, c, EV_WRITE);
}

static void connected(struct ev_loop *loop, ev_io *io, int events)
{
	int fd;

	(void)events;
	while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
		floor_nodelay(fd);
		ev_io_init(&c->io, ready, fd, EV_READ);
		ev_io_start(loop, &c->io);
	}
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
	ev_io listener;

	ev_io_init(&listener, connected, floor_listen(argc, argv), EV_READ);
	ev_io_start(loop, &listener);
	return ev_run(loop, 0);
}
