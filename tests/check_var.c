/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <stdlib.h>

static struct coil_var language = { "language" };
static struct coil_var depth = { "depth" };

static int get_int(const struct coil_var *var)
{
	return (int)(intptr_t)coil_var_get(var);
}

static int get(void *var)
{
	return get_int(var);
}

COIL_TEST(a_variable_is_null_until_it_is_set_and_again_when_it_is_set_to_that)
{
	ck_assert_ptr_null(coil_var_get(&language));
	ck_assert_int_eq(coil_var_set(&language, "en"), 0);
	ck_assert_str_eq(coil_var_get(&language), "en");
	ck_assert_ptr_null(coil_var_get(&depth));
	ck_assert_int_eq(coil_var_set(&language, "de"), 0);
	ck_assert_str_eq(coil_var_get(&language), "de");
	ck_assert_int_eq(coil_var_set(&language, NULL), 0);
	ck_assert_ptr_null(coil_var_get(&language));
}

static int set_own(void *arg)
{
	ck_assert_ptr_null(coil_var_get(&depth));
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(coil_var_set(&depth, arg), 0);
		ck_assert_int_eq(coil_yield(), 0);
		ck_assert_ptr_eq(coil_var_get(&depth), arg);
	}
	return 0;
}

COIL_TEST(every_task_has_a_value_of_its_own)
{
	struct coil_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = start(set_own, INT(i + 1));
	ck_assert_int_eq(coil_gather(tasks, 5, NULL), 0);
	ck_assert_ptr_null(coil_var_get(&depth));
}

static int set_and_get(void *arg)
{
	int before = get_int(&depth);

	ck_assert_int_eq(coil_var_set(&depth, arg), 0);
	ck_assert_int_eq(get_int(&depth), (int)(intptr_t)arg);
	return before;
}

COIL_TEST(a_child_starts_with_its_creators_values_as_they_were_at_that_moment)
{
	struct coil_task *before, *first, *second, *setter;

	before = start(get, &depth);
	ck_assert_int_eq(coil_var_set(&depth, INT(1)), 0);
	first = start(get, &depth);
	setter = start(set_and_get, INT(7));
	ck_assert_int_eq(coil_var_set(&depth, INT(2)), 0);
	second = start(get, &depth);
	ck_assert_int_eq(coil_await(before), 0);
	ck_assert_int_eq(coil_await(first), 1);
	ck_assert_int_eq(coil_await(setter), 1);
	ck_assert_int_eq(coil_await(second), 2);
	ck_assert_int_eq(get_int(&depth), 2);
}

static int get_after_a_while(void *arg)
{
	settle();
	return get(arg);
}

static int leave_a_child(void *arg)
{
	ck_assert_int_eq(coil_var_set(&language, INT(44)), 0);
	*(struct coil_task **)arg = start(get_after_a_while, &language);
	return 0;
}

COIL_TEST(a_child_keeps_what_it_inherited_when_its_creator_has_ended)
{
	struct coil_task *child;

	ck_assert_int_eq(coil_await(start(leave_a_child, &child)), 0);
	ck_assert_ptr_null(coil_var_get(&language));
	ck_assert_int_eq(coil_await(child), 44);
}

static int descend(void *arg)
{
	struct coil_task *child;
	int left = (int)(intptr_t)arg;

	if (!left)
		return get_int(&depth);
	ck_assert_int_eq(coil_var_set(&depth, INT(get_int(&depth) + 1)), 0);
	child = start(descend, INT(left - 1));
	return coil_await(child);
}

COIL_TEST(grandchildren_inherit_through_their_parents)
{
	ck_assert_int_eq(coil_await(start(descend, INT(20))), 20);
	ck_assert_ptr_null(coil_var_get(&depth));
}

COIL_TEST(children_of_groups_and_eager_ones_inherit_too)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_group group = {0};
	struct coil_task *task, *child;

	ck_assert_int_eq(coil_var_set(&depth, INT(9)), 0);
	ck_assert_int_eq(coil_group_create_task_with(&group, NULL, get, &depth, &child), 0);
	ck_assert_int_eq(coil_await(child), 9);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	task = coil_create_task_with(&eager, set_and_get, INT(3));
	ck_assert_ptr_nonnull(task);
	ck_assert(coil_done(task));
	ck_assert_int_eq(get_int(&depth), 9);
	ck_assert_int_eq(coil_await(task), 9);
}

COIL_TEST(a_task_on_a_stack_that_was_used_before_begins_with_its_own_creators)
{
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(coil_await(start(set_and_get, INT(5))), 0);
		ck_assert_int_eq(coil_await(start(get, &depth)), 0);
	}
}

COIL_TEST(a_task_may_have_many_variables)
{
	static struct coil_var vars[100];
	struct coil_task *task;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(coil_var_set(&vars[i], INT(i)), 0);
		for (int j = 0; j <= i; j++)
			ck_assert_int_eq(get_int(&vars[j]), j);
	}
	task = start(get, &vars[99]);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_var_set(&vars[i], INT(-i)), 0);
	ck_assert_int_eq(coil_await(task), 99);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(get_int(&vars[i]), -i);
}

COIL_TEST(neither_call_looks_at_requests)
{
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	ck_assert_int_eq(coil_var_set(&depth, INT(4)), 0);
	ck_assert_int_eq(get_int(&depth), 4);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

COIL_TEST(no_variable_is_einval)
{
	ck_assert_int_eq(coil_var_set(NULL, "value"), -EINVAL);
	ck_assert_ptr_null(coil_var_get(NULL));
}

static void try_outside_a_task(void *arg)
{
	ck_assert_int_eq(coil_var_set(&depth, INT(1)), -EPERM);
	ck_assert_ptr_null(coil_var_get(&depth));
	++*(int *)arg;
}

static int set_and_call(void *arg)
{
	ck_assert_int_eq(coil_var_set(&depth, INT(1)), 0);
	ck_assert_int_eq(coil_call_soon_threadsafe(coil_current_loop(), try_outside_a_task, arg),
			 0);
	settle();
	return 0;
}

START_TEST(outside_a_task_nothing_is_set)
{
	int calls = 0;

	try_outside_a_task(&calls);
	ck_assert_int_eq(coil_run(set_and_call, &calls), 0);
	try_outside_a_task(&calls);
	ck_assert_int_eq(calls, 3);
}
END_TEST

/* A new run is a new context: asyncio's runner has no counterpart here. */
static int set_in_main(void *arg)
{
	int before = get_int(&depth);

	ck_assert_int_eq(coil_var_set(&depth, INT(12)), 0);
	return before;
}

START_TEST(the_next_run_begins_with_nothing)
{
	ck_assert_int_eq(coil_run(set_in_main, NULL), 0);
	ck_assert_int_eq(coil_run(set_in_main, NULL), 0);
}
END_TEST

COIL_TEST(without_memory_the_old_value_stands)
{
	struct coil_task *child;

	support_fail_allocation(1);
	ck_assert_int_eq(coil_var_set(&depth, INT(1)), -ENOMEM);
	ck_assert_ptr_null(coil_var_get(&depth));
	ck_assert_int_eq(coil_var_set(&depth, INT(1)), 0);
	/* One that is its own is set in its place. */
	support_fail_allocation(1);
	ck_assert_int_eq(coil_var_set(&depth, INT(2)), 0);
	support_fail_allocation(0);
	/* One that is shared is not. */
	child = start(get, &depth);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_var_set(&depth, INT(3)), -ENOMEM);
	ck_assert_int_eq(get_int(&depth), 2);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_var_set(&language, "en"), -ENOMEM);
	ck_assert_ptr_null(coil_var_get(&language));
	ck_assert_int_eq(coil_await(child), 2);
}

/* A tree of tasks that set and get at random, each with a model of its own. */
enum { VARS = 4 };

static struct coil_var model_vars[VARS];
static uint64_t state;

struct node {
	intptr_t expected[VARS];
	int levels;
};

static void ck_node(const struct node *node)
{
	for (int i = 0; i < VARS; i++)
		ck_assert_ptr_eq(coil_var_get(&model_vars[i]), (void *)node->expected[i]);
}

static int meddle(void *arg)
{
	struct node *own = arg;
	struct node children[3];
	struct coil_task *tasks[3];
	size_t n = 0;

	for (int step = 0; step < 12; step++) {
		unsigned which = roll(&state, VARS), what = roll(&state, 4);

		ck_node(own);
		if (what < 2) {
			own->expected[which] = (intptr_t)roll(&state, 1000);
			ck_assert_int_eq(coil_var_set(&model_vars[which],
						      (void *)own->expected[which]), 0);
		} else if (what == 2 && n < 3 && own->levels) {
			children[n] = *own;
			children[n].levels--;
			tasks[n] = start(meddle, &children[n]);
			n++;
		} else {
			ck_assert_int_eq(coil_yield(), 0);
		}
	}
	return coil_gather(tasks, n, NULL);
}

COIL_TEST(a_tree_of_tasks_behaves_as_a_model_of_it)
{
	state = roll_begin();
	for (int i = 0; i < 30; i++) {
		struct node root = { .levels = 4 };

		ck_assert_int_eq(coil_await(start(meddle, &root)), 0);
	}
}

Suite *suite(void)
{
	Suite *whole = suite_create("var");
	TCase *tests = tcase_create("var");

	tcase_add_test(tests, a_variable_is_null_until_it_is_set_and_again_when_it_is_set_to_that);
	tcase_add_test(tests, every_task_has_a_value_of_its_own);
	tcase_add_test(tests, a_child_starts_with_its_creators_values_as_they_were_at_that_moment);
	tcase_add_test(tests, a_child_keeps_what_it_inherited_when_its_creator_has_ended);
	tcase_add_test(tests, grandchildren_inherit_through_their_parents);
	tcase_add_test(tests, children_of_groups_and_eager_ones_inherit_too);
	tcase_add_test(tests, a_task_on_a_stack_that_was_used_before_begins_with_its_own_creators);
	tcase_add_test(tests, a_task_may_have_many_variables);
	tcase_add_test(tests, neither_call_looks_at_requests);
	tcase_add_test(tests, no_variable_is_einval);
	tcase_add_test(tests, outside_a_task_nothing_is_set);
	tcase_add_test(tests, the_next_run_begins_with_nothing);
	tcase_add_test(tests, without_memory_the_old_value_stands);
	tcase_add_test(tests, a_tree_of_tasks_behaves_as_a_model_of_it);
	suite_add_tcase(whole, tests);
	return whole;
}
