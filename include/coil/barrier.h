/* SPDX-License-Identifier: MIT */
#ifndef COIL_BARRIER_H
#define COIL_BARRIER_H

/*
 * A place where a number of a loop's tasks wait for each other, round after
 * round.  Who comes back while tasks of the old round are still on their way out
 * waits for them first.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Must stay until all who came have left. */
struct coil_barrier {
	int parties;
	int leaving;		/* woken, and not yet back from coil_barrier_wait */
	bool broken;
	bool failing;		/* those who leave do so with an error */
	uintptr_t thread;	/* whose tasks they are */
	struct coil_waitq waiting;
};

#define COIL_BARRIER(parties) { (parties), 0, false, false, 0, { NULL, NULL, 0 } }

/*
 * Parks until parties tasks have come.  Returns a number from 0, for the first,
 * to parties - 1, another one for each; -ENOTRECOVERABLE when the barrier is
 * broken, or reset while the task is inside; -ECANCELED or -ETIMEDOUT when a
 * request is pending at entry or comes first: then the task does not count, and
 * the others wait on.  -EPERM outside a task; -EXDEV when tasks of another loop
 * wait there; -EINVAL unless parties is positive.
 */
COIL_MUST_CHECK int coil_barrier_wait(struct coil_barrier *barrier);

/*
 * Makes it as new: those inside get -ENOTRECOVERABLE, those who wait for the
 * next round stay for it.  0 or -EXDEV.  Never parks.
 */
int coil_barrier_reset(struct coil_barrier *barrier);

/* Breaks it, until a reset, for all who wait or come.  0 or -EXDEV.  Never parks. */
int coil_barrier_abort(struct coil_barrier *barrier);

/* How many wait for this round to be complete; whether it was broken. */
int coil_barrier_n_waiting(const struct coil_barrier *barrier);
bool coil_barrier_broken(const struct coil_barrier *barrier);

#ifdef __cplusplus
}
#endif
#endif
