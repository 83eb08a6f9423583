/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "tests/ops.h"
#include "tests/sockets.h"
#include <coil/timeout.h>
#include <pty.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int64_t cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * COIL_SECOND + now.tv_nsec;
}

/*
 * Several that wait.
 */

struct writer {
	int fd;
	size_t left;
	bool done;
};

static int write_all(void *arg)
{
	static const char block[65536];
	struct writer *writer = arg;

	while (writer->left) {
		size_t some = writer->left < sizeof(block) ? writer->left : sizeof(block);
		int n = op_send(writer->fd, block, some, 0);

		ck_assert_int_gt(n, 0);
		writer->left -= (size_t)n;
	}
	writer->done = true;
	return 0;
}

COIL_TEST(a_reader_and_a_writer_wait_on_one_fd_and_each_is_woken_for_its_own)
{
	struct asker reader;
	struct writer writer = { .left = 1 << 20 };
	struct coil_task *task;
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	writer.fd = fds[0];
	ask(&reader, ask_recv, fds[0]);
	task = coil_create_task(write_all, &writer);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!writer.done && !reader.place);
	say(fds[1], "here");
	answered(&reader);
	ck_assert_int_eq(reader.res, 4);
	ck_assert(!writer.done);
	ck_assert_uint_eq(drain_until(fds[1], 1 << 20), 1 << 20);
	ck_assert_int_eq(coil_await(task), 0);
	close_all(fds, 2);
}

COIL_TEST(the_end_of_a_peer_wakes_all_who_read)
{
	struct asker readers[2];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ask(&readers[0], ask_recv, fds[0]);
	ask(&readers[1], ask_recv, fds[0]);
	close(fds[1]);
	answered(&readers[0]);
	answered(&readers[1]);
	ck_assert_int_eq(readers[0].res, 0);
	ck_assert_int_eq(readers[1].res, 0);
	ck_assert_int_eq(op_send(fds[0], "x", 1, 0), -EPIPE);
	coil_close(fds[0]);
}

/*
 * Multishot.
 */

COIL_TEST(a_multishot_accept_goes_on_until_it_is_cancelled)
{
	struct own_op own = {0};
	struct sockaddr_in addr;
	int server = loopback(SOCK_STREAM, &addr), peers[100];

	ck_assert_int_eq(listen(server, 200), 0);
	io_uring_prep_multishot_accept(&own.op.sqe, server, NULL, NULL, SOCK_CLOEXEC);
	begin(&own);
	for (int i = 0; i < 100; i++)
		peers[i] = client(&addr);
	until(own.count == 100);
	ck_assert(own.more);
	coil__op_cancel(coil__loop, &own.op);
	until(!own.more);
	ck_assert_int_eq(own.count, 101);
	ck_assert_int_eq(own.last, -ECANCELED);
	for (int i = 0; i < 100; i++)
		coil_close(own.results[i]);
	close_all(peers, 100);
	coil_close(server);
}

static void cancel_itself(struct own_op *own)
{
	if (own->more)
		coil__op_cancel(coil__loop, &own->op);
}

COIL_TEST(a_multishot_accept_can_be_cancelled_by_its_own_completion)
{
	struct own_op own = { .hook = cancel_itself };
	struct sockaddr_in addr;
	int server = listener(&addr), peers[3];

	io_uring_prep_multishot_accept(&own.op.sqe, server, NULL, NULL, SOCK_CLOEXEC);
	begin(&own);
	for (int i = 0; i < 3; i++)
		peers[i] = client(&addr);
	until(!own.more);
	ck_assert_int_eq(own.last, -ECANCELED);
	for (int i = 0; i < own.count - 1; i++)
		coil_close(own.results[i]);
	close_all(peers, 3);
	coil_close(server);
}

COIL_TEST(a_multishot_poll_tells_of_every_change)
{
	struct own_op own = {0};
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	io_uring_prep_poll_multishot(&own.op.sqe, fds[0], POLLIN);
	begin(&own);
	for (int i = 1; i <= 3; i++) {
		say(fds[1], "x");
		until(own.count == i);
		ck_assert_int_eq(own.last, POLLIN);
		ck_assert(own.more);
		ck_assert_int_eq(coil_sleep(5 * COIL_MILLISECOND), 0);
		ck_assert_int_eq(own.count, i);
	}
	coil__op_cancel(coil__loop, &own.op);
	until(!own.more);
	ck_assert_int_eq(own.last, -ECANCELED);
	close_all(fds, 2);
}

COIL_TEST(poll_reports_what_is_ready_and_an_fd_that_is_none)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(op_poll(fds[0], POLLOUT), POLLOUT);
	say(fds[1], "x");
	ck_assert_int_eq(op_poll(fds[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
	close(fds[1]);
	ck_assert_int_eq(op_poll(fds[0], POLLRDHUP), POLLRDHUP | POLLHUP);
	coil_close(fds[0]);
	ck_assert_int_eq(op_poll(fds[0], POLLIN), -EBADF);
}

COIL_TEST(bytes_that_came_before_a_cancel_are_not_lost)
{
	struct own_op own = {0};
	char buf[8];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	io_uring_prep_recv(&own.op.sqe, fds[0], buf, sizeof(buf), MSG_WAITALL);
	begin(&own);
	say(fds[1], "abc");
	ck_assert_int_eq(coil_sleep(5 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	coil__op_cancel(coil__loop, &own.op);
	until(own.count == 1);
	ck_assert_int_eq(own.last, 3);
	ck_assert(!memcmp(buf, "abc", 3));
	close_all(fds, 2);
}

/*
 * fds that would block.
 */

COIL_TEST(waitall_waits_for_all_of_a_stream_and_for_one_datagram)
{
	struct own_op own = {0};
	char buf[8];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	io_uring_prep_recv(&own.op.sqe, fds[0], buf, 6, MSG_WAITALL);
	begin(&own);
	say(fds[1], "abc");
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	say(fds[1], "defg");
	until(own.count == 1);
	ck_assert_int_eq(own.last, 6);
	ck_assert(!memcmp(buf, "abcdef", 6));
	close(fds[1]);
	ck_assert_int_eq(op_recv(fds[0], buf, 8, MSG_WAITALL), 1);
	coil_close(fds[0]);
	unix_pair(fds, SOCK_DGRAM);
	say(fds[1], "abc");
	ck_assert_int_eq(op_recv(fds[0], buf, 8, MSG_WAITALL), 3);
	close_all(fds, 2);
}

COIL_TEST(waitall_waits_for_all_of_a_message_in_parts)
{
	struct own_op own = {0};
	char a[2], b[3], c[4];
	struct iovec iov[3] = { { a, 2 }, { b, 3 }, { c, 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	io_uring_prep_recvmsg(&own.op.sqe, fds[0], &msg, MSG_WAITALL);
	begin(&own);
	for (int i = 0; i < 3; i++) {
		say(fds[1], &"abc\0def\0ghi"[4 * i]);
		ck_assert_int_eq(own.count, 0);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	}
	until(own.count == 1);
	ck_assert_int_eq(own.last, 9);
	ck_assert(!memcmp(a, "ab", 2) && !memcmp(b, "cde", 3) && !memcmp(c, "fghi", 4));
	close_all(fds, 2);
}

COIL_TEST(who_asks_not_to_wait_does_not)
{
	struct op op = {0};
	char buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(op_recv(fds[0], buf, sizeof(buf), MSG_DONTWAIT), -EAGAIN);
	io_uring_prep_readv2(&op.sqe, fds[0], &iov, 1, UINT64_MAX, RWF_NOWAIT);
	ck_assert_int_eq(coil__op_run(&op), -EAGAIN);
	fill(fds[0], 'x');
	ck_assert_int_eq(op_send(fds[0], "x", 1, MSG_DONTWAIT), -EAGAIN);
	close_all(fds, 2);
}

/* What is read from the first, which blocks, was written to the second. */
static void reads_without_blocking(int ends[2])
{
	struct asker asker;

	ask(&asker, ask_read, ends[0]);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(asker.place, 0);
	say(ends[1], "line\n");
	answered(&asker);
	ck_assert_int_eq(asker.res, 5);
	ck_assert_str_eq(asker.buf, "line\n");
	ck_assert(!is_nonblocking(ends[0]));
	/* And one that nothing comes for can be cancelled. */
	ask(&asker, ask_read, ends[0]);
	coil_cancel(asker.task);
	answered(&asker);
	ck_assert_int_eq(asker.res, -ECANCELED);
	coil_close(ends[0]);
	if (ends[1] != ends[0])
		close(ends[1]);
}

COIL_TEST(a_blocking_pipe_socket_fifo_and_tty_are_read_without_blocking)
{
	char path[] = "/tmp/coil-fifo-XXXXXX";
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	reads_without_blocking(ends);
	unix_pair(ends, SOCK_STREAM);
	reads_without_blocking(ends);
	ck_assert_int_eq(openpty(&ends[1], &ends[0], NULL, NULL, NULL), 0);
	reads_without_blocking(ends);
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDWR | O_CLOEXEC);
	ends[1] = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(unlink(path), 0);
	reads_without_blocking(ends);
}

COIL_TEST(inotify_is_read_without_blocking)
{
	char path[] = "/tmp/coil-watched-XXXXXX";
	struct own_op own = {0};
	char buf[4096];
	int fd = inotify_init1(IN_CLOEXEC);

	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_ge(inotify_add_watch(fd, path, IN_DELETE_SELF), 0);
	io_uring_prep_read(&own.op.sqe, fd, buf, sizeof(buf), UINT64_MAX);
	begin(&own);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	ck_assert_int_eq(rmdir(path), 0);
	until(own.count == 1);
	ck_assert_int_gt(own.last, 0);
	coil_close(fd);
}

/* Fills the other end, a page at a time where more would block. */
static void writes_without_blocking(int ends[2])
{
	/* Does not divide what a pipe holds. */
	static char block[20000];
	struct own_op own = {0};
	ssize_t n;

	do {
		memset(&own, 0, sizeof(own));
		io_uring_prep_write(&own.op.sqe, ends[1], block, sizeof(block), UINT64_MAX);
		begin(&own);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		ck_assert(!own.count || own.last > 0);
	} while (own.count);
	while (!own.count) {
		n = read(ends[0], block, sizeof(block));
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	}
	ck_assert_int_gt(own.last, 0);
	ck_assert(!is_nonblocking(ends[1]));
	coil_close(ends[1]);
	if (ends[0] != ends[1])
		close(ends[0]);
}

COIL_TEST(a_blocking_pipe_socket_and_fifo_are_written_without_blocking)
{
	char path[] = "/tmp/coil-fifo-XXXXXX";
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	writes_without_blocking(ends);
	unix_pair(ends, SOCK_STREAM);
	writes_without_blocking(ends);
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDWR | O_CLOEXEC);
	ends[1] = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(unlink(path), 0);
	writes_without_blocking(ends);
}

COIL_TEST(a_blocking_listener_is_accepted_from_without_blocking)
{
	struct sockaddr_in addr;
	struct asker asker;
	int server = loopback(SOCK_STREAM, &addr), peer;

	ck_assert_int_eq(listen(server, 4), 0);
	ask(&asker, ask_accept, server);
	ck_assert(is_nonblocking(server) || !strcmp(support_backend(), "uring"));
	peer = client(&addr);
	answered(&asker);
	coil_close(asker.res);
	close(peer);
	coil_close(server);
}

COIL_TEST(so_is_one_that_is_standard_input)
{
	struct sockaddr_in addr;
	struct asker asker;
	int server = loopback(SOCK_STREAM, &addr), saved = dup(0), peer;

	ck_assert_int_eq(listen(server, 4), 0);
	ck_assert_int_eq(dup2(server, 0), 0);
	ask(&asker, ask_accept, 0);
	ck_assert(is_nonblocking(0) || !strcmp(support_backend(), "uring"));
	peer = client(&addr);
	answered(&asker);
	ck_assert_int_ge(asker.res, 0);
	coil_close(asker.res);
	ck_assert_int_eq(coil__op_close_begin(0), 0);
	coil__op_close_end(0);
	dup2(saved, 0);
	close(saved);
	close(peer);
	close(server);
}

COIL_TEST(what_is_no_socket_is_not_made_nonblocking_by_an_accept)
{
	int fds[2], saved = dup(0);

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(fds[0], 0), 0);
	ck_assert_int_eq(coil_accept(0, NULL, NULL), -ENOTSOCK);
	ck_assert_int_eq(coil_accept(fds[1], NULL, NULL), -ENOTSOCK);
	ck_assert(!is_nonblocking(0));
	ck_assert(!is_nonblocking(fds[1]));
	dup2(saved, 0);
	close(saved);
	close_all(fds, 2);
}

/*
 * Connecting, and datagrams whose receiver is full.
 */

COIL_TEST(a_refused_connection_says_so_and_another_succeeds)
{
	struct sockaddr_in addr;
	int server = loopback(SOCK_STREAM, &addr), fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(run_op(connect, fd, (struct sockaddr *)&addr, sizeof(addr)),
			 -ECONNREFUSED);
	coil_close(fd);
	ck_assert_int_eq(listen(server, 4), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(run_op(connect, fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(run_op(connect, fd, (struct sockaddr *)&addr, sizeof(addr)),
			 -EISCONN);
	coil_close(fd);
	coil_close(server);
}

COIL_TEST(a_connection_to_a_crowded_listener_waits_and_can_be_cancelled)
{
	struct sockaddr_in addr;
	int clients[CROWD], server = crowded(&addr, clients), fd, res = 0;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	COIL_TIMEOUT(10 * COIL_MILLISECOND)
		res = run_op(connect, fd, (struct sockaddr *)&addr, sizeof(addr));
	ck_assert_int_eq(res, -ETIMEDOUT);
	coil_close(fd);
	close_all(clients, CROWD);
	coil_close(server);
}

/* A unix socket with an abstract name that nobody else has. */
static int unix_named(int type, struct sockaddr_un *addr, socklen_t *len)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	*len = offsetof(struct sockaddr_un, sun_path) + 1 +
	       (socklen_t)snprintf(addr->sun_path + 1, 64, "coil-test-%d", getpid());
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)addr, *len), 0);
	return fd;
}

COIL_TEST(a_unix_connection_waits_for_room_in_the_queue)
{
	struct own_op own[4] = {0};
	struct sockaddr_un addr;
	socklen_t len;
	int server = unix_named(SOCK_STREAM, &addr, &len), fds[4];

	ck_assert_int_eq(listen(server, 0), 0);
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		io_uring_prep_connect(&own[i].op.sqe, fds[i], (struct sockaddr *)&addr, len);
		begin(&own[i]);
		ck_assert_int_eq(coil_sleep(20 * COIL_MILLISECOND), 0);
		ck_assert_int_eq(own[i].count, !i);
	}
	coil__op_cancel(coil__loop, &own[2].op);
	until(own[2].count);
	ck_assert(own[2].last == -ECANCELED || own[2].last == -EINTR);
	for (int i = 0; i < 3; i++) {
		int fd = run_op(accept, server, NULL, NULL, SOCK_CLOEXEC);

		ck_assert_int_ge(fd, 0);
		coil_close(fd);
	}
	until(own[1].count && own[3].count);
	ck_assert_int_eq(own[1].last, 0);
	ck_assert_int_eq(own[3].last, 0);
	close_all(fds, 4);
	coil_close(server);
}

static void sends_when_the_receiver_has_room(bool connected)
{
	struct own_op own = {0};
	struct sockaddr_un addr;
	socklen_t len;
	int server = unix_named(SOCK_DGRAM, &addr, &len);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x', buf[4096];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t began, cpu;

	if (connected) {
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, len), 0);
	} else {
		msg.msg_name = &addr;
		msg.msg_namelen = len;
	}
	/* Others have filled it: room there gives fd no event. */
	ck_assert_int_eq(connect(other, (struct sockaddr *)&addr, len), 0);
	fill(other, 'x');
	io_uring_prep_sendmsg(&own.op.sqe, fd, &msg, 0);
	begin(&own);
	cpu = cpu_time();
	ck_assert_int_eq(coil_sleep(50 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	ck_assert_int_lt(cpu_time() - cpu, 25 * COIL_MILLISECOND * support_patience());
	ck_assert_int_gt(recv(server, buf, sizeof(buf), MSG_DONTWAIT), 0);
	began = coil_now();
	until(own.count == 1);
	ck_assert_int_eq(own.last, 1);
	ck_assert_int_lt(coil_now() - began, 60 * COIL_MILLISECOND * support_patience());
	close(other);
	coil_close(fd);
	coil_close(server);
}

COIL_TEST(a_datagram_waits_for_a_receiver_whose_queue_is_full)
{
	sends_when_the_receiver_has_room(true);
	sends_when_the_receiver_has_room(false);
}

/*
 * What may be missing.
 */

COIL_TEST(an_opcode_that_nobody_knows_is_eopnotsupp)
{
	struct op op = {0};

	op.sqe.opcode = 250;
	op.sqe.fd = -1;
	ck_assert_int_eq(coil__op_run(&op), -EOPNOTSUPP);
}

static int use_nothing(void *arg)
{
	return 0;
}

/* Waits for a socket and a thread; -ENOMEM if memory was asked for in vain. */
static int use_memory(void *arg)
{
	struct coil_task *task;
	struct own_op own = {0};
	int fds[2], high, fd = -1, err;
	char buf[4];

	unix_pair(fds, SOCK_STREAM);
	high = fcntl(fds[0], F_DUPFD_CLOEXEC, 700);
	own.op.complete = note_completion;
	io_uring_prep_recv(&own.op.sqe, high, buf, sizeof(buf), 0);
	err = coil__op_start(coil__loop, &own.op);
	if (!err) {
		say(fds[1], "abc");
		for (int i = 0; !own.count && i < 1000 && !err; i++)
			err = coil_sleep(COIL_MILLISECOND);
		coil__op_cancel(coil__loop, &own.op);
		while (!own.count)
			coil_yield();
		if (!err && own.last < 0)
			err = own.last;
	}
	if (!err)
		fd = err = run_op(openat, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		err = run_op(fsync, fd, 0);
	task = coil_create_task(use_nothing, NULL);
	if (task)
		coil_await(task);
	close(fd);
	close(high);
	close_all(fds, 2);
	return err < 0 ? err : 0;
}

START_TEST(each_failure_of_memory_is_told_and_leaves_nothing)
{
	for (unsigned long n = 1;; n++) {
		int result;

		support_fail_allocation(n);
		result = coil_run(use_memory, NULL);
		if (!support_allocation_failed()) {
			ck_assert_int_eq(result, 0);
			break;
		}
		ck_assert_msg(!result || result == -ENOMEM,
			      "request %lu in vain gave %d", n, result);
	}
	support_fail_allocation(0);
}
END_TEST

static void add_streams(TCase *tests)
{
	tcase_add_test(tests, a_reader_and_a_writer_wait_on_one_fd_and_each_is_woken_for_its_own);
	tcase_add_test(tests, the_end_of_a_peer_wakes_all_who_read);
	tcase_add_test(tests, a_multishot_accept_goes_on_until_it_is_cancelled);
	tcase_add_test(tests, a_multishot_accept_can_be_cancelled_by_its_own_completion);
	tcase_add_test(tests, a_multishot_poll_tells_of_every_change);
	tcase_add_test(tests, poll_reports_what_is_ready_and_an_fd_that_is_none);
	tcase_add_test(tests, bytes_that_came_before_a_cancel_are_not_lost);
	tcase_add_test(tests, waitall_waits_for_all_of_a_stream_and_for_one_datagram);
	tcase_add_test(tests, waitall_waits_for_all_of_a_message_in_parts);
	tcase_add_test(tests, who_asks_not_to_wait_does_not);
	tcase_add_test(tests, a_blocking_pipe_socket_fifo_and_tty_are_read_without_blocking);
}

static void add_others(TCase *tests)
{
	tcase_add_test(tests, inotify_is_read_without_blocking);
	tcase_add_test(tests, a_blocking_pipe_socket_and_fifo_are_written_without_blocking);
	tcase_add_test(tests, a_blocking_listener_is_accepted_from_without_blocking);
	tcase_add_test(tests, so_is_one_that_is_standard_input);
	tcase_add_test(tests, what_is_no_socket_is_not_made_nonblocking_by_an_accept);
	tcase_add_test(tests, a_refused_connection_says_so_and_another_succeeds);
	tcase_add_test(tests, a_connection_to_a_crowded_listener_waits_and_can_be_cancelled);
	tcase_add_test(tests, a_unix_connection_waits_for_room_in_the_queue);
	tcase_add_test(tests, a_datagram_waits_for_a_receiver_whose_queue_is_full);
	tcase_add_test(tests, an_opcode_that_nobody_knows_is_eopnotsupp);
	tcase_add_test(tests, each_failure_of_memory_is_told_and_leaves_nothing);
}

Suite *suite(void)
{
	Suite *perform = suite_create("perform");
	TCase *tests = tcase_create("perform");

	add_streams(tests);
	add_others(tests);
	suite_add_tcase(perform, tests);
	return perform;
}
