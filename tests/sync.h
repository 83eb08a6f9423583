/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SYNC_H
#define COIL_TESTS_SYNC_H

/*
 * What the suites of sync share: the check that a call refuses when a request is
 * pending, a loop in another thread, and numbers that look random.
 */

#include <coil/run.h>
#include "tests/tasks.h"
#include <coil/timeout.h>
#include <pthread.h>
#include <semaphore.h>

static UNUSED int note_run(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

struct call {
	int (*fn)(void *arg);
	void *arg;
};

static UNUSED int call_in_vain(void *arg)
{
	struct call *call = arg;
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	ck_assert(coil_cancel(coil_current_task()));
	for (int i = 0; i < 1000 && !ran; i++)
		ck_assert_int_eq(call->fn(call->arg), -ECANCELED);
	ck_assert_msg(ran, "refused calls keep the others from running");
	return coil_await(other);
}

/*
 * That fn(arg), which would not have to park, is refused all the same while a
 * request is pending, that its refusals are turns, and that a timeout hears of
 * the one that was on its account.
 */
static UNUSED void refuses(int (*fn)(void *arg), void *arg)
{
	struct call call = { fn, arg };
	struct coil_timeout timeout = {0};

	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	ck_assert_int_eq(fn(arg), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(coil_await(start(call_in_vain, &call)), 0);
}

/*
 * A loop in another thread with one task, fn(arg), which has parked; there it
 * stands still from abroad_begin to abroad_end, which cancels the task.
 */
struct abroad {
	int (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	sem_t there;
	sem_t go_on;
};

static UNUSED int main_abroad(void *arg)
{
	struct abroad *abroad = arg;
	struct coil_task *task = start(abroad->fn, abroad->arg);

	settle();
	sem_post(&abroad->there);
	sem_wait(&abroad->go_on);
	coil_cancel(task);
	return coil_await(task);
}

static UNUSED void *run_abroad(void *arg)
{
	return INT(coil_run(main_abroad, arg));
}

static UNUSED void abroad_begin(struct abroad *abroad, int (*fn)(void *arg), void *arg)
{
	abroad->fn = fn;
	abroad->arg = arg;
	sem_init(&abroad->there, 0, 0);
	sem_init(&abroad->go_on, 0, 0);
	ck_assert_int_eq(pthread_create(&abroad->thread, NULL, run_abroad, abroad), 0);
	while (sem_wait(&abroad->there))
		;
}

/* What the task returned. */
static UNUSED int abroad_end(struct abroad *abroad)
{
	void *result;

	sem_post(&abroad->go_on);
	ck_assert_int_eq(pthread_join(abroad->thread, &result), 0);
	return (int)(intptr_t)result;
}

static UNUSED uint64_t roll_begin(void)
{
	return support_seed() | 1;
}

#endif
