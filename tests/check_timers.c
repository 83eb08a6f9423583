/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "core/task/timers.h"
#include <coil/time.h>
#include <stdlib.h>
#include <string.h>

/*
 * The heap by itself, against a model: a list in which the first of the least
 * is looked for.
 */

enum { MANY = 2000 };

struct entry {
	int64_t when;
	uint64_t order;
	uint32_t place;		/* 0: not there */
	enum timer_kind kind;
};

static struct {
	struct timers timers;
	struct entry entries[MANY];
	uint64_t order;
	uint32_t count;
	uint64_t random;
} model;

static uint32_t pick(uint32_t below)
{
	model.random =
		model.random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(model.random >> 33) % below;
}

static void add(struct entry *entry, int64_t when)
{
	entry->when = when;
	entry->order = model.order++;
	entry->kind = pick(2) ? TIMER_TASK : TIMER_SCOPE;
	entry->place = coil__timer_add(&model.timers, when, entry->kind, entry);
	ck_assert_uint_ne(entry->place, 0);
	ck_assert(coil__timer_is(&model.timers, entry->place, entry));
	model.count++;
}

static void take_out(struct entry *entry)
{
	coil__timer_remove(&model.timers, entry->place);
	ck_assert(!coil__timer_is(&model.timers, entry->place, entry));
	entry->place = 0;
	model.count--;
}

static struct entry *least(void)
{
	struct entry *first = NULL;

	for (int i = 0; i < MANY; i++) {
		struct entry *entry = &model.entries[i];

		if (entry->place && (!first || entry->when < first->when ||
				     (entry->when == first->when &&
				      entry->order < first->order)))
			first = entry;
	}
	return first;
}

static void pop(void)
{
	struct entry *expected = least(), *entry;
	enum timer_kind kind = TIMER_TASK;

	if (!expected) {
		ck_assert_int_eq(coil__timers_next(&model.timers), INT64_MAX);
		return;
	}
	/* To look first is not needed. */
	if (pick(2))
		ck_assert_int_eq(coil__timers_next(&model.timers), expected->when);
	entry = coil__timer_pop(&model.timers, &kind);
	ck_assert_ptr_eq(entry, expected);
	ck_assert_int_eq(kind, entry->kind);
	entry->place = 0;
	model.count--;
}

static void step(uint32_t adds, uint32_t removes, uint32_t span)
{
	struct entry *entry = &model.entries[pick(MANY)];
	uint32_t what = pick(100);

	if (what < adds) {
		if (!entry->place)
			add(entry, pick(span));
	} else if (what < adds + removes) {
		if (entry->place)
			take_out(entry);
	} else {
		pop();
	}
	ck_assert_uint_eq(model.timers.count, model.count);
}

static void clear(void)
{
	while (model.count)
		pop();
	coil__timers_close(&model.timers);
	memset(&model.timers, 0, sizeof(model.timers));
}

/* The sequence grows, then shrinks; few distinct instants, so that many are equal. */
START_TEST(it_does_what_a_sorted_list_would)
{
	static const uint32_t spans[] = { 1, 10, 1000, UINT32_MAX };

	model.random = support_seed();
	for (int i = 0; i < 4; i++) {
		for (int n = 0; n < 4000; n++)
			step(60, 30, spans[i]);
		for (int n = 0; n < 3000; n++)
			step(20, 60, spans[i]);
		for (int n = 0; n < 3000; n++)
			step(30, 20, spans[i]);
		clear();
	}
}
END_TEST

START_TEST(equal_instants_keep_the_order_in_which_they_were_added)
{
	for (int i = 0; i < MANY; i++)
		add(&model.entries[i], i % 3);
	for (int i = 0; i < MANY; i += 7)
		take_out(&model.entries[i]);
	clear();
}
END_TEST

/* The count of all that ever were comes to its end, with some removed on the way. */
START_TEST(the_order_outlives_its_counter)
{
	model.timers.order = UINT32_MAX - MANY / 2;
	for (int i = 0; i < MANY; i++)
		add(&model.entries[i], 5);
	clear();
	model.random = support_seed();
	model.timers.order = UINT32_MAX - 1000;
	for (int n = 0; n < 4000; n++)
		step(60, 30, 10);
	clear();
}
END_TEST

/* However many came and went meanwhile. */
START_TEST(one_that_was_added_long_ago_goes_before_its_equal)
{
	static const uint32_t later[] = { 1, INT32_MAX, 1u + INT32_MAX, UINT32_MAX };

	for (int i = 0; i < 4; i++) {
		add(&model.entries[0], 5);
		add(&model.entries[1], 7);
		model.timers.order += later[i] - 2;
		add(&model.entries[2], 5);
		add(&model.entries[3], 7);
		add(&model.entries[4], 7);
		clear();
	}
}
END_TEST

START_TEST(the_far_ends_of_the_clock_are_in_order)
{
	add(&model.entries[0], INT64_MAX - 1);
	add(&model.entries[1], INT64_MIN);
	add(&model.entries[2], 0);
	add(&model.entries[3], -1);
	add(&model.entries[4], INT64_MAX - 1);
	clear();
}
END_TEST

/* Those that were removed take no more room than those that were not. */
START_TEST(removed_ones_do_not_pile_up)
{
	struct entry *stay = &model.entries[0], *entry = &model.entries[1];

	add(stay, 1);
	for (int i = 0; i < 100000; i++) {
		add(entry, 1000000 - i);
		take_out(entry);
	}
	ck_assert_uint_le(model.timers.capacity, 256);
	clear();
}
END_TEST

static void add_scope(struct entry *entry, int64_t when)
{
	entry->when = when;
	entry->order = model.order++;
	entry->kind = TIMER_SCOPE;
	entry->place = coil__timer_add(&model.timers, when, TIMER_SCOPE, entry);
	ck_assert_uint_ne(entry->place, 0);
	model.count++;
}

/* So many that have come to stay, among whom others come and go. */
static void fill_heap(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add_scope(&model.entries[i], 1000 + i);
	ck_assert_int_eq(coil__timers_next(&model.timers), 1000);
	ck_assert_uint_eq(model.timers.entries, n);
	ck_assert_uint_eq(model.timers.added, 0);
}

START_TEST(one_that_goes_before_anybody_looks_was_never_in_the_heap)
{
	struct entry *entry = &model.entries[100];

	fill_heap(100);
	for (int i = 0; i < 1000; i++) {
		add_scope(entry, i % 2 ? 5 : 5000);
		ck_assert_uint_eq(model.timers.count, 101);
		take_out(entry);
		ck_assert_uint_eq(model.timers.entries, 100);
		ck_assert_uint_eq(model.timers.added, 0);
	}
	clear();
}
END_TEST

START_TEST(one_that_somebody_looked_for_is_in_the_heap)
{
	struct entry *entry = &model.entries[100];

	fill_heap(100);
	add_scope(entry, 5);
	ck_assert_uint_eq(model.timers.entries, 100);
	ck_assert_int_eq(coil__timers_next(&model.timers), 5);
	ck_assert_uint_eq(model.timers.entries, 101);
	clear();
}
END_TEST

START_TEST(those_that_go_out_of_turn_before_anybody_looks_are_gone)
{
	struct entry *outer = &model.entries[100], *middle = outer + 1, *inner = outer + 2;

	fill_heap(100);
	add_scope(outer, 5);
	add_scope(middle, 5);
	add_scope(inner, 5);
	take_out(outer);
	take_out(inner);
	ck_assert_int_eq(coil__timers_next(&model.timers), 5);
	ck_assert_uint_eq(model.timers.entries, 101);
	take_out(middle);
	ck_assert_int_eq(coil__timers_next(&model.timers), 1000);
	add_scope(outer, 5);
	add_scope(inner, 5);
	take_out(outer);
	take_out(inner);
	ck_assert_uint_eq(model.timers.added, 0);
	add_scope(outer, 5);
	add_scope(middle, 5000);
	add_scope(inner, 5000);
	take_out(middle);
	ck_assert_int_eq(coil__timers_next(&model.timers), 5);
	ck_assert_uint_eq(model.timers.entries, 102);
	clear();
}
END_TEST

/* As a deadline that is moved is added again before it is removed. */
START_TEST(those_that_go_when_the_next_has_come_do_not_pile_up)
{
	struct entry *old = &model.entries[0], *new = &model.entries[1];

	add_scope(old, 1);
	for (int i = 0; i < 100000; i++) {
		struct entry *gone = old;

		add_scope(new, 2 + i);
		take_out(old);
		old = new;
		new = gone;
	}
	ck_assert_uint_le(model.timers.capacity, 256);
	clear();
}
END_TEST

/* It is sure to park; but there is no room for it at the heap's end if others wait there. */
START_TEST(a_sleeper_goes_to_the_heap_at_once_if_nobody_waits_behind_it)
{
	fill_heap(100);
	ck_assert_uint_ne(coil__timer_add(&model.timers, 5, TIMER_TASK, &model), 0);
	ck_assert_uint_eq(model.timers.entries, 101);
	add_scope(&model.entries[100], 4);
	ck_assert_uint_ne(coil__timer_add(&model.timers, 4, TIMER_TASK, &model), 0);
	ck_assert_uint_eq(model.timers.entries, 101);
	ck_assert_uint_eq(model.timers.added, 2);
	model.count += 2;
	for (int i = 0; i < 3; i++) {
		enum timer_kind kind = TIMER_TASK;
		void *owner = coil__timer_pop(&model.timers, &kind);

		ck_assert_ptr_eq(owner, i ? (void *)&model : (void *)&model.entries[100]);
		ck_assert_int_eq(kind, i ? TIMER_TASK : TIMER_SCOPE);
		model.count--;
	}
	model.entries[100].place = 0;
	clear();
}
END_TEST

/*
 * So many that most wait in slices.  Up to ten seconds ahead, in whole milliseconds,
 * so that some are equal and some beyond the last slice.
 */
enum { CROWD = 30000 };

static struct entry crowd[CROWD];

static void join_crowd(struct entry *entry, int64_t now)
{
	int64_t when = now + pick(10000) * COIL_MILLISECOND;

	/* Without memory for its slice it goes to the heap, when somebody looks. */
	support_fail_allocation(pick(10) ? 0 : 1);
	entry->when = when;
	entry->kind = pick(2) ? TIMER_TASK : TIMER_SCOPE;
	entry->place = coil__timer_add(&model.timers, when, entry->kind, entry);
	if (pick(2))
		coil__timers_next(&model.timers);
	support_fail_allocation(0);
	entry->order = model.order;
	if (entry->place) {
		model.order++;
		model.count++;
	}
}

static void serve_crowd(uint32_t first)
{
	struct entry *entry;
	enum timer_kind kind;
	int64_t now = 0;
	uint64_t order = 0;
	int popped = 0;

	model.random = support_seed();
	model.timers.order = first;
	for (int i = 0; i < CROWD; i++)
		join_crowd(&crowd[i], now);
	coil__timers_next(&model.timers);
	if (!first)
		ck_assert_uint_gt(model.timers.sliced, CROWD / 2);
	while (model.count) {
		ck_assert_uint_eq(model.timers.count, model.count);
		ck_assert_int_ge(coil__timers_next(&model.timers), now);
		entry = coil__timer_pop(&model.timers, &kind);
		ck_assert(entry->when > now || (entry->when == now && entry->order >= order));
		now = entry->when;
		order = entry->order + 1;
		entry->place = 0;
		model.count--;
		popped++;
		entry = &crowd[pick(CROWD)];
		if (entry->place && pick(3) == 0) {
			coil__timer_remove(&model.timers, entry->place);
			entry->place = 0;
			model.count--;
		} else if (!entry->place && popped < 2 * CROWD && pick(2)) {
			join_crowd(entry, now);
		}
	}
	ck_assert_uint_eq(model.timers.sliced, 0);
	ck_assert_uint_eq(model.timers.entries, 0);
	clear();
}

START_TEST(a_crowd_is_served_in_order_while_others_join_and_leave)
{
	serve_crowd(0);
}
END_TEST

/* As they join, and as they are served. */
START_TEST(a_crowd_is_served_in_order_when_the_counter_comes_to_its_end)
{
	serve_crowd(UINT32_MAX - CROWD / 2);
	serve_crowd(UINT32_MAX - CROWD - CROWD / 4);
}
END_TEST

START_TEST(a_crowd_that_leaves_leaves_nothing_behind)
{
	model.random = support_seed();
	for (int i = 0; i < CROWD; i++)
		join_crowd(&crowd[i], 0);
	for (int i = 0; i < CROWD; i++) {
		if (!crowd[i].place)
			continue;
		coil__timer_remove(&model.timers, crowd[i].place);
		model.count--;
		ck_assert(model.timers.entries + model.timers.added + model.timers.sliced <=
			  2 * model.count + 64);
	}
	clear();
}
END_TEST

START_TEST(when_memory_is_out_nothing_changes)
{
	int refusals = 0;

	for (int i = 0; i < MANY; i++) {
		struct entry *entry = &model.entries[i];

		/* There are two things to grow, and either may fail. */
		for (unsigned long nth = 1; nth <= 2; nth++) {
			uint32_t place;

			support_fail_allocation(nth);
			place = coil__timer_add(&model.timers, i, TIMER_TASK,
						entry);
			refusals += support_allocation_failed();
			ck_assert_int_eq(place == 0,
					 support_allocation_failed());
			support_fail_allocation(0);
			if (place)
				coil__timer_remove(&model.timers, place);
			ck_assert_uint_eq(model.timers.count, model.count);
		}
		add(entry, MANY - i);
	}
	ck_assert_int_gt(refusals, 6);
	clear();
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("timers");
	TCase *tests = tcase_create("timers");

	tcase_add_test(tests, it_does_what_a_sorted_list_would);
	tcase_add_test(tests,
		       equal_instants_keep_the_order_in_which_they_were_added);
	tcase_add_test(tests, the_order_outlives_its_counter);
	tcase_add_test(tests, one_that_was_added_long_ago_goes_before_its_equal);
	tcase_add_test(tests, the_far_ends_of_the_clock_are_in_order);
	tcase_add_test(tests, removed_ones_do_not_pile_up);
	tcase_add_test(tests, one_that_goes_before_anybody_looks_was_never_in_the_heap);
	tcase_add_test(tests, one_that_somebody_looked_for_is_in_the_heap);
	tcase_add_test(tests, those_that_go_out_of_turn_before_anybody_looks_are_gone);
	tcase_add_test(tests, those_that_go_when_the_next_has_come_do_not_pile_up);
	tcase_add_test(tests, a_sleeper_goes_to_the_heap_at_once_if_nobody_waits_behind_it);
	tcase_add_test(tests, a_crowd_is_served_in_order_while_others_join_and_leave);
	tcase_add_test(tests, a_crowd_is_served_in_order_when_the_counter_comes_to_its_end);
	tcase_add_test(tests, a_crowd_that_leaves_leaves_nothing_behind);
	tcase_add_test(tests, when_memory_is_out_nothing_changes);
	suite_add_tcase(whole, tests);
	return whole;
}
