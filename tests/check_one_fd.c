/* SPDX-License-Identifier: MIT */
/*
 * Many tasks that receive from one fd.  A message is for one of them, and costs as much
 * as with one task.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include "core/task/loop.h"
#include "core/backend/backend.h"
#include "core/backend/uring.h"
#include <coil/timeout.h>

enum { TASKS = 2000, MESSAGES = 50, IN_RING = 8 };

static int fds[2];
static struct coil_task *tasks[TASKS];
static unsigned begun, ended, receives;
static struct backend counting;
static const struct backend *counted;

/* Receives that are about to be put to the kernel. */
static void count_receives(struct coil_loop *loop, int64_t deadline)
{
	struct io_uring_sq *sq = &((struct uring *)loop->io.data)->ring.sq;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++)
		receives += sq->sqes[i & sq->ring_mask].opcode == IORING_OP_RECV;
	counted->poll(loop, deadline);
}

static bool count_on_uring(void)
{
	if (strcmp(support_backend(), "uring"))
		return false;
	counted = coil__loop->io.backend;
	counting = *counted;
	counting.poll = count_receives;
	coil__loop->io.backend = &counting;
	return true;
}

/* Its result is the message. */
static int receive(void *arg)
{
	unsigned char byte;
	ssize_t n;

	(void)arg;
	begun++;
	n = coil_recv(fds[0], &byte, 1, 0);
	ended++;
	return n == 1 ? byte : (int)n;
}

static void start_all(void)
{
	unix_pair(fds, SOCK_DGRAM | SOCK_NONBLOCK);
	for (size_t i = 0; i < TASKS; i++) {
		tasks[i] = coil_create_task(receive, NULL);
		ck_assert_ptr_nonnull(tasks[i]);
	}
	do
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	while (begun < TASKS);
	ck_assert_uint_eq(ended, 0);
}

static void say(unsigned char byte)
{
	ck_assert_int_eq(send(fds[1], &byte, 1, 0), 1);
}

static void close_and_await(size_t from)
{
	ck_assert_int_eq(coil_close(fds[0]), 0);
	for (size_t i = from; i < TASKS; i++)
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	coil_close(fds[1]);
}

static int give_messages(void *arg)
{
	bool counts = count_on_uring();
	unsigned cancelled = 0;

	(void)arg;
	start_all();
	if (counts)
		ck_assert_uint_eq(receives, IN_RING);
	for (size_t i = 0; i < MESSAGES; i++) {
		say(1);
		while (ended <= i)
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	}
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_uint_eq(ended, MESSAGES);
	if (counts)
		ck_assert_uint_eq(receives, IN_RING + MESSAGES);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	for (size_t i = 0; i < TASKS; i++)
		cancelled += coil_await(tasks[i]) == -ECANCELED;
	ck_assert_uint_eq(cancelled, TASKS - MESSAGES);
	if (counts)
		ck_assert_uint_eq(receives, IN_RING + MESSAGES);
	coil_close(fds[1]);
	return 0;
}

START_TEST(of_many_that_receive_each_message_wakes_a_few)
{
	const struct coil_options options = { .entries = 4096 };

	ck_assert_int_eq(coil_run_with(&options, give_messages, NULL), 0);
}
END_TEST

COIL_TEST(one_that_waits_behind_others_hears_a_cancel_and_a_deadline)
{
	struct coil_timeout timeout = {0};
	unsigned received = 0;

	start_all();
	coil_cancel(tasks[TASKS / 2]);
	ck_assert_int_eq(coil_await(tasks[TASKS / 2]), -ECANCELED);
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_MILLISECOND), 0);
	ck_assert_int_eq(receive(NULL), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	say(7);
	while (ended < 3)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	coil_close(fds[0]);
	for (size_t i = 0; i < TASKS; i++) {
		if (i != TASKS / 2)
			received += coil_await(tasks[i]) == 7;
	}
	ck_assert_uint_eq(received, 1);
	coil_close(fds[1]);
}

COIL_TEST(when_the_first_are_cancelled_the_others_receive)
{
	start_all();
	for (size_t i = 0; i < TASKS - 1; i++)
		coil_cancel(tasks[i]);
	say(9);
	for (size_t i = 0; i < TASKS; i++) {
		int n = coil_await(tasks[i]);

		/* The message may have come to one before its cancel. */
		if (n == 9 && i < TASKS - 1)
			say(9);
		else
			ck_assert_int_eq(n, i < TASKS - 1 ? -ECANCELED : 9);
	}
	close_all(fds, 2);
}

COIL_TEST(a_receive_that_does_not_wait_does_not_wait_behind_others)
{
	start_all();
	ck_assert_int_eq(coil_recv(fds[0], taken, 1, MSG_DONTWAIT), -EAGAIN);
	close_and_await(0);
}

COIL_TEST(the_number_is_as_good_as_new_after_the_close)
{
	int first;

	start_all();
	first = fds[0];
	close_and_await(0);
	begun = ended = 0;
	start_all();
	ck_assert_int_eq(fds[0], first);
	ck_assert_int_eq(coil_recv(fds[0], taken, 1, MSG_DONTWAIT), -EAGAIN);
	close_and_await(0);
}

/* With one entry the receives that go to the ring also wait for room there. */
static int cancel_all(void *arg)
{
	(void)arg;
	start_all();
	for (size_t i = 0; i < TASKS; i++)
		coil_cancel(tasks[i]);
	close_and_await(0);
	return 0;
}

START_TEST(in_a_ring_of_one_entry_they_all_end_as_well)
{
	const struct coil_options options = { .entries = 1 };

	ck_assert_int_eq(coil_run_with(&options, cancel_all, NULL), 0);
}
END_TEST

Suite *suite(void)
{
	Suite *one_fd = suite_create("one_fd");
	TCase *tests = tcase_create("one_fd");

	tcase_add_test(tests, of_many_that_receive_each_message_wakes_a_few);
	tcase_add_test(tests, one_that_waits_behind_others_hears_a_cancel_and_a_deadline);
	tcase_add_test(tests, when_the_first_are_cancelled_the_others_receive);
	tcase_add_test(tests, a_receive_that_does_not_wait_does_not_wait_behind_others);
	tcase_add_test(tests, the_number_is_as_good_as_new_after_the_close);
	tcase_add_test(tests, in_a_ring_of_one_entry_they_all_end_as_well);
	suite_add_tcase(one_fd, tests);
	return one_fd;
}
