/* SPDX-License-Identifier: MIT */
/*
 * The floors of what needs no kernel.  ARGUMENTS: jump | ring | page [N]: a bare
 * jump_fcontext, an item through a bare ring, a page touched for the first time.
 */
#include "bench/raw.h"
#include "bench/resident.h"
#include <sys/mman.h>

/* N pages apart from each other, as stacks are, at 64 KiB: the tables count. */
static void pages(size_t n)
{
	const size_t step = 65536;
	double before = bench_resident(), cpu = bench_cpu();
	volatile char *at = mmap(NULL, n * step, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		abort();
	madvise((void *)at, n * step, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i++)
		at[i * step] = 1;
	cpu = bench_cpu() - cpu;
	bench_line("page", "bytes", (bench_resident() - before) / (double)n, "bytes");
	bench_line("page", "cpu", cpu / (double)n, "ns");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "jump";

	bench_pin();
	if (what[0] == 'j')
		bench_line("jump", "jump", raw_switch(), "ns");
	else if (what[0] == 'r')
		bench_line("ring", "ring", raw_ring(), "ns");
	else
		pages((size_t)bench_argument(argc, argv, 2, 100000));
	return 0;
}
