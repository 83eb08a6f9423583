/* SPDX-License-Identifier: MIT */
/*
 * The memory of a sleeping task, with its page tables and guard, beside one page.
 * ARGUMENT: the number of tasks.
 */
#include "bench/resident.h"
#include <coil.h>
#include <unistd.h>

static int sleeper(void *arg)
{
	++*(size_t *)arg;
	return coil_sleep(COIL_SECOND * 3600);
}

static int app(void *arg)
{
	size_t n = *(size_t *)arg, entered = 0;
	double rss = bench_status("VmRSS"), tables = bench_status("VmPTE"), cpu = bench_cpu();
	struct coil_group group = {0};

	for (size_t i = 0; i < n; i++) {
		if (coil_group_create_task(&group, sleeper, &entered))
			return -1;
	}
	while (entered < n)
		coil_yield();
	cpu = (bench_cpu() - cpu) / (double)n;
	rss = (bench_status("VmRSS") - rss) / (double)n;
	tables = (bench_status("VmPTE") - tables) / (double)n;
	coil_group_cancel(&group);
	if (coil_group_wait(&group))
		return -1;
	if (bench_lines()) {
		bench_line("memory", "task", rss + tables, "bytes");
		bench_line("memory", "cpu", cpu, "ns");
		return 0;
	}
	printf("%zu sleeping tasks: %.0f bytes of RSS and %.0f of page tables each\n", n, rss,
	       tables);
	bench_print("a sleeping task", rss + tables, "bytes", "one page",
		    (double)sysconf(_SC_PAGESIZE));
	return 0;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;

	return coil_run(app, &n) < 0;
}
