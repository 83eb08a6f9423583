/* SPDX-License-Identifier: MIT */
/*
 * Channels between loops in threads, with tasks that are cancelled at any moment.
 * Every item has a number, and a record of what became of it.
 */
#include "tests/threads.h"
#include "core/task/loop.h"
#include <coil/channel.h>
#include <coil/group.h>
#include <coil/thread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LOOPS = 4, ITEMS = 5000, EACH = 2000 };

/* What became of an item. */
enum fate { NEVER, SENT, WITHDRAWN, RECEIVED = 16 };

static struct {
	struct coil_channel channel;
	atomic_int next;		/* item to be sent */
	atomic_int senders;		/* tasks that may yet send */
	atomic_int received;
	atomic_uchar fates[ITEMS];
	int last[LOOPS];		/* received of each sender, where order is looked at */
	uint64_t seed;
} storm;

static void begin_storm(size_t capacity)
{
	memset(&storm, 0, sizeof(storm));
	storm.seed = roll_begin();
	ck_assert_int_eq(coil_channel_init(&storm.channel, sizeof(int), capacity), 0);
}

/* What was sent was received, once; what was withdrawn was not. */
static void end_storm(void)
{
	int sent = 0;

	for (int i = 0; i < storm.next && i < ITEMS; i++) {
		unsigned fate = storm.fates[i];

		ck_assert_msg(fate == (SENT | RECEIVED) || fate == WITHDRAWN,
			      "item %d: %#x", i, fate);
		sent += fate != WITHDRAWN;
	}
	ck_assert_int_eq(sent, storm.received);
	coil_channel_fini(&storm.channel);
}

/* A few tens of microseconds, for ever, or none at all. */
static int64_t some_time(uint64_t *state)
{
	unsigned choice = roll(state, 8);

	if (choice < 3)
		return COIL_FOREVER;
	return choice < 5 ? 0 : (int64_t)roll(state, 60) * COIL_MICROSECOND;
}

/* One wait that may be cut short. */
static int limited(int (*fn)(void *arg), void *arg, uint64_t *state)
{
	struct coil_timeout timeout = {0};
	int err;

	ck_assert_int_eq(coil_timeout_begin(&timeout, some_time(state)), 0);
	err = fn(arg);
	ck_assert_int_eq(coil_timeout_end(&timeout), err == -ETIMEDOUT ? err : 0);
	return err;
}

static int send_one(void *item)
{
	return coil_channel_send(&storm.channel, item);
}

static int recv_one(void *item)
{
	return coil_channel_recv(&storm.channel, item);
}

static int produce(void *arg)
{
	uint64_t state = storm.seed * (2 * (uint64_t)(uintptr_t)arg + 3) | 1;
	int item;

	while ((item = storm.next++) < ITEMS) {
		int err;

		/* Before it, as the item may be received before we know. */
		atomic_fetch_or(&storm.fates[item], SENT);
		if (roll(&state, 4))
			err = limited(send_one, &item, &state);
		else
			err = coil_channel_try_send(&storm.channel, &item);
		if (err)
			atomic_fetch_xor(&storm.fates[item], SENT | WITHDRAWN);
		ck_assert(!err || err == -ETIMEDOUT || err == -EAGAIN);
		if (!roll(&state, 16))
			ck_assert_int_eq(coil_yield(), 0);
	}
	if (!--storm.senders)
		coil_channel_close(&storm.channel);
	return 0;
}

static int consume(void *arg)
{
	uint64_t state = storm.seed * (2 * (uint64_t)(uintptr_t)arg + 1001) | 1;
	int item, err;

	do {
		if (roll(&state, 4))
			err = limited(recv_one, &item, &state);
		else
			err = coil_channel_try_recv(&storm.channel, &item);
		if (!err) {
			unsigned before = atomic_fetch_or(&storm.fates[item], RECEIVED);

			ck_assert_msg(before == SENT, "item %d: %#x", item, before);
			storm.received++;
		}
		if (err || !roll(&state, 16))
			ck_assert_int_eq(coil_yield(), 0);
	} while (err != -ESHUTDOWN);
	return 0;
}

enum { TASKS = 6 };

/* Half of the tasks of each loop send, or all of the even loops'. */
static int rage(void *arg)
{
	unsigned me = coil_worker_index();
	struct coil_group group = {0};
	bool mixed = *(bool *)arg;

	for (unsigned i = 0; i < TASKS; i++) {
		bool sends = (mixed ? i : me) % 2 == 0;

		ck_assert_int_eq(coil_group_create_task(&group, sends ? produce : consume,
							INT(me * TASKS + i)), 0);
	}
	return coil_group_wait(&group);
}

static void rage_in(unsigned loops, size_t capacity, bool mixed)
{
	begin_storm(capacity);
	storm.senders = mixed ? (int)loops * TASKS / 2 : (int)loops / 2 * TASKS;
	ck_assert_int_eq(coil_run_workers(loops, rage, &mixed), 0);
	ck_assert_int_ge(storm.next, ITEMS);
	end_storm();
}

START_TEST(two_loops_lose_and_double_nothing)
{
	static const size_t capacities[] = { 0, 1, 100 };

	for (int i = 0; i < 3; i++) {
		rage_in(2, capacities[i], false);
		rage_in(2, capacities[i], true);
	}
}
END_TEST

START_TEST(four_loops_lose_and_double_nothing)
{
	static const size_t capacities[] = { 0, 7 };

	for (int i = 0; i < 2; i++) {
		rage_in(4, capacities[i], false);
		rage_in(4, capacities[i], true);
	}
}
END_TEST

/*
 * Cancels of whole tasks, by the loop that they are on.
 */

static int send_until_cancelled(void *arg)
{
	int item, err = 0;

	while (!err && (item = storm.next++) < ITEMS) {
		atomic_fetch_or(&storm.fates[item], SENT);
		err = coil_channel_send(&storm.channel, &item);
		if (err)
			atomic_fetch_xor(&storm.fates[item], SENT | WITHDRAWN);
	}
	return err;
}

static int recv_until_cancelled(void *arg)
{
	int item, err;

	while (!(err = coil_channel_recv(&storm.channel, &item))) {
		unsigned before = atomic_fetch_or(&storm.fates[item], RECEIVED);

		ck_assert_msg(before == SENT, "item %d: %#x", item, before);
		storm.received++;
	}
	return err;
}

/* Has one task work for a while, cancels it, and begins again with another. */
static int work_and_cancel(void *arg)
{
	bool sends = coil_worker_index() % 2 == 0;
	uint64_t state = storm.seed * (coil_worker_index() + 7) | 1;
	int ended = 0;

	while (!ended) {
		struct coil_task *task;
		int result;

		task = start(sends ? send_until_cancelled : recv_until_cancelled, NULL);
		for (unsigned n = roll(&state, 200); n; n--)
			ck_assert_int_eq(coil_yield(), 0);
		coil_cancel(task);
		result = coil_await(task);
		ck_assert(!result || result == -ECANCELED || result == -ESHUTDOWN);
		ended = result == -ESHUTDOWN || (sends && storm.next >= ITEMS);
		/* The other end would otherwise be served by one task for ever. */
		if (!roll(&state, 8))
			ck_assert_int_eq(coil_sleep(roll(&state, 3) * 1000), 0);
	}
	if (sends && !--storm.senders)
		coil_channel_close(&storm.channel);
	return 0;
}

START_TEST(tasks_cancelled_at_any_moment_lose_and_double_nothing)
{
	static const size_t capacities[] = { 0, 1, 16 };

	for (int i = 0; i < 3; i++) {
		begin_storm(capacities[i]);
		storm.senders = 2;
		ck_assert_int_eq(coil_run_workers(LOOPS, work_and_cancel, NULL), 0);
		end_storm();
	}
}
END_TEST

/*
 * Order.
 */

struct numbered {
	int sender;
	int number;
};

static int send_in_order(void *arg)
{
	struct numbered item = { .sender = (int)(intptr_t)arg };

	for (; item.number < EACH; item.number++)
		ck_assert_int_eq(coil_channel_send(&storm.channel, &item), 0);
	if (!--storm.senders)
		coil_channel_close(&storm.channel);
	return 0;
}

static int recv_in_order(void *arg)
{
	struct numbered item;
	int err;

	while (!(err = coil_channel_recv(&storm.channel, &item)))
		ck_assert_int_eq(item.number, storm.last[item.sender]++);
	return err == -ESHUTDOWN ? 0 : err;
}

static int one_of_many(void *arg)
{
	unsigned me = coil_worker_index();

	return me ? send_in_order(INT(me)) : recv_in_order(NULL);
}

START_TEST(one_receiver_sees_each_senders_items_in_order)
{
	static const size_t capacities[] = { 0, 1, 64 };

	for (int i = 0; i < 3; i++) {
		memset(storm.last, 0, sizeof(storm.last));
		ck_assert_int_eq(coil_channel_init(&storm.channel, sizeof(struct numbered),
						   capacities[i]), 0);
		storm.senders = LOOPS - 1;
		ck_assert_int_eq(coil_run_workers(LOOPS, one_of_many, NULL), 0);
		for (int sender = 1; sender < LOOPS; sender++)
			ck_assert_int_eq(storm.last[sender], EACH);
		coil_channel_fini(&storm.channel);
	}
}
END_TEST

/*
 * Closing, and threads without a loop.
 */

static atomic_int in_line;

static int wait_for_close(void *arg)
{
	int item, err;

	in_line++;
	err = coil_channel_recv(&storm.channel, &item);
	return err == -ESHUTDOWN ? 0 : -EPROTO;
}

static int wait_in_numbers(void *arg)
{
	struct coil_group group = {0};

	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(coil_group_create_task(&group, wait_for_close, NULL), 0);
	if (!coil_worker_index()) {
		until(in_line == 50 * LOOPS);
		ck_assert_int_eq(coil_channel_close(&storm.channel), 0);
	}
	return coil_group_wait(&group);
}

START_TEST(closing_wakes_the_tasks_of_all_loops)
{
	for (int round = 0; round < 20; round++) {
		in_line = 0;
		ck_assert_int_eq(coil_channel_init(&storm.channel, 4, 0), 0);
		ck_assert_int_eq(coil_run_workers(LOOPS, wait_in_numbers, NULL), 0);
		/* Nobody uses it any more. */
		coil_channel_fini(&storm.channel);
	}
}
END_TEST

static void *send_by_trying(void *arg)
{
	for (int item; (item = storm.next++) < ITEMS; ) {
		atomic_fetch_or(&storm.fates[item], SENT);
		while (coil_channel_try_send(&storm.channel, &item))
			sched_yield();
	}
	if (!--storm.senders)
		coil_channel_close(&storm.channel);
	return NULL;
}

static void *recv_by_trying(void *arg)
{
	int item, err;

	while ((err = coil_channel_try_recv(&storm.channel, &item)) != -ESHUTDOWN) {
		if (err) {
			sched_yield();
			continue;
		}
		atomic_fetch_or(&storm.fates[item], RECEIVED);
		storm.received++;
	}
	return NULL;
}

START_TEST(threads_without_a_loop_use_it_beside_loops)
{
	pthread_t threads[3];
	bool mixed = false;

	begin_storm(3);
	storm.senders = TASKS + 2;
	threads[0] = begin(send_by_trying, NULL);
	threads[1] = begin(send_by_trying, NULL);
	threads[2] = begin(recv_by_trying, NULL);
	ck_assert_int_eq(coil_run_workers(2, rage, &mixed), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(end(threads[i]), 0);
	end_storm();
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = suite_create("channel storm");
	tests = tcase_create("channel storm");
	tcase_add_test(tests, two_loops_lose_and_double_nothing);
	tcase_add_test(tests, four_loops_lose_and_double_nothing);
	tcase_add_test(tests, tasks_cancelled_at_any_moment_lose_and_double_nothing);
	tcase_add_test(tests, one_receiver_sees_each_senders_items_in_order);
	tcase_add_test(tests, closing_wakes_the_tasks_of_all_loops);
	tcase_add_test(tests, threads_without_a_loop_use_it_beside_loops);
	suite_add_tcase(whole, tests);
	return whole;
}
