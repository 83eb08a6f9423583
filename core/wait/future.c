/* SPDX-License-Identifier: MIT */
#include <coil/future.h>
#include "core/task/loop.h"
#include "core/task/task.h"
#include "core/wait/waitq.h"
#include <errno.h>

/* Gives each waiter the result: the future may be gone when the waiters run. */
int coil_future_set(struct coil_future *future, int result)
{
	void *slot;

	if (unlikely(!future))
		return -EINVAL;
	if (future->done)
		return -EALREADY;
	if (coil__waitq_is_foreign(&future->waiters))
		return -EXDEV;
	future->done = true;
	future->result = result;
	while (coil_waitq_unpark_with(&future->waiters, &slot))
		*(int *)slot = result;
	return 0;
}

int coil_future_wait(struct coil_future *future)
{
	struct coil_task *self = coil__self();
	int err, result;

	if (unlikely(!future))
		return -EINVAL;
	if (self->pending)
		return coil__refuse(self);
	if (future->done) {
		result = future->result;
		coil__spend(self, SPEND_CALL);
		return result;
	}
	err = coil_waitq_park_for(&future->waiters, &result, "future");
	return err ? err : result;
}

bool coil_future_done(const struct coil_future *future)
{
	return future && future->done;
}

int coil_future_result(const struct coil_future *future)
{
	if (unlikely(!future))
		return -EINVAL;
	return future->done ? future->result : -EINPROGRESS;
}
