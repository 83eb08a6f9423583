/* SPDX-License-Identifier: MIT */
#ifndef COIL_LOCK_H
#define COIL_LOCK_H

/*
 * Mutual exclusion between the tasks of one loop.  A release hands the lock to
 * the longest waiter, so a task that comes later cannot overtake it.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is unlocked and ready for use.  There is nothing to destroy. */
struct coil_lock {
	struct coil_task *owner;
	struct coil_waitq waiters;
};

/*
 * Takes the lock.  Parks while another task holds it.  Returns 0.  On an error
 * the lock was not taken:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if the
 *		lock is free) or ended the wait
 *	-EDEADLK: the caller already holds the lock
 *	-EPERM: the caller is not a task
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: lock is NULL
 */
COIL_MUST_CHECK int coil_lock_acquire(struct coil_lock *lock);

/*
 * Takes the lock if it is free.  Returns 0, or -EAGAIN if another task holds
 * it.  Otherwise -EDEADLK, -EPERM and -EINVAL as above.  Never parks, and
 * ignores a pending cancellation.
 */
COIL_MUST_CHECK int coil_lock_try_acquire(struct coil_lock *lock);

/*
 * Releases the lock.  Returns 0.  On an error the lock is unchanged:
 *	-EPERM: the caller does not hold the lock
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: lock is NULL
 * Never parks, and ignores a pending cancellation.
 */
int coil_lock_release(struct coil_lock *lock);

/* Returns whether a task holds the lock. */
bool coil_lock_locked(const struct coil_lock *lock);

#ifdef __cplusplus
}
#endif
#endif
