/* SPDX-License-Identifier: MIT */
#include "tests/queues.h"

/*
 * The orders, and what parks.
 */

COIL_TEST(queue_001_empty_and_full_say_what_a_queue_holds)
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

COIL_TEST(queue_003_a_producer_waits_while_full_and_goes_on_after_a_get)
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

/* For a millisecond, after which such a task lets its loop look around. */
COIL_TEST(queue_004_with_an_item_or_a_slot_there_nobody_switches)
{
	int64_t pass = coil_loop_now();
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	for (enum order order = FIFO; order < ORDERS; order++) {
		struct coil_queue queue;

		make(&queue, order, 3);
		for (int i = 0; i < 20; i++) {
			ck_assert_int_eq(put(&queue, i), 0);
			ck_assert_int_eq(get(&queue), i);
		}
		/* There are quick ways in and out, for several at a time. */
		for (int i = 0; i < 20; i++) {
			for (int j = 0; j < 3; j++)
				ck_assert_int_eq(put(&queue, 7), 0);
			for (int j = 0; j < 3; j++)
				ck_assert_int_eq(get(&queue), 7);
		}
		ck_assert(!ran || coil_now() - pass >= COIL_MILLISECOND);
		coil_queue_fini(&queue);
	}
	ck_assert_int_eq(coil_await(other), 0);
}

COIL_TEST(queue_006_nowait_on_a_full_or_empty_queue_is_eagain)
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

COIL_TEST(queue_010_a_getter_given_its_item_keeps_it_though_cancelled)
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

COIL_TEST(queue_013_a_cancelled_putter_is_told_whether_its_item_is_inside)
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

COIL_TEST(queue_017_join_waits_for_items_put_meanwhile_but_not_after)
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

COIL_TEST(queue_018_a_shutdown_ends_puts_and_tells_blocked_putters)
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

COIL_TEST(queue_018_a_put_after_the_shutdown_is_refused_though_there_is_room)
{
	for (size_t maxsize = 0; maxsize < 40; maxsize++) {
		struct coil_queue queue;
		int inside = maxsize ? (int)maxsize / 2 : 3;

		make(&queue, FIFO, maxsize);
		for (int i = 0; i < inside; i++)
			ck_assert_int_eq(put(&queue, i), 0);
		ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
		ck_assert_int_eq(put(&queue, 4), -ESHUTDOWN);
		ck_assert_int_eq(put_nowait(&queue, 5), -ESHUTDOWN);
		ck_assert_uint_eq(coil_queue_size(&queue), (size_t)inside);
		coil_queue_fini(&queue);
	}
}

COIL_TEST(queue_019_after_a_shutdown_what_is_inside_still_comes_out)
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

COIL_TEST(queue_021_an_immediate_shutdown_drops_and_counts_as_done)
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

COIL_TEST(one_that_is_zeroed_is_einval_and_nobody_waits_for_it)
{
	struct coil_queue queue = {0};

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put(&queue, 1), -EINVAL);
		ck_assert_int_eq(get(&queue), -EINVAL);
		ck_assert_int_eq(put_nowait(&queue, 1), -EINVAL);
		ck_assert_int_eq(get_nowait(&queue), -EINVAL);
		ck_assert_int_eq(coil_queue_join(&queue), 0);
		ck_assert_uint_eq(coil_queue_size(&queue), 0);
		make(&queue, FIFO, 2);
		coil_queue_fini(&queue);
	}
}

static void put_back(void *item, void *queue)
{
	trace("%d:%d", *(int *)item, coil_queue_put_nowait(queue, item));
}

COIL_TEST(what_is_thrown_away_cannot_be_put_back)
{
	for (int immediate = 0; immediate < 2; immediate++) {
		struct coil_queue queue;

		make(&queue, FIFO, 0);
		coil_queue_set_drop(&queue, put_back, &queue);
		ck_assert_int_eq(put(&queue, 1), 0);
		ck_assert_int_eq(put(&queue, 2), 0);
		if (immediate)
			ck_assert_int_eq(coil_queue_shutdown(&queue, true), 0);
		coil_queue_fini(&queue);
		traced("1:-108 2:-108");
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

Suite *suite(void)
{
	Suite *whole = suite_create("queue");
	TCase *tests = tcase_create("queue");

	tcase_add_test(tests, queue_001_empty_and_full_say_what_a_queue_holds);
	tcase_add_test(tests, queue_002_items_come_out_in_the_order_of_their_queue);
	tcase_add_test(tests, equal_items_of_a_priority_queue_keep_their_order);
	tcase_add_test(tests, queue_003_a_producer_waits_while_full_and_goes_on_after_a_get);
	tcase_add_test(tests, queue_004_with_an_item_or_a_slot_there_nobody_switches);
	tcase_add_test(tests, queue_006_nowait_on_a_full_or_empty_queue_is_eagain);
	tcase_add_test(tests, queue_007_each_get_lets_one_putter_in);
	tcase_add_test(tests, a_putter_lets_its_item_in_as_its_queue_orders_it);
	tcase_add_test(tests, queue_008_producers_and_consumers_all_finish);
	tcase_add_test(tests, queue_010_a_getter_given_its_item_keeps_it_though_cancelled);
	tcase_add_test(tests, queue_010_the_item_of_a_getter_cancelled_before_goes_to_the_next);
	tcase_add_test(tests, queue_013_a_cancelled_putter_is_told_whether_its_item_is_inside);
	tcase_add_test(tests, queue_014_the_item_of_a_cancelled_putter_never_appears);
	tcase_add_test(tests, a_wait_that_ran_out_of_time_took_and_left_nothing);
	tcase_add_test(tests, a_pending_request_wins_though_there_is_an_item_and_room);
	tcase_add_test(tests, queue_016_join_returns_after_the_last_item_was_marked_done);
	tcase_add_test(tests, an_item_given_straight_to_a_getter_counts_as_unfinished);
	tcase_add_test(tests, queue_017_join_waits_for_items_put_meanwhile_but_not_after);
	tcase_add_test(tests, queue_018_a_shutdown_ends_puts_and_tells_blocked_putters);
	tcase_add_test(tests,
		       queue_018_a_put_after_the_shutdown_is_refused_though_there_is_room);
	tcase_add_test(tests, queue_019_after_a_shutdown_what_is_inside_still_comes_out);
	tcase_add_test(tests, a_shutdown_wakes_all_getters_in_one_pass);
	tcase_add_test(tests, queue_021_an_immediate_shutdown_drops_and_counts_as_done);
	tcase_add_test(tests, one_that_is_zeroed_is_einval_and_nobody_waits_for_it);
	tcase_add_test(tests, what_is_thrown_away_cannot_be_put_back);
	tcase_add_test(tests, an_immediate_shutdown_ends_a_join_that_waits_for_items_inside);
	tcase_add_test(tests, items_marked_done_before_they_were_taken_do_not_make_the_count_wrap);
	tcase_add_test(tests, queue_022_after_a_shutdown_join_returns_once_consumers_are_done);
	suite_add_tcase(whole, tests);
	return whole;
}
