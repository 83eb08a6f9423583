/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait to write, or for an event, while the kernel keeps reporting another
 * event of the fd: a peer that half-closed, an own shutdown of the reading side, an
 * error queue that is not read.  They sleep, and notice every end of their wait.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/backend.h"
#include "core/backend/uring.h"
#include <coil/file.h>
#include <coil/stream.h>
#include <coil/timeout.h>
#include <coil/unix.h>
#include <linux/net_tstamp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#define MS COIL_MILLISECOND

enum {
	PASSES = 50,		/* that a loop may make while tasks sleep for 5 ms */
	SUBMITS = 20,
	HANGS = 100 * 1000,	/* operations: a call that never parks */
};

/*
 * Counts what the loop asks of its backend.
 */

static struct backend counting;
static const struct backend *counted;
static unsigned passes, submits;

static void count_pass(struct coil_loop *loop, int64_t deadline)
{
	passes++;
	counted->poll(loop, deadline);
}

static void count_submit(struct coil_loop *loop, struct op *op)
{
	ck_assert_uint_lt(++submits, HANGS);
	counted->submit(loop, op);
}

static void start_counting(void)
{
	if (coil__loop->io.backend != &counting) {
		counted = coil__loop->io.backend;
		counting = *counted;
		counting.poll = count_pass;
		counting.submit = count_submit;
		coil__loop->io.backend = &counting;
	}
	passes = submits = 0;
}

/*
 * Calls, one byte each where they write.
 */

static ssize_t give_write(int fd)
{
	return coil_write(fd, "x", 1);
}

static ssize_t give_writev(int fd)
{
	struct iovec iov = { (char *)"x", 1 };

	return coil_writev(fd, &iov, 1);
}

static ssize_t give_sendfile(int fd)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	off_t offset = 0;
	ssize_t n;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, "x", 1), 1);
	n = coil_sendfile(fd, file, &offset, 1);
	close(file);
	return n;
}

static ssize_t give_splice(int fd)
{
	int fds[2];
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	n = coil_splice(fds[0], NULL, fd, NULL, 1, 0);
	close(fds[0]);
	close(fds[1]);
	return n;
}

static ssize_t give_fds(int fd)
{
	return coil_send_fds(fd, "x", 1, &fd, 1);
}

static ssize_t give_stream(int fd)
{
	struct coil_stream *stream = coil_stream_open(dup(fd));
	ssize_t n;

	ck_assert_ptr_nonnull(stream);
	n = coil_stream_write(stream, "x", 1);
	ck_assert_int_eq(n, 1);
	n = coil_stream_flush(stream);
	ck_assert_int_le(coil_stream_close(stream), 0);
	return n ? n : 1;
}

static ssize_t give_large(int fd)
{
	static char bytes[1 << 20];
	struct coil_stream *stream = coil_stream_open(dup(fd));
	ssize_t n;

	ck_assert_ptr_nonnull(stream);
	coil_stream_set_limits(stream, 100, 100);
	n = coil_stream_write(stream, bytes, sizeof(bytes));
	ck_assert_int_le(coil_stream_close(stream), 0);
	return n > 1 ? 1 : n;
}

static ssize_t poll_for(int fd, short events)
{
	struct pollfd polled[2] = { { .fd = fd, .events = events }, { .fd = -1 } };

	return coil_poll(polled, 2);
}

static ssize_t poll_out(int fd)
{
	return poll_for(fd, POLLOUT);
}

static ssize_t poll_urgent(int fd)
{
	return poll_for(fd, POLLPRI);
}

static ssize_t poll_nothing(int fd)
{
	return poll_for(fd, 0);
}

enum { STREAM = 1, MESSAGE = 2, UNIX = 4, NO_ROOM = 8 };

static const struct {
	ssize_t (*fn)(int fd);
	int kinds;
} calls[] = {
	{ give_send, STREAM | MESSAGE },
	{ give_sendto, STREAM | MESSAGE },
	{ give_sendmsg, STREAM | MESSAGE },
	{ give_sendmmsg, STREAM | MESSAGE },
	{ give_send_all, STREAM | MESSAGE },
	{ give_write, STREAM | MESSAGE },
	{ give_writev, STREAM | MESSAGE },
	{ give_sendfile, STREAM },
	{ give_splice, STREAM },
	{ give_fds, UNIX },
	{ give_stream, STREAM },
	{ give_large, STREAM },
	{ poll_out, STREAM | MESSAGE },
	{ poll_urgent, STREAM | MESSAGE | NO_ROOM },
	{ poll_nothing, STREAM | MESSAGE | NO_ROOM },
};

/*
 * Pairs in whose first end nothing fits, and of which something stands to report.
 */

/* With buffers that do not grow: a full one stays full. */
static void make_tcp(int fds[2])
{
	int size = 4096;

	tcp_pair(fds);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static void make_stream(int fds[2])
{
	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
}

static void make_blocking(int fds[2])
{
	unix_pair(fds, SOCK_STREAM);
}

static void make_packets(int fds[2])
{
	unix_pair(fds, SOCK_SEQPACKET | SOCK_NONBLOCK);
}

static void make_datagrams(int fds[2])
{
	unix_pair(fds, SOCK_DGRAM | SOCK_NONBLOCK);
}

static void peer_half_closes(const int fds[2])
{
	ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
}

static void reading_is_shut(const int fds[2])
{
	ck_assert_int_eq(shutdown(fds[0], SHUT_RD), 0);
}

static const struct {
	void (*make)(int fds[2]);
	void (*spoil)(const int fds[2]);
	int kind;
} cases[] = {
	{ make_tcp, peer_half_closes, STREAM },
	{ make_tcp, reading_is_shut, STREAM },
	{ make_stream, peer_half_closes, STREAM | UNIX },
	{ make_stream, reading_is_shut, STREAM | UNIX },
	{ make_blocking, peer_half_closes, STREAM | UNIX },
	{ make_packets, peer_half_closes, MESSAGE | UNIX },
	{ make_packets, reading_is_shut, MESSAGE | UNIX },
	{ make_datagrams, reading_is_shut, MESSAGE | UNIX },
};

static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	return protocol == IPPROTO_TCP;
}

/*
 * TCP makes room at each acknowledgement, which may be put off by 40 ms; the other
 * sockets make none.  The kernel's clock counts, not the simulated one.
 */
static void fill_up(int fd)
{
	const struct timespec moment = { .tv_nsec = 25 * MS };
	const int looks = is_tcp(fd) ? 3 : 1;

	for (int full = 0; full < looks; ) {
		full = fill(fd, 'x') ? 0 : full + 1;
		if (full < looks)
			nanosleep(&moment, NULL);
	}
}

/* How a wait ends, and what the call then says. */
struct end {
	void (*fn)(struct coil_task *task, const int fds[2]);
	ssize_t result;		/* 0: that the call was made */
};

static void cancel(struct coil_task *task, const int fds[2])
{
	(void)fds;
	coil_cancel(task);
}

static void close_end(struct coil_task *task, const int fds[2])
{
	(void)task;
	ck_assert_int_eq(coil_close(fds[0]), 0);
}

static void make_room(struct coil_task *task, const int fds[2])
{
	while (!coil_done(task)) {
		drain(fds[1]);
		ck_assert_int_eq(coil_sleep(MS), 0);
	}
}

static void wait_and_end(struct call *call, const int fds[2], const struct end *end)
{
	struct coil_task *task = start_call(call);

	ck_assert_msg(!coil_done(task), "it says %zd", call->result);
	start_counting();
	ck_assert_int_eq(coil_sleep(5 * MS), 0);
	ck_assert_uint_lt(passes, PASSES);
	ck_assert_uint_lt(submits, SUBMITS);
	ck_assert(!coil_done(task));
	end->fn(task, fds);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call->result, end->result);
}

static void try_all(const struct end *end, bool room)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t j = 0; j < COUNT(calls); j++) {
			struct call call = { .fn = calls[j].fn };
			int fds[2];

			/* A TCP window that was shut opens after a fifth of a second. */
			if (!(calls[j].kinds & cases[i].kind) ||
			    (room && calls[j].kinds & NO_ROOM) ||
			    (room && cases[i].make == make_tcp && j))
				continue;
			cases[i].make(fds);
			call.fd = fds[0];
			start_counting();
			fill_up(fds[0]);
			cases[i].spoil(fds);
			wait_and_end(&call, fds, end);
			close_all(fds, 2);
		}
	}
}

COIL_TEST(while_a_peer_that_half_closed_reads_nothing_a_wait_sleeps_and_hears_a_cancel)
{
	try_all(&(struct end){ cancel, -ECANCELED }, false);
}

COIL_TEST(while_a_peer_that_half_closed_reads_nothing_a_wait_goes_on_when_it_reads)
{
	try_all(&(struct end){ make_room, 1 }, true);
}

/* A stream has the fd of a dup, which the close is not about. */
COIL_TEST(while_a_peer_that_half_closed_reads_nothing_a_close_ends_the_wait)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct call call = { .fn = i % 2 ? poll_out : give_send };
		int fds[2];

		cases[i].make(fds);
		call.fd = fds[0];
		fill_up(fds[0]);
		cases[i].spoil(fds);
		wait_and_end(&call, fds, &(struct end){ close_end, -ECANCELED });
		coil_close(fds[1]);
	}
}

COIL_TEST(while_a_peer_that_half_closed_reads_nothing_a_deadline_ends_the_wait)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct coil_timeout timeout = {0};
		int fds[2];

		cases[i].make(fds);
		start_counting();
		fill_up(fds[0]);
		cases[i].spoil(fds);
		ck_assert_int_eq(coil_timeout_begin(&timeout, 5 * MS), 0);
		ck_assert_int_eq(i % 2 ? poll_nothing(fds[0]) : give_write(fds[0]), -ETIMEDOUT);
		ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
		ck_assert_uint_lt(passes, 2 * PASSES);
		close_all(fds, 2);
	}
}

COIL_TEST(two_that_wait_to_send_to_a_peer_that_half_closed_both_go_on)
{
	int fds[2];
	struct call first = { .fn = give_send }, second = { .fn = poll_out };
	struct coil_task *sends, *polls;

	make_stream(fds);
	first.fd = second.fd = fds[0];
	fill_up(fds[0]);
	peer_half_closes(fds);
	sends = start_call(&first);
	polls = start_call(&second);
	/* Not so much that it would be an event. */
	ck_assert_int_eq(recv(fds[1], taken, 1, 0), 1);
	start_counting();
	ck_assert_int_eq(coil_sleep(5 * MS), 0);
	ck_assert_uint_lt(passes, PASSES);
	ck_assert(!coil_done(polls));
	drain(fds[1]);
	ck_assert_int_eq(coil_await(sends), 0);
	ck_assert_int_eq(coil_await(polls), 0);
	ck_assert_int_eq(first.result, 1);
	ck_assert_int_eq(second.result, 1);
	close_all(fds, 2);
}

/*
 * An error that stands: what the kernel tells of bytes that were sent, unread.
 */
static void ask_for_stamps(int fd)
{
	int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)), 0);
}

static void error_stands(int fd, short besides)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN | POLLOUT };

	ck_assert_int_eq(poll(&polled, 1, 0), 1);
	ck_assert_int_eq(polled.revents, POLLERR | besides);
}

COIL_TEST(while_the_error_queue_is_not_read_a_send_sleeps)
{
	static ssize_t (*const senders[])(int) = {
		give_send, give_sendmsg, give_sendmmsg, give_write, give_stream, give_large,
		give_sendfile,
	};

	for (size_t i = 0; i < COUNT(senders); i++) {
		struct call call = { .fn = senders[i] };
		int fds[2];

		tcp_pair(fds);
		call.fd = fds[0];
		ask_for_stamps(fds[0]);
		fill_up(fds[0]);
		error_stands(fds[0], 0);
		wait_and_end(&call, fds, &(struct end){ cancel, -ECANCELED });
		close_all(fds, 2);
	}
}

static ssize_t take_stream(int fd)
{
	struct coil_stream *stream = coil_stream_open(dup(fd));
	ssize_t n;

	ck_assert_ptr_nonnull(stream);
	n = coil_stream_read(stream, taken, 1);
	ck_assert_int_le(coil_stream_close(stream), 0);
	return n;
}

static ssize_t take_line(int fd)
{
	struct coil_stream *stream = coil_stream_open(dup(fd));
	const char *line;
	ssize_t n;

	ck_assert_ptr_nonnull(stream);
	n = coil_stream_read_until(stream, "x", 1, &line);
	ck_assert_int_le(coil_stream_close(stream), 0);
	return n;
}

static void send_byte(struct coil_task *task, const int fds[2])
{
	(void)task;
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
}

COIL_TEST(while_the_error_queue_is_not_read_a_receive_sleeps_and_goes_on)
{
	static ssize_t (*const receivers[])(int) = {
		take_recv, take_recvfrom, take_recvmsg, take_recvmmsg, take_recv_all,
		take_stream, take_line,
	};
	static const struct end ends[] = { { cancel, -ECANCELED }, { send_byte, 1 } };

	for (size_t i = 0; i < 2 * COUNT(receivers); i++) {
		struct call call = { .fn = receivers[i / 2] };
		int fds[2];

		tcp_pair(fds);
		call.fd = fds[0];
		ask_for_stamps(fds[0]);
		ck_assert_int_eq(send(fds[0], "y", 1, 0), 1);
		error_stands(fds[0], POLLOUT);
		start_counting();
		wait_and_end(&call, fds, &ends[i % 2]);
		close_all(fds, 2);
	}
}

static void vanish(struct coil_task *task, const int fds[2])
{
	struct linger now = { .l_onoff = 1 };

	(void)task;
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	ck_assert_int_eq(close(fds[1]), 0);
}

COIL_TEST(a_peer_that_vanishes_ends_every_wait)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t j = 0; j < COUNT(calls); j++) {
			struct call call = { .fn = calls[j].fn };
			struct coil_task *task;
			int fds[2];

			/* A datagram socket is not told so; the next send is. */
			if (!(calls[j].kinds & cases[i].kind) ||
			    (cases[i].make == make_datagrams && calls[j].kinds & NO_ROOM))
				continue;
			cases[i].make(fds);
			call.fd = fds[0];
			fill_up(fds[0]);
			cases[i].spoil(fds);
			task = start_call(&call);
			start_counting();
			vanish(task, fds);
			ck_assert_int_eq(coil_await(task), 0);
			ck_assert_uint_lt(passes, PASSES);
			ck_assert(call.result == 1 || call.result == -EPIPE ||
				  call.result == -ECONNRESET || call.result == -ECONNREFUSED);
			coil_close(fds[0]);
		}
	}
}

COIL_TEST(a_pipe_that_is_full_is_waited_for_asleep)
{
	static ssize_t (*const writers[])(int) = {
		give_write, give_writev, give_sendfile, give_splice, give_stream, poll_out,
	};

	for (size_t i = 0; i < 2 * COUNT(writers); i++) {
		struct call call = { .fn = writers[i / 2] };
		char block[4096] = "";
		int fds[2];

		ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		while (write(fds[1], block, sizeof(block)) > 0)
			;
		set_nonblocking(fds[1], i % 2);
		call.fd = fds[1];
		wait_and_end(&call, fds, &(struct end){ cancel, -ECANCELED });
		close_all(fds, 2);
	}
}

/* A look every few milliseconds would take more than twice as many passes. */
COIL_TEST(while_a_peer_is_half_closed_a_wait_for_no_events_looks_at_no_clock)
{
	struct call call = { .fn = poll_nothing };
	struct coil_task *task;
	int fds[2];

	make_stream(fds);
	call.fd = fds[0];
	peer_half_closes(fds);
	task = start_call(&call);
	ck_assert_int_eq(coil_yield(), 0);
	start_counting();
	ck_assert_int_eq(coil_sleep(50 * MS), 0);
	ck_assert_uint_le(passes, 10);
	ck_assert(!coil_done(task));
	close(fds[1]);
	coil_await(task);
	ck_assert_int_eq(call.result, 1);
	close(fds[0]);
}

/*
 * A kernel older than 5.13, which knows no multishot poll.
 */

static unsigned refused;

static void refuse_edges(struct coil_loop *loop, int64_t deadline)
{
	struct io_uring_sq *sq = &((struct uring *)loop->io.data)->ring.sq;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		if (sqe->opcode == IORING_OP_POLL_ADD && sqe->len) {
			sqe->len = ~0U;
			refused++;
		}
	}
	counted->poll(loop, deadline);
}

COIL_TEST(without_multishot_polls_a_wait_looks_every_few_milliseconds)
{
	struct call call = { .fn = poll_out };
	struct coil_task *task;
	int fds[2];

	if (strcmp(support_backend(), "uring"))
		return;
	for (int i = 0; i < 2; i++) {
		make_stream(fds);
		call.fd = fds[0];
		fill_up(fds[0]);
		peer_half_closes(fds);
		start_counting();
		counting.poll = refuse_edges;
		task = start_call(&call);
		ck_assert_int_eq(coil_sleep(5 * MS), 0);
		ck_assert(!coil_done(task));
		if (i)
			make_room(task, fds);
		else
			coil_cancel(task);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(call.result, i ? 1 : -ECANCELED);
		ck_assert_uint_eq(refused, 1);
		close_all(fds, 2);
	}
}

/*
 * Stop signals.
 */

static int polled_fd;

static int send_signal(void *arg)
{
	int err = coil_sleep(5 * MS);

	(void)arg;
	return err ? err : kill(getpid(), SIGUSR1);
}

static int poll_until_stopped(void *arg)
{
	struct coil_task *task = coil_create_task(send_signal, NULL);

	(void)arg;
	ck_assert_ptr_nonnull(task);
	start_counting();
	return (int)poll_nothing(polled_fd);
}

START_TEST(a_stop_signal_ends_a_poll_of_a_socket_whose_peer_half_closed)
{
	struct coil_options options = {0};
	sigset_t set;
	int fds[2];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	options.stop_signals = &set;
	make_stream(fds);
	peer_half_closes(fds);
	polled_fd = fds[0];
	ck_assert_int_eq(coil_run_with(&options, poll_until_stopped, NULL), -EINTR);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

Suite *suite(void)
{
	Suite *half_closed = suite_create("half_closed");
	TCase *tests = tcase_create("half_closed");

	tcase_add_test(
		tests,
		while_a_peer_that_half_closed_reads_nothing_a_wait_sleeps_and_hears_a_cancel);
	tcase_add_test(tests,
		       while_a_peer_that_half_closed_reads_nothing_a_wait_goes_on_when_it_reads);
	tcase_add_test(tests, while_a_peer_that_half_closed_reads_nothing_a_close_ends_the_wait);
	tcase_add_test(tests,
		       while_a_peer_that_half_closed_reads_nothing_a_deadline_ends_the_wait);
	tcase_add_test(tests, two_that_wait_to_send_to_a_peer_that_half_closed_both_go_on);
	tcase_add_test(tests, while_the_error_queue_is_not_read_a_send_sleeps);
	tcase_add_test(tests, while_the_error_queue_is_not_read_a_receive_sleeps_and_goes_on);
	tcase_add_test(tests, a_peer_that_vanishes_ends_every_wait);
	tcase_add_test(tests, a_pipe_that_is_full_is_waited_for_asleep);
	tcase_add_test(tests, while_a_peer_is_half_closed_a_wait_for_no_events_looks_at_no_clock);
	tcase_add_test(tests,
		       without_multishot_polls_a_wait_looks_every_few_milliseconds);
	tcase_add_test(tests, a_stop_signal_ends_a_poll_of_a_socket_whose_peer_half_closed);
	suite_add_tcase(half_closed, tests);
	return half_closed;
}
