/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_FD_H
#define COIL_CORE_FD_H

/*
 * What a loop knows of an fd, by its number: what is in flight for it, and what the
 * epoll engine has asked the kernel to watch.  Of its file there is but a guess that
 * can cost time and nothing else, as the number may mean another any time.
 */

#include "core/op.h"
#include <stdbool.h>
#include <stdint.h>

struct coil_loop;
struct coil_task;
struct naming;

/* In order, by their next and prev. */
struct op_queue {
	struct op *first;
	struct op *last;
};

/* NULL for before: behind the last. */
static inline void coil__queue_insert(struct op_queue *queue, struct op *op, struct op *before)
{
	op->next = before;
	op->prev = before ? before->prev : queue->last;
	if (op->prev)
		op->prev->next = op;
	else
		queue->first = op;
	if (before)
		before->prev = op;
	else
		queue->last = op;
}

static inline void coil__queue_remove(struct op_queue *queue, struct op *op)
{
	if (op->prev)
		op->prev->next = op->next;
	else
		queue->first = op->next;
	if (op->next)
		op->next->prev = op->prev;
	else
		queue->last = op->prev;
}

/* A line of the cache: with many connections each look at one is a miss. */
struct fd {
	struct naming *ops;		/* that name it */
	struct coil_task *closer;	/* waits until there are none, and closes it */
	int guess;			/* see coil__fd_cached */

	/* The backend's: epoll's, and what the last two are to io_uring. */
	uint32_t events;
	uint32_t flags;			/* how many receives are in the ring */
	struct op_queue waiters;	/* for its events; receives that are not in the ring */

	struct op_queue movers;		/* of its file's position: see core/pool.c */
} __attribute__((aligned(64)));

/*
 * The entry of an fd; NULL, with errno, when memory is out, or for a number beyond the
 * table that is none.  Moves when another is asked for.
 */
struct fd *coil__loop_fd(struct coil_loop *loop, int fd);

/*
 * What an engine that remembers fds has to be told of them (epoll.c says why; to the
 * others it is nothing): that one is about to be closed and no op names it any more,
 * and that one was just made, so that what is known of its number is not true of it.
 */
void coil__fd_closed(struct coil_loop *loop, int fd);
void coil__fd_made(struct coil_loop *loop, int fd);

/*
 * Whether reads of fd may find their bytes in memory, and wait for no disk if they do
 * not when told so: a regular file without O_DIRECT.  The kernel is asked by every
 * 64th of such looks, so the answer may be of the file before.
 */
bool coil__fd_cached(struct coil_loop *loop, int fd);

/* It was not so: for some looks it is not to be tried. */
void coil__fd_uncached(struct coil_loop *loop, int fd);

/*
 * What kind of file fd means.  fstat(2) and fstatfs(2) wait for the server of a
 * FUSE or network file system, and the loop's thread must not; so these ask what the
 * kernel answers by itself.  coil__file_type() returns S_IFREG and the like, or a
 * negative errno, and is such a call for regular files; of others it asks statx(2)
 * not to wait, or fstat(2) where a filter refuses that.
 */
int coil__file_type(int fd);

/* Whether fd is a regular file, a block device or a directory, which a disk holds. */
bool coil__is_file(int fd);

/* Whether fd is a pipe or a FIFO. */
bool coil__is_pipe(int fd);

/* Whether fd is a file of tmpfs or hugetlbfs: no disk and no server has any of it. */
bool coil__file_in_memory(int fd);

#endif
