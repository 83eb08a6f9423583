/* SPDX-License-Identifier: MIT */
/*
 * The cost of four ways of receiving, without coil: an echo over TCP on an io_uring.
 *
 *	OWN		each receive operation has memory of its own
 *	LENT		each takes memory from a ring of provided buffers
 *	MULTISHOT	the same, but one operation receives many messages
 *	READINESS	a poll operation, then recv(2)
 *
 * Figures are CPU ns of this process for each message, with the kernel's work, and the
 * ratio to the first way of the same round.
 */
#include "bench/bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 64, SIZE = 64, MESSAGES = 100000, BUFFERS = 128, BUFFER = 4096 };
enum way { OWN, LENT, MULTISHOT, READINESS, WAYS };

static const char *const names[WAYS] = {
	"memory of its own", "a lent buffer", "multishot, lent buffers", "readiness, then recv(2)",
};

static struct io_uring ring;
static struct io_uring_buf_ring *shared;
static char buffers[BUFFERS][BUFFER], memory[CONNECTIONS][BUFFER];
static int fds[CONNECTIONS];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Sends a message on each connection, and the next one when it came back. */
static void load(const int peers[])
{
	struct pollfd polled[CONNECTIONS];
	char bytes[SIZE] = {0}, taken[BUFFER];
	long left = MESSAGES;

	bench_pin_to(1);
	for (int i = 0; i < CONNECTIONS; i++) {
		polled[i] = (struct pollfd){ .fd = peers[i], .events = POLLIN };
		must(send(peers[i], bytes, SIZE, 0) == SIZE, "send");
	}
	while (left > 0) {
		poll(polled, CONNECTIONS, -1);
		for (int i = 0; i < CONNECTIONS; i++) {
			if (!polled[i].revents || recv(peers[i], taken, BUFFER, 0) <= 0)
				continue;
			left--;
			must(send(peers[i], bytes, SIZE, MSG_NOSIGNAL) == SIZE, "send");
		}
	}
	_exit(0);
}

static void connect_all(int peers[])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(!bind(listener, (struct sockaddr *)&addr, len), "bind");
	must(!listen(listener, CONNECTIONS), "listen");
	getsockname(listener, (struct sockaddr *)&addr, &len);
	for (int i = 0; i < CONNECTIONS; i++) {
		peers[i] = socket(AF_INET, SOCK_STREAM, 0);
		must(!connect(peers[i], (struct sockaddr *)&addr, len), "connect");
		fds[i] = accept(listener, NULL, NULL);
		setsockopt(peers[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	close(listener);
}

static void lend(unsigned id)
{
	io_uring_buf_ring_add(shared, buffers[id], BUFFER, (unsigned short)id,
			      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(shared, 1);
}

static void open_ring(void)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN };
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS };

	must(!io_uring_queue_init_params(256, &ring, &params), "io_uring");
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED, "mmap");
	reg.ring_addr = (uintptr_t)shared;
	must(!io_uring_register_buf_ring(&ring, &reg, 0), "a ring of buffers");
	io_uring_buf_ring_init(shared);
	for (unsigned id = 0; id < BUFFERS; id++)
		lend(id);
}

static void ask(enum way way, int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (way == OWN)
		io_uring_prep_recv(sqe, fds[i], memory[i], BUFFER, 0);
	else if (way == LENT)
		io_uring_prep_recv(sqe, fds[i], NULL, BUFFER, 0);
	else if (way == MULTISHOT)
		io_uring_prep_recv_multishot(sqe, fds[i], NULL, 0, 0);
	else
		io_uring_prep_poll_add(sqe, fds[i], POLLIN);
	if (way == LENT || way == MULTISHOT)
		sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->user_data = (unsigned)i;
}

/* Returns whether the connection is still open. */
static int echo(enum way way, const struct io_uring_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	int i = (int)cqe->user_data, n = cqe->res;
	char *bytes = cqe->flags & IORING_CQE_F_BUFFER ? buffers[id] : memory[i];

	if (n == -ENOBUFS)
		n = 0;
	else if (way == READINESS)
		n = (int)recv(fds[i], bytes, BUFFER, MSG_DONTWAIT);
	if (n > 0 && send(fds[i], bytes, (size_t)n, MSG_NOSIGNAL) < 0)
		n = -1;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		lend(id);
	if (!(cqe->flags & IORING_CQE_F_MORE) && (n > 0 || cqe->res == -ENOBUFS))
		ask(way, i);
	return n > 0 || cqe->res == -ENOBUFS;
}

/* Returns CPU ns for each message. */
static double measure(enum way way)
{
	int peers[CONNECTIONS], open = CONNECTIONS;
	struct io_uring_cqe *cqe;
	double began;
	pid_t pid;

	connect_all(peers);
	pid = fork();
	if (!pid)
		load(peers);
	for (int i = 0; i < CONNECTIONS; i++)
		close(peers[i]);
	open_ring();
	began = bench_cpu();
	for (int i = 0; i < CONNECTIONS; i++)
		ask(way, i);
	while (open > 0) {
		unsigned head, n = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			open -= !echo(way, cqe);
			n++;
		}
		io_uring_cq_advance(&ring, n);
	}
	began = bench_cpu() - began;
	io_uring_queue_exit(&ring);
	munmap(shared, 4096);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	waitpid(pid, NULL, 0);
	return began / MESSAGES;
}

int main(int argc, char *argv[])
{
	int rounds = (int)bench_argument(argc, argv, 1, BENCH_ROUNDS);
	double figures[WAYS][64], ratios[WAYS][64];

	if (rounds < 1 || rounds > 64)
		return 2;
	bench_pin();
	for (int round = 0; round < rounds; round++) {
		for (int way = 0; way < WAYS; way++) {
			figures[way][round] = measure((enum way)way);
			ratios[way][round] = figures[way][round] / figures[OWN][round];
		}
	}
	for (int way = 0; way < WAYS; way++)
		printf("%-26s %7.0f ns a message %6.3f x\n", names[way],
		       bench_median(figures[way], rounds), bench_median(ratios[way], rounds));
	return 0;
}
