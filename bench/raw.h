/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_RAW_H
#define COIL_BENCH_RAW_H

/*
 * The raw limit of a switch is jump_fcontext alone, to and fro.  Its prototypes are
 * Boost's, and its objects are linked from Boost's archive.  The raw limit of a queue is a
 * ring.
 */

#include "bench/bench.h"
#include <stddef.h>

struct raw_transfer { void *context; void *data; };

struct raw_transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*fn)(struct raw_transfer));

static void raw_partner(struct raw_transfer from)
{
	for (;;)
		from = jump_fcontext(from.context, NULL);
}

/* Returns CPU ns for each switch. */
static inline double raw_switch(void)
{
	enum { SIZE = 65536, SWITCHES = 2000000 };
	char *stack = aligned_alloc(4096, SIZE);
	void *partner = make_fcontext(stack + SIZE, SIZE, raw_partner);
	double start = bench_cpu(), figure;

	for (int i = 0; i < SWITCHES / 2; i++)
		partner = jump_fcontext(partner, NULL).context;
	figure = (bench_cpu() - start) / SWITCHES;
	free(stack);
	return figure;
}

/*
 * Returns CPU ns for each item through a ring of 1024, which is filled and emptied by
 * turns.  The ring is volatile, so that the optimiser keeps items in memory, where they
 * would be in a real queue.
 */
static inline double raw_ring(void)
{
	enum { ITEMS = 2000000 };
	static volatile int ring[1024];
	unsigned wrong = 0;
	double start = bench_cpu();

	for (unsigned in = 0, out = 0; out < ITEMS;) {
		for (; in < ITEMS && in - out < 1024; in++)
			ring[in % 1024] = (int)in;
		for (; out < in; out++)
			wrong += ring[out % 1024] != (int)out;
	}
	if (wrong)
		abort();
	return (bench_cpu() - start) / ITEMS;
}

#endif
