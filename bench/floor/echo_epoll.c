/* SPDX-License-Identifier: MIT */
/*
 * An echo server by hand over epoll, with as little as possible between the system calls.
 * ARGUMENTS: PORT [edge | level].
 *
 * Level-triggered, it reads once for each event, because there is seldom more.
 * Edge-triggered, it must read until nothing is left.  A short read shows that without
 * another call, but does not show the peer's end of the stream.  Both reply at once, and
 * wait for room only if there is none.
 */
#include "bench/floor/echo.h"
#include <sys/epoll.h>

enum { EVENTS = 512 };

static int epoll_fd;
static unsigned trigger;

struct conn {
	int fd;
	struct rest rest;
};

static void watch(struct conn *c, int how, unsigned events)
{
	struct epoll_event event = { .events = events | EPOLLRDHUP | trigger, .data.ptr = c };

	if (epoll_ctl(epoll_fd, how, c->fd, &event))
		abort();
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->rest.bytes);
	free(c);
}

static void go_on(struct conn *c)
{
	if (rest_send(c->fd, &c->rest))
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* One event may report the peer's last bytes and its end: with EPOLLRDHUP, read again. */
static void echo(struct conn *c, unsigned events)
{
	ssize_t n;

	do {
		n = floor_echo(c->fd, &c->rest);
		if (!n) {
			drop(c);
			return;
		}
		if (c->rest.bytes) {
			watch(c, EPOLL_CTL_MOD, EPOLLOUT);
			return;
		}
	} while (trigger && n > 0 && (n == FLOOR_ROOM || events & EPOLLRDHUP));
}

static void take(int listener)
{
	int fd;

	while ((fd = floor_accept(listener)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			abort();
		c->fd = fd;
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN };
	int listener = floor_listen(argc, argv);

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event))
		return 1;
	trigger = argc > 2 && argv[2][0] == 'e' ? EPOLLET : 0;
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				take(listener);
			else if (c->rest.bytes)
				go_on(c);
			else
				echo(c, events[i].events);
		}
	}
}
