/* SPDX-License-Identifier: MIT */
#ifndef COIL_RWLOCK_H
#define COIL_RWLOCK_H

/*
 * Many tasks of a loop may read, or one write.  Who comes first is served first:
 * a reader queues behind a writer that waits, so that readers who keep coming do
 * not starve it.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is unlocked and ready.  Nothing to destroy. */
struct coil_rwlock {
	struct coil_task *writer;
	size_t readers;			/* that have it: who they are is not known */
	struct coil_waitq waiters;
};

/*
 * Takes the lock, to read or to write, parking while others have it or came
 * first.  Returns 0; -EDEADLK if the caller has it to write; -ECANCELED or
 * -ETIMEDOUT when a request is pending at entry, also if the lock is free, or
 * comes first: then it is not held.  -EPERM outside a task, -EXDEV when its
 * waiters belong to another loop.  A task that reads must not ask again: behind
 * a writer it would wait for itself.
 */
COIL_MUST_CHECK int coil_rwlock_read(struct coil_rwlock *lock);
COIL_MUST_CHECK int coil_rwlock_write(struct coil_rwlock *lock);

/*
 * Gives it up: 0; -EPERM if nobody has it, or another task to write (a reader's
 * place given up by a stranger cannot be told); -EXDEV.  On an error nothing has
 * changed.  Never parks.
 */
int coil_rwlock_release(struct coil_rwlock *lock);

#ifdef __cplusplus
}
#endif
#endif
