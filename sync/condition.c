/* SPDX-License-Identifier: MIT */
#include <coil/condition.h>
#include <coil/task.h>
#include "core/task/self.h"
#include <errno.h>
#include <stdint.h>

static bool is_owner(const struct coil_lock *lock)
{
	struct coil_task *self = coil_current_task();

	return self && lock->owner == self;
}

/* Ignores cancellation: the caller must hold the lock when the wait returns. */
static int take_back(struct coil_lock *lock)
{
	if (lock->owner)
		return coil_waitq_park_shielded(&lock->waiters, NULL, "lock");
	lock->owner = coil_current_task();
	return 0;
}

int coil_condition_wait(struct coil_condition *condition, struct coil_lock *lock)
{
	int err, lost;

	if (unlikely(!condition || !lock))
		return -EINVAL;
	if (!is_owner(lock))
		return -EPERM;
	if (coil_check())
		return coil_waitq_park_for(&condition->waiters, NULL, "condition");
	if (condition->waiters.head && condition->lock != lock)
		return -EINVAL;
	err = coil_lock_release(lock);
	if (err)
		return err;
	condition->lock = lock;
	err = coil_waitq_park_for(&condition->waiters, NULL, "condition");
	lost = take_back(lock);
	return lost ? lost : err;
}

int coil_condition_wait_until(struct coil_condition *condition, struct coil_lock *lock,
			      bool (*predicate)(void *arg), void *arg)
{
	int err;

	if (unlikely(!condition || !lock || !predicate))
		return -EINVAL;
	if (!is_owner(lock))
		return -EPERM;
	if (coil_check())
		return coil_condition_wait(condition, lock);
	while (!predicate(arg)) {
		err = coil_condition_wait(condition, lock);
		if (err)
			return err;
	}
	coil__got();
	return 0;
}

int coil_condition_notify(struct coil_condition *condition, size_t n)
{
	if (unlikely(!condition))
		return -EINVAL;
	if (!coil_current_task())
		return -EPERM;
	/* The condition knows its lock only while it has waiters. */
	if (condition->waiters.head && !is_owner(condition->lock))
		return -EPERM;
	while (n-- && coil_waitq_unpark(&condition->waiters))
		;
	return 0;
}

int coil_condition_notify_all(struct coil_condition *condition)
{
	return coil_condition_notify(condition, SIZE_MAX);
}
