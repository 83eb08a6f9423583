/* SPDX-License-Identifier: MIT */
#include <coil/future.h>
#include "core/loop.h"
#include "core/task.h"
#include "core/waitq.h"
#include <errno.h>

int coil_future_set(struct coil_future *future, int result)
{
	if (future->done)
		return -EALREADY;
	if (coil__waitq_is_foreign(&future->waiters))
		return -EXDEV;
	future->done = true;
	future->result = result;
	coil_waitq_unpark_all(&future->waiters);
	return 0;
}

int coil_future_wait(struct coil_future *future)
{
	struct coil_task *self = coil__self();
	int err;

	if (self->pending)
		return coil__refuse(self);
	if (future->done)
		return future->result;
	err = coil_waitq_park_for(&future->waiters, NULL, "future");
	return err ? err : future->result;
}

bool coil_future_done(const struct coil_future *future)
{
	return future->done;
}

int coil_future_result(const struct coil_future *future)
{
	return future->done ? future->result : -EINPROGRESS;
}
