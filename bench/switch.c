/* SPDX-License-Identifier: MIT */
/*
 * What a yield costs: two tasks that hand the thread to each other, and a
 * thousand that take turns, beside a bare jump_fcontext to and fro.
 */
#include "bench/raw.h"
#include <coil.h>

static int yielder(void *arg)
{
	int n = *(int *)arg;

	for (int i = 0; i < n; i++)
		coil_yield();
	return 0;
}

static double yields(struct coil_task *tasks[], size_t n, int each)
{
	double start;

	for (size_t i = 0; i < n; i++)
		tasks[i] = coil_create_task(yielder, &each);
	start = bench_now();
	coil_gather(tasks, n, NULL);
	return (bench_now() - start) / ((double)n * each);
}

static int app(void *arg)
{
	double raw[BENCH_ROUNDS], two[BENCH_ROUNDS], many[BENCH_ROUNDS], limit;
	struct coil_task *tasks[1000];

	(void)arg;
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		raw[i] = raw_switch();
		two[i] = yields(tasks, 2, 1000000);
		many[i] = yields(tasks, 1000, 2000);
	}
	limit = bench_median(raw, BENCH_ROUNDS);
	bench_print("yield, 2 tasks", bench_median(two, BENCH_ROUNDS), "ns", "jump_fcontext",
		    limit);
	bench_print("yield, 1000 tasks", bench_median(many, BENCH_ROUNDS), "ns", "jump_fcontext",
		    limit);
	return 0;
}

int main(void)
{
	bench_pin();
	return coil_run(app, NULL) < 0;
}
