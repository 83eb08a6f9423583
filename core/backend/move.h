/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_MOVE_H
#define COIL_CORE_BACKEND_MOVE_H

/*
 * The system-call fallback for reads and writes of files, and the helpers that it shares
 * with syscall.c.
 */

#include "core/backend/syscall.h"
#include <errno.h>
#include <sys/uio.h>

/*
 * Flags of an op between two tries.  They are in sqe.user_data, above the number of
 * bytes that were moved so far.
 */
#define STARTED (UINT64_C(1) << 32)	/* connect: has begun; accept: O_NONBLOCK is set */
#define BLOCKS (UINT64_C(1) << 33)	/* the call would block: a thread must make it */
#define BLIND (UINT64_C(1) << 34)	/* no event shows when it may succeed */
#define INPUT (UINT64_C(1) << 35)	/* a splice waits for its input */

#define RETRY(call)							\
	({								\
		__typeof__(call) ret_;					\
									\
		do							\
			ret_ = (call);					\
		while (ret_ < 0 && errno == EINTR);			\
		ret_;							\
	})

enum { WINDOW = 64 };	/* maximum of buffers that coil__window() copies */

static inline void *ptr(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

static inline int result(ssize_t ret)
{
	return ret < 0 ? -errno : (int)ret;
}

static inline size_t so_far(const struct op *op)
{
	return op->sqe.user_data & UINT32_MAX;
}

static inline void remember(struct op *op, uint64_t bits)
{
	op->sqe.user_data |= bits;
}

static inline bool remembers(const struct op *op, uint64_t bits)
{
	return op->sqe.user_data & bits;
}

static inline int leave_to_pool(struct op *op)
{
	remember(op, BLOCKS);
	return -EAGAIN;
}

/* After some bytes returns their number, not the error: the next call gets it again. */
static inline int moved(const struct op *op, ssize_t ret)
{
	size_t done = so_far(op);

	if (!done)
		return result(ret);
	return (int)(ret < 0 ? done : done + (size_t)ret);
}

/* Returns the length of all buffers together, cut to OP_MAX as the kernel does. */
size_t coil__sum(const struct iovec *iov, size_t count);

/*
 * Copies to `to` the buffers after the first skip bytes of iov, at most WINDOW of them
 * and max bytes.  Returns their number.
 */
int coil__window(struct iovec *to, const struct iovec *iov, size_t count, size_t skip,
		 size_t max);

/* Returns whether fd is ready for these events of poll(2).  Does not block. */
bool coil__is_ready(int fd, short events);

bool coil__is_nonblocking(int fd);

/* coil__syscall_nowait(), coil__syscall_try(), coil__syscall_block() for a read or write. */
bool coil__move_nowait(const struct op *op);
int coil__move_try(struct op *op);
int coil__move_block(struct op *op);

/* Forgets the parent's threads in the child of a fork. */
void coil__move_forked(void);

#endif
