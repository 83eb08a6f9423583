/* SPDX-License-Identifier: MIT */
/*
 * The cost of a yield between two tasks, and among a thousand in turn, beside a bare
 * jump_fcontext to and fro.  ARGUMENT: the number of yields.
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
	start = bench_cpu();
	coil_gather(tasks, n, NULL);
	return (bench_cpu() - start) / ((double)n * each);
}

static int app(void *arg)
{
	double raw[BENCH_ROUNDS], two[BENCH_ROUNDS], many[BENCH_ROUNDS], limit;
	int yields_of_all = *(int *)arg, rounds = bench_rounds();
	struct coil_task *tasks[1000];

	for (int i = 0; i < rounds; i++) {
		raw[i] = bench_lines() ? 0 : raw_switch();
		two[i] = yields(tasks, 2, yields_of_all / 2);
		many[i] = yields(tasks, 1000, yields_of_all / 1000);
	}
	if (bench_lines()) {
		bench_line("switch", "two", two[0], "ns");
		bench_line("switch", "thousand", many[0], "ns");
		return 0;
	}
	limit = bench_median(raw, rounds);
	bench_print("yield, 2 tasks", bench_median(two, rounds), "ns", "jump_fcontext", limit);
	bench_print("yield, 1000 tasks", bench_median(many, rounds), "ns", "jump_fcontext", limit);
	return 0;
}

int main(int argc, char **argv)
{
	int n = (int)bench_argument(argc, argv, 1, 2000000);

	bench_pin();
	return coil_run(app, &n) < 0;
}
