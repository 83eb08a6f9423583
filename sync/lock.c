/* SPDX-License-Identifier: MIT */
#include <coil/lock.h>
#include <coil/task.h>
#include "core/task/self.h"
#include <errno.h>

int coil_lock_try_acquire(struct coil_lock *lock)
{
	struct coil_task *self = coil_current_task();

	if (unlikely(!lock))
		return -EINVAL;
	if (!self)
		return -EPERM;
	if (lock->owner)
		return lock->owner == self ? -EDEADLK : -EAGAIN;
	lock->owner = self;
	return 0;
}

int coil_lock_acquire(struct coil_lock *lock)
{
	struct coil_task *self = coil_current_task();

	if (unlikely(!lock))
		return -EINVAL;
	if (!lock->owner && !coil__pending()) {
		lock->owner = self;
		coil__got();
		return 0;
	}
	if (self && lock->owner == self)
		return -EDEADLK;
	/*
	 * coil_lock_release() makes the longest waiter the owner before it wakes it, so
	 * no other task can take the lock in between.  With a cancellation pending, this
	 * call returns its error at once.
	 */
	return coil_waitq_park_for(&lock->waiters, NULL, "lock");
}

int coil_lock_release(struct coil_lock *lock)
{
	struct coil_task *self = coil_current_task();
	struct coil_task *next;

	if (unlikely(!lock))
		return -EINVAL;
	if (!self || lock->owner != self)
		return -EPERM;
	next = coil_waitq_unpark(&lock->waiters);
	if (!next && lock->waiters.head)
		return -EXDEV;
	lock->owner = next;
	return 0;
}

bool coil_lock_locked(const struct coil_lock *lock)
{
	return lock && lock->owner != NULL;
}
