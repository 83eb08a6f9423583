/* SPDX-License-Identifier: MIT */
#ifndef COIL_SEMAPHORE_H
#define COIL_SEMAPHORE_H

/*
 * A number of permits for the tasks of a loop.  A permit that is given back goes
 * to the first waiter: nobody barges past.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready and has no permit; the macros give it some. */
struct coil_semaphore {
	long value;		/* free permits; while tasks wait there is none */
	long bound;		/* of a bounded one: as many as there may be */
	bool bounded;
	struct coil_waitq waiters;
};

/* n permits; the second refuses to be given back more than were taken. */
#define COIL_SEMAPHORE(n) { (n), 0, false, { NULL, NULL, 0 } }
#define COIL_BOUNDED_SEMAPHORE(n) { (n), (n), true, { NULL, NULL, 0 } }

/*
 * Takes a permit, parking while there is none.  Returns 0; -ECANCELED or
 * -ETIMEDOUT when a request is pending at entry, also if a permit is free, or
 * comes first: then none was taken.  -EPERM outside a task; -EXDEV when its
 * waiters belong to another loop; -EINVAL if it was made with a negative n.
 */
COIL_MUST_CHECK int coil_semaphore_acquire(struct coil_semaphore *semaphore);

/* Takes one if it is free: 0, else -EAGAIN (-EINVAL).  Never parks. */
COIL_MUST_CHECK int coil_semaphore_try_acquire(struct coil_semaphore *semaphore);

/*
 * Gives a permit back, which need not be one's own: 0; -ERANGE if a bounded one
 * has them all, or no long could count them; -EXDEV; -EINVAL.  On an error
 * nothing has changed.  Never parks.
 */
int coil_semaphore_release(struct coil_semaphore *semaphore);

/* Whether an acquire would have to wait. */
bool coil_semaphore_locked(const struct coil_semaphore *semaphore);

#ifdef __cplusplus
}
#endif
#endif
