/* SPDX-License-Identifier: MIT */
/*
 * Sends back what it receives, on each of the given addresses.
 *
 *	$ ./echo 127.0.0.1:7777 unix:/tmp/echo.sock
 *	listening on 127.0.0.1:7777
 *	listening on unix:/tmp/echo.sock
 *
 *	$ socat - tcp:127.0.0.1:7777
 *	$ socat - unix:/tmp/echo.sock
 *
 * An address is 127.0.0.1:7777, [::1]:7777, localhost:7777, :7777 (all addresses of
 * this host), unix:/path, unix:@name or fd:3.  For port 0 the kernel chooses a free
 * port.  SIGINT and SIGTERM end the program.
 *
 * asyncio: asyncio.start_server(), StreamReader and StreamWriter.
 */
#include "log.h"
#include "options.h"
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct log out, errors;

/* Runs in a task for each connection.  The server closes the stream when it returns. */
static int echo(struct coil_stream *stream, void *arg)
{
	char buf[16384];
	ssize_t n;

	while ((n = coil_stream_read(stream, buf, sizeof(buf))) > 0) {
		/* Parks here while a peer sends but does not read. */
		n = coil_stream_write(stream, buf, (size_t)n);
		if (n < 0)
			break;
	}
	/* A peer that breaks the connection is not an error to report. */
	return n == -ECONNRESET || n == -EPIPE ? 0 : (int)n;
}

/* A name may have several addresses, and a port 0 has become a real one. */
static void announce(const struct coil_server *server)
{
	char address[COIL_ADDRESS_SIZE];

	for (size_t i = 0; coil_server_fd(server, i) >= 0; i++) {
		if (coil_local_address(coil_server_fd(server, i), address,
				       sizeof(address)) >= 0)
			log_line(&out, "listening on %s", address);
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
		log_line(&errors, "echo: cannot listen on %s: %s", address, strerror(-err));
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
	int err;

	log_open(&out, STDOUT_FILENO);
	log_open(&errors, STDERR_FILENO);
	for (char **address = arg; *address; address++)
		coil_group_create_task(&group, serve, *address);
	err = coil_group_wait(&group);
	log_close(&out);
	log_close(&errors);
	return err;
}

int main(int argc, char *argv[])
{
	int err, first = options_words(argc, argv, 1, argc, "usage: echo ADDRESS ...\n");
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals },
			    serve_all, argv + first);
	if (!err || err == -EINTR)
		return 0;
	fprintf(stderr, "echo: %s\n", strerror(-err));
	return 1;
}
