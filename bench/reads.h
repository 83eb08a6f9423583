/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_READS_H
#define COIL_BENCH_READS_H

/*
 * The common part of the work "files": only the way of reading differs.  It reads 4 KiB
 * at random places of a file, through the page cache or with O_DIRECT, 32 in flight.
 *
 * ARGUMENTS: cached | direct FILE READS.
 */

#include "bench/bench.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, IN_FLIGHT = 32 };

static struct bench_reads {
	int fd;
	uint64_t blocks, seed;
	long wanted, begun, sum;
	char *memory;
	double time, cpu;
} bench_reads;

/* Opens the file.  For "cached", reads all of it once to bring it into the page cache. */
static inline void reads_open(int argc, char **argv)
{
	struct bench_reads *r = &bench_reads;
	bool direct = argc > 1 && !strcmp(argv[1], "direct");
	struct stat info;

	if (argc < 3) {
		fprintf(stderr, "The arguments end in: cached | direct, FILE [READS]\n");
		exit(2);
	}
	r->wanted = bench_argument(argc, argv, 3, 100000);
	r->fd = open(argv[2], O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	if (r->fd < 0 || fstat(r->fd, &info)) {
		perror("open");
		exit(direct ? 77 : 1);
	}
	r->blocks = (uint64_t)info.st_size / BLOCK;
	r->memory = (char *)aligned_alloc(BLOCK, BLOCK * IN_FLIGHT);
	if (!r->memory || !r->blocks)
		abort();
	memset(r->memory, 1, BLOCK * IN_FLIGHT);
	for (uint64_t i = 0; i < r->blocks && !direct; i++) {
		if (pread(r->fd, r->memory, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
			abort();
	}
	r->seed = 1;
}

static inline char *reads_buffer(int which)
{
	return bench_reads.memory + (size_t)which * BLOCK;
}

static inline void reads_begin(void)
{
	bench_reads.time = bench_now();
	bench_reads.cpu = bench_cpu();
}

/* Sets the offset of the next read.  Returns false after the last one. */
static inline bool reads_next(off_t *offset)
{
	struct bench_reads *r = &bench_reads;

	if (r->begun == r->wanted)
		return false;
	r->begun++;
	r->seed = r->seed * 6364136223846793005 + 1442695040888963407;
	*offset = (off_t)((r->seed >> 33) % r->blocks * BLOCK);
	return true;
}

/* Uses the bytes, so that they are really read. */
static inline void reads_check(const char *block)
{
	bench_reads.sum += block[0] + block[BLOCK - 1];
}

static inline void reads_end(void)
{
	struct bench_reads *r = &bench_reads;
	double cpu = (bench_cpu() - r->cpu) / (double)r->wanted;
	double time = (bench_now() - r->time) / (double)r->wanted;

	bench_line("files", "cpu", cpu, "ns");
	bench_line("files", "rate", 1e9 / time, "/s");
	bench_line("files", "per_cpu_second", 1e9 / cpu, "reads");
}

#endif
