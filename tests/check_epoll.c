/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "tests/filters.h"
#include "tests/ops.h"
#include "tests/sockets.h"
#include <coil/timeout.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int64_t cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * COIL_SECOND + now.tv_nsec;
}

/*
 * Registrations.
 */

static int echo(void *arg)
{
	int fd = *(int *)arg, n;
	char buf[16];

	while ((n = op_recv(fd, buf, sizeof(buf), 0)) > 0)
		ck_assert_int_eq(op_send(fd, buf, (size_t)n, 0), n);
	return n;
}

COIL_TEST(a_steady_exchange_makes_no_epoll_ctl)
{
	unsigned long before = 0;
	struct coil_task *task;
	char buf[16];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	task = coil_create_task(echo, &fds[1]);
	for (int i = 0; i < 1000; i++) {
		if (i == 1)
			before = support_epoll_ctls();
		ck_assert_int_eq(op_send(fds[0], "hello", 5, 0), 5);
		ck_assert_int_eq(op_recv(fds[0], buf, sizeof(buf), 0), 5);
	}
	/* None but the proofs, of two fds, once a second. */
	ck_assert_uint_le(support_epoll_ctls() - before, 8);
	coil_close(fds[0]);
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(fds[1]);
}

/* Waits once on an fd, so that it is registered. */
static void acquaint(int fd, int peer)
{
	struct asker asker;

	ask(&asker, ask_recv, fd);
	ck_assert_int_eq(asker.place, 0);
	say(peer, "x");
	answered(&asker);
	ck_assert_int_eq(asker.res, 1);
}

/* Another socket under the number of fd, which is closed behind coil's back. */
static int replace(int fd)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(dup3(fds[0], fd, O_CLOEXEC), fd);
	close(fds[0]);
	return fds[1];
}

COIL_TEST(a_stale_number_is_noticed_by_an_idle_loop_on_a_real_clock)
{
	struct asker asker;
	int fds[2], peer;

	unix_pair(fds, SOCK_STREAM);
	acquaint(fds[0], fds[1]);
	peer = replace(fds[0]);
	ask(&asker, ask_recv, fds[0]);
	say(peer, "new");
	COIL_TIMEOUT(2 * COIL_SECOND)
		answered(&asker);
	ck_assert_int_eq(asker.res, 3);
	close(peer);
	close(fds[1]);
	coil_close(fds[0]);
}

/* More than are proved in one pass, and each begins a new wait when it was served. */
COIL_TEST(a_crowd_of_stale_numbers_is_noticed_on_a_real_clock)
{
	enum { STALE = 100 };
	static struct asker askers[STALE];
	int fds[STALE][2], peers[STALE];

	for (int i = 0; i < STALE; i++) {
		unix_pair(fds[i], SOCK_STREAM);
		acquaint(fds[i][0], fds[i][1]);
		peers[i] = replace(fds[i][0]);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < STALE; i++)
			ask(&askers[i], ask_recv, fds[i][0]);
		for (int i = 0; i < STALE; i++)
			say(peers[i], "new");
		for (int i = 0; i < STALE; i++) {
			COIL_TIMEOUT(2 * COIL_SECOND)
				answered(&askers[i]);
			ck_assert_int_eq(askers[i].res, 3);
		}
	}
	for (int i = 0; i < STALE; i++) {
		close(peers[i]);
		close(fds[i][1]);
		coil_close(fds[i][0]);
	}
}

static int spin(void *arg)
{
	bool *stop = arg;

	while (!*stop)
		coil_yield();
	return 0;
}

COIL_TEST(a_stale_number_is_noticed_by_a_busy_loop_on_a_real_clock)
{
	struct asker asker;
	struct coil_task *task;
	bool stop = false;
	int fds[2], peer;

	unix_pair(fds, SOCK_STREAM);
	acquaint(fds[0], fds[1]);
	peer = replace(fds[0]);
	task = coil_create_task(spin, &stop);
	ask(&asker, ask_recv, fds[0]);
	say(peer, "new");
	COIL_TIMEOUT(5 * COIL_SECOND)
		answered(&asker);
	ck_assert_int_eq(asker.res, 3);
	stop = true;
	ck_assert_int_eq(coil_await(task), 0);
	close(peer);
	close(fds[1]);
	coil_close(fds[0]);
}

COIL_TEST(a_number_that_coil_itself_reused_is_known_at_once)
{
	struct sockaddr_in addr;
	struct asker asker;
	int fds[2], server = listener(&addr), peer, fd;
	unsigned long before;

	unix_pair(fds, SOCK_STREAM);
	acquaint(fds[0], fds[1]);
	peer = client(&addr);
	close(fds[0]);
	fd = coil_accept(server, NULL, NULL);
	ck_assert_int_eq(fd, fds[0]);
	before = support_epoll_ctls();
	ask(&asker, ask_recv, fd);
	ck_assert_uint_eq(support_epoll_ctls(), before + 1);
	say(peer, "new");
	answered(&asker);
	ck_assert_int_eq(asker.res, 3);
	ck_assert_uint_eq(support_epoll_ctls(), before + 1);
	coil_close(fd);
	close(peer);
	close(server);
	close(fds[1]);
}

COIL_TEST(events_of_a_closed_number_whose_file_lives_on_do_no_harm)
{
	struct asker asker;
	int64_t before;
	int fds[2], peer, twin;

	unix_pair(fds, SOCK_STREAM);
	acquaint(fds[0], fds[1]);
	twin = dup(fds[0]);
	peer = replace(fds[0]);
	ask(&asker, ask_recv, fds[0]);
	before = cpu_time();
	/* Readable, and nobody will ever read it. */
	say(fds[1], "ghost");
	ck_assert_int_eq(coil_sleep(200 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(asker.place, 0);
	ck_assert_int_lt(cpu_time() - before, 100 * COIL_MILLISECOND * support_patience());
	say(peer, "new");
	answered(&asker);
	ck_assert_int_eq(asker.res, 3);
	ck_assert_str_eq(asker.buf, "new");
	close(twin);
	close(fds[1]);
	close(peer);
	coil_close(fds[0]);
}

COIL_TEST(coil_close_leaves_no_registration_in_a_file_that_lives_on)
{
	unsigned long before;
	int fds[2], twin;

	unix_pair(fds, SOCK_STREAM);
	acquaint(fds[0], fds[1]);
	twin = dup(fds[0]);
	before = support_epoll_ctls();
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_uint_eq(support_epoll_ctls(), before + 1);
	close(twin);
	close(fds[1]);
}

COIL_TEST(a_wait_whose_fd_is_closed_under_it_ends_with_ebadf_on_a_real_clock)
{
	struct asker asker;
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ask(&asker, ask_recv, fds[0]);
	close(fds[0]);
	COIL_TIMEOUT(2 * COIL_SECOND)
		answered(&asker);
	ck_assert_int_eq(asker.res, -EBADF);
	close(fds[1]);
}

struct writer {
	int fd;
	atomic_bool done;
};

static void *write_often(void *arg)
{
	const uint64_t one = 1;
	const struct timespec moment = { .tv_nsec = 20000 };
	struct writer *writer = arg;

	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(write(writer->fd, &one, sizeof(one)), sizeof(one));
		nanosleep(&moment, NULL);
	}
	atomic_store(&writer->done, true);
	return NULL;
}

COIL_TEST(an_fd_whose_events_nobody_wants_is_silenced)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct writer writer = { .fd = fd };
	struct asker asker;
	unsigned long before;
	pthread_t thread;
	uint64_t one = 1;

	ask(&asker, ask_read, fd);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	answered(&asker);
	ck_assert_int_eq(asker.res, 8);
	before = support_epoll_ctls();
	ck_assert_int_eq(pthread_create(&thread, NULL, write_often, &writer), 0);
	/* The loop looks at its fds again and again for as long as the thread writes. */
	while (!atomic_load(&writer.done))
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_ge(support_epoll_ctls(), before + 1);
	ck_assert_uint_le(support_epoll_ctls(), before + 3);
	/* And it is heard again when somebody does. */
	ck_assert_int_eq(op_read(fd, asker.buf, 8), 8);
	ask(&asker, ask_read, fd);
	ck_assert_int_eq(asker.place, 0);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	answered(&asker);
	coil_close(fd);
}

/*
 * Several that wait.
 */

COIL_TEST(those_who_wait_on_one_fd_are_served_in_order)
{
	struct asker askers[5];
	int fds[2];

	unix_pair(fds, SOCK_SEQPACKET);
	for (int i = 0; i < 5; i++)
		ask(&askers[i], ask_recv, fds[0]);
	for (int i = 0; i < 3; i++)
		say(fds[1], "one");
	until(op_places == 3);
	for (int i = 3; i < 5; i++)
		say(fds[1], "one");
	for (int i = 0; i < 5; i++) {
		answered(&askers[i]);
		ck_assert_int_eq(askers[i].place, i + 1);
		ck_assert_int_eq(askers[i].res, 3);
	}
	coil_close(fds[0]);
	close(fds[1]);
}

COIL_TEST(a_connection_wakes_one_of_many_that_accept)
{
	struct asker askers[50];
	struct sockaddr_in addr;
	int server = listener(&addr), peers[2];

	for (int i = 0; i < 50; i++)
		ask(&askers[i], ask_accept, server);
	for (int i = 0; i < 2; i++) {
		peers[i] = client(&addr);
		answered(&askers[i]);
		ck_assert_int_ge(askers[i].res, 0);
		ck_assert_int_eq(op_places, i + 1);
		coil_close(askers[i].res);
	}
	for (int i = 2; i < 50; i++) {
		coil_cancel(askers[i].task);
		answered(&askers[i]);
		ck_assert_int_eq(askers[i].res, -ECANCELED);
	}
	close_all(peers, 2);
	coil_close(server);
}

struct chain {
	struct own_op own;
	int left;
};

static void go_on(struct own_op *own)
{
	struct chain *chain = (struct chain *)own;

	if (chain->left--) {
		memset(&own->op, 0, sizeof(own->op));
		io_uring_prep_nop(&own->op.sqe);
		begin(own);
	}
}

COIL_TEST(ops_begun_from_completions_do_not_nest_for_ever)
{
	struct chain chain = { .own.hook = go_on, .left = 20000 };

	io_uring_prep_nop(&chain.own.op.sqe);
	begin(&chain.own);
	until(chain.own.count == 20001);
}

COIL_TEST(an_op_that_waits_ends_within_its_cancel)
{
	struct own_op own = {0};
	char buf[8];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	io_uring_prep_recv(&own.op.sqe, fds[0], buf, sizeof(buf), 0);
	begin(&own);
	ck_assert_int_eq(own.count, 0);
	coil__op_cancel(coil__loop, &own.op);
	ck_assert_int_eq(own.count, 1);
	ck_assert_int_eq(own.last, -ECANCELED);
	close_all(fds, 2);
}

/*
 * What may be missing.
 */

static int temporary_file(void)
{
	char path[] = "/tmp/coil-file-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	return fd;
}

COIL_TEST(where_no_thread_can_be_had_the_loop_does_it_itself)
{
	char buf[4];
	int fd = temporary_file();

	support_fail_threads(true);
	ck_assert_int_eq(op_write(fd, "abc", 3), 3);
	ck_assert_int_eq(run_op(fsync, fd, 0), 0);
	ck_assert_int_eq(run_op(read, fd, buf, 4, 0), 3);
	support_fail_threads(false);
	coil_close(fd);
}

static int sleep_shortly(void *arg)
{
	int64_t before = coil_now(), cpu = cpu_time();

	for (int i = 0; i < 50; i++) {
		int64_t began = coil_now();

		ck_assert_int_eq(coil_sleep(1500 * COIL_MICROSECOND), 0);
		ck_assert_int_ge(coil_now() - began, 1500 * COIL_MICROSECOND);
	}
	ck_assert_int_ge(coil_now() - before, 75 * COIL_MILLISECOND);
	ck_assert_int_lt(cpu_time() - cpu, 15 * COIL_MILLISECOND * support_patience());
	return 0;
}

START_TEST(without_epoll_pwait2_sleeps_are_neither_early_nor_spun_away)
{
	ck_assert_int_eq(refuse_call(SYS_epoll_pwait2, ENOSYS), 0);
	support_run(sleep_shortly);
}
END_TEST

COIL_TEST(a_loop_with_idle_fds_sleeps_on_a_real_clock)
{
	struct asker askers[20];
	int fds[20][2];
	int64_t cpu;

	for (int i = 0; i < 20; i++) {
		unix_pair(fds[i], SOCK_STREAM);
		ask(&askers[i], ask_recv, fds[i][0]);
	}
	cpu = cpu_time();
	ck_assert_int_eq(coil_sleep(300 * COIL_MILLISECOND), 0);
	ck_assert_int_lt(cpu_time() - cpu, 20 * COIL_MILLISECOND * support_patience());
	for (int i = 0; i < 20; i++) {
		say(fds[i][1], "x");
		answered(&askers[i]);
		close_all(fds[i], 2);
	}
}

Suite *suite(void)
{
	Suite *epoll;
	TCase *tests;

	if (support_skip_on("sim", "this is about the epoll backend") ||
	    support_skip_on("uring", "this is about the epoll backend"))
		return NULL;
	epoll = suite_create("epoll");
	tests = tcase_create("epoll");
	tcase_add_test(tests, a_steady_exchange_makes_no_epoll_ctl);
	tcase_add_test(tests, a_stale_number_is_noticed_by_an_idle_loop_on_a_real_clock);
	tcase_add_test(tests, a_crowd_of_stale_numbers_is_noticed_on_a_real_clock);
	tcase_add_test(tests, a_stale_number_is_noticed_by_a_busy_loop_on_a_real_clock);
	tcase_add_test(tests, a_number_that_coil_itself_reused_is_known_at_once);
	tcase_add_test(tests, events_of_a_closed_number_whose_file_lives_on_do_no_harm);
	tcase_add_test(tests, coil_close_leaves_no_registration_in_a_file_that_lives_on);
	tcase_add_test(tests, a_wait_whose_fd_is_closed_under_it_ends_with_ebadf_on_a_real_clock);
	tcase_add_test(tests, an_fd_whose_events_nobody_wants_is_silenced);
	tcase_add_test(tests, those_who_wait_on_one_fd_are_served_in_order);
	tcase_add_test(tests, a_connection_wakes_one_of_many_that_accept);
	tcase_add_test(tests, ops_begun_from_completions_do_not_nest_for_ever);
	tcase_add_test(tests, an_op_that_waits_ends_within_its_cancel);
	tcase_add_test(tests, where_no_thread_can_be_had_the_loop_does_it_itself);
	tcase_add_test(tests, without_epoll_pwait2_sleeps_are_neither_early_nor_spun_away);
	tcase_add_test(tests, a_loop_with_idle_fds_sleeps_on_a_real_clock);
	suite_add_tcase(epoll, tests);
	return epoll;
}
