/* SPDX-License-Identifier: MIT */
#ifndef COIL_TIME_H
#define COIL_TIME_H

/*
 * Time is int64_t nanoseconds.  A duration is called ns.  An instant on the
 * clock of coil_now() is called when.  A duration that would end after INT64_MAX
 * is the same as COIL_FOREVER: it never ends.
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
 * Returns the time of CLOCK_MONOTONIC in nanoseconds.  It never goes back.
 * Reads the clock.  Works on every thread.  Never parks.
 */
int64_t coil_now(void);

/*
 * Parks the task for at least ns nanoseconds.  If ns <= 0, does what
 * coil_yield() does.  Returns 0.  On an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry or ended the
 *		sleep
 *	-EPERM: the caller is not a task
 *	-ENOMEM: there is no memory for a timer
 */
int coil_sleep(int64_t ns);

/*
 * Parks the task until the instant when.  If that has passed, moves the caller
 * to the back of the run queue once, as coil_yield() does.  Returns what
 * coil_sleep() returns.
 */
int coil_sleep_until(int64_t when);

/*
 * Moves the caller to the back of the run queue, once, so that the other ready
 * tasks run.  Returns 0.  On an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry; no other
 *		task has run
 *	-EPERM: the caller is not a task
 */
int coil_yield(void);

#ifdef __cplusplus
}
#endif
#endif
