/* SPDX-License-Identifier: MIT */
#ifndef COIL_CONDITION_H
#define COIL_CONDITION_H

/*
 * Waiting, under a lock, for what the lock protects to change.  A wait gives the
 * lock up and has it again on every return, also when it was cancelled.
 */

#include <coil/cdefs.h>
#include <coil/lock.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready.  Nothing to destroy. */
struct coil_condition {
	struct coil_waitq waiters;
	struct coil_lock *lock;		/* that those who wait gave up */
};

/*
 * Gives lock up, parks until notified, and takes it back: that last wait cannot
 * be cancelled.  Returns 0 once notified, also when a request arrived since: a
 * notification is never lost.  -ECANCELED or -ETIMEDOUT when a request is
 * pending at entry (then the lock was not given up) or comes first; -EPERM if
 * the caller does not have the lock; -EINVAL while others wait with another
 * lock; -EXDEV when they belong to another loop.
 */
COIL_MUST_CHECK int coil_condition_wait(struct coil_condition *condition,
					struct coil_lock *lock);

/*
 * Waits until predicate(arg), which is called with the lock held and must not
 * park, is true; it is asked first.  Returns 0 when it is, else as above.
 */
COIL_MUST_CHECK int coil_condition_wait_until(struct coil_condition *condition,
					      struct coil_lock *lock,
					      bool (*predicate)(void *arg), void *arg);

/*
 * Wakes the first n waiters, or all; they go on one by one as they get the lock.
 * Returns 0, also when nobody waits; -EPERM outside a task, or if tasks wait
 * whose lock the caller does not have.  Never parks.
 */
int coil_condition_notify(struct coil_condition *condition, size_t n);
int coil_condition_notify_all(struct coil_condition *condition);

#ifdef __cplusplus
}
#endif
#endif
