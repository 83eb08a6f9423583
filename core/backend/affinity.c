/* SPDX-License-Identifier: MIT */
#include "core/backend/affinity.h"
#include <errno.h>
#include <pthread.h>

enum { CPUS_MAX = 1 << 20 };

__thread const struct affinity *coil__unpinned;

/* The kernel refuses a set that is smaller than its own, and does not report the size. */
int coil__affinity_get(struct affinity *allowed)
{
	for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
		allowed->size = CPU_ALLOC_SIZE(cpus);
		allowed->set = CPU_ALLOC(cpus);
		if (!allowed->set)
			return -ENOMEM;
		CPU_ZERO_S(allowed->size, allowed->set);
		if (!sched_getaffinity(0, allowed->size, allowed->set) || errno != EINVAL)
			break;
		coil__affinity_release(allowed);
	}
	if (!allowed->set)
		return -ENOMEM;
	/* If the call is forbidden, assume one processor. */
	if (!CPU_COUNT_S(allowed->size, allowed->set))
		CPU_SET_S(0, allowed->size, allowed->set);
	return 0;
}

void coil__affinity_release(struct affinity *allowed)
{
	CPU_FREE(allowed->set);
	allowed->set = NULL;
}

int coil__affinity_nth(const struct affinity *allowed, unsigned n)
{
	for (int cpu = 0; cpu < (int)(8 * allowed->size); cpu++) {
		if (CPU_ISSET_S(cpu, allowed->size, allowed->set) && !n--)
			return cpu;
	}
	return -1;
}

/* If the processor has gone offline meanwhile, the thread stays unpinned. */
void coil__affinity_pin(const struct affinity *allowed, int cpu)
{
	cpu_set_t *one = CPU_ALLOC(8 * allowed->size);

	if (!one)
		return;
	CPU_ZERO_S(allowed->size, one);
	CPU_SET_S(cpu, allowed->size, one);
	if (!pthread_setaffinity_np(pthread_self(), allowed->size, one))
		coil__unpinned = allowed;
	CPU_FREE(one);
}
