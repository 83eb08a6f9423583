/* SPDX-License-Identifier: MIT */
/*
 * Connections and names, cancelled at every point: no connection that was accepted,
 * no fd and no address is lost.  See sweep.h.
 */
#include "tests/sweep.h"
#include "tests/resolver.h"
#include "tests/sockets.h"
#include <coil.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define MS COIL_MILLISECOND

static struct {
	int fds[2];		/* the task's end, ours */
	int clients[CROWD];
	struct sockaddr_in addr;
	int kind;
	size_t given;
	size_t got;
} own;

/* The kind outlives it. */
static void begin(void)
{
	int kind = own.kind;

	memset(&own, 0, sizeof(own));
	own.kind = kind;
}

/*
 * Connections.
 */

static void begin_accept(void)
{
	/* What is accepted leaves no port behind: there are only so many for an hour. */
	const struct linger at_once = { .l_onoff = 1 };

	begin();
	own.fds[0] = listener(&own.addr);
	ck_assert_int_eq(setsockopt(own.fds[0], SOL_SOCKET, SO_LINGER, &at_once,
				    sizeof(at_once)), 0);
}

static int run_accept(void *arg)
{
	int fd;

	while (own.got < 2) {
		fd = coil_accept(own.fds[0], NULL, NULL);
		if (fd < 0)
			return fd;
		own.got++;
		close(fd);
	}
	return 0;
}

static void help_accept(void)
{
	if (own.given < 2)
		own.clients[own.given++] = client(&own.addr);
}

static void end_accept(int result)
{
	size_t left = 0;
	int fd;

	ok_or_cancelled(result);
	while ((fd = accept4(own.fds[0], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
		left++;
	}
	ck_assert_uint_eq(own.got + left, own.given);
	close_all(own.clients, (int)own.given);
	coil_close(own.fds[0]);
}

COIL_TEST(no_connection_that_was_accepted_is_lost)
{
	static const struct sweep it = { begin_accept, run_accept, help_accept,
					 end_accept };

	sweep(&it);
}

static void begin_connect(void)
{
	begin();
	own.fds[0] = crowded(&own.addr, own.clients);
	own.fds[1] = coil_socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(own.fds[1], 0);
}

static void help_connect(void)
{
	if (support_simulated())
		sim_advance(MS);
}

static int run_connect(void *arg)
{
	struct coil_timeout limit = {0};
	int err;

	coil_timeout_begin(&limit, MS);
	err = coil_connect(own.fds[1], (struct sockaddr *)&own.addr,
			   sizeof(own.addr));
	coil_timeout_end(&limit);
	return err;
}

static void end_connect(int result)
{
	ck_assert(result == -ETIMEDOUT || result == -ECANCELED);
	close_all(own.clients, CROWD);
	close_all(own.fds, 2);
}

COIL_TEST(a_connect_that_is_not_answered)
{
	static const struct sweep it = { begin_connect, run_connect,
					 help_connect, end_connect };

	sweep(&it);
}

static int run_dial(void *arg)
{
	char address[32];
	int fd;

	snprintf(address, sizeof(address), "127.0.0.1:%d",
		 ntohs(own.addr.sin_port));
	fd = coil_dial(address);
	if (fd < 0)
		return fd;
	coil_close(fd);
	return coil_yield();
}

static void end_dial(int result)
{
	int fd;

	ok_or_cancelled(result);
	while ((fd = accept4(own.fds[0], NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	close(own.fds[0]);
}

COIL_TEST(no_fd_that_was_dialled_is_lost)
{
	static const struct sweep it = { begin_accept, run_dial, NULL,
					 end_dial };

	/* An address without a name may never have to wait; then there is no park. */
	own.kind = 0;
	for (int mode = SWEEP_EARLY; mode < SWEEP_MODES; mode++) {
		for (int n = 1; sweep_once(&it, (enum sweep_mode)mode, n); n++)
			;
	}
}

/*
 * Names, which are looked up in another thread.  Simulated time waits for that, and
 * that for help, so there nothing comes at random.
 */

static void sweep_name(const struct sweep *it)
{
	if (support_simulated())
		sweep_in_order(it);
	else
		sweep(it);
}

static int run_lookup(void *arg)
{
	struct addrinfo *found = NULL;
	int err = coil_getaddrinfo("slow.test", "80", NULL, &found);

	ck_assert_int_eq(found != NULL, !err);
	if (found)
		freeaddrinfo(found);
	return err;
}

static void begin_lookup(void)
{
	begin();
	resolver_answers("127.0.0.1", "::1", NULL);
}

static void help_lookup(void)
{
	if (!own.given++)
		resolver_let_go();
}

/* What an abandoned one finds is freed: the fixture counts that, too. */
static void end_lookup(int result)
{
	ok_or_cancelled(result);
	while (resolver_is_busy())
		ck_assert_int_eq(coil_sleep(50 * COIL_MICROSECOND), 0);
}

COIL_TEST(no_address_that_was_found_is_lost)
{
	static const struct sweep it = {
		begin_lookup, run_lookup, help_lookup, end_lookup,
	};

	sweep_name(&it);
}

static void begin_dial_name(void)
{
	begin_accept();
	resolver_answers("127.0.0.1", NULL);
}

static int run_dial_name(void *arg)
{
	char address[32];
	int fd;

	snprintf(address, sizeof(address), "slow.test:%d", ntohs(own.addr.sin_port));
	fd = coil_dial(address);
	if (fd < 0)
		return fd;
	ck_assert_int_eq(coil_close(fd), 0);
	return 0;
}

static void end_dial_name(int result)
{
	end_lookup(result);
	end_dial(result);
}

COIL_TEST(no_fd_that_was_dialled_by_name_is_lost)
{
	static const struct sweep it = { begin_dial_name, run_dial_name, help_lookup,
					 end_dial_name };

	sweep_name(&it);
}

static int run_listen(void *arg)
{
	int fd = coil_listen("slow.test:0", NULL);

	if (fd < 0)
		return fd;
	ck_assert_int_eq(coil_close(fd), 0);
	return 0;
}

COIL_TEST(no_fd_that_listens_by_name_is_lost)
{
	static const struct sweep it = { begin_lookup, run_listen, help_lookup, end_lookup };

	sweep_name(&it);
}

Suite *suite(void)
{
	Suite *whole = suite_create("sweep_connect");
	TCase *tests = tcase_create("sweep_connect");

	tcase_add_test(tests, no_connection_that_was_accepted_is_lost);
	tcase_add_test(tests, a_connect_that_is_not_answered);
	tcase_add_test(tests, no_fd_that_was_dialled_is_lost);
	tcase_add_test(tests, no_address_that_was_found_is_lost);
	tcase_add_test(tests, no_fd_that_was_dialled_by_name_is_lost);
	tcase_add_test(tests, no_fd_that_listens_by_name_is_lost);
	suite_add_tcase(whole, tests);
	return whole;
}
