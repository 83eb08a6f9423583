/* SPDX-License-Identifier: MIT */
/*
 * Trials without coil.  Their figures decided what coil does and what it does not do, and
 * docs/decisions.md and docs/performance.md quote them.
 * ARGUMENTS: modes | clear | guards | bundle [TIMES]
 *
 *	modes	reads the modes of the floating-point unit
 *	clear	clears an operation
 *	guards	sets the guards of stacks
 *	bundle	sends 16 pieces at once
 */
#include "bench/bench.h"
#include <liburing.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL	/* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#endif
#ifndef IORING_RECVSEND_BUNDLE	/* Linux 6.10 */
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif

static long times;

/* Prints the cost of the statement without that of the loop around it. */
#define MEASURE(work, metric, statement)						\
	do {										\
		double begun = bench_cpu(), middle;					\
											\
		for (long i = 0; i < times; i++)					\
			__asm__ volatile("" ::: "memory");				\
		middle = bench_cpu();							\
		for (long i = 0; i < times; i++)					\
			statement;							\
		middle = bench_cpu() - 2 * middle + begun;				\
		bench_line(work, metric, middle / (double)times, "ns");			\
	} while (0)

#ifdef __x86_64__
static void modes(void)
{
	uint32_t mxcsr;
	uint16_t control;

	MEASURE("modes", "stmxcsr", __asm__ volatile("stmxcsr %0" : "=m"(mxcsr)));
	MEASURE("modes", "fnstcw", __asm__ volatile("fnstcw %0" : "=m"(control)));
}

/* Clears as many words as gcc clears of an operation. */
static void clear(void)
{
	enum { WORDS = 26 };
	uint64_t words[WORDS];

	MEASURE("clear", "rep_stos", {
		uint64_t *to = words;
		long n = WORDS;

		__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0) : "memory");
	});
	MEASURE("clear", "stores", {
		for (int word = 0; word < WORDS; word += 2)
			__asm__ volatile("movups %1, %0" : "=m"(words[word])
					 : "x"(0.0) : "memory");
	});
}
#else
static void modes(void)
{
	fprintf(stderr, "trials: this is of x86-64\n");
	exit(77);
}

#define clear modes
#endif

/* Stacks of 64 KiB: one call for each guard, or one for the guards of sixteen stacks. */
static void guards_by(const char *metric, unsigned at_once)
{
	const size_t page = 4096, step = 17 * page, many = (size_t)times / 16 * 16;
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec vectors[16];
	double begun;
	char *at = mmap(NULL, many * step, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED || self < 0)
		abort();
	madvise(at, many * step, MADV_NOHUGEPAGE);
	begun = bench_cpu();
	for (size_t i = 0; i < many; i += at_once) {
		for (unsigned k = 0; k < at_once; k++)
			vectors[k] = (struct iovec){ at + (i + k) * step, page };
		if (at_once == 1 ? madvise(vectors[0].iov_base, page, MADV_GUARD_INSTALL) :
		    syscall(SYS_process_madvise, self, vectors, at_once, MADV_GUARD_INSTALL, 0) !=
		    (long)(at_once * page)) {
			fprintf(stderr, "trials: this kernel has no such guards\n");
			exit(77);
		}
	}
	bench_line("guards", metric, (bench_cpu() - begun) / (double)many, "ns");
	munmap(at, many * step);
	close(self);
}

/*
 * Sends 16 pieces of 4 KiB to a socket and reads them at the other end.  They are sent by
 * 16 operations submitted at once, by a bundle of provided buffers, or by a vector.
 */

enum { PIECES = 16, PIECE = 4096, GROUP = 1 };

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char pieces[PIECES][PIECE], sink[PIECES * PIECE];

static void send_each(int fd)
{
	for (int i = 0; i < PIECES; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_send(sqe, fd, pieces[i], PIECE, MSG_NOSIGNAL | MSG_WAITALL);
		sqe->flags |= i < PIECES - 1 ? IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS : 0;
	}
}

static void send_bundle(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	for (int i = 0; i < PIECES; i++)
		io_uring_buf_ring_add(provided, pieces[i], PIECE, (unsigned short)i,
				      io_uring_buf_ring_mask(PIECES), i);
	io_uring_buf_ring_advance(provided, PIECES);
	io_uring_prep_send(sqe, fd, NULL, 0, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

static void send_vector(int fd)
{
	static struct iovec vectors[PIECES];
	static struct msghdr msg = { .msg_iov = vectors, .msg_iovlen = PIECES };

	for (int i = 0; i < PIECES; i++)
		vectors[i] = (struct iovec){ pieces[i], PIECE };
	io_uring_prep_sendmsg(io_uring_get_sqe(&ring), fd, &msg, MSG_NOSIGNAL | MSG_WAITALL);
}

static void connect_two(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(fds[0], (struct sockaddr *)&address, length))
		abort();
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void bundle_by(const char *metric, void (*send_all)(int fd))
{
	struct io_uring_cqe *cqe;
	double begun;
	int fds[2];

	connect_two(fds);
	begun = bench_cpu();
	for (long i = 0; i < times; i++) {
		unsigned head;
		int n = 0;

		send_all(fds[0]);
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			n++;
			if (cqe->res != (send_all == send_each ? PIECE : PIECES * PIECE)) {
				fprintf(stderr, "trials: %s: %d\n", metric, cqe->res);
				exit(77);
			}
		}
		io_uring_cq_advance(&ring, (unsigned)n);
		if (recv(fds[1], sink, sizeof(sink), MSG_WAITALL) != sizeof(sink))
			abort();
	}
	bench_line("bundle", metric, (bench_cpu() - begun) / (double)times, "ns");
	close(fds[0]);
	close(fds[1]);
}

static void bundles(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL,
	};
	struct io_uring_buf_reg where = { .ring_entries = PIECES, .bgid = GROUP };

	provided = mmap(NULL, PIECES * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	where.ring_addr = (uint64_t)(uintptr_t)provided;
	if (io_uring_queue_init_params(64, &ring, &params) ||
	    io_uring_register_buf_ring(&ring, &where, 0)) {
		fprintf(stderr, "trials: no ring with provided buffers\n");
		exit(77);
	}
	bundle_by("each", send_each);
	bundle_by("bundle", send_bundle);
	bundle_by("vector", send_vector);
	io_uring_queue_exit(&ring);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool instructions = what[0] == 'm' || what[0] == 'c';

	times = bench_argument(argc, argv, 2, instructions ? 20000000 : 65536);
	bench_pin();
	if (what[0] == 'm') {
		modes();
	} else if (what[0] == 'c') {
		clear();
	} else if (what[0] == 'g') {
		guards_by("each", 1);
		guards_by("sixteen", 16);
	} else if (what[0] == 'b') {
		bundles();
	} else {
		fprintf(stderr, "Usage: trials modes | clear | guards | bundle [TIMES]\n");
		return 2;
	}
	return 0;
}
