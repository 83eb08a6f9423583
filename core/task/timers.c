/* SPDX-License-Identifier: MIT */
#include "core/task/timers.h"
#include "core/task/list.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	CROWD = 4096,		/* maximum of entries for a heap without slices */
	SLICES = 1024,
	SLICE_BITS = 23,	/* a slice is 2^23 ns long: 8 ms */
};

#define SLICE_NS ((int64_t)1 << SLICE_BITS)
#define HORIZON_NS ((uint64_t)SLICES * SLICE_NS)

void coil__timers_close(struct timers *timers)
{
	for (uint32_t i = 0; timers->slices && i < SLICES; i++)
		free(timers->slices[i].entries);
	free(timers->slices);
	free(timers->heap);
	free(timers->places);
	memset(timers, 0, sizeof(*timers));
}

static bool timers_grow(struct timers *timers)
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
	return a->order < b->order;
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
		/* Prefetch the 16 grandchildren, which are contiguous: one may be next. */
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

/* While the counts are equal no entry is stale, and no place is read. */
static void drop_stale(struct timers *timers)
{
	while (timers->entries && timers->entries + timers->sliced != timers->count &&
	       is_stale(timers, &timers->heap[0]))
		drop_top(timers);
}

/* Moves the nearest slice into the heap, which has room for all entries. */
static void open_slice(struct timers *timers)
{
	struct slice *slice = &timers->slices[timers->first];

	for (uint32_t i = 0; i < slice->count; i++)
		rise(timers, timers->entries++, slice->entries[i]);
	timers->sliced -= slice->count;
	free(slice->entries);
	*slice = (struct slice){0};
	timers->first = (timers->first + 1) % SLICES;
	timers->near += SLICE_NS;
}

/* The heap has become large: from now on only near timers go to the heap. */
static void begin_slices(struct timers *timers)
{
	if (!timers->slices)
		timers->slices = calloc(SLICES, sizeof(*timers->slices));
	if (timers->slices && timers->heap[0].when < INT64_MAX / 2)
		timers->near = timers->heap[0].when + SLICE_NS;
}

/* Returns false if the timer must go to the heap, which accepts any timer. */
static bool slice_add(struct timers *timers, struct timer timer)
{
	uint64_t ahead = (uint64_t)timer.when - (uint64_t)timers->near;
	struct slice *slice;

	if (timer.when < timers->near || ahead >= HORIZON_NS)
		return false;
	slice = &timers->slices[(timers->first + (ahead >> SLICE_BITS)) % SLICES];
	if (slice->count == slice->capacity) {
		uint32_t capacity = slice->capacity ? 2 * slice->capacity : 16;
		struct timer *grown = realloc(slice->entries, capacity * sizeof(*grown));

		if (!grown)
			return false;
		slice->entries = grown;
		slice->capacity = capacity;
	}
	slice->entries[slice->count++] = timer;
	timers->sliced++;
	return true;
}

static void timers_insert(struct timers *timers, struct timer timer)
{
	if (likely(!timers->sliced)) {
		timers->near = INT64_MAX;
		if (timers->entries >= CROWD)
			begin_slices(timers);
	}
	if (unlikely(timers->near != INT64_MAX) && slice_add(timers, timer))
		return;
	/* A new time-out often replaces one just removed: try the stale top's place first. */
	if (timers->unsettled && timers->entries && is_stale(timers, &timers->heap[0]))
		sink(timers, 0, timer);
	else
		rise(timers, timers->entries++, timer);
}

/* Inserts the entries behind the heap, which never grows past the one being inserted. */
static void take_in(struct timers *timers)
{
	const struct timer *added = &timers->heap[timers->entries];
	const struct timer *end = added + timers->added;

	timers->added = 0;
	for (; added < end; added++) {
		struct timer timer = *added;

		if (!is_stale(timers, &timer))
			timers_insert(timers, timer);
	}
}

/* Restores the invariant: the first deadline is on top of the heap, and has an owner. */
static inline void timers_settle(struct timers *timers)
{
	for (;;) {
		drop_stale(timers);
		if (likely(!timers->sliced))
			return;
		if (timers->entries && timers->heap[0].when < timers->near)
			return;
		open_slice(timers);
	}
}

void coil__timers_settle(struct timers *timers)
{
	take_in(timers);
	timers->unsettled = false;
	timers_settle(timers);
}

static inline uint32_t all_entries(const struct timers *timers)
{
	return timers->entries + timers->added + timers->sliced;
}

static uint32_t keep_live(const struct timers *timers, struct timer *entries, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!is_stale(timers, &entries[i]))
			entries[kept++] = entries[i];
	}
	return kept;
}

static int compare(const void *a, const void *b)
{
	return before(a, b) ? -1 : before(b, a);
}

/*
 * The counter of additions has reached its maximum.  Moves all live entries to the heap,
 * which has room for them, sorts them and numbers them again.  A sorted array is a heap.
 */
static void renumber(struct timers *timers)
{
	struct timer *heap = timers->heap;
	uint32_t n = keep_live(timers, heap, timers->entries + timers->added);

	for (uint32_t i = 0; timers->slices && i < SLICES; i++) {
		struct slice *slice = &timers->slices[i];
		uint32_t kept = keep_live(timers, slice->entries, slice->count);

		if (kept)
			memcpy(heap + n, slice->entries, kept * sizeof(*heap));
		n += kept;
		free(slice->entries);
		*slice = (struct slice){0};
	}
	if (n)
		qsort(heap, n, sizeof(*heap), compare);
	for (uint32_t i = 0; i < n; i++)
		timers->places[heap[i].place].order = heap[i].order = i;
	timers->order = timers->entries = n;
	timers->added = timers->sliced = 0;
	timers->near = INT64_MAX;
}

uint32_t coil__timer_add(struct timers *timers, int64_t when, enum timer_kind kind, void *owner)
{
	struct timer timer = { .when = when };
	struct timer_place *place;

	if (unlikely(all_entries(timers) == timers->capacity) && !timers_grow(timers))
		return 0;
	if (unlikely(timers->order == UINT32_MAX))
		renumber(timers);
	timer.order = timers->order;
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
	if (kind == TIMER_TASK && !timers->unsettled) {
		/* A sleeper always parks, so that to insert it later would save nothing. */
		timers_insert(timers, timer);
		timers_settle(timers);
	} else {
		timers->heap[timers->entries + timers->added++] = timer;
		timers->unsettled = true;
	}
	return timer.place;
}

/* Removes all stale entries, and makes the rest a heap again. */
static void sweep(struct timers *timers)
{
	uint32_t kept = keep_live(timers, timers->heap, timers->entries + timers->added);

	timers->entries = kept;
	timers->added = 0;
	for (uint32_t i = kept / 4 + 1; i-- > 0;) {
		if (i < kept)
			sink(timers, i, timers->heap[i]);
	}
	for (uint32_t i = 0; timers->sliced && i < SLICES; i++) {
		struct slice *slice = &timers->slices[i];

		kept = keep_live(timers, slice->entries, slice->count);
		timers->sliced -= slice->count - kept;
		slice->count = kept;
	}
}

static void free_place(struct timers *timers, uint32_t place)
{
	timers->places[place].owner = NULL;
	timers->places[place].order = timers->free;
	timers->free = place;
	timers->count--;
}

static inline const struct timer *last_added(const struct timers *timers)
{
	return &timers->heap[timers->entries + timers->added - 1];
}

void coil__timer_remove(struct timers *timers, uint32_t place)
{
	free_place(timers, place);
	while (timers->added && is_stale(timers, last_added(timers)))
		timers->added--;
	if (all_entries(timers) > 64 && timers->count < all_entries(timers) / 2)
		sweep(timers);
	timers->unsettled = true;
}

void *coil__timer_pop(struct timers *timers, enum timer_kind *kind)
{
	uint32_t place;
	void *owner;

	if (timers->unsettled)
		coil__timers_settle(timers);
	place = timers->heap[0].place;
	owner = timers->places[place].owner;
	*kind = (enum timer_kind)timers->places[place].kind;
	free_place(timers, place);
	drop_top(timers);
	timers_settle(timers);
	return owner;
}
