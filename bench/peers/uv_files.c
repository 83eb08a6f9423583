/* SPDX-License-Identifier: MIT */
/*
 * libuv: reads of a file, 32 in flight, on its pool of UV_THREADPOOL_SIZE threads.
 * ARGUMENTS: cached | direct FILE READS.
 */
#define _GNU_SOURCE
#include "bench/reads.h"
#include <uv.h>

struct read {
	uv_fs_t request;
	uv_buf_t buffer;
};

static void next(struct read *read);

static void done(uv_fs_t *request)
{
	if (request->result != BLOCK)
		abort();
	reads_check(((struct read *)request->data)->buffer.base);
	uv_fs_req_cleanup(request);
	next(request->data);
}

static void next(struct read *read)
{
	off_t offset;

	if (!reads_next(&offset))
		return;
	read->request.data = read;
	uv_fs_read(uv_default_loop(), &read->request, bench_reads.fd, &read->buffer, 1, offset,
		   done);
}

int main(int argc, char **argv)
{
	static struct read reads[IN_FLIGHT];

	reads_open(argc, argv);
	reads_begin();
	for (int i = 0; i < IN_FLIGHT; i++) {
		reads[i].buffer = uv_buf_init(reads_buffer(i), BLOCK);
		next(&reads[i]);
	}
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	reads_end();
	return 0;
}
