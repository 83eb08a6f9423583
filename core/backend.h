/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_H
#define COIL_CORE_BACKEND_H

/*
 * What a loop asks of the kernel.  uring.c and epoll.c answer in production;
 * tests/sim.c answers with a clock that obeys.
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
	 * 0 or a negative errno, and why in at most size bytes: on success what it
	 * had to do without ("" if nothing), on failure what was refused.
	 */
	int (*open)(struct coil_loop *loop, const struct coil_options *options,
		    char *reason, size_t size);

	/* Nothing is in flight any more. */
	void (*close)(struct coil_loop *loop);

	/*
	 * Do op at once if that needs no wait: true, with its result in res.  False:
	 * submit it, nothing was done.  NULL where submit is as good.
	 */
	bool (*attempt)(struct coil_loop *loop, struct op *op);

	/*
	 * Start op.  Its complete() is called exactly once without IORING_CQE_F_MORE,
	 * from poll() or from within submit() itself.
	 */
	void (*submit)(struct coil_loop *loop, struct op *op);

	/*
	 * Ask for op's early end.  It still completes, once, with whatever came
	 * first; possibly from within cancel().
	 */
	void (*cancel)(struct coil_loop *loop, struct op *op);

	/*
	 * Report completions.  If there are none sleep until there is one, a wake()
	 * or the deadline, an instant on coil_now()'s clock (0: do not sleep;
	 * COIL_FOREVER: there is none).  loop->more says whether there may be more of
	 * them by now.
	 */
	void (*poll)(struct coil_loop *loop, int64_t deadline);

	/* Make poll() return, now or the next time.  Safe from any thread. */
	void (*wake)(struct coil_loop *loop);
};

extern const struct backend coil__uring;
extern const struct backend coil__epoll;

/* Tried in order; NULL ends.  Tests add theirs in the last place. */
extern const struct backend *coil__backends[4];

#endif
