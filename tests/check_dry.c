/* SPDX-License-Identifier: MIT */
/*
 * A socket that was read to its end is not read again before an event has come:
 * see epoll.c.  What matters is that nothing is missed by that, on any backend.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/task.h>
#include <coil/timeout.h>
#include <stdio.h>
#include <string.h>

static unsigned long recvs;

ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
	recvs++;
	return __real_recv(fd, buf, len, flags);
}

static int echo(void *arg)
{
	int fd = *(int *)arg;
	ssize_t n;
	char buf[64];

	while ((n = coil_recv(fd, buf, sizeof(buf), 0)) > 0)
		ck_assert_int_eq(coil_send(fd, buf, (size_t)n, 0), n);
	return (int)n;
}

static void exchange(int fd, int times)
{
	char buf[64];

	for (int i = 0; i < times; i++) {
		ck_assert_int_eq(coil_send(fd, "hello", 5, 0), 5);
		ck_assert_int_eq(coil_recv(fd, buf, sizeof(buf), 0), 5);
	}
}

COIL_TEST(no_recv_is_made_in_vain_on_a_steady_connection)
{
	struct coil_task *task;
	unsigned long before;
	int fds[2];

	tcp_pair(fds);
	task = coil_create_task(echo, &fds[1]);
	exchange(fds[0], 10);
	before = recvs;
	exchange(fds[0], 100);
	/* One each: on io_uring it is the kernel that makes them. */
	ck_assert_uint_le(recvs - before, 200);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
}

/* The other end says something and is gone, all before anybody looks. */
static int say_and_leave(void *arg)
{
	int fd = *(int *)arg;

	ck_assert_int_eq(coil_send(fd, "bye", 3, 0), 3);
	return coil_shutdown(fd, SHUT_WR);
}

COIL_TEST(an_end_that_came_with_the_last_bytes_is_seen)
{
	for (int later = 0; later < 3; later++) {
		struct coil_task *task;
		unsigned long before;
		char buf[64];
		int fds[2];

		tcp_pair(fds);
		task = coil_create_task(echo, &fds[1]);
		exchange(fds[0], 5);
		/* Ready at once, or after the wait has begun, or between. */
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), -ECANCELED);
		task = coil_create_task(say_and_leave, &fds[1]);
		if (later != 1)
			ck_assert_int_eq(coil_await(task), 0);
		if (later == 2)
			coil_yield();
		ck_assert_int_eq(coil_recv(fds[0], buf, sizeof(buf), 0), 3);
		before = support_epoll_ctls();
		ck_assert_int_eq(coil_recv(fds[0], buf, sizeof(buf), 0), 0);
		/* It would be found in the end, when the registration is proved. */
		ck_assert_uint_eq(support_epoll_ctls(), before);
		if (later == 1)
			ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(coil_close(fds[0]), 0);
		ck_assert_int_eq(coil_close(fds[1]), 0);
	}
}

/* A recv comes short before a byte that is urgent: the rest is there already. */
COIL_TEST(bytes_behind_urgent_ones_are_had_without_another_event)
{
	struct coil_task *task;
	unsigned long before;
	char buf[64];
	int fds[2];

	tcp_pair(fds);
	task = coil_create_task(echo, &fds[1]);
	exchange(fds[0], 5);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(send(fds[1], "ab", 2, 0), 2);
	ck_assert_int_eq(send(fds[1], "c", 1, MSG_OOB), 1);
	ck_assert_int_eq(send(fds[1], "de", 2, 0), 2);
	ck_assert_int_eq(coil_recv(fds[0], buf, sizeof(buf), 0), 2);
	before = support_epoll_ctls();
	ck_assert_int_eq(coil_recv(fds[0], buf, sizeof(buf), 0), 2);
	ck_assert_uint_eq(support_epoll_ctls(), before);
	ck_assert(!memcmp(buf, "de", 2));
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
}

COIL_TEST(a_reset_is_told_to_one_who_waits_and_to_one_who_comes_later)
{
	const struct linger hard = { 1, 0 };

	for (int later = 0; later < 2; later++) {
		struct coil_task *task;
		char buf[64];
		int fds[2];

		tcp_pair(fds);
		task = coil_create_task(echo, &fds[1]);
		exchange(fds[0], 5);
		if (!later)
			coil_yield();
		ck_assert(!setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
		if (later) {
			coil_cancel(task);
			ck_assert_int_eq(coil_await(task), -ECANCELED);
		}
		close(fds[0]);
		if (later)
			ck_assert_int_eq(coil_recv(fds[1], buf, sizeof(buf), 0), -ECONNRESET);
		else
			ck_assert_int_eq(coil_await(task), -ECONNRESET);
		ck_assert_int_eq(coil_close(fds[1]), 0);
	}
}

COIL_TEST(a_dry_number_that_became_another_socket_is_read_on_a_real_clock)
{
	struct coil_task *task;
	char buf[64];
	int fds[2], others[2];

	if (support_skip_on("sim", "its clock does not wait for proofs"))
		return;
	tcp_pair(fds);
	task = coil_create_task(echo, &fds[1]);
	exchange(fds[0], 5);
	tcp_pair(others);
	/* Behind coil's back. */
	ck_assert_int_eq(dup3(others[0], fds[0], O_CLOEXEC), fds[0]);
	close(others[0]);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(send(others[1], "new", 3, 0), 3);
	COIL_TIMEOUT(10 * COIL_SECOND)
		ck_assert_int_eq(coil_recv(fds[0], buf, sizeof(buf), 0), 3);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
	ck_assert_int_eq(coil_close(others[1]), 0);
}

/* It sees TCP, and gives one packet at a time: short is not dry. */
COIL_TEST(a_raw_socket_of_tcp_is_read_packet_by_packet_without_a_proof)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	char packet[20] = { [12] = 0x50 }, buf[64];
	unsigned long before;

	if (fd < 0) {
		printf("skip: a raw socket: %s\n", strerror(errno));
		return;
	}
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	COIL_TIMEOUT(COIL_MILLISECOND) {
		while (coil_recv(fd, buf, sizeof(buf), 0) > 0)
			;
	}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to,
					sizeof(to)), sizeof(packet));
	before = support_epoll_ctls();
	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(coil_recv(fd, buf, sizeof(buf), 0), 40);
	ck_assert_uint_eq(support_epoll_ctls(), before);
	ck_assert_int_eq(coil_close(fd), 0);
}

Suite *suite(void)
{
	Suite *dry = suite_create("dry");
	TCase *tests = tcase_create("dry");

	tcase_add_test(tests, no_recv_is_made_in_vain_on_a_steady_connection);
	tcase_add_test(tests, an_end_that_came_with_the_last_bytes_is_seen);
	tcase_add_test(tests, bytes_behind_urgent_ones_are_had_without_another_event);
	tcase_add_test(tests, a_reset_is_told_to_one_who_waits_and_to_one_who_comes_later);
	tcase_add_test(tests, a_dry_number_that_became_another_socket_is_read_on_a_real_clock);
	tcase_add_test(tests, a_raw_socket_of_tcp_is_read_packet_by_packet_without_a_proof);
	suite_add_tcase(dry, tests);
	return dry;
}
