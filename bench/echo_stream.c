/* SPDX-License-Identifier: MIT */
/* An echo server on the streams of coil_start_server().  ARGUMENT: PORT. */
#include "bench/bench.h"
#include <coil.h>

static int serve(struct coil_stream *stream, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	while ((n = coil_stream_read(stream, buffer, sizeof(buffer))) > 0) {
		n = coil_stream_write(stream, buffer, (size_t)n);
		if (n < 0)
			break;
	}
	return (int)n;
}

static int app(void *arg)
{
	struct coil_server *server = coil_start_server(arg, serve, NULL, NULL);

	return server ? coil_serve_forever(server) : -1;
}

int main(int argc, char **argv)
{
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%ld", bench_argument(argc, argv, 1, 7000));
	coil_run(app, address);
	perror("echo_stream");
	return 1;
}
