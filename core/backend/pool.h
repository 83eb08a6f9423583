/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_POOL_H
#define COIL_CORE_BACKEND_POOL_H

/*
 * Threads for calls that can only block.  Each loop has its own pool, which starts
 * threads when they are needed.  A job that may take for ever, and may be abandoned, has
 * a thread of its own.  All these threads block all signals.
 *
 * A pool has lanes, each with its own queue and a bounded number of threads.  Jobs that
 * are stuck in one lane hold up no other lane.
 */

#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/inbox.h"
#include <stdbool.h>

enum pool_lane {
	POOL_FUNCTIONS,		/* the program's functions, which may take for ever */
	POOL_OPS,		/* ops, which may wait for a disk */
	POOL_CALLS,		/* coil's own calls, which may wait for a peer */
	POOL_LANES,
};

/*
 * A job runs work() on a thread of the pool, then done() on the loop's thread.  The pool
 * owns it until done() runs or coil__pool_remove() returns true.
 */
struct job {
	void (*work)(struct job *job);
	void (*done)(struct coil_loop *loop, struct job *job);
	enum pool_lane lane;

	/* The fields below are the pool's. */
	struct coil_loop *loop;
	struct remote remote;
	struct link link;
	bool queued;			/* no thread has taken it yet */
};

/*
 * Queues job; the jobs of a lane begin in the order of their submission.  Returns 0;
 * -ENOMEM; or -EAGAIN if the lane has no thread and none could be started.
 */
int coil__pool_submit(struct coil_loop *loop, struct job *job);

/* Takes job back.  Returns false if a thread has taken it; then done() will run. */
bool coil__pool_remove(struct coil_loop *loop, struct job *job);

/* Ends the threads and waits for them.  The pool must have no job. */
void coil__pool_close(struct coil_loop *loop);

/*
 * Does op on a thread and completes it.  Returns 0; or -ENOMEM, and the caller is to
 * complete op.  If no thread can be started, does op in the loop's thread.
 */
int coil__pool_syscall(struct coil_loop *loop, struct op *op);

/* Takes op back and completes it.  Returns false if a thread has it; it completes later. */
bool coil__pool_cancel(struct coil_loop *loop, struct op *op);

/*
 * A detached job can be abandoned, because it may take for ever.  Each has a thread of
 * its own.  The process runs a limited number of each kind at a time; the others wait.
 * An abandoned job that still runs does not count, unless there are hundreds of them.
 *
 * exit(3) does not wait for a detached job, and the loop does not once the job is
 * abandoned.  So the job owns the memory that it works on.  After an abandonment
 * release() runs instead of done(), on any thread.
 */
enum detached_kind {
	ABANDONABLE_FUNCTIONS,
	ABANDONABLE_NAMES,		/* look-ups of names that servers answer */
	ABANDONABLE_HOSTS,		/* look-ups of names that a file of this machine answers */
	ABANDONABLE_CLOSES,	/* of files that may be slow to close */
	ABANDONABLE_KINDS,
};

struct abandonable_job {
	enum detached_kind kind;
	void (*work)(struct abandonable_job *job);
	void (*done)(struct coil_loop *loop, struct abandonable_job *job);
	void (*release)(struct abandonable_job *job);
	unsigned limit;			/* maximum of its kind at a time; 0: 16 */
	enum detached_kind then;	/* not 0 after work(): it runs again, as this kind */

	/* The fields below are the pool's. */
	struct coil_loop *loop;		/* NULL: abandoned, or started without a loop */
	struct remote remote;
	struct link link;
	bool given_up;			/* abandoned while it ran: see struct kind */
	enum { ABANDONABLE_QUEUED, ABANDONABLE_RUNNING, ABANDONABLE_SENT } state;
};

/*
 * Starts job.  Returns 0, or -EAGAIN if no thread could be started and no job of its
 * kind runs.  If loop is NULL, no loop waits for the job, and release() runs after it.
 */
int coil__pool_abandonable(struct coil_loop *loop, struct abandonable_job *job);

/* Abandons job: release() will run instead of done(), perhaps within this call. */
void coil__pool_abandon(struct abandonable_job *job);

/* Forgets the parent's threads and their jobs in the child of a fork. */
void coil__pool_forked(void);

#endif
