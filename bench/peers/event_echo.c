/* SPDX-License-Identifier: MIT */
/*
 * libevent: an echo server on persistent events that reads and writes by itself;
 * bufferevents, which do it for one, would do more.  ARGUMENT: PORT.
 */
#include "bench/floor/listen.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

struct conn {
	struct event event;
	int fd;
	char *rest;		/* what there was no room for */
	size_t length, at;
};

static struct event_base *base;
static char shared[65536];

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
	free(c->rest);
	free(c);
}

static void go_on(struct conn *c)
{
	ssize_t n = send(c->fd, c->rest + c->at, c->length - c->at, MSG_NOSIGNAL);

	if (n > 0 && (c->at += (size_t)n) == c->length) {
		free(c->rest);
		c->rest = NULL;
		watch(c, EV_READ);
	}
}

static void ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n, sent;

	if (what & EV_WRITE) {
		go_on(c);
		return;
	}
	n = recv(fd, shared, sizeof(shared), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		drop(c);
		return;
	}
	if (n < 0)
		return;
	sent = send(fd, shared, (size_t)n, MSG_NOSIGNAL);
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
	watch(c, EV_WRITE);
}

static void connected(evutil_socket_t listener, short what, void *arg)
{
	int fd;

	(void)what;
	(void)arg;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
		c->fd = fd;
		floor_nodelay(fd);
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
