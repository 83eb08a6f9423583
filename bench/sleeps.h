/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_SLEEPS_H
#define COIL_BENCH_SLEEPS_H

/*
 * The common part of the works "timer" and "steady".  Only the sleep call differs between
 * coil and its peers.  This file chooses the length of each sleep and records how late
 * it woke.
 *
 *	timer	N sleeps at once, each of 0 to 1000 ms
 *	steady	T tasks that sleep K times each, for 0 to 100 ms
 *
 * CPU is counted from before the first task or timer is created until the last one has
 * woken, so it includes their creation.  A sleep is due at the time of its call plus its
 * length.  Both times are read from the clock, not from the library.
 */

#include "bench/bench.h"
#include <inttypes.h>
#include <string.h>

static struct bench_sleeps {
	const char *work;
	size_t sleepers, times;		/* the number of sleepers, and of sleeps of each */
	uint32_t longest_us, seed;
	double cpu;
	int32_t *late;			/* lateness of each sleep, in units of 100 ns */
	size_t woken, early;
} bench_sleeps;

static inline int64_t sleeps_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ARGUMENTS: timer N | steady TASKS TIMES. */
static inline void sleeps_begin(int argc, char **argv)
{
	struct bench_sleeps *s = &bench_sleeps;
	size_t bytes;

	s->work = argc > 1 ? argv[1] : "timer";
	if (strcmp(s->work, "timer") != 0 && strcmp(s->work, "steady") != 0) {
		fprintf(stderr, "Usage: %s timer [N] | steady [TASKS [TIMES]]\n", argv[0]);
		exit(2);
	}
	s->times = !strcmp(s->work, "steady") ? (size_t)bench_argument(argc, argv, 3, 20) : 1;
	s->sleepers = (size_t)bench_argument(argc, argv, 2, s->times > 1 ? 5000 : 100000);
	s->longest_us = s->times > 1 ? 100000 : 1000000;
	s->seed = 1;
	bytes = s->sleepers * s->times * sizeof(*s->late);
	s->late = (int32_t *)malloc(bytes);
	if (!s->late)
		abort();
	memset(s->late, 1, bytes);
	s->cpu = bench_cpu();
}

/* Returns the length of the next sleep, in microseconds. */
static inline uint32_t sleeps_next_us(void)
{
	bench_sleeps.seed = bench_sleeps.seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)bench_sleeps.seed * bench_sleeps.longest_us) >> 32);
}

/* Records that a sleep that was due at `when` has ended.  Returns true after the last. */
static inline bool sleeps_woke(int64_t when)
{
	struct bench_sleeps *s = &bench_sleeps;
	int64_t late = sleeps_now() - when;

	s->early += late < 0;
	s->late[s->woken++] = (int32_t)(late / 100);
	return s->woken == s->sleepers * s->times;
}

static inline int sleeps_compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static inline void sleeps_end(void)
{
	struct bench_sleeps *s = &bench_sleeps;
	double cpu = (bench_cpu() - s->cpu) / (double)s->woken;

	if (!s->woken || s->woken != s->sleepers * s->times)
		abort();
	qsort(s->late, s->woken, sizeof(*s->late), sleeps_compare);
	bench_line(s->work, "cpu", cpu, "ns");
	bench_line(s->work, "p50", s->late[s->woken / 2] / 10.0, "us");
	bench_line(s->work, "p99", s->late[s->woken * 99 / 100] / 10.0, "us");
	bench_line(s->work, "max", s->late[s->woken - 1] / 10.0, "us");
	bench_line(s->work, "early", (double)s->early, "sleeps");
}

#endif
