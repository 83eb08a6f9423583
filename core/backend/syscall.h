/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_SYSCALL_H
#define COIL_CORE_BACKEND_SYSCALL_H

/*
 * The system-call fallback: does an op with plain system calls.  The epoll backend does
 * all its ops so, and the io_uring backend those that its ring lacks or refuses.
 *
 * The state of an op between two tries is in its sqe.user_data.  It must be 0 when the
 * op starts.  A backend that needs another value there sets it in a copy of the sqe.
 */

#include "core/backend/op.h"
#include <stdbool.h>

/* How an op waits.  A try that returned -EAGAIN may have changed it: ask again. */
enum syscall_class {
	SYSCALL_READY_IN,	/* until the fd can be read */
	SYSCALL_READY_OUT,	/* until the fd can be written */
	SYSCALL_NOW,		/* not at all */
	SYSCALL_POOL,		/* in a thread, because the call can only block */
	SYSCALL_UNKNOWN,	/* the fallback does not know the opcode */
};

enum syscall_class coil__syscall_class(const struct op *op);

/*
 * Return the fd and the events of poll(2) to wait for, after a try that returned
 * -EAGAIN.  Events of 0: no event shows when op may succeed, so it is to be tried again
 * some milliseconds later.
 */
int coil__syscall_fd(const struct op *op);
short coil__syscall_events(const struct op *op);

/* Returns the length in bytes of a read or write, the sum of its buffers. */
size_t coil__op_length(const struct op *op);

/* Returns whether op is a read or write, plain or with an array of buffers. */
bool coil__move_is(const struct op *op);

/*
 * Returns 0 if io_uring does a read or write as the system call would, -EAGAIN if the
 * fallback must do it, or the error that the system call returns for its offset.
 *
 * The ring moves a file's position without the file's lock (Linux 6.18), so two users of
 * one position would both write to the same place.  And the ring ignores an offset on a
 * pipe, which the system call refuses.
 */
int coil__move_check(const struct op *op);

/* Does op without blocking.  Returns its result, or -EAGAIN if it would block. */
int coil__syscall_try(struct op *op);

/*
 * Does a read at an offset of a file if all its bytes are in memory.  Returns true with
 * the result in op->res, or false if op is still to be done.
 */
bool coil__syscall_cached(struct coil_loop *loop, struct op *op);

/* Changes op's class to SYSCALL_POOL: its fd cannot be polled. */
void coil__syscall_unpollable(struct op *op);

/* Returns whether op's owner wants -EAGAIN instead of a wait. */
bool coil__syscall_nowait(const struct op *op);

/*
 * Does op, and blocks as long as it takes; for a thread of the pool.  Returns its result.
 * -EAGAIN with a class that is no longer SYSCALL_POOL: op must wait for its fd again, and
 * the backend is to submit it again.
 */
int coil__syscall_block(struct op *op);

/* Returns the result of an op cancelled between two tries: bytes moved, or -ECANCELED. */
int coil__syscall_cancelled(const struct op *op);

#endif
