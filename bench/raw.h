/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_RAW_H
#define COIL_BENCH_RAW_H

/*
 * The raw limit of a switch: jump_fcontext alone, to and fro.  The prototypes are
 * boost's own; the objects are linked from its archive.
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

/* Nanoseconds a switch. */
static inline double raw_switch(void)
{
	enum { SIZE = 65536, SWITCHES = 2000000 };
	char *stack = aligned_alloc(4096, SIZE);
	void *partner = make_fcontext(stack + SIZE, SIZE, raw_partner);
	double start = bench_now(), figure;

	for (int i = 0; i < SWITCHES / 2; i++)
		partner = jump_fcontext(partner, NULL).context;
	figure = (bench_now() - start) / SWITCHES;
	free(stack);
	return figure;
}

#endif
