/* SPDX-License-Identifier: MIT */
/* sendfile and splice. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/timeout.h>
#include <stdlib.h>

enum { SIZE = 3 * 1000 * 1000 + 7 };

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 17 + i / 253);
}

/* An unnamed file of that many bytes. */
static int make_file(size_t size)
{
	static unsigned char bytes[SIZE];
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* A task that sends a file. */
struct sending {
	int out;
	int in;
	off_t offset;
	bool at_position;
	size_t count;
	ssize_t result;
};

static int send_it(void *arg)
{
	struct sending *sending = arg;

	sending->result = coil_sendfile(
		sending->out, sending->in,
		sending->at_position ? NULL : &sending->offset, sending->count);
	return 0;
}

/* A task that reads to the end, slowly at first. */
struct receiving {
	int fd;
	size_t total;
	size_t from;
	bool right;
};

static int receive(void *arg)
{
	struct receiving *receiving = arg;
	unsigned char buf[10000];
	ssize_t n;

	receiving->right = true;
	while ((n = coil_read(receiving->fd, buf,
			      receiving->total < 100 ? 1 : sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != pattern(receiving->from +
					      receiving->total + (size_t)i))
				receiving->right = false;
		}
		receiving->total += (size_t)n;
	}
	return (int)n;
}

static void whole_file_arrives(int out, int in)
{
	int file = make_file(SIZE);
	struct receiving receiving = { .fd = in, .from = 1000 };
	struct coil_task *task = coil_create_task(receive, &receiving);
	off_t offset = 1000;

	ck_assert_int_eq(coil_sendfile(out, file, &offset, SIZE), SIZE - 1000);
	ck_assert_int_eq(offset, SIZE);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_int_eq(coil_sendfile(out, file, &offset, SIZE), 0);
	coil_shutdown(out, SHUT_WR);
	coil_close(out);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_uint_eq(receiving.total, SIZE - 1000);
	ck_assert(receiving.right);
	coil_close(in);
	coil_close(file);
}

COIL_TEST(sendfile_sends_all_to_a_slow_reader)
{
	int fds[2];

	tcp_pair(fds);
	whole_file_arrives(fds[0], fds[1]);
	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	whole_file_arrives(fds[0], fds[1]);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	whole_file_arrives(fds[1], fds[0]);
}

COIL_TEST(sendfile_serves_an_out_that_blocks_and_leaves_it_so)
{
	int fds[2], other;

	unix_pair(fds, SOCK_STREAM);
	other = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	whole_file_arrives(other, fds[1]);
	ck_assert(!is_nonblocking(fds[0]));
	coil_close(fds[0]);
}

COIL_TEST(sendfile_without_an_offset_moves_the_position)
{
	int file = make_file(5000), ends[2];
	char buf[5000];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(lseek(file, 10, SEEK_SET), 10);
	ck_assert_int_eq(coil_sendfile(ends[1], file, NULL, 100), 100);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 110);
	ck_assert_int_eq(coil_sendfile(ends[1], file, NULL, 100000), 4890);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 5000);
	ck_assert_int_eq(read(ends[0], buf, sizeof(buf)), 4990);
	ck_assert_int_eq((unsigned char)buf[0], pattern(10));
	ck_assert_int_eq(coil_sendfile(ends[1], file, NULL, 0), 0);
	close_all(ends, 2);
	coil_close(file);
}

COIL_TEST(tasks_that_sendfile_at_one_position_send_the_file_once)
{
	enum { SENDERS = 3, LENGTH = 700000 };
	struct sending sendings[SENDERS];
	struct coil_task *tasks[SENDERS], *receiver;
	struct receiving receiving = { .right = true };
	int file = make_file(LENGTH), fds[2];
	ssize_t total = 0;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	receiving.fd = fds[1];
	receiver = coil_create_task(receive, &receiving);
	for (int i = 0; i < SENDERS; i++) {
		sendings[i] = (struct sending){ .out = fds[0], .in = file,
						.at_position = true, .count = LENGTH };
		tasks[i] = coil_create_task(send_it, &sendings[i]);
	}
	for (int i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(coil_await(tasks[i]), 0);
		ck_assert_int_ge(sendings[i].result, 0);
		total += sendings[i].result;
	}
	ck_assert_int_eq(total, LENGTH);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), LENGTH);
	coil_close(fds[0]);
	ck_assert_int_eq(coil_await(receiver), 0);
	ck_assert_uint_eq(receiving.total, LENGTH);
	ck_assert(receiving.right);
	coil_close(fds[1]);
	coil_close(file);
}

/* Those that wait for their turn hear a cancel and a close, and the next goes on. */
COIL_TEST(a_sendfile_that_waits_for_its_turn_can_be_ended)
{
	struct sending sendings[3];
	struct coil_task *tasks[3];
	int file = make_file(SIZE), fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	for (int i = 0; i < 3; i++) {
		sendings[i] = (struct sending){ .out = fds[0], .in = file,
						.at_position = true, .count = SIZE };
		tasks[i] = coil_create_task(send_it, &sendings[i]);
	}
	/* The first waits for somebody who reads. */
	while (drain(fds[1]) == 0)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	coil_cancel(tasks[1]);
	coil_await(tasks[1]);
	ck_assert_int_eq(sendings[1].result, -ECANCELED);
	ck_assert_int_eq(coil_close(file), 0);
	coil_await(tasks[2]);
	ck_assert_int_eq(sendings[2].result, -ECANCELED);
	coil_cancel(tasks[0]);
	coil_await(tasks[0]);
	close_all(fds, 2);
}

/*
 * The linker has the library call this instead: as sendfile reads its file the test
 * closes the other end, and another file has the number.
 */
static int closed_at_read = -1, stranger = -1;

ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	int number = closed_at_read;

	if (number >= 0 && flags & RWF_NOWAIT) {
		closed_at_read = -1;
		ck_assert_int_eq(coil_close(number), 0);
		ck_assert_int_eq(dup3(stranger, number, O_CLOEXEC), number);
	}
	return __real_preadv2(fd, iov, n, at, flags);
}

COIL_TEST(an_out_that_is_closed_as_sendfile_reads_is_not_written_to)
{
	int file = make_file(1000), ends[2], others[2];
	off_t offset = 0;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(others, O_CLOEXEC | O_NONBLOCK), 0);
	stranger = others[1];
	closed_at_read = ends[1];
	ck_assert_int_eq(coil_sendfile(ends[1], file, &offset, 1000), -ECANCELED);
	ck_assert_int_eq(closed_at_read, -1);
	ck_assert_int_eq(offset, 0);
	ck_assert_uint_eq(drain(others[0]), 0);
	close_all(others, 2);
	close_all(ends, 2);
	coil_close(file);
}

COIL_TEST(sendfile_copies_a_file_to_a_file)
{
	int file = make_file(100000), copy = make_file(0);
	static unsigned char bytes[100000];
	off_t offset = 0;

	ck_assert_int_eq(coil_sendfile(copy, file, &offset, SIZE), 100000);
	ck_assert_int_eq(pread(copy, bytes, sizeof(bytes), 0), 100000);
	for (size_t i = 0; i < sizeof(bytes); i++)
		ck_assert_int_eq(bytes[i], pattern(i));
	coil_close(copy);
	coil_close(file);
}

static void stopped_midway(bool at_position, bool cancel)
{
	int file = make_file(SIZE), fds[2];
	struct sending sending = {
		.in = file, .count = SIZE, .at_position = at_position};
	struct linger linger = { .l_onoff = 1 };
	int small = 100000;
	char buf[1024];
	struct coil_task *task;
	off_t sent;

	tcp_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	sending.out = fds[0];
	task = coil_create_task(send_it, &sending);
	ck_assert_int_eq(coil_recv_all(fds[1], buf, sizeof(buf), 0, NULL),
			 1024);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	if (cancel) {
		coil_cancel(task);
	} else {
		setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger,
			   sizeof(linger));
		coil_close(fds[1]);
	}
	coil_await(task);
	if (cancel)
		ck_assert_int_eq(sending.result, -ECANCELED);
	else
		ck_assert(sending.result == -EPIPE ||
			  sending.result == -ECONNRESET);
	sent = at_position ? lseek(file, 0, SEEK_CUR) : sending.offset;
	ck_assert_int_ge(sent, 1024);
	ck_assert_int_lt(sent, SIZE);
	if (cancel) {
		/* Not a byte more, or less, than it says. */
		coil_shutdown(fds[0], SHUT_WR);
		ck_assert_uint_eq(drain_until(fds[1], (size_t)sent - 1024),
				  (size_t)sent - 1024);
		coil_close(fds[1]);
	}
	coil_close(fds[0]);
	coil_close(file);
}

COIL_TEST(sendfile_004_stopped_midway_it_tells_how_much_was_sent)
{
	stopped_midway(false, false);
	stopped_midway(true, false);
	stopped_midway(false, true);
	stopped_midway(true, true);
}

COIL_TEST(sendfile_005_what_it_cannot_serve_is_einval_and_nothing_was_sent)
{
	int file = make_file(100), fds[2], ends[2], datagram;
	struct sockaddr_in addr;
	off_t offset = -1;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	datagram = loopback(SOCK_DGRAM | SOCK_NONBLOCK, &addr);
	ck_assert_int_eq(
		connect(datagram, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(coil_sendfile(fds[0], file, &offset, 10), -EINVAL);
	ck_assert_int_eq(offset, -1);
	offset = 5;
	ck_assert_int_eq(coil_sendfile(datagram, file, &offset, 10), -EINVAL);
	ck_assert_int_eq(coil_sendfile(fds[0], ends[0], NULL, 1), -EINVAL);
	ck_assert_int_eq(coil_sendfile(fds[0], fds[1], NULL, 1), -EINVAL);
	ck_assert_int_eq(coil_sendfile(fds[0], ends[1], NULL, 1), -EINVAL);
	ck_assert_int_eq(offset, 5);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_uint_eq(drain(fds[1]) + drain(datagram), 0);
	coil_close(datagram);
	close_all(fds, 2);
	close_all(ends, 2);
	coil_close(file);
}

COIL_TEST(a_request_that_is_pending_sends_nothing)
{
	int file = make_file(100), fds[2];
	off_t offset = 3;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	COIL_TIMEOUT(0) {
		ck_assert_int_eq(coil_sendfile(fds[0], file, &offset, 10),
				 -ETIMEDOUT);
		ck_assert_int_eq(coil_splice(file, NULL, fds[0], NULL, 10, 0),
				 -ETIMEDOUT);
	}
	ck_assert_int_eq(offset, 3);
	ck_assert_uint_eq(drain(fds[1]), 0);
	close_all(fds, 2);
	coil_close(file);
}

/*
 * splice.
 */

static int splice_end;

static ssize_t splice_into_end(int fd)
{
	return coil_splice(fd, NULL, splice_end, NULL, 100000, 0);
}

static ssize_t splice_out_of_end(int fd)
{
	return coil_splice(splice_end, NULL, fd, NULL, 100000, 0);
}

COIL_TEST(splice_moves_from_a_socket_to_a_pipe_and_on)
{
	struct call call = { .fn = splice_into_end };
	struct coil_task *task;
	char buf[8];
	int fds[2], ends[2];

	tcp_pair(fds);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	call.fd = fds[0];
	splice_end = ends[1];
	task = start_call(&call);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(send(fds[1], "through", 7, 0), 7);
	coil_await(task);
	ck_assert_int_eq(call.result, 7);
	ck_assert_int_eq(coil_splice(ends[0], NULL, fds[0], NULL, 100, 0), 7);
	ck_assert_int_eq(coil_recv_all(fds[1], buf, 7, 0, NULL), 7);
	ck_assert_mem_eq(buf, "through", 7);
	coil_shutdown(fds[1], SHUT_WR);
	ck_assert_int_eq(coil_splice(fds[0], NULL, ends[1], NULL, 100, 0), 0);
	close_all(fds, 2);
	close_all(ends, 2);
}

COIL_TEST(splice_between_a_file_and_a_pipe_keeps_the_offsets)
{
	int file = make_file(1000), copy = make_file(0), ends[2];
	off_t in = 100, out = 5;
	unsigned char byte;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(coil_splice(file, &in, ends[1], NULL, 50, 0), 50);
	ck_assert_int_eq(in, 150);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_int_eq(coil_splice(ends[0], NULL, copy, &out, 100, 0), 50);
	ck_assert_int_eq(out, 55);
	ck_assert_int_eq(pread(copy, &byte, 1, 5), 1);
	ck_assert_int_eq(byte, pattern(100));
	ck_assert_int_eq(coil_splice(file, NULL, ends[1], NULL, 10, 0), 10);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 10);
	close_all(ends, 2);
	coil_close(copy);
	coil_close(file);
}

static void splice_parks_for_room(bool blocking)
{
	struct call call = { .fn = splice_out_of_end };
	struct coil_task *task;
	size_t sent;
	int fds[2], ends[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	set_nonblocking(fds[0], !blocking);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	sent = fill(fds[0], '.');
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	call.fd = fds[0];
	splice_end = ends[0];
	task = start_call(&call);
	ck_assert(!coil_done(task));
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	task = start_call(&call);
	ck_assert_uint_eq(drain(fds[1]), sent);
	coil_await(task);
	ck_assert_int_eq(call.result, 1);
	ck_assert_uint_eq(drain(fds[1]), 1);
	close_all(fds, 2);
	close_all(ends, 2);
}

COIL_TEST(splice_parks_until_both_ends_are_ready)
{
	splice_parks_for_room(false);
	splice_parks_for_room(true);
}

/* A blocking socket would hold the thread for what does not fit. */
COIL_TEST(splice_of_much_into_a_blocking_socket_stops_only_its_task)
{
	static char zeros[60000];
	size_t total = 0;
	int fds[2], ends[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	for (;;) {
		ssize_t n = -1;

		while (write(ends[1], zeros, sizeof(zeros)) > 0)
			;
		COIL_TIMEOUT(20 * COIL_MILLISECOND)
		n = coil_splice(ends[0], NULL, fds[0], NULL, 1 << 20, 0);
		if (n == -ETIMEDOUT)
			break;
		ck_assert_int_gt(n, 0);
		total += (size_t)n;
	}
	ck_assert_uint_eq(drain(fds[1]), total);
	close_all(fds, 2);
	close_all(ends, 2);
}

COIL_TEST(splice_misuse_is_what_splice_2_says)
{
	int fds[2], ends[2], file = make_file(10);
	off_t negative = -1, zero = 0;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	ck_assert_int_eq(coil_splice(fds[0], NULL, fds[0], NULL, 1, 0),
			 -EINVAL);
	ck_assert_int_eq(coil_splice(file, &negative, ends[1], NULL, 1, 0),
			 -EINVAL);
	ck_assert_int_eq(coil_splice(fds[0], &zero, ends[1], NULL, 1, 0),
			 -EINVAL);
	ck_assert_int_eq(
		coil_splice(ends[0], &zero, fds[0], NULL, 1, SPLICE_F_NONBLOCK),
		-ESPIPE);
	ck_assert_int_eq(
		coil_splice(ends[0], NULL, fds[0], NULL, 1, SPLICE_F_NONBLOCK),
		-EAGAIN);
	ck_assert_int_eq(coil_splice(fds[0], NULL, ends[1], NULL, 1, 1 << 20),
			 -EINVAL);
	/* What it says without a look at the ends it says at once. */
	ck_assert_int_eq(coil_splice(fds[0], NULL, ends[1], NULL, 0, 0), 0);
	ck_assert_int_eq(coil_splice(-1, NULL, -1, NULL, 0, 1 << 20), 0);
	ck_assert_int_eq(coil_splice(-1, NULL, ends[1], NULL, 1, 1 << 20), -EINVAL);
	ck_assert_int_eq(coil_splice(fds[1], NULL, file, NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(file, NULL, fds[1], NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(fds[1], NULL, fds[0], NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(fds[1], &zero, ends[1], NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(ends[0], NULL, ends[1], NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(ends[0], NULL, file, &negative, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_splice(ends[0], NULL, ends[0], NULL, 1, 0), -EBADF);
	ck_assert_int_eq(coil_splice(ends[1], NULL, ends[0], NULL, 1, 0), -EBADF);
	ck_assert_int_eq(fcntl(file, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(coil_splice(ends[0], NULL, file, NULL, 1, 0), -EINVAL);
	coil_close(ends[0]);
	ck_assert_int_eq(coil_splice(fds[0], NULL, ends[1], NULL, 1, 0),
			 -EPIPE);
	coil_close(ends[1]);
	close_all(fds, 2);
	coil_close(file);
}

Suite *suite(void)
{
	Suite *sendfile = suite_create("sendfile");
	TCase *tests = tcase_create("sendfile");

	tcase_add_test(tests, sendfile_sends_all_to_a_slow_reader);
	tcase_add_test(tests,
		       sendfile_serves_an_out_that_blocks_and_leaves_it_so);
	tcase_add_test(tests, sendfile_without_an_offset_moves_the_position);
	tcase_add_test(tests, tasks_that_sendfile_at_one_position_send_the_file_once);
	tcase_add_test(tests, a_sendfile_that_waits_for_its_turn_can_be_ended);
	tcase_add_test(tests, an_out_that_is_closed_as_sendfile_reads_is_not_written_to);
	tcase_add_test(tests, sendfile_copies_a_file_to_a_file);
	tcase_add_test(tests,
		       sendfile_004_stopped_midway_it_tells_how_much_was_sent);
	tcase_add_test(
		tests,
		sendfile_005_what_it_cannot_serve_is_einval_and_nothing_was_sent);
	tcase_add_test(tests, a_request_that_is_pending_sends_nothing);
	tcase_add_test(tests, splice_moves_from_a_socket_to_a_pipe_and_on);
	tcase_add_test(tests,
		       splice_between_a_file_and_a_pipe_keeps_the_offsets);
	tcase_add_test(tests, splice_parks_until_both_ends_are_ready);
	tcase_add_test(
		tests,
		splice_of_much_into_a_blocking_socket_stops_only_its_task);
	tcase_add_test(tests, splice_misuse_is_what_splice_2_says);
	suite_add_tcase(sendfile, tests);
	return sendfile;
}
