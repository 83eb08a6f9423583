/* SPDX-License-Identifier: MIT */
/*
 * Reads of a file by hand.  ARGUMENTS: uring | eights | plain | pread, then cached |
 * direct, then FILE READS.
 *
 *	uring	io_uring, 32 in flight, file and buffers registered, waits for one
 *	eights	the same, but waits for eight
 *	plain	io_uring, neither registered
 *	pread	a loop of pread(2)
 */
#include "bench/reads.h"
#include <liburing.h>

static void by_pread(void)
{
	off_t offset;

	while (reads_next(&offset)) {
		if (pread(bench_reads.fd, bench_reads.memory, BLOCK, offset) != BLOCK)
			abort();
		reads_check(bench_reads.memory);
	}
}

static struct io_uring ring;
static bool registered = true;

static bool next(int which)
{
	struct io_uring_sqe *sqe;
	off_t offset;

	if (!reads_next(&offset))
		return false;
	sqe = io_uring_get_sqe(&ring);
	if (registered) {
		io_uring_prep_read_fixed(sqe, 0, reads_buffer(which), BLOCK, (uint64_t)offset,
					 which);
		sqe->flags |= IOSQE_FIXED_FILE;
	} else {
		io_uring_prep_read(sqe, bench_reads.fd, reads_buffer(which), BLOCK,
				   (uint64_t)offset);
	}
	sqe->user_data = (uint64_t)which;
	return true;
}

static void set_up(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	struct iovec buffers[IN_FLIGHT];

	for (int i = 0; i < IN_FLIGHT; i++)
		buffers[i] = (struct iovec){ reads_buffer(i), BLOCK };
	if (io_uring_queue_init_params(2 * IN_FLIGHT, &ring, &params) ||
	    io_uring_register_buffers(&ring, buffers, IN_FLIGHT) ||
	    io_uring_register_files(&ring, &bench_reads.fd, 1) ||
	    io_uring_register_ring_fd(&ring) < 0)
		exit(77);
}

static void by_uring(int at_a_time)
{
	int in_flight = 0;

	for (int i = 0; i < IN_FLIGHT; i++)
		in_flight += next(i);
	while (in_flight) {
		struct io_uring_cqe *cqe;
		unsigned head, batch = 0;

		io_uring_submit_and_wait(&ring, (unsigned)(in_flight < at_a_time ? in_flight :
							   at_a_time));
		io_uring_for_each_cqe(&ring, head, cqe) {
			int which = (int)cqe->user_data;

			batch++;
			if (cqe->res != BLOCK)
				abort();
			reads_check(reads_buffer(which));
			in_flight -= !next(which);
		}
		io_uring_cq_advance(&ring, batch);
	}
}

int main(int argc, char **argv)
{
	bool eights = argc > 1 && argv[1][0] == 'e';
	bool uring = argc < 2 || strcmp(argv[1], "pread") != 0;

	registered = argc < 2 || strcmp(argv[1], "plain") != 0;
	bench_pin();
	reads_open(argc - 1, argv + 1);
	if (uring)
		set_up();
	reads_begin();
	if (uring)
		by_uring(eights ? 8 : 1);
	else
		by_pread();
	reads_end();
	return 0;
}
