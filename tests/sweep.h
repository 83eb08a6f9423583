/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SWEEP_H
#define COIL_TESTS_SWEEP_H

/*
 * A scenario is run again and again, and the task under test is cancelled at its
 * first park, then at its second, and so on until it has no more: before what it
 * waits for comes, just as it comes, and when it has come but nobody has looked.
 * However that ends, no task, request, timer or byte may be left, and the scenario
 * says whether anything of its own is lost.
 */

#include "tests/tasks.h"
#include "core/loop.h"

struct sweep {
	void (*begin)(void);
	int (*run)(void *arg);	/* the task under test */
	void (*help)(void); /* makes what it waits for come; lets nobody run */
	void (*end)(
		int result); /* whether anything was lost; puts things away */
};

enum sweep_mode {
	SWEEP_NONE,	/* nobody is cancelled */
	SWEEP_EARLY, /* the cancel has taken effect before anything else comes */
	SWEEP_RACING,	/* what it waits for comes right after the cancel */
	SWEEP_LATE,	/* ... and right before */
	SWEEP_MODES,
};

/* Until nothing moves by itself. */
static UNUSED void sweep_rest(void)
{
	if (support_simulated()) {
		ck_assert_int_eq(coil_sleep(1), 0);
		return;
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_sleep(50 * COIL_MICROSECOND), 0);
}

static UNUSED void sweep_help(const struct sweep *sweep)
{
	if (sweep->help)
		sweep->help();
}

static UNUSED void sweep_cancel(const struct sweep *sweep,
				struct coil_task *task, enum sweep_mode mode)
{
	if (mode == SWEEP_LATE)
		sweep_help(sweep);
	coil_cancel(task);
	if (mode == SWEEP_EARLY)
		sweep_rest();
	if (mode != SWEEP_LATE)
		sweep_help(sweep);
}

/* Returns whether there was an n-th park. */
static UNUSED bool sweep_once(const struct sweep *sweep, enum sweep_mode mode,
			      int nth)
{
	size_t tasks = coil_all_tasks(NULL, 0);
	struct coil_task *task;
	int parks = 0, result;

	if (sweep->begin)
		sweep->begin();
	task = start(sweep->run, NULL);
	ck_assert_int_eq(coil_yield(), 0);
	while (!coil_done(task)) {
		if (++parks == nth && mode != SWEEP_NONE)
			sweep_cancel(sweep, task, mode);
		else
			sweep_help(sweep);
		sweep_rest();
		ck_assert_msg(parks < 10000,
			      "park %d, mode %d: it does not end", nth, mode);
	}
	result = coil_await(task);
	if (sweep->end)
		sweep->end(result);
	sweep_rest();
	ck_assert_msg(coil_all_tasks(NULL, 0) == tasks, "park %d, mode %d: %zu tasks are left",
		      nth, mode, coil_all_tasks(NULL, 0) - tasks);
	ck_assert_uint_eq(coil__loop->ops, 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	return parks >= nth;
}

static UNUSED void sweep(const struct sweep *sweep)
{
	for (int mode = SWEEP_NONE; mode < SWEEP_MODES; mode++) {
		int nth = 1;

		while (sweep_once(sweep, (enum sweep_mode)mode, nth) &&
		       mode != SWEEP_NONE)
			nth++;
		/* One that never parks is no test. */
		ck_assert_int_gt(nth, mode == SWEEP_NONE ? 0 : 1);
	}
}

#endif
