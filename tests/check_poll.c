/* SPDX-License-Identifier: MIT */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/stream.h>
#include <coil/timeout.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { MANY = 40 };

/* A task that polls. */
struct polling {
	struct pollfd fds[MANY];
	nfds_t n;
	int result;
};

static int poll_them(void *arg)
{
	struct polling *polling = arg;

	polling->result = coil_poll(polling->fds, polling->n);
	return 0;
}

static struct coil_task *start_poll(struct polling *polling)
{
	struct coil_task *task = coil_create_task(poll_them, polling);

	ck_assert_ptr_nonnull(task);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	return task;
}

COIL_TEST(what_is_ready_at_once_is_reported_for_all)
{
	struct pollfd polled[3];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	polled[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN | POLLOUT };
	polled[1] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	polled[2] = (struct pollfd){ .fd = fds[1], .events = POLLOUT };
	ck_assert_int_eq(coil_poll(polled, 3), 2);
	ck_assert_int_eq(polled[0].revents, POLLOUT);
	ck_assert_int_eq(polled[1].revents, 0);
	ck_assert_int_eq(polled[2].revents, POLLOUT);
	close_all(fds, 2);
}

COIL_TEST(the_first_to_become_ready_ends_the_wait)
{
	struct polling polling = { .n = 2 };
	struct coil_task *task;
	int one[2], two[2];

	unix_pair(one, SOCK_STREAM);
	unix_pair(two, SOCK_STREAM);
	polling.fds[0] = (struct pollfd){ .fd = one[0], .events = POLLIN };
	polling.fds[1] = (struct pollfd){ .fd = two[0], .events = POLLIN };
	task = start_poll(&polling);
	ck_assert_int_eq(send(two[1], "x", 1, 0), 1);
	coil_await(task);
	ck_assert_int_eq(polling.result, 1);
	ck_assert_int_eq(polling.fds[0].revents, 0);
	ck_assert_int_eq(polling.fds[1].revents, POLLIN);
	close_all(one, 2);
	close_all(two, 2);
}

COIL_TEST(all_that_became_ready_together_are_reported)
{
	static struct polling polling = { .n = MANY };
	int fds[MANY][2];
	struct coil_task *task;

	for (int i = 0; i < MANY; i++) {
		unix_pair(fds[i], SOCK_STREAM);
		polling.fds[i] =
			(struct pollfd){.fd = fds[i][0], .events = POLLIN};
	}
	task = start_poll(&polling);
	for (int i = 0; i < MANY; i += 2)
		ck_assert_int_eq(send(fds[i][1], "x", 1, 0), 1);
	coil_await(task);
	ck_assert_int_eq(polling.result, MANY / 2);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(polling.fds[i].revents, i % 2 ? 0 : POLLIN);
		close_all(fds[i], 2);
	}
}

COIL_TEST(one_fd_may_stand_there_twice)
{
	struct polling polling = { .n = 2 };
	struct coil_task *task;
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	fill(fds[0], '.');
	polling.fds[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	polling.fds[1] =
		(struct pollfd){.fd = fds[0], .events = POLLIN | POLLOUT};
	task = start_poll(&polling);
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	coil_await(task);
	ck_assert_int_eq(polling.result, 2);
	ck_assert_int_eq(polling.fds[0].revents, POLLIN);
	ck_assert_int_eq(polling.fds[1].revents, POLLIN);
	close_all(fds, 2);
}

COIL_TEST(errors_and_hang_ups_come_unasked)
{
	struct polling polling = { .n = 1 };
	struct coil_task *task;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	polling.fds[0] = (struct pollfd){ .fd = ends[0] };
	task = start_poll(&polling);
	coil_close(ends[1]);
	coil_await(task);
	ck_assert_int_eq(polling.result, 1);
	ck_assert_int_eq(polling.fds[0].revents, POLLHUP);
	coil_close(ends[0]);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	coil_close(ends[0]);
	polling.fds[0] = (struct pollfd){ .fd = ends[1] };
	ck_assert_int_eq(coil_poll(polling.fds, 1), 1);
	ck_assert_int_eq(polling.fds[0].revents, POLLERR);
	coil_close(ends[1]);
}

COIL_TEST(a_number_that_is_no_fd_is_pollnval_and_a_negative_one_nothing)
{
	int fds[2], none = dup(STDERR_FILENO);
	struct pollfd polled[3] = {{.fd = -1, .events = POLLIN, .revents = 77}};

	close(none);
	polled[1] = (struct pollfd){ .fd = none, .events = POLLIN };
	ck_assert_int_eq(coil_poll(polled, 2), 1);
	ck_assert_int_eq(polled[0].revents, 0);
	ck_assert_int_eq(polled[1].revents, POLLNVAL);
	unix_pair(fds, SOCK_STREAM);
	polled[1] = (struct pollfd){ .fd = fds[0], .events = POLLOUT };
	ck_assert_int_eq(coil_poll(polled, 2), 1);
	close_all(fds, 2);
}

COIL_TEST(a_regular_file_is_always_ready)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(coil_poll(&polled, 1), 1);
	ck_assert_int_eq(polled.revents, POLLIN);
	coil_close(fd);
}

/* As poll(2) does: a file is ready to be read and written, and nothing else happens. */
COIL_TEST(a_regular_file_that_is_asked_for_no_event_it_has_waits_for_the_others)
{
	static const short events[] = { 0, POLLPRI, POLLRDHUP };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (size_t i = 0; i < COUNT(events); i++) {
		struct polling polling = { .n = 2 };
		struct coil_task *task;
		int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

		polling.fds[0] = (struct pollfd){ .fd = fd, .events = events[i] };
		polling.fds[1] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
		task = start_poll(&polling);
		ck_assert_int_eq(write(ends[1], "x", 1), 1);
		coil_await(task);
		ck_assert_int_eq(polling.result, 1);
		ck_assert_int_eq(polling.fds[0].revents, 0);
		ck_assert_int_eq(polling.fds[1].revents, POLLIN);
		ck_assert_int_eq(read(ends[0], taken, 1), 1);
		task = start_poll(&polling);
		coil_cancel(task);
		coil_await(task);
		ck_assert_int_eq(polling.result, -ECANCELED);
		task = start_poll(&polling);
		coil_close(fd);
		coil_await(task);
		ck_assert_int_eq(polling.result, -ECANCELED);
	}
	close_all(ends, 2);
}

COIL_TEST(without_fds_it_parks_until_a_request)
{
	struct polling none = {0}, negative = {.n = 1, .fds = {{.fd = -1}}};
	struct coil_task *task = start_poll(&none);
	int err = 0;

	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(none.result, -ECANCELED);
	task = start_poll(&negative);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(negative.result, -ECANCELED);
	COIL_TIMEOUT(COIL_MILLISECOND)
		err = coil_poll(NULL, 0);
	ck_assert_int_eq(err, -ETIMEDOUT);
}

COIL_TEST(a_cancel_ends_every_request_and_the_fds_stay_usable)
{
	static struct polling polling = { .n = MANY };
	int fds[MANY][2];
	struct coil_task *task;

	for (int i = 0; i < MANY; i++) {
		unix_pair(fds[i], SOCK_STREAM);
		polling.fds[i] =
			(struct pollfd){.fd = fds[i][0], .events = POLLIN};
	}
	task = start_poll(&polling);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(polling.result, -ECANCELED);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(send(fds[i][1], "x", 1, 0), 1);
		ck_assert_int_eq(coil_recv(fds[i][0], taken, 1, 0), 1);
		close_all(fds[i], 2);
	}
}

COIL_TEST(a_request_that_is_pending_comes_before_what_is_ready)
{
	struct polling polling = { .n = 1 };
	struct coil_task *task;
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	polling.fds[0] = (struct pollfd){ .fd = fds[0], .events = POLLOUT };
	task = coil_create_task(poll_them, &polling);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(polling.result, -ECANCELED);
	close_all(fds, 2);
}

COIL_TEST(what_became_ready_with_the_cancel_is_told_or_still_there)
{
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	for (int i = 0; i < 4; i++) {
		struct polling polling = { .n = 1 };
		struct coil_task *task;

		polling.fds[0] =
			(struct pollfd){.fd = fds[0], .events = POLLIN};
		task = start_poll(&polling);
		if (i % 2)
			coil_cancel(task);
		ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
		if (!(i % 2))
			coil_cancel(task);
		coil_await(task);
		ck_assert(polling.result == 1 || polling.result == -ECANCELED);
		ck_assert_uint_eq(drain(fds[0]), 1);
	}
	close_all(fds, 2);
}

COIL_TEST(closing_one_of_the_fds_ends_the_poll)
{
	struct polling polling = { .n = 2 };
	struct coil_task *task;
	int one[2], two[2];

	unix_pair(one, SOCK_STREAM);
	unix_pair(two, SOCK_STREAM);
	polling.fds[0] = (struct pollfd){ .fd = one[0], .events = POLLIN };
	polling.fds[1] = (struct pollfd){ .fd = two[0], .events = POLLIN };
	task = start_poll(&polling);
	coil_close(two[0]);
	coil_await(task);
	ck_assert_int_eq(polling.result, -ECANCELED);
	close_all(one, 2);
	coil_close(two[1]);
}

COIL_TEST(poll_misuse_is_what_poll_2_says)
{
	static struct pollfd too_many[5000];
	struct rlimit old, low = {0};
	int result;

	ck_assert_int_eq(coil_poll(NULL, 1), -EFAULT);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 4000;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	result = coil_poll(too_many, 5000);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(result, -EINVAL);
}

COIL_TEST(without_memory_many_fds_are_enomem_and_few_are_not)
{
	static struct polling polling = { .n = 9 };
	int fds[2], result;

	unix_pair(fds, SOCK_STREAM);
	for (int i = 0; i < 9; i++)
		polling.fds[i] =
			(struct pollfd){.fd = fds[0], .events = POLLIN};
	/* So that the loop has room for the fds. */
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_poll(polling.fds, 9), -ETIMEDOUT);
	support_fail_allocation(1);
	result = coil_poll(polling.fds, 9);
	support_fail_allocation(0);
	ck_assert_int_eq(result, -ENOMEM);
	COIL_TIMEOUT(COIL_MILLISECOND) {
		support_fail_allocation(1);
		result = coil_poll(polling.fds, 8);
		support_fail_allocation(0);
	}
	ck_assert_int_eq(result, -ETIMEDOUT);
	close_all(fds, 2);
}

/* What asyncio calls a reader: it is called whenever there is something. */
struct watch {
	int fd;
	char text[16];
	size_t len;
	int calls;
	bool ended;
};

static int watch(void *arg)
{
	struct watch *watch = arg;
	struct pollfd polled = { .fd = watch->fd, .events = POLLIN };
	int err = 0;

	while (!watch->ended && (err = coil_poll(&polled, 1)) > 0) {
		ssize_t n = coil_recv(watch->fd, watch->text + watch->len,
				      sizeof(watch->text) - watch->len, 0);

		if (n < 0)
			return (int)n;
		watch->calls++;
		watch->len += (size_t)n;
		watch->ended = !n;
	}
	return watch->ended ? 0 : err;
}

COIL_TEST(sock_009_a_watch_sees_all_bytes_and_the_end_and_is_not_called_once_cancelled)
{
	struct watch seen = {0}, cut = {0};
	struct coil_task *task;
	int fds[2], calls;

	unix_pair(fds, SOCK_STREAM);
	seen.fd = fds[1];
	task = coil_create_task(watch, &seen);
	ck_assert_int_eq(coil_send(fds[0], "abc", 3, 0), 3);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_send(fds[0], "def", 3, 0), 3);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_uint_eq(seen.len, 6);
	ck_assert_mem_eq(seen.text, "abcdef", 6);
	ck_assert(seen.ended);
	close_all(fds + 1, 1);
	/* What it waited for has come, perhaps was collected, and it is cancelled. */
	for (int yields = 0; yields < 4; yields++) {
		unix_pair(fds, SOCK_STREAM);
		cut = (struct watch){ .fd = fds[1] };
		task = coil_create_task(watch, &cut);
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		ck_assert_int_eq(send(fds[0], "x", 1, 0), 1);
		if (yields == 3)
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		for (int i = 0; i < yields; i++)
			ck_assert_int_eq(coil_yield(), 0);
		calls = cut.calls;
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), -ECANCELED);
		ck_assert_int_eq(cut.calls, calls);
		ck_assert_uint_eq(drain(fds[1]), !calls);
		close_all(fds, 2);
	}
}

COIL_TEST(sock_011_polling_a_bad_fd_is_told_and_that_of_a_stream_does_it_no_harm)
{
	struct coil_stream *stream;
	struct pollfd polled = { .events = POLLIN };
	struct polling polling = { .n = 1 };
	struct coil_task *task;
	char text[4];
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	stream = coil_stream_open(fds[1]);
	ck_assert_ptr_nonnull(stream);
	polling.fds[0] = (struct pollfd){ .fd = fds[1], .events = POLLIN };
	task = start_poll(&polling);
	ck_assert_int_eq(coil_send(fds[0], "one", 3, 0), 3);
	ck_assert_int_eq(coil_stream_read_exactly(stream, text, 3), 3);
	ck_assert_mem_eq(text, "one", 3);
	coil_cancel(task);
	(void)coil_await(task);
	ck_assert_int_eq(coil_send(fds[0], "two", 3, 0), 3);
	ck_assert_int_eq(coil_stream_read_exactly(stream, text, 3), 3);
	ck_assert_mem_eq(text, "two", 3);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	coil_close(fds[0]);
	polled.fd = fds[1];
	ck_assert_int_eq(coil_poll(&polled, 1), 1);
	ck_assert_int_eq(polled.revents, POLLNVAL);
}

static int look_around(void *arg)
{
	(void)arg;
	return coil_yield();
}

START_TEST(sock_011_polling_off_a_loop_is_told)
{
	struct pollfd polled = { .fd = 0, .events = POLLIN };

	support_run(look_around);
	ck_assert_int_eq(coil_poll(&polled, 1), -EPERM);
}
END_TEST

START_TEST(off_a_loop_poll_is_eperm)
{
	struct pollfd polled = { .fd = STDERR_FILENO, .events = POLLOUT };

	ck_assert_int_eq(coil_poll(&polled, 1), -EPERM);
	ck_assert_int_eq(coil_poll(NULL, 0), -EPERM);
}
END_TEST

Suite *suite(void)
{
	Suite *poll = suite_create("poll");
	TCase *tests = tcase_create("poll");

	tcase_add_test(tests, what_is_ready_at_once_is_reported_for_all);
	tcase_add_test(tests, the_first_to_become_ready_ends_the_wait);
	tcase_add_test(tests, all_that_became_ready_together_are_reported);
	tcase_add_test(tests, one_fd_may_stand_there_twice);
	tcase_add_test(tests, errors_and_hang_ups_come_unasked);
	tcase_add_test(
		tests,
		a_number_that_is_no_fd_is_pollnval_and_a_negative_one_nothing);
	tcase_add_test(tests, a_regular_file_is_always_ready);
	tcase_add_test(tests,
		       a_regular_file_that_is_asked_for_no_event_it_has_waits_for_the_others);
	tcase_add_test(tests, without_fds_it_parks_until_a_request);
	tcase_add_test(tests,
		       a_cancel_ends_every_request_and_the_fds_stay_usable);
	tcase_add_test(tests,
		       a_request_that_is_pending_comes_before_what_is_ready);
	tcase_add_test(
		tests,
		what_became_ready_with_the_cancel_is_told_or_still_there);
	tcase_add_test(tests, closing_one_of_the_fds_ends_the_poll);
	tcase_add_test(tests, poll_misuse_is_what_poll_2_says);
	tcase_add_test(tests,
		       without_memory_many_fds_are_enomem_and_few_are_not);
	tcase_add_test(tests, off_a_loop_poll_is_eperm);
	tcase_add_test(
		tests,
		sock_009_a_watch_sees_all_bytes_and_the_end_and_is_not_called_once_cancelled);
	tcase_add_test(
		tests,
		sock_011_polling_a_bad_fd_is_told_and_that_of_a_stream_does_it_no_harm);
	tcase_add_test(tests, sock_011_polling_off_a_loop_is_told);
	suite_add_tcase(poll, tests);
	return poll;
}
