/* SPDX-License-Identifier: MIT */
/*
 * Deadlines that passed while a task computed, and results that were there before
 * them: more than a backend, or the loop, takes at a time.
 */
#include "tests/sockets.h"
#include "tests/tasks.h"
#include <coil/timeout.h>

enum { MANY = 300 };

static struct {
	int fds[MANY][2];
	struct coil_future futures[MANY];
	struct coil_task *tasks[MANY];
	int64_t when;
	int ended;
} due;

static void begin_timeout(struct coil_timeout *timeout)
{
	ck_assert_int_eq(coil_timeout_begin(timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_reschedule(timeout, due.when), 0);
}

static int receive(void *arg)
{
	struct coil_timeout timeout = {0};
	char byte;
	ssize_t n;

	begin_timeout(&timeout);
	n = coil_recv(due.fds[(intptr_t)arg][0], &byte, 1, 0);
	coil_timeout_end(&timeout);
	due.ended++;
	return (int)n;
}

static int wait_for_future(void *arg)
{
	struct coil_timeout timeout = {0};
	int result;

	begin_timeout(&timeout);
	result = coil_future_wait(&due.futures[(intptr_t)arg]);
	coil_timeout_end(&timeout);
	due.ended++;
	return result;
}

/* n tasks wait, and the loop has looked for what they wait for just before. */
static void begin(int n, int (*fn)(void *arg))
{
	memset(due.futures, 0, sizeof(due.futures));
	due.ended = 0;
	due.when = coil_now() + 2 * ahead();
	for (int i = 0; i < n; i++)
		due.tasks[i] = start(fn, INT(i));
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

/* Something is ready all the time, so that the loop never sleeps. */
static void expect(int n, int result)
{
	int results[MANY];

	burn(due.when - coil_now());
	while (due.ended < n)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_gather(due.tasks, (size_t)n, results), 0);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(results[i], result);
}

static void read_in_time(int n)
{
	for (int i = 0; i < n; i++)
		unix_pair(due.fds[i], SOCK_STREAM | SOCK_NONBLOCK);
	begin(n, receive);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(write(due.fds[i][1], "x", 1), 1);
	expect(n, 1);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(coil_close(due.fds[i][0]), 0);
		ck_assert_int_eq(close(due.fds[i][1]), 0);
	}
}

COIL_TEST(a_byte_that_was_there_beats_a_deadline_that_passed_meanwhile)
{
	for (int round = 0; round < 5; round++)
		read_in_time(1);
}

COIL_TEST(bytes_on_many_sockets_beat_a_deadline_that_passed_meanwhile)
{
	read_in_time(MANY);
}

static void set_future(void *arg)
{
	ck_assert_int_eq(coil_future_set(arg, 7), 0);
}

COIL_TEST(calls_of_threads_beat_a_deadline_that_passed_meanwhile)
{
	struct coil_loop *loop = coil_current_loop();

	begin(MANY, wait_for_future);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(
			coil_call_soon_threadsafe(loop, set_future, &due.futures[i]), 0);
	expect(MANY, 7);
}

static int pending_calls;

static void call_again(void *arg)
{
	if (pending_calls-- > 0)
		coil_call_soon_threadsafe(coil_current_loop(), call_again, arg);
}

/* What goes on for ever does not keep a deadline from being applied. */
COIL_TEST(a_deadline_is_applied_though_results_keep_coming)
{
	begin(1, wait_for_future);
	pending_calls = 10000;
	call_again(NULL);
	expect(1, -ETIMEDOUT);
	ck_assert_int_gt(pending_calls, 0);
	pending_calls = 0;
	settle();
}

Suite *suite(void)
{
	Suite *whole = suite_create("due");
	TCase *tests = tcase_create("due");

	tcase_add_test(tests, a_byte_that_was_there_beats_a_deadline_that_passed_meanwhile);
	tcase_add_test(tests, bytes_on_many_sockets_beat_a_deadline_that_passed_meanwhile);
	tcase_add_test(tests, calls_of_threads_beat_a_deadline_that_passed_meanwhile);
	tcase_add_test(tests, a_deadline_is_applied_though_results_keep_coming);
	suite_add_tcase(whole, tests);
	return whole;
}
