/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, cancels and closes at random moments: no byte and no fd is lost.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/timeout.h>
#include <stdlib.h>

enum { PAIRS = 12, TOTAL = 30000 };

static uint64_t state;

static unsigned random_below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

/* Bytes count up; whoever loses one, or gets one twice, is found out. */
struct way {
	int fds[2];
	bool pipe;
	size_t sent;
	size_t got;
	bool wrong;
};

static unsigned char at(size_t i)
{
	return (unsigned char)(i % 251);
}

static ssize_t send_part(struct way *way, const unsigned char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (way->pipe)
		return coil_write(way->fds[1], buf, len);
	if (random_below(2))
		return coil_send(way->fds[1], buf, len, 0);
	n = coil_send_all(way->fds[1], buf, len, 0, &done);
	return done ? (ssize_t)done : n;
}

static ssize_t receive_part(struct way *way, unsigned char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (way->pipe)
		return coil_read(way->fds[0], buf, len);
	if (random_below(2))
		return coil_recv(way->fds[0], buf, len, 0);
	n = coil_recv_all(way->fds[0], buf, len, 0, &done);
	return done ? (ssize_t)done : n;
}

static int64_t moment(void)
{
	if (!random_below(4))
		return COIL_FOREVER;
	return random_below(200) * COIL_MICROSECOND;
}

static int sender(void *arg)
{
	struct way *way = arg;
	unsigned char buf[700];

	while (way->sent < TOTAL) {
		size_t len = 1 + random_below(sizeof(buf));
		ssize_t n = 0;

		if (len > TOTAL - way->sent)
			len = TOTAL - way->sent;
		for (size_t i = 0; i < len; i++)
			buf[i] = at(way->sent + i);
		COIL_TIMEOUT(moment())
			n = send_part(way, buf, len);
		if (n > 0)
			way->sent += (size_t)n;
		else if (n != -ETIMEDOUT)
			return (int)n;
	}
	return 0;
}

static int receiver(void *arg)
{
	struct way *way = arg;
	unsigned char buf[900];

	while (way->got < TOTAL) {
		size_t len = 1 + random_below(sizeof(buf));
		ssize_t n = 0;

		if (len > TOTAL - way->got)
			len = TOTAL - way->got;
		COIL_TIMEOUT(moment())
			n = receive_part(way, buf, len);
		if (n <= 0 && n != -ETIMEDOUT)
			return n ? (int)n : -EPIPE;
		for (ssize_t i = 0; i < n; i++)
			way->wrong |= buf[i] != at(way->got + (size_t)i);
		way->got += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void open_way(struct way *way, int i)
{
	int small = 2000;

	memset(way, 0, sizeof(*way));
	way->pipe = i % 3 == 0;
	if (way->pipe)
		ck_assert_int_eq(
			pipe2(way->fds, O_CLOEXEC | (i % 2 ? O_NONBLOCK : 0)),
			0);
	else if (i % 3 == 1)
		tcp_pair(way->fds);
	else
		unix_pair(way->fds, SOCK_STREAM | (i % 2 ? SOCK_NONBLOCK : 0));
	if (way->pipe)
		fcntl(way->fds[1], F_SETPIPE_SZ, 4096);
	else
		setsockopt(way->fds[1], SOL_SOCKET, SO_SNDBUF, &small,
			   sizeof(small));
}

COIL_TEST(under_a_storm_of_deadlines_every_byte_arrives_once_and_in_order)
{
	static struct way ways[PAIRS];
	struct coil_task *tasks[2 * PAIRS];

	state = support_seed() | 1;
	for (int i = 0; i < PAIRS; i++) {
		open_way(&ways[i], i);
		tasks[2 * i] = coil_create_task(sender, &ways[i]);
		tasks[2 * i + 1] = coil_create_task(receiver, &ways[i]);
	}
	ck_assert_int_eq(coil_gather(tasks, 2 * PAIRS, NULL), 0);
	for (int i = 0; i < PAIRS; i++) {
		ck_assert_uint_eq(ways[i].got, TOTAL);
		ck_assert(!ways[i].wrong);
		close_all(ways[i].fds, 2);
	}
}

/*
 * Calls on an fd that may be closed, and its number used again, at any moment.
 */
struct victim {
	int fd;
	ssize_t result;
};

static int suffer(void *arg)
{
	struct victim *victim = arg;
	struct pollfd polled = { .fd = victim->fd, .events = POLLIN };

	switch (random_below(4)) {
	case 0:
		victim->result = take_recv(victim->fd);
		break;
	case 1:
		victim->result = take_recvmsg(victim->fd);
		break;
	case 2:
		victim->result = coil_read(victim->fd, taken, 1);
		break;
	default:
		victim->result = coil_poll(&polled, 1);
	}
	return 0;
}

COIL_TEST(under_a_storm_of_closes_no_call_reaches_another_file)
{
	struct victim victims[4];
	struct coil_task *tasks[4];
	int fds[2], again[2];

	state = support_seed() | 1;
	for (int round = 0; round < 300; round++) {
		unsigned n = 1 + random_below(4), turns = random_below(4);

		unix_pair(fds, SOCK_STREAM | (round % 2 ? SOCK_NONBLOCK : 0));
		for (unsigned i = 0; i < n; i++) {
			victims[i] = (struct victim){ .fd = fds[0] };
			tasks[i] = coil_create_task(suffer, &victims[i]);
		}
		/* One turn at least: who finds a closed fd is no victim. */
		for (unsigned i = 0; i <= turns; i++)
			ck_assert_int_eq(coil_yield(), 0);
		if (random_below(3) == 0)
			coil_cancel(tasks[0]);
		ck_assert_int_eq(coil_close(fds[0]), 0);
		unix_pair(again, SOCK_STREAM | SOCK_NONBLOCK);
		ck_assert_int_eq(again[0], fds[0]);
		ck_assert_int_eq(send(again[1], "x", 1, 0), 1);
		ck_assert_int_eq(coil_gather(tasks, n, NULL), 0);
		for (unsigned i = 0; i < n; i++)
			ck_assert_int_eq(victims[i].result, -ECANCELED);
		ck_assert_uint_eq(drain(again[0]), 1);
		close_all(again, 2);
		coil_close(fds[1]);
	}
}

static struct sockaddr_in where;

static int accept_some(void *arg)
{
	int *count = arg, fd = *count;

	*count = 0;
	for (;;) {
		int got = -ETIMEDOUT;

		COIL_TIMEOUT(moment())
			got = coil_accept(fd, NULL, NULL);
		if (got == -ECANCELED)
			return 0;
		if (got < 0 && got != -ETIMEDOUT)
			return got;
		if (got >= 0) {
			++*count;
			coil_close(got);
		}
	}
}

static int connect_some(void *arg)
{
	int connected = 0;

	(void)arg;
	for (int i = 0; i < 40; i++) {
		int fd = coil_socket(AF_INET, SOCK_STREAM, 0), err = 0;

		COIL_TIMEOUT(moment())
		err = coil_connect(fd, (struct sockaddr *)&where,
				   sizeof(where));
		connected += !err;
		coil_close(fd);
		if (err && err != -ETIMEDOUT)
			return err;
	}
	return connected;
}

COIL_TEST(under_a_storm_of_deadlines_accept_and_connect_leak_no_fd)
{
	int fd = listener(&where), count = fd, connected = 0;
	struct coil_task *tasks[4], *acceptor;

	state = support_seed() | 1;
	acceptor = coil_create_task(accept_some, &count);
	for (int i = 0; i < 4; i++)
		tasks[i] = coil_create_task(connect_some, NULL);
	for (int i = 0; i < 4; i++) {
		int result = coil_await(tasks[i]);

		ck_assert_int_ge(result, 0);
		connected += result;
	}
	/* Those whose connect came too late for its deadline may be more. */
	for (int i = 0; count < connected && i < 1000; i++)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_ge(count, connected);
	coil_cancel(acceptor);
	ck_assert_int_eq(coil_await(acceptor), 0);
	coil_close(fd);
}

Suite *suite(void)
{
	Suite *storm = suite_create("socket_storm");
	TCase *tests = tcase_create("socket_storm");

	tcase_add_test(
		tests,
		under_a_storm_of_deadlines_every_byte_arrives_once_and_in_order);
	tcase_add_test(tests,
		       under_a_storm_of_closes_no_call_reaches_another_file);
	tcase_add_test(
		tests,
		under_a_storm_of_deadlines_accept_and_connect_leak_no_fd);
	suite_add_tcase(storm, tests);
	return storm;
}
