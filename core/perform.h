/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_PERFORM_H
#define COIL_CORE_PERFORM_H

/*
 * Performs an op with plain system calls: what the epoll engine is made of, and
 * what the uring engine does for an opcode that its ring lacks or is refused.
 *
 * What is remembered of an op between two tries lies in its sqe.user_data, which
 * must be 0 when the op starts; an engine changes it in a copy of its own only.
 */

#include "core/op.h"
#include <stdbool.h>

/* How an op waits.  After a try that said -EAGAIN more is known: ask again. */
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
 * -EAGAIN.  No events: nothing will tell, try again some milliseconds later.
 */
int coil__perform_fd(const struct op *op);
short coil__perform_events(const struct op *op);

/* How many bytes a read or write of any kind asks for. */
size_t coil__op_length(const struct op *op);

/* Whether op is a read or write of any kind. */
bool coil__move_is(const struct op *op);

/*
 * Whether io_uring does such an op as the system call would: returns 0, or -EAGAIN if
 * it has to be performed otherwise, or what the system call returns to its offset.
 * The ring moves a file's position without the file's lock (Linux 6.18), so two
 * users of one position both write to the same place; and it passes over an offset in
 * a pipe.
 */
int coil__move_check(const struct op *op);

/* Does it without blocking: the result, or a negative errno. */
int coil__perform_try(struct op *op);

/*
 * Reads from a place in a file what is in memory, if all of it is: true, with its
 * result in res.  False: nothing was done.
 */
bool coil__perform_cached(struct coil_loop *loop, struct op *op);

/* Its fd cannot be waited for: from now on it is for the pool. */
void coil__perform_unpollable(struct op *op);

/* Whether its owner wants to hear -EAGAIN, not to wait. */
bool coil__perform_nowait(const struct op *op);

/*
 * Does it, however long it takes.  -EAGAIN of an op whose class is no longer
 * PERFORM_POOL: it has to wait again, and is better tried anew.
 */
int coil__perform_block(struct op *op);

/* What one that was cancelled after a try has to say: bytes, or -ECANCELED. */
int coil__perform_cancelled(const struct op *op);

#endif
