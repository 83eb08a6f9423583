/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_POOL_H
#define COIL_CORE_POOL_H

/*
 * Threads for what can only block.  A loop has a pool of its own, which starts
 * threads as they are needed; what may take for ever, and may be abandoned, has
 * a thread to itself.  All signals are blocked in them.
 *
 * The pool has lanes, each with a queue and a bounded number of threads of its
 * own, so that what is stuck in one holds up none of the others.
 */

#include "core/list.h"
#include "core/loop.h"
#include <stdbool.h>

enum pool_lane {
	POOL_FUNCTIONS,		/* the user's, which may take for ever */
	POOL_OPS,		/* what a disk has to answer */
	POOL_CALLS,		/* of ours, which may wait for a peer */
	POOL_LANES,
};

/*
 * Something to do: work on a thread, then done on the loop's own.  It is the
 * pool's until done runs, or until it was removed.
 */
struct job {
	void (*work)(struct job *job);
	void (*done)(struct coil_loop *loop, struct job *job);
	enum pool_lane lane;

	/* The pool's. */
	struct coil_loop *loop;
	struct remote remote;
	struct link link;
	bool queued;			/* no thread has taken it yet */
};

/*
 * Queues job; jobs of a lane begin in this order.  0; -ENOMEM; -EAGAIN when no
 * thread could be started and the lane has none.
 */
int coil__pool_submit(struct coil_loop *loop, struct job *job);

/* Takes it back: false if it has begun, then done will run. */
bool coil__pool_remove(struct coil_loop *loop, struct job *job);

/* Ends the threads.  No job may be left. */
void coil__pool_close(struct coil_loop *loop);

/*
 * Performs op on a thread and completes it.  0 or as above.  coil__pool_cancel
 * takes it back and completes it; false if it has begun, then it will complete.
 */
int coil__pool_perform(struct coil_loop *loop, struct op *op);
bool coil__pool_cancel(struct coil_loop *loop, struct op *op);

/*
 * A job that can be abandoned, as nobody can say how long it takes.  Each has a
 * thread of its own, but only so many of a kind at a time in the process; the
 * others wait.  One that was abandoned and still runs does not count, unless there
 * are hundreds of them.
 * Neither the loop, once it was abandoned, nor exit(3) waits for it.  It owns
 * what it works on: if it was abandoned release runs instead of done, on any
 * thread.
 */
enum detached_kind {
	DETACHED_FUNCTIONS,
	DETACHED_NAMES,		/* which servers have to answer */
	DETACHED_HOSTS,		/* which a file of this machine answers */
	DETACHED_CLOSES,	/* of files that may be slow to close */
	DETACHED_KINDS,
};

struct detached {
	enum detached_kind kind;
	void (*work)(struct detached *job);
	void (*done)(struct coil_loop *loop, struct detached *job);
	void (*release)(struct detached *job);
	unsigned limit;			/* of its kind at a time; 0: 16 */
	enum detached_kind then;	/* set by work: it is to run again, as one of these */

	/* The pool's. */
	struct coil_loop *loop;		/* NULL: abandoned */
	struct remote remote;
	struct link link;
	bool given_up;			/* abandoned while it ran, and counted so */
	enum { DETACHED_QUEUED, DETACHED_RUNNING, DETACHED_SENT } state;
};

/*
 * 0, or -EAGAIN when no thread could be started and none of the kind is running.  With
 * NULL for the loop nobody waits for the job, and release runs when it has ended.
 */
int coil__pool_detached(struct coil_loop *loop, struct detached *job);

/* done will not run any more; release will, perhaps at once. */
void coil__pool_abandon(struct detached *job);

/* In the child of a fork. */
void coil__pool_forked(void);

#endif
