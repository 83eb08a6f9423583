/* SPDX-License-Identifier: MIT */
/*
 * Thousands of tasks become ready, or expire, in one moment: what a loop does between
 * two looks at I/O has a bound.  The tests count, between each two calls of the backend's
 * poll(), the tasks that ran and the tasks that became ready.
 */
#include "tests/tasks.h"
#include "core/backend/backend.h"
#include "core/loop/loop.h"
#include <coil/barrier.h>
#include <coil/event.h>
#include <coil/group.h>
#include <coil/timeout.h>

/* RUN: a loop's budget of switches.  DUE and FIRED: its slices, with some tasks more. */
enum { MANY = 5000, RUN = 256, DUE = 256 + 16, FIRED = 1024 + 16 };

static struct backend counting;
static const struct backend *real;
static struct coil_task *tasks[MANY];
static struct coil_future futures[MANY];
static struct coil_event event;
static int64_t when;

static struct {
	uint32_t head;
	uint32_t tail;
	uint32_t most_run;
	uint32_t most_ready;
	unsigned looks;
} seen;

static void note(uint32_t *most, uint32_t n)
{
	if ((int32_t)n > (int32_t)*most)
		*most = n;
}

static void look(struct coil_loop *loop, int64_t deadline)
{
	note(&seen.most_run, loop->run.head - seen.head);
	note(&seen.most_ready, loop->run.tail - seen.tail);
	seen.looks++;
	real->poll(loop, deadline);
	seen.head = loop->run.head;
	seen.tail = loop->run.tail;
}

/* From the next look on. */
static void begin_count(void)
{
	struct coil_loop *loop = coil__loop;

	real = loop->io.backend;
	counting = *real;
	counting.poll = look;
	loop->io.backend = &counting;
	ck_assert_int_eq(coil_sleep(1), 0);
	memset(&seen, 0, sizeof(seen));
	seen.head = loop->run.head;
	seen.tail = loop->run.tail;
}

static void end_count(void)
{
	coil__loop->io.backend = real;
}

static void make(int (*fn)(void *arg), int n)
{
	for (int i = 0; i < n; i++)
		tasks[i] = start(fn, INT(i));
}

static void let_all_park(void)
{
	for (int i = 0; i < MANY / 32; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

static void await_all(int n, int result)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(coil_await(tasks[i]), result);
}

static int wait_event(void *arg)
{
	(void)arg;
	return coil_event_wait(&event);
}

COIL_TEST(a_mass_wake_up_leaves_the_loop_its_looks_at_io)
{
	make(wait_event, MANY);
	let_all_park();
	begin_count();
	coil_event_set(&event);
	await_all(MANY, 0);
	end_count();
	ck_assert_uint_le(seen.most_run, RUN);
	ck_assert_uint_ge(seen.looks, MANY / RUN);
}

static struct coil_barrier barrier = COIL_BARRIER(MANY);

static int meet(void *arg)
{
	int err = coil_barrier_wait(&barrier);

	(void)arg;
	return err < 0 ? err : 0;
}

COIL_TEST(a_released_barrier_leaves_the_loop_its_looks_at_io)
{
	make(meet, MANY - 1);
	let_all_park();
	begin_count();
	tasks[MANY - 1] = start(meet, NULL);
	await_all(MANY, 0);
	end_count();
	ck_assert_uint_le(seen.most_run, RUN);
	ck_assert_uint_ge(seen.looks, MANY / RUN);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return coil_sleep(3600 * COIL_SECOND);
}

COIL_TEST(a_cancelled_group_leaves_the_loop_its_looks_at_io)
{
	struct coil_group group = {0};

	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(coil_group_create_task(&group, sleep_long, NULL), 0);
	let_all_park();
	begin_count();
	coil_group_cancel(&group);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	end_count();
	ck_assert_uint_le(seen.most_run, RUN);
	ck_assert_uint_ge(seen.looks, MANY / RUN);
}

static void begin_limit(struct coil_timeout *timeout)
{
	ck_assert_int_eq(coil_timeout_begin(timeout, COIL_FOREVER), 0);
}

static void set_limit(struct coil_timeout *timeout)
{
	ck_assert_int_eq(coil_timeout_reschedule(timeout, when), 0);
}

static int wait_future(void *arg)
{
	struct coil_timeout timeout = {0};
	int result;

	begin_limit(&timeout);
	set_limit(&timeout);
	result = coil_future_wait(&futures[(intptr_t)arg]);
	coil_timeout_end(&timeout);
	return result;
}

/* A moment that is ahead when all tasks have parked. */
static void choose_moment(void)
{
	when = coil_now() + 5 * ahead();
}

COIL_TEST(equal_deadlines_are_applied_in_slices)
{
	choose_moment();
	make(wait_future, MANY);
	let_all_park();
	ck_assert_int_lt(coil_now(), when);
	begin_count();
	await_all(MANY, -ETIMEDOUT);
	end_count();
	ck_assert_uint_le(seen.most_run, RUN);
	ck_assert_uint_le(seen.most_ready, DUE);
}

static int sleep_till(void *arg)
{
	(void)arg;
	return coil_sleep_until(when);
}

COIL_TEST(equal_sleeps_end_in_slices)
{
	choose_moment();
	make(sleep_till, MANY);
	let_all_park();
	ck_assert_int_lt(coil_now(), when);
	begin_count();
	await_all(MANY, 0);
	end_count();
	ck_assert_uint_le(seen.most_run, RUN);
	ck_assert_uint_le(seen.most_ready, FIRED);
}

static int set_future(void *arg)
{
	int err = coil_sleep_until(when);

	ck_assert_int_eq(coil_future_set(&futures[(intptr_t)arg], 7), 0);
	return err;
}

/* The deadlines come before the sleeps in the order of timers. */
COIL_TEST(results_of_a_moment_beat_its_deadlines_in_whatever_slice)
{
	enum { HALF = MANY / 2 };

	choose_moment();
	make(wait_future, HALF);
	let_all_park();
	for (int i = 0; i < HALF; i++)
		tasks[HALF + i] = start(set_future, INT(i));
	let_all_park();
	ck_assert_int_lt(coil_now(), when);
	for (int i = 0; i < HALF; i++)
		ck_assert_int_eq(coil_await(tasks[i]), 7);
	for (int i = 0; i < HALF; i++)
		ck_assert_int_eq(coil_await(tasks[HALF + i]), 0);
}

static int wait_in_two(void *arg)
{
	struct coil_timeout outer = {0}, inner = {0};

	begin_limit(&outer);
	begin_limit(&inner);
	set_limit(&inner);
	set_limit(&outer);
	ck_assert_int_eq(coil_future_wait(&futures[(intptr_t)arg]), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	return 0;
}

/* The one in front makes that the slice ends between the two of a task. */
COIL_TEST(of_equal_deadlines_the_outermost_is_told_at_a_slices_end_too)
{
	choose_moment();
	tasks[MANY - 1] = start(wait_future, INT(MANY - 1));
	ck_assert_int_eq(coil_yield(), 0);
	make(wait_in_two, 1000);
	let_all_park();
	ck_assert_int_lt(coil_now(), when);
	await_all(1000, 0);
	ck_assert_int_eq(coil_await(tasks[MANY - 1]), -ETIMEDOUT);
}

static int wait_in_two_set_later(void *arg)
{
	struct coil_timeout outer = {0}, inner = {0};

	begin_limit(&outer);
	begin_limit(&inner);
	set_limit(&inner);
	ck_assert_int_eq(coil_yield(), 0);
	set_limit(&outer);
	ck_assert_int_eq(coil_future_wait(&futures[(intptr_t)arg]), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&inner), 0);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	return 0;
}

/* All the inner ones expire first, then all the outer ones. */
COIL_TEST(of_equal_deadlines_the_outermost_is_the_cause_however_many_lie_between)
{
	choose_moment();
	make(wait_in_two_set_later, 1000);
	let_all_park();
	ck_assert_int_lt(coil_now(), when);
	await_all(1000, 0);
}

static bool over;

static int keep_on(void *arg)
{
	(void)arg;
	while (!over)
		ck_assert_int_eq(coil_yield(), 0);
	return 0;
}

/* With so many ready tasks a mark stays on the run queue for some passes. */
COIL_TEST(deadlines_that_fall_due_while_slices_are_left_are_applied_too)
{
	enum { SOME = 1000 };

	choose_moment();
	make(wait_future, SOME);
	let_all_park();
	when++;
	for (int i = SOME; i < 2 * SOME; i++)
		tasks[i] = start(wait_future, INT(i));
	let_all_park();
	for (int i = 2 * SOME; i < 3 * SOME; i++)
		tasks[i] = start(keep_on, NULL);
	ck_assert_int_lt(coil_now(), when);
	burn(when - coil_now());
	await_all(2 * SOME, -ETIMEDOUT);
	over = true;
	for (int i = 2 * SOME; i < 3 * SOME; i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
}

/*
 * What main leaves.
 */

static unsigned long walked;
static int left, cleaned;

struct stack *__real_coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor);
struct stack *__wrap_coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor);

struct stack *__wrap_coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor)
{
	walked++;
	return __real_coil__stacks_each(stacks, cursor);
}

static int clean(void *arg)
{
	int err = coil_sleep(3600 * COIL_SECOND);

	(void)arg;
	if (err == -ECANCELED)
		cleaned++;
	return err;
}

static int leave(void *arg)
{
	int err = coil_sleep(3600 * COIL_SECOND);

	(void)arg;
	if (err == -ECANCELED)
		left++;
	coil_detach(start(give, INT(0)));
	(void)!start(clean, NULL);
	return err;
}

static int leave_many(void *arg)
{
	(void)arg;
	make(leave, MANY);
	let_all_park();
	return 0;
}

/* Not at all tasks in each pass in which a clean-up makes one. */
START_TEST(what_clean_ups_make_when_main_has_returned_is_looked_at_once)
{
	ck_assert_int_eq(coil_run(leave_many, NULL), 0);
	ck_assert_int_eq(left, MANY);
	ck_assert_int_eq(cleaned, MANY);
	/* Once when main returns, and once when the loop is closed. */
	ck_assert_uint_le(walked, 4 * MANY);
}
END_TEST

static int make_and_leave(void *arg)
{
	const struct coil_task_options eager = { .eager = true };
	struct coil_task *child;
	int err = coil_sleep(3600 * COIL_SECOND);

	(void)arg;
	/* One that ends at once, one that ends before it is looked at, one awaited. */
	COIL_SHIELD(COIL_FOREVER) {
		coil_detach(coil_create_task_with(&eager, give, INT(0)));
		ck_assert_int_eq(coil_await(start(give, INT(3))), 3);
		child = start(sleep_till, NULL);
		if (coil_await(child) == 0)
			cleaned++;
	}
	return err;
}

static int leave_makers(void *arg)
{
	(void)arg;
	make(make_and_leave, 100);
	let_all_park();
	when = coil_now() + 2 * ahead();
	return 0;
}

START_TEST(what_a_clean_up_awaits_when_main_has_returned_is_not_cancelled)
{
	ck_assert_int_eq(coil_run(leave_makers, NULL), 0);
	ck_assert_int_eq(cleaned, 100);
}
END_TEST

Suite *suite(void)
{
	Suite *slices = suite_create("slices");
	TCase *tests = tcase_create("slices");

	tcase_add_test(tests, a_mass_wake_up_leaves_the_loop_its_looks_at_io);
	tcase_add_test(tests, a_released_barrier_leaves_the_loop_its_looks_at_io);
	tcase_add_test(tests, a_cancelled_group_leaves_the_loop_its_looks_at_io);
	tcase_add_test(tests, equal_deadlines_are_applied_in_slices);
	tcase_add_test(tests, equal_sleeps_end_in_slices);
	tcase_add_test(tests, results_of_a_moment_beat_its_deadlines_in_whatever_slice);
	tcase_add_test(tests, of_equal_deadlines_the_outermost_is_told_at_a_slices_end_too);
	tcase_add_test(tests,
		       of_equal_deadlines_the_outermost_is_the_cause_however_many_lie_between);
	tcase_add_test(tests, deadlines_that_fall_due_while_slices_are_left_are_applied_too);
	tcase_add_test(tests, what_clean_ups_make_when_main_has_returned_is_looked_at_once);
	tcase_add_test(tests, what_a_clean_up_awaits_when_main_has_returned_is_not_cancelled);
	suite_add_tcase(slices, tests);
	return slices;
}
