/* SPDX-License-Identifier: MIT */
/*
 * The cost of single calls that need not wait; docs/decisions.md quotes it.  "timeout" is
 * a COIL_TIMEOUT among 1,000 sleepers, around nothing and around a yield.  "pread" reads
 * a byte of FILE, which is on a disk and in the page cache, or of a memfd.
 * ARGUMENTS: timeout [TIMES] | pread [TIMES [FILE]].
 */
#include "bench/bench.h"
#include <coil.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLEEPERS = 1000 };

static long times;
static const char *file;

static int sleep_long(void *arg)
{
	(void)arg;
	return coil_sleep(3600 * COIL_SECOND);
}

static void begin_timeouts(void)
{
	volatile int n = 0;
	double begun = bench_cpu();

	for (long i = 0; i < times; i++)
		COIL_TIMEOUT(COIL_SECOND)
			n++;
	bench_line("timeout", "nothing", (bench_cpu() - begun) / (double)times, "ns");
	begun = bench_cpu();
	for (long i = 0; i < times; i++)
		COIL_TIMEOUT(COIL_SECOND)
			n += coil_yield();
	bench_line("timeout", "yield", (bench_cpu() - begun) / (double)times, "ns");
	(void)n;
}

static int timeouts(void *arg)
{
	struct coil_group group = {0};
	int err = 0;

	for (int i = 0; i < SLEEPERS && !err; i++)
		err = coil_group_create_task(&group, sleep_long, arg);
	if (!err)
		err = coil_sleep(COIL_MILLISECOND);
	if (!err)
		begin_timeouts();
	coil_group_cancel(&group);
	(void)!coil_group_wait(&group);
	return err;
}

static int reads(void *arg)
{
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : memfd_create("bench", MFD_CLOEXEC);
	ssize_t n = 1;
	double begun;
	char byte;

	(void)arg;
	if (fd < 0 || (!file && ftruncate(fd, 1)))
		return -errno;
	begun = bench_cpu();
	for (long i = 0; i < times && n == 1; i++)
		n = coil_pread(fd, &byte, 1, 0);
	if (n == 1)
		bench_line("pread", file ? "file" : "memfd",
			   (bench_cpu() - begun) / (double)times, "ns");
	coil_close(fd);
	return n == 1 ? 0 : n < 0 ? (int)n : -EIO;
}

int main(int argc, char **argv)
{
	bool reading = argc > 1 && !strcmp(argv[1], "pread");
	int err;

	if (!reading && (argc < 2 || strcmp(argv[1], "timeout") != 0)) {
		fprintf(stderr, "Usage: brief timeout [TIMES] | pread [TIMES [FILE]]\n");
		return 2;
	}
	times = bench_argument(argc, argv, 2, 1000000);
	file = argc > 3 ? argv[3] : NULL;
	bench_pin();
	err = coil_run(reading ? reads : timeouts, NULL);
	if (err)
		fprintf(stderr, "brief: %s\n", strerror(-err));
	return err != 0;
}
