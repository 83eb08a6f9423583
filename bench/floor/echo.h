/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_FLOOR_ECHO_H
#define COIL_BENCH_FLOOR_ECHO_H

/* The echo of the servers that wait for readiness. */

#include "bench/floor/listen.h"
#include <stdbool.h>
#include <string.h>

enum { FLOOR_ROOM = 65536 };

/* Bytes that could not be sent.  This is rare, so their memory is allocated on demand. */
struct rest {
	char *bytes;
	size_t length, at;
};

static inline void rest_keep(struct rest *rest, const char *from, size_t length)
{
	rest->bytes = malloc(length);
	if (!rest->bytes)
		abort();
	memcpy(rest->bytes, from, length);
	rest->length = length;
	rest->at = 0;
}

/* Sends when there is room again.  Returns whether all bytes are sent. */
static inline bool rest_send(int fd, struct rest *rest)
{
	ssize_t n = send(fd, rest->bytes + rest->at, rest->length - rest->at, MSG_NOSIGNAL);

	if (n < 0 || (rest->at += (size_t)n) < rest->length)
		return false;
	free(rest->bytes);
	rest->bytes = NULL;
	return true;
}

/*
 * Reads once, sends the bytes back, and keeps those without room.  Returns the number of
 * bytes read, -1 if there were none yet, 0 if the connection has to be dropped.
 */
static inline ssize_t floor_echo(int fd, struct rest *rest)
{
	static char buffer[FLOOR_ROOM];
	ssize_t sent, n = recv(fd, buffer, FLOOR_ROOM, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? -1 : 0;
	sent = send(fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent == n)
		return n;
	if (sent < 0 && errno != EAGAIN)
		return 0;
	if (sent < 0)
		sent = 0;
	rest_keep(rest, buffer + sent, (size_t)(n - sent));
	return n;
}

#endif
