/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_PERFORM_H
#define COIL_CORE_PERFORM_H

/*
 * Performs an op with plain system calls: what the epoll engine is made of, and
 * what the uring engine does for an opcode that its ring lacks or is refused.
 *
 * What is remembered of an op between two tries lies in its sqe.user_data, which
 * must be 0 when the op starts and which an engine may change in its own copy of
 * the sqe only.
 */

#include "core/op.h"
#include "core/pool.h"
#include <stdbool.h>

/* How an op waits.  A try that says -EAGAIN may have found out more: ask again. */
enum perform_class {
	PERFORM_READY_IN,	/* until the fd can be read */
	PERFORM_READY_OUT,	/* until it can be written */
	PERFORM_NOW,		/* not at all */
	PERFORM_POOL,		/* it can only block: a thread has to do it */
	PERFORM_UNKNOWN,
};

enum perform_class coil__perform_class(const struct op *op);

/*
 * The fd to wait for and the events, as poll(2) has them, after a try that said
 * -EAGAIN.  No events: no readiness will tell, try again some milliseconds later.
 */
int coil__perform_fd(const struct op *op);
short coil__perform_events(const struct op *op);

/* Does it without blocking: the result, or a negative errno. */
int coil__perform_try(struct op *op);

/* Its fd cannot be waited for: from now on it is for the pool. */
void coil__perform_unpollable(struct op *op);

/* Whether its owner wants to hear -EAGAIN, not to wait. */
bool coil__perform_nowait(const struct op *op);

/*
 * Does it, however long it takes.  -EAGAIN of an op whose class is no longer
 * PERFORM_POOL: it has to wait again, and is better tried anew.
 */
int coil__perform_block(struct op *op);

/* What an op that was cancelled between two tries has to say: bytes, or -ECANCELED. */
int coil__perform_cancelled(const struct op *op);

/* One op on its way through the pool. */
struct perform_job {
	struct job job;
	struct op *op;
	int res;
};

#endif
