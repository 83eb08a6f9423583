/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_FLOOR_LISTEN_H
#define COIL_BENCH_FLOOR_LISTEN_H

/* The listening socket of the servers by hand, and of the peers' servers in C. */

#include "bench/bench.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void floor_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Returns a listening socket on loopback, at the port in argument 1. */
static inline int floor_listen(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)bench_argument(argc, argv, 1, 7000));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, SOMAXCONN)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

/* Returns an accepted connection, or -1. */
static inline int floor_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		floor_nodelay(fd);
	return fd;
}

#endif
