/* SPDX-License-Identifier: MIT */
#ifndef COIL_EVENT_H
#define COIL_EVENT_H

/*
 * A flag that tasks wait for.  A plain event belongs to one loop.
 *
 * A shared event uses an eventfd.  Any thread may set it by coil_event_set().
 * Another process or a signal handler sets it by write(2) to the eventfd.
 * Another loop waits for the same eventfd with an event of its own, made by
 * coil_event_from_fd().
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_event_watcher;

/* = {0} is a plain, clear event, ready for use.  There is nothing to destroy. */
struct coil_event {
	bool set;
	bool shared;
	bool owned;			/* the fd is closed with the event */
	int fd;				/* of a shared event */
	struct coil_event_watcher *watcher;	/* while tasks wait for it */
	uintptr_t thread;			/* ... the thread of these tasks */
	struct coil_waitq waiters;
};

/*
 * Parks until the event is set.  Returns 0 at once if it is set already.
 *
 * A set wakes all tasks that wait at that moment, even if the event is cleared
 * before they run.  But if another thread, a process or a signal handler sets a
 * shared event, and the event is cleared at once, that set may wake no task.
 *
 * Returns 0.  On an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if the
 *		event is set) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EXDEV: tasks of another loop wait for this event
 *	-EINVAL: event is NULL
 *	-ENOMEM, -EBADF and other errors of poll(2): shared events only
 */
COIL_MUST_CHECK int coil_event_wait(struct coil_event *event);

/*
 * Set and clear the event.  Return 0; -EINVAL for NULL; for a shared event an
 * error of the eventfd.  coil_event_set() returns -EXDEV, and does not set the
 * event, when tasks of another loop wait for a plain event.  Never park.
 */
int coil_event_set(struct coil_event *event);
int coil_event_clear(struct coil_event *event);

/* Returns whether the event is set. */
bool coil_event_is_set(const struct coil_event *event);

/*
 * Make a zeroed event a shared one, on a new eventfd or on the given eventfd
 * fd.  fd remains the caller's and must stay open as long as the event is used.
 * coil_event_from_fd() does not write to it.  Return 0; -EINVAL if the event is
 * not zeroed, or fd is not an eventfd; -EBADF if fd is not open; or another
 * negative errno.  Never park.
 */
int coil_event_open(struct coil_event *event);
int coil_event_from_fd(struct coil_event *event, int fd);

/*
 * Returns the eventfd of a shared event, for others to write(2) eight bytes to;
 * -EINVAL for a plain event.
 */
int coil_event_fd(const struct coil_event *event);

/*
 * Ends a shared event and leaves a plain, clear event.  Closes the eventfd if
 * coil_event_open() made it.  Returns 0; -EBUSY while tasks wait; -EINVAL for a
 * plain event or NULL.
 *
 * May park, as coil_close() does, until no operation uses the eventfd.  A
 * cancellation neither prevents nor ends this.
 */
int coil_event_close(struct coil_event *event);

#ifdef __cplusplus
}
#endif
#endif
