/* SPDX-License-Identifier: MIT */
/*
 * What it costs to make a task and to await it, one at a time and ten thousand at
 * once, with the pool of stacks warm, beside a bare jump_fcontext.
 */
#include "bench/raw.h"
#include <coil.h>

enum { ONE = 500000, MANY = 10000, TURNS = 20 };

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static double one_at_a_time(void)
{
	double start = bench_now();

	for (int i = 0; i < ONE; i++)
		coil_await(coil_create_task(nothing, NULL));
	return (bench_now() - start) / ONE;
}

static double many_at_once(struct coil_task *tasks[])
{
	double start = bench_now();

	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < MANY; i++)
			tasks[i] = coil_create_task(nothing, NULL);
		coil_gather(tasks, MANY, NULL);
	}
	return (bench_now() - start) / (MANY * TURNS);
}

static int app(void *arg)
{
	static struct coil_task *tasks[MANY];
	double raw[BENCH_ROUNDS], one[BENCH_ROUNDS], many[BENCH_ROUNDS], limit;

	(void)arg;
	many_at_once(tasks);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		raw[i] = raw_switch();
		one[i] = one_at_a_time();
		many[i] = many_at_once(tasks);
	}
	limit = bench_median(raw, BENCH_ROUNDS);
	bench_print("spawn + await, one at a time", bench_median(one, BENCH_ROUNDS), "ns",
		    "jump_fcontext", limit);
	bench_print("spawn + gather, 10,000 at once", bench_median(many, BENCH_ROUNDS), "ns",
		    "jump_fcontext", limit);
	return 0;
}

int main(void)
{
	bench_pin();
	return coil_run(app, NULL) < 0;
}
