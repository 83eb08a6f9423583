/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_URING_H
#define COIL_CORE_BACKEND_URING_H

/*
 * The state of a ring, shared by uring.c and uring_setup.c.
 */

#include "core/task/list.h"
#include "core/backend/uring_abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coil_loop;
struct coil_options;

/* The user_data of the loop's own operations.  Any other value is an op's address. */
enum tag { TAG_IGNORE, TAG_TIMEOUT, TAG_MOVE, TAG_WAKE, TAG_TEST, TAG_LAST };

struct uring {
	struct io_uring ring;
	struct coil_loop *loop;
	unsigned flags;				/* IORING_SETUP_* that the kernel took */
	bool registered;			/* system calls use an index, not the fd */
	unsigned disabled;			/* IORING_SETUP_R_DISABLED, to restrict it; or 0 */
	bool small;				/* small completion ring: memory was short */
	int wake_fd;
	bool wake_armed;
	uint64_t wake_value;
	int64_t armed;				/* deadline in the ring, or COIL_FOREVER */
	struct __kernel_timespec deadline;
	struct list backlog;			/* ops that wait for room in the ring */
	uint32_t sequence;			/* of the next op that enters the ring */
	uint32_t oldest;			/* sequence of the oldest op in late */
	unsigned cancels;			/* number put into the ring in this pass */
	struct list late;			/* ops to cancel later, in order of arrival */
	struct list sorted;			/* ops to cancel later, newest op first */
	bool no_edges;				/* the kernel has no multishot poll */
	bool refused[256];			/* opcodes that go to the fallback */
};

/*
 * Sets the ring up as options says and tries the opcodes that every loop needs.
 * Returns 0 or a negative errno.  Writes a text of at most size bytes to reason: on
 * failure the cause, on success what the ring lacks ("" if nothing).
 */
int coil__uring_set_up(struct uring *uring, const struct coil_options *options,
		       char *reason, size_t size);

#endif
