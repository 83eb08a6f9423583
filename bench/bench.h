/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_H
#define COIL_BENCH_H

/*
 * The benchmarks share this: pinning, clocks, rounds, medians.  Each figure is printed
 * beside the raw limit measured in the same run, because only the ratio of the two
 * carries over to another machine.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BENCH_ROUNDS = 7 };

/*
 * bench/run sets BENCH_LINES.  A program then runs one round and prints only lines of
 * "work metric value unit".  Without it the program prints for people.
 */
static inline bool bench_lines(void)
{
	return getenv("BENCH_LINES") != NULL;
}

static inline int bench_rounds(void)
{
	return bench_lines() ? 1 : BENCH_ROUNDS;
}

static inline void bench_line(const char *work, const char *metric, double value, const char *unit)
{
	printf("%s %s %.6g %s\n", work, metric, value, unit);
	fflush(stdout);
}

/* Returns argument i, or usual if it is missing.  Ends the program if it is not a number. */
static inline long bench_argument(int argc, char **argv, int i, long usual)
{
	char *end;
	long n;

	if (argc <= i)
		return usual;
	n = strtol(argv[i], &end, 10);
	if (end == argv[i] || *end || n < 0) {
		fprintf(stderr, "%s: %s is no number; see the head of its source\n", argv[0],
			argv[i]);
		exit(2);
	}
	return n;
}

/* Pins to an allowed core, counted from the last: the first one handles interrupts. */
static inline void bench_pin_to(int nth)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static inline void bench_pin(void)
{
	bench_pin_to(0);
}

static inline double bench_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Return nanoseconds of wall time, and of this process's CPU time. */
static inline double bench_now(void)
{
	return bench_clock(CLOCK_MONOTONIC);
}

static inline double bench_cpu(void)
{
	return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double bench_median(double *figures, int n)
{
	qsort(figures, (size_t)n, sizeof(*figures), bench_compare);
	return figures[n / 2];
}

/* "switch, two tasks: 6.4 ns (raw 3.7 ns, 1.73 x)" */
static inline void bench_print(const char *what, double figure, const char *unit,
			       const char *raw_what, double raw)
{
	printf("%-34s %9.2f %-6s %-22s %9.2f  %7.2f x\n", what, figure, unit, raw_what, raw,
	       figure / raw);
}

#endif
