/* SPDX-License-Identifier: MIT */
/* Starting a server, its handlers and their connections. */
#include "tests/resolver.h"
#include "tests/servers.h"
#include "tests/support.h"
#include <netinet/tcp.h>

/* Of files that a test makes; the test's process has it for itself. */
static const char *path_of(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "/tmp/coil-server-%d-%s", (int)getpid(),
		 name);
	unlink(path);
	return path;
}

static const char *unix_text(const char *path)
{
	static char text[110];

	snprintf(text, sizeof(text), "unix:%s", path);
	return text;
}

static int expect_start(const char *address, handler_fn *handler,
			const struct coil_server_options *options)
{
	struct coil_server *server;

	errno = 0;
	server = coil_start_server(address, handler, NULL, options);
	ck_assert_ptr_null(server);
	return -errno;
}

static int greet_peer(struct coil_stream *stream, void *arg)
{
	struct sockaddr_in *peer = arg;
	socklen_t len = sizeof(*peer);

	ck_assert_int_eq(getpeername(coil_stream_fd(stream),
				     (struct sockaddr *)peer, &len), 0);
	return echo(stream, NULL);
}

COIL_TEST(server_001_a_line_comes_back_over_tcp_and_the_peer_is_known)
{
	struct sockaddr_in peer = {0}, own;
	socklen_t len = sizeof(own);
	struct coil_server *server = server_on(LOCAL, greet_peer, &peer, NULL);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	say(fd, "hello world!\n");
	hear(fd, "hello world!\n");
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	ck_assert_int_eq(peer.sin_port, own.sin_port);
	ck_assert_int_eq(peer.sin_addr.s_addr, own.sin_addr.s_addr);
	coil_shutdown(fd, SHUT_WR);
	ck_assert(hears_end(fd));
	coil_close(fd);
	close_server(server);
	ck_assert_int_eq(told.calls, 0);
}

COIL_TEST(server_001_a_line_comes_back_over_unix_paths)
{
	const char *path = path_of("echo");
	struct coil_server *server = server_on(unix_text(path), echo, NULL, NULL);
	struct sockaddr_un abstract = { .sun_family = AF_UNIX };
	struct coil_server *other;
	char text[64];
	int fd = unix_client(path);

	say(fd, "hello world!\n");
	hear(fd, "hello world!\n");
	coil_close(fd);
	close_server(server);
	snprintf(text, sizeof(text), "unix:@coil-server-%d", (int)getpid());
	snprintf(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1, "%s",
		 text + 6);
	other = server_on(text, echo, NULL, NULL);
	fd = coil_dial(text);
	ck_assert_int_ge(fd, 0);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	coil_close(fd);
	close_server(other);
}

static int look_at_socket(struct coil_stream *stream, void *arg)
{
	int fd = coil_stream_fd(stream), value = 0;
	socklen_t len = sizeof(value);

	ck_assert(is_nonblocking(fd));
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	ck_assert_int_ne(value, 0);
	*(bool *)arg = true;
	return 0;
}

COIL_TEST(a_connection_is_nonblocking_cloexec_and_without_delay)
{
	bool looked = false;
	struct coil_server *server = server_on(LOCAL, look_at_socket, &looked, NULL);
	int fd = client_of(server);

	ck_assert(hears_end(fd));
	ck_assert(looked);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(server_007_all_that_wait_are_accepted_in_few_passes)
{
	enum { MANY = 100 };
	struct held held = {0};
	const struct coil_server_options options = { .listen.backlog = MANY };
	struct coil_server *server = server_on(LOCAL, be_held, &held, &options);
	int fds[MANY], turns = 0;

	for (int i = 0; i < MANY; i++)
		fds[i] = client_of(server);
	while (held.entered < MANY && turns++ < 20)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(held.entered, MANY);
	close_server(server);
	close_all(fds, MANY);
}

static int fail_when_asked(struct coil_stream *stream, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = coil_stream_read_line(stream, &line)) > 0) {
		if (*line == '!')
			return -EIO;
		n = coil_stream_write(stream, line, (size_t)n);
		if (n < 0)
			break;
	}
	return (int)n;
}

COIL_TEST(server_008_a_failure_is_told_and_spares_the_other_connections)
{
	struct coil_server *server = server_on(LOCAL, fail_when_asked, NULL, NULL);
	int good = client_of(server), bad = client_of(server), next;

	coil_set_error_handler(note_error, NULL);
	say(good, "one\n");
	hear(good, "one\n");
	say(bad, "!\n");
	ck_assert(hears_end(bad));
	until_connections(server, 1);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
	say(good, "two\n");
	hear(good, "two\n");
	next = client_of(server);
	say(next, "three\n");
	hear(next, "three\n");
	coil_close(bad);
	coil_close(good);
	coil_close(next);
	close_server(server);
	ck_assert_int_eq(told.calls, 1);
}

COIL_TEST(server_009_a_name_is_bound_once_at_each_of_its_addresses)
{
	struct coil_server *server;
	struct sockaddr_in at[2];

	resolver_answers("127.0.0.2", "127.0.0.3", "127.0.0.2", NULL);
	server = server_on("many.test:0", echo, NULL, NULL);
	ck_assert_int_eq(coil_server_fd(server, 2), -ENOENT);
	ck_assert_int_eq(coil_server_fd(server, SIZE_MAX), -ENOENT);
	for (int i = 0; i < 2; i++) {
		int fd;

		at[i] = where(server, (size_t)i);
		ck_assert_uint_eq(ntohl(at[i].sin_addr.s_addr) & 0xff, 2 + i);
		fd = client(&at[i]);
		say(fd, "hello\n");
		hear(fd, "hello\n");
		coil_close(fd);
	}
	close_server(server);
	ck_assert(!is_listening(&at[0]));
	ck_assert(!is_listening(&at[1]));
}

COIL_TEST(server_009_an_empty_host_is_all_addresses_of_both_families)
{
	struct coil_server *server = server_on(":0", echo, NULL, NULL);
	static const char *const hosts[] = { "127.0.0.1", "[::1]" };
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);

	ck_assert_int_eq(coil_server_fd(server, 1), -ENOENT);
	ck_assert_int_eq(getsockname(coil_server_fd(server, 0),
				     (struct sockaddr *)&at, &len), 0);
	for (size_t i = 0; i < COUNT(hosts); i++) {
		char text[64];
		int fd;

		/* A host without IPv6 has one family. */
		if (i && at.sin6_family != AF_INET6)
			break;
		snprintf(text, sizeof(text), "%s:%d", hosts[i], ntohs(at.sin6_port));
		fd = coil_dial(text);
		ck_assert_int_ge(fd, 0);
		say(fd, "hello\n");
		hear(fd, "hello\n");
		coil_close(fd);
	}
	close_server(server);
}

COIL_TEST(server_013_a_stale_socket_file_is_replaced_and_no_other)
{
	const char *path = path_of("stale");
	struct sockaddr_un un = unix_address(path);
	struct coil_server *server;
	struct stat file;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
	server = server_on(unix_text(path), echo, NULL, NULL);
	fd = unix_client(path);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	coil_close(fd);
	/* One that somebody listens on. */
	ck_assert_int_eq(expect_start(unix_text(path), echo, NULL), -EADDRINUSE);
	close_server(server);
	fd = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(expect_start(unix_text(path), echo, NULL), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &file), 0);
	ck_assert(S_ISREG(file.st_mode));
	unlink(path);
}

COIL_TEST(server_014_the_socket_file_goes_with_the_server)
{
	const char *path = path_of("gone");
	struct coil_server *server = server_on(unix_text(path), echo, NULL, NULL);

	ck_assert_int_eq(access(path, F_OK), 0);
	close_server(server);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(errno, ENOENT);
}

COIL_TEST(server_014_the_socket_file_goes_wherever_the_program_is_by_then)
{
	struct coil_server *server;
	char name[64];

	snprintf(name, sizeof(name), "unix:coil-server-%d-chdir", (int)getpid());
	ck_assert_int_eq(chdir("/tmp"), 0);
	unlink(name + 5);
	server = server_on(name, echo, NULL, NULL);
	ck_assert_int_eq(chdir("/"), 0);
	close_server(server);
	ck_assert_int_eq(chdir("/tmp"), 0);
	ck_assert_int_ne(access(name + 5, F_OK), 0);
}

COIL_TEST(server_014_the_socket_file_of_a_successor_stays)
{
	const char *path = path_of("successor");
	struct coil_server *server = server_on(unix_text(path), echo, NULL, NULL);
	struct coil_server *next;
	int fd;

	ck_assert_int_eq(unlink(path), 0);
	next = server_on(unix_text(path), echo, NULL, NULL);
	close_server(server);
	fd = unix_client(path);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	coil_close(fd);
	close_server(next);
	ck_assert_int_ne(access(path, F_OK), 0);
}

COIL_TEST(the_socket_file_has_the_mode_that_was_asked_for)
{
	const char *path = path_of("mode");
	const struct coil_server_options options = { .listen.unix_mode = 0620 };
	struct coil_server *server = server_on(unix_text(path), echo, NULL, &options);
	struct stat file;

	ck_assert_int_eq(stat(path, &file), 0);
	ck_assert_int_eq(file.st_mode & 07777, 0620);
	close_server(server);
}

/* More than a socket takes, so that some of it is queued. */
enum { MUCH = 8 << 20 };

static int write_much(struct coil_stream *stream, void *arg)
{
	static char block[MUCH];
	ssize_t n;

	memset(block, 'x', sizeof(block));
	coil_stream_set_limits(stream, 0, 2 * MUCH);
	n = coil_stream_write(stream, block, sizeof(block));
	ck_assert_int_eq(n, MUCH);
	return *(int *)arg;
}

static size_t take_all(int fd)
{
	static char block[1 << 16];
	size_t total = 0;
	ssize_t n;

	while ((n = coil_recv(fd, block, sizeof(block), 0)) > 0)
		total += (size_t)n;
	return total;
}

COIL_TEST(what_a_handler_left_unsent_is_flushed_when_it_returns)
{
	int result = 0;
	struct coil_server *server = server_on(LOCAL, write_much, &result, NULL);
	int fd = client_of(server);

	ck_assert_int_eq(coil_sleep(20 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_server_connections(server), 1);
	ck_assert_uint_eq(take_all(fd), MUCH);
	until_connections(server, 0);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(what_a_handler_that_failed_left_unsent_is_dropped)
{
	int result = -EIO;
	struct coil_server *server = server_on(LOCAL, write_much, &result, NULL);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	until(told.calls);
	ck_assert_uint_lt(take_all(fd), MUCH);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(a_peer_that_takes_nothing_has_as_long_as_the_options_say)
{
	const struct coil_server_options options = {
		.flush_ns = 200 * COIL_MILLISECOND,
	};
	int result = 0;
	struct coil_server *server = server_on(LOCAL, write_much, &result, &options);
	int fd = client_of(server);
	int64_t since;

	coil_set_error_handler(note_error, NULL);
	until_connections(server, 1);
	since = coil_now();
	until_connections(server, 0);
	ck_assert_int_ge(coil_now() - since, 100 * COIL_MILLISECOND);
	ck_assert_uint_lt(take_all(fd), MUCH);
	ck_assert_int_eq(told.calls, 0);
	coil_close(fd);
	close_server(server);
}

static int close_it(struct coil_stream *stream, void *arg)
{
	int *fd = arg;

	ck_assert_int_eq(coil_stream_write(stream, "bye\n", 4), 4);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	/* Its number is another's by now, which the server is to leave alone. */
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	return coil_sleep(COIL_MILLISECOND);
}

COIL_TEST(a_handler_may_close_its_stream_itself)
{
	int number = -1;
	struct coil_server *server = server_on(LOCAL, close_it, &number, NULL);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	hear(fd, "bye\n");
	ck_assert(hears_end(fd));
	until_connections(server, 0);
	ck_assert_int_ge(fcntl(number, F_GETFD), 0);
	close(number);
	coil_close(fd);
	close_server(server);
	ck_assert_int_eq(told.calls, 0);
}

static int give_seven(struct coil_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
	return 7;
}

COIL_TEST(a_positive_result_is_no_failure)
{
	struct coil_server *server = server_on(LOCAL, give_seven, NULL, NULL);
	int fd = client_of(server);

	coil_set_error_handler(note_error, NULL);
	ck_assert(hears_end(fd));
	until_connections(server, 0);
	ck_assert_int_eq(told.calls, 0);
	coil_close(fd);
	close_server(server);
}

static struct coil_var variable;

static int read_variable(struct coil_stream *stream, void *arg)
{
	char large[100000];

	(void)stream;
	/* What the default stack has no room for. */
	memset(large, 1, sizeof(large));
	__asm__ volatile("" : : "r"(large) : "memory");
	*(void **)arg = coil_var_get(&variable);
	return 0;
}

COIL_TEST(a_handler_has_the_stack_asked_for_and_the_starters_variables)
{
	const struct coil_server_options options = { .stack_size = 512 * 1024 };
	void *value = NULL;
	struct coil_server *server;
	int fd;

	ck_assert_int_eq(coil_var_set(&variable, &value), 0);
	server = server_on(LOCAL, read_variable, &value, &options);
	ck_assert_int_eq(coil_var_set(&variable, NULL), 0);
	fd = client_of(server);
	ck_assert(hears_end(fd));
	ck_assert_ptr_eq(value, &value);
	coil_close(fd);
	close_server(server);
}

COIL_TEST(a_listener_that_is_handed_over_stays_the_callers)
{
	struct sockaddr_in addr;
	int fd = listener(&addr), peer;
	struct coil_server *server, *other;
	char text[16];

	snprintf(text, sizeof(text), "fd:%d", fd);
	server = server_on(text, echo, NULL, NULL);
	ck_assert_int_ne(coil_server_fd(server, 0), fd);
	peer = client(&addr);
	say(peer, "hello\n");
	hear(peer, "hello\n");
	coil_close(peer);
	close_server(server);
	/* It listens on, and another server may have it. */
	peer = client(&addr);
	other = server_on(text, echo, NULL, NULL);
	say(peer, "hello\n");
	hear(peer, "hello\n");
	coil_close(peer);
	close_server(other);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	coil_close(fd);
	ck_assert(!is_listening(&addr));
}

COIL_TEST(what_is_handed_over_must_be_a_listening_stream_socket)
{
	int fds[2], packets;
	char text[16];

	unix_pair(fds, SOCK_STREAM);
	snprintf(text, sizeof(text), "fd:%d", fds[0]);
	ck_assert_int_eq(expect_start(text, echo, NULL), -EINVAL);
	ck_assert_int_ge(fcntl(fds[0], F_GETFD), 0);
	close_all(fds, 2);
	ck_assert_int_eq(expect_start(text, echo, NULL), -EBADF);
	packets = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(packets, &(struct sockaddr){ .sa_family = AF_UNIX },
			      sizeof(sa_family_t)), 0);
	ck_assert_int_eq(listen(packets, 1), 0);
	snprintf(text, sizeof(text), "fd:%d", packets);
	ck_assert_int_eq(expect_start(text, echo, NULL), -EINVAL);
	ck_assert_int_ge(fcntl(packets, F_GETFD), 0);
	close(packets);
}

COIL_TEST(mistakes_at_the_start_are_told_and_leave_nothing)
{
	struct coil_server_options options = {0};
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);
	struct sockaddr_in addr = where(server, 0);
	char text[64];

	ck_assert_int_eq(expect_start(NULL, echo, NULL), -EINVAL);
	ck_assert_int_eq(expect_start("", echo, NULL), -EINVAL);
	ck_assert_int_eq(expect_start("nonsense", echo, NULL), -EINVAL);
	ck_assert_int_eq(expect_start("fd:-1", echo, NULL), -EINVAL);
	ck_assert_int_eq(expect_start(LOCAL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(expect_start("none.test:80", echo, NULL), -ENOENT);
	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(addr.sin_port));
	ck_assert_int_eq(expect_start(text, echo, NULL), -EADDRINUSE);
	options.stack_size = 1;
	ck_assert_int_eq(expect_start(LOCAL, echo, &options), -EINVAL);
	options = (struct coil_server_options){ .flush_ns = -1 };
	ck_assert_int_eq(expect_start(LOCAL, echo, &options), -EINVAL);
	options = (struct coil_server_options){ .listen.backlog = -1 };
	ck_assert_int_eq(expect_start(LOCAL, echo, &options), -EINVAL);
	for (int i = 0; i < 4; i++) {
		options = (struct coil_server_options){0};
		options.reserved[i] = 1;
		ck_assert_int_eq(expect_start(LOCAL, echo, &options), -EINVAL);
	}
	close_server(server);
}

START_TEST(off_a_loop_every_call_is_eperm)
{
	struct coil_server *none = (struct coil_server *)&errno;

	ck_assert_int_eq(expect_start(LOCAL, echo, NULL), -EPERM);
	ck_assert_int_eq(coil_server_fd(none, 0), -EPERM);
	ck_assert_int_eq(coil_server_connections(none), -EPERM);
	ck_assert_int_eq(coil_serve_forever(none), -EPERM);
	ck_assert_int_eq(coil_server_stop(none), -EPERM);
	ck_assert_int_eq(coil_server_close(none, 0), -EPERM);
}
END_TEST

COIL_TEST(what_is_no_server_is_einval)
{
	int fd = 0;
	struct coil_server *none[] = { NULL, (struct coil_server *)&fd };

	for (size_t i = 0; i < COUNT(none); i++) {
		ck_assert_int_eq(coil_server_fd(none[i], 0), -EINVAL);
		ck_assert_int_eq(coil_server_connections(none[i]), -EINVAL);
		ck_assert_int_eq(coil_serve_forever(none[i]), -EINVAL);
		ck_assert_int_eq(coil_server_stop(none[i]), -EINVAL);
		ck_assert_int_eq(coil_server_close(none[i], 0), -EINVAL);
	}
}

static int start_in_vain(void *arg)
{
	(void)arg;
	/* Numbers are not waited for, so a request has nothing to say there. */
	close_server(server_on(LOCAL, echo, NULL, NULL));
	return expect_start("many.test:0", echo, NULL);
}

COIL_TEST(a_request_stops_the_look_up_of_a_name)
{
	struct coil_task *task;

	resolver_answers("127.0.0.2", NULL);
	task = start(start_in_vain, NULL);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
}

COIL_TEST(a_start_that_runs_out_of_memory_leaves_nothing)
{
	const char *path = path_of("memory");
	bool failed = true;

	for (unsigned long n = 1; failed; n++) {
		struct coil_server *server;

		support_fail_allocation(n);
		server = coil_start_server(unix_text(path), echo, NULL, NULL);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		if (server) {
			ck_assert_int_eq(coil_yield(), 0);
			close_server(server);
		} else {
			ck_assert_int_eq(errno, ENOMEM);
			ck_assert(failed);
		}
		ck_assert_int_ne(access(path, F_OK), 0);
		ck_assert_uint_lt(n, 100);
	}
}

Suite *suite(void)
{
	Suite *tests = suite_create("server");
	TCase *tcase = tcase_create("server");

	tcase_add_test(tcase, server_001_a_line_comes_back_over_tcp_and_the_peer_is_known);
	tcase_add_test(tcase, server_001_a_line_comes_back_over_unix_paths);
	tcase_add_test(tcase, a_connection_is_nonblocking_cloexec_and_without_delay);
	tcase_add_test(tcase, server_007_all_that_wait_are_accepted_in_few_passes);
	tcase_add_test(tcase, server_008_a_failure_is_told_and_spares_the_other_connections);
	tcase_add_test(tcase, server_009_a_name_is_bound_once_at_each_of_its_addresses);
	tcase_add_test(tcase, server_009_an_empty_host_is_all_addresses_of_both_families);
	tcase_add_test(tcase, server_013_a_stale_socket_file_is_replaced_and_no_other);
	tcase_add_test(tcase, server_014_the_socket_file_goes_with_the_server);
	tcase_add_test(tcase, server_014_the_socket_file_goes_wherever_the_program_is_by_then);
	tcase_add_test(tcase, server_014_the_socket_file_of_a_successor_stays);
	tcase_add_test(tcase, the_socket_file_has_the_mode_that_was_asked_for);
	tcase_add_test(tcase, what_a_handler_left_unsent_is_flushed_when_it_returns);
	tcase_add_test(tcase, what_a_handler_that_failed_left_unsent_is_dropped);
	tcase_add_test(tcase, a_peer_that_takes_nothing_has_as_long_as_the_options_say);
	tcase_add_test(tcase, a_handler_may_close_its_stream_itself);
	tcase_add_test(tcase, a_positive_result_is_no_failure);
	tcase_add_test(tcase, a_handler_has_the_stack_asked_for_and_the_starters_variables);
	tcase_add_test(tcase, a_listener_that_is_handed_over_stays_the_callers);
	tcase_add_test(tcase, what_is_handed_over_must_be_a_listening_stream_socket);
	tcase_add_test(tcase, mistakes_at_the_start_are_told_and_leave_nothing);
	tcase_add_test(tcase, off_a_loop_every_call_is_eperm);
	tcase_add_test(tcase, what_is_no_server_is_einval);
	tcase_add_test(tcase, a_request_stops_the_look_up_of_a_name);
	tcase_add_test(tcase, a_start_that_runs_out_of_memory_leaves_nothing);
	suite_add_tcase(tests, tcase);
	return tests;
}
