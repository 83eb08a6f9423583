/* SPDX-License-Identifier: MIT */
#ifndef COIL_SEMAPHORE_H
#define COIL_SEMAPHORE_H

/*
 * A number of permits for the tasks of one loop.  A release hands its permit to
 * the longest waiter, so a task that comes later cannot overtake it.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready for use and has no permits.  There is nothing to destroy. */
struct coil_semaphore {
	long value;		/* free permits; 0 while tasks wait */
	long bound;		/* if bounded: the maximum of value */
	bool bounded;
	struct coil_waitq waiters;
};

/*
 * Initialisers for a semaphore with n permits.  A bounded semaphore refuses a
 * release that would raise the number of free permits above n.
 */
#define COIL_SEMAPHORE(n) { (n), 0, false, { NULL, NULL, 0 } }
#define COIL_BOUNDED_SEMAPHORE(n) { (n), (n), true, { NULL, NULL, 0 } }

/*
 * Takes a permit.  Parks while there is none.  Returns 0.  On an error no
 * permit was taken:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if a
 *		permit is free) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: the semaphore was made with a negative n, or is NULL
 */
COIL_MUST_CHECK int coil_semaphore_acquire(struct coil_semaphore *semaphore);

/*
 * Takes a permit if one is free.  Returns 0, -EAGAIN if there is none, or
 * -EINVAL as above.  Never parks, ignores a pending cancellation, and works
 * outside a task.
 */
COIL_MUST_CHECK int coil_semaphore_try_acquire(struct coil_semaphore *semaphore);

/*
 * Adds a permit, which the caller need not have taken.  Returns 0.  On an error
 * the semaphore is unchanged:
 *	-ERANGE: a bounded semaphore has all its permits, or the number of
 *		permits would exceed LONG_MAX
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: as above
 * Never parks, ignores a pending cancellation, and works outside a task.
 */
int coil_semaphore_release(struct coil_semaphore *semaphore);

/* Returns whether an acquire would have to wait. */
bool coil_semaphore_locked(const struct coil_semaphore *semaphore);

#ifdef __cplusplus
}
#endif
#endif
