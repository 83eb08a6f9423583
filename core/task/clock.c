/* SPDX-License-Identifier: MIT */
/* The clock of a loop: the monotonic clock of the system, or a simulated one. */
#include "core/task/loop.h"
#include <coil/time.h>
#include <time.h>

int64_t coil__clock(const struct coil_loop *loop)
{
	struct timespec ts;

	if (unlikely(loop->clock.simulated != NULL))
		return *loop->clock.simulated;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * COIL_SECOND + ts.tv_nsec;
}

int64_t coil_now(void)
{
	return coil__clock(coil__loop);
}
