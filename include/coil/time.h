/* SPDX-License-Identifier: MIT */
#ifndef COIL_TIME_H
#define COIL_TIME_H

/*
 * Time is int64_t nanoseconds.  A duration is called ns; an instant on the
 * clock of coil_now() is called when.  A duration that reaches past the end of
 * the clock means for ever, as COIL_FOREVER does.
 */

#include <stdint.h>

#define COIL_MICROSECOND INT64_C(1000)
#define COIL_MILLISECOND INT64_C(1000000)
#define COIL_SECOND INT64_C(1000000000)
#define COIL_FOREVER INT64_MAX

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The time in nanoseconds since some fixed moment, never going back
 * (CLOCK_MONOTONIC).  Reads the clock; works on every thread.
 */
int64_t coil_now(void);

/*
 * Parks the task for at least ns nanoseconds; ns <= 0 is coil_yield().
 * Returns 0, or -ECANCELED or -ETIMEDOUT when a request is pending or arrives,
 * -ENOMEM when no timer could be had, -EPERM outside a task.
 */
int coil_sleep(int64_t ns);

/* The same until an instant; one that has passed is coil_yield(). */
int coil_sleep_until(int64_t when);

/*
 * Lets the other ready tasks run: the caller goes to the back of the ready list
 * exactly once.  Returns 0; -ECANCELED or -ETIMEDOUT when a request was pending
 * at entry (then nobody else ran); -EPERM outside a task.
 */
int coil_yield(void);

#ifdef __cplusplus
}
#endif
#endif
