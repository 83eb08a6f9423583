/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_WAIT_H
#define COIL_IO_WAIT_H

/* What the calls of this folder begin with, and the ways to wait that they share. */

#include <coil/waitq.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the kernel would say of the arguments: 0, -EBADF or -EFAULT. */
static inline int check_buffer(int fd, const void *buf, size_t len)
{
	if (fd < 0)
		return -EBADF;
	return !buf && len ? -EFAULT : 0;
}

/*
 * What a parking call returns before it does anything: 0, or the request that
 * is pending, or -EPERM outside a task.
 */
int coil__enter(void);

/*
 * Lets the others run, without a look at requests: for a call that got its
 * result at once, and might go on so for ever.
 */
void coil__let_others_run(void);

/*
 * Has move move bytes of buf until all len are moved or it returns 0, and returns how
 * many; or its error, or -ECANCELED if the fd was closed between two calls.  Always sets
 * *done to how many were moved, unless done is NULL.
 */
ssize_t coil__move_all(ssize_t (*move)(int fd, void *buf, size_t len, int flags), int fd,
		       void *buf, size_t len, int flags, size_t *done);

/* Parks until fd is ready for events: for which it is, or a negative errno. */
int coil__poll_fd(int fd, short events);

/* The same, and now and then it is ready without being so: for one who then tries. */
int coil__poll_hint(int fd, short events);

/*
 * Has one of the loop's threads run fn(arg), and waits for it whatever happens.
 * fn's result; -ENOMEM or -EAGAIN if there is no thread, then it did not run.
 */
int coil__run_in_pool(int (*fn)(void *arg), void *arg, const char *what);

/*
 * A call that takes several steps on an fd.  Between two of them nothing of it
 * is under way, so that coil_close() has nothing to end; but the number may
 * mean another file by then.  Once closed is set the call must end: -ECANCELED.
 */
struct steps {
	int fd;
	bool closed;
	bool turn;			/* it has the turn, and others wait in queue */
	struct coil_waitq queue;
	struct steps *next;
	struct steps **link;
};

void coil__steps_begin(struct steps *steps, int fd);
void coil__steps_end(struct steps *steps);

/*
 * Waits until no other call has the turn on the fd, and takes it until its steps end.
 * Returns 0 or the cancellation that ended the wait.
 */
int coil__steps_turn(struct steps *steps);

/* fd is about to be closed. */
void coil__steps_closed(int fd);

#endif
