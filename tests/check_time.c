/* SPDX-License-Identifier: MIT */
#include <coil/timeout.h>
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/backend/backend.h"
#include "core/task/timers.h"
#include <time.h>

#define MS COIL_MILLISECOND

COIL_TEST(sleep_001_two_sleeps_take_the_time_of_both_and_return_0)
{
	int64_t began = coil_now();

	ck_assert_int_eq(coil_sleep(5 * MS), 0);
	passed(began, 5 * MS);
	ck_assert_int_eq(coil_sleep(5 * MS), 0);
	passed(began, 10 * MS);
}

static int count(void *arg)
{
	++*(int *)arg;
	return 0;
}

static int count_for_ever(void *arg)
{
	while (!coil_yield())
		++*(int *)arg;
	return 0;
}

COIL_TEST(sleep_002_a_sleep_of_zero_is_exactly_one_turn)
{
	static const int64_t durations[] = { 0, -1, INT64_MIN };
	int runs = 0, turns = 0;
	struct coil_task *task = start(count, &runs),
			 *other = start(count_for_ever, &turns);

	ck_assert_int_eq(coil_sleep(0), 0);
	ck_assert_int_eq(runs, 1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_yield(), 0);
	for (int i = 0; i < 3; i++) {
		int before = turns;

		ck_assert_int_eq(coil_sleep(durations[i]), 0);
		ck_assert_int_eq(turns, before + 1);
		ck_assert_int_eq(coil_sleep_until(i - 1), 0);
		ck_assert_int_eq(turns, before + 2);
	}
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(a_yield_of_a_task_that_is_alone_returns)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

/* Passes are counted by how often the loop looked at its backend. */
static unsigned looks;
static struct backend counting;
static const struct backend *counted;

static void count_poll(struct coil_loop *loop, int64_t deadline)
{
	looks++;
	counted->poll(loop, deadline);
}

COIL_TEST(sleep_004_short_sleeps_do_not_spin)
{
	static const int64_t durations[] = { 10 * MS, 100 * COIL_MICROSECOND,
					     1000, 10, 1 };

	counted = coil__loop->io.backend;
	counting = *counted;
	counting.poll = count_poll;
	coil__loop->io.backend = &counting;
	for (int i = 0; i < 5; i++) {
		int64_t began = coil_now();

		ck_assert_int_eq(coil_sleep(durations[i]), 0);
		passed(began, durations[i]);
	}
	coil__loop->io.backend = counted;
	ck_assert_uint_le(looks, 20);
	ck_assert_uint_gt(looks, 0);
}

struct alarm {
	int64_t when;
	const char *name;
};

static int sound(void *arg)
{
	struct alarm *own = arg;
	int err = coil_sleep_until(own->when);

	ck_assert_int_ge(coil_now(), own->when);
	trace("%s", own->name);
	return err;
}

/* rows: LOOP-002 */
COIL_TEST(loop_002_a_timer_fires_once_and_not_before_its_time)
{
	int64_t now = coil_now();
	struct alarm alarm = { now + 20 * MS, "alarm" };
	struct coil_task *task = start(sound, &alarm);

	while (!coil_done(task)) {
		ck_assert(coil_now() <= alarm.when || !support_simulated());
		ck_assert_int_eq(coil_sleep(MS), 0);
	}
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	traced("alarm");
	ck_assert_int_eq(coil_await(task), 0);
	settle();
	traced("");
}

COIL_TEST(loop_003_sleepers_that_fall_due_together_wake_by_deadline)
{
	int64_t now = coil_now() + ahead();
	struct alarm alarms[] = {
		{ now + 4, "d" }, { now + 1, "a1" }, { now + 3, "c" },
		{ now + 2, "b" }, { now + 1, "a2" }, { now + 1, "a3" },
	};
	struct coil_task *tasks[6];

	for (int i = 0; i < 6; i++)
		tasks[i] = start(sound, &alarms[i]);
	settle();
	ck_assert_uint_eq(coil__loop->timers.count, 6);
	burn(ahead() + MS);
	ck_assert_int_eq(coil_gather(tasks, 6, NULL), 0);
	traced("a1 a2 a3 b c d");
}

COIL_TEST(a_sleep_past_the_end_of_the_clock_is_for_ever)
{
	static const int64_t durations[] = { COIL_FOREVER, COIL_FOREVER - 1 };

	for (int i = 0; i < 2; i++) {
		struct nap own = { .ns = durations[i] };
		struct coil_task *task = start(nap, &own);

		settle();
		ck_assert_uint_eq(coil__loop->timers.count, 0);
		ck_assert(!own.ended);
		coil_cancel(task);
		ck_assert_int_eq(coil_await(task), -ECANCELED);
	}
}

COIL_TEST(ten_hours_pass_in_a_moment_where_time_is_simulated)
{
	int64_t began = coil_now();

	if (!support_simulated())
		return;
	ck_assert_int_eq(coil_sleep(36000 * COIL_SECOND), 0);
	passed(began, 36000 * COIL_SECOND);
}

COIL_TEST(a_thousand_sleepers_wake_in_order)
{
	enum { MANY = 1000 };
	struct alarm alarms[MANY];
	struct coil_task *tasks[MANY];
	int results[MANY];
	int64_t base = coil_now() + 20 * MS;

	for (int i = 0; i < MANY; i++) {
		alarms[i] =
			(struct alarm){ base + (i * 7919) % MANY * 1000, "" };
		tasks[i] = start(sound, &alarms[i]);
	}
	ck_assert_int_eq(coil_gather(tasks, MANY, results), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(results[i], 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

COIL_TEST(the_loop_s_time_is_that_at_which_its_pass_began)
{
	int64_t before = coil_now(), began;

	ck_assert_int_eq(coil_sleep(MS), 0);
	began = coil_loop_now();
	ck_assert_int_ge(began, before + MS);
	ck_assert_int_le(began, coil_now());
	/* However long a task computes, the pass began when it began. */
	burn(2 * MS);
	ck_assert_int_eq(coil_loop_now(), began);
	ck_assert_int_eq(coil_sleep(1), 0);
	ck_assert_int_ge(coil_loop_now(), began + 2 * MS);
	ck_assert_int_le(coil_loop_now(), coil_now());
}

START_TEST(off_a_loop_there_is_no_loop_s_time)
{
	ck_assert_int_eq(coil_loop_now(), -EPERM);
}
END_TEST

static const struct backend *real;
static int late;

static void spy_on_poll(struct coil_loop *loop, int64_t deadline)
{
	int64_t now = loop->clock.pass_start;

	late += deadline > now && coil__timers_next(&loop->timers) <= now;
	real->poll(loop, deadline);
}

/* More of them than one pass takes, just after a sleep, when others are put off. */
COIL_TEST(the_loop_does_not_sleep_while_a_timer_is_overdue)
{
	enum { MANY = 300 };
	struct alarm alarms[MANY];
	struct coil_task *tasks[MANY];
	struct backend spy = *coil__loop->io.backend;
	int64_t base = coil_now() + 20 * MS;

	real = coil__loop->io.backend;
	late = 0;
	spy.poll = spy_on_poll;
	coil__loop->io.backend = &spy;
	for (int i = 0; i < MANY; i++) {
		alarms[i] = (struct alarm){ base + i, "" };
		tasks[i] = start(sound, &alarms[i]);
	}
	ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
	coil__loop->io.backend = real;
	ck_assert_int_eq(late, 0);
}

/* More of them than run in a pass, some of which keep the thread busy for a while. */
enum { BACKLOG = 1000 };

static struct backlog {
	struct coil_task *tasks[BACKLOG];
	int ran;
	int64_t until[BACKLOG];		/* when the one that runs so late lets go */
} backlog;

static int be_of_backlog(void *arg)
{
	int64_t until = backlog.until[backlog.ran++], now = coil_now();

	(void)arg;
	if (until > now)
		burn(until - now);
	return 0;
}

/* The first of them keeps the thread until then. */
static void start_backlog(int64_t until)
{
	memset(&backlog, 0, sizeof(backlog));
	backlog.until[0] = until;
	for (int i = 0; i < BACKLOG; i++)
		backlog.tasks[i] = start(be_of_backlog, NULL);
}

static int wake_amid_backlog(void *arg)
{
	int err = sound(arg);

	ck_assert_int_lt(backlog.ran, BACKLOG);
	return err;
}

COIL_TEST(those_who_slept_run_before_a_backlog_and_in_order)
{
	int64_t now = coil_now() + ahead();
	struct alarm alarms[] = { { now + 2, "b" }, { now + 3, "c" }, { now + 1, "a" } };
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start(wake_amid_backlog, &alarms[i]);
	settle();
	start_backlog(now + MS);
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("a b c");
	ck_assert_int_eq(coil_gather(backlog.tasks, BACKLOG, NULL), 0);
}

/* Each eager child is a switch more that a sleeper takes of a pass. */
static int nap_until_all_ran(void *arg)
{
	static const struct coil_task_options eager = { .eager = true };
	int err = 0;

	(void)arg;
	while (!err && backlog.ran < BACKLOG) {
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(coil_await(coil_create_task_with(&eager, give, INT(0))),
					 0);
		err = coil_sleep(1);
	}
	return err;
}

COIL_TEST(those_who_sleep_on_and_on_starve_no_backlog)
{
	enum { MANY = 64 };
	struct coil_task *tasks[MANY];

	backlog.ran = 0;
	for (int i = 0; i < MANY; i++)
		tasks[i] = start(nap_until_all_ran, NULL);
	settle();
	start_backlog(0);
	ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
	ck_assert_int_eq(coil_gather(backlog.tasks, BACKLOG, NULL), 0);
}

static int woken, woken_late;

static int wake_first(void *arg)
{
	int err = coil_sleep_until(*(int64_t *)arg);

	woken++;
	return err;
}

static int wake_next(void *arg)
{
	int err = coil_sleep_until(*(int64_t *)arg + 1);

	woken_late += woken < BACKLOG;
	return err;
}

/* More of equal deadlines than run in a pass are a backlog of their own. */
COIL_TEST(a_sleeper_overtakes_none_that_was_due_before)
{
	int64_t when = coil_now() + 5 * ahead();
	struct coil_task *tasks[BACKLOG + 1];

	woken = woken_late = 0;
	for (int i = 0; i < BACKLOG; i++)
		tasks[i] = start(wake_first, &when);
	tasks[BACKLOG] = start(wake_next, &when);
	settle();
	if (support_simulated())
		burn(5 * ahead() + MS);
	ck_assert_int_eq(coil_gather(tasks, BACKLOG + 1, NULL), 0);
	ck_assert_int_eq(woken_late, 0);
}

/* The first of the backlog ends after the deadline, one in another pass after the sleep. */
static int sleep_past_a_deadline(void *arg)
{
	int64_t step = ahead(), now = coil_now();
	struct coil_timeout timeout = {0};

	(void)arg;
	backlog.until[0] = now + 2 * step;
	backlog.until[BACKLOG / 2] = now + 5 * step;
	ck_assert_int_eq(coil_timeout_begin(&timeout, step), 0);
	ck_assert_int_eq(coil_sleep_until(now + 4 * step), 0);
	ck_assert_int_eq(coil_check(), -ETIMEDOUT);
	ck_assert_int_eq(coil_yield(), -ETIMEDOUT);
	return coil_timeout_end(&timeout);
}

COIL_TEST(a_sleep_does_not_overtake_a_deadline_that_was_before)
{
	struct coil_task *task = start(sleep_past_a_deadline, NULL);

	start_backlog(0);
	ck_assert_int_eq(coil_await(task), -ETIMEDOUT);
	ck_assert_int_eq(coil_gather(backlog.tasks, BACKLOG, NULL), 0);
}

START_TEST(off_a_loop_the_clock_is_the_monotonic_one_real_clock)
{
	struct timespec before, after;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &before);
	now = coil_now();
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge(now, before.tv_sec * COIL_SECOND + before.tv_nsec);
	ck_assert_int_le(now, after.tv_sec * COIL_SECOND + after.tv_nsec);
}
END_TEST

/* Those that only yield starve no timer. */
COIL_TEST(a_sleeper_wakes_among_tasks_that_only_yield_real_clock)
{
	int turns = 0;
	struct coil_task *first = start(count_for_ever, &turns);
	struct coil_task *second = start(count_for_ever, &turns);

	if (!support_simulated()) {
		ck_assert_int_eq(coil_sleep(2 * MS), 0);
		ck_assert_int_gt(turns, 0);
	}
	coil_cancel(first);
	coil_cancel(second);
	ck_assert_int_eq(coil_await(first), 0);
	ck_assert_int_eq(coil_await(second), 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("time");
	TCase *tests = tcase_create("time");

	tcase_add_test(tests,
		       sleep_001_two_sleeps_take_the_time_of_both_and_return_0);
	tcase_add_test(tests, sleep_002_a_sleep_of_zero_is_exactly_one_turn);
	tcase_add_test(tests, a_yield_of_a_task_that_is_alone_returns);
	tcase_add_test(tests, sleep_004_short_sleeps_do_not_spin);
	tcase_add_test(tests,
		       loop_002_a_timer_fires_once_and_not_before_its_time);
	tcase_add_test(tests,
		       loop_003_sleepers_that_fall_due_together_wake_by_deadline);
	tcase_add_test(tests, a_sleep_past_the_end_of_the_clock_is_for_ever);
	tcase_add_test(tests,
		       ten_hours_pass_in_a_moment_where_time_is_simulated);
	tcase_add_test(tests, a_thousand_sleepers_wake_in_order);
	tcase_add_test(tests, the_loop_s_time_is_that_at_which_its_pass_began);
	tcase_add_test(tests, off_a_loop_there_is_no_loop_s_time);
	tcase_add_test(tests, the_loop_does_not_sleep_while_a_timer_is_overdue);
	tcase_add_test(tests, those_who_slept_run_before_a_backlog_and_in_order);
	tcase_add_test(tests, those_who_sleep_on_and_on_starve_no_backlog);
	tcase_add_test(tests, a_sleeper_overtakes_none_that_was_due_before);
	tcase_add_test(tests, a_sleep_does_not_overtake_a_deadline_that_was_before);
	tcase_add_test(tests,
		       off_a_loop_the_clock_is_the_monotonic_one_real_clock);
	tcase_add_test(tests,
		       a_sleeper_wakes_among_tasks_that_only_yield_real_clock);
	suite_add_tcase(whole, tests);
	return whole;
}
