/* SPDX-License-Identifier: MIT */
/*
 * The cost of passing an item from one task to another through a queue of 1024 slots, and
 * through one of a single slot.  Beside it stand a bare jump_fcontext, a bare ring
 * buffer, and two calls that only check for a pending cancellation, as each put and get
 * does first.  ARGUMENT: the number of items.
 */
#include "bench/raw.h"
#include <coil.h>
#include <errno.h>

static int items_of_all = 2000000;

static int produce(void *arg)
{
	for (int i = 0; i < items_of_all; i++) {
		int err = coil_queue_put(arg, &i);

		if (err)
			return err;
	}
	return 0;
}

static int consume(void *arg)
{
	for (int i = 0, item; i < items_of_all; i++) {
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
	start = bench_cpu();
	if (coil_gather(tasks, 2, NULL))
		abort();
	start = (bench_cpu() - start) / items_of_all;
	coil_queue_fini(&queue);
	return start;
}

static double two_calls(void)
{
	double start = bench_cpu();

	for (int i = 0; i < items_of_all; i++) {
		if (coil_check() || coil_check())
			abort();
	}
	return (bench_cpu() - start) / items_of_all;
}

static int app(void *arg)
{
	double calls[BENCH_ROUNDS], raw[BENCH_ROUNDS], ring[BENCH_ROUNDS];
	double wide[BENCH_ROUNDS], narrow[BENCH_ROUNDS];
	int rounds = bench_rounds();
	double limit;

	(void)arg;
	for (int i = 0; i < rounds; i++) {
		raw[i] = bench_lines() ? 0 : raw_switch();
		ring[i] = bench_lines() ? 0 : raw_ring();
		calls[i] = bench_lines() ? 0 : two_calls();
		wide[i] = items(1024);
		narrow[i] = items(1);
	}
	if (bench_lines()) {
		bench_line("queue", "wide", wide[0], "ns");
		bench_line("queue", "one", narrow[0], "ns");
		return 0;
	}
	limit = bench_median(raw, rounds);
	bench_print("item, 1024 slots", bench_median(wide, rounds), "ns", "jump_fcontext", limit);
	bench_print("item, 1024 slots", bench_median(wide, rounds), "ns", "bare ring",
		    bench_median(ring, rounds));
	bench_print("item, 1024 slots", bench_median(wide, rounds), "ns", "two calls",
		    bench_median(calls, rounds));
	bench_print("item, 1 slot", bench_median(narrow, rounds), "ns", "jump_fcontext", limit);
	return 0;
}

int main(int argc, char **argv)
{
	items_of_all = (int)bench_argument(argc, argv, 1, items_of_all);
	bench_pin();
	return coil_run(app, NULL) < 0;
}
