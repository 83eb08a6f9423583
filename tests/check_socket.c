/* SPDX-License-Identifier: MIT */
/* Socket calls: what they return, and what a cancel, a close or a peer does. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/timeout.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>

static void receive_parks(int type)
{
	int fds[2];

	for (size_t i = 0; i < COUNT(takers); i++) {
		struct call call = { .fn = takers[i], .result = -1 };
		struct coil_task *task;

		unix_pair(fds, type);
		call.fd = fds[0];
		task = start_call(&call);
		ck_assert(!coil_done(task));
		taken[0] = 0;
		ck_assert_int_eq(send(fds[1], "!", 1, 0), 1);
		coil_await(task);
		ck_assert_int_eq(call.result, 1);
		ck_assert_int_eq(taken[0], '!');
		ck_assert_int_eq(is_nonblocking(fds[0]),
				 !!(type & SOCK_NONBLOCK));
		close_all(fds, 2);
	}
}

static void send_parks(int type)
{
	int fds[2];

	for (size_t i = 0; i < COUNT(givers); i++) {
		struct call call = { .fn = givers[i], .result = -1 };
		struct coil_task *task;
		size_t sent;

		unix_pair(fds, type);
		sent = fill(fds[0], '.');
		call.fd = fds[0];
		task = start_call(&call);
		ck_assert(!coil_done(task));
		ck_assert_uint_eq(drain(fds[1]), sent);
		coil_await(task);
		ck_assert_int_eq(call.result, 1);
		ck_assert_uint_eq(drain(fds[1]), 1);
		ck_assert_int_eq(is_nonblocking(fds[0]),
				 !!(type & SOCK_NONBLOCK));
		close_all(fds, 2);
	}
}

COIL_TEST(a_receive_parks_until_there_is_something)
{
	receive_parks(SOCK_STREAM | SOCK_NONBLOCK);
	receive_parks(SOCK_DGRAM | SOCK_NONBLOCK);
}

COIL_TEST(a_send_parks_until_something_fits)
{
	send_parks(SOCK_STREAM | SOCK_NONBLOCK);
}

COIL_TEST(a_blocking_socket_stops_only_its_task_and_stays_as_it_is)
{
	receive_parks(SOCK_STREAM);
	receive_parks(SOCK_DGRAM);
	send_parks(SOCK_STREAM);
}

COIL_TEST(a_cancel_before_the_start_takes_nothing)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	for (size_t i = 0; i < COUNT(takers); i++) {
		struct call call = { .fn = takers[i], .fd = fds[0] };
		struct coil_task *task = coil_create_task(make_call, &call);

		ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert_int_eq(call.result, -ECANCELED);
	}
	for (size_t i = 0; i < COUNT(givers); i++) {
		struct call call = { .fn = givers[i], .fd = fds[0] };
		struct coil_task *task = coil_create_task(make_call, &call);

		ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert_int_eq(call.result, -ECANCELED);
	}
	ck_assert_uint_eq(drain(fds[0]), 1);
	ck_assert_uint_eq(drain(fds[1]), 0);
	close_all(fds, 2);
}

COIL_TEST(a_cancel_in_flight_takes_nothing_and_leaves_the_fd_usable)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	for (size_t i = 0; i < COUNT(takers); i++) {
		struct call call = { .fn = takers[i], .fd = fds[0] };
		struct coil_task *task = start_call(&call);

		ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert_int_eq(call.result, -ECANCELED);
		ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
		ck_assert_int_eq(takers[i](fds[0]), 1);
	}
	for (size_t i = 0; i < COUNT(givers); i++) {
		struct call call = { .fn = givers[i], .fd = fds[0] };
		size_t sent = fill(fds[0], '.');
		struct coil_task *task = start_call(&call);

		ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert_int_eq(call.result, -ECANCELED);
		ck_assert_uint_eq(drain(fds[1]), sent);
		ck_assert_int_eq(givers[i](fds[0]), 1);
		ck_assert_uint_eq(drain(fds[1]), 1);
	}
	close_all(fds, 2);
}

/*
 * The result and the cancel are there together: one of them, and no byte less.
 */
COIL_TEST(a_cancel_that_meets_its_completion_loses_no_byte)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	for (size_t i = 0; i < COUNT(takers) * 2; i++) {
		struct call call = { .fn = takers[i / 2], .fd = fds[0] };
		struct coil_task *task = start_call(&call);

		if (i % 2)
			ck_assert(coil_cancel(task));
		ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
		if (!(i % 2))
			ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert(call.result == 1 || call.result == -ECANCELED);
		ck_assert_uint_eq(drain(fds[0]), call.result != 1);
	}
	for (size_t i = 0; i < COUNT(givers) * 2; i++) {
		struct call call = { .fn = givers[i / 2], .fd = fds[0] };
		size_t sent = fill(fds[0], '.');
		struct coil_task *task = start_call(&call);

		if (i % 2)
			ck_assert(coil_cancel(task));
		ck_assert_uint_eq(drain(fds[1]), sent);
		if (!(i % 2))
			ck_assert(coil_cancel(task));
		coil_await(task);
		ck_assert(call.result == 1 || call.result == -ECANCELED);
		ck_assert_uint_eq(drain(fds[1]), call.result == 1);
	}
	close_all(fds, 2);
}

COIL_TEST(a_cancel_that_meets_a_connection_leaks_no_fd)
{
	struct sockaddr_in addr;
	int fd = listener(&addr);

	for (int i = 0; i < 4; i++) {
		struct call call = { .fn = take_connection, .fd = fd };
		struct coil_task *task = start_call(&call);
		int peer;

		if (i % 2)
			ck_assert(coil_cancel(task));
		peer = client(&addr);
		if (!(i % 2))
			ck_assert(coil_cancel(task));
		coil_await(task);
		/* It returned the connection, or left it in the queue. */
		if (call.result == -ECANCELED)
			call.result = coil_accept(fd, NULL, NULL);
		ck_assert_int_ge(call.result, 0);
		coil_close((int)call.result);
		coil_close(peer);
	}
	coil_close(fd);
}

COIL_TEST(sock_007_accept_returns_a_nonblocking_cloexec_fd_and_the_address)
{
	struct sockaddr_in addr, from, own;
	socklen_t len = sizeof(from), own_len = sizeof(own);
	int fd = listener(&addr);
	int peer = client(&addr);
	int got = coil_accept(fd, (struct sockaddr *)&from, &len);

	ck_assert_int_ge(got, 0);
	ck_assert(is_nonblocking(got));
	ck_assert(fcntl(got, F_GETFD) & FD_CLOEXEC);
	ck_assert_uint_eq(len, sizeof(from));
	ck_assert_int_eq(getsockname(peer, (struct sockaddr *)&own, &own_len),
			 0);
	ck_assert_int_eq(from.sin_port, own.sin_port);
	coil_close(got);
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(socket_makes_a_nonblocking_cloexec_fd)
{
	int fd = coil_socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert(is_nonblocking(fd));
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_socket(-1, SOCK_STREAM, 0), -EAFNOSUPPORT);
	ck_assert_int_eq(coil_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP),
			 -EPROTONOSUPPORT);
}

COIL_TEST(accept_without_an_fd_to_be_had_leaves_the_connection_queued)
{
	struct sockaddr_in addr;
	int fd = listener(&addr);
	int peer = client(&addr);
	struct rlimit old, low;
	int got, next = dup(fd);

	close(next);
	if (support_on_valgrind())	/* It keeps fds above the limit that we see. */
		goto out;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	got = coil_accept(fd, NULL, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(got, -EMFILE);
	got = coil_accept(fd, NULL, NULL);
	ck_assert_int_ge(got, 0);
	coil_close(got);
out:
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(connect_connects_or_says_why_not)
{
	struct sockaddr_in addr;
	int fd = listener(&addr);
	int peer = coil_socket(AF_INET, SOCK_STREAM, 0);
	int got;

	ck_assert_int_eq(
		coil_connect(peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
	got = coil_accept(fd, NULL, NULL);
	ck_assert_int_ge(got, 0);
	ck_assert_int_eq(
		coil_connect(peer, (struct sockaddr *)&addr, sizeof(addr)),
		-EISCONN);
	coil_close(got);
	coil_close(peer);
	coil_close(fd);
	peer = coil_socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(
		coil_connect(peer, (struct sockaddr *)&addr, sizeof(addr)),
		-ECONNREFUSED);
	coil_close(peer);
}

static struct sockaddr_in target;

static ssize_t connect_target(int fd)
{
	return coil_connect(fd, (struct sockaddr *)&target, sizeof(target));
}

COIL_TEST(conn_004_a_connect_that_is_cancelled_or_late_leaves_a_socket_to_close)
{
	int clients[CROWD];
	int fd = crowded(&target, clients);
	int peer = coil_socket(AF_INET, SOCK_STREAM, 0);
	struct call call = { .fn = connect_target, .fd = peer };
	struct coil_task *task = start_call(&call);
	ssize_t err = 0;

	ck_assert(coil_cancel(task));
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_int_eq(coil_close(peer), 0);
	peer = coil_socket(AF_INET, SOCK_STREAM, 0);
	COIL_TIMEOUT(50 * COIL_MILLISECOND)
		err = connect_target(peer);
	ck_assert_int_eq(err, -ETIMEDOUT);
	ck_assert_int_eq(coil_close(peer), 0);
	close_all(clients, CROWD);
	coil_close(fd);
}

/*
 * The kernel tries again after a second; so does the real clock of this test.
 */
COIL_TEST(a_connect_after_a_cancelled_one_waits_for_what_becomes_of_it)
{
	int clients[CROWD];
	int fd = crowded(&target, clients);
	int peer = coil_socket(AF_INET, SOCK_STREAM, 0);
	struct call call = { .fn = connect_target, .fd = peer };
	struct coil_task *task = start_call(&call);
	int got;

	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	while ((got = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(got);
	close_all(clients, CROWD);
	ck_assert_int_eq(connect_target(peer), 0);
	got = coil_accept(fd, NULL, NULL);
	ck_assert_int_ge(got, 0);
	coil_close(got);
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(accept_and_connect_park_on_blocking_sockets_too)
{
	int clients[CROWD];
	int fd = crowded(&target, clients);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct call call = { .fn = connect_target, .fd = peer };
	struct coil_task *task = start_call(&call);

	ck_assert(!coil_done(task));
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	close_all(clients, CROWD);
	coil_close(peer);
	coil_close(fd);

	fd = listener(&target);
	set_nonblocking(fd, false);
	call = (struct call){ .fn = take_connection, .fd = fd };
	task = start_call(&call);
	ck_assert(!coil_done(task));
	peer = client(&target);
	coil_await(task);
	ck_assert_int_ge(call.result, 0);
	coil_close((int)call.result);
	coil_close(peer);
	coil_close(fd);
}

/*
 * A unix socket says EAGAIN for a queue that is full, and nothing when it is
 * not.
 */
COIL_TEST(connect_waits_for_room_in_the_queue_of_a_unix_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int peers[3], got;
	socklen_t len = sizeof(addr);
	int err = 0;

	/* The kernel finds an abstract name. */
	ck_assert_int_eq(
		bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++)
		peers[i] = coil_socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(coil_connect(peers[0], (struct sockaddr *)&addr, len),
			 0);
	COIL_TIMEOUT(20 * COIL_MILLISECOND)
		err = coil_connect(peers[1], (struct sockaddr *)&addr, len);
	ck_assert_int_eq(err, -ETIMEDOUT);
	got = coil_accept(fd, NULL, NULL);
	ck_assert_int_ge(got, 0);
	ck_assert_int_eq(coil_connect(peers[2], (struct sockaddr *)&addr, len),
			 0);
	coil_close(got);
	close_all(peers, 3);
	coil_close(fd);
}

/*
 * Streams.
 */

static ssize_t send_hello(int fd)
{
	return coil_send_all(fd, "hello", 5, 0, NULL);
}

COIL_TEST(sock_003_after_a_cancelled_send_all_the_next_one_is_whole)
{
	int fds[2];
	size_t sent, done = 7;
	struct call call = { .fn = send_hello };
	struct coil_task *task;
	char end[5];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	sent = fill(fds[0], '.');
	call.fd = fds[0];
	task = start_call(&call);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_uint_eq(drain(fds[1]), sent);
	ck_assert_int_eq(coil_send_all(fds[0], "world", 5, 0, &done), 5);
	ck_assert_uint_eq(done, 5);
	ck_assert_int_eq(recv(fds[1], end, 5, MSG_DONTWAIT), 5);
	ck_assert_mem_eq(end, "world", 5);
	close_all(fds, 2);
}

enum { HUGE_SIZE = 1000000 };

static int echo(void *arg)
{
	int fd = *(int *)arg;
	char buf[3000] = "";
	ssize_t n;

	while ((n = coil_recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (coil_send_all(fd, buf, (size_t)n, 0, NULL) != n)
			return -EIO;
	}
	return (int)n;
}

static unsigned char huge[HUGE_SIZE];

static int send_huge(void *arg)
{
	size_t done = 0;
	ssize_t n;

	n = coil_send_all(*(int *)arg, huge, HUGE_SIZE, 0, &done);
	return n == HUGE_SIZE && done == HUGE_SIZE ? 0 : -EIO;
}

COIL_TEST(sock_005_one_task_reads_an_fd_while_another_writes_a_million_bytes)
{
	static unsigned char back[HUGE_SIZE];
	struct coil_task *echoer, *sender;
	size_t done = 0;
	int fds[2];

	tcp_pair(fds);
	for (size_t i = 0; i < HUGE_SIZE; i++)
		huge[i] = (unsigned char)(i * 31 + i / 251);
	echoer = coil_create_task(echo, &fds[1]);
	sender = coil_create_task(send_huge, &fds[0]);
	ck_assert_int_eq(coil_recv_all(fds[0], back, HUGE_SIZE, 0, &done),
			 HUGE_SIZE);
	ck_assert_uint_eq(done, HUGE_SIZE);
	ck_assert(!memcmp(back, huge, HUGE_SIZE));
	ck_assert_int_eq(coil_await(sender), 0);
	ck_assert_int_eq(coil_shutdown(fds[0], SHUT_WR), 0);
	ck_assert_int_eq(coil_await(echoer), 0);
	close_all(fds, 2);
}

static int send_bytewise(void *arg)
{
	for (int i = 0; i < 100; i++) {
		if (coil_send(*(int *)arg, &i, 1, 0) != 1)
			return -EIO;
		coil_yield();
	}
	return coil_shutdown(*(int *)arg, SHUT_WR);
}

COIL_TEST(recv_all_puts_single_bytes_together_up_to_the_end)
{
	struct coil_task *sender;
	unsigned char buf[90];
	size_t done = 0;
	int fds[2];

	tcp_pair(fds);
	sender = coil_create_task(send_bytewise, &fds[0]);
	ck_assert_int_eq(coil_recv_all(fds[1], buf, sizeof(buf), 0, &done), 90);
	for (int i = 0; i < 90; i++)
		ck_assert_int_eq(buf[i], i);
	ck_assert_int_eq(coil_recv_all(fds[1], buf, sizeof(buf), 0, &done), 10);
	ck_assert_uint_eq(done, 10);
	ck_assert_int_eq(coil_recv_all(fds[1], buf, sizeof(buf), 0, &done), 0);
	ck_assert_uint_eq(done, 0);
	coil_await(sender);
	close_all(fds, 2);
}

static size_t partly;

static ssize_t recv_ten(int fd)
{
	char buf[10] = "";

	return coil_recv_all(fd, buf, sizeof(buf), 0, &partly);
}

static ssize_t send_much(int fd)
{
	static const char zeros[HUGE_SIZE];

	return coil_send_all(fd, zeros, sizeof(zeros), 0, &partly);
}

COIL_TEST(a_cancel_amid_send_all_or_recv_all_tells_how_far_it_came)
{
	struct call call = { .fn = recv_ten };
	struct coil_task *task;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	call.fd = fds[0];
	ck_assert_int_eq(send(fds[1], "abcd", 4, 0), 4);
	task = start_call(&call);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_uint_eq(partly, 4);

	call.fn = send_much;
	task = start_call(&call);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_uint_gt(partly, 0);
	ck_assert_uint_eq(drain(fds[1]), partly);
	close_all(fds, 2);
}

COIL_TEST(half_closed_a_socket_ends_one_way_and_serves_the_other)
{
	char buf[4] = "";
	int fds[2];

	tcp_pair(fds);
	ck_assert_int_eq(coil_shutdown(fds[0], SHUT_WR), 0);
	ck_assert_int_eq(coil_recv(fds[1], buf, 4, 0), 0);
	ck_assert_int_eq(coil_send(fds[0], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(coil_send(fds[1], "back", 4, 0), 4);
	ck_assert_int_eq(coil_recv(fds[0], buf, 4, 0), 4);
	close_all(fds, 2);
}

COIL_TEST(a_reset_is_told_and_raises_no_sigpipe)
{
	struct linger linger = { .l_onoff = 1 };
	char buf[4] = "";
	int fds[2];

	tcp_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	coil_close(fds[0]);
	ck_assert_int_eq(coil_recv(fds[1], buf, 4, 0), -ECONNRESET);
	for (size_t i = 0; i < COUNT(givers); i++)
		ck_assert_int_eq(givers[i](fds[1]), -EPIPE);
	coil_close(fds[1]);
}

/*
 * Misuse.
 */

static int all_calls(int fd, ssize_t results[], struct sockaddr *addr)
{
	char buf[4] = "";
	struct iovec iov = { buf, 4 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mmsg = { .msg_hdr = msg };
	int n = 0;

	results[n++] = coil_accept(fd, NULL, NULL);
	results[n++] = coil_connect(fd, addr, sizeof(struct sockaddr_in));
	results[n++] = coil_recv(fd, buf, 4, 0);
	results[n++] = coil_send(fd, buf, 4, 0);
	results[n++] = coil_recvfrom(fd, buf, 4, 0, NULL, NULL);
	results[n++] = coil_sendto(fd, buf, 4, 0, NULL, 0);
	results[n++] = coil_recvmsg(fd, &msg, 0);
	results[n++] = coil_sendmsg(fd, &msg, 0);
	results[n++] = coil_recvmmsg(fd, &mmsg, 1, 0);
	results[n++] = coil_sendmmsg(fd, &mmsg, 1, 0);
	results[n++] = coil_recv_all(fd, buf, 4, 0, NULL);
	results[n++] = coil_send_all(fd, buf, 4, 0, NULL);
	return n;
}

static void all_return(int fd, int err)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	ssize_t results[16];
	int n = all_calls(fd, results, (struct sockaddr *)&addr);

	for (int i = 0; i < n; i++)
		ck_assert_msg(results[i] == err, "call %d returned %zd, not %d",
			      i, results[i], err);
}

COIL_TEST(an_fd_that_is_none_is_ebadf)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	all_return(-1, -EBADF);
	all_return(fd, -EBADF);
	ck_assert_int_eq(coil_shutdown(-1, SHUT_RD), -EBADF);
	ck_assert_int_eq(coil_close(-1), -EBADF);
	ck_assert_int_eq(coil_close(fd), -EBADF);
}

COIL_TEST(an_fd_that_is_no_socket_is_enotsock)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	all_return(ends[0], -ENOTSOCK);
	ck_assert_int_eq(coil_shutdown(ends[0], SHUT_RD), -ENOTSOCK);
	close_all(ends, 2);
}

COIL_TEST(no_memory_where_some_is_needed_is_efault)
{
	struct sockaddr_in addr;
	socklen_t len = (socklen_t)-1;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(coil_recv(fds[0], NULL, 1, 0), -EFAULT);
	ck_assert_int_eq(coil_send(fds[0], NULL, 1, 0), -EFAULT);
	ck_assert_int_eq(coil_recvfrom(fds[0], NULL, 1, 0, NULL, NULL),
			 -EFAULT);
	ck_assert_int_eq(coil_sendto(fds[0], NULL, 1, 0, NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_recvmsg(fds[0], NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_sendmsg(fds[0], NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_recvmmsg(fds[0], NULL, 1, 0), -EFAULT);
	ck_assert_int_eq(coil_sendmmsg(fds[0], NULL, 1, 0), -EFAULT);
	ck_assert_int_eq(coil_recv_all(fds[0], NULL, 1, 0, NULL), -EFAULT);
	ck_assert_int_eq(coil_send_all(fds[0], NULL, 1, 0, NULL), -EFAULT);
	ck_assert_int_eq(coil_connect(fds[0], NULL, 4), -EFAULT);
	ck_assert_int_eq(coil_accept(fds[0], (struct sockaddr *)&addr, NULL),
			 -EFAULT);
	ck_assert_int_eq(coil_accept(fds[0], (struct sockaddr *)&addr, &len),
			 -EINVAL);
	close_all(fds, 2);
}

COIL_TEST(a_socket_of_the_wrong_kind_says_so)
{
	struct sockaddr_in addr;
	int fds[2], fd = loopback(SOCK_STREAM | SOCK_NONBLOCK, &addr);
	char byte;

	tcp_pair(fds);
	ck_assert_int_eq(coil_accept(fds[0], NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil_shutdown(fds[0], 77), -EINVAL);
	ck_assert_int_eq(coil_recv(fd, &byte, 1, 0), -ENOTCONN);
	ck_assert_int_eq(coil_connect(fd, (struct sockaddr *)&addr, 1),
			 -EINVAL);
	close_all(fds, 2);
	coil_close(fd);
}

COIL_TEST(nothing_at_all_is_zero)
{
	size_t done = 7;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(coil_send(fds[0], NULL, 0, 0), 0);
	ck_assert_int_eq(coil_send_all(fds[0], NULL, 0, 0, &done), 0);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(coil_recv_all(fds[0], NULL, 0, 0, &done), 0);
	ck_assert_int_eq(coil_recvmmsg(fds[0], NULL, 0, 0), 0);
	ck_assert_int_eq(coil_sendmmsg(fds[0], NULL, 0, 0), 0);
	close_all(fds, 2);
}

COIL_TEST(with_msg_dontwait_a_call_never_waits)
{
	char buf[4] = "";
	struct iovec iov = { buf, 4 };
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(coil_recv(fds[0], buf, 4, MSG_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(coil_recvmsg(fds[0], &msg.msg_hdr, MSG_DONTWAIT),
			 -EAGAIN);
	ck_assert_int_eq(coil_recvmmsg(fds[0], &msg, 1, MSG_DONTWAIT), -EAGAIN);
	fill(fds[0], '.');
	ck_assert_int_eq(coil_send(fds[0], buf, 4, MSG_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(coil_sendmsg(fds[0], &msg.msg_hdr, MSG_DONTWAIT),
			 -EAGAIN);
	ck_assert_int_eq(coil_sendmmsg(fds[0], &msg, 1, MSG_DONTWAIT), -EAGAIN);
	close_all(fds, 2);
}

START_TEST(off_a_loop_every_call_is_eperm)
{
	int fds[2], fd = coil_socket(AF_INET, SOCK_STREAM, 0);

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	all_return(fds[0], -EPERM);
	ck_assert_int_eq(coil_recv_all(fds[0], NULL, 0, 0, NULL), -EPERM);
	ck_assert_uint_eq(drain(fds[0]), 1);
	ck_assert_uint_eq(drain(fds[1]), 0);
	ck_assert_int_eq(coil_shutdown(fds[0], SHUT_RDWR), 0);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(fd), -EBADF);
}
END_TEST

static void add_cancels(TCase *tests)
{
	tcase_add_test(tests, a_cancel_before_the_start_takes_nothing);
	tcase_add_test(
		tests,
		a_cancel_in_flight_takes_nothing_and_leaves_the_fd_usable);
	tcase_add_test(tests, a_cancel_that_meets_its_completion_loses_no_byte);
	tcase_add_test(tests, a_cancel_that_meets_a_connection_leaks_no_fd);
	tcase_add_test(
		tests,
		conn_004_a_connect_that_is_cancelled_or_late_leaves_a_socket_to_close);
	tcase_add_test(
		tests,
		a_connect_after_a_cancelled_one_waits_for_what_becomes_of_it);
	tcase_add_test(
		tests,
		sock_003_after_a_cancelled_send_all_the_next_one_is_whole);
	tcase_add_test(
		tests,
		a_cancel_amid_send_all_or_recv_all_tells_how_far_it_came);
}

static void add_misuse(TCase *tests)
{
	tcase_add_test(tests, an_fd_that_is_none_is_ebadf);
	tcase_add_test(tests, an_fd_that_is_no_socket_is_enotsock);
	tcase_add_test(tests, no_memory_where_some_is_needed_is_efault);
	tcase_add_test(tests, a_socket_of_the_wrong_kind_says_so);
	tcase_add_test(tests, nothing_at_all_is_zero);
	tcase_add_test(tests, with_msg_dontwait_a_call_never_waits);
	tcase_add_test(tests, off_a_loop_every_call_is_eperm);
}

Suite *suite(void)
{
	Suite *socket = suite_create("socket");
	TCase *tests = tcase_create("socket");

	tcase_add_test(tests, a_receive_parks_until_there_is_something);
	tcase_add_test(tests, a_send_parks_until_something_fits);
	tcase_add_test(
		tests,
		a_blocking_socket_stops_only_its_task_and_stays_as_it_is);
	tcase_add_test(tests, accept_and_connect_park_on_blocking_sockets_too);
	tcase_add_test(tests,
		       connect_waits_for_room_in_the_queue_of_a_unix_socket);
	tcase_add_test(
		tests,
		sock_007_accept_returns_a_nonblocking_cloexec_fd_and_the_address);
	tcase_add_test(tests, socket_makes_a_nonblocking_cloexec_fd);
	tcase_add_test(
		tests,
		accept_without_an_fd_to_be_had_leaves_the_connection_queued);
	tcase_add_test(tests, connect_connects_or_says_why_not);
	tcase_add_test(
		tests,
		sock_005_one_task_reads_an_fd_while_another_writes_a_million_bytes);
	tcase_add_test(tests,
		       recv_all_puts_single_bytes_together_up_to_the_end);
	tcase_add_test(tests,
		       half_closed_a_socket_ends_one_way_and_serves_the_other);
	tcase_add_test(tests, a_reset_is_told_and_raises_no_sigpipe);
	add_cancels(tests);
	add_misuse(tests);
	suite_add_tcase(socket, tests);
	return socket;
}
