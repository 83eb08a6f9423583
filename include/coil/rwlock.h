/* SPDX-License-Identifier: MIT */
#ifndef COIL_RWLOCK_H
#define COIL_RWLOCK_H

/*
 * A lock that many tasks of a loop may hold to read, or one task to write.
 * Waiters get it in the order in which they came.  A reader also queues behind
 * a waiting writer, so a steady flow of readers cannot starve the writer.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is unlocked and ready for use.  There is nothing to destroy. */
struct coil_rwlock {
	struct coil_task *writer;
	size_t readers;			/* tasks that hold it to read; only counted */
	struct coil_waitq waiters;
};

/*
 * Take the lock to read, or to write.  Park while other tasks hold it in a way
 * that excludes the caller; a reader also parks while tasks wait.  Return 0.
 * On an error the lock was not taken:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if the
 *		lock is free) or ended the wait
 *	-EDEADLK: the caller already holds the lock to write
 *	-EPERM: the caller is not a task
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: lock is NULL
 *
 * A task that holds the lock to read must not take it again.  This is not
 * detected: the task may wait for itself, behind a writer.
 */
COIL_MUST_CHECK int coil_rwlock_read(struct coil_rwlock *lock);
COIL_MUST_CHECK int coil_rwlock_write(struct coil_rwlock *lock);

/*
 * Releases the lock, however it was taken.  Returns 0.  On an error the lock is
 * unchanged:
 *	-EPERM: no task holds the lock, or another task holds it to write.  A
 *		release by a task that is not one of the readers is not
 *		detected.
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: lock is NULL
 * Never parks, and ignores a pending cancellation.
 */
int coil_rwlock_release(struct coil_rwlock *lock);

#ifdef __cplusplus
}
#endif
#endif
