/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_TIMERS_H
#define COIL_CORE_TASK_TIMERS_H

/*
 * Deadlines in order: a 4-ary heap in an array of its own, apart from the owners,
 * which are far apart in memory: moving an entry touches no task's page.  Equal
 * deadlines keep the order in which they were added.
 *
 * A heap of a million is slow, for each level of it is a miss of the cache.  So in a
 * crowd the heap has what falls due in the next milliseconds, and what is later
 * waits in slices, unsorted, each of which joins the heap when it is the next.  The
 * heap may have later ones besides: those of before the crowd, and those beyond the
 * last slice.
 *
 * Many a timeout ends before the loop looks for the first deadline again, as nothing
 * inside had to park.  So an entry is not put in order when it is added: it waits
 * behind the heap, in the same array, until somebody asks for the first of all.  One
 * that is removed before that never moved another.
 *
 * Nobody knows where an entry is, as keeping track would cost a write
 * to a second place at every move.  A timer that is removed gives up its place in
 * the table of owners, and its entry stays until it comes to the top, or until half
 * of all entries are such, when they are swept out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timer_kind {
	TIMER_TASK,	/* the owner is a task that sleeps */
	TIMER_SCOPE,	/* the owner is a scope with a deadline */
};

struct timer {
	int64_t when;
	uint32_t order;		/* of being added; also tells a place's new owner's entry */
	uint32_t place;
};

struct timer_place {
	void *owner;		/* NULL: free */
	uint32_t order;		/* of the entry that speaks of it; if free, the next free */
	uint32_t kind;
};

/* Deadlines of some milliseconds, in no order. */
struct slice {
	struct timer *entries;
	uint32_t count;
	uint32_t capacity;
};

struct timers {
	struct timer *heap;
	struct timer_place *places;	/* the first is never used: 0 means none */
	uint32_t entries;		/* in the heap */
	uint32_t added;			/* behind it, in the order in which they came */
	uint32_t sliced;		/* in the slices */
	uint32_t count;			/* of them all, those that have an owner */
	struct slice *slices;		/* NULL: there never was a crowd */
	uint32_t first;			/* the slice that begins at near; they go round */
	int64_t near;			/* INT64_MAX: slices are not in use */
	uint32_t capacity;
	uint32_t free;
	uint32_t fresh;			/* places beyond this were never used */
	uint32_t order;
	bool unsettled;			/* the first of all may not be on top of the heap */
};

void coil__timers_close(struct timers *timers);

/* Returns its place, 0 when memory is out. */
uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner);
void coil__timer_remove(struct timers *timers, uint32_t place);

/* Removes the first deadline, of which there is one, and returns its owner. */
void *coil__timer_pop(struct timers *timers, enum timer_kind *kind);

/* Whether place still is owner's, that is has neither fired nor been removed. */
static inline int coil__timer_is(const struct timers *timers, uint32_t place, const void *owner)
{
	return timers->places[place].owner == owner;
}

/* Puts the first of all on top of the heap. */
void coil__timers_settle(struct timers *timers);

static inline int64_t coil__timers_next(struct timers *timers)
{
	if (!timers->count)
		return INT64_MAX;
	if (timers->unsettled)
		coil__timers_settle(timers);
	return timers->heap[0].when;
}

#endif
