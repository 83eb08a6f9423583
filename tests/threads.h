/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_THREADS_H
#define COIL_TESTS_THREADS_H

/* What the suites with threads share. */

#include "tests/sync.h"
#include <time.h>

/* Lets the loop and the threads go on until something is so. */
#define until(condition)						\
	do {								\
		while (!(condition))					\
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0); \
	} while (0)

/* The loop looks around, if need be more than once. */
static UNUSED void pass(void)
{
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

/* The thread waits for a millisecond, and with it its loop. */
static UNUSED void rest(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
}

static UNUSED pthread_t begin(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

static UNUSED int end(pthread_t thread)
{
	void *result;

	ck_assert_int_eq(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

#endif
