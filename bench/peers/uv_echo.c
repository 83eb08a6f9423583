/* SPDX-License-Identifier: MIT */
/*
 * libuv: an echo server.  It calls uv_try_write first, which is enough if there is room.
 * All connections share one buffer, because each read is written before the next one.
 * ARGUMENT: PORT.
 */
#include "bench/floor/listen.h"
#include <string.h>
#include <uv.h>

static char shared[65536];

struct late {
	uv_write_t request;
	char bytes[];
};

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(shared, sizeof(shared));
}

static void closed(uv_handle_t *handle)
{
	free(handle);
}

static void written(uv_write_t *request, int status)
{
	(void)status;
	free(request);
}

static void write_rest(uv_stream_t *stream, const char *from, size_t length)
{
	struct late *late = malloc(sizeof(*late) + length);
	uv_buf_t rest;

	if (!late)
		abort();
	memcpy(late->bytes, from, length);
	rest = uv_buf_init(late->bytes, (unsigned)length);
	uv_write(&late->request, stream, &rest, 1, written);
}

static void arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	uv_buf_t reply;
	int sent;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, closed);
		return;
	}
	if (!n)
		return;
	reply = uv_buf_init(buffer->base, (unsigned)n);
	sent = uv_try_write(stream, &reply, 1);
	if (sent < n)
		write_rest(stream, buffer->base + (sent > 0 ? sent : 0),
			   (size_t)(n - (sent > 0 ? sent : 0)));
}

static void connected(uv_stream_t *server, int status)
{
	uv_tcp_t *client = malloc(sizeof(*client));

	if (status < 0 || !client)
		abort();
	uv_tcp_init(server->loop, client);
	if (uv_accept(server, (uv_stream_t *)client)) {
		uv_close((uv_handle_t *)client, closed);
		return;
	}
	uv_tcp_nodelay(client, 1);
	uv_read_start((uv_stream_t *)client, allocate, arrived);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t server;

	uv_tcp_init(loop, &server);
	uv_tcp_open(&server, floor_listen(argc, argv));
	if (uv_listen((uv_stream_t *)&server, SOMAXCONN, connected))
		return 1;
	return uv_run(loop, UV_RUN_DEFAULT);
}
