/* SPDX-License-Identifier: MIT */
/*
 * coil_select under limits and requests, and with shared events.
 */
#include "tests/selects.h"
#include "tests/sweep.h"
#include <coil/thread.h>
#include <stdlib.h>

/*
 * Limits and requests.
 */

COIL_TEST(after_the_limit_nothing_was_done)
{
	static const int64_t limits[] = { INT64_MIN, -1, 0, 1, 10 * MS };

	for (int i = 0; i < 5; i++) {
		int64_t begun = coil_now();
		struct all all;

		make_all(&all);
		ck_assert_int_eq(coil_select(all.cases, KINDS, limits[i]), -ETIMEDOUT);
		ck_assert_int_eq(coil_check(), 0);
		passed(begun, limits[i] > 0 ? limits[i] : 0);
		ck_done(&all, -1);
		put_away(&all);
	}
}

static int put_soon(void *arg)
{
	struct all *all = arg;

	return put(&all->empty, 12);
}

COIL_TEST(with_limit_0_the_others_run_once_before_it_gives_up)
{
	struct all all;
	struct coil_task *other;

	make_all(&all);
	other = start(put_soon, &all);
	ck_assert_int_eq(coil_select(all.cases, KINDS, 0), GET);
	ck_assert_int_eq(all.out, 12);
	ck_assert_int_eq(coil_await(other), 0);
	put_away(&all);
}

COIL_TEST(nothing_that_can_ever_come_is_waited_for_as_long_as_the_limit)
{
	struct coil_case never[12] = {0};
	int64_t begun = coil_now();

	ck_assert_int_eq(coil_select(never, 1, 5 * MS), -ETIMEDOUT);
	ck_assert_int_eq(coil_select(never, 12, 5 * MS), -ETIMEDOUT);
	passed(begun, 10 * MS);
}

static int select_forever(void *arg)
{
	struct coil_case never[1] = {0};

	return coil_select(never, 1, COIL_FOREVER);
}

START_TEST(nothing_that_can_ever_come_for_ever_is_a_deadlock)
{
	ck_assert_int_eq(coil_run(select_forever, NULL), -EDEADLK);
}
END_TEST

COIL_TEST(an_outer_deadline_is_told_to_its_own_scope)
{
	struct coil_timeout outer = {0};
	struct all all;

	make_all(&all);
	ck_assert_int_eq(coil_timeout_begin(&outer, 5 * MS), 0);
	ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_FOREVER), -ETIMEDOUT);
	ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_SECOND), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), -ETIMEDOUT);
	ck_done(&all, -1);
	put_away(&all);
}

COIL_TEST(its_own_limit_is_not_told_to_an_outer_scope)
{
	struct coil_timeout outer = {0};
	struct coil_case never[1] = {0};

	ck_assert_int_eq(coil_timeout_begin(&outer, 1000 * COIL_SECOND), 0);
	ck_assert_int_eq(coil_select(never, 1, MS), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&outer), 0);
}

static struct all *refused;

static int select_ready(void *arg)
{
	int which = coil_select(refused->cases, KINDS, COIL_FOREVER);

	ck_assert_uint_eq(coil_queue_size(&refused->empty), 1);
	return which;
}

COIL_TEST(a_request_that_is_pending_wins_though_a_case_is_ready)
{
	struct all all;

	make_all(&all);
	refused = &all;
	let(&all, GET);
	refuses(select_ready, NULL);
	ck_assert_int_eq(all.out, 1);
	ck_assert_int_eq(coil_select(all.cases, KINDS, 0), GET);
	put_away(&all);
}

COIL_TEST(a_cancel_that_comes_first_wins_and_nothing_was_done)
{
	struct all all;
	struct selection selection = SELECTION(all.cases);
	struct coil_task *task;

	make_all(&all);
	task = begin_select(&selection);
	ck_assert(coil_cancel(task));
	ck_left(&all.empty);
	let(&all, GET);
	let(&all, PUT);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(all.out, 1);
	ck_assert_uint_eq(coil_queue_size(&all.empty), 1);
	ck_assert_uint_eq(coil_queue_size(&all.full), 0);
	put_away(&all);
}

/* Of what comes from outside nothing was taken by then. */
COIL_TEST(a_case_that_came_first_stands_though_a_cancel_followed)
{
	for (int which = GET; which <= TASK; which++) {
		struct all all;
		struct selection selection = SELECTION(all.cases);
		struct coil_task *task;

		make_all(&all);
		task = begin_select(&selection);
		let(&all, which);
		/* Its end is told when it has run. */
		if (which == TASK)
			ck_assert_int_eq(coil_yield(), 0);
		ck_assert(coil_cancel(task));
		ck_assert_int_eq(coil_await(task), which);
		ck_done(&all, which);
		put_away(&all);
	}
}

/* Cancelled at each of its parks, before, while and after something comes. */
static struct {
	struct coil_queue in;
	struct coil_queue out;
	struct coil_event plain;
	struct coil_event shared;
	int put;	/* into in */
	int got;	/* ... and taken from it */
	int sent;	/* put into out */
	int received;	/* ... and taken from that */
	int helps;
} own;

static void begin_sweep(void)
{
	memset(&own, 0, sizeof(own));
	make(&own.in, FIFO, 1);
	make(&own.out, FIFO, 1);
	ck_assert_int_eq(put_nowait(&own.out, 0), 0);
	ck_assert_int_eq(coil_event_open(&own.shared), 0);
}

static int run_sweep(void *arg)
{
	struct coil_case cases[12] = {0};
	int item;

	cases[0] = (struct coil_case)COIL_SELECT_GET(&own.in, &item);
	cases[1] = (struct coil_case)COIL_SELECT_PUT(&own.out, &own.sent);
	cases[2] = (struct coil_case)COIL_SELECT_EVENT(&own.plain);
	cases[3] = (struct coil_case)COIL_SELECT_EVENT(&own.shared);
	for (int i = 0; i < 6; i++) {
		int which = coil_select(cases, i % 2 ? 12 : 4, 1000 * COIL_SECOND);

		if (which < 0)
			return which;
		if (which == 0)
			ck_assert_int_eq(item, ++own.got);
		else if (which == 1)
			own.sent++;
		else
			coil_event_clear(cases[which].event);
	}
	return 0;
}

static void help_sweep(void)
{
	int item = own.put + 1, err = 0;

	switch (own.helps++ % 4) {
	case 0:
		err = coil_queue_put_nowait(&own.in, &item);
		own.put += !err;
		break;
	case 1:
		item = get_nowait(&own.out);
		own.received += item >= 0;
		break;
	case 2:
		err = coil_event_set(&own.plain);
		break;
	default:
		err = coil_event_set(&own.shared);
	}
	ck_assert(!err || err == -EAGAIN);
}

static void end_sweep(int result)
{
	ok_or_cancelled(result);
	ck_left(&own.in);
	ck_left(&own.out);
	ck_assert_ptr_null(own.plain.waiters.head);
	ck_assert_ptr_null(own.shared.waiters.head);
	ck_assert_int_eq(own.put, own.got + (int)coil_queue_size(&own.in));
	ck_assert_int_eq(own.sent + 1, own.received + (int)coil_queue_size(&own.out));
	coil_queue_fini(&own.in);
	coil_queue_fini(&own.out);
	ck_assert_int_eq(coil_event_close(&own.shared), 0);
}

COIL_TEST(cancelled_at_any_moment_it_loses_nothing)
{
	static const struct sweep it = { begin_sweep, run_sweep, help_sweep, end_sweep };

	sweep(&it);
}

/*
 * Shared events.
 */

COIL_TEST(a_shared_event_whose_fd_is_no_good_ends_the_wait)
{
	struct coil_event event = {0};
	struct all all;
	int fd;

	make_all(&all);
	ck_assert_int_eq(coil_event_open(&event), 0);
	all.cases[EVENT].event = &event;
	fd = event.fd;
	event.fd = 1000;
	ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_FOREVER), -EBADF);
	ck_assert_int_eq(coil_check(), 0);
	event.fd = fd;
	ck_assert_int_eq(coil_event_close(&event), 0);
	ck_done(&all, -1);
	put_away(&all);
}

static int set_from_afar(void *event)
{
	return coil_event_set(event);
}

COIL_TEST(a_thread_sets_a_shared_event_and_a_select_hears_it)
{
	struct coil_event events[10] = {0};
	struct coil_case cases[10];
	struct selection selection = SELECTION(cases);

	if (support_skip_on("sim", "it needs another thread"))
		return;
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(coil_event_open(&events[i]), 0);
		cases[i] = (struct coil_case)COIL_SELECT_EVENT(&events[i]);
	}
	for (int i = 0; i < 10; i++) {
		struct coil_task *task;

		selection.which = 1000;
		task = begin_select(&selection);
		ck_assert_int_eq(coil_to_thread(set_from_afar, &events[i]), 0);
		ck_assert_int_eq(coil_await(task), i);
		ck_assert_int_eq(coil_event_clear(&events[i]), 0);
	}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(coil_event_close(&events[i]), 0);
}

COIL_TEST(a_shared_event_set_and_cleared_at_once_wakes_who_waits_as_a_plain_one_does)
{
	for (int which = EVENT; which <= SHARED; which++) {
		struct all all;
		struct selection selection = SELECTION(all.cases);
		struct coil_task *task;

		make_all(&all);
		task = begin_select(&selection);
		ck_assert_int_eq(coil_event_set(all.cases[which].event), 0);
		ck_assert_int_eq(coil_event_clear(all.cases[which].event), 0);
		ck_assert_int_eq(coil_await(task), which);
		ck_done(&all, which);
		put_away(&all);
	}
}

/* As soon as the select has parked: its stand-in waits already. */
COIL_TEST(a_shared_event_is_waited_for_from_the_first_moment)
{
	struct all all;
	struct selection selection = SELECTION(all.cases);
	struct coil_task *task;

	make_all(&all);
	task = start(do_select, &selection);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_event_set(&all.shared), 0);
	ck_assert_int_eq(coil_event_clear(&all.shared), 0);
	ck_assert_int_eq(coil_await(task), SHARED);
	put_away(&all);
}

static void put_by_call(void *arg)
{
	struct all *all = arg;

	ck_assert_int_eq(put_nowait(&all->empty, 12), 0);
}

/* To start one lets the loop run, if it is time for that, and with it calls. */
COIL_TEST(what_comes_while_a_stand_in_is_sent_is_seen)
{
	struct all all;

	make_all(&all);
	ck_assert_int_eq(coil_call_soon_threadsafe(coil_current_loop(), put_by_call, &all), 0);
	coil__loop->run.budget = 1;
	ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_SECOND), GET);
	ck_done(&all, GET);
	put_away(&all);
}

/* What falls due while the stand-ins are sent home is told to nobody. */
static int select_in_time(void *arg)
{
	struct coil_timeout outer = {0};
	int which;

	ck_assert_int_eq(coil_timeout_begin(&outer, ahead()), 0);
	which = do_select(arg);
	ck_assert_int_eq(coil_timeout_end(&outer), 0);
	return which;
}

COIL_TEST(a_case_that_came_with_the_deadline_is_all_that_is_told)
{
	struct all all;
	struct selection selection = SELECTION(all.cases);
	struct coil_task *task;

	make_all(&all);
	task = start(select_in_time, &selection);
	settle();
	let(&all, GET);
	burn(ahead());
	/* The loop looks at the time before the select runs. */
	coil__loop->run.budget = 1;
	ck_assert_int_eq(coil_await(task), GET);
	ck_done(&all, GET);
	put_away(&all);
}

static int select_shielded(void *arg)
{
	int which = 1000;

	COIL_SHIELD(COIL_SECOND)
		which = do_select(arg);
	return which;
}

static struct all left;
static struct selection left_selection = SELECTION(left.cases);

static int set_late(void *arg)
{
	COIL_SHIELD(COIL_SECOND) {
		ck_assert_int_eq(coil_sleep(MS), 0);
		ck_assert_int_eq(coil_event_set(&left.shared), 0);
		ck_assert_int_eq(coil_sleep(5 * MS), 0);
		put_away(&left);
	}
	return 0;
}

static int leave_a_select(void *arg)
{
	make_all(&left);
	/* That one is cancelled, and so ends. */
	left.cases[TASK] = (struct coil_case){0};
	coil_detach(start(select_shielded, &left_selection));
	coil_detach(start(set_late, NULL));
	settle();
	return 0;
}

/* Nobody else cancels the tasks that stand in for one that is shielded. */
START_TEST(a_select_that_is_shielded_hears_though_the_loop_is_ending)
{
	ck_assert_int_eq(coil_run(leave_a_select, NULL), 0);
	ck_assert_int_eq(left_selection.which, SHARED);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("select storm");
	TCase *tests = tcase_create("request");

	tcase_add_test(tests, after_the_limit_nothing_was_done);
	tcase_add_test(tests, with_limit_0_the_others_run_once_before_it_gives_up);
	tcase_add_test(tests, nothing_that_can_ever_come_is_waited_for_as_long_as_the_limit);
	tcase_add_test(tests, nothing_that_can_ever_come_for_ever_is_a_deadlock);
	tcase_add_test(tests, an_outer_deadline_is_told_to_its_own_scope);
	tcase_add_test(tests, its_own_limit_is_not_told_to_an_outer_scope);
	tcase_add_test(tests, a_request_that_is_pending_wins_though_a_case_is_ready);
	tcase_add_test(tests, a_cancel_that_comes_first_wins_and_nothing_was_done);
	tcase_add_test(tests, a_case_that_came_first_stands_though_a_cancel_followed);
	tcase_add_test(tests, cancelled_at_any_moment_it_loses_nothing);
	suite_add_tcase(whole, tests);
	tests = tcase_create("shared");
	tcase_add_test(tests, a_shared_event_whose_fd_is_no_good_ends_the_wait);
	tcase_add_test(tests, a_thread_sets_a_shared_event_and_a_select_hears_it);
	tcase_add_test(tests,
		a_shared_event_set_and_cleared_at_once_wakes_who_waits_as_a_plain_one_does);
	tcase_add_test(tests, a_shared_event_is_waited_for_from_the_first_moment);
	tcase_add_test(tests, what_comes_while_a_stand_in_is_sent_is_seen);
	tcase_add_test(tests, a_case_that_came_with_the_deadline_is_all_that_is_told);
	tcase_add_test(tests, a_select_that_is_shielded_hears_though_the_loop_is_ending);
	suite_add_tcase(whole, tests);
	return whole;
}
