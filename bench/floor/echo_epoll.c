/* SPDX-License-Identifier: MIT */
/*
 * An echo server by hand, over epoll: as little as can be between the system calls.
 * ARGUMENTS: PORT [edge | level].  Level-triggered it reads once an event (there is
 * seldom more); edge-triggered it must read until there is no more, unless the read
 * was short, which says the same for less.  Both reply at once, and wait for room
 * only where there is none.
 */
#include "bench/floor/listen.h"
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 512, ROOM = 65536 };

static char buffer[ROOM];
static int engine;
static unsigned trigger;

/* What could not be sent: rare, so memory for it is asked for when it happens. */
struct conn {
	int fd;
	size_t length, at;
	char *rest;
};

static void watch(struct conn *c, int how, unsigned events)
{
	struct epoll_event event = { .events = events | trigger, .data.ptr = c };

	if (epoll_ctl(engine, how, c->fd, &event))
		abort();
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->rest);
	free(c);
}

static void keep(struct conn *c, const char *from, size_t length)
{
	c->rest = malloc(length);
	if (!c->rest)
		abort();
	memcpy(c->rest, from, length);
	c->length = length;
	c->at = 0;
	watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void go_on(struct conn *c)
{
	ssize_t n = send(c->fd, c->rest + c->at, c->length - c->at, MSG_NOSIGNAL);

	if (n > 0 && (c->at += (size_t)n) == c->length) {
		free(c->rest);
		c->rest = NULL;
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	}
}

static void echo(struct conn *c)
{
	ssize_t n, sent;

	do {
		n = recv(c->fd, buffer, ROOM, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			drop(c);
			return;
		}
		if (n < 0)
			return;
		sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
		if (sent < n) {
			if (sent < 0 && errno != EAGAIN)
				drop(c);
			else
				keep(c, buffer + (sent > 0 ? sent : 0),
				     (size_t)(n - (sent > 0 ? sent : 0)));
			return;
		}
	} while (trigger && n == ROOM);
}

static void take(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
		c->fd = fd;
		floor_nodelay(fd);
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN };
	int listener = floor_listen(argc, argv);

	engine = epoll_create1(EPOLL_CLOEXEC);
	if (engine < 0 || epoll_ctl(engine, EPOLL_CTL_ADD, listener, &event))
		return 1;
	trigger = argc > 2 && argv[2][0] == 'e' ? EPOLLET : 0;
	for (;;) {
		int n = epoll_wait(engine, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				take(listener);
			else if (c->rest)
				go_on(c);
			else
				echo(c);
		}
	}
}
