/* SPDX-License-Identifier: MIT */
/* Two tasks that use the same iteration, or the same task, at the same time. */
#include "tests/tasks.h"
#include <coil/event.h>
#include <coil/select.h>

#define MS COIL_MILLISECOND

enum { CHILDREN = 40, OWN_STACK = 512 * 1024 };

/*
 * One iteration of as_completed.
 */

struct iteration {
	struct coil_task *tasks[CHILDREN];
	size_t done;
	int seen[CHILDREN];
	int each[2];		/* how many each of the two was given */
	bool consume;
};

struct iterator {
	struct iteration *of;
	int index;
};

static int iterate(void *arg)
{
	const struct iterator *own = arg;
	struct iteration *of = own->of;
	int at;

	while ((at = coil_as_completed(of->tasks, CHILDREN, &of->done)) >= 0) {
		struct coil_task *task = of->tasks[at];
		int result = coil_result(task);

		if (of->consume) {
			of->tasks[at] = NULL;
			ck_assert_int_eq(coil_await(task), result);
		}
		ck_assert_int_ge(result, 0);
		of->seen[result]++;
		of->each[own->index]++;
	}
	return at;
}

static void share_iteration(bool consume)
{
	struct iteration of = { .consume = consume };
	struct iterator iterators[2] = { { &of, 0 }, { &of, 1 } };
	struct nap naps[CHILDREN];
	struct coil_task *both[2];
	int results[2];

	/* In pairs, so that one end often wakes both. */
	for (int i = 0; i < CHILDREN; i++) {
		naps[i] = (struct nap){ .ns = (i * 7 % CHILDREN / 2 + 1) * MS, .result = i };
		of.tasks[i] = start(nap, &naps[i]);
	}
	for (int i = 0; i < 2; i++)
		both[i] = start(iterate, &iterators[i]);
	ck_assert_int_eq(coil_gather(both, 2, results), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(results[i], -ENOENT);
		ck_assert_int_gt(of.each[i], 0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		ck_assert_int_eq(of.seen[i], 1);
		if (!consume)
			coil_detach(of.tasks[i]);
	}
}

COIL_TEST(two_tasks_that_share_one_as_completed_each_get_a_different_child)
{
	share_iteration(false);
}

COIL_TEST(they_may_consume_what_they_are_given)
{
	share_iteration(true);
}

static int take_one(void *arg)
{
	struct iteration *of = arg;

	return coil_as_completed(of->tasks, 1, &of->done);
}

COIL_TEST(the_one_that_finds_no_child_left_is_told_so)
{
	struct hold held = {0};
	struct iteration of = { .tasks = { start(hold, &held) } };
	struct coil_task *both[2] = { start(take_one, &of), start(take_one, &of) };
	int results[2];

	settle();
	coil_future_set(&held.future, 0);
	ck_assert_int_eq(coil_gather(both, 2, results), 0);
	ck_assert_int_eq(results[0] + results[1], -ENOENT);
	ck_assert_uint_eq(of.done, 1);
	ck_assert_int_eq(coil_await(of.tasks[0]), 0);
}

/*
 * A task that one waits for and another consumes.
 */

struct pair {
	struct hold held[2];
	struct coil_task *tasks[2];
	int count;
};

static void begin_pair(struct pair *pair, size_t stack_size)
{
	const struct coil_task_options options = { .stack_size = stack_size };

	for (int i = 0; i < 2; i++) {
		pair->tasks[i] = coil_create_task_with(&options, hold, &pair->held[i]);
		ck_assert_ptr_nonnull(pair->tasks[i]);
	}
}

static int wait_for_both(void *arg)
{
	struct pair *pair = arg;

	pair->count = coil_wait(pair->tasks, 2, COIL_ALL_COMPLETED, COIL_FOREVER);
	return 0;
}

static void consume_while_waited_for(size_t stack_size)
{
	struct hold stranger = {0};
	struct pair pair = {0};
	struct coil_task *waiter, *other;

	begin_pair(&pair, stack_size);
	waiter = start(wait_for_both, &pair);
	settle();
	coil_future_set(&pair.held[0].future, 3);
	ck_assert_int_eq(coil_await(pair.tasks[0]), 3);
	/* Without a reference of the waiter's this one gets the other's stack. */
	other = start(hold, &stranger);
	settle();
	coil_future_set(&pair.held[1].future, 4);
	ck_assert_int_eq(coil_await(waiter), 0);
	ck_assert_int_eq(pair.count, 2);
	coil_future_set(&stranger.future, 5);
	ck_assert_int_eq(coil_await(other), 5);
	ck_assert_int_eq(coil_await(pair.tasks[1]), 4);
}

COIL_TEST(a_task_that_another_awaits_counts_for_the_one_that_waits)
{
	consume_while_waited_for(0);
}

COIL_TEST(its_own_stack_stays_until_the_one_that_waits_has_looked)
{
	consume_while_waited_for(OWN_STACK);
}

static int wait_a_moment(void *arg)
{
	struct pair *pair = arg;

	/* It has no time: so it lets the others run once. */
	pair->count = coil_wait(pair->tasks, 2, COIL_ALL_COMPLETED, 0);
	return 0;
}

COIL_TEST(a_wait_without_time_survives_the_end_of_a_handle)
{
	struct pair pair = {0};
	struct coil_task *waiter;

	begin_pair(&pair, OWN_STACK);
	settle();
	coil_future_set(&pair.held[0].future, 3);
	waiter = start(wait_a_moment, &pair);
	ck_assert_int_eq(coil_await(pair.tasks[0]), 3);
	ck_assert_int_eq(coil_await(waiter), 0);
	ck_assert_int_eq(pair.count, 1);
	coil_future_set(&pair.held[1].future, 4);
	ck_assert_int_eq(coil_await(pair.tasks[1]), 4);
}

static int select_first(void *arg)
{
	struct pair *pair = arg;
	struct coil_case cases[2] = {
		COIL_SELECT_TASK(pair->tasks[0]), COIL_SELECT_TASK(pair->tasks[1]),
	};

	pair->count = coil_select(cases, 2, COIL_FOREVER);
	return pair->count < 0 ? pair->count : cases[pair->count].result;
}

static int await_first(void *arg)
{
	struct pair *pair = arg;

	return coil_await(pair->tasks[0]);
}

COIL_TEST(a_task_that_another_awaits_is_selected_with_its_result)
{
	struct pair pair = {0};
	struct coil_task *selector, *consumer;

	begin_pair(&pair, OWN_STACK);
	settle();
	selector = start(select_first, &pair);
	settle();
	/* Ready in this order: the task, its consumer; then the end wakes the selector. */
	coil_future_set(&pair.held[0].future, 3);
	consumer = start(await_first, &pair);
	ck_assert_int_eq(coil_await(consumer), 3);
	ck_assert_int_eq(coil_await(selector), 3);
	ck_assert_int_eq(pair.count, 0);
	coil_future_set(&pair.held[1].future, 4);
	ck_assert_int_eq(coil_await(pair.tasks[1]), 4);
}

Suite *suite(void)
{
	Suite *whole = suite_create("overlap");
	TCase *tests = tcase_create("overlap");

	tcase_add_test(tests, two_tasks_that_share_one_as_completed_each_get_a_different_child);
	tcase_add_test(tests, they_may_consume_what_they_are_given);
	tcase_add_test(tests, the_one_that_finds_no_child_left_is_told_so);
	tcase_add_test(tests, a_task_that_another_awaits_counts_for_the_one_that_waits);
	tcase_add_test(tests, its_own_stack_stays_until_the_one_that_waits_has_looked);
	tcase_add_test(tests, a_wait_without_time_survives_the_end_of_a_handle);
	tcase_add_test(tests, a_task_that_another_awaits_is_selected_with_its_result);
	suite_add_tcase(whole, tests);
	return whole;
}
