/* SPDX-License-Identifier: MIT */
#include <coil/semaphore.h>
#include <coil/task.h>
#include "core/task/self.h"
#include <errno.h>
#include <limits.h>

int coil_semaphore_try_acquire(struct coil_semaphore *semaphore)
{
	if (unlikely(!semaphore))
		return -EINVAL;
	if (semaphore->value < 0)
		return -EINVAL;
	if (!semaphore->value)
		return -EAGAIN;
	semaphore->value--;
	return 0;
}

int coil_semaphore_acquire(struct coil_semaphore *semaphore)
{
	if (unlikely(!semaphore))
		return -EINVAL;
	if (semaphore->value > 0 && !coil__pending()) {
		semaphore->value--;
		coil__got();
		return 0;
	}
	if (semaphore->value < 0)
		return -EINVAL;
	/* With a cancellation pending, this call returns its error at once. */
	return coil_waitq_park_for(&semaphore->waiters, NULL, "semaphore");
}

int coil_semaphore_release(struct coil_semaphore *semaphore)
{
	long most;

	if (unlikely(!semaphore))
		return -EINVAL;
	most = semaphore->bounded ? semaphore->bound : LONG_MAX;
	if (semaphore->value < 0)
		return -EINVAL;
	if (semaphore->value >= most)
		return -ERANGE;
	/* The permit goes to the longest waiter and never appears in value. */
	if (coil_waitq_unpark(&semaphore->waiters))
		return 0;
	if (semaphore->waiters.head)
		return -EXDEV;
	semaphore->value++;
	return 0;
}

bool coil_semaphore_locked(const struct coil_semaphore *semaphore)
{
	return semaphore && semaphore->value <= 0;
}
