/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TIMERS_H
#define COIL_CORE_TIMERS_H

/*
 * Deadlines in order: a 4-ary heap.  The heap and the places of its entries lie
 * in two arrays of their own and never in the owners, which are far apart in
 * memory: moving an entry touches no task's page.  Equal deadlines keep the
 * order in which they were added.
 */

#include <stddef.h>
#include <stdint.h>

enum timer_kind {
	TIMER_TASK,	/* the owner is a task that sleeps */
	TIMER_SCOPE,	/* the owner is a scope with a deadline */
};

struct timer {
	int64_t when;
	uint32_t order;
	uint32_t place;
};

struct timer_place {
	void *owner;		/* NULL: free */
	uint32_t at;		/* its index in the heap; if free, the next free place */
	uint32_t kind;
};

struct timers {
	struct timer *heap;
	struct timer_place *places;	/* the first is never used: 0 means none */
	uint32_t count;
	uint32_t capacity;
	uint32_t free;
	uint32_t fresh;			/* places beyond this were never used */
	uint32_t order;
};

void coil__timers_close(struct timers *timers);

/* Returns its place, 0 when memory is out. */
uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner);
void coil__timer_remove(struct timers *timers, uint32_t place);

/* Removes the first deadline, of which there is one, and returns its owner. */
void *coil__timer_pop(struct timers *timers, enum timer_kind *kind);

static inline int64_t coil__timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[0].when : INT64_MAX;
}

#endif
