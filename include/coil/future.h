/* SPDX-License-Identifier: MIT */
#ifndef COIL_FUTURE_H
#define COIL_FUTURE_H

/*
 * A result that somebody will set once and any number of tasks wait for.
 * Belongs to one loop.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready and not set.  Nothing to destroy. */
struct coil_future {
	bool done;
	int result;
	struct coil_waitq waiters;
};

/*
 * Sets the result and wakes who waits, in order.  Returns 0; -EALREADY if it was
 * set, and the first result stays; -EXDEV, and nothing is set, when tasks of another
 * loop wait for it.  Never parks.  Once it is set it may go, though those who waited
 * have yet to run.
 */
int coil_future_set(struct coil_future *future, int result);

/*
 * Waits until it is set and returns the result.  -ECANCELED or -ETIMEDOUT when a
 * request is pending at entry or comes first (a result of that value looks the
 * same: coil_future_done() tells); -EPERM outside a task.
 */
COIL_MUST_CHECK int coil_future_wait(struct coil_future *future);

bool coil_future_done(const struct coil_future *future);
int coil_future_result(const struct coil_future *future);	/* -EINPROGRESS until done */

#ifdef __cplusplus
}
#endif
#endif
