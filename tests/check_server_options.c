/* SPDX-License-Identifier: MIT */
/* What a server's options promise: idle peers, many of one address, bounds on its end. */
#include "tests/servers.h"
#include "tests/support.h"
#include <netinet/tcp.h>

static int64_t idle(void)
{
	return 2 * ahead();
}

/* What the handler's last call returned. */
static int note_result(struct coil_stream *stream, void *arg)
{
	int err = echo(stream, NULL);

	*(int *)arg = err;
	return err;
}

COIL_TEST(a_connection_on_which_nothing_moves_ends_after_idle_ns)
{
	const struct coil_server_options options = { .idle_ns = idle() };
	int result = 0, fd;
	struct coil_server *server = server_on(LOCAL, note_result, &result, &options);
	int64_t since;

	coil_set_error_handler(note_error, NULL);
	fd = client_of(server);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	since = coil_now();
	ck_assert(hears_end(fd));
	if (support_simulated())
		ck_assert_int_eq(coil_now() - since, idle());
	ck_assert_int_eq(result, -ETIMEDOUT);
	until_connections(server, 0);
	ck_assert_int_eq(told.calls, 0);
	coil_close(fd);
	close_server(server);
}

static int close_and_work(struct coil_stream *stream, void *arg)
{
	int err = coil_stream_close(stream);

	*(int *)arg = err ? err : coil_sleep(3 * idle());
	return 0;
}

COIL_TEST(a_handler_that_has_closed_its_connection_is_not_idle)
{
	const struct coil_server_options options = { .idle_ns = idle() };
	int result = 1;
	struct coil_server *server = server_on(LOCAL, close_and_work, &result, &options);
	int fd = client_of(server);

	ck_assert(hears_end(fd));
	until_connections(server, 0);
	ck_assert_int_eq(result, 0);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(a_peer_that_says_something_now_and_then_is_not_idle)
{
	const struct coil_server_options options = { .idle_ns = idle() };
	struct coil_server *server = server_on(LOCAL, echo, NULL, &options);
	int fd = client_of(server);

	for (int i = 0; i < 6; i++) {
		say(fd, "hello\n");
		hear(fd, "hello\n");
		ck_assert_int_eq(coil_sleep(idle() / 2), 0);
	}
	ck_assert(hears_end(fd));
	coil_close(fd);
	close_server(server);
}

enum { MUCH = 8 << 20, SIP = 32 << 10 };

static int write_much(struct coil_stream *stream, void *arg)
{
	static char block[MUCH];
	ssize_t n = coil_stream_write(stream, block, sizeof(block));

	*(ssize_t *)arg = n;
	return n < 0 ? (int)n : 0;
}

static size_t sip(int fd)
{
	static char block[SIP];
	ssize_t n = recv(fd, block, sizeof(block), MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

/*
 * The socket's buffers hold far more than the peer takes in the time, so that the
 * stream sees nothing of it.
 */
COIL_TEST(a_peer_that_takes_something_now_and_then_is_not_idle)
{
	const struct coil_server_options options = { .idle_ns = idle() };
	const int small = 4096;
	ssize_t result = 0;
	struct coil_server *server = server_on(LOCAL, write_much, &result, &options);
	struct sockaddr_in addr = where(server, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	until_connections(server, 1);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(coil_sleep(idle() / 2), 0);
		ck_assert_uint_gt(sip(fd), 0);
		ck_assert_int_eq(coil_server_connections(server), 1);
	}
	/* Now it takes no more. */
	until_connections(server, 0);
	ck_assert_int_lt(result, MUCH);
	coil_close(fd);
	close_server(server);
}

/* A client from another address of this host's. */
static int client_from(struct coil_server *server, uint32_t host)
{
	struct sockaddr_in addr = where(server, 0), from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

COIL_TEST(more_than_max_per_address_hear_an_end_and_others_are_served)
{
	const struct coil_server_options options = { .max_per_address = 2 };
	struct coil_server *server = server_on(LOCAL, echo, NULL, &options);
	int fds[4];

	coil_set_error_handler(note_error, NULL);
	for (int i = 0; i < 3; i++)
		fds[i] = client_from(server, 0);
	fds[3] = client_from(server, 1);
	ck_assert(hears_end(fds[2]));
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		say(fds[i], "hello\n");
		hear(fds[i], "hello\n");
	}
	ck_assert_int_eq(coil_server_connections(server), 3);
	/* One goes, and another may come. */
	coil_close(fds[0]);
	until_connections(server, 2);
	fds[0] = client_from(server, 0);
	say(fds[0], "hello\n");
	hear(fds[0], "hello\n");
	close_all(fds, 4);
	until_connections(server, 0);
	ck_assert_int_eq(told.calls, 0);
	close_server(server);
}

COIL_TEST(each_of_many_addresses_has_its_own_count)
{
	enum { HOSTS = 150 };
	const struct coil_server_options options = { .max_per_address = 1 };
	struct coil_server *server = server_on(LOCAL, echo, NULL, &options);
	int fds[HOSTS], second;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < HOSTS; i++)
			fds[i] = client_from(server, (uint32_t)i);
		until_connections(server, HOSTS);
		/* Some go, and none of the others is forgotten for that. */
		for (int i = round; i < HOSTS; i += 3) {
			coil_close(fds[i]);
			fds[i] = -1;
		}
		until_connections(server, HOSTS - HOSTS / 3);
		for (int i = 0; i < HOSTS; i++) {
			if (fds[i] < 0)
				continue;
			second = client_from(server, (uint32_t)i);
			ck_assert(hears_end(second));
			coil_close(second);
			coil_close(fds[i]);
		}
		until_connections(server, 0);
	}
	close_server(server);
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static int look_at_options(struct coil_stream *stream, void *arg)
{
	int fd = coil_stream_fd(stream);

	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 5);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 40000);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16384);
	++*(int *)arg;
	return 0;
}

COIL_TEST(connections_have_the_socket_options_that_were_asked_for)
{
	const struct coil_server_options options = {
		.keepalive_ns = 40 * COIL_SECOND, .notsent_lowat = 16384,
	};
	int looked = 0, fds[2], shared;
	struct coil_server *server = server_on(LOCAL, look_at_options, &looked, &options);
	struct coil_server *other;
	struct sockaddr_in addr;
	char text[16];

	shared = listener(&addr);
	snprintf(text, sizeof(text), "fd:%d", shared);
	other = server_on(text, look_at_options, &looked, &options);
	fds[0] = client_of(server);
	fds[1] = client(&addr);
	until(looked == 2);
	/* It is the caller's, and not to be changed. */
	ck_assert_int_eq(option(shared, SOL_SOCKET, SO_KEEPALIVE), 0);
	close_all(fds, 2);
	close_server(server);
	close_server(other);
	coil_close(shared);
}

static int leave_much(struct coil_stream *stream, void *arg)
{
	static char block[MUCH];

	(void)arg;
	coil_stream_set_limits(stream, 0, 2 * MUCH);
	return coil_stream_write(stream, block, sizeof(block)) < 0;
}

COIL_TEST(a_flush_has_ten_seconds_if_nothing_was_said_and_for_ever_if_it_was)
{
	const struct coil_server_options options = { .flush_ns = COIL_FOREVER };
	struct coil_server *server, *patient;
	int64_t since;
	int fds[2];

	if (!support_simulated())
		return;
	server = server_on(LOCAL, leave_much, NULL, NULL);
	patient = server_on(LOCAL, leave_much, NULL, &options);
	since = coil_now();
	fds[0] = client_of(server);
	fds[1] = client_of(patient);
	until_connections(server, 1);
	until_connections(server, 0);
	ck_assert_int_ge(coil_now() - since, 10 * COIL_SECOND);
	ck_assert_int_lt(coil_now() - since, 11 * COIL_SECOND);
	ck_assert_int_eq(coil_sleep(1000 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_server_connections(patient), 1);
	close_all(fds, 2);
	close_server(server);
	close_server(patient);
}

static int read_shielded(struct coil_stream *stream, void *arg)
{
	char byte;

	COIL_SHIELD(COIL_FOREVER)
		*(ssize_t *)arg = coil_stream_read(stream, &byte, 1);
	return 0;
}

COIL_TEST(close_ns_ends_what_waits_for_a_peer_though_it_is_shielded)
{
	const struct coil_server_options options = { .close_ns = 10 * ahead() };
	ssize_t result = -1;
	struct coil_server *server = server_on(LOCAL, read_shielded, &result, &options);
	int fd = client_of(server);
	int64_t since;

	until_connections(server, 1);
	ck_assert_int_eq(coil_yield(), 0);
	since = coil_now();
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	passed(since, 9 * ahead());
	ck_assert_int_eq(result, 0);
	coil_close(fd);
}

static int wait_shielded(struct coil_stream *stream, void *arg)
{
	struct held *held = arg;

	(void)stream;
	held->entered++;
	COIL_SHIELD(COIL_FOREVER)
		held->err = coil_future_wait(&held->go);
	held->ended++;
	return 0;
}

COIL_TEST(close_ns_bounds_a_close_though_handlers_are_left)
{
	const struct coil_server_options options = { .close_ns = 10 * ahead() };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, wait_shielded, &held, &options);
	int fd = client_of(server);
	int64_t since;

	until(held.entered);
	since = coil_now();
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), -ETIMEDOUT);
	passed(since, 10 * ahead());
	ck_assert(hears_end(fd));
	ck_assert_int_eq(held.ended, 0);
	ck_assert_int_eq(coil_server_connections(server), -EINVAL);
	ck_assert_int_eq(coil_server_close(server, 0), -EINVAL);
	coil_future_set(&held.go, 0);
	until(held.ended);
	ck_assert_int_eq(held.err, 0);
	coil_close(fd);
}

static int go_wrong(struct coil_stream *stream, void *arg)
{
	char byte;

	(void)arg;
	(void)!coil_stream_read(stream, &byte, 1);
	return -EPROTO;
}

/* A reset connection no longer knows its peer. */
static void reset(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	coil_close(fd);
}

COIL_TEST(the_error_handler_is_told_which_server_and_which_peer)
{
	struct coil_server *server = server_on(LOCAL, go_wrong, NULL, NULL);
	char path[100], expected[200];
	struct sockaddr_in own;
	socklen_t len = sizeof(own);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	until_connections(server, 1);
	reset(fd);
	until(told.calls == 1);
	snprintf(expected, sizeof(expected), "server 127.0.0.1:0, peer 127.0.0.1:%d",
		 ntohs(own.sin_port));
	ck_assert_str_eq(told.name, expected);
	close_server(server);

	snprintf(path, sizeof(path), "unix:/tmp/coil-peer-%d", (int)getpid());
	server = server_on(path, go_wrong, NULL, NULL);
	fd = unix_client(path + 5);
	say(fd, "x");
	until(told.calls == 2);
	snprintf(expected, sizeof(expected), "server %s, peer process %d", path, (int)getpid());
	ck_assert_str_eq(told.name, expected);
	coil_close(fd);
	close_server(server);
}

static int name_itself(struct coil_stream *stream, void *arg)
{
	(void)!coil_task_set_name(coil_current_task(), "mine");
	return go_wrong(stream, arg);
}

COIL_TEST(a_handler_that_named_its_task_keeps_that_name)
{
	struct coil_server *server = server_on(LOCAL, name_itself, NULL, NULL);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	coil_close(fd);
	until(told.calls == 1);
	ck_assert_str_eq(told.name, "mine");
	close_server(server);
}

COIL_TEST(times_below_zero_are_einval)
{
	static const struct coil_server_options bad[] = {
		{ .flush_ns = -1 }, { .idle_ns = -1 }, { .keepalive_ns = -1 },
		{ .close_ns = INT64_MIN },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		errno = 0;
		ck_assert_ptr_null(coil_start_server(LOCAL, echo, NULL, &bad[i]));
		ck_assert_int_eq(errno, EINVAL);
	}
}

Suite *suite(void)
{
	Suite *tests = suite_create("server_options");
	TCase *tcase = tcase_create("server_options");

	tcase_set_timeout(tcase, 30 * support_patience());
	tcase_add_test(tcase, a_connection_on_which_nothing_moves_ends_after_idle_ns);
	tcase_add_test(tcase, a_handler_that_has_closed_its_connection_is_not_idle);
	tcase_add_test(tcase, a_peer_that_says_something_now_and_then_is_not_idle);
	tcase_add_test(tcase, a_peer_that_takes_something_now_and_then_is_not_idle);
	tcase_add_test(tcase, more_than_max_per_address_hear_an_end_and_others_are_served);
	tcase_add_test(tcase, each_of_many_addresses_has_its_own_count);
	tcase_add_test(tcase, connections_have_the_socket_options_that_were_asked_for);
	tcase_add_test(tcase, a_flush_has_ten_seconds_if_nothing_was_said_and_for_ever_if_it_was);
	tcase_add_test(tcase, close_ns_ends_what_waits_for_a_peer_though_it_is_shielded);
	tcase_add_test(tcase, close_ns_bounds_a_close_though_handlers_are_left);
	tcase_add_test(tcase, the_error_handler_is_told_which_server_and_which_peer);
	tcase_add_test(tcase, a_handler_that_named_its_task_keeps_that_name);
	tcase_add_test(tcase, times_below_zero_are_einval);
	suite_add_tcase(tests, tcase);
	return tests;
}
