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

static void rise(struct timers *timers, uint32_t at, struct timer timer)
{
	while (at) {
		uint32_t parent = (at - 1) / 4;

		if (!before(&timer, &timers->heap[parent]))
			break;
		timers->heap[at] = timers->heap[parent];
		at = parent;
	}
	timers->heap[at] = timer;
}

static void sink(struct timers *timers, uint32_t at, struct timer timer)
{
	for (;;) {
		uint32_t first = 4 * at + 1, last = first + 4, least = first;

		if (first >= timers->entries)
			break;
		/* The children of all of them, one of which is next: 16 in a row. */
		for (uint32_t i = 0; i <= 16; i += 4)
			__builtin_prefetch(&timers->heap[4 * first + 1 + i]);
		if (last > timers->entries)
			last = timers->entries;
		for (uint32_t i = first + 1; i < last; i++) {
			if (before(&timers->heap[i], &timers->heap[least]))
				least = i;
		}
		if (!before(&timers->heap[least], &timer))
			break;
		timers->heap[at] = timers->heap[least];
		at = least;
	}
	timers->heap[at] = timer;
}

uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner)
{
	struct timer timer = { .when = when, .order = timers->order };
	struct timer_place *place;

	if (unlikely(timers->entries == timers->capacity) && !grow(timers))
		return 0;
	timer.place = timers->free;
	if (!timer.place)
		timer.place = ++timers->fresh;
	place = &timers->places[timer.place];
	if (timers->free)
		timers->free = place->order;
	place->owner = owner;
	place->order = timers->order++;
	place->kind = kind;
	timers->count++;
	rise(timers, timers->entries++, timer);
	return timer.place;
}

static bool is_stale(const struct timers *timers, const struct timer *timer)
{
	const struct timer_place *place = &timers->places[timer->place];

	return !place->owner || place->order != timer->order;
}

static void drop_top(struct timers *timers)
{
	struct timer last = timers->heap[--timers->entries];

	if (timers->entries)
		sink(timers, 0, last);
}

/* As long as no timer was removed there is no need to look. */
static void drop_stale(struct timers *timers)
{
	while (timers->entries != timers->count && is_stale(timers, &timers->heap[0]))
		drop_top(timers);
}

static void sweep(struct timers *timers)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < timers->entries; i++) {
		if (!is_stale(timers, &timers->heap[i]))
			timers->heap[kept++] = timers->heap[i];
	}
	timers->entries = kept;
	for (uint32_t i = kept / 4 + 1; i-- > 0;) {
		if (i < kept)
			sink(timers, i, timers->heap[i]);
	}
}

static void free_place(struct timers *timers, uint32_t place)
{
	timers->places[place].owner = NULL;
	timers->places[place].order = timers->free;
	timers->free = place;
	timers->count--;
}

void coil__timer_remove(struct timers *timers, uint32_t place)
{
	free_place(timers, place);
	if (timers->entries > 64 && timers->count < timers->entries / 2)
		sweep(timers);
	drop_stale(timers);
}

void *coil__timer_pop(struct timers *timers, enum timer_kind *kind)
{
	uint32_t place = timers->heap[0].place;
	void *owner = timers->places[place].owner;

	*kind = (enum timer_kind)timers->places[place].kind;
	free_place(timers, place);
	drop_top(timers);
	drop_stale(timers);
	return owner;
}
