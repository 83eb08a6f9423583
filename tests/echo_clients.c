/* SPDX-License-Identifier: MIT */
/*
 * echo_clients ADDRESS COUNT: so many connections, all open before the first byte
 * is sent, each of which sends messages of several sizes and wants them back.
 * Prints how many did; status 0 if all.
 */
#include <coil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MESSAGES = 5, MESSAGE_MAX = 20000 };

static const char *address;
static long count;
static struct coil_barrier all_connected;
static long good;

static int converse(struct coil_stream *stream, int seed)
{
	static const size_t sizes[MESSAGES] = { 1, 7, 100, 4096, MESSAGE_MAX };
	char *sent = malloc(2 * MESSAGE_MAX), *back = sent + MESSAGE_MAX;
	ssize_t n = sent ? 0 : -ENOMEM;

	for (int i = 0; n >= 0 && i < MESSAGES; i++) {
		for (size_t at = 0; at < sizes[i]; at++)
			sent[at] = (char)(seed + i + (int)at);
		n = coil_stream_write(stream, sent, sizes[i]);
		if (n >= 0)
			n = coil_stream_read_exactly(stream, back, sizes[i]);
		if (n >= 0 && memcmp(sent, back, sizes[i]))
			n = -EPROTO;
	}
	free(sent);
	return n < 0 ? (int)n : 0;
}

/* The other side has to see the end, and close. */
static int finish(struct coil_stream *stream)
{
	char byte;
	ssize_t n = coil_stream_shutdown(stream);

	if (!n)
		n = coil_stream_read(stream, &byte, 1);
	return n > 0 ? -EPROTO : (int)n;
}

static int client(void *arg)
{
	struct coil_stream *stream = coil_open_connection(address);
	int err = stream ? 0 : -errno;

	if (!err)
		err = coil_barrier_wait(&all_connected);
	if (err >= 0)
		err = converse(stream, (int)(intptr_t)arg);
	if (!err)
		err = finish(stream);
	if (stream)
		coil_stream_close(stream);
	good += !err;
	return err;
}

static int app(void *arg)
{
	struct coil_group group = {0};
	struct coil_barrier barrier = COIL_BARRIER((int)count);

	all_connected = barrier;
	for (intptr_t i = 0; i < count; i++)
		coil_group_create_task(&group, client, (void *)i);
	return coil_group_wait(&group);
}

int main(int argc, char *argv[])
{
	struct rlimit limit;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: echo_clients ADDRESS COUNT\n");
		return 2;
	}
	address = argv[1];
	count = strtol(argv[2], NULL, 10);
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	err = coil_run(app, NULL);
	printf("%ld of %ld\n", good, count);
	if (err)
		fprintf(stderr, "echo_clients: %s\n", strerror(-err));
	return err || good != count;
}
