/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_INBOX_H
#define COIL_CORE_INBOX_H

/*
 * What other threads have for a loop to do.  They append it without a lock, and the
 * loop does it in that order.  Only a loop that sleeps is woken: one that is busy
 * looks by itself, in every pass.
 *
 * A thread counts as a sender from before it appends until after its wake-up, and
 * looks whether the inbox is closed once it counts: so a loop that has closed it, and
 * sees no sender, knows that nobody touches its engine any more.
 */

#include <stdatomic.h>
#include <stdbool.h>

struct coil_loop;

/* Something for the loop's own thread to do, from another one. */
struct remote {
	_Atomic(struct remote *) next;
	void (*run)(struct coil_loop *loop, struct remote *remote);
};

struct inbox {
	struct remote *first;		/* the loop's: the next to be done, or the stub */
	_Atomic(struct remote *) last;
	struct remote stub;		/* so that there is always a last */
	atomic_int state;		/* of the loop: see inbox.c */
	atomic_uint senders;
	atomic_bool closed;
};

void coil__inbox_open(struct inbox *inbox);

/*
 * Any thread's.
 */

/* 0, or -ESHUTDOWN (then it was not taken). */
int coil__loop_post(struct coil_loop *loop, struct remote *remote);

/* True: until end() the loop does not end.  False: it has. */
bool coil__inbox_begin(struct inbox *inbox);
void coil__inbox_end(struct inbox *inbox);

/* It shall look around: wakes it, if need be. */
void coil__inbox_call(struct coil_loop *loop);

/*
 * The loop's own.
 */

/* Before it sleeps: false if it was called and is to look. */
bool coil__inbox_sleep(struct inbox *inbox);

bool coil__inbox_called(const struct inbox *inbox);

/*
 * When it is up.  No more than so many in a pass: threads that send faster than we
 * can do it would keep all else waiting for longer and longer.
 */
void coil__inbox_run(struct coil_loop *loop, int most);

/* No more is accepted, nobody is at it any more, and what was accepted is done. */
void coil__inbox_close(struct coil_loop *loop);

#endif
