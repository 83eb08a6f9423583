/* SPDX-License-Identifier: MIT */
/*
 * State Threads: threads inside one process, switched with a setjmp of its own, on stacks
 * of 64 KiB (its default) without guards.  It uses select, which waits for microseconds.
 * poll would spin for waits below a millisecond.  It reads the clock once a turn, so a
 * sleep may end early.
 * ARGUMENTS: switch N | spawn N | queue N | timer N | steady TASKS TIMES | memory N
 */
#include "bench/resident.h"
#include "bench/sleeps.h"
#include <st.h>
#include <unistd.h>

enum { STACK = 0 /* the default */, MANY = 10000 };

static st_thread_t start(void *(*fn)(void *arg), void *arg)
{
	st_thread_t thread = st_thread_create(fn, arg, 1, STACK);

	if (!thread)
		abort();
	return thread;
}

/* It has no yield.  Waking the next thread and waiting is the nearest and the fastest. */
static struct {
	st_cond_t turn[1000];
	int tasks;
	long each;
} ring;

static void *yielder(void *arg)
{
	long self = (long)arg, next = (self + 1) % ring.tasks;

	for (long n = ring.each; n > 0; n--) {
		st_cond_signal(ring.turn[next]);
		st_cond_wait(ring.turn[self]);
	}
	st_cond_signal(ring.turn[next]);
	return NULL;
}

static double yields(int tasks, long each)
{
	static st_thread_t threads[1000];
	double begun;

	ring.tasks = tasks;
	ring.each = each;
	for (int i = 0; i < tasks; i++)
		ring.turn[i] = st_cond_new();
	for (long i = 0; i < tasks; i++)
		threads[i] = start(yielder, (void *)i);
	begun = bench_cpu();
	for (int i = 0; i < tasks; i++)
		st_thread_join(threads[i], NULL);
	return (bench_cpu() - begun) / ((double)tasks * (double)each);
}

static void *nothing(void *arg)
{
	return arg;
}

static double one_at_a_time(long n)
{
	double begun = bench_cpu();

	for (long i = 0; i < n; i++)
		st_thread_join(start(nothing, NULL), NULL);
	return (bench_cpu() - begun) / (double)n;
}

static double many_at_once(int turns)
{
	static st_thread_t threads[MANY];
	double begun = bench_cpu();

	for (int turn = 0; turn < turns; turn++) {
		for (int i = 0; i < MANY; i++)
			threads[i] = start(nothing, NULL);
		for (int i = 0; i < MANY; i++)
			st_thread_join(threads[i], NULL);
	}
	return (bench_cpu() - begun) / ((double)MANY * turns);
}

/* It has no queues: this is a ring with two conditions, as a user would write it. */
static struct {
	st_cond_t room, items;
	int ring[1024];
	unsigned in, out, slots;
	long n;
} queue;

static void *produce(void *arg)
{
	for (long i = 0; i < queue.n; i++) {
		while (queue.in - queue.out == queue.slots)
			st_cond_wait(queue.room);
		queue.ring[queue.in++ % 1024] = (int)i;
		if (queue.in - queue.out == 1)
			st_cond_signal(queue.items);
	}
	return arg;
}

static void *consume(void *arg)
{
	for (long i = 0; i < queue.n; i++) {
		while (queue.in == queue.out)
			st_cond_wait(queue.items);
		if (queue.ring[queue.out++ % 1024] != (int)i)
			abort();
		if (queue.in - queue.out == queue.slots - 1)
			st_cond_signal(queue.room);
	}
	return arg;
}

static double items(unsigned slots, long n)
{
	st_thread_t producer, consumer;
	double begun;

	queue.slots = slots;
	queue.n = n;
	queue.in = queue.out = 0;
	queue.room = st_cond_new();
	queue.items = st_cond_new();
	begun = bench_cpu();
	producer = start(produce, NULL);
	consumer = start(consume, NULL);
	st_thread_join(producer, NULL);
	st_thread_join(consumer, NULL);
	return (bench_cpu() - begun) / (double)n;
}

static void *sleeper(void *arg)
{
	for (size_t i = 0; i < bench_sleeps.times; i++) {
		uint32_t us = sleeps_next_us();
		int64_t when = sleeps_now() + (int64_t)us * 1000;

		st_usleep(us);
		sleeps_woke(when);
	}
	return arg;
}

static void sleeps(int argc, char **argv)
{
	st_thread_t *threads;

	sleeps_begin(argc, argv);
	threads = malloc(bench_sleeps.sleepers * sizeof(*threads));
	for (size_t i = 0; i < bench_sleeps.sleepers; i++)
		threads[i] = start(sleeper, NULL);
	for (size_t i = 0; i < bench_sleeps.sleepers; i++)
		st_thread_join(threads[i], NULL);
	sleeps_end();
}

static void *forever(void *arg)
{
	++*(long *)arg;
	st_sleep(3600);
	return NULL;
}

static void memory(long n)
{
	double before = bench_resident(), cpu = bench_cpu();
	long entered = 0;

	for (long i = 0; i < n; i++)
		st_thread_create(forever, &entered, 0, STACK);
	while (entered < n)
		st_usleep(0);
	cpu = bench_cpu() - cpu;
	bench_line("memory", "task", (bench_resident() - before) / (double)n, "bytes");
	bench_line("memory", "cpu", cpu / (double)n, "ns");
}

int main(int argc, char **argv)
{
	const char *work = argc > 1 ? argv[1] : "";
	long n = bench_argument(argc, argv, 2, 100000);

	bench_pin();
	st_set_eventsys(ST_EVENTSYS_SELECT);
	if (st_init())
		return 1;
	if (!strcmp(work, "switch")) {
		bench_line(work, "two", yields(2, n / 2), "ns");
		bench_line(work, "thousand", yields(1000, n / 1000), "ns");
	} else if (!strcmp(work, "spawn")) {
		many_at_once(1);
		bench_line(work, "one", one_at_a_time(n), "ns");
		bench_line(work, "many", many_at_once(1 + (int)(n / (MANY * 5 / 2))), "ns");
	} else if (!strcmp(work, "queue")) {
		bench_line(work, "wide", items(1024, n), "ns");
		bench_line(work, "one", items(1, n), "ns");
	} else if (!strcmp(work, "memory")) {
		memory(n);
		_exit(0);
	} else {
		sleeps(argc, argv);
	}
	return 0;
}
