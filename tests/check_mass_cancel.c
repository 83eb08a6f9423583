/* SPDX-License-Identifier: MIT */
/*
 * Thousands of operations that are cancelled in one pass.  How long the kernel searches
 * for each depends on their order, so the tests check the order.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/uring.h"
#include <coil/group.h>
#include <stdlib.h>

enum { TASKS = 3000, SLICE = 1024, TOLERANCE = TASKS / 256 + 2 };

static int fds[2];
static struct coil_task *tasks[TASKS];
static unsigned begun, ended;

static struct {
	bool on;
	unsigned cancels, slices, largest;
	uint32_t last;
} seen;

int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned n);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned n);

/* The cancels in the ring: of each op, none of a newer op comes after it. */
static void look_at(const struct io_uring_sq *sq)
{
	unsigned n = 0;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];
		uint32_t sequence;

		if (sqe->opcode != IORING_OP_ASYNC_CANCEL)
			continue;
		sequence = ((const struct op *)(uintptr_t)sqe->addr)->sequence;
		/* The first few go at once, in the order in which they were asked for. */
		if (++seen.cancels > 64) {
			if (seen.cancels > 65)
				ck_assert_uint_le(sequence, seen.last + TOLERANCE);
			seen.last = sequence;
		}
		n++;
	}
	if (n > seen.largest)
		seen.largest = n;
	seen.slices += n > 0;
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
	if (seen.on)
		look_at(&ring->sq);
	return __real_io_uring_submit_and_wait(ring, n);
}

static int receive(void *arg)
{
	ssize_t n;

	(void)arg;
	begun++;
	n = coil_recv(fds[0], taken, 1, MSG_PEEK);
	ended++;
	return (int)n;
}

static void let_them_begin(void)
{
	do
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	while (begun < TASKS);
	ck_assert_uint_eq(ended, 0);
}

static void start_all(void)
{
	unix_pair(fds, SOCK_STREAM);
	for (size_t i = 0; i < TASKS; i++) {
		tasks[i] = coil_create_task(receive, NULL);
		ck_assert_ptr_nonnull(tasks[i]);
	}
	let_them_begin();
}

/* In any order: 7919 is prime. */
static void cancel_all(void)
{
	for (size_t i = 0; i < TASKS; i++)
		coil_cancel(tasks[i * 7919 % TASKS]);
}

static void await_all(int result)
{
	for (size_t i = 0; i < TASKS; i++)
		ck_assert_int_eq(coil_await(tasks[i]), result);
	close_all(fds, 2);
}

static int cancel_many(void *arg)
{
	start_all();
	seen.on = arg && !strcmp(support_backend(), "uring");
	cancel_all();
	await_all(-ECANCELED);
	return 0;
}

START_TEST(many_cancels_go_newest_first_and_so_many_in_a_pass)
{
	const struct coil_options options = { .entries = 4096 };

	ck_assert_int_eq(coil_run_with(&options, cancel_many, &seen), 0);
	if (!seen.on)
		return;
	ck_assert_uint_eq(seen.cancels, TASKS);
	ck_assert_uint_le(seen.largest, SLICE);
	ck_assert_uint_ge(seen.slices, TASKS / SLICE);
	ck_assert_uint_le(seen.slices, TASKS / SLICE + 2);
}
END_TEST

/* With a small ring nothing of it is lost either. */
START_TEST(many_cancels_in_a_small_ring_all_end)
{
	struct coil_options options = {0};

	for (options.entries = 1; options.entries <= 64; options.entries *= 8) {
		begun = ended = 0;
		ck_assert_int_eq(coil_run_with(&options, cancel_many, NULL), 0);
		ck_assert_uint_eq(ended, TASKS);
	}
}
END_TEST

/* What comes while cancels wait for their pass is the op's result. */
COIL_TEST(a_byte_that_comes_with_many_cancels_is_received_or_still_there)
{
	start_all();
	cancel_all();
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	for (size_t i = 0; i < TASKS; i++) {
		int n = coil_await(tasks[i]);

		ck_assert(n == 1 || n == -ECANCELED);
	}
	ck_assert_uint_eq(ended, TASKS);
	ck_assert_int_eq(recv(fds[0], taken, 1, MSG_DONTWAIT), 1);
	close_all(fds, 2);
}

COIL_TEST(a_group_of_many_receives_is_cancelled)
{
	struct coil_group group = {0};

	unix_pair(fds, SOCK_STREAM);
	for (size_t i = 0; i < TASKS; i++)
		ck_assert_int_eq(coil_group_create_task(&group, receive, NULL), 0);
	let_them_begin();
	coil_group_cancel(&group);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_uint_eq(ended, TASKS);
	close_all(fds, 2);
}

/*
 * The oldest operation is in the ring, nearly 2^32 others come, many of them and the
 * oldest are cancelled, and a few come before the pass ends.
 */
COIL_TEST(many_cancels_end_where_the_count_of_operations_goes_round)
{
	struct uring *uring = coil__loop->io.data;

	if (strcmp(support_backend(), "uring"))
		return;
	unix_pair(fds, SOCK_STREAM);
	tasks[0] = coil_create_task(receive, NULL);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	uring->sequence -= TASKS - 50;
	for (size_t i = 1; i < TASKS - 100; i++)
		tasks[i] = coil_create_task(receive, NULL);
	while (begun < TASKS - 100)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	for (size_t i = 1; i < TASKS; i++)
		coil_cancel(tasks[i % (TASKS - 100)]);
	for (size_t i = TASKS - 100; i < TASKS; i++)
		tasks[i] = coil_create_task(receive, NULL);
	ck_assert_int_eq(coil_yield(), 0);
	for (size_t i = TASKS - 100; i < TASKS; i++)
		coil_cancel(tasks[i]);
	await_all(-ECANCELED);
	ck_assert_uint_eq(ended, TASKS);
}

Suite *suite(void)
{
	Suite *mass_cancel = suite_create("mass_cancel");
	TCase *tests = tcase_create("mass_cancel");

	tcase_add_test(tests, many_cancels_go_newest_first_and_so_many_in_a_pass);
	tcase_add_test(tests, many_cancels_in_a_small_ring_all_end);
	tcase_add_test(
		tests,
		a_byte_that_comes_with_many_cancels_is_received_or_still_there);
	tcase_add_test(tests, a_group_of_many_receives_is_cancelled);
	tcase_add_test(tests, many_cancels_end_where_the_count_of_operations_goes_round);
	suite_add_tcase(mass_cancel, tests);
	return mass_cancel;
}
