/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_URING_H
#define COIL_CORE_URING_H

/*
 * What uring.c and uring_setup.c share.
 */

#include "core/list.h"
#include "core/uring_abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coil_loop;
struct coil_options;

/* The user_data of the loop's own operations; all others are addresses of ops. */
enum tag { TAG_IGNORE, TAG_TIMEOUT, TAG_MOVE, TAG_WAKE, TAG_TEST, TAG_LAST };

struct uring {
	struct io_uring ring;
	struct coil_loop *loop;
	unsigned flags;				/* of the set-up that was had */
	bool registered;			/* entered by an index, not by its fd */
	unsigned disabled;			/* IORING_SETUP_R_DISABLED, to restrict it; or 0 */
	bool small;				/* its completion ring, for want of memory */
	int wake_fd;
	bool wake_armed;
	uint64_t wake_value;
	int64_t armed;				/* the deadline in the ring */
	struct __kernel_timespec deadline;
	struct list backlog;			/* ops that wait for room in the ring */
	uint32_t sequence;			/* of the next op that is put into the ring */
	uint32_t oldest;			/* sequence of the oldest op in late */
	unsigned cancels;			/* put into the ring in this pass */
	struct list late;			/* cancels for later passes, as they came */
	struct list sorted;			/* ... and the newest op first */
	bool no_edges;				/* the kernel has no multishot poll */
	bool refused[256];			/* opcodes to perform otherwise */
};

/*
 * Sets the ring up as options says and tries what there is no loop without.  Returns 0
 * or a negative errno, and writes why, or what the ring has to do without, to reason.
 */
int coil__uring_set_up(struct uring *uring, const struct coil_options *options,
		       char *reason, size_t size);

#endif
