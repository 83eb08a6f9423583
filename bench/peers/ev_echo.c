/* SPDX-License-Identifier: MIT */
/*
 * libev: an echo server that calls recv and send itself, because libev reports only
 * events.  ARGUMENT: PORT.
 */
#include "bench/floor/echo.h"
#include <ev.h>

struct conn {
	ev_io io;		/* first: the callback casts it */
	struct rest rest;
};

static void drop(struct ev_loop *loop, struct conn *c)
{
	ev_io_stop(loop, &c->io);
	close(c->io.fd);
	free(c->rest.bytes);
	free(c);
}

static void watch(struct ev_loop *loop, struct conn *c, int events)
{
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(loop, &c->io);
}

static void ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct conn *c = (struct conn *)io;

	if (events & EV_WRITE) {
		if (rest_send(io->fd, &c->rest))
			watch(loop, c, EV_READ);
	} else if (!floor_echo(io->fd, &c->rest)) {
		drop(loop, c);
	} else if (c->rest.bytes) {
		watch(loop, c, EV_WRITE);
	}
}

static void connected(struct ev_loop *loop, ev_io *io, int events)
{
	int fd;

	(void)events;
	while ((fd = floor_accept(io->fd)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
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
