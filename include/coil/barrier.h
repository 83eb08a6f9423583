/* SPDX-License-Identifier: MIT */
#ifndef COIL_BARRIER_H
#define COIL_BARRIER_H

/*
 * A barrier makes a fixed number of tasks of one loop wait for each other,
 * round after round.  A task may come back while tasks of the previous round
 * are still leaving.  It then waits for them to leave, and counts in the next
 * round.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Must stay in place until all tasks that came have left. */
struct coil_barrier {
	int parties;
	int leaving;		/* tasks woken that have not returned yet */
	bool broken;
	bool failing;		/* the leaving tasks return an error */
	uintptr_t thread;	/* the thread of the waiting tasks */
	struct coil_waitq waiting;
};

#define COIL_BARRIER(parties) { (parties), 0, false, false, 0, { NULL, NULL, 0 } }

/*
 * Parks until parties tasks have come.  The last of them does not park.
 *
 * Returns the caller's place in the round: 0 for the first task to come,
 * parties - 1 for the last, a different number for each.  On an error:
 *	-ENOTRECOVERABLE: the barrier is broken; or, before the caller returned,
 *		it was broken or the caller's round was reset
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry, or ended
 *		the wait.  The caller then does not count; the others continue
 *		to wait.
 *	-EPERM: the caller is not a task
 *	-EXDEV: tasks of another loop wait here
 *	-EINVAL: parties is not positive, or barrier is NULL
 */
COIL_MUST_CHECK int coil_barrier_wait(struct coil_barrier *barrier);

/*
 * Puts the barrier back into its initial state.  Tasks of the current round,
 * waiting or leaving, return -ENOTRECOVERABLE.  Tasks that already wait for the
 * next round stay.  Returns 0; -EXDEV or -EINVAL as above.  Never parks.
 */
int coil_barrier_reset(struct coil_barrier *barrier);

/*
 * Breaks the barrier.  Until a reset, all tasks that wait here or come here
 * return -ENOTRECOVERABLE.  Returns 0; -EXDEV or -EINVAL as above.  Never
 * parks.
 */
int coil_barrier_abort(struct coil_barrier *barrier);

/*
 * Returns how many tasks wait for this round to be complete, which is 0 while
 * the tasks of a complete round leave; -EINVAL for NULL.
 */
int coil_barrier_n_waiting(const struct coil_barrier *barrier);

/* Returns whether the barrier is broken. */
bool coil_barrier_broken(const struct coil_barrier *barrier);

#ifdef __cplusplus
}
#endif
#endif
