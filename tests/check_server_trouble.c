/* SPDX-License-Identifier: MIT */
/* Accepts that fail: fds and memory run out, peers give up, sockets are closed. */
#include "core/backend/op.h"
#include "tests/servers.h"
#include "tests/support.h"
#include <sys/resource.h>

#define PAUSE (100 * COIL_MILLISECOND)

/* Every number but so many is taken; *fds are the takers. */
struct want {
	int fds[4096];
	int count;
	struct rlimit before;
};

static struct want want;

static void want_fds(int left)
{
	struct rlimit few;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &want.before), 0);
	few = want.before;
	few.rlim_cur = 256;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	want.count = 0;
	for (;;) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			break;
		want.fds[want.count++] = fd;
	}
	ck_assert_int_eq(errno, EMFILE);
	while (left--)
		close(want.fds[--want.count]);
}

static void have_fds(void)
{
	while (want.count)
		close(want.fds[--want.count]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &want.before), 0);
}

static void many_clients(struct coil_server *server, int fds[], int n)
{
	for (int i = 0; i < n; i++)
		fds[i] = client_of(server);
}

/* How often the kernel, or the script, was asked to accept. */
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

COIL_TEST(server_006_without_fds_peers_hear_an_end_at_once_and_it_recovers)
{
	enum { MANY = 12, ROOM = 4 };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	int fds[MANY], next, file;

	coil_set_error_handler(note_error, NULL);
	many_clients(server, fds, MANY);
	want_fds(ROOM);
	until(told.calls && held.entered == ROOM);
	ck_assert_int_eq(told.error, -EMFILE);
	for (int i = ROOM; i < MANY; i++)
		ck_assert(hears_end(fds[i]));
	/* It does not spin, and files can be opened. */
	sim_trace_begin();
	ck_assert_int_eq(coil_sleep(5 * PAUSE), 0);
	ck_assert_uint_le(accepts(), 6);
	ck_assert_int_eq(told.calls, 1);
	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(file, 0);
	close(file);
	have_fds();
	next = client_of(server);
	until(held.entered == ROOM + 1);
	ck_assert_int_eq(told.calls, 1);
	close_server(server);
	for (int i = 0; i < ROOM; i++)
		ck_assert(hears_end(fds[i]));
	close_all(fds, MANY);
	coil_close(next);
}

/*
 * A multishot accept takes the number in reserve, and then fails as it is in use.  With a
 * bound on the connections each accept is one op, which the script makes fail so.
 */
COIL_TEST(without_fds_all_peers_that_wait_hear_an_end_without_a_pause)
{
	enum { MANY = 6 };
	static const struct coil_server_options bounded = { .max_connections = 2 * MANY };
	struct held held = {0};
	struct coil_server *server;
	int fds[MANY];
	int64_t since;

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	server = server_on(LOCAL, be_held, &held, &bounded);
	many_clients(server, fds, MANY);
	want_fds(0);
	for (unsigned n = 3; n <= 2 * MANY + 1; n += 2)
		sim_script(IORING_OP_ACCEPT, n, -EMFILE);
	since = coil_now();
	for (int i = 0; i < MANY; i++)
		ck_assert(hears_end(fds[i]));
	ck_assert_int_lt(coil_now() - since, PAUSE);
	ck_assert_int_eq(told.calls, 1);
	have_fds();
	close_server(server);
	close_all(fds, MANY);
}

COIL_TEST(without_fds_it_serves_again_when_connections_end)
{
	enum { ROOM = 3 };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	int fds[ROOM], away[2], next;

	coil_set_error_handler(note_error, NULL);
	many_clients(server, fds, ROOM);
	many_clients(server, away, 2);
	want_fds(ROOM);
	for (int i = 0; i < 2; i++)
		ck_assert(hears_end(away[i]));
	until(held.entered == ROOM);
	coil_future_set(&held.go, 0);
	until_connections(server, 0);
	next = client_of(server);
	until(held.entered == ROOM + 1);
	have_fds();
	close_server(server);
	close_all(fds, ROOM);
	close_all(away, 2);
	coil_close(next);
}

/* What a kernel may say of an accept, and what comes of it. */
COIL_TEST(server_006_what_concerns_one_connection_is_tried_again_in_silence)
{
	static const int passing[] = {
		-EAGAIN, -ECONNABORTED, -EPROTO, -EINTR, -ENETDOWN, -ENOPROTOOPT,
		-EHOSTDOWN, -ENONET, -EHOSTUNREACH, -EOPNOTSUPP, -ENETUNREACH,
		-EPERM, -ETIMEDOUT,
	};

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	for (size_t i = 0; i < COUNT(passing); i++) {
		struct coil_server *server;
		int64_t since = coil_now();
		int fd;

		sim_script(IORING_OP_ACCEPT, 1, passing[i]);
		sim_script(IORING_OP_ACCEPT, 2, passing[i]);
		server = server_on(LOCAL, echo, NULL, NULL);
		fd = client_of(server);
		say(fd, "hello\n");
		hear(fd, "hello\n");
		ck_assert_int_lt(coil_now() - since, PAUSE);
		coil_close(fd);
		close_server(server);
	}
	ck_assert_int_eq(told.calls, 0);
}

/* Without fds it has that in reserve, so it waits for others the second time. */
COIL_TEST(server_006_want_of_anything_is_told_once_and_waited_for)
{
	static const int wants[] = { -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM };
	static const int pauses[] = { 2, 2, 3, 3 };

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	for (size_t i = 0; i < COUNT(wants); i++) {
		struct coil_server *server;
		int64_t since = coil_now();
		int fd;

		for (unsigned n = 1; n <= 3; n++)
			sim_script(IORING_OP_ACCEPT, n, wants[i]);
		server = server_on(LOCAL, echo, NULL, NULL);
		fd = client_of(server);
		say(fd, "hello\n");
		hear(fd, "hello\n");
		ck_assert_int_ge(coil_now() - since, pauses[i] * PAUSE);
		ck_assert_int_lt(coil_now() - since, (pauses[i] + 1) * PAUSE);
		ck_assert_int_eq(told.calls, (int)i + 1);
		ck_assert_int_eq(told.error, wants[i]);
		ck_assert_ptr_nonnull(strstr(told.name, "server 127.0.0.1"));
		coil_close(fd);
		close_server(server);
	}
}

COIL_TEST(an_error_that_does_not_pass_is_not_tried_without_end)
{
	struct coil_server *server;
	int64_t since = coil_now();
	int fd;

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	for (unsigned n = 1; n <= 20; n++)
		sim_script(IORING_OP_ACCEPT, n, -ECONNABORTED);
	server = server_on(LOCAL, echo, NULL, NULL);
	fd = client_of(server);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	/* Sixteen in a row, then one after each pause. */
	ck_assert_int_ge(coil_now() - since, 5 * PAUSE);
	ck_assert_int_lt(coil_now() - since, 6 * PAUSE);
	ck_assert_int_eq(told.calls, 1);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(trouble_is_news_again_after_a_quiet_minute)
{
	struct coil_server *server;
	int fd;

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	sim_script(IORING_OP_ACCEPT, 1, -EMFILE);
	server = server_on(LOCAL, echo, NULL, NULL);
	ck_assert_int_eq(coil_sleep(30 * COIL_SECOND), 0);
	ck_assert_int_eq(told.calls, 1);
	want_fds(0);
	have_fds();
	fd = client_of(server);
	until_connections(server, 1);
	coil_close(fd);
	ck_assert_int_eq(coil_sleep(61 * COIL_SECOND), 0);
	fd = client_of(server);
	want_fds(0);
	until(told.calls == 2);
	have_fds();
	coil_close(fd);
	close_server(server);
}

COIL_TEST(a_kernel_without_multishot_is_asked_for_one_at_a_time)
{
	struct coil_server *server;
	int fds[3];

	if (!support_simulated())
		return;
	coil_set_error_handler(note_error, NULL);
	sim_script(IORING_OP_ACCEPT, 1, -EINVAL);
	server = server_on(LOCAL, echo, NULL, NULL);
	sim_trace_begin();
	many_clients(server, fds, 3);
	for (int i = 0; i < 3; i++) {
		say(fds[i], "hello\n");
		hear(fds[i], "hello\n");
	}
	/* With IORING_CQE_F_MORE it would be 2 in the last place. */
	ck_assert_uint_ge(accepts(), 4);
	ck_assert_int_eq(told.calls, 0);
	close_all(fds, 3);
	close_server(server);
}

static int serve(void *arg)
{
	return coil_serve_forever(arg);
}

/* Closes its socket; a stranger that listens has the number at once. */
static int take_number(struct coil_server *server)
{
	int fd = coil_server_fd(server, 0), other;
	struct sockaddr_in addr;

	ck_assert_int_eq(coil_close(fd), 0);
	other = listener(&addr);
	if (other != fd) {
		ck_assert_int_eq(dup3(other, fd, O_CLOEXEC), fd);
		close(other);
	}
	return fd;
}

COIL_TEST(a_server_whose_socket_the_program_closed_stops)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct coil_task *serving = start(serve, server);
	int fd = client_of(server), other;

	coil_set_error_handler(note_error, NULL);
	say(fd, "one\n");
	hear(fd, "one\n");
	other = take_number(server);
	ck_assert_int_eq(coil_await(serving), -EBADF);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EBADF);
	ck_assert_int_eq(coil_server_fd(server, 0), -ENOENT);
	say(fd, "two\n");
	hear(fd, "two\n");
	coil_close(fd);
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	ck_assert_int_ge(fcntl(other, F_GETFD), 0);
	close(other);
}

COIL_TEST(a_socket_that_is_closed_while_the_server_is_full_is_noticed)
{
	const struct coil_server_options options = { .max_connections = 1 };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, &options);
	struct coil_task *serving = start(serve, server);
	int fd = client_of(server), other;

	coil_set_error_handler(note_error, NULL);
	until(held.entered == 1);
	other = take_number(server);
	coil_future_set(&held.go, 0);
	ck_assert_int_eq(coil_await(serving), -EBADF);
	ck_assert_int_ge(fcntl(other, F_GETFD), 0);
	close(other);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(a_socket_that_was_shut_down_is_told_and_closed)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct coil_task *serving = start(serve, server);

	coil_set_error_handler(note_error, NULL);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(shutdown(coil_server_fd(server, 0), SHUT_RDWR), 0);
	ck_assert_int_eq(coil_await(serving), -EINVAL);
	ck_assert_int_eq(told.error, -EINVAL);
	close_server(server);
}

static struct coil_server *troubled;
static int said;

static void stop_in_trouble(const struct coil_task *task, int error, void *arg)
{
	(void)task;
	(void)error;
	(void)arg;
	said = coil_server_close(troubled, 0);
	ck_assert_int_eq(coil_serve_forever(troubled), -EDEADLK);
	ck_assert_int_eq(coil_server_stop(troubled), 0);
}

COIL_TEST(the_error_handler_may_stop_the_server_and_not_close_it)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct coil_task *serving = start(serve, server);

	troubled = server;
	coil_set_error_handler(stop_in_trouble, NULL);
	want_fds(0);
	/* It asks for an fd before there is a client. */
	ck_assert_int_eq(coil_await(serving), 0);
	have_fds();
	ck_assert_int_eq(said, -EDEADLK);
	close_server(server);
}

/*
 * Memory.
 */

COIL_TEST(wherever_memory_runs_out_every_client_has_an_answer_or_an_end)
{
	enum { MANY = 4 };
	bool failed = true;

	coil_set_error_handler(note_error, NULL);
	/* Twice each: the first time the loop's own tables grow. */
	for (unsigned long n = 2; failed; n++) {
		struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
		int fds[MANY], ended = 0;

		many_clients(server, fds, MANY);
		support_fail_allocation(n / 2);
		/* A sleep would ask for memory, too. */
		for (int i = 0; i < 500; i++)
			ck_assert_int_eq(coil_yield(), 0);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		for (int i = 0; i < MANY; i++) {
			char got[8] = "";

			if (coil_send(fds[i], "hello\n", 6, 0) == 6 &&
			    coil_recv_all(fds[i], got, 6, 0, NULL) == 6)
				ck_assert_str_eq(got, "hello\n");
			else
				ended++;
		}
		ck_assert_int_le(ended, failed);
		close_all(fds, MANY);
		close_server(server);
		ck_assert_uint_lt(n, 100);
	}
	ck_assert_int_eq(told.error, -ENOMEM);
}

Suite *suite(void)
{
	Suite *tests = suite_create("server_trouble");
	TCase *tcase = tcase_create("server_trouble");

	tcase_add_test(tcase, server_006_without_fds_peers_hear_an_end_at_once_and_it_recovers);
	tcase_add_test(tcase, without_fds_all_peers_that_wait_hear_an_end_without_a_pause);
	tcase_add_test(tcase, without_fds_it_serves_again_when_connections_end);
	tcase_add_test(tcase, server_006_what_concerns_one_connection_is_tried_again_in_silence);
	tcase_add_test(tcase, server_006_want_of_anything_is_told_once_and_waited_for);
	tcase_add_test(tcase, an_error_that_does_not_pass_is_not_tried_without_end);
	tcase_add_test(tcase, trouble_is_news_again_after_a_quiet_minute);
	tcase_add_test(tcase, a_kernel_without_multishot_is_asked_for_one_at_a_time);
	tcase_add_test(tcase, a_server_whose_socket_the_program_closed_stops);
	tcase_add_test(tcase, a_socket_that_is_closed_while_the_server_is_full_is_noticed);
	tcase_add_test(tcase, a_socket_that_was_shut_down_is_told_and_closed);
	tcase_add_test(tcase, the_error_handler_may_stop_the_server_and_not_close_it);
	tcase_add_test(tcase, wherever_memory_runs_out_every_client_has_an_answer_or_an_end);
	suite_add_tcase(tests, tcase);
	return tests;
}
