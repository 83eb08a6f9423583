/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_LOAD_H
#define COIL_BENCH_LOAD_H

/* load.c (options, threads, report) and load_work.c (connections) share this. */

#include "bench/bench.h"
#include <netinet/in.h>
#include <string.h>

/*
 * Counts of latencies in ns, with 64 steps an octave.  A step is within 1.6% of the
 * value, up to 2^40 ns (18 minutes).
 */
enum { STEPS = 64, OCTAVES = 35, BUCKETS = STEPS * (OCTAVES + 1) };

struct histogram {
	uint64_t count[BUCKETS];
	uint64_t total;
	int64_t max;
};

static inline void histogram_add(struct histogram *h, int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;
	unsigned octave = 0, at;

	if (v >= 2 * STEPS)
		octave = 63 - 6 - (unsigned)__builtin_clzll(v);
	at = octave * STEPS + (unsigned)(v >> octave);
	h->count[at < BUCKETS ? at : BUCKETS - 1]++;
	h->total++;
	if (ns > h->max)
		h->max = ns;
}

/* Returns the value that the share does not exceed: the upper end of its step. */
static inline double histogram_at(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->total), seen = 0;

	for (unsigned at = 0; at < BUCKETS; at++) {
		unsigned octave = at < 2 * STEPS ? 0 : at / STEPS - 1;
		uint64_t step = at - octave * STEPS;

		seen += h->count[at];
		if (seen > wanted)
			return (double)((step + 1) << octave);
	}
	return (double)h->max;
}

enum mode { MODE_ECHO, MODE_ACCEPT, MODE_HTTP };

struct options {
	enum mode mode;
	struct sockaddr_in address;
	unsigned connections, depth, threads;
	size_t size;			/* of an echoed message */
	double seconds, warmup, rate;	/* rate 0: a closed loop */
	uint64_t requests;		/* 0: as many as the seconds hold */
	const char *path;		/* of the http request */
	char *body;			/* of the expected http reply, or NULL */
	size_t body_length;
	pid_t pids[64];			/* the server's processes, for their CPU time */
	unsigned pid_count;
};

struct conn;

/* A thread with its part of the connections. */
struct worker {
	const struct options *options;
	unsigned index, first, count;
	struct conn *conns;
	int epoll, timer;
	double begun, ended;		/* the ends of the measured stretch, ns */
	bool measuring, over;
	uint64_t replies, settled, wanted, scheduled;
	double schedule_start;
	struct histogram latency;
	char *scratch, *request;
	size_t request_length;
};

extern struct load_marks { void (*begin)(void); void (*end)(void); } load_marks;

void load_connect(struct worker *w);
void load_run(struct worker *w);
_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
