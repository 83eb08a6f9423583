/* SPDX-License-Identifier: MIT */
/*
 * What crosses threads, cancelled at every point: see sweep.h.  Another loop, in a
 * thread of its own, sends to the task under test or receives from it, and what it
 * did may lie at our loop's door, unseen, when the cancel comes.
 */
#include "tests/sweep.h"
#include "tests/threads.h"
#include <coil.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ITEMS = 4096, CROWD = 64 };

/*
 * The other loop.  It does what it is asked, in order, and lives as long as a test.
 */
static struct {
	pthread_t thread;
	struct coil_loop *loop;
	sem_t there;
	struct coil_future stop;
	int asked;
	atomic_int answered;
	atomic_int tasks;		/* that it has not seen the end of */
} peer;

static int main_peer(void *arg)
{
	peer.loop = coil_loop_ref(coil_current_loop());
	sem_post(&peer.there);
	return coil_future_wait(&peer.stop);
}

static void *run_peer(void *arg)
{
	return INT(coil_run(main_peer, NULL));
}

static void begin_peer(void)
{
	memset(&peer, 0, sizeof(peer));
	sem_init(&peer.there, 0, 0);
	peer.thread = begin(run_peer, NULL);
	while (sem_wait(&peer.there))
		;
}

static void stop_peer(void *arg)
{
	coil_future_set(&peer.stop, 0);
}

static void end_peer(void)
{
	ck_assert_int_eq(coil_call_soon_threadsafe(peer.loop, stop_peer, NULL), 0);
	ck_assert_int_eq(end(peer.thread), 0);
	coil_loop_unref(peer.loop);
	sem_destroy(&peer.there);
}

/* What is asked calls answer() when it has done what it can do by itself. */
static void ask(void (*fn)(void *arg), void *arg)
{
	peer.asked++;
	ck_assert_int_eq(coil_call_soon_threadsafe(peer.loop, fn, arg), 0);
	while (sweep_ripe && peer.answered != peer.asked)
		sched_yield();
}

static void answer(void)
{
	peer.answered++;
}

/* It has done all it was asked, and its tasks have ended. */
static void quieten(void)
{
	while (peer.answered != peer.asked || peer.tasks)
		ck_assert_int_eq(coil_sleep(20 * COIL_MICROSECOND), 0);
}

/*
 * A channel between the two.  Each item has a number, and is one that went in or one
 * that did not; those that did come out, once.
 */

enum fate { NEVER, SENT = 1, REFUSED = 2, RECEIVED = 4 };

static struct {
	struct coil_channel channel;
	size_t capacity;
	atomic_int next;		/* to be sent */
	atomic_int fates[ITEMS];
	int helps;
	struct coil_task *crowd[CROWD];	/* the peer's tasks, by the order of asking */
} own;

static void begin_channel(void)
{
	own.next = 0;
	own.helps = 0;
	memset(own.fates, 0, sizeof(own.fates));
	memset(own.crowd, 0, sizeof(own.crowd));
	ck_assert_int_eq(coil_channel_init(&own.channel, sizeof(int), own.capacity), 0);
}

static void receive(int item)
{
	ck_assert(item >= 0 && item < own.next);
	ck_assert_int_eq(atomic_fetch_or(&own.fates[item], RECEIVED) & RECEIVED, 0);
}

static int offer(int (*send)(struct coil_channel *channel, const void *item))
{
	int item = own.next++, err;

	ck_assert_int_lt(item, ITEMS);
	err = send(&own.channel, &item);
	atomic_fetch_or(&own.fates[item], err ? REFUSED : SENT);
	return err;
}

static void end_channel(int result)
{
	int item;

	ok_or_cancelled(result);
	coil_channel_close(&own.channel);
	quieten();
	while (!coil_channel_try_recv(&own.channel, &item))
		receive(item);
	for (int i = 0; i < own.next; i++) {
		int fate = own.fates[i];

		ck_assert_msg(fate == (SENT | RECEIVED) || fate == REFUSED,
			      "item %d of %d: %#x", i, own.next, fate);
	}
	coil_channel_fini(&own.channel);
}

static int run_recv(void *arg)
{
	int item, err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		item = -1;
		err = coil_channel_recv(&own.channel, &item);
		if (!err)
			receive(item);
		else
			ck_assert_int_eq(item, -1);
	}
	return err;
}

static int run_send(void *arg)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = offer(coil_channel_send);
	return err;
}

static void sweep_channel(const struct sweep *it)
{
	begin_peer();
	for (own.capacity = 0; own.capacity < 3; own.capacity++)
		sweep(it);
	end_peer();
}

/* It sends if it can. */
static void send_if_it_can(void *arg)
{
	offer(coil_channel_try_send);
	answer();
}

static void help_by_try_send(void)
{
	if (own.next < ITEMS / 2)
		ask(send_if_it_can, NULL);
}

COIL_TEST(receiving_from_another_loop_that_does_not_wait)
{
	static const struct sweep it = {
		begin_channel, run_recv, help_by_try_send, end_channel,
	};

	sweep_channel(&it);
}

static void recv_if_it_can(void *arg)
{
	int item;

	if (!coil_channel_try_recv(&own.channel, &item))
		receive(item);
	answer();
}

static void help_by_try_recv(void)
{
	ask(recv_if_it_can, NULL);
}

COIL_TEST(sending_to_another_loop_that_does_not_wait)
{
	static const struct sweep it = {
		begin_channel, run_send, help_by_try_recv, end_channel,
	};

	sweep_channel(&it);
}

/*
 * Tasks of the other loop that wait in line, and are now and then cancelled there.
 */

static int send_in_line(void *arg)
{
	offer(coil_channel_send);
	own.crowd[(intptr_t)arg] = NULL;
	peer.tasks--;
	return 0;
}

static int recv_in_line(void *arg)
{
	int item;

	if (!coil_channel_recv(&own.channel, &item))
		receive(item);
	own.crowd[(intptr_t)arg] = NULL;
	peer.tasks--;
	return 0;
}

static void start_in_line(int (*fn)(void *arg), void *arg)
{
	static const struct coil_task_options options = { .eager = true };
	struct coil_task *task;

	peer.tasks++;
	task = coil_create_task_with(&options, fn, arg);
	ck_assert_ptr_nonnull(task);
	/* It may have ended, as it is eager. */
	own.crowd[(intptr_t)arg] = coil_done(task) ? NULL : task;
	coil_detach(task);
	answer();
}

static void send_one(void *arg)
{
	start_in_line(send_in_line, arg);
}

static void recv_one(void *arg)
{
	start_in_line(recv_in_line, arg);
}

static void cancel_one(void *arg)
{
	for (int i = 0; i < (intptr_t)arg; i++) {
		if (own.crowd[i]) {
			coil_cancel(own.crowd[i]);
			break;
		}
	}
	answer();
}

static void help_in_line(void (*fn)(void *arg))
{
	if (own.helps == CROWD)
		return;
	if (own.helps % 3 == 2)
		ask(cancel_one, INT(own.helps));
	else
		ask(fn, INT(own.helps));
	own.helps++;
}

static void help_by_send(void)
{
	help_in_line(send_one);
	/* What was in line is used up, or was cancelled: so that it ends. */
	if (own.helps == CROWD)
		help_by_try_send();
}

static void help_by_recv(void)
{
	help_in_line(recv_one);
	if (own.helps == CROWD)
		help_by_try_recv();
}

COIL_TEST(receiving_from_another_loop_s_tasks)
{
	static const struct sweep it = { begin_channel, run_recv, help_by_send, end_channel };

	sweep_channel(&it);
}

COIL_TEST(sending_to_another_loop_s_tasks)
{
	static const struct sweep it = { begin_channel, run_send, help_by_recv, end_channel };

	sweep_channel(&it);
}

static void close_it(void *arg)
{
	coil_channel_close(&own.channel);
	answer();
}

static void help_by_close(void)
{
	ask(own.helps++ % 2 ? close_it : send_if_it_can, NULL);
}

static int run_until_closed(void *arg)
{
	int err;

	do {
		err = run_recv(NULL);
	} while (!err);
	return err == -ESHUTDOWN ? 0 : err;
}

COIL_TEST(a_channel_that_another_loop_closes)
{
	static const struct sweep it = {
		begin_channel, run_until_closed, help_by_close, end_channel,
	};

	sweep_channel(&it);
}

/*
 * A job on a thread, and what it asks of our loop meanwhile.  All of it uses memory
 * of the task that is cancelled, or of the thread; so that must be waited for.
 */

static struct {
	struct coil_loop *loop;
	struct coil_future futures[3];
	int given;
	atomic_int posted;
	int called;
	int64_t limit;
	bool ended;		/* the task has: nothing may use its stack any more */
} job;

/* On the stack of the task, then of the thread. */
struct errand {
	int magic;
	int number;
	int results[3];
};

enum { MAGIC = 0x0c011 };

static void begin_job(void)
{
	memset(job.futures, 0, sizeof(job.futures));
	job.given = job.called = 0;
	job.posted = 0;
	job.ended = false;
	job.loop = coil_current_loop();
}

static void help_job(void)
{
	if (job.given < 3)
		coil_future_set(&job.futures[job.given++], 0);
}

static int visit(void *arg)
{
	struct errand *errand = arg;
	int err = coil_future_wait(&job.futures[errand->number]);

	ck_assert(!job.ended);
	ck_assert_int_eq(errand->magic, MAGIC);
	errand->magic++;
	return err ? err : 10 + errand->number;
}

static void count_call(void *arg)
{
	ck_assert_ptr_eq(arg, &job);
	job.called++;
}

static int do_errands(void *arg)
{
	struct errand *errand = arg;

	for (int i = 0; i < 3; i++) {
		struct errand mine = { .magic = MAGIC, .number = i };

		ck_assert_int_eq(coil_call_soon_threadsafe(job.loop, count_call, &job), 0);
		job.posted++;
		errand->results[i] = coil_run_coroutine_threadsafe(job.loop, visit, &mine,
								   job.limit);
		/* It ran, once, and its end was waited for. */
		ck_assert_int_eq(mine.magic, MAGIC + 1);
	}
	errand->magic++;
	return 5;
}

static int run_errands(void *arg)
{
	struct errand errand = { .magic = MAGIC };
	int result = coil_to_thread(do_errands, &errand);

	job.ended = true;
	ck_assert_int_eq(errand.magic, result == 5 ? MAGIC + 1 : MAGIC);
	for (int i = 0; i < 3 && result == 5; i++)
		ck_assert(errand.results[i] == 10 + i ||
			  (job.limit != COIL_FOREVER && errand.results[i] == -ETIMEDOUT));
	return result == 5 ? 0 : result;
}

/* A call that was taken is made. */
static void end_job(int result)
{
	ok_or_cancelled(result);
	until(job.called == job.posted);
	ck_assert(result ? job.posted == 0 : job.posted == 3);
}

COIL_TEST(a_job_that_runs_tasks_on_the_loop_of_the_one_who_waits_for_it)
{
	static const struct sweep it = { begin_job, run_errands, help_job, end_job };

	job.limit = COIL_FOREVER;
	sweep(&it);
	job.limit = 50 * COIL_MICROSECOND;
	sweep(&it);
	job.limit = 0;
	sweep(&it);
}

/*
 * Workers.
 */

static int work(void *arg)
{
	struct errand *errand = arg;
	unsigned me = coil_worker_index();
	int err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		err = me ? run_send(NULL) : run_recv(NULL);
		if (!err)
			err = coil_yield();
	}
	ck_assert_int_eq(errand->magic, MAGIC);
	return err ? err : 10;
}

static int run_job_of_workers(void *arg)
{
	return coil_run_workers(2, work, arg);
}

static int run_workers(void *arg)
{
	struct errand errand = { .magic = MAGIC };
	int result = coil_to_thread(run_job_of_workers, &errand);

	errand.magic = 0;
	ck_assert_int_eq(own.next, result ? 0 : 9);
	return result;
}

static void end_workers(int result)
{
	/* Nobody else is asked for anything. */
	peer.asked = 0;
	end_channel(result);
}

COIL_TEST(workers_that_a_job_runs_end_before_it)
{
	static const struct sweep it = { begin_channel, run_workers, NULL, end_workers };

	for (own.capacity = 0; own.capacity < 3; own.capacity++)
		sweep(&it);
}

static atomic_int countdown;

/* Each park of one of them, or of the other, is the last. */
static int work_until_one_fails(void *arg)
{
	unsigned me = coil_worker_index();
	int item, err = 0;

	while (!err) {
		if (me == (unsigned)(intptr_t)arg && !countdown--)
			return -EIO;
		if (me) {
			err = offer(coil_channel_send);
		} else {
			err = coil_channel_recv(&own.channel, &item);
			if (!err)
				receive(item);
		}
	}
	return err;
}

START_TEST(a_worker_that_fails_at_any_point_stops_the_other)
{
	for (own.capacity = 0; own.capacity < 3; own.capacity++) {
		for (int i = 0; i < 40; i++) {
			int item, fates[] = { 0, SENT | RECEIVED, REFUSED };

			begin_channel();
			countdown = i / 2;
			ck_assert_int_eq(coil_run_workers(2, work_until_one_fails, INT(i % 2)),
					 -EIO);
			while (!coil_channel_try_recv(&own.channel, &item))
				receive(item);
			for (int j = 0; j < own.next; j++)
				ck_assert(own.fates[j] == fates[1] || own.fates[j] == fates[2]);
			coil_channel_fini(&own.channel);
		}
	}
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "threads"))
		return NULL;
	whole = suite_create("sweep threads");
	tests = tcase_create("sweep threads");
	tcase_add_test(tests, receiving_from_another_loop_that_does_not_wait);
	tcase_add_test(tests, sending_to_another_loop_that_does_not_wait);
	tcase_add_test(tests, receiving_from_another_loop_s_tasks);
	tcase_add_test(tests, sending_to_another_loop_s_tasks);
	tcase_add_test(tests, a_channel_that_another_loop_closes);
	tcase_add_test(tests, a_job_that_runs_tasks_on_the_loop_of_the_one_who_waits_for_it);
	tcase_add_test(tests, workers_that_a_job_runs_end_before_it);
	tcase_add_test(tests, a_worker_that_fails_at_any_point_stops_the_other);
	suite_add_tcase(whole, tests);
	return whole;
}
