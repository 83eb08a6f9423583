/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/queue.h>
#include <signal.h>
#include <stdlib.h>

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

enum order { FIFO, LIFO, PRIORITY, ORDERS };

static void make(struct coil_queue *queue, enum order order, size_t maxsize)
{
	int err;

	if (order == FIFO)
		err = coil_queue_init(queue, sizeof(int), maxsize);
	else if (order == LIFO)
		err = coil_queue_init_lifo(queue, sizeof(int), maxsize);
	else
		err = coil_queue_init_priority(queue, sizeof(int), maxsize, compare_ints);
	ck_assert_int_eq(err, 0);
}

static int put(struct coil_queue *queue, int item)
{
	return coil_queue_put(queue, &item);
}

static int put_nowait(struct coil_queue *queue, int item)
{
	return coil_queue_put_nowait(queue, &item);
}

/* The next item, or the error. */
static int get(struct coil_queue *queue)
{
	int item = 12345, err = coil_queue_get(queue, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

static int get_nowait(struct coil_queue *queue)
{
	int item = 12345, err = coil_queue_get_nowait(queue, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

/* One get, or one put, as a task. */
struct visit {
	struct coil_queue *queue;
	const char *name;
	int item;
	int result;	/* of the call; 1000: it has not come back */
};

#define VISIT(q, n, i) { .queue = (q), .name = (n), .item = (i), .result = 1000 }

static int get_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = get(visit->queue);
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

static int put_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = put(visit->queue, visit->item);
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

static int join(void *queue)
{
	return coil_queue_join(queue);
}

/*
 * The orders, and what parks.
 */

COIL_TEST(queue_001_a_queue_without_limit_is_never_full_and_one_of_one_is_after_one_put)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 0);
		ck_assert(coil_queue_empty(&queue));
		for (int i = 0; i < 100; i++) {
			ck_assert_int_eq(put(&queue, i), 0);
			ck_assert_uint_eq(coil_queue_size(&queue), (size_t)i + 1);
			ck_assert(!coil_queue_empty(&queue));
			ck_assert(!coil_queue_full(&queue));
		}
		while (!coil_queue_empty(&queue))
			ck_assert_int_ge(get(&queue), 0);
		ck_assert_uint_eq(coil_queue_size(&queue), 0);
		coil_queue_fini(&queue);
		make(&queue, order, 1);
		ck_assert(!coil_queue_full(&queue));
		ck_assert_int_eq(put(&queue, 1), 0);
		ck_assert(coil_queue_full(&queue));
		coil_queue_fini(&queue);
	}
}

COIL_TEST(queue_002_items_come_out_in_the_order_of_their_queue)
{
	static const int expected[ORDERS][3] = { { 1, 3, 2 }, { 2, 3, 1 }, { 1, 2, 3 } };

	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 0);
		ck_assert_int_eq(put(&queue, 1), 0);
		ck_assert_int_eq(put(&queue, 3), 0);
		ck_assert_int_eq(put(&queue, 2), 0);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(get(&queue), expected[order][i]);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(equal_items_of_a_priority_queue_keep_their_order)
{
	struct { int key, number; } item;
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init_priority(&queue, sizeof(item), 0, compare_ints), 0);
	for (int i = 0; i < 300; i++) {
		item.key = i % 3;
		item.number = i;
		ck_assert_int_eq(coil_queue_put(&queue, &item), 0);
	}
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(coil_queue_get(&queue, &item), 0);
		ck_assert_int_eq(item.key, i / 100);
		ck_assert_int_eq(item.number, i % 100 * 3 + item.key);
	}
	coil_queue_fini(&queue);
}

static int produce(void *arg)
{
	struct visit *visit = arg;

	for (int i = 0; i < visit->item; i++) {
		ck_assert_int_eq(put(visit->queue, i), 0);
		trace("+%d", i);
	}
	return 0;
}

COIL_TEST(queue_003_a_producer_waits_while_it_is_full_and_goes_on_after_one_get)
{
	struct coil_queue queue;
	struct visit producer = VISIT(&queue, "p", 3);
	struct coil_task *task;

	make(&queue, FIFO, 2);
	task = start(produce, &producer);
	settle();
	traced("+0 +1");
	ck_assert_int_eq(get(&queue), 0);
	ck_assert_int_eq(coil_yield(), 0);
	traced("+2");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(get(&queue), 1);
	ck_assert_int_eq(get(&queue), 2);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_004_with_an_item_or_a_slot_there_nobody_switches)
{
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 3);
		for (int i = 0; i < 20; i++) {
			ck_assert_int_eq(put(&queue, i), 0);
			ck_assert_int_eq(get(&queue), i);
		}
		ck_assert(!ran);
		coil_queue_fini(&queue);
	}
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(queue_006_without_waiting_a_full_or_empty_queue_is_eagain_and_unchanged)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 2);
		ck_assert_int_eq(get_nowait(&queue), -EAGAIN);
		ck_assert_int_eq(put_nowait(&queue, 5), 0);
		ck_assert_int_eq(put_nowait(&queue, 5), 0);
		ck_assert_int_eq(put_nowait(&queue, 7), -EAGAIN);
		ck_assert_uint_eq(coil_queue_size(&queue), 2);
		ck_assert_int_eq(get_nowait(&queue), 5);
		ck_assert_int_eq(get_nowait(&queue), 5);
		ck_assert_int_eq(get_nowait(&queue), -EAGAIN);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(queue_007_each_get_lets_one_putter_in)
{
	struct coil_queue queue;
	struct visit b = VISIT(&queue, "b", 2), c = VISIT(&queue, "c", 3);
	struct coil_task *tasks[2];

	make(&queue, FIFO, 1);
	ck_assert_int_eq(put(&queue, 1), 0);
	tasks[0] = start(put_one, &b);
	tasks[1] = start(put_one, &c);
	settle();
	traced("");
	ck_assert_int_eq(get(&queue), 1);
	ck_assert(coil_queue_full(&queue));
	ck_assert_int_eq(get_nowait(&queue), 2);
	ck_assert_int_eq(get(&queue), 3);
	ck_assert(coil_queue_empty(&queue));
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	traced("b:0 c:0");
	coil_queue_fini(&queue);
}

COIL_TEST(a_putter_lets_its_item_in_as_its_queue_orders_it)
{
	static const int expected[ORDERS][4] = {
		{ 5, 6, 1, 9 }, { 6, 1, 9, 5 }, { 5, 1, 6, 9 },
	};

	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;
		struct visit low = VISIT(&queue, "low", 1), high = VISIT(&queue, "high", 9);
		struct coil_task *tasks[2];

		make(&queue, order, 2);
		ck_assert_int_eq(put(&queue, 5), 0);
		ck_assert_int_eq(put(&queue, 6), 0);
		tasks[0] = start(put_one, &low);
		tasks[1] = start(put_one, &high);
		settle();
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(get(&queue), expected[order][i]);
		ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
		coil_queue_fini(&queue);
	}
}

static int take_many(void *arg)
{
	struct visit *visit = arg;

	for (int i = 0; i < visit->item; i++)
		ck_assert_int_ge(get(visit->queue), 0);
	return 0;
}

COIL_TEST(queue_008_producers_and_consumers_all_finish)
{
	struct coil_queue queue;
	struct visit five = VISIT(&queue, "5", 5), twenty = VISIT(&queue, "20", 20);
	struct coil_task *tasks[5];

	for (enum order order = FIFO; order < ORDERS; order++) {
		make(&queue, order, 1);
		tasks[0] = start(produce, &five);
		tasks[1] = start(take_many, &five);
		ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
		coil_queue_fini(&queue);
		make(&queue, order, 2);
		for (int i = 0; i < 4; i++)
			tasks[i] = start(produce, &five);
		tasks[4] = start(take_many, &twenty);
		ck_assert_int_eq(coil_gather(tasks, 5, NULL), 0);
		ck_assert(coil_queue_empty(&queue));
		coil_queue_fini(&queue);
	}
}

/*
 * Cancels.
 */

COIL_TEST(queue_010_a_getter_that_was_given_its_item_keeps_it_though_cancelled)
{
	struct coil_queue queue;
	struct visit visits[] = {
		VISIT(&queue, "1", 0), VISIT(&queue, "2", 0), VISIT(&queue, "3", 0),
	};
	struct coil_task *tasks[3];

	make(&queue, FIFO, 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(get_one, &visits[i]);
	settle();
	ck_assert_int_eq(put(&queue, 10), 0);
	ck_assert_int_eq(put(&queue, 20), 0);
	ck_assert(coil_cancel(tasks[0]));
	settle();
	traced("1:10 2:20");
	ck_assert_int_eq(put(&queue, 30), 0);
	ck_assert_int_eq(coil_await(tasks[0]), 10);
	ck_assert_int_eq(coil_await(tasks[1]), 20);
	ck_assert_int_eq(coil_await(tasks[2]), 30);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_010_the_item_of_a_getter_cancelled_before_goes_to_the_next)
{
	struct coil_queue queue;
	struct visit visits[] = {
		VISIT(&queue, "1", 0), VISIT(&queue, "2", 0), VISIT(&queue, "3", 0),
	};
	struct coil_task *tasks[3];

	make(&queue, FIFO, 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(get_one, &visits[i]);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(put(&queue, 10), 0);
	ck_assert_int_eq(put(&queue, 20), 0);
	ck_assert_int_eq(coil_await(tasks[0]), -ECANCELED);
	ck_assert_int_eq(coil_await(tasks[1]), 10);
	ck_assert_int_eq(coil_await(tasks[2]), 20);
	ck_assert(coil_queue_empty(&queue));
	coil_queue_fini(&queue);
}

COIL_TEST(queue_013_a_cancelled_putter_has_its_item_inside_or_not_as_it_was_told)
{
	struct coil_queue queue;
	struct visit b = VISIT(&queue, "b", 2), c = VISIT(&queue, "c", 3);
	struct coil_task *first, *second;

	make(&queue, FIFO, 1);
	ck_assert_int_eq(put(&queue, 1), 0);
	first = start(put_one, &b);
	second = start(put_one, &c);
	settle();
	ck_assert_int_eq(get(&queue), 1);
	ck_assert(coil_cancel(first));
	ck_assert_int_eq(coil_await(first), 0);
	ck_assert_int_eq(get(&queue), 2);
	/* c is inside now; one more is cancelled before there is room for it. */
	ck_assert_int_eq(coil_await(second), 0);
	first = start(put_one, &b);
	settle();
	ck_assert(coil_cancel(first));
	ck_assert_int_eq(get(&queue), 3);
	ck_assert_int_eq(coil_await(first), -ECANCELED);
	ck_assert(coil_queue_empty(&queue));
	ck_assert_int_eq(coil_await(start(put_one, &b)), 0);
	ck_assert_int_eq(get(&queue), 2);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_014_the_item_of_a_cancelled_putter_never_appears)
{
	for (int last = 0; last < 2; last++) {
		struct coil_queue queue;
		struct visit b = VISIT(&queue, "b", 2), x = VISIT(&queue, "x", 66);
		struct coil_task *good, *bad;

		make(&queue, FIFO, 1);
		ck_assert_int_eq(put(&queue, 1), 0);
		bad = last ? NULL : start(put_one, &x);
		good = start(put_one, &b);
		bad = last ? start(put_one, &x) : bad;
		settle();
		ck_assert(coil_cancel(bad));
		ck_assert_int_eq(get(&queue), 1);
		ck_assert_int_eq(get(&queue), 2);
		ck_assert_int_eq(get_nowait(&queue), -EAGAIN);
		ck_assert_int_eq(coil_await(bad), -ECANCELED);
		ck_assert_int_eq(coil_await(good), 0);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(a_wait_that_ran_out_of_time_took_and_left_nothing)
{
	struct coil_queue queue;

	make(&queue, FIFO, 1);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(get(&queue), -ETIMEDOUT);
	ck_assert_int_eq(put(&queue, 1), 0);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(put(&queue, 2), -ETIMEDOUT);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_queue_join(&queue), -ETIMEDOUT);
	ck_assert_int_eq(get(&queue), 1);
	ck_assert(coil_queue_empty(&queue));
	ck_assert_ptr_null(queue.getters.head);
	ck_assert_ptr_null(queue.putters.head);
	ck_assert_ptr_null(queue.joiners.head);
	coil_queue_fini(&queue);
}

static int put_seven(void *queue)
{
	return put(queue, 7);
}

static int get_any(void *queue)
{
	return get(queue);
}

COIL_TEST(a_pending_request_wins_though_there_is_an_item_and_room)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 8);
		refuses(put_seven, &queue);
		refuses(join, &queue);
		for (int i = 0; i < 8; i++) {
			ck_assert_int_eq(put(&queue, i), 0);
			refuses(get_any, &queue);
			refuses(put_seven, &queue);
			ck_assert_uint_eq(coil_queue_size(&queue), (size_t)i + 1);
		}
		ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
		refuses(get_any, &queue);
		refuses(put_seven, &queue);
		coil_queue_fini(&queue);
	}
}

/*
 * join, and the end.
 */

struct chore {
	struct coil_queue *queue;
	int sum;
};

static int work(void *arg)
{
	struct chore *chore = arg;
	int item;

	while ((item = get(chore->queue)) >= 0) {
		ck_assert_int_eq(coil_yield(), 0);
		chore->sum += item;
		ck_assert_int_eq(coil_queue_task_done(chore->queue), 0);
	}
	return item == -ESHUTDOWN ? 0 : item;
}

COIL_TEST(queue_016_join_returns_after_the_last_item_was_marked_done)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;
		struct chore chore = { &queue, 0 };
		struct coil_task *tasks[2];

		make(&queue, order, 0);
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		ck_assert_int_eq(coil_queue_task_done(&queue), -EINVAL);
		tasks[0] = start(work, &chore);
		tasks[1] = start(work, &chore);
		for (int i = 0; i < 100; i++)
			ck_assert_int_eq(put(&queue, i), 0);
		ck_assert_int_eq(chore.sum, 0);
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		ck_assert_int_eq(chore.sum, 4950);
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		ck_assert_int_eq(coil_queue_task_done(&queue), -EINVAL);
		ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
		ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(an_item_given_straight_to_a_getter_counts_as_unfinished)
{
	struct coil_queue queue;
	struct visit visit = VISIT(&queue, "g", 0);
	struct coil_task *getter, *task;

	make(&queue, FIFO, 0);
	getter = start(get_one, &visit);
	settle();
	ck_assert_int_eq(put(&queue, 5), 0);
	task = start(join, &queue);
	ck_assert_int_eq(coil_await(getter), 5);
	settle();
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(coil_await(task), 0);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_017_join_waits_for_items_put_meanwhile_but_not_for_those_put_after)
{
	struct coil_queue queue;
	struct coil_task *task;

	make(&queue, FIFO, 0);
	ck_assert_int_eq(put(&queue, 1), 0);
	task = start(join, &queue);
	settle();
	ck_assert_int_eq(put(&queue, 2), 0);
	ck_assert_int_eq(get(&queue), 1);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	settle();
	ck_assert(!coil_done(task));
	ck_assert_int_eq(get(&queue), 2);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(put(&queue, 3), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_uint_eq(coil_queue_size(&queue), 1);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_018_after_a_shutdown_nothing_is_put_and_blocked_putters_are_told)
{
	struct coil_queue queue;
	struct visit b = VISIT(&queue, "b", 2), c = VISIT(&queue, "c", 3);
	struct coil_task *tasks[2];
	int results[2];

	make(&queue, FIFO, 1);
	ck_assert_int_eq(put(&queue, 1), 0);
	tasks[0] = start(put_one, &b);
	tasks[1] = start(put_one, &c);
	settle();
	ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
	ck_assert_int_eq(put(&queue, 4), -ESHUTDOWN);
	ck_assert_int_eq(put_nowait(&queue, 5), -ESHUTDOWN);
	ck_assert_int_eq(coil_gather(tasks, 2, results), 0);
	ck_assert_int_eq(results[0], -ESHUTDOWN);
	ck_assert_int_eq(results[1], -ESHUTDOWN);
	ck_assert_int_eq(get(&queue), 1);
	ck_assert_int_eq(get(&queue), -ESHUTDOWN);
	ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_019_after_a_shutdown_what_is_inside_comes_out_and_then_eshutdown)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 0);
		ck_assert_int_eq(put(&queue, 1), 0);
		ck_assert_int_eq(put(&queue, 2), 0);
		ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
		ck_assert_int_eq(put(&queue, 3), -ESHUTDOWN);
		ck_assert_int_eq(get(&queue), order == LIFO ? 2 : 1);
		ck_assert_int_eq(get(&queue), order == LIFO ? 1 : 2);
		ck_assert_int_eq(get(&queue), -ESHUTDOWN);
		ck_assert_int_eq(get_nowait(&queue), -ESHUTDOWN);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(a_shutdown_wakes_all_getters_in_one_pass)
{
	struct coil_queue queue;
	struct visit visits[3];
	struct coil_task *tasks[3];
	int results[3];

	make(&queue, FIFO, 0);
	for (int i = 0; i < 3; i++) {
		visits[i] = (struct visit)VISIT(&queue, "g", 0);
		tasks[i] = start(get_one, &visits[i]);
	}
	settle();
	/* One was given its item before: the shutdown does not take it away. */
	ck_assert_int_eq(put(&queue, 7), 0);
	ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, results), 0);
	ck_assert_int_eq(results[0], 7);
	ck_assert_int_eq(results[1], -ESHUTDOWN);
	ck_assert_int_eq(results[2], -ESHUTDOWN);
	coil_queue_fini(&queue);
}

static void note_drop(void *item, void *arg)
{
	trace("%s%d", (const char *)arg, *(int *)item);
}

COIL_TEST(queue_021_an_immediate_shutdown_drops_what_is_inside_and_counts_it_as_done)
{
	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;
		struct coil_task *task;

		make(&queue, order, 0);
		coil_queue_set_drop(&queue, note_drop, "d");
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(put(&queue, 4), 0);
		ck_assert_int_eq(get(&queue), 4);
		task = start(join, &queue);
		settle();
		ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
		traced("d4 d4 d4");
		ck_assert(coil_queue_empty(&queue));
		ck_assert_int_eq(get(&queue), -ESHUTDOWN);
		settle();
		ck_assert(!coil_done(task));
		ck_assert_int_eq(coil_queue_task_done(&queue), 0);
		ck_assert_int_eq(coil_await(task), 0);
		ck_assert_int_eq(coil_queue_task_done(&queue), -EINVAL);
		coil_queue_fini(&queue);
		traced("");
	}
}

COIL_TEST(an_immediate_shutdown_ends_a_join_that_waits_for_items_inside)
{
	struct coil_queue queue;
	struct coil_task *task;

	make(&queue, FIFO, 0);
	ck_assert_int_eq(put(&queue, 1), 0);
	task = start(join, &queue);
	settle();
	ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
	settle();
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
	ck_assert_int_eq(coil_await(task), 0);
	coil_queue_fini(&queue);
}

COIL_TEST(items_marked_done_before_they_were_taken_do_not_make_the_count_wrap)
{
	struct coil_queue queue;

	make(&queue, FIFO, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(put(&queue, i), 0);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(coil_queue_task_done(&queue), 0);
	ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
	ck_assert_int_eq(coil_queue_join(&queue), 0);
	ck_assert_int_eq(coil_queue_task_done(&queue), -EINVAL);
	coil_queue_fini(&queue);
}

COIL_TEST(queue_022_after_a_shutdown_join_returns_once_consumers_are_done)
{
	struct coil_queue queue;
	struct chore chore = { &queue, 0 };
	struct coil_task *task, *worker;

	make(&queue, FIFO, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(put(&queue, i), 0);
	task = start(join, &queue);
	settle();
	ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
	worker = start(work, &chore);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(chore.sum, 45);
	ck_assert_int_eq(coil_await(worker), 0);
	coil_queue_fini(&queue);
}

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
	ck_assert_uint_eq(support_outstanding(), before + 16 * sizeof(item));
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
		queue.head = queue.tail = queue.done = SIZE_MAX - 5;
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

static void add_flow(TCase *tests)
{
	tcase_add_test(tests, queue_001_a_queue_without_limit_is_never_full_and_one_of_one_is_after_one_put);
	tcase_add_test(tests, queue_002_items_come_out_in_the_order_of_their_queue);
	tcase_add_test(tests, equal_items_of_a_priority_queue_keep_their_order);
	tcase_add_test(tests, queue_003_a_producer_waits_while_it_is_full_and_goes_on_after_one_get);
	tcase_add_test(tests, queue_004_with_an_item_or_a_slot_there_nobody_switches);
	tcase_add_test(tests, queue_006_without_waiting_a_full_or_empty_queue_is_eagain_and_unchanged);
	tcase_add_test(tests, queue_007_each_get_lets_one_putter_in);
	tcase_add_test(tests, a_putter_lets_its_item_in_as_its_queue_orders_it);
	tcase_add_test(tests, queue_008_producers_and_consumers_all_finish);
	tcase_add_test(tests, queue_010_a_getter_that_was_given_its_item_keeps_it_though_cancelled);
	tcase_add_test(tests, queue_010_the_item_of_a_getter_cancelled_before_goes_to_the_next);
	tcase_add_test(tests, queue_013_a_cancelled_putter_has_its_item_inside_or_not_as_it_was_told);
	tcase_add_test(tests, queue_014_the_item_of_a_cancelled_putter_never_appears);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_took_and_left_nothing);
	tcase_add_test(tests, a_pending_request_wins_though_there_is_an_item_and_room);
	tcase_add_test(tests, at_random_a_queue_does_what_a_plain_array_does);
	tcase_add_test(tests, in_a_storm_of_cancels_no_item_is_lost_or_got_twice);
}

static void add_end(TCase *tests)
{
	tcase_add_test(tests, queue_016_join_returns_after_the_last_item_was_marked_done);
	tcase_add_test(tests, an_item_given_straight_to_a_getter_counts_as_unfinished);
	tcase_add_test(tests, queue_017_join_waits_for_items_put_meanwhile_but_not_for_those_put_after);
	tcase_add_test(tests, queue_018_after_a_shutdown_nothing_is_put_and_blocked_putters_are_told);
	tcase_add_test(tests, queue_019_after_a_shutdown_what_is_inside_comes_out_and_then_eshutdown);
	tcase_add_test(tests, a_shutdown_wakes_all_getters_in_one_pass);
	tcase_add_test(tests, queue_021_an_immediate_shutdown_drops_what_is_inside_and_counts_it_as_done);
	tcase_add_test(tests, an_immediate_shutdown_ends_a_join_that_waits_for_items_inside);
	tcase_add_test(tests, items_marked_done_before_they_were_taken_do_not_make_the_count_wrap);
	tcase_add_test(tests, queue_022_after_a_shutdown_join_returns_once_consumers_are_done);
	tcase_add_test(tests, fini_drops_what_is_inside_and_leaves_nothing);
}

static void add_misuse(TCase *tests)
{
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
}

Suite *suite(void)
{
	Suite *whole = suite_create("queue");
	TCase *flow = tcase_create("flow"), *end = tcase_create("join and the end");
	TCase *misuse = tcase_create("memory and misuse");

	add_flow(flow);
	add_end(end);
	add_misuse(misuse);
	suite_add_tcase(whole, flow);
	suite_add_tcase(whole, end);
	suite_add_tcase(whole, misuse);
	return whole;
}
