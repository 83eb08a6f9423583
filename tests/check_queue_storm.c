/* SPDX-License-Identifier: MIT */
#include "tests/queues.h"
#include <signal.h>
#include <stdlib.h>

/*
 * Memory and misuse.
 */

COIL_TEST(fini_drops_what_is_inside_and_leaves_nothing)
{
	struct coil_queue queue;

	make(&queue, FIFO, 0);
	coil_queue_set_drop(&queue, note_drop, "d");
	/* Across the end of the ring. */
	for (int i = 0; i < 14; i++) {
		ck_assert_int_eq(put(&queue, i), 0);
		ck_assert_int_eq(get(&queue), i);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(put(&queue, i), 0);
	coil_queue_fini(&queue);
	traced("d0 d1 d2 d3");
	coil_queue_fini(&queue);
	traced("");
}

START_TEST(sizes_that_make_no_sense_are_einval)
{
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init(&queue, 0, 0), -EINVAL);
	ck_assert_int_eq(coil_queue_init(&queue, 0, 5), -EINVAL);
	ck_assert_int_eq(coil_queue_init_lifo(&queue, 8, SIZE_MAX / 4), -EINVAL);
	ck_assert_int_eq(coil_queue_init_priority(&queue, 4, 0, NULL), -EINVAL);
	ck_assert_int_eq(coil_queue_init_priority(&queue, SIZE_MAX, 2, compare_ints), -EINVAL);
	ck_assert_int_eq(coil_queue_init(&queue, 4, SIZE_MAX / 4), 0);
	ck_assert_int_eq(put_nowait(&queue, 3), 0);
	coil_queue_fini(&queue);
	ck_assert_int_eq(coil_queue_init(&queue, SIZE_MAX / 4, 0), 0);
	ck_assert_int_eq(coil_queue_put_nowait(&queue, &queue), -ENOMEM);
	ck_assert(coil_queue_empty(&queue));
	coil_queue_fini(&queue);
}
END_TEST

START_TEST(an_init_without_memory_is_enomem_and_leaves_none_behind)
{
	struct coil_queue queue;

	for (unsigned long n = 1; n <= 2; n++) {
		size_t before = support_outstanding();

		support_fail_allocation(n);
		ck_assert_int_eq(coil_queue_init_priority(&queue, 4, 100, compare_ints), -ENOMEM);
		ck_assert_uint_eq(support_outstanding(), before);
		coil_queue_fini(&queue);
	}
	support_fail_allocation(1);
	ck_assert_int_eq(coil_queue_init(&queue, 4, 100), -ENOMEM);
	ck_assert_int_eq(coil_queue_init(&queue, 4, 100), 0);
	coil_queue_fini(&queue);
}
END_TEST

/* In each order, with the ring wrapped or not: fails once, then succeeds. */
static void grow_without_memory(enum order order, int offset)
{
	struct coil_queue queue;
	int i = 0;

	make(&queue, order, 0);
	for (; i < offset; i++) {
		ck_assert_int_eq(put(&queue, i), 0);
		ck_assert_int_eq(get(&queue), i);
	}
	for (i = 0; i < 100; i++) {
		size_t size = coil_queue_size(&queue);
		int err;

		support_fail_allocation(1);
		err = put(&queue, i);
		if (err) {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_uint_eq(coil_queue_size(&queue), size);
			support_fail_allocation(order == PRIORITY ? 2 : 1);
			ck_assert_int_eq(put(&queue, i), -ENOMEM);
			support_fail_allocation(0);
			ck_assert_int_eq(put(&queue, i), 0);
		}
		support_fail_allocation(0);
	}
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(get(&queue), order == LIFO ? 99 - i : i);
	ck_assert_int_eq(get_nowait(&queue), -EAGAIN);
	coil_queue_fini(&queue);
}

COIL_TEST(a_put_without_memory_is_enomem_and_leaves_the_queue_as_it_was)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		for (int offset = 0; offset < 40; offset += 3)
			grow_without_memory(order, offset);
	}
}

COIL_TEST(a_small_limited_queue_needs_no_memory_after_its_init)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;
		unsigned long before;

		make(&queue, order, 1000);
		before = support_allocations();
		for (int i = 0; i < 1000; i++)
			ck_assert_int_eq(put(&queue, i), 0);
		ck_assert(coil_queue_full(&queue));
		ck_assert_int_eq(put_nowait(&queue, 1), -EAGAIN);
		ck_assert_uint_eq(support_allocations(), before);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(a_large_limited_queue_grows_up_to_its_limit_and_no_further)
{
	struct coil_queue queue;

	make(&queue, FIFO, 50000);
	for (int i = 0; i < 50000; i++)
		ck_assert_int_eq(put(&queue, i), 0);
	ck_assert(coil_queue_full(&queue));
	ck_assert_int_eq(put_nowait(&queue, 1), -EAGAIN);
	for (int i = 0; i < 50000; i++)
		ck_assert_int_eq(get(&queue), i);
	coil_queue_fini(&queue);
}

COIL_TEST(a_limited_queue_of_large_items_asks_for_no_more_slots_than_it_has)
{
	static unsigned char item[8192];
	struct coil_queue queue;
	size_t before = support_outstanding();

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(item), 9), 0);
	ck_assert_uint_eq(support_outstanding(), before);
	for (unsigned char i = 0; i < 9; i++) {
		item[0] = item[8191] = i;
		ck_assert_int_eq(coil_queue_put(&queue, item), 0);
	}
	ck_assert_int_eq(coil_queue_put_nowait(&queue, item), -EAGAIN);
	ck_assert_uint_eq(support_outstanding(), before + 9 * sizeof(item));
	for (unsigned char i = 0; i < 9; i++) {
		ck_assert_int_eq(coil_queue_get(&queue, item), 0);
		ck_assert(item[0] == i && item[8191] == i);
	}
	coil_queue_fini(&queue);
}

START_TEST(off_a_task_only_the_calls_that_do_not_wait_work)
{
	struct coil_queue queue;

	make(&queue, FIFO, 4);
	ck_assert_int_eq(put(&queue, 1), -EPERM);
	ck_assert_int_eq(get(&queue), -EPERM);
	ck_assert_int_eq(coil_queue_join(&queue), -EPERM);
	ck_assert_int_eq(put_nowait(&queue, 2), 0);
	ck_assert_int_eq(put_nowait(&queue, 3), 0);
	ck_assert_int_eq(put(&queue, 1), -EPERM);
	ck_assert_int_eq(get(&queue), -EPERM);
	ck_assert_int_eq(get_nowait(&queue), 2);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
	ck_assert_int_eq(put(&queue, 1), -EPERM);
	ck_assert_int_eq(coil_queue_join(&queue), -EPERM);
	coil_queue_fini(&queue);
}
END_TEST

static int fini_while_one_waits(void *arg)
{
	struct coil_queue queue;

	(void)arg;
	make(&queue, FIFO, 0);
	coil_detach(start(get_any, &queue));
	settle();
	coil_queue_fini(&queue);
	return 0;
}

START_TEST(fini_asserts_that_nobody_waits)
{
	if (support_skip_on("sim", "processes"))
		return;
	dies(fini_while_one_waits, SIGABRT, "coil_queue_fini while tasks wait");
}
END_TEST

COIL_TEST(tasks_of_two_loops_cannot_meet_at_one_queue)
{
	struct coil_queue queue;
	struct abroad abroad;

	make(&queue, FIFO, 1);
	abroad_begin(&abroad, get_any, &queue);
	ck_assert_int_eq(put(&queue, 1), -EXDEV);
	ck_assert_int_eq(put_nowait(&queue, 1), -EXDEV);
	ck_assert_int_eq(get(&queue), -EXDEV);
	ck_assert_int_eq(coil_queue_shutdown(&queue, true), -EXDEV);
	ck_assert(coil_queue_empty(&queue));
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(put(&queue, 1), 0);
	abroad_begin(&abroad, put_seven, &queue);
	ck_assert_int_eq(put(&queue, 2), -EXDEV);
	ck_assert_int_eq(get(&queue), -EXDEV);
	ck_assert_int_eq(get_nowait(&queue), -EXDEV);
	ck_assert_uint_eq(coil_queue_size(&queue), 1);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(get(&queue), 1);
	ck_assert_int_eq(put(&queue, 1), 0);
	abroad_begin(&abroad, join, &queue);
	ck_assert_int_eq(coil_queue_join(&queue), -EXDEV);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(coil_queue_task_done(&queue), -EXDEV);
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	coil_queue_fini(&queue);
}

COIL_TEST(the_counts_may_pass_the_end_of_their_type)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 0);
		queue.head = queue.tail = queue.done = 0 - 5 * sizeof(int);
		for (int i = 0; i < 50; i++)
			ck_assert_int_eq(put(&queue, i), 0);
		ck_assert_uint_eq(coil_queue_size(&queue), 50);
		for (int i = 0; i < 50; i++) {
			ck_assert_int_eq(get(&queue), order == LIFO ? 49 - i : i);
			ck_assert_int_eq(coil_queue_task_done(&queue), 0);
		}
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		coil_queue_fini(&queue);
	}
}

/*
 * Against a model: an array, from which an item of any size is taken by
 * searching.
 */

enum { MODEL = 300 };

struct model {
	enum order order;
	size_t item_size;
	size_t maxsize;
	size_t count;
	unsigned char items[MODEL][40];
};

static size_t model_find(const struct model *model)
{
	size_t found = model->order == LIFO ? model->count - 1 : 0;

	for (size_t i = 0; model->order == PRIORITY && i < model->count; i++) {
		if (model->items[i][0] < model->items[found][0])
			found = i;
	}
	return found;
}

static int compare_first_bytes(const void *a, const void *b)
{
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

static void model_put(struct model *model, struct coil_queue *queue, uint64_t *state)
{
	unsigned char item[40];

	for (size_t i = 0; i < model->item_size; i++)
		item[i] = (unsigned char)roll(state, i ? 256 : 9);
	if (model->maxsize && model->count == model->maxsize) {
		ck_assert_int_eq(coil_queue_put_nowait(queue, item), -EAGAIN);
		COIL_TIMEOUT(COIL_MICROSECOND)
			ck_assert_int_eq(coil_queue_put(queue, item), -ETIMEDOUT);
	} else if (model->count < MODEL) {
		ck_assert_int_eq(coil_queue_put(queue, item), 0);
		memcpy(model->items[model->count++], item, model->item_size);
	}
}

static void model_get(struct model *model, struct coil_queue *queue)
{
	unsigned char item[41];
	size_t found;

	item[model->item_size] = 0xa5;
	if (!model->count) {
		ck_assert_int_eq(coil_queue_get_nowait(queue, item), -EAGAIN);
		return;
	}
	found = model_find(model);
	ck_assert_int_eq(coil_queue_get(queue, item), 0);
	ck_assert_mem_eq(item, model->items[found], model->item_size);
	ck_assert_uint_eq(item[model->item_size], 0xa5);
	model->count--;
	memmove(model->items[found], model->items[found + 1],
		(model->count - found) * sizeof(model->items[0]));
}

static void model_run(struct model *model, uint64_t *state)
{
	struct coil_queue queue;
	int err;

	if (model->order == FIFO)
		err = coil_queue_init(&queue, model->item_size, model->maxsize);
	else if (model->order == LIFO)
		err = coil_queue_init_lifo(&queue, model->item_size, model->maxsize);
	else
		err = coil_queue_init_priority(&queue, model->item_size, model->maxsize,
					       compare_first_bytes);
	ck_assert_int_eq(err, 0);
	for (int wave = 0; wave < 12; wave++) {
		unsigned puts = roll(state, 9);

		for (int step = 0; step < 100; step++) {
			if (roll(state, 9) < puts)
				model_put(model, &queue, state);
			else
				model_get(model, &queue);
			ck_assert_uint_eq(coil_queue_size(&queue), model->count);
		}
	}
	coil_queue_fini(&queue);
}

COIL_TEST(at_random_a_queue_does_what_a_plain_array_does)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 7, 8, 12, 16, 24, 40 };
	static const size_t limits[] = { 0, 1, 2, 3, 16, 17, 100 };
	static struct model model;
	uint64_t state = roll_begin();

	for (enum order order = FIFO; order < ORDERS; order++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			for (size_t j = 0; j < sizeof(limits) / sizeof(*limits); j++) {
				model.order = order;
				model.item_size = sizes[i];
				model.maxsize = limits[j];
				model.count = 0;
				model_run(&model, &state);
			}
		}
	}
}

/*
 * A storm of tasks that put and get, are cancelled and run out of time.  Each
 * item has a number; whatever was put is got once, whatever was not never.
 */

enum { STORM = 16, STEPS = 2500, ITEMS = 20000 };

struct storm {
	struct coil_queue queue;
	uint64_t state;
	int next;
	signed char put[ITEMS];	/* 1: put returned 0, -1: it failed */
	signed char got[ITEMS];	/* how often */
};

/* Short or none; and sometimes the task only lets others run. */
static int64_t patience(struct storm *storm)
{
	return roll(&storm->state, 3) ? COIL_FOREVER : COIL_MICROSECOND;
}

static int put_on(void *arg)
{
	struct storm *storm = arg;
	int err = 0;

	while ((!err || err == -ETIMEDOUT) && storm->next < ITEMS) {
		int item = storm->next++;

		COIL_TIMEOUT(patience(storm))
			err = put(&storm->queue, item);
		storm->put[item] = err ? -1 : 1;
		if (!err && roll(&storm->state, 3) == 0)
			err = coil_yield();
	}
	return err;
}

static int get_on(void *arg)
{
	struct storm *storm = arg;
	int item = 0;

	do {
		COIL_TIMEOUT(patience(storm))
			item = get(&storm->queue);
		if (item >= 0) {
			ck_assert_int_lt(item, storm->next);
			storm->got[item]++;
		}
		if (item >= 0 && roll(&storm->state, 3) == 0)
			item = coil_yield();
	} while (item >= 0 || item == -ETIMEDOUT);
	return item;
}

static void settle_accounts(struct storm *storm)
{
	int item;

	while ((item = get_nowait(&storm->queue)) >= 0)
		storm->got[item]++;
	for (int i = 0; i < storm->next; i++)
		ck_assert_msg(storm->got[i] == (storm->put[i] == 1),
			      "item %d: put %d, got %d times", i, storm->put[i], storm->got[i]);
}

static void rage(enum order order, size_t maxsize, uint64_t seed)
{
	struct storm *storm = calloc(1, sizeof(*storm));
	struct coil_task *tasks[STORM];

	ck_assert_ptr_nonnull(storm);
	storm->state = seed;
	make(&storm->queue, order, maxsize);
	for (int i = 0; i < STORM; i++)
		tasks[i] = start(i % 2 ? get_on : put_on, storm);
	for (int step = 0; step < STEPS; step++) {
		int victim = (int)roll(&storm->state, STORM);

		ck_assert_int_eq(coil_yield(), 0);
		if (roll(&storm->state, 3))
			continue;
		coil_cancel(tasks[victim]);
		(void)coil_await(tasks[victim]);
		tasks[victim] = start(victim % 2 ? get_on : put_on, storm);
	}
	for (int i = 0; i < STORM; i++) {
		coil_cancel(tasks[i]);
		(void)coil_await(tasks[i]);
	}
	settle_accounts(storm);
	ck_assert_int_gt(storm->next, 500);
	coil_queue_fini(&storm->queue);
	free(storm);
}

COIL_TEST(in_a_storm_of_cancels_no_item_is_lost_or_got_twice)
{
	uint64_t seed = roll_begin();

	for (enum order order = FIFO; order < ORDERS; order++) {
		rage(order, 1, seed);
		rage(order, 2, seed + 2);
		rage(order, 9, seed + 4);
		rage(order, 0, seed + 6);
	}
}

Suite *suite(void)
{
	Suite *whole = suite_create("queue storm");
	TCase *tests = tcase_create("queue storm");

	tcase_add_test(tests, fini_drops_what_is_inside_and_leaves_nothing);
	tcase_add_test(tests, sizes_that_make_no_sense_are_einval);
	tcase_add_test(tests, an_init_without_memory_is_enomem_and_leaves_none_behind);
	tcase_add_test(tests, a_put_without_memory_is_enomem_and_leaves_the_queue_as_it_was);
	tcase_add_test(tests, a_small_limited_queue_needs_no_memory_after_its_init);
	tcase_add_test(tests, a_large_limited_queue_grows_up_to_its_limit_and_no_further);
	tcase_add_test(tests, a_limited_queue_of_large_items_asks_for_no_more_slots_than_it_has);
	tcase_add_test(tests, off_a_task_only_the_calls_that_do_not_wait_work);
	tcase_add_test(tests, fini_asserts_that_nobody_waits);
	tcase_add_test(tests, tasks_of_two_loops_cannot_meet_at_one_queue);
	tcase_add_test(tests, the_counts_may_pass_the_end_of_their_type);
	tcase_add_test(tests, at_random_a_queue_does_what_a_plain_array_does);
	tcase_add_test(tests, in_a_storm_of_cancels_no_item_is_lost_or_got_twice);
	suite_add_tcase(whole, tests);
	return whole;
}
