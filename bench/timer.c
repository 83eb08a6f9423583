/* SPDX-License-Identifier: MIT */
/*
 * The CPU cost of many sleeps at once and how late each wakes, beside one
 * IORING_OP_TIMEOUT for each on a bare ring.  The pool of stacks is warm.
 *
 * Every task first runs once and yields.  Then all get a common start, which is far
 * enough away for each to call its sleep until 0 to 1000 ms after it.  So lateness is that
 * of the timers, and not of the million calls before.
 *
 * ARGUMENTS: the number of sleeps, the number of timeouts.
 */
#include "bench/bench.h"
#include <coil.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LATE_STEP = 10000, LATE_STEPS = 20000 };

struct sleeps {
	struct coil_future done;
	size_t n, entered, left;
	int64_t start;
	double cpu;
	unsigned *late;		/* counts of sleeps by lateness in LATE_STEPs; last: more */
	size_t early;
	unsigned seed;
};

static int sleeper(void *arg)
{
	struct sleeps *sleeps = arg;
	int64_t when = (int64_t)(rand_r(&sleeps->seed) % 1000000) * COIL_MICROSECOND;
	int64_t late;

	sleeps->entered++;
	coil_yield();
	if (!sleeps->start) {
		sleeps->start = coil_now() + 2 * COIL_SECOND;
		sleeps->cpu = bench_cpu();
	}
	when += sleeps->start;
	coil_sleep_until(when);
	late = coil_now() - when;
	sleeps->early += late < 0;
	late /= LATE_STEP;
	sleeps->late[late < 0 ? 0 : late < LATE_STEPS ? late : LATE_STEPS - 1]++;
	if (!--sleeps->left)
		coil_future_set(&sleeps->done, 0);
	return 0;
}

/* Returns the lateness in ms that this share of the sleeps does not exceed. */
static double late_ms(const struct sleeps *sleeps, double share)
{
	size_t step = 0, seen = sleeps->late[0];

	while ((double)seen < share * (double)sleeps->n && step + 1 < LATE_STEPS)
		seen += sleeps->late[++step];
	return (double)(step + 1) * LATE_STEP / 1e6;
}

static int warm_up(void *arg)
{
	(void)arg;
	return coil_yield();
}

/* Touches n stacks and leaves them in the pool. */
static void warm_pool(size_t n)
{
	struct coil_group group = {0};

	for (size_t i = 0; i < n; i++) {
		if (coil_group_create_task(&group, warm_up, NULL))
			abort();
	}
	if (coil_group_wait(&group))
		abort();
}

/* Returns CPU ns for each sleep. */
static double run_sleeps(struct sleeps *sleeps)
{
	sleeps->entered = 0;
	sleeps->start = 0;
	sleeps->left = sleeps->n;
	sleeps->done = (struct coil_future){0};
	for (size_t i = 0; i < sleeps->n; i++)
		coil_detach(coil_create_task(sleeper, sleeps));
	if (coil_future_wait(&sleeps->done))
		abort();
	sleeps->cpu = (bench_cpu() - sleeps->cpu) / (double)sleeps->n;
	return sleeps->cpu;
}

/* Submits and reaps timeouts in batches, on a ring with the flags that coil uses. */
static double bare_timeouts(unsigned n)
{
	struct __kernel_timespec *spans = calloc(n, sizeof(*spans));
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 65536,
	};
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	unsigned seed = 1, seen = 0, head;
	double cpu;

	if (!spans || io_uring_queue_init_params(1024, &ring, &params))
		return 0;
	for (unsigned i = 0; i < n; i++)
		spans[i].tv_nsec = (long)(rand_r(&seed) % 1000000) * 1000;
	cpu = bench_cpu();
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (!sqe) {
			io_uring_submit(&ring);
			sqe = io_uring_get_sqe(&ring);
		}
		io_uring_prep_timeout(sqe, &spans[i], 0, 0);
	}
	while (seen < n) {
		unsigned batch = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe)
			batch++;
		io_uring_cq_advance(&ring, batch);
		seen += batch;
	}
	cpu = (bench_cpu() - cpu) / n;
	io_uring_queue_exit(&ring);
	free(spans);
	return cpu;
}

/*
 * Follows a random chain of pages: each contains the number of the next.  A sleep touches
 * its task's stack in the same way when it is set, and again when it wakes.
 */
static double touch_pages(uint32_t n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, n * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	volatile uint32_t *at;
	unsigned seed = 1;
	double start;

	if (pages == MAP_FAILED)
		return 0;
	madvise(pages, n * page, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < n; i++)
		*(uint32_t *)(pages + i * page) = i;
	/* Sattolo's shuffle makes one cycle through all pages. */
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t *one = (uint32_t *)(pages + i * page);
		uint32_t *other = (uint32_t *)(pages + (uint32_t)rand_r(&seed) % i * page);
		uint32_t next = *one;

		*one = *other;
		*other = next;
	}
	start = bench_now();
	at = (uint32_t *)pages;
	for (uint32_t i = 0; i < n; i++)
		at = (uint32_t *)(pages + *at * page);
	start = (bench_now() - start) / n;
	munmap(pages, n * page);
	return start;
}

static int app(void *arg)
{
	const size_t *counts = arg;
	struct sleeps sleeps = { .n = counts[0], .seed = 1 };
	double cpu, raw;

	sleeps.late = calloc(LATE_STEPS, sizeof(*sleeps.late));
	if (!sleeps.late)
		return -1;
	warm_pool(sleeps.n);
	cpu = run_sleeps(&sleeps);
	raw = bare_timeouts((unsigned)counts[1]);
	printf("%zu sleeps, %zu bare timeouts\n", counts[0], counts[1]);
	bench_print("CPU a sleep", cpu, "ns", "timeout SQE each", raw);
	printf("late: p50 %.2f ms, p99 %.2f ms, all %.2f ms; early: %zu\n", late_ms(&sleeps, 0.5),
	       late_ms(&sleeps, 0.99), late_ms(&sleeps, 1.0), sleeps.early);
	free(sleeps.late);
	return 0;
}

int main(int argc, char **argv)
{
	size_t counts[2] = { 1000000, 1000000 };

	for (int i = 1; i < argc && i < 3; i++)
		counts[i - 1] = strtoul(argv[i], NULL, 10);
	bench_pin();
	if (coil_run(app, counts) < 0)
		return 1;
	printf("a dependent touch of a random one of %zu pages: %.0f ns\n", counts[0],
	       touch_pages((uint32_t)counts[0]));
	return 0;
}
