/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SWEEP_H
#define COIL_TESTS_SWEEP_H

/*
 * A scenario is run again and again, and the task under test is cancelled at its
 * first park, then at its second, and so on until it has no more: before what it
 * waits for comes, just as it comes, and when it has come but nobody has looked.
 * However that ends, no task, request, timer or byte may be left, and the scenario
 * says whether anything of its own is lost.
 *
 * After that come rounds at random: cancelled at any moment, in one of several ways,
 * among others that run, with help that comes when it likes.  COIL_SWEEP_SECONDS has
 * each sweep go on like that for so long, COIL_SWEEP_SEED repeats a hundred rounds.
 */

#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil/group.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/*
 * What comes is to have come when help() returns, though the task cannot know of it
 * yet: for those who have it done by another thread.
 */
static UNUSED bool sweep_ripe;

/* What most scenarios have to say of the result. */
static UNUSED void ok_or_cancelled(int result)
{
	ck_assert_msg(result == 0 || result == -ECANCELED, "the task returned %d (%s)", result,
		      strerror(-result));
}

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
	if (mode == SWEEP_LATE) {
		sweep_ripe = true;
		sweep_help(sweep);
		sweep_ripe = false;
	}
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
	ck_assert_uint_eq(coil__loop->io.ops, 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	return parks >= nth;
}

/* At each of its parks, in order; and no more for one that stops simulated time. */
static UNUSED void sweep_in_order(const struct sweep *sweep)
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

/*
 * At random.
 */

struct dice {
	const struct sweep *sweep;
	uint64_t state;
	struct coil_group group;
	bool done;
	int result;
};

/* The task under test, or the innermost call of it. */
static UNUSED int dice_run(void *arg)
{
	struct dice *dice = arg;

	dice->result = dice->sweep->run(NULL);
	dice->done = true;
	return 0;
}

/* By whoever awaits it. */
static UNUSED int dice_run_awaited(void *arg)
{
	coil_await(start(dice_run, arg));
	return 0;
}

/* The first child; a cancel of the group that came before it is used up here. */
static UNUSED void dice_open_group(struct dice *dice, int (*fn)(void *arg), void *arg)
{
	int err = coil_group_create_task(&dice->group, fn, arg);

	if (err == -ECANCELED) {
		ck_assert_int_eq(coil_group_wait(&dice->group), 0);
		err = coil_group_create_task(&dice->group, fn, arg);
	}
	ck_assert_int_eq(err, 0);
}

static UNUSED int dice_run_in_group(void *arg)
{
	struct dice *dice = arg;

	dice_open_group(dice, dice_run, dice);
	(void)coil_group_wait(&dice->group);
	return 0;
}

static UNUSED int dice_sleep(void *arg)
{
	return coil_sleep(COIL_FOREVER);
}

/* In the scope of a group that it has itself. */
static UNUSED int dice_run_as_body(void *arg)
{
	struct dice *dice = arg;

	dice_open_group(dice, dice_sleep, NULL);
	dice_run(dice);
	coil_group_cancel(&dice->group);
	(void)coil_group_wait(&dice->group);
	return 0;
}

/* The first two are cancelled as tasks, the others as groups. */
static int (*const dice_runs[])(void *arg) = {
	dice_run, dice_run_awaited, dice_run_in_group, dice_run_as_body,
};

static UNUSED void dice_pause(struct dice *dice)
{
	switch (roll(&dice->state, 5)) {
	case 0:
		sweep_rest();
		break;
	case 1:
		coil_sleep((int64_t)roll(&dice->state, 60) * COIL_MICROSECOND);
		break;
	case 2:
		break;
	default:
		for (unsigned n = roll(&dice->state, 6); n; n--)
			coil_yield();
	}
}

/* One that is there, too. */
static UNUSED int dice_loiter(void *arg)
{
	struct dice *dice = arg;

	while (!coil_check()) {
		for (unsigned n = roll(&dice->state, 6); n; n--)
			coil_yield();
		coil_sleep((int64_t)(1 + roll(&dice->state, 60)) * COIL_MICROSECOND);
	}
	return 0;
}

static UNUSED void dice_cancel(struct dice *dice, struct coil_task *task, unsigned way)
{
	if (way < 2)
		coil_cancel(task);
	else
		coil_group_cancel(&dice->group);
}

static UNUSED void dice_help(struct dice *dice)
{
	sweep_ripe = roll(&dice->state, 2);
	sweep_help(dice->sweep);
	sweep_ripe = false;
}

static UNUSED void dice_drive(struct dice *dice, struct coil_task *task, unsigned way)
{
	unsigned at = roll(&dice->state, 24);

	for (unsigned step = 0; !dice->done; step++) {
		if (step == at)
			dice_cancel(dice, task, way);
		if (!roll(&dice->state, 3))
			dice_help(dice);
		dice_pause(dice);
		ck_assert_msg(step < 100000, "cancelled in step %u: it does not end", at);
	}
	dice_help(dice);
	sweep_rest();
}

static UNUSED void dice_round(struct dice *dice)
{
	size_t tasks = coil_all_tasks(NULL, 0);
	unsigned way = roll(&dice->state, 4), others = roll(&dice->state, 3);
	struct coil_task *task, *loiterers[2];

	dice->done = false;
	if (dice->sweep->begin)
		dice->sweep->begin();
	for (unsigned i = 0; i < others; i++)
		loiterers[i] = start(dice_loiter, dice);
	task = start(dice_runs[way], dice);
	dice_drive(dice, task, way);
	for (unsigned i = 0; i < others; i++) {
		coil_cancel(loiterers[i]);
		coil_await(loiterers[i]);
	}
	coil_await(task);
	if (dice->sweep->end)
		dice->sweep->end(dice->result);
	sweep_rest();
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), tasks);
	ck_assert_uint_eq(coil__loop->io.ops, 0);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
}

static UNUSED void dice_rounds(const struct sweep *sweep, uint64_t seed, int n)
{
	struct dice dice = { .sweep = sweep, .state = seed | 1 };

	printf("COIL_SWEEP_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	while (n--)
		dice_round(&dice);
}

static UNUSED void sweep_at_random(const struct sweep *sweep)
{
	const char *asked = getenv("COIL_SWEEP_SEED"), *seconds = getenv("COIL_SWEEP_SECONDS");
	struct timespec began, now;
	uint64_t seed;

	clock_gettime(CLOCK_MONOTONIC, &began);
	seed = (uint64_t)began.tv_sec << 32 ^ (uint64_t)began.tv_nsec << 2;
	if (asked)
		seed = strtoull(asked, NULL, 0);
	if (asked || !seconds) {
		dice_rounds(sweep, seed, asked ? 100 : 10);
		return;
	}
	do {
		dice_rounds(sweep, seed, 100);
		seed += 2;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - began.tv_sec < strtol(seconds, NULL, 10));
}

static UNUSED void sweep(const struct sweep *sweep)
{
	sweep_in_order(sweep);
	sweep_at_random(sweep);
}

#endif
