/* SPDX-License-Identifier: MIT */
/*
 * What it costs to bring an item from one task to another, through a queue of
 * 1024 slots and through one of a single slot, beside a bare jump_fcontext and a
 * bare ring buffer.
 */
#include "bench/raw.h"
#include <coil.h>
#include <errno.h>

enum { ITEMS = 2000000 };

static int produce(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		int err = coil_queue_put(arg, &i);

		if (err)
			return err;
	}
	return 0;
}

static int consume(void *arg)
{
	for (int i = 0, item; i < ITEMS; i++) {
		int err = coil_queue_get(arg, &item);

		if (err || item != i)
			return err ? err : -EIO;
	}
	return 0;
}

static double items(size_t slots)
{
	struct coil_queue queue;
	struct coil_task *tasks[2];
	double start;

	if (coil_queue_init(&queue, sizeof(int), slots))
		abort();
	tasks[0] = coil_create_task(produce, &queue);
	tasks[1] = coil_create_task(consume, &queue);
	start = bench_now();
	if (coil_gather(tasks, 2, NULL))
		abort();
	start = (bench_now() - start) / ITEMS;
	coil_queue_fini(&queue);
	return start;
}

/* Opaque to the optimiser: an item goes through memory, as it would anyway. */
static double bare_ring(void)
{
	static volatile int ring[1024];
	unsigned wrong = 0;
	double start = bench_now();

	for (unsigned in = 0, out = 0; out < ITEMS;) {
		for (; in < ITEMS && in - out < 1024; in++)
			ring[in % 1024] = (int)in;
		for (; out < in; out++)
			wrong += ring[out % 1024] != (int)out;
	}
	if (wrong)
		abort();
	return (bench_now() - start) / ITEMS;
}

static int app(void *arg)
{
	double raw[BENCH_ROUNDS], ring[BENCH_ROUNDS], wide[BENCH_ROUNDS], narrow[BENCH_ROUNDS];
	double limit;

	(void)arg;
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		raw[i] = raw_switch();
		ring[i] = bare_ring();
		wide[i] = items(1024);
		narrow[i] = items(1);
	}
	limit = bench_median(raw, BENCH_ROUNDS);
	bench_print("item, 1024 slots", bench_median(wide, BENCH_ROUNDS), "ns", "jump_fcontext",
		    limit);
	bench_print("item, 1024 slots", bench_median(wide, BENCH_ROUNDS), "ns", "bare ring",
		    bench_median(ring, BENCH_ROUNDS));
	bench_print("item, 1 slot", bench_median(narrow, BENCH_ROUNDS), "ns", "jump_fcontext",
		    limit);
	return 0;
}

int main(void)
{
	bench_pin();
	return coil_run(app, NULL) < 0;
}
