/* SPDX-License-Identifier: MIT */
#ifndef COIL_LOCK_H
#define COIL_LOCK_H

/*
 * Mutual exclusion between the tasks of a loop.  A release hands the lock to the
 * first waiter: nobody barges past.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is unlocked and ready.  Nothing to destroy. */
struct coil_lock {
	struct coil_task *owner;
	struct coil_waitq waiters;
};

/*
 * Takes the lock, parking while another task has it.  Returns 0; -EDEADLK if the
 * caller has it; -ECANCELED or -ETIMEDOUT when a request is pending at entry,
 * also if the lock is free, or arrives first: then it is not held.  -EPERM
 * outside a task, -EXDEV when its waiters belong to another loop.
 */
COIL_MUST_CHECK int coil_lock_acquire(struct coil_lock *lock);

/* Takes it if it is free: 0, else -EAGAIN (-EDEADLK, -EPERM).  Never parks. */
COIL_MUST_CHECK int coil_lock_try_acquire(struct coil_lock *lock);

/*
 * Gives it up: 0; -EPERM if the caller does not have it; -EXDEV when its waiters
 * belong to another loop: then it is still held.  Never parks.
 */
int coil_lock_release(struct coil_lock *lock);

bool coil_lock_locked(const struct coil_lock *lock);

#ifdef __cplusplus
}
#endif
#endif
