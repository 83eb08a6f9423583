/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include "core/loop/loop.h"
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

COIL_TEST(its_size_is_how_many_wait_and_one_that_was_cancelled_does_not)
{
	struct coil_waitq waitq = {0};
	struct waiter waiters[5];
	struct coil_task *tasks[5];

	ck_assert_uint_eq(coil_waitq_size(&waitq), 0);
	for (int i = 0; i < 5; i++) {
		tasks[i] = start_waiter(&waiters[i], &waitq, i);
		settle();
		ck_assert_uint_eq(coil_waitq_size(&waitq), (size_t)i + 1);
	}
	coil_cancel(tasks[2]);
	ck_assert_uint_eq(coil_waitq_size(&waitq), 4);
	ck_assert_ptr_eq(coil_waitq_unpark(&waitq), tasks[0]);
	ck_assert_uint_eq(coil_waitq_size(&waitq), 3);
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), 3);
	ck_assert_uint_eq(coil_waitq_size(&waitq), 0);
	for (int i = 0; i < 5; i++)
		(void)coil_await(tasks[i]);
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

/*
 * Many queues at once.
 */

enum { QUEUES = 12 };

struct parked_item {
	struct coil_waitq *waitqs[QUEUES];
	void *data[QUEUES];
	size_t n;
	bool without_data;
	int result;
};

static int park_any(void *arg)
{
	struct parked_item *own = arg;

	own->result = coil_waitq_park_any(own->waitqs, own->without_data ? NULL : own->data,
					  own->n, "any of them");
	return 0;
}

static struct coil_task *visit(struct parked_item *visitor, struct coil_waitq waitqs[], size_t n)
{
	*visitor = (struct parked_item){ .n = n, .result = 1000 };
	for (size_t i = 0; i < n; i++) {
		visitor->waitqs[i] = &waitqs[i];
		visitor->data[i] = &visitor->data[i];
	}
	return start(park_any, visitor);
}

static void ck_empty(const struct coil_waitq waitqs[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_null(waitqs[i].head);
		ck_assert_ptr_null(waitqs[i].tail);
	}
}

COIL_TEST(parked_in_many_queues_a_task_leaves_them_all_by_the_first)
{
	struct coil_waitq waitqs[QUEUES] = {0};
	struct parked_item visitor;

	for (size_t n = 1; n <= QUEUES; n++) {
		for (size_t which = 0; which < n; which++) {
			struct coil_task *task = visit(&visitor, waitqs, n);
			void *data = NULL;

			settle();
			for (size_t i = 0; i < n; i++)
				ck_assert_ptr_eq(coil_waitq_peek(&waitqs[i]), &visitor.data[i]);
			ck_assert_ptr_eq(coil_waitq_unpark_with(&waitqs[which], &data), task);
			ck_assert_ptr_eq(data, &visitor.data[which]);
			ck_empty(waitqs, n);
			ck_assert_ptr_null(coil_waitq_unpark(&waitqs[n - 1 - which]));
			ck_assert_int_eq(coil_await(task), 0);
			ck_assert_int_eq(visitor.result, (int)which);
		}
	}
}

COIL_TEST(without_data_the_one_who_unparks_is_given_none)
{
	struct coil_waitq waitqs[3] = {0};
	struct parked_item visitor;
	struct coil_task *task = visit(&visitor, waitqs, 3);
	void *data = &visitor;

	visitor.without_data = true;
	settle();
	ck_assert_str_eq(coil__task_waits_for(task), "any of them");
	ck_assert_ptr_null(coil_waitq_peek(&waitqs[1]));
	ck_assert_ptr_eq(coil_waitq_unpark_with(&waitqs[1], &data), task);
	ck_assert_ptr_null(data);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(visitor.result, 1);
}

COIL_TEST(in_each_of_them_it_has_its_place_in_the_line)
{
	struct coil_waitq waitqs[3] = {0};
	struct parked_item visitors[2];
	struct waiter before, after;
	struct coil_task *tasks[4];

	tasks[0] = start_waiter(&before, &waitqs[1], 1);
	tasks[1] = visit(&visitors[0], waitqs, 3);
	tasks[2] = visit(&visitors[1], waitqs, 3);
	tasks[3] = start_waiter(&after, &waitqs[1], 2);
	settle();
	ck_assert_ptr_eq(coil_waitq_unpark(&waitqs[2]), tasks[1]);
	ck_assert_ptr_eq(coil_waitq_unpark(&waitqs[1]), tasks[0]);
	ck_assert_ptr_eq(coil_waitq_unpark(&waitqs[1]), tasks[2]);
	ck_assert_ptr_eq(coil_waitq_unpark(&waitqs[1]), tasks[3]);
	ck_empty(waitqs, 3);
	ck_assert_int_eq(coil_gather(tasks, 4, NULL), 0);
	ck_assert_int_eq(visitors[0].result, 2);
	ck_assert_int_eq(visitors[1].result, 1);
}

COIL_TEST(a_queue_may_stand_there_twice)
{
	struct coil_waitq waitqs[2] = {0};
	struct parked_item visitor;
	struct coil_task *task = visit(&visitor, waitqs, 2);
	void *data = NULL;

	visitor.n = 4;
	for (int i = 2; i < 4; i++) {
		visitor.waitqs[i] = &waitqs[i - 2];
		visitor.data[i] = &visitor.data[i];
	}
	settle();
	ck_assert_ptr_eq(coil_waitq_unpark_with(&waitqs[1], &data), task);
	ck_assert_ptr_eq(data, &visitor.data[1]);
	ck_empty(waitqs, 2);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(visitor.result, 1);
	task = visit(&visitor, waitqs, 2);
	visitor.waitqs[1] = visitor.waitqs[0];
	settle();
	/* That is one waiter. */
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitqs[0]), 1);
	ck_empty(waitqs, 2);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(visitor.result, 0);
}

COIL_TEST(a_request_takes_it_out_of_all_of_them)
{
	struct coil_waitq waitqs[QUEUES] = {0};

	for (size_t n = 1; n <= QUEUES; n++) {
		struct parked_item visitor;
		struct coil_task *task = visit(&visitor, waitqs, n);

		settle();
		ck_assert(coil_cancel(task));
		ck_empty(waitqs, n);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(visitor.result, -ECANCELED);
	}
}

COIL_TEST(once_unparked_from_one_a_request_changes_nothing)
{
	struct coil_waitq waitqs[3] = {0};
	struct parked_item visitor;
	struct coil_task *task = visit(&visitor, waitqs, 3);

	settle();
	ck_assert_ptr_eq(coil_waitq_unpark(&waitqs[2]), task);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(visitor.result, 2);
}

COIL_TEST(a_deadline_ends_the_wait_in_many_queues)
{
	struct coil_waitq waitqs[2] = {0};
	struct coil_waitq *both[] = { &waitqs[0], &waitqs[1] };
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_waitq_park_any(both, NULL, 2, "test"), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_empty(waitqs, 2);
}

static int park_in_one_of_two(void *arg)
{
	struct coil_waitq *waitqs = arg, *both[] = { &waitqs[0], &waitqs[1] };

	return coil_waitq_park_any(both, NULL, 2, "test");
}

COIL_TEST(with_a_request_pending_it_does_not_even_queue)
{
	struct coil_waitq waitqs[2] = {0};

	refuses(park_in_one_of_two, waitqs);
	ck_empty(waitqs, 2);
}

COIL_TEST(no_queues_are_einval_and_many_need_memory)
{
	struct coil_waitq waitqs[QUEUES] = {0}, *some[QUEUES];

	for (int i = 0; i < QUEUES; i++)
		some[i] = &waitqs[i];
	ck_assert_int_eq(coil_waitq_park_any(some, NULL, 0, "test"), -EINVAL);
	ck_assert_int_eq(coil_waitq_park_any(NULL, NULL, 2, "test"), -EINVAL);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_waitq_park_any(some, NULL, QUEUES, "test"), -ENOMEM);
	ck_empty(waitqs, QUEUES);
	/* What is pending is told first. */
	COIL_TIMEOUT(0) {
		ck_assert_int_eq(coil_waitq_park_any(some, NULL, 0, "test"), -ETIMEDOUT);
	}
}

START_TEST(off_a_task_nobody_parks)
{
	struct coil_waitq waitqs[2] = {0};

	ck_assert_int_eq(park_in_one_of_two(waitqs), -EPERM);
	ck_assert_int_eq(coil_waitq_park(waitqs), -EPERM);
	ck_assert_int_eq(coil_waitq_park_shielded(waitqs, NULL, "test"), -EPERM);
	ck_empty(waitqs, 2);
}
END_TEST

static int park_one(void *arg)
{
	return coil_waitq_park(arg);
}

COIL_TEST(one_of_another_loop_among_them_is_exdev)
{
	struct coil_waitq waitqs[2] = {0};
	struct abroad abroad;

	if (support_skip_on("sim", "it needs another thread"))
		return;
	abroad_begin(&abroad, park_one, &waitqs[1]);
	ck_assert_int_eq(park_in_one_of_two(waitqs), -EXDEV);
	ck_assert_ptr_null(waitqs[0].head);
	errno = 0;
	ck_assert_ptr_null(coil_waitq_unpark(&waitqs[1]));
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitqs[1]), 0);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_empty(waitqs, 2);
}

/* Tasks in all, some or one of the queues; unparked and cancelled at random. */
COIL_TEST(a_task_is_unparked_once_whatever_happens)
{
	enum { TASKS = 20 };
	uint64_t state = roll_begin();

	for (int round = 0; round < 50; round++) {
		struct coil_waitq waitqs[QUEUES] = {0};
		struct parked_item visitors[TASKS];
		struct coil_task *tasks[TASKS];
		int unparked = 0, cancelled = 0, woken = 0;

		for (int i = 0; i < TASKS; i++)
			tasks[i] = visit(&visitors[i], waitqs, 1 + roll(&state, QUEUES));
		settle();
		while (waitqs[0].head) {
			unsigned which = roll(&state, QUEUES);

			if (roll(&state, 3))
				unparked += coil_waitq_unpark(&waitqs[which]) != NULL;
			else
				coil_cancel(tasks[roll(&state, TASKS)]);
		}
		ck_empty(waitqs, QUEUES);
		ck_assert_int_eq(coil_gather(tasks, TASKS, NULL), 0);
		for (int i = 0; i < TASKS; i++) {
			cancelled += visitors[i].result == -ECANCELED;
			woken += visitors[i].result >= 0 && visitors[i].result < QUEUES;
		}
		ck_assert_int_eq(unparked, woken);
		ck_assert_int_eq(cancelled + woken, TASKS);
	}
}

/*
 * Where to wait for a task's end.
 */

COIL_TEST(who_waits_for_a_task_is_unparked_by_its_end)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held);
	struct waiter waiters[3];
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start_waiter(&waiters[i], coil_task_waiters(task), i);
	settle();
	ck_assert_ptr_eq(coil_waitq_peek(coil_task_waiters(task)), &waiters[0].data);
	ck_assert_int_eq(coil_future_set(&held.future, 0), 0);
	ck_assert_int_eq(waiters[0].result, 1);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("0 1 2");
	ck_assert(coil_done(task));
	ck_assert_ptr_null(coil_task_waiters(task)->head);
	ck_assert_int_eq(coil_await(task), 0);
}

COIL_TEST(who_waits_for_a_task_and_is_cancelled_leaves_it_alone)
{
	struct hold held = {0};
	struct coil_task *task = start(hold, &held), *tasks[2];
	struct waiter waiters[2];

	for (int i = 0; i < 2; i++)
		tasks[i] = start_waiter(&waiters[i], coil_task_waiters(task), i);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(coil_await(tasks[0]), 0);
	ck_assert_int_eq(waiters[0].result, -ECANCELED);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_future_set(&held.future, 0), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_await(tasks[1]), 0);
	ck_assert_int_eq(waiters[1].result, 0);
}

COIL_TEST(a_task_on_a_stack_that_was_used_before_has_no_waiters)
{
	for (int i = 0; i < 5; i++) {
		struct coil_task *task = start(give, INT(1));

		ck_assert_ptr_null(coil_task_waiters(task)->head);
		ck_assert_int_eq(coil_waitq_park(coil_task_waiters(task)), 0);
		ck_assert_int_eq(coil_await(task), 1);
	}
}

static struct coil_task *stranger;

static int wait_as_stranger(void *arg)
{
	stranger = coil_current_task();
	return coil_waitq_park(arg);
}

static void *ask_from_nowhere(void *task)
{
	errno = 0;
	return coil_task_waiters(task) ? NULL : INT(errno);
}

COIL_TEST(where_to_wait_is_not_told_of_tasks_of_others)
{
	struct coil_waitq waitq = {0};
	struct abroad abroad;
	pthread_t thread;
	void *error;

	errno = 0;
	ck_assert_ptr_null(coil_task_waiters(NULL));
	ck_assert_int_eq(errno, ENOMEM);
	if (support_skip_on("sim", "it needs another thread"))
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_from_nowhere, coil_current_task()), 0);
	ck_assert_int_eq(pthread_join(thread, &error), 0);
	ck_assert_int_eq((int)(intptr_t)error, EPERM);
	abroad_begin(&abroad, wait_as_stranger, &waitq);
	errno = 0;
	ck_assert_ptr_null(coil_task_waiters(stranger));
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
}

COIL_TEST(the_one_who_awaits_and_those_who_wait_are_all_told)
{
	struct nap own = { .ns = COIL_MILLISECOND, .result = 6 };
	struct coil_task *task = start(nap, &own);
	struct waiter waiter;
	struct coil_task *other = start_waiter(&waiter, coil_task_waiters(task), 1);

	ck_assert_int_eq(coil_await(task), 6);
	ck_assert_int_eq(coil_await(other), 0);
	ck_assert_int_eq(waiter.result, 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("waitq");
	TCase *tests = tcase_create("waitq");

	tcase_add_test(tests, the_first_to_park_is_the_first_to_go_on);
	tcase_add_test(tests, an_empty_queue_has_nobody_to_unpark);
	tcase_add_test(tests, its_size_is_how_many_wait_and_one_that_was_cancelled_does_not);
	tcase_add_test(tests, all_can_be_unparked_at_once);
	tcase_add_test(tests, cancelled_anywhere_the_others_keep_their_order);
	tcase_add_test(tests, a_shielded_wait_hears_no_request);
	tcase_add_test(tests, a_deadline_takes_the_waiter_off_the_queue);
	tcase_add_test(tests, unparking_all_takes_those_that_wait_now);
	tcase_add_test(tests, what_a_task_waits_for_can_be_told);
	tcase_add_test(tests, off_a_task_nobody_parks);
	suite_add_tcase(whole, tests);
	tests = tcase_create("any");
	tcase_add_test(tests, parked_in_many_queues_a_task_leaves_them_all_by_the_first);
	tcase_add_test(tests, without_data_the_one_who_unparks_is_given_none);
	tcase_add_test(tests, in_each_of_them_it_has_its_place_in_the_line);
	tcase_add_test(tests, a_queue_may_stand_there_twice);
	tcase_add_test(tests, a_request_takes_it_out_of_all_of_them);
	tcase_add_test(tests, once_unparked_from_one_a_request_changes_nothing);
	tcase_add_test(tests, a_deadline_ends_the_wait_in_many_queues);
	tcase_add_test(tests, with_a_request_pending_it_does_not_even_queue);
	tcase_add_test(tests, no_queues_are_einval_and_many_need_memory);
	tcase_add_test(tests, one_of_another_loop_among_them_is_exdev);
	tcase_add_test(tests, a_task_is_unparked_once_whatever_happens);
	suite_add_tcase(whole, tests);
	tests = tcase_create("task");
	tcase_add_test(tests, who_waits_for_a_task_is_unparked_by_its_end);
	tcase_add_test(tests, who_waits_for_a_task_and_is_cancelled_leaves_it_alone);
	tcase_add_test(tests, a_task_on_a_stack_that_was_used_before_has_no_waiters);
	tcase_add_test(tests, where_to_wait_is_not_told_of_tasks_of_others);
	tcase_add_test(tests, the_one_who_awaits_and_those_who_wait_are_all_told);
	suite_add_tcase(whole, tests);
	return whole;
}
