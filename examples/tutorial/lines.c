/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int answer(struct coil_stream *stream, void *arg)
{
	char *line;
	size_t len;
	int n;

	while ((n = coil_stream_next_line(stream, &line, &len)) > 0) {
		n = (int)coil_stream_printf(stream, "%zu: %s\n", len, line);
		if (n < 0)
			break;
	}
	return n;
}

static int serve(void *arg)
{
	const char *address = arg;
	struct coil_server *server;
	int err;

	server = coil_start_server(address, answer, NULL, NULL);
	if (!server)
		return -errno;
	err = coil_serve_forever(server);
	coil_server_close(server, 0);
	return err;
}

int main(int argc, char *argv[])
{
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: lines ADDRESS\n");
		return 2;
	}
	err = coil_run(serve, argv[1]);
	if (err < 0)
		fprintf(stderr, "lines: %s\n", strerror(-err));
	return err < 0;
}
