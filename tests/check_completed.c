/* SPDX-License-Identifier: MIT */
/* Iterations of coil_as_completed() that are shared, left, and taken up again. */
#include "tests/tasks.h"
#include "core/task/task.h"
#include <coil/timeout.h>

#define MS COIL_MILLISECOND

enum { MANY = 60 };

static struct {
	struct coil_future futures[MANY];
	struct coil_task *tasks[MANY];
} work;

static int wait_for_future(void *arg)
{
	return coil_future_wait(&work.futures[(intptr_t)arg]);
}

static void start_all(int n)
{
	memset(&work, 0, sizeof(work));
	for (int i = 0; i < n; i++)
		work.tasks[i] = start(wait_for_future, INT(i));
	settle();
}

static void end(int i)
{
	ck_assert_int_eq(coil_future_set(&work.futures[i], i), 0);
}

static void consume_all(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(coil_await(work.tasks[i]), i);
}

/*
 * Beside its definition: the next is the one that ended first of those that are left,
 * and further handles of it stand behind it.
 */
COIL_TEST(each_is_the_first_to_have_ended_of_those_that_are_left)
{
	uint64_t state = support_seed();

	for (int round = 0; round < 30; round++) {
		struct coil_task *tasks[2 * MANY];
		size_t n = 0, done = 0;
		int order[MANY], ended = 0, taken = 0;
		bool over[MANY] = { false };

		start_all(MANY);
		for (int i = 0; i < MANY; i++)
			tasks[n++] = work.tasks[i];
		while (n < 2 * MANY)
			tasks[n++] = work.tasks[roll(&state, MANY)];
		for (size_t i = n; i > 1; i--) {
			size_t j = roll(&state, (unsigned)i);
			struct coil_task *task = tasks[i - 1];

			tasks[i - 1] = tasks[j];
			tasks[j] = task;
		}
		while (done < n) {
			size_t before = done, copies = 0;
			int at;

			for (unsigned ends = roll(&state, 5); ends > 0; ends--) {
				int i = (int)roll(&state, MANY);

				if (over[i])
					continue;
				over[i] = true;
				order[ended++] = i;
				end(i);
				if (roll(&state, 2))
					settle();
			}
			if (taken == ended)
				continue;
			at = coil_as_completed(tasks, n, &done);
			ck_assert_int_eq(at, (int)before);
			ck_assert_ptr_eq(tasks[at], work.tasks[order[taken++]]);
			for (size_t i = 0; i < n; i++)
				copies += tasks[i] == tasks[at];
			ck_assert_uint_eq(done, before + copies);
			for (size_t i = before; i < done; i++)
				ck_assert_ptr_eq(tasks[i], tasks[at]);
		}
		ck_assert_int_eq(taken, MANY);
		ck_assert_int_eq(coil_as_completed(tasks, n, &done), -ENOENT);
		for (int i = 0; i < MANY; i++)
			ck_assert_ptr_null(work.tasks[i]->turns);
		consume_all(MANY);
	}
}

/* A race that is run again and again between one task and others that come and go. */
COIL_TEST(iterations_that_are_left_take_no_memory)
{
	struct hold held = {0};
	struct coil_task *stays = start(hold, &held);
	size_t outstanding = 0;

	for (int i = 0; i < 100; i++) {
		struct coil_task *tasks[] = { stays, start(give, INT(i)) };
		size_t done = 0;

		ck_assert_int_eq(coil_as_completed(tasks, 2, &done), 0);
		ck_assert_int_eq(coil_await(tasks[0]), i);
		if (i == 1)
			outstanding = support_outstanding();
	}
	ck_assert_uint_le(support_outstanding(), outstanding);
	coil_future_set(&held.future, 1);
	ck_assert_int_eq(coil_await(stays), 1);
}

COIL_TEST(the_array_may_be_changed_after_a_call_that_was_ended_early)
{
	size_t done = 0;

	start_all(3);
	for (int i = 0; i < 2; i++) {
		COIL_TIMEOUT(MS)
			ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), -ETIMEDOUT);
	}
	end(1);
	ck_assert_int_eq(coil_await(work.tasks[1]), 1);
	work.tasks[1] = work.tasks[2];
	end(2);
	ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), 0);
	ck_assert_int_eq(coil_await(work.tasks[0]), 2);
	COIL_TIMEOUT(MS)
		ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), -ETIMEDOUT);
	end(0);
	ck_assert_int_eq(coil_await(work.tasks[1]), 0);
}

COIL_TEST(an_iteration_may_begin_anew)
{
	size_t done = 0;

	start_all(3);
	end(1);
	ck_assert_int_eq(coil_as_completed(work.tasks, 3, &done), 0);
	ck_assert_int_eq(coil_result(work.tasks[0]), 1);
	done = 0;
	ck_assert_int_eq(coil_as_completed(work.tasks, 3, &done), 0);
	ck_assert_int_eq(coil_result(work.tasks[0]), 1);
	end(2);
	ck_assert_int_eq(coil_as_completed(work.tasks, 3, &done), 1);
	ck_assert_int_eq(coil_result(work.tasks[1]), 2);
	end(0);
	ck_assert_int_eq(coil_as_completed(work.tasks, 3, &done), 2);
	for (int i = 0; i < 3; i++)
		coil_detach(work.tasks[i]);
}

struct iteration {
	struct coil_task *tasks[MANY];
	size_t done;
	int seen;
};

static int iterate(void *arg)
{
	struct iteration *own = arg;
	int at;

	while ((at = coil_as_completed(own->tasks, MANY, &own->done)) >= 0)
		own->seen++;
	return at;
}

COIL_TEST(two_iterations_over_the_same_tasks_see_each_of_them)
{
	struct iteration a = {0}, b = {0};
	struct coil_task *both[2];
	int results[2];

	start_all(MANY);
	memcpy(a.tasks, work.tasks, sizeof(a.tasks));
	memcpy(b.tasks, work.tasks, sizeof(b.tasks));
	both[0] = start(iterate, &a);
	both[1] = start(iterate, &b);
	for (int i = 0; i < MANY; i++) {
		end(i);
		if (i % 3)
			settle();
	}
	ck_assert_int_eq(coil_gather(both, 2, results), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(results[i], -ENOENT);
	ck_assert_int_eq(a.seen, MANY);
	ck_assert_int_eq(b.seen, MANY);
	consume_all(MANY);
}

/* Also those that have ended and are in line. */
COIL_TEST(tasks_may_be_freed_in_the_middle_of_an_iteration_that_is_left)
{
	size_t done = 0;

	start_all(MANY);
	for (int i = 0; i < MANY / 2; i++)
		end(i);
	settle();
	ck_assert_int_eq(coil_as_completed(work.tasks, MANY, &done), 0);
	for (int i = MANY / 2; i < MANY; i++)
		end(i);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_ge(coil_await(work.tasks[i]), 0);
}

COIL_TEST(one_that_is_in_the_array_is_refused_also_later)
{
	size_t done = 0;

	start_all(2);
	end(0);
	ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), 0);
	work.tasks[1] = coil_current_task();
	ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), -EDEADLK);
	work.tasks[1] = NULL;
	ck_assert_int_eq(coil_as_completed(work.tasks, 2, &done), -ENOMEM);
	ck_assert_uint_eq(done, 1);
	ck_assert_int_eq(coil_await(work.tasks[0]), 0);
	end(1);
}

Suite *suite(void)
{
	Suite *whole = suite_create("completed");
	TCase *tests = tcase_create("completed");

	tcase_add_test(tests, each_is_the_first_to_have_ended_of_those_that_are_left);
	tcase_add_test(tests, iterations_that_are_left_take_no_memory);
	tcase_add_test(tests, the_array_may_be_changed_after_a_call_that_was_ended_early);
	tcase_add_test(tests, an_iteration_may_begin_anew);
	tcase_add_test(tests, two_iterations_over_the_same_tasks_see_each_of_them);
	tcase_add_test(tests, tasks_may_be_freed_in_the_middle_of_an_iteration_that_is_left);
	tcase_add_test(tests, one_that_is_in_the_array_is_refused_also_later);
	suite_add_tcase(whole, tests);
	return whole;
}
