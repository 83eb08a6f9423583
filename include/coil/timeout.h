/* SPDX-License-Identifier: MIT */
#ifndef COIL_TIMEOUT_H
#define COIL_TIMEOUT_H

/*
 * A time-out is a scope with a deadline around ordinary calls:
 *
 *	COIL_TIMEOUT(2 * COIL_SECOND) {
 *		n = coil_recv(fd, buf, sizeof(buf), 0);
 *		...
 *	}
 *
 * Once the deadline has expired, every parking call inside returns -ETIMEDOUT
 * until the scope is left.  A time-out lies in a frame of the task that began
 * it.  That task must end it, after the time-outs that were begun inside it.
 */

#include <coil/cdefs.h>
#include <coil/scope.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready to use. */
struct coil_timeout {
	struct coil_scope scope;
};

/*
 * Opens the scope.  The deadline is ns nanoseconds from now.  If ns <= 0 it has
 * expired already.  With COIL_FOREVER there is none.  Returns 0.  On an error
 * the scope is not open:
 *	-EPERM: the caller is not a task
 *	-EINVAL: the time-out is open, was used and not set to {0} again, or is
 *		NULL
 *	-ENOMEM: there is no memory for a timer
 * Never parks, and ignores a pending cancellation.
 */
int coil_timeout_begin(struct coil_timeout *timeout, int64_t ns);

/*
 * Moves the deadline of an open time-out to the instant when.  COIL_FOREVER
 * removes it.  Returns 0.  On an error the old deadline stays:
 *	-EINVAL: the time-out is not open, has expired, or is NULL
 *	-EPERM: another task began the time-out
 *	-ENOMEM: there is no memory for a timer
 * Never parks, and ignores a pending cancellation.
 */
int coil_timeout_reschedule(struct coil_timeout *timeout, int64_t when);

/*
 * Ends the scope.  Returns -ETIMEDOUT if a parking call inside returned it
 * because of this time-out, otherwise 0.  On a misuse the scope is unchanged:
 *	-EBUSY: a time-out or a shield that was begun inside is still open; end
 *		it first
 *	-EINVAL: the time-out is not open, or is NULL
 *	-EPERM: another task began the time-out
 * Never parks, and ignores a pending cancellation.
 */
int coil_timeout_end(struct coil_timeout *timeout);

/*
 * Returns whether the loop or a parking call noticed the expiry while the scope
 * was open.
 */
bool coil_timeout_expired(const struct coil_timeout *timeout);

/*
 * Returns the deadline on the clock of coil_now(), COIL_FOREVER if there is
 * none.
 */
int64_t coil_timeout_when(const struct coil_timeout *timeout);

/*
 * Opens a shield.  Until it is ended, calls inside do not return a cancellation
 * of a scope outside, so that the task can finish its work.  The shield covers
 * the calls inside and the groups whose first child is made inside.
 *
 * ns limits the work once such a cancellation has arrived.  The limit begins
 * when it arrives, or at entry if one is pending.  After the limit, calls
 * inside return -ETIMEDOUT.  With COIL_FOREVER there is no limit.
 * coil_timeout_reschedule() sets a fixed deadline instead.  If there is no
 * memory for a timer when the limit begins, the limit has passed at once.
 *
 * coil_timeout_end() ends the shield.  Returns 0.  On an error the shield is
 * not open:
 *	-EPERM: the caller is not a task
 *	-EINVAL: the shield is open, was used and not set to {0} again, or is
 *		NULL
 * Never parks, and ignores a pending cancellation.
 */
int coil_shield_begin(struct coil_timeout *shield, int64_t ns);

/*
 * The block macros call these.  If there is no memory for a timer, the deadline
 * of the block has expired at once: a block without a deadline might never end.
 */
static inline struct coil_timeout *coil_timeout_enter(struct coil_timeout *timeout,
						      int64_t ns)
{
	if (coil_timeout_begin(timeout, ns) == -ENOMEM)
		coil_timeout_begin(timeout, 0);
	return timeout;
}

static inline struct coil_timeout *coil_shield_enter(struct coil_timeout *timeout,
						     int64_t ns)
{
	coil_shield_begin(timeout, ns);
	return timeout;
}

/*
 * Ends the scope if it is open.  The block macros call it.  Ends the process
 * with a message and abort(3) if coil_timeout_end() returns -EBUSY.
 */
void coil_timeout_leave(struct coil_timeout *timeout);

#define COIL_SCOPE_BLOCK(enter, name, once, ns)					\
	for (struct coil_timeout name COIL_CLEANUP(coil_timeout_leave) = COIL_ZERO, \
	     *once = enter(&name, (ns)); once; once = NULL)

/*
 * Runs the block in a time-out.  break, return and goto leave the block and end
 * it.
 */
#define COIL_TIMEOUT(ns)							\
	COIL_SCOPE_BLOCK(coil_timeout_enter, COIL_UNIQUE(timeout), COIL_UNIQUE(once), ns)

/*
 * Runs the block in a shield, for at most ns once a cancellation has arrived.
 */
#define COIL_SHIELD(ns)								\
	COIL_SCOPE_BLOCK(coil_shield_enter, COIL_UNIQUE(shield), COIL_UNIQUE(once), ns)

#ifdef __cplusplus
}
#endif
#endif
