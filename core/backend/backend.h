/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_BACKEND_H
#define COIL_CORE_BACKEND_BACKEND_H

/*
 * A backend runs a loop's ops and waits for their completions.  uring.c and epoll.c do
 * so with the kernel; tests/sim.c simulates a kernel and its clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coil_loop;
struct coil_options;
struct op;

struct backend {
	const char *name;

	/*
	 * Returns 0 or a negative errno.  Writes a text of at most size bytes to reason:
	 * on success what the kernel lacks ("" if nothing), on failure what it refused.
	 */
	int (*open)(struct coil_loop *loop, const struct coil_options *options,
		    char *reason, size_t size);

	/* Frees what open() made.  No op may be in flight. */
	void (*close)(struct coil_loop *loop);

	/*
	 * Does op at once if that needs no wait, and returns true with the result in
	 * op->res.  Returns false if nothing was done: op is to be submitted.  NULL if
	 * submit() is as fast.
	 */
	bool (*attempt)(struct coil_loop *loop, struct op *op);

	/*
	 * Starts op.  Calls coil__op_complete() exactly once without IORING_CQE_F_MORE,
	 * from poll() or from within submit() itself.
	 */
	void (*submit)(struct coil_loop *loop, struct op *op);

	/*
	 * Cancels op.  op still completes once, with its result or -ECANCELED, perhaps
	 * from within cancel().
	 */
	void (*cancel)(struct coil_loop *loop, struct op *op);

	/*
	 * Completes ops.  If none has completed, sleeps until one does, until wake() or
	 * until the deadline, an instant on coil_now()'s clock (0: do not sleep;
	 * COIL_FOREVER: no deadline).  Sets loop->io.more if more completions may be ready.
	 */
	void (*poll)(struct coil_loop *loop, int64_t deadline);

	/* Makes the present or the next poll() return.  Any thread may call it. */
	void (*wake)(struct coil_loop *loop);
};

extern const struct backend coil__uring;
extern const struct backend coil__epoll;

/* A loop tries them in order, until NULL.  Tests add theirs in the last place. */
extern const struct backend *coil__backends[4];

#endif
