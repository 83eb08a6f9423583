/* SPDX-License-Identifier: MIT */
/* Servers of several loops on one port, and on one socket. */
#include "tests/servers.h"
#include "tests/support.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { WORKERS = 4, ASKED = 200 };

/* What the loops and the clients, in a thread of their own, know of each other. */
static struct {
	struct sockaddr_in addr;
	int listener;
	atomic_int listening;	/* servers */
	atomic_int to_close;	/* how many of them are to close */
	atomic_int closed;
	atomic_int answered[WORKERS];
	atomic_int unanswered;
	_Atomic(struct coil_server *) foreign;
} seen;

static int tell_worker(struct coil_stream *stream, void *arg)
{
	char index = (char)('0' + coil_worker_index());

	(void)arg;
	return coil_stream_write(stream, &index, 1) < 0;
}

static void be_patient(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
}

/* Connects, and counts who answers. */
static void ask(int times)
{
	const struct timeval patience = { .tv_sec = 5 * support_patience() };

	while (times--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char index = 0;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connect(fd, (struct sockaddr *)&seen.addr, sizeof(seen.addr)) ||
		    recv(fd, &index, 1, 0) != 1)
			seen.unanswered++;
		else
			seen.answered[index - '0']++;
		close(fd);
	}
}

static void serve_until_told(struct coil_server *server)
{
	int me = (int)coil_worker_index();

	seen.listening++;
	while (seen.to_close <= me)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	/* Clients that the kernel connects meanwhile are in the queue when it stops. */
	for (int i = 0; i < 20; i++)
		be_patient();
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	seen.closed++;
}

/* The first finds a port, the others join it. */
static int serve_port(void *arg)
{
	const struct coil_server_options options = { .listen.reuse_port = true };
	char text[64] = LOCAL;
	struct coil_server *server;

	(void)arg;
	while (coil_worker_index() && !seen.listening)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	if (coil_worker_index())
		snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(seen.addr.sin_port));
	server = server_on(text, tell_worker, NULL, &options);
	if (!coil_worker_index())
		seen.addr = where(server, 0);
	serve_until_told(server);
	return 0;
}

static void *ask_all(void *arg)
{
	while (seen.listening < WORKERS)
		be_patient();
	ask(ASKED);
	seen.to_close = WORKERS;
	return arg;
}

static void run_workers(int (*fn)(void *arg), void *(*clients)(void *arg))
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, clients, NULL), 0);
	ck_assert_int_eq(coil_run_workers(WORKERS, fn, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(seen.unanswered, 0);
	ck_assert_int_eq(seen.closed, WORKERS);
}

START_TEST(workers_with_a_socket_each_share_the_clients_of_one_port)
{
	run_workers(serve_port, ask_all);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_gt(seen.answered[i], 0);
	ck_assert(!is_listening(&seen.addr));
}
END_TEST

/* Asks on and on until nobody listens. */
static void *ask_until_refused(void *arg)
{
	const struct timeval patience = { .tv_sec = 5 * support_patience() };
	char index;

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connect(fd, (struct sockaddr *)&seen.addr, sizeof(seen.addr))) {
			close(fd);
			return arg;
		}
		if (recv(fd, &index, 1, 0) == 1)
			seen.answered[index - '0']++;
		else
			seen.unanswered++;
		close(fd);
	}
}

static int answers(void)
{
	int n = 0;

	for (int i = 0; i < WORKERS; i++)
		n += seen.answered[i];
	return n;
}

/* One server after the other stops while many ask. */
static void *ask_while_they_stop(void *arg)
{
	pthread_t threads[8];

	while (seen.listening < WORKERS)
		be_patient();
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_until_refused, NULL), 0);
	for (int gone = 0; gone < WORKERS; gone++) {
		int before = answers();

		while (answers() < before + 2 * ASKED || seen.closed < gone)
			be_patient();
		seen.to_close = gone + 1;
	}
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	return arg;
}

START_TEST(workers_that_stop_one_by_one_lose_none_of_many_clients)
{
	run_workers(serve_port, ask_while_they_stop);
	ck_assert(!is_listening(&seen.addr));
}
END_TEST

static int serve_socket(void *arg)
{
	char text[16];

	(void)arg;
	snprintf(text, sizeof(text), "fd:%d", seen.listener);
	serve_until_told(server_on(text, tell_worker, NULL, NULL));
	return 0;
}

/* One after the other closes; those that are left go on. */
static void *ask_those_who_are_left(void *arg)
{
	while (seen.listening < WORKERS)
		be_patient();
	for (int gone = 0; gone < WORKERS; gone++) {
		while (seen.closed < gone)
			be_patient();
		for (int i = 0; i < WORKERS; i++)
			seen.answered[i] = 0;
		ask(ASKED / WORKERS);
		for (int i = 0; i < gone; i++)
			seen.unanswered += seen.answered[i];
		seen.to_close = gone + 1;
	}
	return arg;
}

START_TEST(workers_share_one_socket_that_is_there_till_its_owner_closes_it)
{
	seen.listener = listener(&seen.addr);
	run_workers(serve_socket, ask_those_who_are_left);
	ck_assert_int_ge(fcntl(seen.listener, F_GETFD), 0);
	ck_assert(is_listening(&seen.addr));
	close(seen.listener);
	ck_assert(!is_listening(&seen.addr));
}
END_TEST

static int serve_socket_bounded(void *arg)
{
	const struct coil_server_options options = { .max_connections = 1 };
	char text[16];

	(void)arg;
	snprintf(text, sizeof(text), "fd:%d", seen.listener);
	serve_until_told(server_on(text, tell_worker, NULL, &options));
	return 0;
}

START_TEST(bounded_servers_share_one_socket)
{
	seen.listener = listener(&seen.addr);
	run_workers(serve_socket_bounded, ask_all);
	close(seen.listener);
}
END_TEST

/* The handle of another loop's server is told from one's own. */
static int meddle(void *arg)
{
	struct coil_server *server;

	(void)arg;
	if (!coil_worker_index()) {
		server = server_on(LOCAL, tell_worker, NULL, NULL);
		seen.foreign = server;
		while (!seen.closed)
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		close_server(server);
		return 0;
	}
	while (!(server = seen.foreign))
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_server_fd(server, 0), -EINVAL);
	ck_assert_int_eq(coil_server_connections(server), -EINVAL);
	ck_assert_int_eq(coil_serve_forever(server), -EINVAL);
	ck_assert_int_eq(coil_server_stop(server), -EINVAL);
	ck_assert_int_eq(coil_server_close(server, 0), -EINVAL);
	seen.closed++;
	return 0;
}

START_TEST(a_server_of_another_loop_is_einval)
{
	ck_assert_int_eq(coil_run_workers(2, meddle, NULL), 0);
}
END_TEST

static int serve_forever(void *arg)
{
	struct coil_server *server = server_on(LOCAL, tell_worker, arg, NULL);
	int err;

	if (++seen.listening == WORKERS) {
		close_server(server);
		return -EIO;
	}
	err = coil_serve_forever(server);
	ck_assert_int_eq(coil_server_close(server, COIL_SECOND), 0);
	seen.closed++;
	return err;
}

START_TEST(one_worker_that_fails_ends_the_servers_of_all)
{
	ck_assert_int_eq(coil_run_workers(WORKERS, serve_forever, NULL), -EIO);
	ck_assert_int_eq(seen.closed, WORKERS - 1);
}
END_TEST

Suite *suite(void)
{
	Suite *tests = suite_create("server_workers");
	TCase *tcase = tcase_create("server_workers");

	tcase_set_timeout(tcase, 30 * support_patience());
	tcase_add_test(tcase, workers_with_a_socket_each_share_the_clients_of_one_port);
	tcase_add_test(tcase, workers_that_stop_one_by_one_lose_none_of_many_clients);
	tcase_add_test(tcase, workers_share_one_socket_that_is_there_till_its_owner_closes_it);
	tcase_add_test(tcase, bounded_servers_share_one_socket);
	tcase_add_test(tcase, a_server_of_another_loop_is_einval);
	tcase_add_test(tcase, one_worker_that_fails_ends_the_servers_of_all);
	suite_add_tcase(tests, tcase);
	return tests;
}
