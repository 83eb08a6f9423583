/* SPDX-License-Identifier: MIT */
/*
 * The floors of the works without a network.
 * ARGUMENTS: jump | ring | page [N] | wake [PER_MS]
 *
 *	jump	a bare jump_fcontext
 *	ring	an item through a bare ring
 *	page	a page touched for the first time
 *	wake	a thread that wakes up from a sleep
 */
#include "bench/raw.h"
#include "bench/resident.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Touches n pages that lie 64 KiB apart, as stacks do: the page tables count too. */
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

/*
 * The floor of "steady": per_ms sleeps expire each millisecond, and none may be more than
 * 250 us late.  So the thread wakes up every 250 us.  Measures the CPU time of these
 * wake-ups alone, for each sleep.
 */
static void wake_ups(double per_ms)
{
	enum { EACH_NS = 250000, WAKE_UPS = 4000 };
	struct timespec at;
	double cpu;

	prctl(PR_SET_TIMERSLACK, 1);
	clock_gettime(CLOCK_MONOTONIC, &at);
	cpu = bench_cpu();
	for (int i = 0; i < WAKE_UPS; i++) {
		at.tv_nsec += EACH_NS;
		if (at.tv_nsec >= 1000000000) {
			at.tv_sec++;
			at.tv_nsec -= 1000000000;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
	}
	cpu = (bench_cpu() - cpu) / WAKE_UPS;
	bench_line("wake", "wake_up", cpu, "ns");
	bench_line("wake", "cpu", cpu / (per_ms * EACH_NS / 1e6), "ns");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "jump";

	bench_pin();
	if (what[0] == 'j')
		bench_line("jump", "jump", raw_switch(), "ns");
	else if (what[0] == 'r')
		bench_line("ring", "ring", raw_ring(), "ns");
	else if (what[0] == 'w')
		wake_ups((double)bench_argument(argc, argv, 2, 100));
	else
		pages((size_t)bench_argument(argc, argv, 2, 100000));
	return 0;
}
