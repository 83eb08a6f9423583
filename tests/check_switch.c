/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <fenv.h>
#include <signal.h>
#include <stdlib.h>

/*
 * What a switch keeps, who runs when, and what a task costs.
 */

static int say(void *arg)
{
	trace("%s", (const char *)arg);
	return 0;
}

static int say_twice(void *arg)
{
	trace("%s1", (const char *)arg);
	ck_assert_int_eq(coil_yield(), 0);
	trace("%s2", (const char *)arg);
	return 0;
}

static int fail_later(void *arg)
{
	int err = coil_yield();

	return err ? err : (int)(intptr_t)arg;
}

static int current_in(void *arg)
{
	struct coil_task **seen = arg;

	*seen = coil_current_task();
	return 0;
}

START_TEST(task_010_there_is_no_current_task_off_a_loop)
{
	struct coil_task *seen = NULL;

	ck_assert_ptr_null(coil_current_task());
	ck_assert_int_eq(coil_run(current_in, &seen), 0);
	ck_assert_ptr_nonnull(seen);
	ck_assert_ptr_null(coil_current_task());
}
END_TEST

struct ball {
	struct coil_future futures[20];
	struct coil_task *player[2];
	int wrong;
};

struct player {
	struct ball *ball;
	int side;
};

static int play(void *arg)
{
	struct player *own = arg;
	struct ball *ball = own->ball;

	for (int i = own->side; i < 20; i += 2) {
		if (i && coil_future_wait(&ball->futures[i - 1]) != i - 1)
			ball->wrong++;
		if (coil_current_task() != ball->player[own->side])
			ball->wrong++;
		trace("%d", own->side);
		coil_future_set(&ball->futures[i], i);
		if (coil_current_task() != ball->player[own->side])
			ball->wrong++;
	}
	return 0;
}

COIL_TEST(task_011_current_task_names_the_one_that_runs)
{
	struct ball ball = {0};
	struct player sides[2] = { { &ball, 0 }, { &ball, 1 } };

	ball.player[0] = start(play, &sides[0]);
	ball.player[1] = start(play, &sides[1]);
	ck_assert_int_eq(coil_gather(ball.player, 2, NULL), 0);
	ck_assert_int_eq(ball.wrong, 0);
	traced("0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1");
}

static int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	int c, lines = 0;

	ck_assert_ptr_nonnull(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

COIL_TEST(task_018_a_hundred_tasks_one_after_another_leave_nothing)
{
	size_t stacks, warm;
	int before;

	ck_assert_int_eq(coil_await(start(fail_later, INT(1))), 1);
	mappings();
	before = mappings();
	stacks = coil__loop->stacks.count;
	warm = coil__loop->stacks.warm_count;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_await(start(fail_later, INT(i))), i);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
	ck_assert_uint_eq(coil__loop->stacks.count, stacks);
	ck_assert_uint_eq(coil__loop->stacks.warm_count, warm);
	ck_assert_int_eq(mappings(), before);
}

COIL_TEST(task_020_a_future_wakes_its_waiter_once)
{
	struct hold own = {0};
	struct coil_task *task = start(hold, &own);

	settle();
	ck_assert(own.entered && !own.ended);
	ck_assert_int_eq(coil_future_set(&own.future, 42), 0);
	ck_assert(!own.ended);
	settle();
	ck_assert(own.ended);
	ck_assert_int_eq(coil_await(task), 42);
}

struct turns {
	struct coil_waitq waitq;
	int turns;
};

static int count_turns(void *arg)
{
	struct turns *turns = arg;

	while (!coil_waitq_park(&turns->waitq))
		turns->turns++;
	turns->turns += 100;
	return 0;
}

/* rows: TASK-021 */
COIL_TEST(task_021_whoever_wakes_a_task_it_runs_once_for_it)
{
	struct turns turns = {0};
	struct coil_task *task = start(count_turns, &turns);

	settle();
	ck_assert_ptr_eq(coil_waitq_unpark(&turns.waitq), task);
	ck_assert_ptr_null(coil_waitq_unpark(&turns.waitq));
	settle();
	ck_assert_int_eq(turns.turns, 1);
	/* Woken and cancelled at once: it hears of both, one after the other. */
	ck_assert_ptr_eq(coil_waitq_unpark(&turns.waitq), task);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(turns.turns, 102);
}

struct rounding {
	int mode;
	int wrong;
};

static int round_so(void *arg)
{
	struct rounding *own = arg;
	volatile double one = 1, three = 3;
	double expected;

	fesetround(own->mode);
	expected = one / three;
	for (int i = 0; i < 10; i++) {
		coil_yield();
		own->wrong += fegetround() != own->mode;
		own->wrong += one / three != expected;
	}
	return 0;
}

COIL_TEST(each_task_keeps_its_rounding_mode)
{
	struct rounding up = { FE_UPWARD, 0 }, down = { FE_DOWNWARD, 0 };
	struct coil_task *tasks[] = { start(round_so, &up),
				      start(round_so, &down) };

	ck_assert_int_eq(fegetround(), FE_TONEAREST);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	ck_assert_int_eq(up.wrong, 0);
	ck_assert_int_eq(down.wrong, 0);
	ck_assert_int_eq(fegetround(), FE_TONEAREST);
}

static int rounding_at_birth(void *arg)
{
	volatile double one = 1, three = 3;

	*(double *)arg = one / three;
	return fegetround();
}

/* It stands on the stack of one that rounded otherwise to the end. */
COIL_TEST(a_new_task_rounds_as_the_one_that_made_it)
{
	struct rounding up = { FE_UPWARD, 0 };
	volatile double one = 1, three = 3;
	double got = 0;

	ck_assert_int_eq(coil_await(start(round_so, &up)), 0);
	ck_assert_int_eq(coil_await(start(rounding_at_birth, &got)),
			 FE_TONEAREST);
	ck_assert(got == one / three);
}

/* Also one that changed its mind since it last ran again, or began. */
COIL_TEST(a_new_task_rounds_as_its_maker_does_now)
{
	struct coil_task *up, *down, *nearest;
	double got[3];

	fesetround(FE_UPWARD);
	up = start(rounding_at_birth, &got[0]);
	fesetround(FE_DOWNWARD);
	down = start(rounding_at_birth, &got[1]);
	coil_yield();
	fesetround(FE_TONEAREST);
	nearest = start(rounding_at_birth, &got[2]);
	ck_assert_int_eq(coil_await(up), FE_UPWARD);
	ck_assert_int_eq(coil_await(down), FE_DOWNWARD);
	ck_assert_int_eq(coil_await(nearest), FE_TONEAREST);
	ck_assert(got[1] < got[0] && got[1] <= got[2] && got[2] <= got[0]);
}

/*
 * Eager tasks.
 */

static const struct coil_task_options eager = { .eager = true };

COIL_TEST(eager_001_one_that_never_parks_is_done_when_it_was_made)
{
	struct coil_task *queued = start(say, "queued");
	struct coil_task *task = coil_create_task_with(&eager, give, INT(8));

	trace("made");
	ck_assert(coil_done(task));
	ck_assert_int_eq(coil_result(task), 8);
	ck_assert_int_eq(coil_await(task), 8);
	traced("made");
	ck_assert_int_eq(coil_await(queued), 0);
}

COIL_TEST(eager_002_it_runs_up_to_its_first_park_and_then_waits_its_turn)
{
	struct coil_task *plain = start(say_twice, "p");
	struct coil_task *task = coil_create_task_with(&eager, say_twice, "e");

	trace("main");
	ck_assert_int_eq(coil_yield(), 0);
	trace("main");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_await(plain), 0);
	traced("e1 main p1 e2 main p2");
}

struct nest {
	int depth;
	int wrong;
};

static int nest(void *arg)
{
	struct nest *own = arg;
	struct coil_task *self = coil_current_task(), *seen[8], *child;
	size_t n = coil_all_tasks(seen, 8);
	bool listed = false;

	for (size_t i = 0; i < n; i++)
		listed |= seen[i] == self;
	own->wrong += !listed;
	trace("in%d", own->depth);
	if (++own->depth < 3) {
		child = coil_create_task_with(&eager, nest, own);
		own->wrong += coil_current_task() != self || child == self;
		own->wrong += coil_await(child) != 0;
		own->wrong += coil_current_task() != self;
	}
	trace("out%d", --own->depth);
	return 0;
}

COIL_TEST(eager_003_three_deep_each_is_the_current_task_inside)
{
	struct coil_task *self = coil_current_task(), *child;
	struct nest own = {0};

	child = coil_create_task_with(&eager, nest, &own);
	ck_assert_ptr_eq(coil_current_task(), self);
	ck_assert_ptr_ne(child, self);
	ck_assert_int_eq(own.wrong, 0);
	ck_assert_int_eq(coil_await(child), 0);
	traced("in0 in1 in2 out2 out1 out0");
}

/*
 * What cannot be survived.
 */

static int leave_scope_open(void *arg)
{
	static struct coil_timeout timeout;

	coil_task_set_name(coil_current_task(), "sloppy");
	coil_timeout_begin(&timeout, COIL_SECOND);
	return 0;
}

static void __attribute__((noinline)) begin_below(void)
{
	char room[512];
	struct coil_timeout timeout = {0};

	memset(room, 0, sizeof(room));
	coil_timeout_begin(&timeout, COIL_SECOND);
	__asm__ volatile("" : : "r"(room), "r"(&timeout) : "memory");
}

static int park_in_dead_frame(void *arg)
{
	coil_task_set_name(coil_current_task(), "careless");
	begin_below();
	coil_sleep(COIL_MILLISECOND);
	return 0;
}

START_TEST(a_task_that_returns_with_a_scope_open_dies_by_name)
{
	dies(leave_scope_open, SIGABRT, "sloppy");
}
END_TEST

START_TEST(a_task_that_parks_in_a_scope_it_returned_from_dies_by_name)
{
	dies(park_in_dead_frame, SIGABRT, "careless");
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("switch");
	TCase *tests = tcase_create("switch");

	tcase_add_test(tests, task_010_there_is_no_current_task_off_a_loop);
	tcase_add_test(tests, task_011_current_task_names_the_one_that_runs);
	tcase_add_test(tests,
		       task_018_a_hundred_tasks_one_after_another_leave_nothing);
	tcase_add_test(tests, task_020_a_future_wakes_its_waiter_once);
	tcase_add_test(tests,
		       task_021_whoever_wakes_a_task_it_runs_once_for_it);
	tcase_add_test(tests, each_task_keeps_its_rounding_mode);
	tcase_add_test(tests, a_new_task_rounds_as_its_maker_does_now);
	tcase_add_test(tests, a_new_task_rounds_as_the_one_that_made_it);
	tcase_add_test(tests,
		       eager_001_one_that_never_parks_is_done_when_it_was_made);
	tcase_add_test(tests,
		       eager_002_it_runs_up_to_its_first_park_and_then_waits_its_turn);
	tcase_add_test(tests,
		       eager_003_three_deep_each_is_the_current_task_inside);
	tcase_add_test(tests,
		       a_task_that_returns_with_a_scope_open_dies_by_name);
	tcase_add_test(tests,
		       a_task_that_parks_in_a_scope_it_returned_from_dies_by_name);
	suite_add_tcase(whole, tests);
	return whole;
}
