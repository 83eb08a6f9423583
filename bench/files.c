/* SPDX-License-Identifier: MIT */
/*
 * 32 tasks read a file.  ARGUMENTS: cached | direct FILE READS; see bench/reads.h.
 */
#include "bench/reads.h"
#include <coil.h>
#include <errno.h>

static int reader(void *arg)
{
	char *buffer = arg;
	off_t offset;

	while (reads_next(&offset)) {
		ssize_t n = coil_pread(bench_reads.fd, buffer, BLOCK, offset);

		if (n != BLOCK)
			return n < 0 ? (int)n : -EIO;
		reads_check(buffer);
	}
	return 0;
}

static int app(void *arg)
{
	struct coil_group group = {0};

	(void)arg;
	for (int i = 0; i < IN_FLIGHT; i++) {
		int err = coil_group_create_task(&group, reader, reads_buffer(i));

		if (err)
			return err;
	}
	return coil_group_wait(&group);
}

int main(int argc, char **argv)
{
	int err;

	bench_pin();
	reads_open(argc, argv);
	reads_begin();
	err = coil_run(app, NULL);
	if (err) {
		fprintf(stderr, "files: %d\n", err);
		return 1;
	}
	reads_end();
	return 0;
}
