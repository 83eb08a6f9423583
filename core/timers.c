/* SPDX-License-Identifier: MIT */
#include "core/timers.h"
#include "core/list.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void coil__timers_close(struct timers *timers)
{
	free(timers->heap);
	free(timers->places);
	memset(timers, 0, sizeof(*timers));
}

static bool grow(struct timers *timers)
{
	uint32_t capacity = timers->capacity ? 2 * timers->capacity : 64;
	struct timer *heap;
	struct timer_place *places;

	if (timers->capacity > UINT32_MAX / 4)
		return false;
	heap = realloc(timers->heap, capacity * sizeof(*heap));
	if (!heap)
		return false;
	timers->heap = heap;
	places = realloc(timers->places, (capacity + 1) * sizeof(*places));
	if (!places)
		return false;
	timers->places = places;
	timers->capacity = capacity;
	return true;
}

static inline bool before(const struct timer *a, const struct timer *b)
{
	if (a->when != b->when)
		return a->when < b->when;
	return (int32_t)(a->order - b->order) < 0;
}

static inline void put(struct timers *timers, uint32_t at, struct timer timer)
{
	timers->heap[at] = timer;
	timers->places[timer.place].at = at;
}

static void rise(struct timers *timers, uint32_t at, struct timer timer)
{
	while (at) {
		uint32_t parent = (at - 1) / 4;

		if (!before(&timer, &timers->heap[parent]))
			break;
		put(timers, at, timers->heap[parent]);
		at = parent;
	}
	put(timers, at, timer);
}

static void sink(struct timers *timers, uint32_t at, struct timer timer)
{
	for (;;) {
		uint32_t first = 4 * at + 1, last = first + 4, least = first;

		if (first >= timers->count)
			break;
		if (last > timers->count)
			last = timers->count;
		for (uint32_t i = first + 1; i < last; i++) {
			if (before(&timers->heap[i], &timers->heap[least]))
				least = i;
		}
		if (!before(&timers->heap[least], &timer))
			break;
		put(timers, at, timers->heap[least]);
		at = least;
	}
	put(timers, at, timer);
}

uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner)
{
	struct timer timer = { .when = when };

	if (unlikely(timers->count == timers->capacity) && !grow(timers))
		return 0;
	timer.place = timers->free;
	if (timer.place)
		timers->free = timers->places[timer.place].at;
	else
		timer.place = ++timers->fresh;
	timer.order = timers->order++;
	timers->places[timer.place].owner = owner;
	timers->places[timer.place].kind = kind;
	rise(timers, timers->count++, timer);
	return timer.place;
}

void coil__timer_remove(struct timers *timers, uint32_t place)
{
	uint32_t at = timers->places[place].at;
	struct timer last = timers->heap[--timers->count];

	timers->places[place].owner = NULL;
	timers->places[place].at = timers->free;
	timers->free = place;
	if (last.place == place)
		return;
	if (at && before(&last, &timers->heap[(at - 1) / 4]))
		rise(timers, at, last);
	else
		sink(timers, at, last);
}

void *coil__timer_pop(struct timers *timers, enum timer_kind *kind)
{
	uint32_t place = timers->heap[0].place;
	void *owner = timers->places[place].owner;

	*kind = (enum timer_kind)timers->places[place].kind;
	coil__timer_remove(timers, place);
	return owner;
}
