/* SPDX-License-Identifier: MIT */
/* Addresses as text, and listening.  check_dial.c and check_lookup.c have the rest. */
#include "tests/paths.h"
#include "tests/resolver.h"
#include "tests/sockets.h"
#include "tests/support.h"
#include "io/address.h"
#include <coil/file.h>
#include <coil/thread.h>
#include <coil/timeout.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const bad[] = {
	"",
	"banana",
	"localhost",
	"localhost:",
	":",
	"127.0.0.1",
	"127.0.0.1:",
	"127.0.0.1:65536",
	"127.0.0.1:99999999999999999999",
	"127.0.0.1:-1",
	"127.0.0.1:+80",
	"127.0.0.1: 80",
	"127.0.0.1:80 ",
	"127.0.0.1:8o",
	" :80",
	"256.0.0.1:80",
	"127.1:80",
	"1.2.3.4.5:80",
	"0x7f.1:80",
	"0x7f000001:80",
	"10:80",
	"127.0.0.1:80:90",
	"::1:80",
	"::1",
	"[::1]",
	"[::1]80",
	"[::1]:",
	"[::1:80",
	"[127.0.0.1]:80",
	"[localhost]:80",
	"[]:80",
	"[::g]:80",
	"[fe80::1%]:80",
	"fe80::1%lo:80",
	"[::1]x:80",
	"[[::1]]:80",
	"local host:80",
	"a/b:80",
	"tcp://host:80",
	"*:80",
	"host:ht tp",
	"\n:80",
	"unix:",
	"unix:@",
	"fd:",
	"fd:x",
	"fd:-1",
	"fd:3x",
	"fd:99999999999",
	"UNIX:",
	"]:80",
	"[:80",
};

COIL_TEST(an_address_of_no_form_is_einval)
{
	ck_assert_int_eq(coil_listen(NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil_dial(NULL), -EINVAL);
	for (size_t i = 0; i < COUNT(bad); i++) {
		int listened = coil_listen(bad[i], NULL);
		int dialled = coil_dial(bad[i]);

		ck_assert_msg(listened == -EINVAL, "listen \"%s\": %d", bad[i],
			      listened);
		ck_assert_msg(dialled == -EINVAL, "dial \"%s\": %d", bad[i],
			      dialled);
	}
	ck_assert_int_eq(coil_dial("fd:3"), -EINVAL);
}

COIL_TEST(what_is_too_long_or_not_there_says_so)
{
	char text[400];

	memset(text, 'a', sizeof(text));
	memcpy(text + 254, ":80", 4);
	ck_assert_int_eq(coil_listen(text, NULL), -ENAMETOOLONG);
	memset(text, 'a', sizeof(text));
	memcpy(text, "unix:/", 6);
	text[5 + 108] = '\0';
	ck_assert_int_eq(coil_listen(text, NULL), -ENAMETOOLONG);
	ck_assert_int_eq(coil_dial(text), -ENAMETOOLONG);
	ck_assert_int_eq(
		coil_listen("x:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			    NULL),
		-ENAMETOOLONG);
	ck_assert_int_eq(coil_listen("[fe80::1%nosuch0]:80", NULL), -ENODEV);
}

START_TEST(dns_003_a_scope_is_a_number_or_an_interface)
{
	struct address parsed;

	ck_assert_int_eq(coil__address_parse(&parsed, "[fe80::1%1]:80", false),
			 0);
	ck_assert_uint_eq(parsed.where[0].in6.sin6_scope_id, 1);
	ck_assert_int_eq(parsed.where[0].in6.sin6_port, htons(80));
	ck_assert_int_eq(
		coil__address_parse(&parsed, "[fe80::1%lo]:80", false), 0);
	ck_assert_uint_gt(parsed.where[0].in6.sin6_scope_id, 0);
}
END_TEST

START_TEST(numbers_are_ready_and_names_are_to_be_looked_up)
{
	struct address parsed;

	ck_assert_int_eq(coil__address_parse(&parsed, "127.0.0.1:8080", false),
			 0);
	ck_assert_ptr_nonnull(parsed.list);
	ck_assert_ptr_null(parsed.list->ai_next);
	ck_assert_int_eq(parsed.where[0].in.sin_port, htons(8080));
	ck_assert_str_eq(parsed.host, "");
	ck_assert_str_eq(parsed.service, "");
	ck_assert_int_eq(coil__address_parse(&parsed, ":00080", true), 0);
	ck_assert_ptr_nonnull(parsed.list->ai_next);
	ck_assert_int_eq(parsed.where[1].in.sin_port, htons(80));
	ck_assert_int_eq(
		coil__address_parse(&parsed, "x-1.example_2.org:http", false),
		0);
	ck_assert_ptr_null(parsed.list);
	ck_assert_str_eq(parsed.host, "x-1.example_2.org");
	ck_assert_str_eq(parsed.service, "http");
	ck_assert_int_eq(coil__address_parse(&parsed, "1.host2:1", false), 0);
	ck_assert_str_eq(parsed.host, "1.host2");
	ck_assert_int_eq(coil__address_resolve(&parsed), -EPERM);
}
END_TEST

COIL_TEST(a_service_has_the_port_that_etc_services_says)
{
	struct address parsed;

	ck_assert_int_eq(
		coil__address_parse(&parsed, "127.0.0.1:test-service", false),
		0);
	ck_assert_int_eq(coil__address_resolve(&parsed), 0);
	ck_assert_int_eq(parsed.where[0].in.sin_port, htons(4242));
	ck_assert_int_eq(coil__address_parse(&parsed, ":test-service", true),
			 0);
	ck_assert_int_eq(coil__address_resolve(&parsed), 0);
	ck_assert_int_eq(parsed.where[0].in6.sin6_port, htons(4242));
	ck_assert_int_eq(parsed.where[1].in.sin_port, htons(4242));
	ck_assert_int_eq(coil_dial("127.0.0.1:no-such-service"), -ENOENT);
}

/*
 * Listening.
 */

static int port_of(int fd)
{
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin6_port);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static int listen_port(const char *host, int port,
		       const struct coil_listen_options *options)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:%d", host, port);
	return coil_listen(text, options);
}

COIL_TEST(a_listening_socket_is_nonblocking_cloexec_and_its_port_soon_free)
{
	int fd = coil_listen("127.0.0.1:0", NULL);
	int port = port_of(fd);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int peer, got;

	ck_assert_int_ge(fd, 0);
	ck_assert(is_nonblocking(fd));
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
	ck_assert_int_eq(listen_port("127.0.0.1", port, NULL), -EADDRINUSE);
	/* A connection that we close first lingers in TIME-WAIT. */
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	peer = client(&addr);
	got = coil_accept(fd, NULL, NULL);
	coil_close(got);
	coil_close(peer);
	coil_close(fd);
	fd = listen_port("127.0.0.1", port, NULL);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
}

COIL_TEST(with_reuse_port_several_listen_on_one_port)
{
	struct coil_listen_options options = { .reuse_port = true };
	int one = coil_listen("127.0.0.1:0", &options);
	int two = listen_port("127.0.0.1", port_of(one), &options);

	ck_assert_int_ge(two, 0);
	coil_close(one);
	coil_close(two);
}

static bool have_ipv6(void)
{
	int fd = coil_listen("[::1]:0", NULL);

	if (fd >= 0)
		coil_close(fd);
	return fd >= 0;
}

COIL_TEST(an_empty_host_serves_both_families)
{
	int fd = coil_listen(":0", NULL), peer;
	int port = port_of(fd);
	char text[64];

	snprintf(text, sizeof(text), "127.0.0.1:%d", port);
	peer = coil_dial(text);
	ck_assert_int_ge(peer, 0);
	coil_close(peer);
	snprintf(text, sizeof(text), "[::1]:%d", port);
	peer = coil_dial(text);
	ck_assert(peer >= 0 || !have_ipv6());
	coil_close(peer);
	coil_close(fd);
}

COIL_TEST(an_ipv6_address_is_of_ipv6_alone)
{
	int other = -EADDRINUSE;

	if (!have_ipv6())
		return;
	/* Another program may have the port in IPv4. */
	for (int i = 0; i < 20 && other == -EADDRINUSE; i++) {
		int fd = coil_listen("[::]:0", NULL);

		ck_assert_int_eq(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		other = listen_port("0.0.0.0", port_of(fd), NULL);
		coil_close(fd);
	}
	ck_assert_int_ge(other, 0);
	coil_close(other);
}

START_TEST(off_a_loop_all_but_a_name_can_be_listened_on)
{
	int fd = coil_listen("127.0.0.1:0", NULL);
	char text[64];

	ck_assert_int_ge(fd, 0);
	snprintf(text, sizeof(text), "fd:%d", fd);
	ck_assert_int_eq(coil_listen(text, NULL), fd);
	coil_close(fd);
	fd = coil_listen("unix:@coil-test-off-loop", NULL);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
	ck_assert_int_eq(coil_listen("localhost:0", NULL), -EPERM);
	ck_assert_int_eq(coil_listen("127.0.0.1:http", NULL), -EPERM);
	ck_assert_int_eq(coil_dial("127.0.0.1:1"), -EPERM);
	ck_assert_int_eq(coil_getaddrinfo("127.0.0.1", "1", NULL, NULL),
			 -EPERM);
}
END_TEST

COIL_TEST(a_request_that_is_pending_does_not_keep_a_number_from_listening)
{
	COIL_TIMEOUT(0) {
		int fd = coil_listen("127.0.0.1:0", NULL);

		ck_assert_int_ge(fd, 0);
		coil_close(fd);
		ck_assert_int_eq(coil_listen("localhost:0", NULL), -ETIMEDOUT);
	}
}

COIL_TEST(listen_options_that_make_no_sense_are_einval)
{
	struct coil_listen_options options = { .backlog = -1 };

	ck_assert_int_eq(coil_listen("127.0.0.1:0", &options), -EINVAL);
	options = (struct coil_listen_options){ .unix_mode = 010000 };
	ck_assert_int_eq(coil_listen("127.0.0.1:0", &options), -EINVAL);
	for (int i = 0; i < 4; i++) {
		options = (struct coil_listen_options){0};
		options.reserved[i] = 1;
		ck_assert_int_eq(coil_listen("127.0.0.1:0", &options), -EINVAL);
	}
}

/* The resolver first names an address that this host does not have. */
COIL_TEST(a_name_is_bound_to_the_first_of_its_addresses_that_is_ours)
{
	int fd, fds[4];

	resolver_answers("203.0.113.77", "127.0.0.2", "127.0.0.2", "127.0.0.3",
			 NULL);
	fd = coil_listen("many.test:0", NULL);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
	ck_assert_int_eq(coil__listen_all("many.test:0", NULL, fds, 4), 2);
	close_all(fds, 2);
	ck_assert_int_eq(coil__listen_all("many.test:0", NULL, fds, 1), 1);
	close_all(fds, 1);
	resolver_answers("203.0.113.77", NULL);
	ck_assert_int_eq(coil_listen("many.test:0", NULL), -EADDRNOTAVAIL);
	ck_assert_int_eq(coil_listen("none.test:0", NULL), -ENOENT);
}

COIL_TEST(if_one_address_of_a_name_is_taken_none_stays_open)
{
	struct sockaddr_in addr;
	int fds[4], fd = loopback(SOCK_STREAM, &addr);
	char text[64];

	ck_assert_int_eq(listen(fd, 1), 0);
	resolver_answers("127.0.0.2", "127.0.0.1", NULL);
	snprintf(text, sizeof(text), "many.test:%d", ntohs(addr.sin_port));
	ck_assert_int_eq(coil__listen_all(text, NULL, fds, 4), -EADDRINUSE);
	coil_close(fd);
}

/*
 * Unix sockets.
 */

COIL_TEST(a_socket_file_has_the_mode_that_was_asked_for)
{
	struct coil_listen_options options = { .unix_mode = 0622 };
	struct stat stat;
	int fd;

	begin_unix();
	fd = coil_listen(address, &options);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lstat(path, &stat), 0);
	ck_assert(S_ISSOCK(stat.st_mode));
	ck_assert_int_eq(stat.st_mode & 07777, 0622);
	coil_close(fd);
	end_unix();
}

COIL_TEST(a_socket_file_that_was_left_behind_is_replaced)
{
	int fd, peer;

	begin_unix();
	fd = coil_listen(address, NULL);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
	fd = coil_listen(address, NULL);
	ck_assert_int_ge(fd, 0);
	peer = coil_dial(address);
	ck_assert_int_ge(peer, 0);
	coil_close(peer);
	coil_close(fd);
	end_unix();
}

COIL_TEST(a_live_socket_or_another_file_is_left_alone)
{
	int fd, peer, file;
	struct stat stat;

	begin_unix();
	fd = coil_listen(address, NULL);
	ck_assert_int_eq(coil_listen(address, NULL), -EADDRINUSE);
	peer = coil_dial(address);
	ck_assert_int_ge(peer, 0);
	coil_close(peer);
	coil_close(fd);
	unlink(path);
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(file, "precious", 8), 8);
	close(file);
	ck_assert_int_eq(coil_listen(address, NULL), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &stat), 0);
	ck_assert_int_eq(stat.st_size, 8);
	ck_assert_int_eq(coil_dial(address), -ECONNREFUSED);
	end_unix();
}

COIL_TEST(a_unix_path_may_have_107_bytes_and_must_have_a_folder)
{
	char text[200];
	int fd;

	begin_unix();
	memset(text, 'x', sizeof(text));
	memcpy(text, address, strlen(address));
	text[5 + 107] = '\0';
	fd = coil_listen(text, NULL);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
	unlink(text + 5);
	ck_assert_int_eq(coil_listen("unix:/nonexistent/socket", NULL),
			 -ENOENT);
	end_unix();
}

COIL_TEST(an_abstract_name_needs_no_file)
{
	int fd = coil_listen("unix:@coil-test-abstract", NULL), peer;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_listen("unix:@coil-test-abstract", NULL),
			 -EADDRINUSE);
	peer = coil_dial("unix:@coil-test-abstract");
	ck_assert_int_ge(peer, 0);
	coil_close(peer);
	coil_close(fd);
	ck_assert_int_eq(coil_dial("unix:@coil-test-abstract"), -ECONNREFUSED);
	ck_assert_int_ne(access("@coil-test-abstract", F_OK), 0);
}

static int listen_fd(int fd)
{
	return listen_port("fd", fd, NULL);
}

COIL_TEST(an_inherited_fd_is_taken_over_if_it_listens)
{
	struct sockaddr_in addr;
	int fd = loopback(SOCK_STREAM, &addr), ends[2];

	ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(listen_fd(fd), fd);
	ck_assert(is_nonblocking(fd));
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	coil_close(fd);
	ck_assert_int_eq(listen_fd(fd), -EBADF);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(listen_fd(ends[0]), -EINVAL);
	ck_assert(!is_nonblocking(ends[0]));
	close_all(ends, 2);
	fd = loopback(SOCK_DGRAM, &addr);
	ck_assert_int_eq(listen_fd(fd), -EINVAL);
	coil_close(fd);
}

static void add_listening(TCase *tests)
{
	tcase_add_test(
		tests,
		a_listening_socket_is_nonblocking_cloexec_and_its_port_soon_free);
	tcase_add_test(tests, with_reuse_port_several_listen_on_one_port);
	tcase_add_test(tests, an_empty_host_serves_both_families);
	tcase_add_test(tests, an_ipv6_address_is_of_ipv6_alone);
	tcase_add_test(tests, off_a_loop_all_but_a_name_can_be_listened_on);
	tcase_add_test(
		tests,
		a_request_that_is_pending_does_not_keep_a_number_from_listening);
	tcase_add_test(tests, listen_options_that_make_no_sense_are_einval);
	tcase_add_test(
		tests,
		a_name_is_bound_to_the_first_of_its_addresses_that_is_ours);
	tcase_add_test(tests,
		       if_one_address_of_a_name_is_taken_none_stays_open);
	tcase_add_test(tests, a_socket_file_has_the_mode_that_was_asked_for);
	tcase_add_test(tests, a_socket_file_that_was_left_behind_is_replaced);
	tcase_add_test(tests, a_live_socket_or_another_file_is_left_alone);
	tcase_add_test(tests,
		       a_unix_path_may_have_107_bytes_and_must_have_a_folder);
	tcase_add_test(tests, an_abstract_name_needs_no_file);
	tcase_add_test(tests, an_inherited_fd_is_taken_over_if_it_listens);
}

Suite *suite(void)
{
	Suite *all = suite_create("address");
	TCase *tests = tcase_create("address");

	tcase_add_test(tests, an_address_of_no_form_is_einval);
	tcase_add_test(tests, what_is_too_long_or_not_there_says_so);
	tcase_add_test(tests, dns_003_a_scope_is_a_number_or_an_interface);
	tcase_add_test(tests, numbers_are_ready_and_names_are_to_be_looked_up);
	tcase_add_test(tests, a_service_has_the_port_that_etc_services_says);
	add_listening(tests);
	suite_add_tcase(all, tests);
	return all;
}
