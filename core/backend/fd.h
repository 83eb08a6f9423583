/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_FD_H
#define COIL_CORE_BACKEND_FD_H

/*
 * A loop's table of fds, by number: the ops that use the fd, and the events that the
 * epoll backend has registered.  The number may mean another file at any time.  So the
 * table knows nothing for sure about the file; a wrong guess costs only time.
 */

#include "core/backend/op.h"
#include <stdbool.h>
#include <stdint.h>

struct coil_loop;
struct coil_task;
struct fd_ref;

/* First in, first out; linked by op->next and op->prev. */
struct op_queue {
	struct op *first;
	struct op *last;
};

/* Inserts op before another one; NULL: at the end. */
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

/* One cache line, because with many connections each access to an entry is a miss. */
struct fd {
	struct fd_ref *ops;		/* ops that use it */
	struct coil_task *closer;	/* waits until there are none, then closes it */
	int guess;			/* see coil__fd_cached() */

	/*
	 * The backend's.  epoll: the registered events, its own flags, and the ops that
	 * wait for an event.  io_uring: flags counts the receives in the ring, and
	 * waiters are the receives that wait for a place there.
	 */
	uint32_t events;
	uint32_t flags;
	struct op_queue waiters;

	struct op_queue movers;		/* ops that move the file's position: see pool.c */
} __attribute__((aligned(64)));

/*
 * Returns the entry of fd, which is valid until the next call: the table may move.
 * Returns NULL and sets errno: ENOMEM; EBADF if the table must grow and fd is not open.
 */
struct fd *coil__loop_fd(struct coil_loop *loop, int fd);

/*
 * Both keep the epoll backend's entries true (see epoll.c).  coil__fd_closed()
 * is called before fd is closed, when no op uses it any more.  coil__fd_made() is called
 * after fd was made: what the entry says is about an earlier file.
 */
void coil__fd_closed(struct coil_loop *loop, int fd);
void coil__fd_made(struct coil_loop *loop, int fd);

/*
 * Returns whether a read of fd with RWF_NOWAIT is worth a try: the bytes may be in memory,
 * and if not the call does not wait for a disk.  That is so for a regular file without
 * O_DIRECT.  Only one call in 64 asks the kernel, so the answer may be about an earlier
 * file of this number.
 */
bool coil__fd_cached(struct coil_loop *loop, int fd);

/* The guess was wrong: coil__fd_cached() returns false for the next 16 calls. */
void coil__fd_uncached(struct coil_loop *loop, int fd);

/*
 * Returns the type of fd's file, such as S_IFREG, or a negative errno.  fstat(2) and
 * fstatfs(2) may wait for the server of a FUSE or network file system, so the loop's
 * thread must not call them.  These functions ask only what the kernel answers by itself.
 * If the file is not regular, statx(2) is asked not to wait; fstat(2) stands in where a
 * filter refuses statx(2).
 */
int coil__file_type(int fd);

/* Returns whether fd is a regular file, a block device or a directory. */
bool coil__is_file(int fd);

/* Returns whether fd is a pipe or a FIFO. */
bool coil__is_pipe(int fd);

/* Returns whether fd is a file of tmpfs or hugetlbfs, which needs no disk or server. */
bool coil__file_in_memory(int fd);

#endif
