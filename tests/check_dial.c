/* SPDX-License-Identifier: MIT */
/* Connecting to an address, and to the best of several: RFC 8305. */
#include "tests/resolver.h"
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/address.h>
#include <coil/task.h>
#include <coil/timeout.h>
#include <netinet/tcp.h>
#include <stdio.h>

#define STAGGER (250 * COIL_MILLISECOND)

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* A listener on that address, at a port that its caller knows or 0. */
static int listen_on(const char *host, uint16_t port)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:%d", host, port);
	return coil_listen(text, NULL);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin6_port);
}

/* Which address of the loopback net a socket is connected to: its last byte. */
static int peer_of(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&addr, &len), 0);
	if (addr.ss_family == AF_INET6)
		return 6;
	return ntohl(((struct sockaddr_in *)&addr)->sin_addr.s_addr) & 0xff;
}

static int dial_port(const char *host, uint16_t port)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:%d", host, port);
	return coil_dial(text);
}

COIL_TEST(conn_007_a_dialled_socket_is_nonblocking_cloexec_and_without_delay)
{
	int fd = listen_on("127.0.0.1", 0);
	int peer = dial_port("127.0.0.1", port_of(fd));

	ck_assert_int_ge(peer, 0);
	ck_assert(is_nonblocking(peer));
	ck_assert(fcntl(peer, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_ne(option(peer, IPPROTO_TCP, TCP_NODELAY), 0);
	coil_close(peer);
	coil_close(fd);
	ck_assert_int_eq(dial_port("127.0.0.1", 1), -ECONNREFUSED);
}

COIL_TEST(conn_005_a_unix_path_that_is_not_there_is_enoent)
{
	ck_assert_int_eq(coil_dial("unix:/nonexistent/socket"), -ENOENT);
	ck_assert_int_eq(coil_dial("fd:3"), -EINVAL);
}

COIL_TEST(an_empty_host_is_this_one)
{
	int fd = listen_on("127.0.0.1", 0);
	int peer = dial_port("", port_of(fd));

	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(peer_of(peer), 1);
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(conn_003_if_one_address_refuses_the_next_is_tried)
{
	int fd = listen_on("127.0.0.4", 0), peer;
	int64_t since = coil_now();

	resolver_answers("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5",
			 NULL);
	peer = dial_port("many.test", port_of(fd));
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(peer_of(peer), 4);
	/* A refusal is not waited for. */
	ck_assert_int_lt(coil_now() - since, STAGGER);
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(conn_003_if_all_refuse_the_last_error_is_returned)
{
	int fd = listen_on("127.0.0.1", 0);
	uint16_t port = port_of(fd);

	coil_close(fd);
	resolver_answers("127.0.0.2", "127.0.0.3", "127.0.0.4", NULL);
	ck_assert_int_eq(dial_port("many.test", port), -ECONNREFUSED);
	/* It is not asked for a route, so nothing leaves this host. */
	resolver_answers("255.255.255.255", "127.0.0.3", NULL);
	ck_assert_int_eq(dial_port("many.test", port), -ECONNREFUSED);
	resolver_answers("127.0.0.3", "255.255.255.255", NULL);
	ck_assert_int_lt(dial_port("many.test", port), 0);
}

/* Where connects wait for ever: a listener whose queue is full. */
struct hole {
	struct sockaddr_in addr;
	int fd;
	int clients[CROWD];
};

static uint16_t dig(struct hole *hole)
{
	hole->fd = crowded(&hole->addr, hole->clients);
	return ntohs(hole->addr.sin_port);
}

static void fill_in(struct hole *hole)
{
	close_all(hole->clients, CROWD);
	coil_close(hole->fd);
}

COIL_TEST(an_address_that_is_silent_has_250_ms_before_the_next_begins)
{
	struct hole hole;
	uint16_t port = dig(&hole);
	int fd = listen_on("127.0.0.2", port), peer;
	int64_t since = coil_now(), took;

	ck_assert_int_ge(fd, 0);
	resolver_answers("127.0.0.1", "127.0.0.2", NULL);
	peer = dial_port("many.test", port);
	took = coil_now() - since;
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(peer_of(peer), 2);
	ck_assert_int_ge(took, STAGGER);
	if (support_simulated())
		ck_assert_int_eq(took, STAGGER);
	coil_close(peer);
	coil_close(fd);
	fill_in(&hole);
}

struct dialling {
	const char *host;
	uint16_t port;
	int result;
};

static int dial_it(void *arg)
{
	struct dialling *dialling = arg;

	dialling->result = dial_port(dialling->host, dialling->port);
	return 0;
}

/* How many fds are open. */
static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

COIL_TEST(a_name_with_many_silent_addresses_takes_eight_sockets)
{
	struct hole hole;
	struct dialling dialling = { .host = "many.test", .port = dig(&hole) };
	int fd = listen_on("127.0.0.2", dialling.port), most = 0, before;
	const char *silent = "127.0.0.1";
	struct coil_task *task;

	ck_assert_int_ge(fd, 0);
	resolver_answers(silent, silent, silent, silent, silent, silent, silent, silent, silent,
			 silent, "127.0.0.2", NULL);
	before = count_fds();
	task = coil_create_task(dial_it, &dialling);
	while (!coil_done(task)) {
		int now = count_fds() - before;

		most = now > most ? now : most;
		ck_assert_int_eq(coil_sleep(STAGGER / 4), 0);
	}
	coil_await(task);
	ck_assert_int_ge(dialling.result, 0);
	ck_assert_int_eq(peer_of(dialling.result), 2);
	ck_assert_int_ge(most, 7);
	ck_assert_int_le(most, 8);
	coil_close(dialling.result);
	coil_close(fd);
	fill_in(&hole);
}

static int close_it(void *arg)
{
	return coil_close(*(int *)arg);
}

/* Two silent attempts end in one pass, as their sockets are closed. */
COIL_TEST(for_each_attempt_that_fails_another_begins_at_once)
{
	struct hole hole;
	struct dialling dialling = { .host = "many.test", .port = dig(&hole) };
	int fd = listen_on("127.0.0.2", dialling.port), fds[2], n = 0;
	const char *silent = "127.0.0.1";
	struct coil_task *task, *closers[2];
	bool was_open[64];
	int64_t since;

	resolver_answers(silent, silent, silent, "127.0.0.2", NULL);
	for (int i = 0; i < 64; i++)
		was_open[i] = fcntl(i, F_GETFD) >= 0;
	task = coil_create_task(dial_it, &dialling);
	ck_assert_int_eq(coil_sleep(STAGGER + STAGGER / 4), 0);
	for (int i = 0; i < 64 && n < 2; i++) {
		if (!was_open[i] && fcntl(i, F_GETFD) >= 0)
			fds[n++] = i;
	}
	ck_assert_int_eq(n, 2);
	since = coil_now();
	for (int i = 0; i < 2; i++)
		closers[i] = coil_create_task(close_it, &fds[i]);
	coil_await(closers[0]);
	coil_await(closers[1]);
	coil_await(task);
	ck_assert_int_ge(dialling.result, 0);
	if (support_simulated())
		ck_assert_int_lt(coil_now() - since, STAGGER / 2);
	ck_assert_int_eq(peer_of(dialling.result), 2);
	coil_close(dialling.result);
	coil_close(fd);
	fill_in(&hole);
}

/* IPv4 (silent), IPv4 (listens), IPv6 (listens): IPv6 comes second. */
COIL_TEST(the_families_take_turns)
{
	struct hole hole;
	uint16_t port = dig(&hole);
	int four = listen_on("127.0.0.2", port), six = listen_on("[::1]", port),
	    peer;

	resolver_answers("127.0.0.1", "127.0.0.2", "::1", NULL);
	peer = dial_port("many.test", port);
	ck_assert_int_ge(peer, 0);
	/* A host without IPv6 goes on at once; a stranger may have the port. */
	ck_assert_int_eq(peer_of(peer), six >= 0 || six == -EADDRINUSE ? 6 : 2);
	coil_close(peer);
	coil_close(four);
	if (six >= 0)
		coil_close(six);
	fill_in(&hole);
}

/* The ledger of fds tells whether all attempts have closed their sockets. */
COIL_TEST(conn_004_a_cancel_ends_every_attempt)
{
	struct hole hole;
	struct dialling dialling = { .host = "many.test", .port = dig(&hole) };

	resolver_answers("127.0.0.1", "127.0.0.1", "127.0.0.1", NULL);
	for (int i = 0; i < 4; i++) {
		struct coil_task *task = coil_create_task(dial_it, &dialling);

		/* Before it ran, and with one, two and three attempts out. */
		if (i)
			ck_assert_int_eq(coil_sleep(i * STAGGER - STAGGER / 2),
					 0);
		coil_cancel(task);
		coil_await(task);
		ck_assert_int_eq(dialling.result, -ECANCELED);
	}
	fill_in(&hole);
}

COIL_TEST(conn_004_a_deadline_ends_every_attempt)
{
	struct hole hole;
	uint16_t port = dig(&hole);
	int result = 0;

	resolver_answers("127.0.0.1", "127.0.0.1", NULL);
	COIL_TIMEOUT(STAGGER + STAGGER / 2)
		result = dial_port("many.test", port);
	ck_assert_int_eq(result, -ETIMEDOUT);
	COIL_TIMEOUT(10 * COIL_MILLISECOND)
		result = dial_port("127.0.0.1", port);
	ck_assert_int_eq(result, -ETIMEDOUT);
	/* The attempts that go on for good are the caller's to end. */
	COIL_TIMEOUT(3 * STAGGER)
		result = dial_port("many.test", port);
	ck_assert_int_eq(result, -ETIMEDOUT);
	fill_in(&hole);
}

/* A cancel that meets the winner: its fd, or none. */
COIL_TEST(a_cancel_that_meets_a_winner_leaks_no_fd)
{
	int fd = listen_on("127.0.0.1", 0);
	struct dialling dialling = { .host = "many.test", .port = port_of(fd) };

	resolver_answers("127.0.0.1", "127.0.0.1", NULL);
	for (int i = 0; i < 40; i++) {
		struct coil_task *task = coil_create_task(dial_it, &dialling);

		for (int j = 0; j < i; j++)
			ck_assert_int_eq(coil_yield(), 0);
		coil_cancel(task);
		coil_await(task);
		ck_assert(dialling.result >= 0 ||
			  dialling.result == -ECANCELED);
		if (dialling.result >= 0)
			coil_close(dialling.result);
	}
	coil_close(fd);
}

COIL_TEST(a_cancel_during_the_lookup_returns_at_once)
{
	struct dialling dialling = { .host = "slow.test", .port = 1 };
	struct coil_task *task = coil_create_task(dial_it, &dialling);

	resolver_answers("127.0.0.1", NULL);
	while (!resolver_is_busy())
		ck_assert_int_eq(coil_yield(), 0);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(dialling.result, -ECANCELED);
	resolver_let_go();
}

COIL_TEST(without_memory_dial_fails_cleanly_or_not_at_all)
{
	int fd = listen_on("127.0.0.1", 0);
	uint16_t port = port_of(fd);
	int result = 0;

	resolver_answers("127.0.0.2", "127.0.0.3", "127.0.0.1", NULL);
	for (unsigned long n = 1; n < 40; n++) {
		support_fail_allocation(n);
		result = dial_port("many.test", port);
		support_fail_allocation(0);
		if (result >= 0)
			coil_close(result);
		else
			ck_assert_msg(result == -ENOMEM || result == -EAGAIN ||
					      result == -ENOENT ||
					      result == -ECONNREFUSED,
				      "allocation %lu: %d", n, result);
	}
	ck_assert_int_ge(result, 0);
	coil_close(fd);
}

/* A server that answers one request on each of its listeners. */
static int answer(void *arg)
{
	static const char reply[] = "HTTP/1.0 200 OK\r\n\r\nhello";
	int fd = coil_accept(*(int *)arg, NULL, NULL);
	char request[256];
	size_t length = 0;
	ssize_t n = 1;

	ck_assert_int_ge(fd, 0);
	while (n > 0 && (length < 4 || memcmp(request + length - 4, "\r\n\r\n", 4))) {
		n = coil_recv(fd, request + length, sizeof(request) - length, 0);
		length += n > 0 ? (size_t)n : 0;
	}
	ck_assert_int_eq(coil_send_all(fd, reply, sizeof(reply) - 1, 0, NULL),
			 (ssize_t)sizeof(reply) - 1);
	return coil_close(fd);
}

static void ask(int fd)
{
	static const char request[] = "GET / HTTP/1.0\r\nHost: here\r\n\r\n";
	char text[256] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_send_all(fd, request, sizeof(request) - 1, 0, NULL),
			 (ssize_t)sizeof(request) - 1);
	ck_assert_int_gt(coil_recv_all(fd, text, sizeof(text) - 1, 0, NULL), 0);
	ck_assert_str_eq(text, "HTTP/1.0 200 OK\r\n\r\nhello");
	ck_assert_int_eq(coil_close(fd), 0);
}

COIL_TEST(sock_001_a_request_is_answered_over_tcp_and_unix_on_a_blocking_fd_too)
{
	char path[64];
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listeners[2], blocking;
	struct coil_task *task;

	snprintf(path, sizeof(path), "unix:@coil-sock-001-%d", (int)getpid());
	listeners[0] = listen_on("127.0.0.1", 0);
	listeners[1] = coil_listen(path, NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(listeners[i], 0);
		task = coil_create_task(answer, &listeners[i]);
		ask(i ? coil_dial(path) : dial_port("127.0.0.1", port_of(listeners[0])));
		ck_assert_int_eq(coil_await(task), 0);
	}
	blocking = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	addr.sin_port = htons(port_of(listeners[0]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	task = coil_create_task(answer, &listeners[0]);
	ck_assert_int_eq(coil_connect(blocking, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ask(blocking);
	ck_assert_int_eq(coil_await(task), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(coil_close(listeners[i]), 0);
}

COIL_TEST(dns_004_a_name_is_dialled_as_a_stream_and_hints_are_those_of_an_fd)
{
	struct addrinfo hints = {0}, *found;
	struct sockaddr_in in;
	char text[COIL_ADDRESS_SIZE], expected[COIL_ADDRESS_SIZE], port[8];
	int fd = listen_on("127.0.0.1", 0), peer, receiver;

	resolver_answers("::1", "127.0.0.1", NULL);
	peer = dial_port("many.test", port_of(fd));
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(atomic_load(&resolver.type), SOCK_STREAM);
	coil_close(peer);
	coil_close(fd);
	receiver = loopback(SOCK_DGRAM, &in);
	peer = coil_socket(AF_INET, SOCK_DGRAM, 0);
	hints.ai_family = option(peer, SOL_SOCKET, SO_DOMAIN);
	hints.ai_socktype = option(peer, SOL_SOCKET, SO_TYPE);
	snprintf(port, sizeof(port), "%d", ntohs(in.sin_port));
	ck_assert_int_eq(coil_getaddrinfo("many.test", port, &hints, &found), 0);
	ck_assert_int_eq(atomic_load(&resolver.family), AF_INET);
	ck_assert_int_eq(atomic_load(&resolver.type), SOCK_DGRAM);
	ck_assert_int_eq(coil_connect(peer, found->ai_addr, found->ai_addrlen), 0);
	freeaddrinfo(found);
	snprintf(expected, sizeof(expected), "127.0.0.1:%s", port);
	ck_assert_int_gt(coil_peer_address(peer, text, sizeof(text)), 0);
	ck_assert_str_eq(text, expected);
	coil_close(peer);
	coil_close(receiver);
}

Suite *suite(void)
{
	Suite *dial = suite_create("dial");
	TCase *tests = tcase_create("dial");

	tcase_add_test(
		tests,
		conn_007_a_dialled_socket_is_nonblocking_cloexec_and_without_delay);
	tcase_add_test(tests, conn_005_a_unix_path_that_is_not_there_is_enoent);
	tcase_add_test(tests, an_empty_host_is_this_one);
	tcase_add_test(tests,
		       conn_003_if_one_address_refuses_the_next_is_tried);
	tcase_add_test(tests,
		       conn_003_if_all_refuse_the_last_error_is_returned);
	tcase_add_test(
		tests,
		an_address_that_is_silent_has_250_ms_before_the_next_begins);
	tcase_add_test(tests, the_families_take_turns);
	tcase_add_test(tests, a_name_with_many_silent_addresses_takes_eight_sockets);
	tcase_add_test(tests, for_each_attempt_that_fails_another_begins_at_once);
	tcase_add_test(tests, conn_004_a_cancel_ends_every_attempt);
	tcase_add_test(tests, conn_004_a_deadline_ends_every_attempt);
	tcase_add_test(tests, a_cancel_that_meets_a_winner_leaks_no_fd);
	tcase_add_test(tests, a_cancel_during_the_lookup_returns_at_once);
	tcase_add_test(tests, without_memory_dial_fails_cleanly_or_not_at_all);
	tcase_add_test(tests,
		sock_001_a_request_is_answered_over_tcp_and_unix_on_a_blocking_fd_too);
	tcase_add_test(tests,
		dns_004_a_name_is_dialled_as_a_stream_and_hints_are_those_of_an_fd);
	suite_add_tcase(dial, tests);
	return dial;
}
