/* SPDX-License-Identifier: MIT */
#ifndef COIL_FUTURE_H
#define COIL_FUTURE_H

/*
 * A future is a result that is set once and that any number of tasks wait for.
 * It belongs to one loop.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is a future that is not set.  It needs no destructor. */
struct coil_future {
	bool done;
	int result;
	struct coil_waitq waiters;
};

/*
 * Sets the result and wakes the waiters, in the order in which they came.  They
 * run later.  The future may be freed as soon as it is set, before its waiters
 * run.  Returns 0.  On an error nothing is set:
 *	-EALREADY: the result is set already, and stays
 *	-EXDEV: tasks of another loop wait for the future
 *	-EINVAL: future is NULL
 * Never parks, and ignores a pending cancellation.
 */
int coil_future_set(struct coil_future *future, int result);

/*
 * Waits until the future is set and returns its result.  On an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if the
 *		result is set) or ended the wait; a result of the same value
 *		looks the same, and coil_future_done() tells the two apart
 *	-EPERM: the caller is not a task
 *	-EXDEV: tasks of another loop wait for the future
 *	-EINVAL: future is NULL
 * Parks, unless the future is set.
 */
COIL_MUST_CHECK int coil_future_wait(struct coil_future *future);

bool coil_future_done(const struct coil_future *future);
int coil_future_result(const struct coil_future *future);	/* -EINPROGRESS if not set */

#ifdef __cplusplus
}
#endif
#endif
