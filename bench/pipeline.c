/* SPDX-License-Identifier: MIT */
/*
 * The cost of answering pipelined requests.  64 lines arrive together over TCP, and each
 * gets a line as its answer.
 *
 *	by hand	one receive and one send for all lines, without a stream
 *	a batch	reads lines from a stream, collects the answers in its own memory, and
 *		writes them when no line is left
 *	each	the obvious loop: reads a line, writes an answer
 *
 * Figures are CPU ns of this process for each request, with the kernel's work, and the
 * ratio to "a batch" of the same round.
 */
#include "bench/bench.h"
#include <arpa/inet.h>
#include <coil.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 16, BATCH = 64, BATCHES = 20000 };

#define QUESTION "GET key\r\n"
#define ANSWER "+PONG\r\n"

enum { ASKED = sizeof(QUESTION) - 1, ANSWERED = sizeof(ANSWER) - 1 };

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Answers all lines of a receive in one send. */
static int by_hand(void *arg)
{
	char in[4096], out[4096];
	int fd = *(int *)arg;
	ssize_t n;

	while ((n = coil_recv(fd, in, sizeof(in), 0)) > 0) {
		size_t len = 0;

		for (char *at = in; (at = memchr(at, '\n', (size_t)(in + n - at))); at++) {
			memcpy(out + len, ANSWER, ANSWERED);
			len += ANSWERED;
		}
		if (coil_send(fd, out, len, 0) != (ssize_t)len)
			break;
	}
	coil_close(fd);
	return 0;
}

static int a_batch(void *arg)
{
	struct coil_stream *stream = coil_stream_open(*(int *)arg);
	const char *line;
	char out[4096];
	size_t len = 0;

	must(stream != NULL, "a stream");
	while (coil_stream_read_line(stream, &line) > 0) {
		memcpy(out + len, ANSWER, ANSWERED);
		len += ANSWERED;
		if (coil_stream_buffered(stream) && len < sizeof(out) - ANSWERED)
			continue;
		if (coil_stream_write(stream, out, len) < 0)
			break;
		len = 0;
	}
	coil_stream_close(stream);
	return 0;
}

static int each(void *arg)
{
	struct coil_stream *stream = coil_stream_open(*(int *)arg);
	const char *line;

	must(stream != NULL, "a stream");
	while (coil_stream_read_line(stream, &line) > 0) {
		if (coil_stream_write(stream, ANSWER, ANSWERED) < 0)
			break;
	}
	/* The client may have closed with the last answers unread, so errors are ignored. */
	coil_stream_close(stream);
	return 0;
}

static const struct way {
	const char *name;
	int (*serve)(void *fd);
	int batch;
} ways[] = {
	{ "64 together, a batch", a_batch, BATCH },
	{ "64 together, each", each, BATCH },
	{ "64 together, by hand", by_hand, BATCH },
	{ "one at a time, a batch", a_batch, 1 },
	{ "one at a time, each", each, 1 },
	{ "one at a time, by hand", by_hand, 1 },
};

enum { WAYS = sizeof(ways) / sizeof(*ways), SAME = 3 };

/* Sends a batch on each connection, and the next one when all of it was answered. */
static void load(const int fds[], int batch)
{
	static char asked[BATCH * ASKED];
	struct pollfd polled[CONNECTIONS];
	char taken[4096];
	int got[CONNECTIONS] = {0}, times = batch == 1 ? BATCHES * 4 : BATCHES;

	bench_pin_to(1);
	for (int i = 0; i < batch; i++)
		memcpy(asked + (ptrdiff_t)i * ASKED, QUESTION, ASKED);
	for (int i = 0; i < CONNECTIONS; i++) {
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		must(send(fds[i], asked, (size_t)batch * ASKED, 0) > 0, "send");
	}
	while (times > 0) {
		must(poll(polled, CONNECTIONS, -1) > 0, "poll");
		for (int i = 0; i < CONNECTIONS; i++) {
			if (!polled[i].revents)
				continue;
			got[i] += (int)recv(fds[i], taken, sizeof(taken), 0);
			if (got[i] < batch * ANSWERED)
				continue;
			got[i] = 0;
			times--;
			must(send(fds[i], asked, (size_t)batch * ASKED, MSG_NOSIGNAL) > 0, "send");
		}
	}
	_exit(0);
}

struct run {
	const struct way *way;
	int fds[CONNECTIONS];
	double cost;
};

static int app(void *arg)
{
	struct run *run = arg;
	struct coil_task *tasks[CONNECTIONS];
	double began = bench_cpu();
	int err;

	for (int i = 0; i < CONNECTIONS; i++) {
		tasks[i] = coil_create_task(run->way->serve, &run->fds[i]);
		must(tasks[i] != NULL, "a task");
	}
	err = coil_gather(tasks, CONNECTIONS, NULL);
	run->cost = bench_cpu() - began;
	return err;
}

static void connect_all(int fds[], int peers[])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(!bind(listener, (struct sockaddr *)&addr, len), "bind");
	must(!listen(listener, CONNECTIONS), "listen");
	getsockname(listener, (struct sockaddr *)&addr, &len);
	for (int i = 0; i < CONNECTIONS; i++) {
		peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		must(!connect(peers[i], (struct sockaddr *)&addr, len), "connect");
		fds[i] = accept(listener, NULL, NULL);
		setsockopt(peers[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	close(listener);
}

/* Returns CPU ns for each request. */
static double measure(const struct way *way)
{
	int peers[CONNECTIONS], batches = way->batch == 1 ? BATCHES * 4 : BATCHES;
	struct run run = { .way = way };
	pid_t pid;

	connect_all(run.fds, peers);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid)
		load(peers, way->batch);
	for (int i = 0; i < CONNECTIONS; i++)
		close(peers[i]);
	must(!coil_run(app, &run), "the run");
	waitpid(pid, NULL, 0);
	return run.cost / ((double)batches * way->batch);
}

int main(int argc, char *argv[])
{
	int rounds = (int)bench_argument(argc, argv, 1, BENCH_ROUNDS);
	double figures[WAYS][64], ratios[WAYS][64];

	if (rounds < 1 || rounds > 64)
		return 2;
	bench_pin();
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < WAYS; i++) {
			figures[i][round] = measure(&ways[i]);
			ratios[i][round] = figures[i][round] / figures[i / SAME * SAME][round];
		}
	}
	for (int i = 0; i < WAYS; i++)
		printf("%-24s %7.1f ns a request %6.3f x\n", ways[i].name,
		       bench_median(figures[i], rounds), bench_median(ratios[i], rounds));
	return 0;
}
