/* SPDX-License-Identifier: MIT */
/*
 * Selects, cancelled at every point: see sweep.h.  An item is where it was, or where
 * the case that was chosen says; what the other cases speak of is as it was.
 */
#include "tests/sweep.h"
#include "tests/selects.h"
#include <coil.h>

enum { ITEMS = 4096 };

static struct {
	struct all all;
	int kind;		/* of the case that comes true, or how a queue ends */
	int which;		/* that was chosen; 1000: it did not come to that */
	int64_t ns;

	struct coil_queue queues[2];
	struct coil_task *rival;
	int put;		/* items, the numbers from 0 on */
	int got;
	bool seen[ITEMS];
	int helps;
	int turns;
} own;

static void begin(void)
{
	own.which = 1000;
	own.put = own.got = own.helps = own.turns = 0;
	memset(own.seen, 0, sizeof(own.seen));
}

/*
 * One of each kind, of which one comes true.
 */

static void begin_kinds(void)
{
	begin();
	make_all(&own.all);
}

static int run_kinds(void *arg)
{
	own.which = coil_select(own.all.cases, KINDS, own.ns);
	return own.which < 0 ? own.which : 0;
}

static void help_kinds(void)
{
	if (!own.helps++)
		let(&own.all, own.kind);
}

/* What the case did is done; and if it was not chosen, help() alone was there. */
static void end_kinds(int result)
{
	bool given = own.helps > 0, chosen = own.which == own.kind;
	struct all *all = &own.all;

	ok_or_cancelled(result);
	ck_assert(own.which == -ECANCELED || (given && chosen));
	ck_nobody_waits(all);
	ck_assert_int_eq(all->out, chosen && own.kind == GET ? 12 : 1);
	ck_assert_uint_eq(coil_queue_size(&all->empty), own.kind == GET && given && !chosen);
	if (own.kind != PUT || !given)
		ck_assert_int_eq(get_nowait(&all->full), 40);
	else
		ck_assert_int_eq(get_nowait(&all->full), chosen ? 41 : -EAGAIN);
	ck_assert_int_eq(coil_event_is_set(&all->plain), own.kind == EVENT && given);
	ck_assert_int_eq(coil_event_is_set(&all->shared), own.kind == SHARED && given);
	ck_assert_int_eq(coil_done(all->task), own.kind == TASK && given);
	if (chosen)
		ck_assert_int_eq(all->cases[own.kind].result, result_of(own.kind));
	ck_kept(all, chosen ? own.kind : -1);
	put_away(all);
}

COIL_TEST(of_one_case_of_each_kind_that_which_comes_true)
{
	static const struct sweep it = { begin_kinds, run_kinds, help_kinds, end_kinds };

	own.ns = COIL_FOREVER;
	for (own.kind = GET; own.kind < NEVER; own.kind++)
		sweep(&it);
	own.ns = 1000 * COIL_SECOND;
	for (own.kind = GET; own.kind < NEVER; own.kind++)
		sweep(&it);
}

/* More cases than fit on its stack, and each thing in two of them. */
static int run_many(void *arg)
{
	struct coil_case cases[2 * KINDS];

	memcpy(cases, own.all.cases, sizeof(own.all.cases));
	memcpy(cases + KINDS, own.all.cases, sizeof(own.all.cases));
	own.which = coil_select(cases, 2 * KINDS, COIL_FOREVER);
	if (own.which < 0)
		return own.which;
	own.all.cases[own.which % KINDS].result = cases[own.which].result;
	own.which %= KINDS;
	return 0;
}

COIL_TEST(each_thing_in_two_of_many_cases)
{
	static const struct sweep it = { begin_kinds, run_many, help_kinds, end_kinds };

	for (own.kind = GET; own.kind < NEVER; own.kind++)
		sweep(&it);
}

/* In a shield it comes to its end whatever happens. */
static int run_shielded(void *arg)
{
	COIL_SHIELD(COIL_FOREVER)
		own.which = coil_select(own.all.cases, KINDS, COIL_FOREVER);
	return coil_check();
}

static void end_shielded(int result)
{
	ck_assert_int_eq(own.which, own.kind);
	end_kinds(result);
}

COIL_TEST(a_select_in_a_shield)
{
	static const struct sweep it = { begin_kinds, run_shielded, help_kinds, end_shielded };

	for (own.kind = GET; own.kind < NEVER; own.kind++)
		sweep(&it);
}

/*
 * The limit, and what comes in the moment in which it falls due.
 */

static void help_limit(void)
{
	burn(MS);
	if (own.helps++ == 1)
		let(&own.all, own.kind);
}

static int run_limit(void *arg)
{
	int err;

	own.which = coil_select(own.all.cases, KINDS, MS);
	err = own.which < 0 ? own.which : 0;
	/* Its own limit is nobody else's business. */
	ck_assert(err != -ETIMEDOUT || coil_check() != -ETIMEDOUT);
	return err == -ETIMEDOUT ? 0 : err;
}

static void end_limit(int result)
{
	struct all *all = &own.all;
	bool given = own.helps > 1;

	ok_or_cancelled(result);
	ck_nobody_waits(all);
	if (own.which >= 0)
		ck_assert_int_eq(own.which, own.kind);
	if (own.kind == GET && given)
		ck_assert_uint_eq(coil_queue_size(&all->empty), own.which < 0);
	put_away(all);
}

COIL_TEST(a_limit_that_meets_what_is_waited_for)
{
	static const struct sweep it = { begin_kinds, run_limit, help_limit, end_limit };

	for (own.kind = GET; own.kind < NEVER; own.kind++)
		sweep(&it);
}

/*
 * A rival waits for the same two queues, and what one of them has got or put the
 * other has not.
 */

static void begin_queues(size_t maxsize)
{
	begin();
	for (int i = 0; i < 2; i++)
		make(&own.queues[i], FIFO, maxsize);
}

static void see(int item)
{
	ck_assert(item >= 0 && item < own.put && !own.seen[item]);
	own.seen[item] = true;
	own.got++;
}

static int get_from_either(void)
{
	int items[] = { -1, -1 }, which;
	struct coil_case cases[] = {
		COIL_SELECT_GET(&own.queues[0], &items[0]),
		COIL_SELECT_GET(&own.queues[1], &items[1]),
	};

	which = coil_select(cases, 2, COIL_FOREVER);
	ck_assert_int_eq(items[which != 1], -1);
	if (which < 0 || cases[which].result)
		ck_assert_int_eq(items[which == 1], -1);
	else
		see(items[which]);
	return which < 0 ? which : cases[which].result;
}

static int keep_getting(void *arg)
{
	int err;

	do {
		err = get_from_either();
	} while (!err);
	return err;
}

static void begin_getters(void)
{
	begin_queues(0);
	own.rival = start(keep_getting, NULL);
}

static int run_getter(void *arg)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = get_from_either();
	return err;
}

static void help_getter(void)
{
	if (own.put == ITEMS)
		return;
	ck_assert_int_eq(put_nowait(&own.queues[own.put / 2 % 2], own.put), 0);
	own.put++;
}

static void end_queues(int result)
{
	int item;

	ok_or_cancelled(result);
	coil_cancel(own.rival);
	ck_assert_int_eq(coil_await(own.rival), -ECANCELED);
	for (int i = 0; i < 2; i++) {
		ck_left(&own.queues[i]);
		while ((item = get_nowait(&own.queues[i])) >= 0)
			see(item);
		coil_queue_fini(&own.queues[i]);
	}
	ck_assert_int_eq(own.got, own.put);
}

COIL_TEST(two_who_get_from_the_same_two_queues)
{
	static const struct sweep it = { begin_getters, run_getter, help_getter, end_queues };

	sweep(&it);
}

/* An item has a number once it is in. */
static int put_into_either(void)
{
	struct coil_case cases[] = {
		COIL_SELECT_PUT(&own.queues[0], &own.put),
		COIL_SELECT_PUT(&own.queues[1], &own.put),
	};
	int which = coil_select(cases, 2, COIL_FOREVER);

	if (which < 0)
		return which;
	ck_assert_int_eq(cases[which].result, 0);
	own.put++;
	return 0;
}

/* The other's item may be in already, and then not known by its number. */
static int keep_putting(void *arg)
{
	int mine = 0, err = 0;

	while (!err) {
		struct coil_case cases[] = {
			COIL_SELECT_PUT(&own.queues[1], &mine),
			COIL_SELECT_PUT(&own.queues[0], &mine),
		};

		mine--;
		err = coil_select(cases, 2, COIL_FOREVER);
		err = err < 0 ? err : 0;
		own.helps += !err;
	}
	return err;
}

static void begin_putters(void)
{
	begin_queues(1);
	own.rival = start(keep_putting, NULL);
}

static int run_putter(void *arg)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = put_into_either();
	return err;
}

/* Ours count up from 0, the rival's down from -1; each comes out once. */
static void take(int item)
{
	if (item < 0)
		own.which++;
	else
		own.got++;
}

static void help_putter(void)
{
	int item;

	if (!coil_queue_get_nowait(&own.queues[own.turns++ % 2], &item))
		take(item);
}

static void end_putters(int result)
{
	int item;

	ok_or_cancelled(result);
	coil_cancel(own.rival);
	ck_assert_int_eq(coil_await(own.rival), -ECANCELED);
	for (int i = 0; i < 2; i++) {
		ck_left(&own.queues[i]);
		while (!coil_queue_get_nowait(&own.queues[i], &item))
			take(item);
		coil_queue_fini(&own.queues[i]);
	}
	ck_assert_int_eq(own.got, own.put);
	ck_assert_int_eq(own.which, 1000 + own.helps);
}

COIL_TEST(two_who_put_into_the_same_two_queues)
{
	static const struct sweep it = { begin_putters, run_putter, help_putter, end_putters };

	sweep(&it);
}

/*
 * A queue that ends while it is waited for.
 */

static void begin_shutdown(void)
{
	begin();
	own.which = 0;
	make(&own.queues[0], FIFO, 1);
	make(&own.queues[1], FIFO, 1);
	ck_assert_int_eq(put_nowait(&own.queues[1], 7), 0);
}

static int run_shutdown(void *arg)
{
	int got = -1, item = 9, which;
	struct coil_case cases[] = {
		COIL_SELECT_GET(&own.queues[0], &got),
		COIL_SELECT_PUT(&own.queues[1], &item),
	};

	which = coil_select(cases, 2, COIL_FOREVER);
	ck_assert_int_eq(got, -1);
	if (which < 0)
		return which;
	ck_assert_int_eq(which, own.kind % 2);
	ck_assert_int_eq(cases[which].result, -ESHUTDOWN);
	return 0;
}

static void help_shutdown(void)
{
	ck_assert_int_eq(coil_queue_shutdown(&own.queues[own.kind % 2], own.kind > 1), 0);
}

static void end_shutdown(int result)
{
	ok_or_cancelled(result);
	for (int i = 0; i < 2; i++)
		ck_left(&own.queues[i]);
	if (own.kind != 3)
		ck_assert_int_eq(get_nowait(&own.queues[1]), 7);
	ck_assert_int_lt(get_nowait(&own.queues[1]), 0);
	coil_queue_fini(&own.queues[0]);
	coil_queue_fini(&own.queues[1]);
}

COIL_TEST(a_queue_that_is_shut_down_meanwhile)
{
	static const struct sweep it = {
		begin_shutdown, run_shutdown, help_shutdown, end_shutdown,
	};

	for (own.kind = 0; own.kind < 4; own.kind++)
		sweep(&it);
}

Suite *suite(void)
{
	Suite *whole = suite_create("sweep select");
	TCase *tests = tcase_create("sweep select");

	tcase_add_test(tests, of_one_case_of_each_kind_that_which_comes_true);
	tcase_add_test(tests, each_thing_in_two_of_many_cases);
	tcase_add_test(tests, a_select_in_a_shield);
	tcase_add_test(tests, a_limit_that_meets_what_is_waited_for);
	tcase_add_test(tests, two_who_get_from_the_same_two_queues);
	tcase_add_test(tests, two_who_put_into_the_same_two_queues);
	tcase_add_test(tests, a_queue_that_is_shut_down_meanwhile);
	suite_add_tcase(whole, tests);
	return whole;
}
