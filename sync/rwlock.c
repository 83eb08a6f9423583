/* SPDX-License-Identifier: MIT */
#include <coil/rwlock.h>
#include <coil/task.h>
#include "core/task/self.h"
#include <errno.h>

/* A waiter's data points to one of these. */
static char reading, writing;

/* Gives the lock to the first waiter and to the next ones that may share it. */
static int hand_over(struct coil_rwlock *lock)
{
	void *wants;

	while ((wants = coil_waitq_peek(&lock->waiters))) {
		struct coil_task *task;

		if (lock->writer || (wants == &writing && lock->readers))
			return 0;
		task = coil_waitq_unpark(&lock->waiters);
		if (!task)
			return -EXDEV;
		if (wants == &writing)
			lock->writer = task;
		else
			lock->readers++;
	}
	return 0;
}

static int queue_up(struct coil_rwlock *lock, void *wants)
{
	struct coil_task *self = coil_current_task();
	int err;

	if (self && lock->writer == self)
		return -EDEADLK;
	err = coil_waitq_park_for(&lock->waiters, wants, "rwlock");
	/* A cancelled writer no longer keeps the readers behind it from sharing the lock. */
	if (err)
		hand_over(lock);
	return err;
}

int coil_rwlock_read(struct coil_rwlock *lock)
{
	if (unlikely(!lock))
		return -EINVAL;
	if (lock->writer || lock->waiters.head || coil_check())
		return queue_up(lock, &reading);
	lock->readers++;
	coil__got();
	return 0;
}

int coil_rwlock_write(struct coil_rwlock *lock)
{
	if (unlikely(!lock))
		return -EINVAL;
	if (lock->writer || lock->readers || coil_check())
		return queue_up(lock, &writing);
	lock->writer = coil_current_task();
	coil__got();
	return 0;
}

int coil_rwlock_release(struct coil_rwlock *lock)
{
	struct coil_task *self = coil_current_task(), *writer;
	size_t readers;
	int err;

	if (unlikely(!lock))
		return -EINVAL;
	writer = lock->writer;
	readers = lock->readers;
	if (!self || (writer && writer != self) || (!writer && !readers))
		return -EPERM;
	if (writer)
		lock->writer = NULL;
	else
		lock->readers--;
	err = hand_over(lock);
	if (err) {
		lock->writer = writer;
		lock->readers = readers;
	}
	return err;
}
