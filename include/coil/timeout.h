/* SPDX-License-Identifier: MIT */
#ifndef COIL_TIMEOUT_H
#define COIL_TIMEOUT_H

/*
 * Deadlines are scopes around ordinary calls:
 *
 *	COIL_TIMEOUT(2 * COIL_SECOND) {
 *		n = coil_recv(fd, buf, sizeof(buf), 0);
 *		...
 *	}
 *
 * Once the deadline has been noticed every parking call inside returns
 * -ETIMEDOUT, until the scope is left.  A timeout lives on the stack of the task
 * that began it.  That task must end it, after the timeouts that were begun in it.
 */

#include <coil/cdefs.h>
#include <coil/scope.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready. */
struct coil_timeout {
	struct coil_scope scope;
};

/*
 * Opens the scope; its deadline is ns from now, at once when ns <= 0, none when
 * COIL_FOREVER.  Returns 0; -EPERM outside a task; -EINVAL when it is open or
 * was used and not set to {0} again; -ENOMEM.  Never parks.
 */
int coil_timeout_begin(struct coil_timeout *timeout, int64_t ns);

/*
 * Moves the deadline of an open timeout to the instant when (COIL_FOREVER:
 * none).  Returns 0; -EINVAL when it is not open or has expired; -EPERM from
 * another task; -ENOMEM (then the old deadline stands).  Never parks.
 */
int coil_timeout_reschedule(struct coil_timeout *timeout, int64_t when);

/*
 * Leaves the scope.  Returns -ETIMEDOUT if a parking call inside returned it on
 * this scope's account, else 0.  -EBUSY if a timeout or a shield that was begun in
 * it is still open: end that first; nothing has changed.  -EINVAL when it is not
 * open; -EPERM from another task.  Never parks.
 */
int coil_timeout_end(struct coil_timeout *timeout);

/* Whether the deadline passed and was noticed while the scope was open. */
bool coil_timeout_expired(const struct coil_timeout *timeout);

/* The deadline on coil_now()'s clock; COIL_FOREVER when there is none. */
int64_t coil_timeout_when(const struct coil_timeout *timeout);

/*
 * Opens a shield: until it is left, calls inside do not return a cancel or an expiry of
 * a scope outside, so that the task can finish its work.  The shield covers the calls
 * inside and the groups whose first child is made inside.
 *
 * ns is how long the work may take once such a cancel or expiry arrives; if one is
 * pending at the entry, from the entry on.  After that calls inside return -ETIMEDOUT.
 * Until one arrives there is no limit; with COIL_FOREVER there is never one.
 * coil_timeout_reschedule() sets a fixed deadline instead.  If there is no memory for a
 * timer when the limit begins, the limit has passed at once.
 *
 * Returns 0; -EPERM outside a task; -EINVAL when it is open or was used and not set to
 * {0} again.  The task ends it by coil_timeout_end().  Never parks.
 */
int coil_shield_begin(struct coil_timeout *shield, int64_t ns);

/*
 * What the block macros are made of.  Where there is no memory for the limit it has
 * passed already: a block without one might never end.
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
 * Ends it if it is open; the block macros call it.  Ends the process by abort(3), with a
 * message, if coil_timeout_end() returns -EBUSY.
 */
void coil_timeout_leave(struct coil_timeout *timeout);

#define COIL_SCOPE_BLOCK(enter, name, ns)					\
	for (struct coil_timeout name COIL_CLEANUP(coil_timeout_leave) = COIL_ZERO, \
	     *COIL_UNIQUE(once) = enter(&name, (ns));				\
	     COIL_UNIQUE(once); COIL_UNIQUE(once) = NULL)

/* Runs the block under a deadline; break, return and goto leave it cleanly. */
#define COIL_TIMEOUT(ns) COIL_SCOPE_BLOCK(coil_timeout_enter, COIL_UNIQUE(timeout), ns)

/* Runs the block in a shield: at most ns once a cancel or an expiry has arrived. */
#define COIL_SHIELD(ns) COIL_SCOPE_BLOCK(coil_shield_enter, COIL_UNIQUE(shield), ns)

#ifdef __cplusplus
}
#endif
#endif
