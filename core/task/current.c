/* SPDX-License-Identifier: MIT */
/* Finds the task that runs on this thread. */
#include "core/task/loop.h"
#include "core/task/task.h"
#include <errno.h>

/* On a thread without a loop this root runs.  Every parking call returns its pending. */
struct coil_loop coil__no_loop = {
	.root = { .pending = -EPERM, .loop = &coil__no_loop },
};

__thread struct coil_task *coil__current = &coil__no_loop.root;

int coil_check(void)
{
	return coil__self()->pending;
}

bool coil_cancel_requested(void)
{
	return coil__self()->pending == -ECANCELED;
}

struct coil_task *coil_current_task(void)
{
	struct coil_task *self = coil__self();

	return self->pending == -EPERM ? NULL : self;
}
