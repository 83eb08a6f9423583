/* SPDX-License-Identifier: MIT */
/* Many clients: bounds, slow ones, and crowds that meet a server that closes. */
#include "core/backend/op.h"
#include "tests/resolver.h"
#include "tests/servers.h"
#include "tests/support.h"

/*
 * Bounds.
 */

struct peak {
	int inside;
	int most;
	int served;
};

static int be_counted(struct coil_stream *stream, void *arg)
{
	struct peak *peak = arg;
	int err;

	if (++peak->inside > peak->most)
		peak->most = peak->inside;
	err = coil_sleep(COIL_MILLISECOND);
	if (!err)
		err = coil_stream_write(stream, "x", 1) < 0;
	peak->inside--;
	peak->served += !err;
	return err;
}

/* n clients at each of the server's addresses. */
static void connect_all(struct coil_server *server, int addresses, int fds[],
			int n)
{
	for (int i = 0; i < n; i++) {
		for (int a = 0; a < addresses; a++) {
			struct sockaddr_in addr = where(server, (size_t)a);

			fds[i * addresses + a] = client(&addr);
		}
	}
}

static void check_bound(const char *address, int addresses, unsigned most)
{
	enum { EACH = 15 };
	const struct coil_server_options options = { .max_connections = most };
	struct peak peak = {0};
	struct coil_server *server = server_on(address, be_counted, &peak, &options);
	int fds[2 * EACH], n = EACH * addresses;

	connect_all(server, addresses, fds, EACH);
	for (int i = 0; i < n; i++) {
		hear(fds[i], "x");
		ck_assert(hears_end(fds[i]));
	}
	ck_assert_int_eq(peak.most, (int)most);
	ck_assert_int_eq(peak.served, n);
	close_all(fds, n);
	close_server(server);
}

COIL_TEST(no_more_are_inside_than_may_be_and_all_have_their_turn)
{
	for (unsigned most = 1; most <= 8; most++)
		check_bound(LOCAL, 1, most);
}

COIL_TEST(a_bound_holds_for_all_addresses_of_a_server_together)
{
	resolver_answers("127.0.0.2", "127.0.0.3", NULL);
	for (unsigned most = 1; most <= 4; most++)
		check_bound("many.test:0", 2, most);
}

static unsigned long accepts(void)
{
	const char *at = sim_trace();
	char word[16];
	unsigned long n = 0;

	snprintf(word, sizeof(word), " op %d ", IORING_OP_ACCEPT);
	while ((at = strstr(at, word))) {
		n++;
		at++;
	}
	return n;
}

COIL_TEST(a_full_server_accepts_nobody_and_asks_for_nobody)
{
	const struct coil_server_options options = { .max_connections = 2 };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, &options);
	int fds[5];

	connect_all(server, 1, fds, 5);
	until(held.entered == 2);
	sim_trace_begin();
	ck_assert_int_eq(coil_sleep(20 * COIL_MILLISECOND), 0);
	ck_assert_uint_eq(accepts(), 0);
	ck_assert_int_eq(held.entered, 2);
	ck_assert_int_eq(coil_server_connections(server), 2);
	coil_future_set(&held.go, 0);
	until(held.ended == 5);
	close_all(fds, 5);
	close_server(server);
}

COIL_TEST(a_full_server_closes_and_those_outside_hear_an_end)
{
	const struct coil_server_options options = { .max_connections = 2 };
	struct held held = {0};
	struct coil_server *server;
	int fds[10];

	resolver_answers("127.0.0.2", "127.0.0.3", NULL);
	server = server_on("many.test:0", be_held, &held, &options);
	connect_all(server, 2, fds, 5);
	until(held.entered == 2);
	close_server(server);
	for (int i = 0; i < 10; i++)
		ck_assert(hears_end(fds[i]));
	ck_assert_int_eq(held.entered, 2);
	close_all(fds, 10);
}

/*
 * Slow ones.
 */

static int have_patience(struct coil_stream *stream, void *arg)
{
	int64_t ns = *(int64_t *)arg;
	ssize_t n = -ETIMEDOUT;

	COIL_TIMEOUT(ns) {
		const char *line;

		n = coil_stream_read_line(stream, &line);
		if (n > 0)
			n = coil_stream_write(stream, line, (size_t)n);
	}
	return n < 0 ? (int)n : 0;
}

COIL_TEST(those_who_drip_are_ended_at_the_deadline_and_others_are_served)
{
	enum { SLOW = 20 };
	int64_t patience = 10 * ahead();
	struct coil_server *server =
		server_on(LOCAL, have_patience, &patience, NULL);
	int slow[SLOW], ended = 0;

	coil_set_error_handler(note_error, NULL);
	connect_all(server, 1, slow, SLOW);
	until_connections(server, SLOW);
	while (coil_server_connections(server)) {
		int fd = client_of(server);

		/* A byte now and then; never a line. */
		for (int i = 0; i < SLOW; i++)
			(void)!send(slow[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		say(fd, "hello\n");
		hear(fd, "hello\n");
		ck_assert(hears_end(fd));
		coil_close(fd);
		ck_assert_int_eq(coil_sleep(ahead() / 4), 0);
	}
	for (int i = 0; i < SLOW; i++)
		ended += hears_end(slow[i]);
	ck_assert_int_eq(ended, SLOW);
	ck_assert_int_eq(told.calls, SLOW);
	ck_assert_int_eq(told.error, -ETIMEDOUT);
	close_all(slow, SLOW);
	close_server(server);
}

/*
 * A crowd in another process, until it is refused.  Whoever got in has an answer or
 * an end within a time that is long.
 */

enum { CLIENTS = 8 };

/* Whether the connection ended, and did not just stay there. */
static bool is_treated(int fd)
{
	char block[64];
	ssize_t n;

	(void)!send(fd, "hello\n", 6, MSG_NOSIGNAL);
	do
		n = recv(fd, block, sizeof(block), 0);
	while (n > 0 && block[n - 1] != '\n');
	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static void be_a_crowd(const struct sockaddr_in *addr)
{
	const struct timeval patience = { .tv_sec = 5 * support_patience() };
	/* A server that stops leaves who comes now without an answer for a second. */
	const struct timeval at_the_door = { .tv_usec = 100000 };

	/* The server's socket is among them, and would listen on. */
	closefrom(STDERR_FILENO + 1);
	for (;;) {
		int fds[CLIENTS], n = 0;

		for (; n < CLIENTS; n++) {
			fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			setsockopt(fds[n], SOL_SOCKET, SO_RCVTIMEO, &patience,
				   sizeof(patience));
			setsockopt(fds[n], SOL_SOCKET, SO_SNDTIMEO, &at_the_door,
				   sizeof(at_the_door));
			if (connect(fds[n], (const struct sockaddr *)addr,
				    sizeof(*addr)))
				break;
		}
		for (int i = 0; i < n; i++) {
			if (!is_treated(fds[i]))
				_exit(1);
			close(fds[i]);
		}
		if (n < CLIENTS)
			_exit(0);
	}
}

static pid_t start_crowd(const struct sockaddr_in *addr)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		be_a_crowd(addr);
	return pid;
}

static void crowd_is_content(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "a client was neither served nor sent away: %#x", status);
}

static unsigned random_below(uint64_t *seed, unsigned n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static void storm(unsigned max_connections, bool stop_first)
{
	const struct coil_server_options options = {
		.max_connections = max_connections,
	};
	uint64_t seed = support_seed();

	for (int round = 0; round < 20; round++) {
		struct coil_server *server = server_on(LOCAL, echo, NULL, &options);
		struct sockaddr_in addr = where(server, 0);
		pid_t pid = start_crowd(&addr);
		unsigned turns = random_below(&seed, 2000);

		while (turns--)
			ck_assert_int_eq(coil_yield(), 0);
		ck_assert_int_eq(coil_sleep(random_below(&seed, 3000) *
					    COIL_MICROSECOND), 0);
		if (stop_first)
			ck_assert_int_eq(coil_server_stop(server), 0);
		/* Those inside go when they have had their answers. */
		ck_assert_int_eq(coil_server_close(server,
				 random_below(&seed, 2) ? COIL_SECOND : 0), 0);
		crowd_is_content(pid);
	}
}

COIL_TEST(nobody_in_a_storm_is_forgotten_when_the_server_closes)
{
	storm(0, false);
}

COIL_TEST(nobody_in_a_storm_is_forgotten_when_the_server_stops_first)
{
	storm(0, true);
}

COIL_TEST(nobody_in_a_storm_is_forgotten_when_a_bounded_server_closes)
{
	storm(3, false);
}

/*
 * A cancelled accept: between the request to end and its completion any number
 * may come.  The fixture finds an fd that was lost.
 */

static void meet_the_end(int n, int passes_before, int passes_between)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	int fds[64];

	for (int i = 0; i < passes_before; i++)
		ck_assert_int_eq(coil_sleep(1), 0);
	for (int i = 0; i < n; i++)
		fds[i] = client(&addr);
	for (int i = 0; i < passes_between; i++)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_server_close(server, 0), 0);
	for (int i = 0; i < n; i++)
		ck_assert(hears_end(fds[i]));
	close_all(fds, n);
}

COIL_TEST(a_cancelled_accept_loses_nobody)
{
	for (int n = 1; n <= 64; n *= 4) {
		for (int before = 0; before < 3; before++) {
			for (int between = 0; between < 4; between++)
				meet_the_end(n, before, between);
		}
	}
}

static int stop_later(void *arg)
{
	return coil_server_stop(arg);
}

/* Does not wait: while a server stops the kernel answers no new client. */
static int knock(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		ck_assert_int_eq(errno, EINPROGRESS);
	return fd;
}

/* It is connected and hears an end, or is refused in the end. */
static bool gets_in_and_out(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err;

	ck_assert_int_eq(coil_poll(&pollfd, 1), 1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	if (err)
		return err == ECONNREFUSED || err == ECONNRESET;
	coil_shutdown(fd, SHUT_WR);
	return hears_end(fd);
}

COIL_TEST(those_who_come_while_the_accept_is_cancelled_hear_an_end)
{
	for (int turns = 0; turns < 6; turns++) {
		struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
		struct sockaddr_in addr = where(server, 0);
		struct coil_task *stopping;
		int fds[16], n = 0;

		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		stopping = start(stop_later, server);
		for (int i = 0; i < turns; i++)
			ck_assert_int_eq(coil_yield(), 0);
		for (; n < 16 && coil_server_fd(server, 0) >= 0; n++)
			fds[n] = knock(&addr);
		ck_assert_int_eq(coil_await(stopping), 0);
		for (int i = 0; i < n; i++)
			ck_assert(gets_in_and_out(fds[i]));
		close_all(fds, n);
		ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	}
}

static int close_patiently(void *arg)
{
	return coil_server_close(arg, COIL_FOREVER);
}

/*
 * The kernel wakes one of those who accept on a socket, and that one goes: neither may
 * the client be forgotten, nor need it be.
 */
COIL_TEST(who_comes_as_one_of_two_on_a_socket_closes_is_served)
{
	for (int which = 0; which < 2; which++) {
		struct sockaddr_in addr;
		int fd = listener(&addr), peer;
		struct coil_server *servers[2];
		struct coil_task *closing;
		char text[16];

		snprintf(text, sizeof(text), "fd:%d", fd);
		servers[0] = server_on(text, echo, NULL, NULL);
		servers[1] = server_on(text, echo, NULL, NULL);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		peer = client(&addr);
		closing = start(close_patiently, servers[which]);
		say(peer, "hello\n");
		hear(peer, "hello\n");
		coil_close(peer);
		ck_assert_int_eq(coil_await(closing), 0);
		close_server(servers[!which]);
		coil_close(fd);
	}
}

/* A crowd must not keep the others waiting. */
static int count_turns(void *arg)
{
	int *turns = arg;
	int err;

	do
		++*turns;
	while (!(err = coil_yield()));
	return err;
}

COIL_TEST(while_a_crowd_is_let_in_other_tasks_have_their_turns)
{
	enum { MANY = 400 };
	struct held held = {0};
	const struct coil_server_options options = { .listen.backlog = MANY };
	struct coil_server *server = server_on(LOCAL, be_held, &held, &options);
	static int fds[MANY];
	int turns = 0, entered = 0, most = 0;
	struct coil_task *task;

	connect_all(server, 1, fds, MANY);
	task = start(count_turns, &turns);
	while (held.entered < MANY) {
		ck_assert_int_eq(coil_yield(), 0);
		if (held.entered - entered > most)
			most = held.entered - entered;
		entered = held.entered;
	}
	ck_assert_int_gt(turns, 1);
	ck_assert_int_le(most, 64);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	close_server(server);
	close_all(fds, MANY);
}

Suite *suite(void)
{
	Suite *tests = suite_create("server_storm");
	TCase *tcase = tcase_create("server_storm");

	tcase_set_timeout(tcase, 60 * support_patience());
	tcase_add_test(tcase, no_more_are_inside_than_may_be_and_all_have_their_turn);
	tcase_add_test(tcase, a_bound_holds_for_all_addresses_of_a_server_together);
	tcase_add_test(tcase, a_full_server_accepts_nobody_and_asks_for_nobody);
	tcase_add_test(tcase, a_full_server_closes_and_those_outside_hear_an_end);
	tcase_add_test(tcase, those_who_drip_are_ended_at_the_deadline_and_others_are_served);
	tcase_add_test(tcase, nobody_in_a_storm_is_forgotten_when_the_server_closes);
	tcase_add_test(tcase, nobody_in_a_storm_is_forgotten_when_the_server_stops_first);
	tcase_add_test(tcase, nobody_in_a_storm_is_forgotten_when_a_bounded_server_closes);
	tcase_add_test(tcase, a_cancelled_accept_loses_nobody);
	tcase_add_test(tcase, those_who_come_while_the_accept_is_cancelled_hear_an_end);
	tcase_add_test(tcase, who_comes_as_one_of_two_on_a_socket_closes_is_served);
	tcase_add_test(tcase, while_a_crowd_is_let_in_other_tasks_have_their_turns);
	suite_add_tcase(tests, tcase);
	return tests;
}
