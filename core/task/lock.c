/* SPDX-License-Identifier: MIT */
#include "core/task/lock.h"
#include <pthread.h>

static pthread_mutex_t locks[PROCESS_LOCKS] = {
	[0 ... PROCESS_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER,
};

void coil__lock(enum process_lock which)
{
	pthread_mutex_lock(&locks[which]);
}

void coil__unlock(enum process_lock which)
{
	pthread_mutex_unlock(&locks[which]);
}
