/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_TIMERS_H
#define COIL_CORE_TASK_TIMERS_H

/*
 * Deadlines in order, in a 4-ary heap.  The heap is an array apart from the owners,
 * which are far apart in memory, so that moving an entry touches no task's page.
 * Equal deadlines keep the order in which they were added.
 *
 * A heap of a million entries is slow, because each level costs a cache miss.  So when
 * there are many timers, the heap holds the ones that expire in the next milliseconds.
 * Later timers wait in slices, unsorted.  A slice joins the heap when it is the next.
 * The heap may also hold later timers: timers that were added before the slices were in
 * use, and timers beyond the last slice.
 *
 * Many time-outs end before the loop needs the first deadline again, because no call in
 * them parked.  So the timer of a scope is not sorted when it is added: its entry waits
 * behind the heap, in the same array, until the first deadline is needed.  An entry that
 * is removed before then has moved no other entry.
 *
 * The position of an entry is not recorded: that would cost a write to a second place
 * at every move.  A timer that is removed gives up its place in the table of owners.
 * Its entry is stale from then on.  It stays until it reaches the top, or until more
 * than half of all entries are stale and are swept out.
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
	uint32_t order;		/* number of its addition; stale: its place has another */
	uint32_t place;
};

struct timer_place {
	void *owner;		/* NULL: free */
	uint32_t order;		/* of its entry; if free, the next free place */
	uint32_t kind;
};

/* The deadlines of 8 ms, in no order. */
struct slice {
	struct timer *entries;
	uint32_t count;
	uint32_t capacity;
};

struct timers {
	struct timer *heap;
	struct timer_place *places;	/* index 0 is never used: it means none */
	uint32_t entries;		/* in the heap */
	uint32_t added;			/* behind the heap, in the order of addition */
	uint32_t sliced;		/* in the slices */
	uint32_t count;			/* timers: all entries that are not stale */
	struct slice *slices;		/* NULL: slices were never in use */
	uint32_t first;			/* the slice that begins at near; a ring */
	int64_t near;			/* INT64_MAX: slices are not in use */
	uint32_t capacity;
	uint32_t free;
	uint32_t fresh;			/* the last place that was ever used */
	uint32_t order;
	bool unsettled;			/* the first deadline may not be on top of the heap */
};

void coil__timers_close(struct timers *timers);

/* Adds a timer.  Returns its place, or 0 without memory. */
uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner);

/* Removes a timer that has neither fired nor been removed. */
void coil__timer_remove(struct timers *timers, uint32_t place);

/* Removes the first timer and returns its owner.  There must be a timer. */
void *coil__timer_pop(struct timers *timers, enum timer_kind *kind);

/* True if the owner's timer has neither fired nor been removed. */
static inline int coil__timer_is(const struct timers *timers, uint32_t place, const void *owner)
{
	return timers->places[place].owner == owner;
}

/* Puts the first deadline on top of the heap. */
void coil__timers_settle(struct timers *timers);

/* Returns the first deadline, or INT64_MAX if there is no timer. */
static inline int64_t coil__timers_next(struct timers *timers)
{
	if (!timers->count)
		return INT64_MAX;
	if (timers->unsettled)
		coil__timers_settle(timers);
	return timers->heap[0].when;
}

#endif
