/* SPDX-License-Identifier: MIT */
/* How a server ends: stopped, closed, cancelled, or left behind. */
#include "tests/sweep.h"
#include "tests/servers.h"
#include "tests/support.h"

static struct coil_server *the_server;

static int serve_forever(void *arg)
{
	int err = coil_serve_forever(arg);

	trace("served");
	return err;
}

static int close_now(void *arg)
{
	int err = coil_server_close(arg, 0);

	trace("closed");
	return err;
}

static int close_patiently(void *arg)
{
	int err = coil_server_close(arg, COIL_FOREVER);

	trace("closed");
	return err;
}

static int cancel_it(struct coil_stream *stream, void *arg)
{
	(void)stream;
	coil_cancel(*(struct coil_task **)arg);
	return 0;
}

COIL_TEST(server_002_a_cancelled_serve_forever_closes_the_sockets)
{
	struct coil_task *serving;
	struct coil_server *server = server_on(LOCAL, cancel_it, &serving, NULL);
	struct sockaddr_in addr = where(server, 0);
	int fd;

	serving = start(serve_forever, server);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(serving));
	fd = client(&addr);
	ck_assert_int_eq(coil_await(serving), -ECANCELED);
	ck_assert(!is_listening(&addr));
	ck_assert_int_eq(coil_server_fd(server, 0), -ENOENT);
	ck_assert_int_eq(coil_serve_forever(server), -ESHUTDOWN);
	ck_assert(hears_end(fd));
	coil_close(fd);
	close_server(server);
}

COIL_TEST(server_002_a_cancelled_serve_forever_leaves_the_handlers_alone)
{
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	struct coil_task *serving = start(serve_forever, server);
	int fd = client_of(server);

	until(held.entered == 1);
	coil_cancel(serving);
	ck_assert_int_eq(coil_await(serving), -ECANCELED);
	ck_assert_int_eq(coil_server_connections(server), 1);
	coil_future_set(&held.go, 0);
	ck_assert(hears_end(fd));
	ck_assert_int_eq(held.err, 0);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(serve_forever_for_a_while_stops_the_server_when_that_is_over)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	struct coil_timeout timeout = {0};
	int64_t since = coil_now();

	ck_assert_int_eq(coil_timeout_begin(&timeout, ahead()), 0);
	ck_assert_int_eq(coil_serve_forever(server), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	passed(since, ahead());
	ck_assert(!is_listening(&addr));
	close_server(server);
}

static int serve_though_cancelled(void *arg)
{
	int err = coil_serve_forever(arg);

	/* Closing does not hear it. */
	ck_assert_int_eq(coil_server_close(arg, COIL_FOREVER), 0);
	return err;
}

COIL_TEST(serve_forever_with_a_request_pending_stops_the_server)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	struct coil_task *task = start(serve_though_cancelled, server);

	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(!is_listening(&addr));
}

COIL_TEST(server_003_stopped_it_lets_nobody_in_and_those_inside_go_on)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	int fd = client(&addr);

	say(fd, "one\n");
	hear(fd, "one\n");
	ck_assert_int_eq(coil_server_stop(server), 0);
	ck_assert(!is_listening(&addr));
	ck_assert_int_eq(coil_server_stop(server), 0);
	say(fd, "two\n");
	hear(fd, "two\n");
	coil_close(fd);
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
}

COIL_TEST(server_003_a_close_under_way_lets_nobody_in)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	int fd = client(&addr);
	struct coil_task *closing;

	say(fd, "one\n");
	hear(fd, "one\n");
	closing = start(close_patiently, server);
	until(coil_server_fd(server, 0) == -ENOENT);
	ck_assert(!is_listening(&addr));
	ck_assert_int_eq(coil_server_close(server, 0), -EBUSY);
	say(fd, "two\n");
	hear(fd, "two\n");
	ck_assert(!coil_done(closing));
	coil_close(fd);
	ck_assert_int_eq(coil_await(closing), 0);
	ck_assert_int_eq(coil_server_close(server, 0), -EINVAL);
	ck_assert_int_eq(coil_server_fd(server, 0), -EINVAL);
}

COIL_TEST(server_004_close_waits_for_the_last_connection_if_there_is_one)
{
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	struct coil_server *idle = server_on(LOCAL, be_held, &held, NULL);
	int fds[2] = { client_of(server), client_of(server) };
	struct coil_task *closing;

	until(held.entered == 2);
	closing = start(close_patiently, server);
	ck_assert_int_eq(coil_sleep(ahead()), 0);
	ck_assert(!coil_done(closing));
	coil_future_set(&held.go, 0);
	ck_assert_int_eq(coil_await(closing), 0);
	ck_assert_int_eq(held.ended, 2);
	ck_assert_int_eq(coil_server_close(idle, COIL_FOREVER), 0);
	close_all(fds, 2);
}

COIL_TEST(serve_forever_returns_before_close_does)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct coil_task *closing, *serving[2];

	serving[0] = start(serve_forever, server);
	serving[1] = start(serve_forever, server);
	settle();
	closing = start(close_now, server);
	ck_assert_int_eq(coil_gather(serving, 2, NULL), 0);
	ck_assert_int_eq(coil_await(closing), 0);
	traced("served served closed");
}

/* A handler that says whether it was asked to end, and takes its time. */
static int finish_when_asked(struct coil_stream *stream, void *arg)
{
	int err = 0;

	while (!err && !coil_group_ending())
		err = coil_sleep(COIL_MILLISECOND);
	if (!err)
		err = coil_stream_write(stream, "bye\n", 4) < 0;
	*(int *)arg += !err;
	return err;
}

COIL_TEST(within_the_grace_handlers_end_in_good_order)
{
	int ended = 0;
	struct coil_server *server = server_on(LOCAL, finish_when_asked, &ended, NULL);
	int fds[2] = { client_of(server), client_of(server) };

	until_connections(server, 2);
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	ck_assert_int_eq(ended, 2);
	hear(fds[0], "bye\n");
	hear(fds[1], "bye\n");
	close_all(fds, 2);
}

COIL_TEST(after_the_grace_handlers_are_cancelled)
{
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	int fd = client_of(server);
	int64_t since;

	coil_set_error_handler(note_error, NULL);
	until(held.entered == 1);
	since = coil_now();
	ck_assert_int_eq(coil_server_close(server, ahead()), 0);
	passed(since, ahead());
	ck_assert_int_eq(held.err, -ECANCELED);
	ck_assert(hears_end(fd));
	/* They were asked to. */
	ck_assert_int_eq(told.calls, 0);
	coil_close(fd);
}

COIL_TEST(no_grace_is_a_cancel_at_once)
{
	static const int64_t none[] = { 0, -1, INT64_MIN };

	for (size_t i = 0; i < COUNT(none); i++) {
		struct held held = {0};
		struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
		int fd = client_of(server);

		until(held.entered == 1);
		ck_assert_int_eq(coil_server_close(server, none[i]), 0);
		ck_assert_int_eq(held.err, -ECANCELED);
		coil_close(fd);
	}
}

static int be_shielded(struct coil_stream *stream, void *arg)
{
	bool *ended = arg;

	COIL_SHIELD(COIL_FOREVER) {
		ck_assert_int_eq(coil_sleep(ahead()), 0);
		ck_assert_int_eq(coil_stream_write(stream, "bye\n", 4), 4);
		ck_assert_int_eq(coil_stream_flush(stream), 0);
		*ended = true;
	}
	return coil_check();
}

COIL_TEST(a_handler_that_is_shielded_is_waited_for)
{
	bool ended = false;
	struct coil_server *server = server_on(LOCAL, be_shielded, &ended, NULL);
	int fd = client_of(server);

	until_connections(server, 1);
	/* It is to be in its shield by then. */
	ck_assert_int_eq(coil_yield(), 0);
	close_server(server);
	ck_assert(ended);
	hear(fd, "bye\n");
	ck_assert(hears_end(fd));
	coil_close(fd);
}

static struct { int answering, idle; } served;

static int pause_for(void *arg)
{
	return coil_sleep(*(int64_t *)arg);
}

/* As coil_server(3) says: an answer takes longer than the limit, and has a group. */
static int answer_in_shield(struct coil_stream *stream, void *arg)
{
	int64_t limit = support_simulated() ? COIL_SECOND : ahead(), pause = 2 * limit;
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = coil_stream_read_line(stream, &line)) > 0) {
		served.answering++;
		COIL_SHIELD(*line == 's' ? limit : 10 * limit) {
			struct coil_group group = {0};

			ck_assert_int_eq(coil_group_create_task(&group, pause_for, &pause), 0);
			n = coil_group_wait(&group);
			if (!n)
				n = coil_stream_write(stream, "done\n", 5);
			if (n > 0)
				n = coil_stream_flush(stream);
		}
		if (n < 0)
			return (int)n;
	}
	served.idle += n == -ECANCELED;
	return (int)n;
}

COIL_TEST(without_a_grace_what_was_begun_in_a_shield_is_finished)
{
	struct coil_server *server = server_on(LOCAL, answer_in_shield, NULL, NULL);
	int idle = client_of(server), busy = client_of(server), slow = client_of(server);

	memset(&served, 0, sizeof(served));
	ck_assert_int_eq(write(slow, "slow\n", 5), 5);
	ck_assert_int_eq(write(busy, "busy\n", 5), 5);
	/* Nothing is cut short while nobody asks for an end. */
	hear(slow, "done\n");
	hear(busy, "done\n");
	ck_assert_int_eq(write(slow, "slow\n", 5), 5);
	ck_assert_int_eq(write(busy, "busy\n", 5), 5);
	until(served.answering == 4);
	ck_assert_int_eq(coil_server_close(server, 0), 0);
	ck_assert_int_eq(served.idle, 2);
	hear(busy, "done\n");
	ck_assert(hears_end(idle) && hears_end(busy) && hears_end(slow));
	coil_close(idle);
	coil_close(busy);
	coil_close(slow);
}

COIL_TEST(a_task_that_was_cancelled_closes_with_all_of_the_grace)
{
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, NULL);
	struct coil_task *closing;
	int fd = client_of(server);

	until(held.entered == 1);
	closing = start(close_patiently, server);
	coil_cancel(closing);
	ck_assert_int_eq(coil_sleep(ahead()), 0);
	ck_assert(!coil_done(closing));
	coil_cancel(closing);
	coil_future_set(&held.go, 0);
	ck_assert_int_eq(coil_await(closing), 0);
	ck_assert_int_eq(held.err, 0);
	coil_close(fd);
}

/* What the closing calls say inside a handler, and in its children. */
static struct { int close, in_group, stop, forever; } said;

static int close_from_group(void *arg)
{
	(void)arg;
	said.in_group = coil_server_close(the_server, 0);
	return 0;
}

static int close_from_inside(struct coil_stream *stream, void *arg)
{
	struct coil_group group = {0};

	(void)stream;
	(void)arg;
	said.close = coil_server_close(the_server, 0);
	ck_assert_int_eq(coil_group_create_task(&group, close_from_group, NULL), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	said.stop = coil_server_stop(the_server);
	said.forever = coil_serve_forever(the_server);
	return 0;
}

COIL_TEST(a_handler_may_stop_its_server_and_not_close_it)
{
	struct coil_task *serving;
	struct sockaddr_in addr;
	int fd;

	the_server = server_on(LOCAL, close_from_inside, NULL, NULL);
	addr = where(the_server, 0);
	serving = start(serve_forever, the_server);
	fd = client(&addr);
	ck_assert_int_eq(coil_await(serving), 0);
	ck_assert(!is_listening(&addr));
	ck_assert_int_eq(coil_server_close(the_server, COIL_FOREVER), 0);
	ck_assert_int_eq(said.close, -EDEADLK);
	ck_assert_int_eq(said.in_group, -EDEADLK);
	ck_assert_int_eq(said.stop, 0);
	ck_assert_int_eq(said.forever, -ESHUTDOWN);
	coil_close(fd);
}

static int have_it_closed(struct coil_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
	coil_detach(start(close_now, the_server));
	return 0;
}

COIL_TEST(a_task_that_a_handler_detached_may_close_the_server)
{
	int fd;

	the_server = server_on(LOCAL, have_it_closed, NULL, NULL);
	fd = client_of(the_server);
	ck_assert_int_eq(coil_serve_forever(the_server), 0);
	ck_assert(hears_end(fd));
	until(trace_text[0]);
	traced("closed");
	ck_assert_int_eq(coil_server_connections(the_server), -EINVAL);
	coil_close(fd);
}

static int close_the_other(struct coil_stream *stream, void *arg)
{
	(void)stream;
	return coil_server_close(arg, 0);
}

COIL_TEST(a_handler_may_close_another_server)
{
	struct coil_server *other = server_on(LOCAL, echo, NULL, NULL);
	struct coil_server *server = server_on(LOCAL, close_the_other, other, NULL);
	int fd = client_of(server);

	ck_assert_int_eq(coil_serve_forever(other), 0);
	ck_assert(hears_end(fd));
	ck_assert_int_eq(coil_server_connections(other), -EINVAL);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(one_that_is_closed_at_once_leaves_those_who_wait_with_an_end)
{
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = client_of(server);
	close_server(server);
	for (int i = 0; i < 3; i++)
		ck_assert(hears_end(fds[i]));
	close_all(fds, 3);
}

static int write_without_end(struct coil_stream *stream, void *arg)
{
	static const char block[4096];

	(void)arg;
	for (;;) {
		ssize_t n = coil_stream_write(stream, block, sizeof(block));

		if (n < 0)
			return (int)n;
	}
}

COIL_TEST(a_peer_that_takes_nothing_does_not_hold_up_a_close)
{
	struct coil_server *server = server_on(LOCAL, write_without_end, NULL, NULL);
	int fd = client_of(server);

	until_connections(server, 1);
	ck_assert_int_eq(coil_sleep(10 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_server_close(server, ahead()), 0);
	coil_close(fd);
}

/*
 * A server that the main task leaves behind.
 */

static struct held left;
static struct sockaddr_in left_addr;
static int left_client;

static int leave_idle(void *arg)
{
	(void)arg;
	server_on(LOCAL, echo, NULL, NULL);
	return 0;
}

static int leave_serving(void *arg)
{
	struct coil_server *server = server_on(LOCAL, be_held, &left, arg);

	left_addr = where(server, 0);
	left_client = client(&left_addr);
	coil_detach(start(serve_forever, server));
	until(left.entered == 1);
	return 0;
}

static int leave_a_crowd(void *arg)
{
	struct coil_server *server = server_on(LOCAL, be_held, &left, arg);

	left_addr = where(server, 0);
	left_client = client(&left_addr);
	return 0;
}

static int leave_stopped(void *arg)
{
	struct coil_server *server = server_on(LOCAL, be_held, &left, arg);

	left_client = client_of(server);
	until(left.entered == 1);
	return coil_server_stop(server);
}

static int close_in_vain(void *arg)
{
	int err = coil_sleep(COIL_FOREVER);

	ck_assert_int_eq(err, -ECANCELED);
	err = coil_server_close(arg, 0);
	ck_assert(err == 0 || err == -EINVAL);
	return err;
}

static int leave_to_a_task(void *arg)
{
	struct coil_server *server = server_on(LOCAL, be_held, &left, arg);

	left_client = client_of(server);
	until(left.entered == 1);
	coil_detach(start(close_in_vain, server));
	return coil_yield();
}

START_TEST(one_that_main_leaves_behind_ends_with_the_run)
{
	support_run(leave_idle);
}
END_TEST

START_TEST(handlers_that_main_leaves_behind_are_cancelled)
{
	support_run(leave_serving);
	ck_assert_int_eq(left.err, -ECANCELED);
	ck_assert(!is_listening(&left_addr));
	close(left_client);
}
END_TEST

START_TEST(who_was_just_accepted_or_not_when_main_left_hears_an_end)
{
	char byte;

	support_run(leave_a_crowd);
	/* The server may have run before it was cancelled. */
	ck_assert(!left.entered || left.err == -ECANCELED);
	ck_assert_int_le(recv(left_client, &byte, 1, 0), 0);
	ck_assert(!is_listening(&left_addr));
	close(left_client);
}
END_TEST

START_TEST(one_that_was_stopped_and_left_behind_ends_with_the_run)
{
	support_run(leave_stopped);
	ck_assert_int_eq(left.err, -ECANCELED);
	close(left_client);
}
END_TEST

START_TEST(a_task_that_main_leaves_behind_may_still_close_it)
{
	support_run(leave_to_a_task);
	ck_assert_int_eq(left.err, -ECANCELED);
	close(left_client);
}
END_TEST

static int serve_and_close(void *arg)
{
	struct coil_server *server = server_on(LOCAL, be_held, &left, arg);
	int err;

	left_client = client_of(server);
	coil_cancel(coil_current_task());
	err = coil_serve_forever(server);
	ck_assert_int_eq(coil_server_close(server, ahead()), 0);
	return err;
}

START_TEST(a_cancel_of_main_closes_in_good_order)
{
	ck_assert_int_eq(coil_run(serve_and_close, NULL), -ECANCELED);
	close(left_client);
}
END_TEST

/*
 * What the kernel has connected when the server stops.
 */

enum { WAITING = 48 };

static void stop_answers_the_queue(const char *address, unsigned max)
{
	const struct coil_server_options options = { .max_connections = max };
	struct coil_server *server = server_on(address, echo, NULL, &options);
	bool is_unix = address[0] == 'u';
	int fds[WAITING];

	/* So that its accept is under way. */
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	for (int i = 0; i < WAITING; i++) {
		fds[i] = is_unix ? unix_client(address + 5) : client_of(server);
		ck_assert_int_eq(send(fds[i], "hello\n", 6, 0), 6);
		ck_assert_int_eq(shutdown(fds[i], SHUT_WR), 0);
	}
	ck_assert_int_eq(coil_server_stop(server), 0);
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	for (int i = 0; i < WAITING; i++) {
		hear(fds[i], "hello\n");
		ck_assert(hears_end(fds[i]));
	}
	close_all(fds, WAITING);
}

COIL_TEST(a_server_that_stops_answers_all_whom_the_kernel_connected)
{
	char path[100];

	snprintf(path, sizeof(path), "unix:/tmp/coil-stop-%d", (int)getpid());
	for (int i = 0; i < 12; i++) {
		stop_answers_the_queue(LOCAL, 0);
		stop_answers_the_queue(path, 0);
	}
	stop_answers_the_queue(LOCAL, 1);
	stop_answers_the_queue(path, 1);
	stop_answers_the_queue(LOCAL, 2 * WAITING);
}

COIL_TEST(one_of_several_servers_on_a_port_that_stops_loses_no_client)
{
	const struct coil_server_options options = { .listen.reuse_port = true };
	struct coil_server *servers[3];
	char text[32] = LOCAL;
	int fds[WAITING];

	for (int i = 0; i < 3; i++) {
		servers[i] = server_on(text, echo, NULL, &options);
		snprintf(text, sizeof(text), "127.0.0.1:%d",
			 ntohs(where(servers[0], 0).sin_port));
	}
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	for (int i = 0; i < WAITING; i++) {
		fds[i] = client_of(servers[0]);
		say(fds[i], "hello\n");
	}
	ck_assert_int_eq(coil_server_stop(servers[1]), 0);
	for (int i = 0; i < WAITING; i++)
		hear(fds[i], "hello\n");
	close_all(fds, WAITING);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_server_close(servers[i], COIL_FOREVER), 0);
}

COIL_TEST(who_has_no_room_when_the_grace_is_over_hears_an_end)
{
	const struct coil_server_options options = { .max_connections = 1 };
	struct held held = {0};
	struct coil_server *server = server_on(LOCAL, be_held, &held, &options);
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = client_of(server);
	until(held.entered == 1);
	ck_assert_int_eq(coil_server_close(server, 10 * ahead()), 0);
	ck_assert_int_eq(held.entered, 1);
	for (int i = 0; i < 3; i++)
		ck_assert(hears_end(fds[i]));
	close_all(fds, 3);
}

/*
 * Every park of a task that starts, serves and closes.
 */

static struct {
	int client;
	struct sockaddr_in addr;
	bool closing;
} swept;

static int start_serve_close(void *arg)
{
	struct coil_server *server = coil_start_server(LOCAL, echo, arg, NULL);
	int err;

	if (!server)
		return -errno;
	swept.addr = where(server, 0);
	swept.client = client(&swept.addr);
	the_server = server;
	err = coil_serve_forever(server);
	swept.closing = true;
	ck_assert_int_eq(coil_server_close(server, COIL_FOREVER), 0);
	return err;
}

static void begin(void)
{
	swept.client = -1;
	swept.closing = false;
}

static int stop_it(void *arg)
{
	return coil_server_stop(arg);
}

/* One that serves is stopped; one that closes is rid of its client. */
static void help(void)
{
	if (swept.client < 0)
		return;
	/* It waits for handshakes that are under way. */
	if (support_simulated())
		sim_advance(COIL_MILLISECOND);
	if (!swept.closing) {
		coil_detach(start(stop_it, the_server));
		return;
	}
	close(swept.client);
	swept.client = -1;
}

static void end(int result)
{
	ok_or_cancelled(result);
	if (swept.client >= 0)
		close(swept.client);
	ck_assert(!swept.addr.sin_port || !is_listening(&swept.addr));
}

COIL_TEST(a_cancel_at_any_park_of_starting_serving_and_closing_loses_nothing)
{
	static const struct sweep all = { begin, start_serve_close, help, end };

	sweep(&all);
}

Suite *suite(void)
{
	Suite *tests = suite_create("server_close");
	TCase *tcase = tcase_create("server_close");

	tcase_add_test(tcase, server_002_a_cancelled_serve_forever_closes_the_sockets);
	tcase_add_test(tcase, server_002_a_cancelled_serve_forever_leaves_the_handlers_alone);
	tcase_add_test(tcase, serve_forever_for_a_while_stops_the_server_when_that_is_over);
	tcase_add_test(tcase, serve_forever_with_a_request_pending_stops_the_server);
	tcase_add_test(tcase, server_003_stopped_it_lets_nobody_in_and_those_inside_go_on);
	tcase_add_test(tcase, server_003_a_close_under_way_lets_nobody_in);
	tcase_add_test(tcase, server_004_close_waits_for_the_last_connection_if_there_is_one);
	tcase_add_test(tcase, serve_forever_returns_before_close_does);
	tcase_add_test(tcase, within_the_grace_handlers_end_in_good_order);
	tcase_add_test(tcase, after_the_grace_handlers_are_cancelled);
	tcase_add_test(tcase, no_grace_is_a_cancel_at_once);
	tcase_add_test(tcase, a_handler_that_is_shielded_is_waited_for);
	tcase_add_test(tcase, without_a_grace_what_was_begun_in_a_shield_is_finished);
	tcase_add_test(tcase, a_task_that_was_cancelled_closes_with_all_of_the_grace);
	tcase_add_test(tcase, a_handler_may_stop_its_server_and_not_close_it);
	tcase_add_test(tcase, a_task_that_a_handler_detached_may_close_the_server);
	tcase_add_test(tcase, a_handler_may_close_another_server);
	tcase_add_test(tcase, one_that_is_closed_at_once_leaves_those_who_wait_with_an_end);
	tcase_add_test(tcase, a_peer_that_takes_nothing_does_not_hold_up_a_close);
	tcase_add_test(tcase, one_that_main_leaves_behind_ends_with_the_run);
	tcase_add_test(tcase, handlers_that_main_leaves_behind_are_cancelled);
	tcase_add_test(tcase, who_was_just_accepted_or_not_when_main_left_hears_an_end);
	tcase_add_test(tcase, one_that_was_stopped_and_left_behind_ends_with_the_run);
	tcase_add_test(tcase, a_task_that_main_leaves_behind_may_still_close_it);
	tcase_add_test(tcase, a_cancel_of_main_closes_in_good_order);
	tcase_add_test(tcase, a_server_that_stops_answers_all_whom_the_kernel_connected);
	tcase_add_test(tcase, one_of_several_servers_on_a_port_that_stops_loses_no_client);
	tcase_add_test(tcase, who_has_no_room_when_the_grace_is_over_hears_an_end);
	tcase_add_test(tcase, a_cancel_at_any_park_of_starting_serving_and_closing_loses_nothing);
	suite_add_tcase(tests, tcase);
	return tests;
}
