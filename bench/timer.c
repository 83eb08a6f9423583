/* SPDX-License-Identifier: MIT */
/*
 * Many sleeps at once: what each costs in CPU time, and how late it wakes, beside
 * one IORING_OP_TIMEOUT each on a bare ring.  The pool is warm.  Every task is
 * entered once, then all are told a common start, far enough away for each to ask
 * for its sleep until 0 to 1000 ms after it; so lateness is that of the timers, not
 * of the million that asked before.  Arguments: how many sleeps, how many timeouts.
 */
#include "bench/bench.h"
#include <coil.h>
#include <liburing.h>
#include <string.h>

struct sleeps {
	struct coil_event gate;
	struct coil_future done;
	size_t n, entered, left;
	int64_t start;
	int64_t *late;
	unsigned seed;
};

static int sleeper(void *arg)
{
	struct sleeps *sleeps = arg;
	size_t i = sleeps->entered++;
	int64_t when = (int64_t)(rand_r(&sleeps->seed) % 1000000) * COIL_MICROSECOND;

	if (coil_event_wait(&sleeps->gate))
		abort();
	when += sleeps->start;
	coil_sleep_until(when);
	sleeps->late[i] = coil_now() - when;
	if (!--sleeps->left)
		coil_future_set(&sleeps->done, 0);
	return 0;
}

static int compare_late(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* CPU nanoseconds a sleep; the latenesses are left sorted. */
static double run_sleeps(struct sleeps *sleeps)
{
	double cpu;

	sleeps->entered = 0;
	sleeps->left = sleeps->n;
	sleeps->done = (struct coil_future){0};
	for (size_t i = 0; i < sleeps->n; i++)
		coil_detach(coil_create_task(sleeper, sleeps));
	while (sleeps->entered < sleeps->n)
		coil_yield();
	sleeps->start = coil_now() + 2 * COIL_SECOND;
	cpu = bench_cpu();
	coil_event_set(&sleeps->gate);
	if (coil_future_wait(&sleeps->done))
		abort();
	cpu = (bench_cpu() - cpu) / (double)sleeps->n;
	coil_event_clear(&sleeps->gate);
	qsort(sleeps->late, sleeps->n, sizeof(*sleeps->late), compare_late);
	return cpu;
}

/* One timeout each, submitted and reaped in batches on the ring coil uses. */
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

static int app(void *arg)
{
	const size_t *counts = arg;
	struct sleeps sleeps = { .n = counts[0], .seed = 1 };
	double cpu, raw;

	sleeps.late = calloc(sleeps.n, sizeof(*sleeps.late));
	if (!sleeps.late)
		return -1;
	run_sleeps(&sleeps);
	cpu = run_sleeps(&sleeps);
	raw = bare_timeouts((unsigned)counts[1]);
	printf("%zu sleeps, %zu bare timeouts\n", counts[0], counts[1]);
	bench_print("CPU a sleep", cpu, "ns", "timeout SQE each", raw);
	printf("late: p50 %.3f ms, p99 %.3f ms, most %.3f ms; early: %s\n",
	       (double)sleeps.late[sleeps.n / 2] / 1e6,
	       (double)sleeps.late[sleeps.n * 99 / 100] / 1e6,
	       (double)sleeps.late[sleeps.n - 1] / 1e6, sleeps.late[0] < 0 ? "yes" : "none");
	free(sleeps.late);
	return 0;
}

int main(int argc, char **argv)
{
	size_t counts[2] = { 1000000, 100000 };

	for (int i = 1; i < argc && i < 3; i++)
		counts[i - 1] = strtoul(argv[i], NULL, 10);
	bench_pin();
	return coil_run(app, counts) < 0;
}
