/* SPDX-License-Identifier: MIT */
/*
 * A channel within one loop, or between a loop and a thread that has none: who is
 * served, and what a request changes.  Loops in threads are in check_channel_storm.c.
 */
#include "core/loop/loop.h"
#include "tests/sweep.h"
#include "tests/threads.h"
#include <coil/channel.h>
#include <coil/group.h>
#include <signal.h>
#include <stdlib.h>

static void make(struct coil_channel *channel, size_t capacity)
{
	ck_assert_int_eq(coil_channel_init(channel, sizeof(int), capacity), 0);
}

static int send_int(struct coil_channel *channel, int item)
{
	return coil_channel_send(channel, &item);
}

static int try_send(struct coil_channel *channel, int item)
{
	return coil_channel_try_send(channel, &item);
}

/* The next item, or the error. */
static int recv_int(struct coil_channel *channel)
{
	int item = 12345, err = coil_channel_recv(channel, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

static int try_recv(struct coil_channel *channel)
{
	int item = 12345, err = coil_channel_try_recv(channel, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

/* One send, or one receive, as a task. */
struct visit {
	struct coil_channel *channel;
	const char *name;
	int item;
	int result;	/* of the call; 1000: it has not come back */
	int next;	/* what the next parking call says */
};

#define VISIT(c, n, i) { .channel = (c), .name = (n), .item = (i), .result = 1000 }

static int send_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = send_int(visit->channel, visit->item);
	visit->next = coil_check();
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

static int recv_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = recv_int(visit->channel);
	visit->next = coil_check();
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

COIL_TEST(items_come_out_in_the_order_in_which_they_went_in)
{
	for (size_t capacity = 1; capacity < 6; capacity++) {
		struct coil_channel channel;
		int in = 0, out = 0;

		make(&channel, capacity);
		for (int round = 0; round < 20; round++) {
			while (!try_send(&channel, in))
				in++;
			ck_assert_int_eq(in - out, (int)capacity);
			ck_assert_int_eq(try_send(&channel, -1), -EAGAIN);
			for (int i = 0; i <= round % (int)capacity; i++)
				ck_assert_int_eq(recv_int(&channel), out++);
		}
		while (out < in)
			ck_assert_int_eq(try_recv(&channel), out++);
		ck_assert_int_eq(try_recv(&channel), -EAGAIN);
		coil_channel_fini(&channel);
	}
}

COIL_TEST(items_of_any_size_are_copied)
{
	static const size_t sizes[] = { 1, 3, 8, 100, 70000 };
	static unsigned char in[70000], out[70000];

	for (int i = 0; i < 5; i++) {
		struct coil_channel channel;

		ck_assert_int_eq(coil_channel_init(&channel, sizes[i], 3), 0);
		for (unsigned char n = 1; n < 10; n++) {
			memset(in, n, sizes[i]);
			ck_assert_int_eq(coil_channel_send(&channel, in), 0);
			memset(in, 0, sizes[i]);
			ck_assert_int_eq(coil_channel_recv(&channel, out), 0);
			ck_assert_int_eq(out[0], n);
			ck_assert_int_eq(out[sizes[i] - 1], n);
		}
		coil_channel_fini(&channel);
	}
}

COIL_TEST(a_call_that_need_not_wait_lets_nobody_else_run)
{
	struct coil_channel channel;
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	make(&channel, 2);
	ck_assert_int_eq(send_int(&channel, 1), 0);
	ck_assert_int_eq(send_int(&channel, 2), 0);
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert(!ran);
	ck_assert_int_eq(coil_await(other), 0);
	coil_channel_fini(&channel);
}

COIL_TEST(receivers_are_served_in_the_order_in_which_they_came)
{
	struct coil_channel channel;
	struct visit a = VISIT(&channel, "a", 0), b = VISIT(&channel, "b", 0);
	struct visit c = VISIT(&channel, "c", 0);
	struct coil_task *tasks[] = {
		start(recv_one, &a), start(recv_one, &b), start(recv_one, &c),
	};

	make(&channel, 1);
	settle();
	ck_assert_str_eq(coil__task_waits_for(tasks[0]), "channel recv");
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(send_int(&channel, i), 0);
	/* Theirs from that moment: nobody barges in. */
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	ck_assert_int_eq(coil_gather(tasks, 3, (int[3]){0}), 0);
	traced("a:1 b:2 c:3");
	coil_channel_fini(&channel);
}

COIL_TEST(senders_are_served_in_the_order_in_which_they_came)
{
	struct coil_channel channel;
	struct visit a = VISIT(&channel, "a", 2), b = VISIT(&channel, "b", 3);
	struct coil_task *tasks[] = { start(send_one, &a), start(send_one, &b) };

	make(&channel, 1);
	ck_assert_int_eq(try_send(&channel, 1), 0);
	settle();
	ck_assert_str_eq(coil__task_waits_for(tasks[0]), "channel send");
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert_int_eq(try_send(&channel, 9), -EAGAIN);
	ck_assert_int_eq(recv_int(&channel), 2);
	ck_assert_int_eq(recv_int(&channel), 3);
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	traced("a:0 b:0");
	coil_channel_fini(&channel);
}

COIL_TEST(without_room_a_send_waits_for_the_one_who_receives)
{
	struct coil_channel channel;
	struct visit sender = VISIT(&channel, "send", 5), receiver = VISIT(&channel, "recv", 0);
	struct coil_task *task;

	make(&channel, 0);
	ck_assert_int_eq(try_send(&channel, 1), -EAGAIN);
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	task = start(send_one, &sender);
	settle();
	ck_assert_int_eq(sender.result, 1000);
	ck_assert_int_eq(recv_int(&channel), 5);
	ck_assert_int_eq(coil_await(task), 0);
	task = start(recv_one, &receiver);
	settle();
	ck_assert_int_eq(try_send(&channel, 6), 0);
	ck_assert_int_eq(try_send(&channel, 7), -EAGAIN);
	ck_assert_int_eq(coil_await(task), 6);
	traced("send:0 recv:6");
	coil_channel_fini(&channel);
}

static int count_down(void *arg)
{
	struct coil_channel *channels = arg;
	int n;

	while ((n = recv_int(&channels[0])) > 0)
		ck_assert_int_eq(send_int(&channels[1], n - 1), 0);
	ck_assert_int_eq(coil_channel_close(&channels[1]), 0);
	return n;
}

COIL_TEST(tasks_talk_through_channels_of_any_capacity)
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		struct coil_channel channels[2];
		struct coil_task *task;
		int n = 100;

		make(&channels[0], capacity);
		make(&channels[1], capacity);
		task = start(count_down, channels);
		while (n >= 0) {
			ck_assert_int_eq(send_int(&channels[0], n), 0);
			n = recv_int(&channels[1]);
		}
		ck_assert_int_eq(n, -ESHUTDOWN);
		ck_assert_int_eq(coil_await(task), 0);
		coil_channel_fini(&channels[0]);
		coil_channel_fini(&channels[1]);
	}
}

/*
 * The end of a channel.
 */

COIL_TEST(a_closed_one_takes_nothing_and_gives_what_it_has)
{
	struct coil_channel channel;

	make(&channel, 3);
	ck_assert_int_eq(send_int(&channel, 1), 0);
	ck_assert_int_eq(send_int(&channel, 2), 0);
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	ck_assert_int_eq(send_int(&channel, 3), -ESHUTDOWN);
	ck_assert_int_eq(try_send(&channel, 3), -ESHUTDOWN);
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	ck_assert_int_eq(try_recv(&channel), 2);
	ck_assert_int_eq(recv_int(&channel), -ESHUTDOWN);
	ck_assert_int_eq(try_recv(&channel), -ESHUTDOWN);
	coil_channel_fini(&channel);
}

COIL_TEST(closing_wakes_all_who_wait_in_vain)
{
	struct coil_channel channel;
	struct visit a = VISIT(&channel, "a", 0), b = VISIT(&channel, "b", 0);
	struct coil_task *tasks[2];

	make(&channel, 1);
	tasks[0] = start(recv_one, &a);
	tasks[1] = start(recv_one, &b);
	settle();
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, (int[2]){0}), 0);
	ck_assert(a.result == -ESHUTDOWN && b.result == -ESHUTDOWN);
	coil_channel_fini(&channel);
	make(&channel, 1);
	ck_assert_int_eq(try_send(&channel, 1), 0);
	tasks[0] = start(send_one, &a);
	tasks[1] = start(send_one, &b);
	settle();
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, (int[2]){0}), 0);
	ck_assert(a.result == -ESHUTDOWN && b.result == -ESHUTDOWN);
	/* What was in before is still there, what they came with is not. */
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert_int_eq(recv_int(&channel), -ESHUTDOWN);
	coil_channel_fini(&channel);
}

static int fini_too_early(void *arg)
{
	struct coil_channel channel;
	struct visit visit = VISIT(&channel, "a", 0);

	make(&channel, 1);
	coil_detach(start(recv_one, &visit));
	settle();
	coil_channel_fini(&channel);
	return 0;
}

START_TEST(fini_while_tasks_wait_names_the_task_and_dies)
{
	dies(fini_too_early, SIGABRT, "task main calls coil_channel_fini while tasks wait");
}
END_TEST

START_TEST(what_makes_no_sense_is_einval_and_without_memory_enomem)
{
	struct coil_channel channel;

	ck_assert_int_eq(coil_channel_init(&channel, 0, 1), -EINVAL);
	coil_channel_fini(&channel);
	ck_assert_int_eq(coil_channel_init(&channel, 16, SIZE_MAX / 8), -EINVAL);
	ck_assert_int_eq(coil_channel_init(&channel, 1, SIZE_MAX), -EINVAL);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_channel_init(&channel, 4, 4), -ENOMEM);
	coil_channel_fini(&channel);
	ck_assert_int_eq(coil_channel_init(&channel, 4, 4), 0);
	coil_channel_fini(&channel);
	coil_channel_fini(&channel);
	ck_assert_int_eq(coil_channel_init(NULL, 4, 4), -EINVAL);
	coil_channel_fini(NULL);
}
END_TEST

static void makes_no_sense(struct coil_channel *channel, void *item)
{
	ck_assert_int_eq(coil_channel_send(channel, item), -EINVAL);
	ck_assert_int_eq(coil_channel_recv(channel, item), -EINVAL);
	ck_assert_int_eq(coil_channel_try_send(channel, item), -EINVAL);
	ck_assert_int_eq(coil_channel_try_recv(channel, item), -EINVAL);
}

COIL_TEST(one_that_is_not_ready_is_einval_and_so_is_no_item)
{
	struct coil_channel channel = {0};
	int item = 1;

	makes_no_sense(&channel, &item);
	makes_no_sense(NULL, &item);
	ck_assert_int_eq(coil_channel_close(&channel), -EINVAL);
	ck_assert_int_eq(coil_channel_close(NULL), -EINVAL);
	make(&channel, 1);
	makes_no_sense(&channel, NULL);
	coil_channel_fini(&channel);
	makes_no_sense(&channel, &item);
}

START_TEST(off_a_loop_only_what_does_not_park_works)
{
	struct coil_channel channel;

	make(&channel, 1);
	ck_assert_int_eq(send_int(&channel, 1), -EPERM);
	ck_assert_int_eq(recv_int(&channel), -EPERM);
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	ck_assert_int_eq(try_send(&channel, 1), 0);
	ck_assert_int_eq(try_send(&channel, 2), -EAGAIN);
	ck_assert_int_eq(try_recv(&channel), 1);
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	coil_channel_fini(&channel);
}
END_TEST

/*
 * Requests.
 */

static int send_seven(void *channel)
{
	return send_int(channel, 7);
}

static int recv_any(void *channel)
{
	return recv_int(channel);
}

COIL_TEST(a_request_that_is_pending_wins_though_there_is_room_or_an_item)
{
	struct coil_channel channel;

	make(&channel, 2);
	ck_assert_int_eq(send_int(&channel, 1), 0);
	refuses(send_seven, &channel);
	refuses(recv_any, &channel);
	/* Those that do not park do not ask. */
	COIL_TIMEOUT(0) {
		ck_assert_int_eq(try_send(&channel, 2), 0);
		ck_assert_int_eq(try_recv(&channel), 1);
	}
	ck_assert_int_eq(recv_int(&channel), 2);
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	refuses(send_seven, &channel);
	refuses(recv_any, &channel);
	coil_channel_fini(&channel);
}

COIL_TEST(one_who_is_cancelled_in_line_makes_room_for_the_next)
{
	struct coil_channel channel;
	struct visit a = VISIT(&channel, "a", 2), b = VISIT(&channel, "b", 3);
	struct coil_task *tasks[2];

	make(&channel, 1);
	tasks[0] = start(recv_one, &a);
	tasks[1] = start(recv_one, &b);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(send_int(&channel, 1), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, (int[2]){0}), 0);
	ck_assert_int_eq(a.result, -ECANCELED);
	ck_assert_int_eq(b.result, 1);
	ck_assert_int_eq(send_int(&channel, 1), 0);
	tasks[0] = start(send_one, &a);
	tasks[1] = start(send_one, &b);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert_int_eq(coil_gather(tasks, 2, (int[2]){0}), 0);
	ck_assert_int_eq(a.result, -ECANCELED);
	ck_assert_int_eq(b.result, 0);
	ck_assert_int_eq(recv_int(&channel), 3);
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	coil_channel_fini(&channel);
}

COIL_TEST(a_deadline_ends_the_wait)
{
	struct coil_channel channel;
	int64_t begun = coil_now();

	make(&channel, 0);
	COIL_TIMEOUT(5 * COIL_MILLISECOND)
		ck_assert_int_eq(recv_int(&channel), -ETIMEDOUT);
	COIL_TIMEOUT(5 * COIL_MILLISECOND)
		ck_assert_int_eq(send_int(&channel, 1), -ETIMEDOUT);
	passed(begun, 10 * COIL_MILLISECOND);
	ck_assert_int_eq(try_recv(&channel), -EAGAIN);
	coil_channel_fini(&channel);
}

COIL_TEST(what_was_handed_over_stands_though_a_cancel_followed)
{
	struct coil_channel channel;
	struct visit a = VISIT(&channel, "a", 2);
	struct coil_task *task;

	make(&channel, 1);
	task = start(recv_one, &a);
	settle();
	ck_assert_int_eq(send_int(&channel, 1), 0);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 1);
	ck_assert_int_eq(a.next, -ECANCELED);
	ck_assert_int_eq(send_int(&channel, 1), 0);
	task = start(send_one, &a);
	settle();
	ck_assert_int_eq(recv_int(&channel), 1);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(a.next, -ECANCELED);
	ck_assert_int_eq(recv_int(&channel), 2);
	coil_channel_fini(&channel);
}

/* Cancelled at each of its parks, before, while and after something comes. */
static struct {
	struct coil_channel in;
	struct coil_channel out;
	int sent;	/* to it */
	int got;	/* ... and received by it */
	int given;	/* by it */
	int taken;	/* ... and from it */
	int helps;
} own;

static size_t capacity;

static void begin_sweep(void)
{
	memset(&own, 0, sizeof(own));
	make(&own.in, capacity);
	make(&own.out, capacity);
}

static int run_sweep(void *arg)
{
	for (int i = 0; i < 4; i++) {
		int item = recv_int(&own.in);

		if (item < 0)
			return item;
		ck_assert_int_eq(item, own.got++);
		item = send_int(&own.out, own.given);
		if (item)
			return item;
		own.given++;
	}
	return 0;
}

static void help_sweep(void)
{
	int item;

	if (own.helps++ % 2) {
		item = try_recv(&own.out);
		if (item >= 0)
			ck_assert_int_eq(item, own.taken++);
	} else {
		own.sent += !try_send(&own.in, own.sent);
	}
}

static void end_sweep(int result)
{
	int item;

	ok_or_cancelled(result);
	while ((item = try_recv(&own.in)) >= 0)
		ck_assert_int_eq(item, own.got++);
	while ((item = try_recv(&own.out)) >= 0)
		ck_assert_int_eq(item, own.taken++);
	ck_assert_int_eq(own.sent, own.got);
	ck_assert_int_eq(own.given, own.taken);
	coil_channel_fini(&own.in);
	coil_channel_fini(&own.out);
}

COIL_TEST(cancelled_at_any_moment_it_loses_and_doubles_nothing)
{
	static const struct sweep it = { begin_sweep, run_sweep, help_sweep, end_sweep };

	for (capacity = 0; capacity < 3; capacity++)
		sweep(&it);
}

/*
 * A hand-over that is on its way.  Another thread serves the task while this one
 * stands still, so the news waits at the loop's door.
 */

static void *send_from_afar(void *channel)
{
	return INT(try_send(channel, 8));
}

static void *recv_from_afar(void *channel)
{
	return INT(try_recv(channel));
}

static void *close_from_afar(void *channel)
{
	return INT(coil_channel_close(channel));
}

/* Parks at a channel; is served from afar, and asked to end, before it can run. */
static void race(int (*fn)(void *arg), void *(*afar)(void *arg), bool cancel, int expected)
{
	struct coil_channel channel;
	struct visit visit = VISIT(&channel, "a", 5);
	struct coil_task *task;

	make(&channel, fn == send_one);
	if (fn == send_one)
		ck_assert_int_eq(try_send(&channel, 4), 0);
	task = start(fn, &visit);
	settle();
	ck_assert_int_ge(end(begin(afar, &channel)), 0);
	if (cancel)
		ck_assert(coil_cancel(task));
	ck_assert_int_eq(visit.result, 1000);
	ck_assert_int_eq(coil_await(task), expected);
	ck_assert_int_eq(visit.next, cancel ? -ECANCELED : 0);
	if (fn == send_one && !expected)
		ck_assert_int_eq(try_recv(&channel), 5);
	ck_assert_int_lt(try_recv(&channel), 5);
	coil_channel_fini(&channel);
}

COIL_TEST(a_hand_over_that_is_on_its_way_beats_a_request)
{
	if (support_skip_on("sim", "threads"))
		return;
	for (int cancel = 0; cancel < 2; cancel++) {
		race(recv_one, send_from_afar, cancel, 8);
		race(send_one, recv_from_afar, cancel, 0);
		race(recv_one, close_from_afar, cancel, -ESHUTDOWN);
		race(send_one, close_from_afar, cancel, -ESHUTDOWN);
	}
}

/*
 * The task that finishes the channel cannot know of the woken one: that is in no queue,
 * and the thread that served it is done.  Its cancel still takes the channel's locks.
 */
COIL_TEST(a_finished_channel_stays_until_woken_tasks_have_run)
{
	struct coil_channel channel;
	struct visit visit = VISIT(&channel, "a", 0);
	struct coil_task *task;
	size_t bytes;

	if (support_skip_on("sim", "threads"))
		return;
	make(&channel, 4);
	task = start(recv_one, &visit);
	settle();
	ck_assert_int_eq(end(begin(close_from_afar, &channel)), 0);
	bytes = support_outstanding();
	coil_channel_fini(&channel);
	ck_assert_uint_eq(support_outstanding(), bytes);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ESHUTDOWN);
	ck_assert_uint_lt(support_outstanding(), bytes);
}

static int recv_in_time(void *arg)
{
	struct coil_timeout timeout = {0};
	int result;

	ck_assert_int_eq(coil_timeout_begin(&timeout, ahead()), 0);
	result = recv_int(arg);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
	return result;
}

COIL_TEST(a_hand_over_that_is_on_its_way_beats_a_deadline)
{
	struct coil_channel channel;
	struct coil_task *task;
	int64_t until;

	if (support_skip_on("sim", "threads"))
		return;
	make(&channel, 0);
	task = start(recv_in_time, &channel);
	settle();
	ck_assert_int_eq(end(begin(send_from_afar, &channel)), 0);
	/* Both are there when the loop next looks. */
	for (until = coil_now() + ahead(); coil_now() < until; )
		rest();
	ck_assert_int_eq(coil_await(task), 8);
	coil_channel_fini(&channel);
}

static struct coil_channel left;
static struct visit left_visit = VISIT(&left, "left", 0);

static int leave_on_its_way(void *arg)
{
	coil_detach(start(recv_one, &left_visit));
	settle();
	ck_assert_int_eq(end(begin(send_from_afar, &left)), 0);
	return 0;
}

START_TEST(a_loop_that_ends_waits_for_what_is_on_its_way)
{
	if (support_skip_on("sim", "threads"))
		return;
	make(&left, 0);
	ck_assert_int_eq(coil_run(leave_on_its_way, NULL), 0);
	ck_assert_int_eq(left_visit.result, 8);
	coil_channel_fini(&left);
}
END_TEST

static int leave_in_line(void *arg)
{
	coil_detach(start(recv_one, &left_visit));
	settle();
	return 0;
}

START_TEST(a_loop_that_ends_takes_those_in_line_with_it)
{
	make(&left, 0);
	ck_assert_int_eq(coil_run(leave_in_line, NULL), 0);
	ck_assert_int_eq(left_visit.result, -ECANCELED);
	ck_assert_int_eq(try_send(&left, 1), -EAGAIN);
	coil_channel_fini(&left);
}
END_TEST

static void *send_after_a_while(void *channel)
{
	for (int i = 0; i < 20; i++)
		rest();
	return send_from_afar(channel);
}

COIL_TEST(a_task_that_waits_for_another_thread_is_not_stuck)
{
	struct coil_channel channel;
	pthread_t thread;

	if (support_skip_on("sim", "threads"))
		return;
	make(&channel, 1);
	thread = begin(send_after_a_while, &channel);
	ck_assert_int_eq(recv_int(&channel), 8);
	ck_assert_int_eq(end(thread), 0);
	coil_channel_fini(&channel);
}

static void add_requests(Suite *whole)
{
	TCase *tests = tcase_create("request");

	tcase_add_test(tests, a_request_that_is_pending_wins_though_there_is_room_or_an_item);
	tcase_add_test(tests, one_who_is_cancelled_in_line_makes_room_for_the_next);
	tcase_add_test(tests, a_deadline_ends_the_wait);
	tcase_add_test(tests, what_was_handed_over_stands_though_a_cancel_followed);
	tcase_add_test(tests, cancelled_at_any_moment_it_loses_and_doubles_nothing);
	tcase_add_test(tests, a_hand_over_that_is_on_its_way_beats_a_request);
	tcase_add_test(tests, a_finished_channel_stays_until_woken_tasks_have_run);
	tcase_add_test(tests, a_hand_over_that_is_on_its_way_beats_a_deadline);
	tcase_add_test(tests, a_loop_that_ends_waits_for_what_is_on_its_way);
	tcase_add_test(tests, a_loop_that_ends_takes_those_in_line_with_it);
	tcase_add_test(tests, a_task_that_waits_for_another_thread_is_not_stuck);
	suite_add_tcase(whole, tests);
}

Suite *suite(void)
{
	Suite *whole = suite_create("channel");
	TCase *tests = tcase_create("channel");

	tcase_add_test(tests, items_come_out_in_the_order_in_which_they_went_in);
	tcase_add_test(tests, items_of_any_size_are_copied);
	tcase_add_test(tests, a_call_that_need_not_wait_lets_nobody_else_run);
	tcase_add_test(tests, receivers_are_served_in_the_order_in_which_they_came);
	tcase_add_test(tests, senders_are_served_in_the_order_in_which_they_came);
	tcase_add_test(tests, without_room_a_send_waits_for_the_one_who_receives);
	tcase_add_test(tests, tasks_talk_through_channels_of_any_capacity);
	tcase_add_test(tests, a_closed_one_takes_nothing_and_gives_what_it_has);
	tcase_add_test(tests, closing_wakes_all_who_wait_in_vain);
	tcase_add_test(tests, fini_while_tasks_wait_names_the_task_and_dies);
	tcase_add_test(tests, what_makes_no_sense_is_einval_and_without_memory_enomem);
	tcase_add_test(tests, one_that_is_not_ready_is_einval_and_so_is_no_item);
	tcase_add_test(tests, off_a_loop_only_what_does_not_park_works);
	suite_add_tcase(whole, tests);
	add_requests(whole);
	return whole;
}
