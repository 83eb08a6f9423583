/* SPDX-License-Identifier: MIT */
/*
 * An echo server with one task for each connection, by the POSIX calls.
 * ARGUMENTS: PORT [WORKERS].  WORKERS is the number of loops, each in a thread with a
 * listening socket of its own on that port, which other processes may share.  0 is one
 * loop in the first thread.
 */
#include "bench/bench.h"
#include <coil.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct place {
	char address[32];
	struct coil_listen_options options;
};

static int serve(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	char buffer[2048];	/* the whole task of a connection then fits in a page */
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = coil_recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		ssize_t sent = coil_send(fd, buffer, (size_t)n, MSG_NOSIGNAL);

		if (sent < n && (sent < 0 || coil_send_all(fd, buffer + sent, (size_t)(n - sent),
							   MSG_NOSIGNAL, NULL) < 0))
			break;
	}
	coil_close(fd);
	return 0;
}

static int app(void *arg)
{
	struct place *place = arg;
	int listener = coil_listen(place->address, &place->options), fd;

	if (listener < 0)
		return listener;
	while ((fd = coil_accept(listener, NULL, NULL)) >= 0)
		coil_detach(coil_create_task(serve, (void *)(intptr_t)fd));
	coil_close(listener);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned workers = (unsigned)bench_argument(argc, argv, 2, 0);
	struct place place = { .options = { .reuse_port = argc > 2 } };
	int err;

	snprintf(place.address, sizeof(place.address), "127.0.0.1:%ld",
		 bench_argument(argc, argv, 1, 7000));
	err = workers ? coil_run_workers(workers, app, &place) : coil_run(app, &place);
	fprintf(stderr, "echo: %d\n", err);
	return 1;
}
