/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int do_job(struct coil_stream *stream, const char *job)
{
	int err = coil_sleep(COIL_SECOND);

	if (err)
		return err;
	return (int)coil_stream_printf(stream, "%s: done\n", job);
}

static int answer(struct coil_stream *stream, void *arg)
{
	char *job;
	int n;

	while ((n = coil_stream_next_line(stream, &job, NULL)) > 0) {
		n = do_job(stream, job);
		if (n < 0 || coil_group_ending())
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
	printf("draining\n");
	coil_server_close(server, 10 * COIL_SECOND);
	return err;
}

int main(void)
{
	struct coil_options options = {0};
	sigset_t signals;
	int err;

	setlinebuf(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	options.stop_signals = &signals;
	err = coil_run_with(&options, serve, "unix:jobs.sock");
	if (err == -EINTR)
		return 0;
	fprintf(stderr, "shutdown: %s\n", strerror(-err));
	return 1;
}
