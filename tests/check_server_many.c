/* SPDX-License-Identifier: MIT */
/* A thousand connections that talk at once, and ten thousand that do not. */
#include "tests/servers.h"
#include "tests/support.h"
#include <stdlib.h>
#include <sys/resource.h>

/* What a process may have open, less what it needs for itself. */
static int fds_to_have(void)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur > 100000 ? 100000 : (int)limit.rlim_cur - 100;
}

static int lesser(int a, int b)
{
	return a < b ? a : b;
}

COIL_TEST(a_thousand_that_talk_at_once_are_all_answered)
{
	int n = lesser(1000, fds_to_have() / 2), *fds = calloc((size_t)n, sizeof(*fds));
	struct coil_server *server = server_on(LOCAL, echo, NULL, NULL);

	ck_assert_ptr_nonnull(fds);
	for (int i = 0; i < n; i++)
		fds[i] = client_of(server);
	until_connections(server, n);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(send(fds[i], "hello\n", 6, MSG_NOSIGNAL), 6);
		for (int i = 0; i < n; i++)
			hear(fds[i], "hello\n");
	}
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(shutdown(fds[i], SHUT_WR), 0);
	until_connections(server, 0);
	for (int i = 0; i < n; i++) {
		ck_assert(hears_end(fds[i]));
		ck_assert_int_eq(coil_close(fds[i]), 0);
	}
	free(fds);
	close_server(server);
}

/*
 * Clients in a process of their own, as a process has fds for one side only.  They
 * are silent until something is to be read on go.
 */
static void be_silent(const struct sockaddr_in *addr, int n, int go)
{
	const struct timeval patience = { .tv_sec = 30 * support_patience() };
	int *fds = calloc((size_t)n, sizeof(*fds));
	char got[8];

	dup2(go, STDIN_FILENO);
	closefrom(STDERR_FILENO + 1);
	for (int i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connect(fds[i], (const struct sockaddr *)addr, sizeof(*addr)))
			_exit(1);
	}
	if (read(STDIN_FILENO, got, 1) != 1)
		_exit(2);
	for (int i = 0; i < n; i++) {
		if (send(fds[i], "hello\n", 6, MSG_NOSIGNAL) != 6)
			_exit(3);
	}
	for (int i = 0; i < n; i++) {
		if (recv(fds[i], got, 6, MSG_WAITALL) != 6 || memcmp(got, "hello\n", 6))
			_exit(4);
	}
	_exit(0);
}

COIL_TEST(ten_thousand_that_are_idle_are_held_and_then_all_answered)
{
	int n = lesser(10000 / support_patience(), fds_to_have());
	struct coil_server *server;
	struct sockaddr_in addr;
	int go[2], status;
	pid_t pid;

	if (support_skip_on("sim", "10000 connections on two backends are enough"))
		return;
	server = server_on(LOCAL, echo, NULL, NULL);
	addr = where(server, 0);
	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		be_silent(&addr, n, go[0]);
	until_connections(server, n);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	until_connections(server, 0);
	while (!waitpid(pid, &status, WNOHANG))
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "a client was not answered: %#x", status);
	close_all(go, 2);
	close_server(server);
}

Suite *suite(void)
{
	Suite *tests = suite_create("server_many");
	TCase *tcase = tcase_create("server_many");

	tcase_set_timeout(tcase, 60 * support_patience());
	tcase_add_test(tcase, a_thousand_that_talk_at_once_are_all_answered);
	tcase_add_test(tcase, ten_thousand_that_are_idle_are_held_and_then_all_answered);
	suite_add_tcase(tests, tcase);
	return tests;
}
