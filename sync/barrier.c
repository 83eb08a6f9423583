/* SPDX-License-Identifier: MIT */
/*
 * All tasks in the queue are in the same state.  While no task is leaving, they have
 * arrived in the current round, and there are fewer of them than parties.  While a task
 * is leaving, they wait for the next round, which begins when the last task of the old
 * round has left.  So the queue keeps the order of arrival, and a task parks only once.
 * A cancelled task leaves the queue at once and is no longer counted.
 */
#include <coil/barrier.h>
#include <coil/task.h>
#include <coil/waitq.h>
#include "core/task/self.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>

static bool has_waiting(const struct coil_barrier *barrier, int n)
{
	return barrier->waiting.size >= (size_t)n;
}

/* Wakes the first n waiters.  Their result is their order of arrival, or error if not 0. */
static int barrier_wake(struct coil_barrier *barrier, int n, int error)
{
	for (int i = 0; i < n; i++) {
		void *result;

		/* All waiters belong to one loop, so this fails at the first or never. */
		if (!coil_waitq_unpark_with(&barrier->waiting, &result))
			return has_waiting(barrier, 1) ? -EXDEV : 0;
		*(int *)result = error ? error : i;
		barrier->leaving++;
	}
	return 0;
}

static int barrier_leave(struct coil_barrier *barrier, int result)
{
	if (barrier->broken || barrier->failing)
		result = -ENOTRECOVERABLE;
	if (--barrier->leaving)
		return result;
	barrier->failing = false;
	if (!barrier->broken && has_waiting(barrier, barrier->parties))
		barrier_wake(barrier, barrier->parties, 0);
	return result;
}

int coil_barrier_wait(struct coil_barrier *barrier)
{
	uintptr_t thread = (uintptr_t)pthread_self();
	int err, result = 0;

	if (unlikely(!barrier))
		return -EINVAL;
	if (barrier->parties <= 0)
		return -EINVAL;
	/* With a cancellation pending, the park call returns its error at once. */
	if (coil__pending())
		return coil_waitq_park_for(&barrier->waiting, NULL, "barrier");
	if ((has_waiting(barrier, 1) || barrier->leaving) && barrier->thread != thread)
		return -EXDEV;
	if (barrier->broken)
		return -ENOTRECOVERABLE;
	if (!barrier->leaving && has_waiting(barrier, barrier->parties - 1)) {
		err = barrier->parties - 1;
		barrier_wake(barrier, err, 0);
		coil__got();
		return err;
	}
	barrier->thread = thread;
	err = coil_waitq_park_for(&barrier->waiting, &result, "barrier");
	return err ? err : barrier_leave(barrier, result);
}

int coil_barrier_reset(struct coil_barrier *barrier)
{
	int err = 0;

	if (unlikely(!barrier))
		return -EINVAL;
	if (!barrier->leaving)
		err = barrier_wake(barrier, INT_MAX, -ENOTRECOVERABLE);
	if (err)
		return err;
	barrier->broken = false;
	barrier->failing = barrier->leaving > 0;
	return 0;
}

int coil_barrier_abort(struct coil_barrier *barrier)
{
	int err;

	if (unlikely(!barrier))
		return -EINVAL;
	err = barrier_wake(barrier, INT_MAX, -ENOTRECOVERABLE);
	if (!err)
		barrier->broken = true;
	return err;
}

int coil_barrier_n_waiting(const struct coil_barrier *barrier)
{
	if (unlikely(!barrier))
		return -EINVAL;
	return barrier->leaving ? 0 : (int)coil_waitq_size(&barrier->waiting);
}

bool coil_barrier_broken(const struct coil_barrier *barrier)
{
	return barrier && barrier->broken;
}
