/* SPDX-License-Identifier: MIT */
/*
 * The cost of creating and awaiting a task, one at a time and ten thousand at once, with
 * a warm pool of stacks, beside a bare jump_fcontext.
 * ARGUMENT: the number of tasks for "one at a time".
 */
#include "bench/raw.h"
#include <coil.h>

enum { ONE = 500000, MANY = 10000 };

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static double one_at_a_time(int n)
{
	double start = bench_cpu();

	for (int i = 0; i < n; i++)
		coil_await(coil_create_task(nothing, NULL));
	return (bench_cpu() - start) / n;
}

static double many_at_once(struct coil_task *tasks[], int turns)
{
	double start = bench_cpu();

	for (int turn = 0; turn < turns; turn++) {
		for (int i = 0; i < MANY; i++)
			tasks[i] = coil_create_task(nothing, NULL);
		coil_gather(tasks, MANY, NULL);
	}
	return (bench_cpu() - start) / ((double)MANY * turns);
}

static int app(void *arg)
{
	static struct coil_task *tasks[MANY];
	double raw[BENCH_ROUNDS], one[BENCH_ROUNDS], many[BENCH_ROUNDS], limit;
	int n = *(int *)arg, turns = 1 + n / (MANY * 5 / 2), rounds = bench_rounds();

	many_at_once(tasks, 1);
	for (int i = 0; i < rounds; i++) {
		raw[i] = bench_lines() ? 0 : raw_switch();
		one[i] = one_at_a_time(n);
		many[i] = many_at_once(tasks, turns);
	}
	if (bench_lines()) {
		bench_line("spawn", "one", one[0], "ns");
		bench_line("spawn", "many", many[0], "ns");
		return 0;
	}
	limit = bench_median(raw, rounds);
	bench_print("spawn + await, one at a time", bench_median(one, rounds), "ns",
		    "jump_fcontext", limit);
	bench_print("spawn + gather, 10,000 at once", bench_median(many, rounds), "ns",
		    "jump_fcontext", limit);
	return 0;
}

int main(int argc, char **argv)
{
	int n = (int)bench_argument(argc, argv, 1, ONE);

	bench_pin();
	return coil_run(app, &n) < 0;
}
