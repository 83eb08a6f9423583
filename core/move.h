/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_MOVE_H
#define COIL_CORE_MOVE_H

/*
 * Reads and writes by plain system calls: the half of the system-call fallback
 * that knows files.  Both halves share what is below.
 */

#include "core/perform.h"
#include <errno.h>
#include <sys/uio.h>

/*
 * Flags of an operation between two tries.  They are in sqe.user_data, above the
 * number of bytes that were moved so far.
 */
#define STARTED (UINT64_C(1) << 32)	/* connect: so; accept: O_NONBLOCK is */
#define BLOCKS (UINT64_C(1) << 33)	/* a file that is not in memory */
#define BLIND (UINT64_C(1) << 34)	/* no readiness will tell */
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

enum { WINDOW = 64 };	/* buffers of a part of an array of them */

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

/* After some bytes an error is not returned: it will come again. */
static inline int moved(const struct op *op, ssize_t ret)
{
	size_t done = so_far(op);

	if (!done)
		return result(ret);
	return (int)(ret < 0 ? done : done + (size_t)ret);
}

/* The length of all buffers together, cut as the kernel cuts it. */
size_t coil__sum(const struct iovec *iov, size_t count);

/*
 * Copies to `to` what comes after the first skip bytes of iov: at most WINDOW
 * buffers and max bytes.  Returns the number of buffers.
 */
int coil__window(struct iovec *to, const struct iovec *iov, size_t count, size_t skip,
		 size_t max);

/* Whether fd is ready for events, as poll(2) has them. */
bool coil__is_ready(int fd, short events);

bool coil__is_nonblocking(int fd);

/* coil__perform_try() and coil__perform_block() of a read or write. */
int coil__move_try(struct op *op);
int coil__move_block(struct op *op);

/* In the child of a fork. */
void coil__move_forked(void);

#endif
