/* SPDX-License-Identifier: MIT */
/*
 * libevent: an echo server on persistent events that calls recv and send itself.
 * Bufferevents would do that, but cost more.  ARGUMENT: PORT.
 */
#include "bench/floor/echo.h"
#include <event2/event.h>
#include <event2/event_struct.h>

struct conn {
	struct event event;
	int fd;
	struct rest rest;
};

static struct event_base *base;

static void ready(evutil_socket_t fd, short what, void *arg);

static void watch(struct conn *c, short events)
{
	event_del(&c->event);
	event_assign(&c->event, base, c->fd, (short)(events | EV_PERSIST), ready, c);
	event_add(&c->event, NULL);
}

static void drop(struct conn *c)
{
	event_del(&c->event);
	close(c->fd);
	free(c->rest.bytes);
	free(c);
}

static void ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (what & EV_WRITE) {
		if (rest_send(fd, &c->rest))
			watch(c, EV_READ);
	} else if (!floor_echo(fd, &c->rest)) {
		drop(c);
	} else if (c->rest.bytes) {
		watch(c, EV_WRITE);
	}
}

static void connected(evutil_socket_t listener, short what, void *arg)
{
	int fd;

	(void)what;
	(void)arg;
	while ((fd = floor_accept(listener)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
		c->fd = fd;
		event_assign(&c->event, base, fd, EV_READ | EV_PERSIST, ready, c);
		event_add(&c->event, NULL);
	}
}

int main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct event *listener;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	listener = event_new(base, floor_listen(argc, argv), EV_READ | EV_PERSIST, connected,
			     NULL);
	event_add(listener, NULL);
	return event_base_dispatch(base);
}
