/* SPDX-License-Identifier: MIT */
#ifndef COIL_WAITQ_H
#define COIL_WAITQ_H

/*
 * A first-in-first-out queue of parked tasks: what every primitive of coil is
 * made of, and what a program builds its own on.  Belongs to one loop.
 */

#include <coil/cdefs.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_task;
struct coil_waiter;

/* = {0} is empty and ready.  Nothing to destroy; it must be empty when it goes. */
struct coil_waitq {
	struct coil_waiter *head;
	struct coil_waiter *tail;
	size_t size;
};

/*
 * Parks the caller at the end of the queue until it is unparked.  Returns 0
 * once unparked, also when a request arrived since; -ECANCELED or -ETIMEDOUT
 * when a request was pending at entry or came first (the caller has then left
 * the queue); -EPERM outside a task; -EXDEV when tasks of another loop wait
 * there.  data is what the one who unparks is given; it must stay good until
 * the call returns.
 */
COIL_MUST_CHECK int coil_waitq_park(struct coil_waitq *waitq);
COIL_MUST_CHECK int coil_waitq_park_with(struct coil_waitq *waitq, void *data);

/* The same, and says what it is for ("lock") to whoever lists the tasks. */
COIL_MUST_CHECK int coil_waitq_park_for(struct coil_waitq *waitq, void *data, const char *what);

/*
 * The same, but a request from outside is not heard: for a wait that is sure to
 * end, such as taking back a lock.  Returns 0, -EPERM or -EXDEV.
 */
int coil_waitq_park_shielded(struct coil_waitq *waitq, void *data, const char *what);

/*
 * Parks the caller at the end of n queues at once, until it is unparked from one of
 * them: returns which, and it has left the others.  data[i], if data is not NULL, is
 * what the one who unparks from waitqs[i] is given.  A queue may stand there twice.
 * Errors as above, and -EINVAL for n 0, -ENOMEM (beyond 8 queues).
 */
COIL_MUST_CHECK int coil_waitq_park_any(struct coil_waitq *const waitqs[], void *const data[],
					size_t n, const char *what);

/*
 * Takes the first waiter off the queue and makes it ready.  Returns its task,
 * NULL if nobody waits or (errno EXDEV) if they belong to another loop.  _with
 * also tells its data.  The task does not run before the caller parks.
 */
struct coil_task *coil_waitq_unpark(struct coil_waitq *waitq);
struct coil_task *coil_waitq_unpark_with(struct coil_waitq *waitq, void **data);

/* The data of the first waiter, which stays; NULL if nobody waits. */
void *coil_waitq_peek(const struct coil_waitq *waitq);

/* Returns the number of waiters.  O(1).  A task that is queued twice counts twice. */
size_t coil_waitq_size(const struct coil_waitq *waitq);

/* Unparks all; returns how many there were. */
size_t coil_waitq_unpark_all(struct coil_waitq *waitq);

#ifdef __cplusplus
}
#endif
#endif
