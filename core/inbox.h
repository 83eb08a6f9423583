/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_INBOX_H
#define COIL_CORE_INBOX_H

/*
 * What other threads have for a loop to do.  They push it on a stack, without a
 * lock; the loop takes all of it, and does it in the order in which it came.  Only
 * a loop that sleeps is woken: one that is busy looks by itself, in every pass.
 *
 * A thread counts as a sender from before its push until after its wake-up, so that
 * a loop that is ending knows when nobody touches its engine any more.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coil_loop;

/* Something for the loop's own thread to do, from another one. */
struct remote {
	struct remote *next;
	void (*run)(struct coil_loop *loop, struct remote *remote);
};

struct inbox {
	struct remote *taken;		/* the loop's, and yet to be done */
	_Atomic(struct remote *) sent;	/* last first; or that there will be no more */
	atomic_int state;		/* of the loop: see inbox.c */
	atomic_uint senders;
};

/*
 * Any thread's.
 */

/* 0, or -ESHUTDOWN (then it was not taken). */
int coil__loop_post(struct coil_loop *loop, struct remote *remote);

/* Between these the loop does not end, unless begin() says that it has already. */
bool coil__inbox_begin(struct inbox *inbox);
void coil__inbox_end(struct inbox *inbox);

/* It shall look around: wakes it, if need be. */
void coil__inbox_call(struct coil_loop *loop);

/*
 * The loop's own.
 */

/* Before it sleeps, and whenever it is up: false if it was called and is to look. */
bool coil__inbox_sleep(struct inbox *inbox);
void coil__inbox_take(struct inbox *inbox);

bool coil__inbox_called(const struct inbox *inbox);

/*
 * No more than so many in a pass: threads that send faster than we can do it would
 * keep all else waiting for longer and longer.
 */
void coil__inbox_run(struct coil_loop *loop, int most);

/* No more is accepted; what was is taken, and nobody is at it any more. */
void coil__inbox_close(struct inbox *inbox);

#endif
