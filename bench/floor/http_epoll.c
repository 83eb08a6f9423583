/* SPDX-License-Identifier: MIT */
/*
 * A server of one reply by hand over epoll.  It parses nothing: an empty line ends a
 * request.  ARGUMENTS: PORT FILE.  FILE is the body of the reply.
 */
#include "bench/floor/listen.h"
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 512, ROOM = 65536 };

static char buffer[ROOM], *reply;
static size_t reply_length;
static int epoll_fd;

struct conn {
	int fd;
	size_t left;		/* bytes of the reply that had no room yet */
};

static void read_reply(const char *name)
{
	FILE *file = name ? fopen(name, "re") : NULL;
	size_t n, head;

	reply = malloc(ROOM);
	if (!file || !reply)
		exit(1);
	n = fread(buffer, 1, ROOM / 2, file);
	fclose(file);
	head = (size_t)snprintf(reply, ROOM / 2, "HTTP/1.1 200 OK\r\n"
				"Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", n);
	memcpy(reply + head, buffer, n);
	reply_length = head + n;
}

static void watch(struct conn *c, int how, unsigned events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll_fd, how, c->fd, &event))
		abort();
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c);
}

static void send_reply(struct conn *c)
{
	ssize_t n = send(c->fd, reply + reply_length - c->left, c->left, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		drop(c);
		return;
	}
	if (n > 0)
		c->left -= (size_t)n;
	if (c->left)
		watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void ready(struct conn *c)
{
	ssize_t n;

	if (c->left) {
		send_reply(c);
		if (!c->left)
			watch(c, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	n = recv(c->fd, buffer, ROOM, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		drop(c);
	} else if (n >= 4 && !memcmp(buffer + n - 4, "\r\n\r\n", 4)) {
		c->left = reply_length;
		send_reply(c);
	}
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

	read_reply(argc > 2 ? argv[2] : NULL);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event))
		return 1;
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				ready(events[i].data.ptr);
			else
				take(listener);
		}
	}
}
