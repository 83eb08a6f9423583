/* SPDX-License-Identifier: MIT */
#ifndef COIL_EVENT_H
#define COIL_EVENT_H

/*
 * A flag that tasks wait for.  A plain event belongs to one loop.  A shared one
 * stands on an eventfd: any thread may set it, and other processes and signal
 * handlers by a write(2) to that fd.  Another loop waits for the same eventfd
 * with an event of its own, made by coil_event_from_fd().
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_event_watcher;

/* = {0} is a plain event, clear and ready.  Nothing to destroy. */
struct coil_event {
	bool set;
	bool shared;
	bool owned;			/* the fd is closed with the event */
	int fd;				/* of a shared event */
	struct coil_event_watcher *watcher;	/* while tasks wait for it */
	uintptr_t thread;			/* ... and whose tasks these are */
	struct coil_waitq waiters;
};

/*
 * Waits until the event is set; returns 0 at once if it is.  All who wait at the
 * moment of a set are woken, even if it is cleared before they run.  A shared
 * event that is set from elsewhere and cleared at once may wake nobody.
 * -ECANCELED or -ETIMEDOUT when a request is pending at entry or comes first;
 * -EPERM outside a task; -EXDEV when tasks of another loop wait there; for a
 * shared event also -ENOMEM, and what poll(2) and the eventfd say.
 */
COIL_MUST_CHECK int coil_event_wait(struct coil_event *event);

/*
 * Sets and clears it.  0; -EXDEV when tasks of another loop wait for a plain
 * event; for a shared one what the eventfd says.  Never parks.
 */
int coil_event_set(struct coil_event *event);
int coil_event_clear(struct coil_event *event);
bool coil_event_is_set(const struct coil_event *event);

/*
 * Make a zeroed event a shared one, on a new eventfd or on the one that fd is.  fd
 * stays the caller's, must stay open as long as the event, and is not written to.
 * Return 0; -EINVAL if the event is not zeroed or fd is no eventfd; -EBADF if fd is
 * not open; or another negative errno.  Never park.
 */
int coil_event_open(struct coil_event *event);
int coil_event_from_fd(struct coil_event *event, int fd);

/* The eventfd, for others to write(2) eight bytes to; -EINVAL of a plain event. */
int coil_event_fd(const struct coil_event *event);

/*
 * Ends a shared event: closes the eventfd if coil_event_open made it, and leaves
 * a plain, clear one.  -EBUSY while tasks wait; -EINVAL of a plain event.
 */
int coil_event_close(struct coil_event *event);

#ifdef __cplusplus
}
#endif
#endif
