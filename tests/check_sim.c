/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "tests/ops.h"
#include "tests/sockets.h"
#include "core/backend/pool.h"
#include <coil/timeout.h>
#include <stdlib.h>
#include <time.h>

static int64_t real_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * COIL_SECOND + now.tv_nsec;
}

/*
 * Time.
 */

COIL_TEST(ten_hours_pass_in_an_instant)
{
	int64_t real = real_time(), began = coil_now();

	ck_assert_int_eq(began, 1000 * COIL_SECOND);
	ck_assert_int_eq(coil_sleep(36000 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_now() - began, 36000 * COIL_SECOND);
	ck_assert_int_lt(real_time() - real, COIL_SECOND * support_patience());
}

COIL_TEST(time_stands_still_while_there_is_something_to_do)
{
	int64_t began = coil_now();

	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_now(), began);
	sim_advance(5);
	ck_assert_int_eq(coil_now(), began + 5);
}

static int reply_at_once(void *arg)
{
	char buf[4];
	int fd = *(int *)arg, n;

	while ((n = op_recv(fd, buf, sizeof(buf), 0)) > 0)
		ck_assert_int_eq(op_send(fd, buf, (size_t)n, 0), n);
	return n;
}

COIL_TEST(an_answer_that_is_on_its_way_is_not_overtaken_by_a_deadline)
{
	struct coil_task *task;
	char buf[4];
	int fds[2];
	int64_t began = coil_now();

	tcp_pair(fds);
	task = coil_create_task(reply_at_once, &fds[1]);
	for (int i = 0; i < 500; i++) {
		int n = 0;

		COIL_TIMEOUT(1) {
			ck_assert_int_eq(op_send(fds[0], "ping", 4, 0), 4);
			n = op_recv(fds[0], buf, 4, MSG_WAITALL);
		}
		ck_assert_int_eq(n, 4);
	}
	ck_assert_int_eq(coil_now(), began);
	coil_close(fds[0]);
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(fds[1]);
}

static void nap(struct job *job)
{
	const struct timespec moment = { .tv_nsec = 30000000 };

	(void)job;
	nanosleep(&moment, NULL);
}

static bool woke;

static void wake_up(struct coil_loop *loop, struct job *job)
{
	(void)loop, (void)job;
	woke = true;
}

COIL_TEST(no_time_passes_while_a_thread_has_a_job)
{
	struct job job = { .work = nap, .done = wake_up };

	ck_assert_int_eq(coil__pool_submit(coil__loop, &job), 0);
	ck_assert_int_eq(coil_sleep(1), 0);
	ck_assert(woke);
}

/*
 * The script.
 */

COIL_TEST(the_nth_op_says_what_the_script_says)
{
	char buf[4];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(write(fds[1], "abcd", 4), 4);
	sim_script(IORING_OP_RECV, 2, -ECONNRESET);
	ck_assert_int_eq(op_recv(fds[0], buf, 1, 0), 1);
	ck_assert_int_eq(op_recv(fds[0], buf, 1, 0), -ECONNRESET);
	ck_assert_int_eq(op_recv(fds[0], buf, 4, 0), 3);
	ck_assert(!memcmp(buf, "bcd", 3));
	close_all(fds, 2);
}

COIL_TEST(an_interrupted_op_is_done_again)
{
	char buf[4];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(write(fds[1], "abcd", 4), 4);
	sim_script(IORING_OP_RECV, 1, -EINTR);
	sim_script(IORING_OP_RECV, 2, -EINTR);
	ck_assert_int_eq(op_recv(fds[0], buf, 4, 0), 4);
	close_all(fds, 2);
}

COIL_TEST(a_short_op_moves_less_than_it_could)
{
	char buf[4];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	sim_script_short(IORING_OP_SEND, 1, 3);
	sim_script_short(IORING_OP_RECV, 1, 1);
	ck_assert_int_eq(op_send(fds[1], "abcd", 4, 0), 3);
	ck_assert_int_eq(op_recv(fds[0], buf, 4, 0), 1);
	ck_assert_int_eq(op_recv(fds[0], buf + 1, 3, 0), 2);
	ck_assert(!memcmp(buf, "abc", 3));
	close_all(fds, 2);
}

COIL_TEST(a_result_that_comes_after_the_cancel_stands)
{
	int fds[2], n = 0;
	char buf[4];

	unix_pair(fds, SOCK_STREAM);
	sim_script_late(IORING_OP_RECV, 1, 3);
	COIL_TIMEOUT(COIL_SECOND)
		n = op_recv(fds[0], buf, 4, 0);
	ck_assert_int_eq(n, 3);
	close_all(fds, 2);
}

/*
 * The trace.
 */

struct pair {
	int fds[2];
	int64_t pause;
};

static int talk(void *arg)
{
	struct pair *pair = arg;
	char buf[4];

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(op_send(pair->fds[0], "ping", 4, 0), 4);
		ck_assert_int_eq(coil_sleep(pair->pause), 0);
		ck_assert_int_eq(op_recv(pair->fds[0], buf, 4, 0), 4);
	}
	return 0;
}

static int conversation(void *arg)
{
	struct coil_task *tasks[10];
	struct pair pairs[5];

	for (int i = 0; i < 5; i++) {
		unix_pair(pairs[i].fds, SOCK_STREAM);
		pairs[i].pause = (i * 7 % 3 + 1) * COIL_MILLISECOND;
		tasks[2 * i] = coil_create_task(talk, &pairs[i]);
		tasks[2 * i + 1] = coil_create_task(reply_at_once, &pairs[i].fds[1]);
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(coil_await(tasks[2 * i]), 0);
		coil_close(pairs[i].fds[0]);
		ck_assert_int_eq(coil_await(tasks[2 * i + 1]), 0);
		coil_close(pairs[i].fds[1]);
	}
	return 0;
}

START_TEST(the_same_program_leaves_the_same_trace)
{
	char *first;

	sim_trace_begin();
	support_run(conversation);
	first = strdup(sim_trace());
	ck_assert_uint_gt(strlen(first), 1000);
	for (int i = 0; i < 3; i++) {
		sim_trace_begin();
		support_run(conversation);
		ck_assert_str_eq(sim_trace(), first);
	}
	free(first);
}
END_TEST

/*
 * What suites rely on.
 */

static void *volatile unused;

static int do_nothing(void *arg)
{
	return 0;
}

START_TEST(memory_is_counted_and_its_nth_request_fails)
{
	size_t before = support_outstanding();
	unsigned long requests = support_allocations();
	void *block = malloc(100);

	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq(support_outstanding(), before + 100);
	ck_assert_uint_eq(support_allocations(), requests + 1);
	block = realloc(block, 150);
	ck_assert_uint_eq(support_outstanding(), before + 150);
	support_fail_allocation(2);
	unused = malloc(1);
	free(unused);
	ck_assert(!support_allocation_failed());
	ck_assert_ptr_null(realloc(block, 200));
	ck_assert(support_allocation_failed());
	ck_assert_uint_eq(support_outstanding(), before + 150);
	free(block);
	ck_assert_uint_eq(support_outstanding(), before);
}
END_TEST

/* Whatever request fails: an error, and nothing is left behind. */
START_TEST(a_run_survives_each_failure_of_memory)
{
	for (unsigned long n = 1;; n++) {
		int result;

		support_fail_allocation(n);
		result = coil_run(do_nothing, NULL);
		if (!support_allocation_failed()) {
			ck_assert_int_eq(result, 0);
			break;
		}
		ck_assert(result == -ENOMEM || !result);
	}
	support_fail_allocation(0);
}
END_TEST

Suite *suite(void)
{
	Suite *sim;
	TCase *tests;

	if (support_skip_on("uring", "this is about simulated time") ||
	    support_skip_on("epoll", "this is about simulated time"))
		return NULL;
	sim = suite_create("sim");
	tests = tcase_create("sim");
	tcase_add_test(tests, ten_hours_pass_in_an_instant);
	tcase_add_test(tests, time_stands_still_while_there_is_something_to_do);
	tcase_add_test(tests, an_answer_that_is_on_its_way_is_not_overtaken_by_a_deadline);
	tcase_add_test(tests, no_time_passes_while_a_thread_has_a_job);
	tcase_add_test(tests, the_nth_op_says_what_the_script_says);
	tcase_add_test(tests, an_interrupted_op_is_done_again);
	tcase_add_test(tests, a_short_op_moves_less_than_it_could);
	tcase_add_test(tests, a_result_that_comes_after_the_cancel_stands);
	tcase_add_test(tests, the_same_program_leaves_the_same_trace);
	tcase_add_test(tests, memory_is_counted_and_its_nth_request_fails);
	tcase_add_test(tests, a_run_survives_each_failure_of_memory);
	suite_add_tcase(sim, tests);
	return sim;
}
