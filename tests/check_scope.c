/* SPDX-License-Identifier: MIT */
/*
 * Scopes in scopes: in which order they may end, and what shows in them.
 */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <signal.h>
#include <stdlib.h>

#define MS COIL_MILLISECOND

static int sleep_on(void *arg)
{
	(void)arg;
	return coil_sleep(COIL_FOREVER);
}

static void begin(struct coil_timeout *timeout, int64_t ns)
{
	*timeout = (struct coil_timeout){0};
	ck_assert_int_eq(coil_timeout_begin(timeout, ns), 0);
}

/*
 * The order.
 */

COIL_TEST(an_outer_timeout_is_refused_its_end_before_an_inner_one)
{
	struct coil_timeout outer, inner;

	begin(&outer, 10 * MS);
	begin(&inner, COIL_FOREVER);
	ck_assert_int_eq(coil_timeout_end(&outer), -EBUSY);
	/* Nothing has changed. */
	ck_assert_int_eq(coil_sleep(COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), -EBUSY);
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), 0);
}

COIL_TEST(a_shield_is_refused_its_end_before_a_timeout_in_it)
{
	struct coil_timeout outer, shield = {0}, inner;

	begin(&outer, 0);
	ck_assert_int_eq(coil_shield_begin(&shield, COIL_FOREVER), 0);
	begin(&inner, COIL_FOREVER);
	ck_assert_int_eq(coil_timeout_end(&shield), -EBUSY);
	ck_assert_int_eq(coil_timeout_end(&outer), -EBUSY);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_timeout_end(&outer), -EBUSY);
	ck_assert_int_eq(coil_timeout_end(&shield), 0);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
}

COIL_TEST(a_group_is_refused_its_wait_before_a_timeout_in_it)
{
	struct coil_group group = {0};
	struct coil_timeout timeout;

	ck_assert_int_eq(coil_group_create_task(&group, sleep_on, NULL), 0);
	begin(&timeout, COIL_FOREVER);
	ck_assert_int_eq(coil_group_wait(&group), -EBUSY);
	ck_assert_uint_eq(group.size, 1);
	ck_assert_int_eq(coil_group_create_task(&group, sleep_on, NULL), 0);
	settle();
	ck_assert_uint_eq(group.size, 2);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	coil_group_cancel(&group);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

COIL_TEST(a_group_may_be_waited_for_in_a_shield_that_was_begun_after_it)
{
	struct coil_group group = {0};
	struct coil_timeout timeout;
	int err = -EINVAL;

	begin(&timeout, MS);
	ck_assert_int_eq(coil_group_create_task(&group, sleep_on, NULL), 0);
	COIL_SHIELD(COIL_FOREVER)
		err = coil_group_wait(&group);
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
}

COIL_TEST(groups_end_in_any_order_also_after_a_timeout_around_them)
{
	struct coil_group a = {0}, b = {0};
	struct coil_timeout timeout;

	begin(&timeout, COIL_FOREVER);
	ck_assert_int_eq(coil_group_create_task(&a, give, INT(0)), 0);
	ck_assert_int_eq(coil_group_create_task(&b, give, INT(0)), 0);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	ck_assert_int_eq(coil_group_wait(&a), 0);
	ck_assert_int_eq(coil_group_wait(&b), 0);
}

static int leave_block(void *arg)
{
	struct coil_timeout inner;

	(void)arg;
	COIL_TIMEOUT(COIL_SECOND)
		begin(&inner, COIL_FOREVER);
	return 0;
}

static int leave_group(void *arg)
{
	struct coil_timeout inner;

	(void)arg;
	COIL_GROUP(group) {
		ck_assert_int_eq(coil_group_create_task(&group, sleep_on, NULL), 0);
		begin(&inner, COIL_FOREVER);
	}
	return 0;
}

/* Their scopes go with their frames, so there is no way back. */
START_TEST(a_block_left_with_a_timeout_open_in_it_dies_by_name)
{
	dies(leave_block, SIGABRT, "main leaves a block with a scope open in it");
	dies(leave_group, SIGABRT, "main leaves a group's block with a scope open in it");
}
END_TEST

/*
 * What shows, beside a walk over all the scopes.
 */

enum kind { TIMEOUT, SHIELD, GROUP };
enum { DEPTH = 12, STEPS = 3000 };

static struct scope {
	enum kind kind;
	struct coil_timeout timeout;
	struct coil_group group;
	struct coil_task *child;
	bool cancelled;
	bool expired;
	bool told;		/* a group: something has shown in it */
} *scopes[DEPTH];
static int depth;

static int shows_in(int at)
{
	int pending = 0;

	for (; at >= 0; at--) {
		if (scopes[at]->cancelled)
			return -ECANCELED;
		if (scopes[at]->expired)
			pending = -ETIMEDOUT;
		if (scopes[at]->kind == SHIELD)
			break;
	}
	return pending;
}

static void compare(void)
{
	ck_assert_int_eq(coil_check(), shows_in(depth - 1));
	for (int i = 0; i < depth; i++) {
		struct scope *scope = scopes[i];

		if (scope->kind != GROUP)
			continue;
		scope->told |= shows_in(i) != 0;
		ck_assert_int_eq(!!(scope->child->scope.flags & SCOPE_CANCELLED), scope->told);
	}
}

static void push(enum kind kind, bool expired)
{
	struct scope *scope = calloc(1, sizeof(*scope));
	const struct coil_task_options options = {0};

	ck_assert_ptr_nonnull(scope);
	scope->kind = kind;
	scope->expired = kind != GROUP && expired;
	if (kind == GROUP && coil_check()) {
		ck_assert_int_eq(coil_group_create_task(&scope->group, sleep_on, NULL),
				 -ECANCELED);
		free(scope);
		return;
	}
	if (kind == GROUP)
		ck_assert_int_eq(coil_group_create_task_with(&scope->group, &options, sleep_on,
							     NULL, &scope->child), 0);
	else if (kind == SHIELD)
		ck_assert_int_eq(coil_shield_begin(&scope->timeout, COIL_FOREVER), 0);
	else
		ck_assert_int_eq(coil_timeout_begin(&scope->timeout, COIL_FOREVER), 0);
	if (scope->expired)
		ck_assert_int_eq(coil_timeout_reschedule(&scope->timeout, coil_now()), 0);
	scopes[depth++] = scope;
}

static void ask_to_end(struct scope *scope)
{
	if (scope->kind == GROUP) {
		coil_group_cancel(&scope->group);
		scope->cancelled = true;
	} else if (!scope->expired) {
		ck_assert_int_eq(coil_timeout_reschedule(&scope->timeout, coil_now()), 0);
		scope->expired = true;
	}
}

static void take_out(int at)
{
	struct scope *scope = scopes[at];

	if (scope->kind == GROUP) {
		ask_to_end(scope);
		compare();
		ck_assert_int_ne(coil_group_wait(&scope->group), -EBUSY);
		coil_detach(scope->child);
	} else {
		int err = coil_timeout_end(&scope->timeout);

		ck_assert(!err || (err == -ETIMEDOUT && scope->expired));
	}
	free(scope);
	memmove(scopes + at, scopes + at + 1, (size_t)(--depth - at) * sizeof(*scopes));
}

static void end(int at)
{
	for (int i = at + 1; i < depth; i++) {
		if (scopes[i]->kind == GROUP ||
		    (scopes[i]->kind == SHIELD && scopes[at]->kind == GROUP))
			continue;
		ck_assert_int_eq(scopes[at]->kind == GROUP ?
				 coil_group_wait(&scopes[at]->group) :
				 coil_timeout_end(&scopes[at]->timeout), -EBUSY);
		return;
	}
	take_out(at);
}

COIL_TEST(what_shows_in_a_scope_is_what_a_walk_over_all_of_them_finds)
{
	uint64_t state = support_seed();

	for (int i = 0; i < STEPS; i++) {
		unsigned what = roll(&state, 8);

		if (what < 4 && depth < DEPTH)
			push((enum kind)roll(&state, 3), !roll(&state, 4));
		else if (what < 6 && depth)
			ask_to_end(scopes[roll(&state, (unsigned)depth)]);
		else if (depth)
			end((int)roll(&state, (unsigned)depth));
		compare();
	}
	while (depth) {
		end(depth - 1);
		compare();
	}
}

/*
 * Equal deadlines, of scopes that end in another order.
 */

enum { MANY = 1000 };

static struct {
	struct coil_future futures[MANY];
	struct coil_task *tasks[MANY];
	int64_t when;
} equal;

static int wait_until_equal(void *arg)
{
	struct coil_timeout timeout = {0};
	int result;

	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_FOREVER), 0);
	ck_assert_int_eq(coil_timeout_reschedule(&timeout, equal.when), 0);
	result = coil_future_wait(&equal.futures[(intptr_t)arg]);
	ck_assert_int_eq(coil_timeout_end(&timeout), result < 0 ? result : 0);
	return result;
}

COIL_TEST(scopes_that_are_due_end_in_any_order_and_the_others_expire)
{
	uint64_t state = support_seed();
	bool set[MANY] = { false };
	int results[MANY];

	equal.when = coil_now() + 2 * ahead();
	for (int i = 0; i < MANY; i++)
		equal.tasks[i] = start(wait_until_equal, INT(i));
	for (int i = 0; i < MANY / 16; i++)
		ck_assert_int_eq(coil_yield(), 0);
	burn(equal.when - coil_now());
	for (int i = 0; i < MANY; i++) {
		unsigned n = roll(&state, MANY);

		if (!set[n])
			ck_assert_int_eq(coil_future_set(&equal.futures[n], 7), 0);
		set[n] = true;
	}
	ck_assert_int_eq(coil_gather(equal.tasks, MANY, results), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(results[i], set[i] ? 7 : -ETIMEDOUT);
	ck_assert_ptr_null(coil__loop->due.first);
	ck_assert_ptr_null(coil__loop->due.last);
}

Suite *suite(void)
{
	Suite *whole = suite_create("scope");
	TCase *tests = tcase_create("scope");

	tcase_add_test(tests, an_outer_timeout_is_refused_its_end_before_an_inner_one);
	tcase_add_test(tests, a_shield_is_refused_its_end_before_a_timeout_in_it);
	tcase_add_test(tests, a_group_is_refused_its_wait_before_a_timeout_in_it);
	tcase_add_test(tests, a_group_may_be_waited_for_in_a_shield_that_was_begun_after_it);
	tcase_add_test(tests, groups_end_in_any_order_also_after_a_timeout_around_them);
	tcase_add_test(tests, a_block_left_with_a_timeout_open_in_it_dies_by_name);
	tcase_add_test(tests, what_shows_in_a_scope_is_what_a_walk_over_all_of_them_finds);
	tcase_add_test(tests, scopes_that_are_due_end_in_any_order_and_the_others_expire);
	suite_add_tcase(whole, tests);
	return whole;
}
