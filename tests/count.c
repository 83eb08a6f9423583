/* SPDX-License-Identifier: MIT */
/*
 * What instructions.sh counts the instructions of, on the backend of simulated time.
 * Between count_begin() and count_end() a work is done so many times, everything
 * that happens only once having happened before.
 */
#include "core/backend/backend.h"
#include "tests/support.h"
#include <coil.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TIMES = 2000, SLEEPERS = 500, SLEEPS = 10, CROWD = 1000 };

void count_begin(const char *work, int times);
void count_end(void);

/* callgrind is told to write down its count before it enters either. */
__attribute__((noinline)) void count_begin(const char *work, int times)
{
	printf("%s %d\n", work, times);
	fflush(stdout);
}

__attribute__((noinline)) void count_end(void)
{
	__asm__ volatile("" ::: "memory");
}

static void must(int err)
{
	if (err < 0) {
		fprintf(stderr, "count: %s\n", strerror(-err));
		exit(1);
	}
}

static int yields(void *arg)
{
	const bool *over = arg;

	while (!*over)
		coil_yield();
	return 0;
}

static void count_yield(void)
{
	bool over = false;
	struct coil_task *other = coil_create_task(yields, &over);

	for (int i = 0; i < 100; i++)
		coil_yield();
	count_begin("yield", 2 * TIMES);
	for (int i = 0; i < TIMES; i++)
		coil_yield();
	count_end();
	over = true;
	must(coil_await(other));
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void count_spawn(void)
{
	for (int i = 0; i < 100; i++)
		must(coil_await(coil_create_task(nothing, NULL)));
	count_begin("spawn", TIMES);
	for (int i = 0; i < TIMES; i++)
		must(coil_await(coil_create_task(nothing, NULL)));
	count_end();
}

static int put_all(void *arg)
{
	int err = 0;

	for (int i = 0; !err; i++)
		err = coil_queue_put(arg, &i);
	return err == -ESHUTDOWN ? 0 : err;
}

static void count_queue(const char *name, size_t slots)
{
	struct coil_task *producer;
	struct coil_queue queue;
	int item;

	must(coil_queue_init(&queue, sizeof(item), slots));
	producer = coil_create_task(put_all, &queue);
	for (int i = 0; i < 2048; i++)
		must(coil_queue_get(&queue, &item));
	count_begin(name, 2048);
	for (int i = 0; i < 2048; i++)
		must(coil_queue_get(&queue, &item));
	count_end();
	must(coil_queue_shutdown(&queue, true));
	must(coil_await(producer));
	coil_queue_fini(&queue);
}

/* Up to a second each, in an order that is not that of the tasks. */
static int sleeper(void *arg)
{
	uint32_t random = *(uint32_t *)arg;

	for (int i = 0; i < SLEEPS; i++) {
		random = random * 1664525 + 1013904223;
		must(coil_sleep(1 + random % COIL_SECOND));
	}
	return 0;
}

static void sleep_all(void)
{
	struct coil_task *tasks[SLEEPERS];
	uint32_t seeds[SLEEPERS];

	for (uint32_t i = 0; i < SLEEPERS; i++) {
		seeds[i] = i;
		tasks[i] = coil_create_task(sleeper, &seeds[i]);
	}
	must(coil_gather(tasks, SLEEPERS, NULL));
}

static void count_timer(void)
{
	sleep_all();
	count_begin("timer", SLEEPERS * SLEEPS);
	sleep_all();
	count_end();
}

static int echo(void *arg)
{
	char text[64];
	ssize_t n;

	while ((n = coil_recv(*(int *)arg, text, sizeof(text), 0)) > 0)
		must((int)coil_send(*(int *)arg, text, (size_t)n, 0));
	return (int)n;
}

static void count_echo(void)
{
	struct coil_task *server;
	char text[64] = "";
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	server = coil_create_task(echo, &fds[1]);
	for (int i = -100; i < TIMES; i++) {
		if (!i)
			count_begin("echo", TIMES);
		must((int)coil_send(fds[0], text, sizeof(text), 0));
		must((int)coil_recv(fds[0], text, sizeof(text), 0));
	}
	count_end();
	must(coil_close(fds[0]));
	must(coil_await(server));
	must(coil_close(fds[1]));
}

static int echo_lines(void *arg)
{
	struct coil_stream *stream = arg;
	const char *line;
	ssize_t n;

	while ((n = coil_stream_read_line(stream, &line)) > 0)
		must((int)coil_stream_write(stream, line, (size_t)n));
	return (int)n;
}

/* So many lines come together and are answered one by one. */
static void count_lines(const char *name, int together)
{
	char text[64 * 64], line[64];
	struct coil_stream *stream;
	struct coil_task *server;
	int fds[2];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < together; i++)
		memcpy(text + i * 64, line, sizeof(line));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	stream = coil_stream_open(fds[1]);
	server = coil_create_task(echo_lines, stream);
	for (int i = -64; i < TIMES; i += together) {
		if (!i)
			count_begin(name, (TIMES + together - 1) / together * together);
		must((int)coil_send(fds[0], text, (size_t)together * 64, 0));
		for (int got = 0; got < together * 64;)
			got += (int)coil_recv(fds[0], text + got, sizeof(text) - (size_t)got, 0);
	}
	count_end();
	must(coil_close(fds[0]));
	must(coil_await(server));
	must(coil_stream_close(stream));
}

static int sleep_long(void *arg)
{
	(void)arg;
	return coil_sleep(3600 * COIL_SECOND);
}

/* Around what does not park, and nearer than all the other deadlines. */
static void count_timeout(void)
{
	struct coil_task *tasks[SLEEPERS];
	volatile int inside = 0;

	for (int i = 0; i < SLEEPERS; i++)
		tasks[i] = coil_create_task(sleep_long, NULL);
	must(coil_sleep(1));
	count_begin("timeout", TIMES);
	for (int i = 0; i < TIMES; i++) {
		COIL_TIMEOUT(COIL_SECOND)
			inside++;
	}
	(void)inside;
	count_end();
	for (int i = 0; i < SLEEPERS; i++) {
		coil_cancel(tasks[i]);
		coil_await(tasks[i]);
	}
}

static int meet(void *arg)
{
	for (int i = 0; i < SLEEPS; i++)
		must(coil_barrier_wait(arg));
	return 0;
}

static void meet_all(void)
{
	struct coil_barrier barrier = COIL_BARRIER(CROWD);
	struct coil_task *tasks[CROWD];

	for (int i = 0; i < CROWD; i++)
		tasks[i] = coil_create_task(meet, &barrier);
	must(coil_gather(tasks, CROWD, NULL));
}

/* So many that what looks at all of them each time is seen. */
static void count_barrier(void)
{
	meet_all();
	count_begin("barrier", CROWD * SLEEPS);
	meet_all();
	count_end();
}

static int sleep_in_turn(void *arg)
{
	return coil_sleep((1 + (intptr_t)arg * 7 % CROWD) * COIL_MILLISECOND);
}

static void complete_all(void)
{
	struct coil_task *tasks[CROWD];
	size_t done = 0;
	int at;

	for (intptr_t i = 0; i < CROWD; i++)
		tasks[i] = coil_create_task(sleep_in_turn, (void *)i);
	while ((at = coil_as_completed(tasks, CROWD, &done)) >= 0)
		must(coil_await(tasks[at]));
}

/* One by one, and the tasks made for it included. */
static void count_completed(void)
{
	complete_all();
	count_begin("completed", CROWD);
	complete_all();
	count_end();
}

static int app(void *arg)
{
	(void)arg;
	count_yield();
	count_spawn();
	count_queue("queue-1024", 1024);
	count_queue("queue-1", 1);
	count_timer();
	count_echo();
	count_timeout();
	count_lines("line", 1);
	count_lines("lines-64", 64);
	count_barrier();
	count_completed();
	return 0;
}

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

int main(int argc, char **argv)
{
	struct coil_options options = { .backend = "sim" };
	int i = 0;

	if (argc > 1 && !strcmp(argv[1], "compiler")) {
		puts(COMPILER);
		return 0;
	}
	while (coil__backends[i])
		i++;
	coil__backends[i] = &coil__sim;
	must(coil_run_with(&options, app, NULL));
	return 0;
}
