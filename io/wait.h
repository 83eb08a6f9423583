/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_WAIT_H
#define COIL_IO_WAIT_H

/* The checks that the calls of this folder begin with, and the waits they share. */

#include <coil/waitq.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Checks the arguments as the kernel would.  Returns 0, -EBADF or -EFAULT. */
static inline int check_buffer(int fd, const void *buf, size_t len)
{
	if (fd < 0)
		return -EBADF;
	return !buf && len ? -EFAULT : 0;
}

/*
 * A parking call starts with this check.  Returns 0, the pending cancellation,
 * or -EPERM outside a task.
 */
int coil__enter(void);

/*
 * Lets other tasks run, without a check for a cancellation.  For a call that
 * got its result at once: in a loop it would starve the other tasks.
 */
void coil__let_others_run(void);

/*
 * Calls move until len bytes of buf are moved or move returns 0.  Returns the
 * number of bytes moved, the error of move, or -ECANCELED if the fd was closed
 * between two calls.  Sets *done to the number of bytes moved in every case;
 * done may be NULL.
 */
ssize_t coil__move_all(ssize_t (*move)(int fd, void *buf, size_t len, int flags), int fd,
		       void *buf, size_t len, int flags, size_t *done);

/*
 * Parks until fd is ready for events.  Returns the events that are ready, or a
 * negative errno.
 */
int coil__poll_fd(int fd, short events);

/*
 * The same, but may return too early: for a caller that then tries, and waits
 * again if it has to.
 */
int coil__poll_hint(int fd, short events);

/*
 * Runs fn(arg) on a thread of the loop's pool.  Parks until it returns; a
 * cancellation does not end the wait.  Returns the result of fn.  Returns
 * -ENOMEM or -EAGAIN if no thread takes it; fn has not run then.
 */
int coil__run_in_pool(int (*fn)(void *arg), void *arg, const char *what);

/*
 * A call that takes several steps on one fd.  Between two steps it has no
 * operation under way that coil_close() could cancel, and the number may mean
 * another file by then.  So coil_close() sets closed; the call then has to
 * return -ECANCELED.
 */
struct close_guard {
	int fd;
	bool closed;
	bool turn;			/* has the turn; other calls wait in queue */
	struct coil_waitq queue;
	struct close_guard *next;
	struct close_guard **link;
};

void coil__close_guard_begin(struct close_guard *guard, int fd);
void coil__close_guard_end(struct close_guard *guard);

/*
 * Parks until no other call has the turn on the fd, then takes it.
 * coil__close_guard_end() gives it up.  Returns 0 or the cancellation that ended the
 * wait; returns 0 without the turn if the fd was closed.
 */
int coil__close_guard_turn(struct close_guard *guard);

/* Marks all calls that use fd as closed: fd is about to be closed. */
void coil__close_guard_closed(int fd);

#endif
