/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "core/timers.h"
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

/* The count of all that ever were wraps around. */
START_TEST(the_order_outlives_its_counter)
{
	model.timers.order = UINT32_MAX - MANY / 2;
	for (int i = 0; i < MANY; i++)
		add(&model.entries[i], 5);
	clear();
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
	tcase_add_test(tests, the_far_ends_of_the_clock_are_in_order);
	tcase_add_test(tests, removed_ones_do_not_pile_up);
	tcase_add_test(tests, when_memory_is_out_nothing_changes);
	suite_add_tcase(whole, tests);
	return whole;
}
