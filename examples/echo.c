/* SPDX-License-Identifier: MIT */
/*
 * Sends back what it is sent, on as many addresses as are given.
 *
 *	$ ./echo 127.0.0.1:7777 unix:/tmp/echo.sock
 *	listening on 127.0.0.1:7777
 *	listening on unix:/tmp/echo.sock
 *
 *	$ socat - tcp:127.0.0.1:7777
 *	$ socat - unix:/tmp/echo.sock
 *
 * An address is 127.0.0.1:7777, [::1]:7777, localhost:7777, :7777 (all of this
 * host), unix:/path, unix:@name or fd:3; port 0 is one that is free.  SIGINT and
 * SIGTERM end it.
 *
 * asyncio: asyncio.start_server(), StreamReader and StreamWriter.
 */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A task of its own for each connection; its stream is closed when it returns. */
static int echo(struct coil_stream *stream, void *arg)
{
	char buf[16384];
	ssize_t n;

	while ((n = coil_stream_read(stream, buf, sizeof(buf))) > 0) {
		/* A peer that sends and does not read is waited for here. */
		n = coil_stream_write(stream, buf, (size_t)n);
		if (n < 0)
			break;
	}
	/* Who went away without a word is not worth one. */
	return n == -ECONNRESET || n == -EPIPE ? 0 : (int)n;
}

/* A name may have several addresses, and port 0 is known by now. */
static void announce(const struct coil_server *server)
{
	char address[COIL_ADDRESS_SIZE];

	for (size_t i = 0; coil_server_fd(server, i) >= 0; i++) {
		if (coil_local_address(coil_server_fd(server, i), address,
				       sizeof(address)) >= 0)
			printf("listening on %s\n", address);
	}
}

static int serve(void *arg)
{
	const char *address = arg;
	struct coil_server *server;
	int err;

	server = coil_start_server(address, echo, NULL, NULL);
	if (!server) {
		err = -errno;
		fprintf(stderr, "echo: cannot listen on %s: %s\n", address,
			strerror(-err));
		return err;
	}
	announce(server);
	err = coil_serve_forever(server);
	coil_server_close(server, 0);
	return err;
}

/* If one address cannot be served, the group ends the others. */
static int serve_all(void *arg)
{
	struct coil_group group = {0};

	for (char **address = arg; *address; address++)
		coil_group_create_task(&group, serve, *address);
	return coil_group_wait(&group);
}

int main(int argc, char *argv[])
{
	sigset_t signals;
	int err;

	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: echo ADDRESS ...\n");
		return 2;
	}
	setlinebuf(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals },
			    serve_all, argv + 1);
	if (!err || err == -EINTR)
		return 0;
	fprintf(stderr, "echo: %s\n", strerror(-err));
	return 1;
}
