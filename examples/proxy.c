/* SPDX-License-Identifier: MIT */
/*
 * Passes connections on to another address.
 *
 *	$ ./proxy 127.0.0.1:8000 example.org:80
 *	listening on 127.0.0.1:8000
 *	$ curl -H 'Host: example.org' http://127.0.0.1:8000/
 *
 * Addresses are 127.0.0.1:8080, [::1]:8080, localhost:8080, :8080, unix:/path,
 * unix:@name.  When one side has nothing more to send, the proxy shuts down that
 * direction, and the other side may go on sending.  The target may take --connect SECONDS
 * (5) to accept.  Both sides may be silent for --idle SECONDS (300).  If a side fails, the
 * other one gets a reset.  SIGINT and SIGTERM end the program.
 *
 * asyncio: start_server(), open_connection(), TaskGroup, timeout().
 */
#include "log.h"
#include "options.h"
#include <coil.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct pair {
	struct coil_stream *client, *target;
	struct coil_group group;
	int pumps;
	int64_t active;		/* when bytes were last passed on */
};

static struct log out, errors;
static const char *listen_address, *target_address;
static int64_t connect_time = 5 * COIL_SECOND, idle_time = 300 * COIL_SECOND;

/* A slow reader fills its stream's queue.  The write then parks, and no more is read. */
static int pump(struct pair *pair, struct coil_stream *from, struct coil_stream *to)
{
	char buf[16384];
	ssize_t n;

	while ((n = coil_stream_read(from, buf, sizeof(buf))) > 0) {
		pair->active = coil_now();
		n = coil_stream_write(to, buf, (size_t)n);
		if (n < 0)
			break;
	}
	if (!n)
		n = coil_stream_shutdown(to);
	/* The last pump to end cancels watch(). */
	if (!n && --pair->pumps == 0)
		coil_group_cancel(&pair->group);
	return (int)n;
}

static int pump_up(void *arg)
{
	struct pair *pair = arg;

	return pump(pair, pair->client, pair->target);
}

static int pump_down(void *arg)
{
	struct pair *pair = arg;

	return pump(pair, pair->target, pair->client);
}

/* Its error is the error of the group, which then cancels the pumps. */
static int watch(void *arg)
{
	struct pair *pair = arg;
	int err = 0;

	while (!err && pair->active + idle_time > coil_now())
		err = coil_sleep_until(pair->active + idle_time);
	return err ? err : -ETIMEDOUT;
}

static void complain(const struct coil_stream *client, const char *what, int err)
{
	char peer[COIL_ADDRESS_SIZE] = "unix";

	(void)!coil_peer_address(coil_stream_fd(client), peer, sizeof(peer));
	log_line(&errors, "proxy: %s: %s: %s", peer, what, strerror(-err));
}

/* Makes the close reset the connection.  A peer could take an orderly end for a whole transfer. */
static void cut(const struct coil_stream *stream)
{
	const struct linger none = { .l_onoff = 1 };

	setsockopt(coil_stream_fd(stream), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

/*
 * Returns -ECANCELED if a side failed.  The server then closes the client's stream without
 * a flush.
 */
static int serve(struct coil_stream *client, void *arg)
{
	struct pair pair = { .client = client, .pumps = 2 };
	int err = 0;

	COIL_TIMEOUT(connect_time) {
		pair.target = coil_open_connection(target_address);
		err = pair.target ? 0 : -errno;
	}
	if (err) {
		complain(client, target_address, err);
		return -ECANCELED;
	}
	pair.active = coil_now();
	coil_group_create_task(&pair.group, pump_up, &pair);
	coil_group_create_task(&pair.group, pump_down, &pair);
	coil_group_create_task(&pair.group, watch, &pair);
	err = coil_group_wait(&pair.group);
	if (err && err != -ECANCELED)
		complain(client, "closed", err);
	if (err) {
		cut(client);
		cut(pair.target);
	}
	/* After an error bytes may be queued, and a stalled target never takes them. */
	COIL_TIMEOUT(0)
		coil_stream_close(pair.target);
	return err ? -ECANCELED : 0;
}

static int run(void *arg)
{
	struct coil_server *server;
	char address[COIL_ADDRESS_SIZE];
	int err;

	server = coil_start_server(listen_address, serve, NULL, NULL);
	if (!server) {
		err = -errno;
		log_line(&errors, "proxy: cannot listen on %s: %s", listen_address,
			 strerror(-err));
		return err;
	}
	for (size_t i = 0; coil_server_fd(server, i) >= 0; i++) {
		if (coil_local_address(coil_server_fd(server, i), address,
				       sizeof(address)) >= 0)
			log_line(&out, "listening on %s", address);
	}
	err = coil_serve_forever(server);
	coil_server_close(server, 0);
	return err;
}

static int run_logged(void *arg)
{
	int err;

	log_open(&out, STDOUT_FILENO);
	log_open(&errors, STDERR_FILENO);
	err = run(arg);
	log_close(&out);
	log_close(&errors);
	return err;
}

static void read_options(int argc, char *argv[])
{
	static const char usage[] =
		"usage: proxy [--connect SECONDS] [--idle SECONDS] LISTEN TARGET\n";
	static const struct option names[] = {
		{ "connect", required_argument, NULL, 'c' },
		{ "idle", required_argument, NULL, 'i' }, OPTION_HELP, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'h' || option == '?')
			options_end(option == 'h', usage);
		if (!options_seconds(optarg, option == 'c' ? &connect_time : &idle_time))
			options_end(false, usage);
	}
	if (argc - optind != 2)
		options_end(false, usage);
	listen_address = argv[optind];
	target_address = argv[optind + 1];
}

int main(int argc, char *argv[])
{
	sigset_t signals;
	int err;

	read_options(argc, argv);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals },
			    run_logged, NULL);
	if (!err || err == -EINTR)
		return 0;
	fprintf(stderr, "proxy: %s\n", strerror(-err));
	return 1;
}
