/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/loop.h"
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <stdlib.h>

struct waiter {
	struct coil_waitq *waitq;
	int data;
	int result;
	bool shielded;
};

static int park(void *arg)
{
	struct waiter *own = arg;

	if (own->shielded)
		own->result = coil_waitq_park_shielded(own->waitq, &own->data, "test");
	else
		own->result = coil_waitq_park_with(own->waitq, &own->data);
	trace("%d", own->data);
	return 0;
}

static struct coil_task *start_waiter(struct waiter *waiter, struct coil_waitq *waitq, int data)
{
	*waiter = (struct waiter){ .waitq = waitq, .data = data, .result = 1 };
	return start(park, waiter);
}

COIL_TEST(the_first_to_park_is_the_first_to_go_on)
{
	struct coil_waitq waitq = {0};
	struct waiter waiters[3];
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start_waiter(&waiters[i], &waitq, i + 1);
	settle();
	for (int i = 0; i < 3; i++) {
		void *data = NULL;

		ck_assert_ptr_eq(coil_waitq_peek(&waitq), &waiters[i].data);
		ck_assert_ptr_eq(coil_waitq_unpark_with(&waitq, &data), tasks[i]);
		ck_assert_ptr_eq(data, &waiters[i].data);
		ck_assert_int_eq(waiters[i].result, 1);
	}
	ck_assert_ptr_null(coil_waitq_peek(&waitq));
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("1 2 3");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(waiters[i].result, 0);
}

COIL_TEST(an_empty_queue_has_nobody_to_unpark)
{
	struct coil_waitq waitq = {0};
	void *data = &waitq;

	ck_assert_ptr_null(coil_waitq_unpark(&waitq));
	ck_assert_ptr_null(coil_waitq_unpark_with(&waitq, &data));
	ck_assert_ptr_eq(data, &waitq);
	ck_assert_ptr_null(coil_waitq_peek(&waitq));
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 0);
}

COIL_TEST(all_can_be_unparked_at_once)
{
	struct coil_waitq waitq = {0};
	struct waiter waiters[5];
	struct coil_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = start_waiter(&waiters[i], &waitq, i);
	settle();
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 5);
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 0);
	ck_assert_int_eq(coil_gather(tasks, 5, NULL), 0);
	traced("0 1 2 3 4");
}

/* A model of the queue, meddled with at random. */
COIL_TEST(cancelled_anywhere_the_others_keep_their_order)
{
	enum { MANY = 40 };
	uint64_t seed = support_seed();

	for (int round = 0; round < 20; round++) {
		struct coil_waitq waitq = {0};
		struct waiter waiters[MANY];
		struct coil_task *tasks[MANY];
		bool cancelled[MANY] = { false };

		for (int i = 0; i < MANY; i++)
			tasks[i] = start_waiter(&waiters[i], &waitq, i);
		settle();
		for (int i = 0; i < MANY / 2; i++) {
			int which;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			which = (int)((seed >> 33) % MANY);
			cancelled[which] = true;
			ck_assert(coil_cancel(tasks[which]));
		}
		for (int i = 0; i < MANY; i++) {
			if (!cancelled[i])
				ck_assert_ptr_eq(coil_waitq_unpark(&waitq), tasks[i]);
		}
		ck_assert_ptr_null(waitq.head);
		ck_assert_ptr_null(waitq.tail);
		ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(waiters[i].result, cancelled[i] ? -ECANCELED : 0);
		trace_text[0] = '\0';
	}
}

COIL_TEST(a_shielded_wait_hears_no_request)
{
	struct coil_waitq waitq = {0};
	struct waiter waiter = { .waitq = &waitq, .shielded = true, .result = 1 };
	struct coil_task *task = start(park, &waiter);

	coil_cancel(task);
	settle();
	ck_assert_ptr_eq(coil_waitq_peek(&waitq), &waiter.data);
	settle();
	ck_assert(!coil_done(task));
	ck_assert_ptr_eq(coil_waitq_unpark(&waitq), task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(waiter.result, 0);
}

COIL_TEST(a_deadline_takes_the_waiter_off_the_queue)
{
	struct coil_waitq waitq = {0};
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_waitq_park(&waitq), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_ptr_null(waitq.head);
	ck_assert_ptr_null(waitq.tail);
}

static int park_again(void *arg)
{
	struct waiter *own = arg;

	while (own->data-- > 0)
		ck_assert_int_eq(coil_waitq_park(own->waitq), 0);
	return 0;
}

COIL_TEST(unparking_all_takes_those_that_wait_now)
{
	struct coil_waitq waitq = {0};
	struct waiter a = { .waitq = &waitq, .data = 3 }, b = { .waitq = &waitq, .data = 3 };
	struct coil_task *tasks[] = { start(park_again, &a), start(park_again, &b) };

	settle();
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 2);
		settle();
	}
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
}

COIL_TEST(what_a_task_waits_for_can_be_told)
{
	struct coil_waitq waitq = {0};
	struct waiter plain = { .waitq = &waitq }, named = { .waitq = &waitq, .shielded = true };
	struct coil_task *tasks[] = { start(park, &plain), start(park, &named) };

	settle();
	ck_assert_str_eq(coil__task_waits_for(tasks[0]), "waitq");
	ck_assert_str_eq(coil__task_waits_for(tasks[1]), "test");
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 2);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("waitq");
	TCase *tests = tcase_create("waitq");

	tcase_add_test(tests, the_first_to_park_is_the_first_to_go_on);
	tcase_add_test(tests, an_empty_queue_has_nobody_to_unpark);
	tcase_add_test(tests, all_can_be_unparked_at_once);
	tcase_add_test(tests, cancelled_anywhere_the_others_keep_their_order);
	tcase_add_test(tests, a_shielded_wait_hears_no_request);
	tcase_add_test(tests, a_deadline_takes_the_waiter_off_the_queue);
	tcase_add_test(tests, unparking_all_takes_those_that_wait_now);
	tcase_add_test(tests, what_a_task_waits_for_can_be_told);
	suite_add_tcase(whole, tests);
	return whole;
}
