/* SPDX-License-Identifier: MIT */
#ifndef COIL_WAITQ_H
#define COIL_WAITQ_H

/*
 * A wait queue is a first-in-first-out queue of parked tasks of one loop.  The
 * locks, events and queues of coil are built on it, and a program can build its
 * own.
 */

#include <coil/cdefs.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_task;
struct coil_waiter;

/*
 * = {0} is an empty queue.  It needs no destructor, but must be empty when it
 * is freed.
 */
struct coil_waitq {
	struct coil_waiter *head;
	struct coil_waiter *tail;
	size_t size;
};

/*
 * Parks the caller at the end of the queue until another task unparks it.  That
 * task gets data, which must stay valid until the call returns.  Returns 0 once
 * unparked, even if a cancellation arrived after that.  On an error the caller
 * is not in the queue:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry or arrived
 *		first
 *	-EPERM: the caller is not a task
 *	-EXDEV: tasks of another loop wait in the queue
 *	-EINVAL: waitq is NULL
 */
COIL_MUST_CHECK int coil_waitq_park(struct coil_waitq *waitq);
COIL_MUST_CHECK int coil_waitq_park_with(struct coil_waitq *waitq, void *data);

/*
 * Does the same, and names the wait in the report of a deadlock, for example
 * "lock".  The string what must never be freed.
 */
COIL_MUST_CHECK int coil_waitq_park_for(struct coil_waitq *waitq, void *data, const char *what);

/*
 * Does the same, but ignores cancellations, pending and new.  It is for a wait
 * that is sure to end, for example for a lock that is taken back.  Returns 0,
 * or -EPERM, -EXDEV or -EINVAL as above.
 */
int coil_waitq_park_shielded(struct coil_waitq *waitq, void *data, const char *what);

/*
 * Parks the caller at the end of n queues at once, until it is unparked from
 * one of them.  It has then left the others.  A queue may be listed twice.  If
 * data is not NULL, data[i] is handed to the task that unparks the caller from
 * waitqs[i].  Returns the index of the queue from which the caller was
 * unparked.  Errors are those of coil_waitq_park(), and:
 *	-EINVAL: n is 0, or waitqs or a queue is NULL
 *	-ENOMEM: there is no memory, which only more than 8 queues need
 */
COIL_MUST_CHECK int coil_waitq_park_any(struct coil_waitq *const waitqs[], void *const data[],
					size_t n, const char *what);

/*
 * Removes the first waiter from the queue and makes it ready.  It runs only
 * after the caller has parked.  _with also writes the waiter's data to *data,
 * if data is not NULL.  Returns the waiter's task.  Returns NULL and leaves
 * errno unchanged if the queue is empty.  On an error returns NULL and sets
 * errno:
 *	EXDEV: the waiters belong to another loop
 *	EINVAL: waitq is NULL
 * Never parks.
 */
struct coil_task *coil_waitq_unpark(struct coil_waitq *waitq);
struct coil_task *coil_waitq_unpark_with(struct coil_waitq *waitq, void **data);

/*
 * Returns the data of the first waiter, which stays in the queue; NULL if it is
 * empty.
 */
void *coil_waitq_peek(const struct coil_waitq *waitq);

/*
 * Returns the number of waiters.  O(1).  A task that is queued twice counts
 * twice.
 */
size_t coil_waitq_size(const struct coil_waitq *waitq);

/* Unparks all waiters and returns their number.  Never parks. */
size_t coil_waitq_unpark_all(struct coil_waitq *waitq);

#ifdef __cplusplus
}
#endif
#endif
