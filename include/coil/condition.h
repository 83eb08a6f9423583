/* SPDX-License-Identifier: MIT */
#ifndef COIL_CONDITION_H
#define COIL_CONDITION_H

/*
 * A condition lets tasks wait for a change of the state that a lock protects.
 * A wait releases the lock.  When it returns the caller holds the lock again,
 * even if the wait was cancelled.
 */

#include <coil/cdefs.h>
#include <coil/lock.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready for use.  There is nothing to destroy. */
struct coil_condition {
	struct coil_waitq waiters;
	struct coil_lock *lock;		/* the lock that the waiters released */
};

/*
 * Releases lock, parks until the condition is notified, and takes lock back.  A
 * cancellation cannot end the wait for the lock.
 *
 * Returns 0 once notified, even if a cancellation arrived afterwards: a
 * notification is never lost.  On an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry, and lock
 *		was not released; or it ended the wait
 *	-EPERM: the caller does not hold lock, or is not a task
 *	-EINVAL: other tasks wait with another lock, or a pointer is NULL
 *	-EXDEV: the waiters belong to another loop
 */
COIL_MUST_CHECK int coil_condition_wait(struct coil_condition *condition,
					struct coil_lock *lock);

/*
 * Waits until predicate(arg) returns true.  Calls predicate before the first
 * wait and after each notification, with lock held; predicate must not park.
 * Returns 0 when predicate returned true, or an error as above.
 */
COIL_MUST_CHECK int coil_condition_wait_until(struct coil_condition *condition,
					      struct coil_lock *lock,
					      bool (*predicate)(void *arg), void *arg);

/*
 * Wake the n longest waiters, or all of them.  The woken tasks continue one by
 * one, as each gets the lock.  Return 0, also when there are no waiters; -EPERM
 * outside a task, or if there are waiters and the caller does not hold their
 * lock; -EINVAL for NULL. Never park, and ignore a pending cancellation.
 */
int coil_condition_notify(struct coil_condition *condition, size_t n);
int coil_condition_notify_all(struct coil_condition *condition);

#ifdef __cplusplus
}
#endif
#endif
