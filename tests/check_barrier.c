/* SPDX-License-Identifier: MIT */
#include "tests/sync.h"
#include <coil/barrier.h>

struct party {
	struct coil_barrier *barrier;
	const char *name;
	int result;	/* -1: it has not come back */
};

#define PARTY(b, n) { .barrier = (b), .name = (n), .result = -1 }

static int come(void *arg)
{
	struct party *party = arg;

	party->result = coil_barrier_wait(party->barrier);
	if (party->result < 0)
		trace("%s!", party->name);
	else
		trace("%s%d", party->name, party->result);
	return party->result;
}

static int wait_barrier(void *barrier)
{
	return coil_barrier_wait(barrier);
}

static void is_fresh(const struct coil_barrier *barrier)
{
	ck_assert_int_eq(coil_barrier_n_waiting(barrier), 0);
	ck_assert(!coil_barrier_broken(barrier));
	ck_assert_int_eq(barrier->leaving, 0);
	ck_assert(!barrier->failing);
	ck_assert_ptr_null(barrier->waiting.head);
	ck_assert_ptr_null(barrier->waiting.tail);
}

/* Starts n tasks that come, with names from "a" on. */
static void bring(struct coil_barrier *barrier, int n, struct party parties[],
		  struct coil_task *tasks[])
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	for (int i = 0; i < n; i++) {
		parties[i] = (struct party)PARTY(barrier, names[i]);
		tasks[i] = start(come, &parties[i]);
	}
}

static void await_all(struct coil_task *tasks[], int n)
{
	int results[8];

	ck_assert_int_eq(coil_gather(tasks, (size_t)n, results), 0);
}

COIL_TEST(barrier_001_no_parties_are_refused_and_five_start_empty)
{
	struct coil_barrier none = COIL_BARRIER(0), less = COIL_BARRIER(-4);
	struct coil_barrier five = COIL_BARRIER(5), zeroed = {0};

	ck_assert_int_eq(coil_barrier_wait(&none), -EINVAL);
	ck_assert_int_eq(coil_barrier_wait(&less), -EINVAL);
	ck_assert_int_eq(coil_barrier_wait(&zeroed), -EINVAL);
	ck_assert_int_eq(five.parties, 5);
	is_fresh(&five);
}

COIL_TEST(barrier_002_the_last_to_come_releases_all_with_numbers_of_their_own)
{
	struct coil_barrier barrier = COIL_BARRIER(3);
	struct party parties[3];
	struct coil_task *tasks[3];

	bring(&barrier, 1, parties, tasks);
	settle();
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 1);
	bring(&barrier, 1, parties + 1, tasks + 1);
	settle();
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 2);
	bring(&barrier, 1, parties + 2, tasks + 2);
	await_all(tasks, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(parties[i].result, i);
	is_fresh(&barrier);
}

COIL_TEST(a_barrier_for_one_never_parks)
{
	struct coil_barrier barrier = COIL_BARRIER(1);
	bool ran = false;
	struct coil_task *other = start(note_run, &ran);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_barrier_wait(&barrier), 0);
	ck_assert(!ran);
	is_fresh(&barrier);
	ck_assert_int_eq(coil_await(other), 0);
}

struct walker {
	struct coil_barrier *barrier;
	int *passed;	/* in each round */
};

static int walk(void *arg)
{
	struct walker *walker = arg;

	for (int round = 0; round < 2; round++) {
		ck_assert_int_ge(coil_barrier_wait(walker->barrier), 0);
		if (round)
			ck_assert_int_eq(walker->passed[0], 5);
		walker->passed[round]++;
	}
	return 0;
}

COIL_TEST(barrier_004_all_pass_round_one_before_any_passes_round_two)
{
	struct coil_barrier barrier = COIL_BARRIER(5);
	int rounds[2] = { 0, 0 };
	struct walker walker = { &barrier, rounds };
	struct coil_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = start(walk, &walker);
	ck_assert_int_eq(coil_gather(tasks, 5, NULL), 0);
	ck_assert_int_eq(rounds[1], 5);
	is_fresh(&barrier);
}

COIL_TEST(barrier_005_fast_ones_wait_until_the_last_of_the_old_round_has_left)
{
	struct coil_barrier barrier = COIL_BARRIER(3);
	struct party parties[2], late[2];
	struct coil_task *tasks[2], *later[2];

	bring(&barrier, 2, parties, tasks);
	settle();
	/* They run before a and b, and are with main enough for a round. */
	bring(&barrier, 2, late, later);
	ck_assert_int_eq(coil_barrier_wait(&barrier), 2);
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 0);
	ck_assert_int_eq(barrier.leaving, 2);
	ck_assert_int_eq(coil_barrier_wait(&barrier), 0);
	traced("a0 b1");
	await_all(later, 2);
	traced("a1 b2");
	await_all(tasks, 2);
	is_fresh(&barrier);
}

static int reset(void *arg)
{
	struct party *party = arg;
	int result = come(arg);

	ck_assert_int_eq(coil_barrier_reset(party->barrier), 0);
	return result;
}

COIL_TEST(barrier_008_a_reset_fails_those_inside_and_spares_those_queued)
{
	struct coil_barrier barrier = COIL_BARRIER(5);
	struct party parties[4], more[3];
	struct coil_task *tasks[4], *others[3];

	bring(&barrier, 1, parties, tasks);
	parties[1] = (struct party)PARTY(&barrier, "r");
	tasks[1] = start(reset, &parties[1]);
	bring(&barrier, 2, parties + 2, tasks + 2);
	settle();
	ck_assert_int_eq(coil_barrier_wait(&barrier), 4);
	/* Queued before the second of the four to leave resets it. */
	bring(&barrier, 3, more, others);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_barrier_wait(&barrier), -ETIMEDOUT);
	traced("a0 r1 a! b!");
	ck_assert(!coil_barrier_broken(&barrier));
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 3);
	await_all(tasks, 4);
	bring(&barrier, 1, parties, tasks);
	ck_assert_int_eq(coil_barrier_wait(&barrier), 3);
	await_all(tasks, 1);
	await_all(others, 3);
	traced("a4 a0 b1 c2");
	is_fresh(&barrier);
}

COIL_TEST(after_a_reset_newcomers_wait_for_those_inside_to_leave)
{
	struct coil_barrier barrier = COIL_BARRIER(3);
	struct party parties[2], more[2];
	struct coil_task *tasks[2], *others[2];

	bring(&barrier, 2, parties, tasks);
	settle();
	bring(&barrier, 2, more, others);
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	ck_assert_int_eq(coil_barrier_wait(&barrier), 0);
	await_all(others, 2);
	await_all(tasks, 2);
	traced("a! b! a1 b2");
	ck_assert_int_eq(parties[0].result, -ENOTRECOVERABLE);
	is_fresh(&barrier);
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	is_fresh(&barrier);
}

COIL_TEST(barrier_009_abort_fails_all_who_are_there_or_come_until_a_reset)
{
	struct coil_barrier barrier = COIL_BARRIER(4);
	struct party parties[3], more[2];
	struct coil_task *tasks[3], *others[2];

	bring(&barrier, 3, parties, tasks);
	settle();
	ck_assert_int_eq(coil_barrier_wait(&barrier), 3);
	/* Three are on their way out; two are queued; then it breaks. */
	bring(&barrier, 2, more, others);
	ck_assert_int_eq(coil_barrier_abort(&barrier), 0);
	ck_assert(coil_barrier_broken(&barrier));
	ck_assert_int_eq(coil_barrier_wait(&barrier), -ENOTRECOVERABLE);
	await_all(tasks, 3);
	await_all(others, 2);
	traced("a! b! c! a! b!");
	ck_assert_int_eq(coil_barrier_wait(&barrier), -ENOTRECOVERABLE);
	ck_assert(coil_barrier_broken(&barrier));
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	is_fresh(&barrier);
}

COIL_TEST(an_abort_reaches_those_who_are_parked_inside_and_in_the_queue)
{
	struct coil_barrier barrier = COIL_BARRIER(2);
	struct party inside, queued[2];
	struct coil_task *task, *tasks[2];

	bring(&barrier, 1, &inside, &task);
	settle();
	ck_assert_int_eq(coil_barrier_abort(&barrier), 0);
	await_all(&task, 1);
	traced("a!");
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	/* One leaves, two queue up behind it: the abort comes before it has left. */
	bring(&barrier, 1, &inside, &task);
	settle();
	ck_assert_int_eq(coil_barrier_wait(&barrier), 1);
	barrier.leaving++;
	bring(&barrier, 2, queued, tasks);
	settle();
	traced("a0");
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 0);
	ck_assert_int_eq(coil_barrier_abort(&barrier), 0);
	barrier.leaving--;
	await_all(tasks, 2);
	traced("a! b!");
	await_all(&task, 1);
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	is_fresh(&barrier);
}

static int recover(void *arg)
{
	struct coil_barrier *barriers = arg;
	int result = coil_barrier_wait(&barriers[0]);

	ck_assert_int_eq(result, -ENOTRECOVERABLE);
	result = coil_barrier_wait(&barriers[1]);
	ck_assert_int_ge(result, 0);
	if (!result)
		ck_assert_int_eq(coil_barrier_reset(&barriers[0]), 0);
	ck_assert_int_ge(coil_barrier_wait(&barriers[1]), 0);
	return coil_barrier_wait(&barriers[0]);
}

COIL_TEST(barrier_010_after_a_reset_with_nobody_inside_all_pass_again)
{
	struct coil_barrier barriers[2] = { COIL_BARRIER(5), COIL_BARRIER(5) };
	struct coil_task *tasks[5];
	int results[5], sum = 0;

	ck_assert_int_eq(coil_barrier_abort(&barriers[0]), 0);
	for (int i = 0; i < 5; i++)
		tasks[i] = start(recover, barriers);
	ck_assert_int_eq(coil_gather(tasks, 5, results), 0);
	for (int i = 0; i < 5; i++)
		sum += 1 << results[i];
	ck_assert_int_eq(sum, 31);
	is_fresh(&barriers[0]);
	is_fresh(&barriers[1]);
}

COIL_TEST(a_cancelled_party_does_not_count_from_the_cancel_on)
{
	struct coil_barrier barrier = COIL_BARRIER(3);
	struct party parties[2], last;
	struct coil_task *tasks[2], *task;

	bring(&barrier, 2, parties, tasks);
	settle();
	ck_assert(coil_cancel(tasks[0]));
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 1);
	/* The third to come, before the cancelled one has run. */
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_barrier_wait(&barrier), -ETIMEDOUT);
	traced("a!");
	ck_assert_int_eq(coil_barrier_n_waiting(&barrier), 1);
	bring(&barrier, 1, &last, &task);
	ck_assert_int_eq(coil_barrier_wait(&barrier), 1);
	await_all(&task, 1);
	await_all(tasks, 2);
	traced("a2 b0");
	is_fresh(&barrier);
}

COIL_TEST(a_party_cancelled_after_the_release_has_passed)
{
	struct coil_barrier barrier = COIL_BARRIER(2);
	struct party party;
	struct coil_task *task;

	bring(&barrier, 1, &party, &task);
	settle();
	ck_assert_int_eq(coil_barrier_wait(&barrier), 1);
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), 0);
	traced("a0");
	is_fresh(&barrier);
}

COIL_TEST(a_pending_request_wins_though_the_barrier_would_open_or_is_broken)
{
	struct coil_barrier barrier = COIL_BARRIER(1);

	refuses(wait_barrier, &barrier);
	is_fresh(&barrier);
	ck_assert_int_eq(coil_barrier_abort(&barrier), 0);
	refuses(wait_barrier, &barrier);
}

START_TEST(off_a_task_only_a_wait_is_eperm)
{
	struct coil_barrier barrier = COIL_BARRIER(1);

	ck_assert_int_eq(coil_barrier_wait(&barrier), -EPERM);
	is_fresh(&barrier);
	ck_assert_int_eq(coil_barrier_abort(&barrier), 0);
	ck_assert_int_eq(coil_barrier_reset(&barrier), 0);
	is_fresh(&barrier);
}
END_TEST

COIL_TEST(tasks_of_two_loops_cannot_meet_at_one_barrier)
{
	struct coil_barrier barrier = COIL_BARRIER(2);
	struct abroad abroad;

	abroad_begin(&abroad, wait_barrier, &barrier);
	ck_assert_int_eq(coil_barrier_wait(&barrier), -EXDEV);
	barrier.parties = 3;
	ck_assert_int_eq(coil_barrier_wait(&barrier), -EXDEV);
	ck_assert_int_eq(coil_barrier_reset(&barrier), -EXDEV);
	ck_assert_int_eq(coil_barrier_abort(&barrier), -EXDEV);
	ck_assert(!coil_barrier_broken(&barrier));
	ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	is_fresh(&barrier);
}

/*
 * At random: each round hands out each number once.
 */

enum { PARTIES = 4, CROWD = 11, STEPS = 3000 };

struct crowd {
	struct coil_barrier barrier;
	uint64_t state;
	int given[PARTIES];
	int failed;
};

static int pass_often(void *arg)
{
	struct crowd *crowd = arg;

	for (;;) {
		int result = 0;

		COIL_TIMEOUT(roll(&crowd->state, 3) ? COIL_FOREVER : COIL_MICROSECOND)
			result = coil_barrier_wait(&crowd->barrier);
		if (result >= 0)
			crowd->given[result]++;
		else if (result == -ENOTRECOVERABLE)
			crowd->failed++;
		else if (result != -ETIMEDOUT)
			return result;
		if (roll(&crowd->state, 2) && (result = coil_yield()))
			return result;
	}
}

COIL_TEST(at_random_each_round_hands_out_each_number_once)
{
	struct crowd crowd = { .barrier = COIL_BARRIER(PARTIES), .state = roll_begin() };
	struct coil_task *tasks[CROWD];

	for (int i = 0; i < CROWD; i++)
		tasks[i] = start(pass_often, &crowd);
	for (int step = 0; step < STEPS; step++) {
		int victim = (int)roll(&crowd.state, CROWD);

		ck_assert_int_eq(coil_yield(), 0);
		if (roll(&crowd.state, 4) == 0) {
			coil_cancel(tasks[victim]);
			ck_assert_int_eq(coil_await(tasks[victim]), -ECANCELED);
			tasks[victim] = start(pass_often, &crowd);
		}
	}
	for (int i = 0; i < CROWD; i++) {
		coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	}
	ck_assert_int_gt(crowd.given[0], STEPS / 100);
	for (int i = 1; i < PARTIES; i++)
		ck_assert_int_eq(crowd.given[i], crowd.given[0]);
	ck_assert_int_eq(crowd.failed, 0);
	is_fresh(&crowd.barrier);
}

Suite *suite(void)
{
	Suite *whole = suite_create("barrier");
	TCase *tests = tcase_create("barrier");

	tcase_add_test(tests, barrier_001_no_parties_are_refused_and_five_start_empty);
	tcase_add_test(tests, barrier_002_the_last_to_come_releases_all_with_numbers_of_their_own);
	tcase_add_test(tests, a_barrier_for_one_never_parks);
	tcase_add_test(tests, barrier_004_all_pass_round_one_before_any_passes_round_two);
	tcase_add_test(tests, barrier_005_fast_ones_wait_until_the_last_of_the_old_round_has_left);
	tcase_add_test(tests, barrier_008_a_reset_fails_those_inside_and_spares_those_queued);
	tcase_add_test(tests, after_a_reset_newcomers_wait_for_those_inside_to_leave);
	tcase_add_test(tests, barrier_009_abort_fails_all_who_are_there_or_come_until_a_reset);
	tcase_add_test(tests, an_abort_reaches_those_who_are_parked_inside_and_in_the_queue);
	tcase_add_test(tests, barrier_010_after_a_reset_with_nobody_inside_all_pass_again);
	tcase_add_test(tests, a_cancelled_party_does_not_count_from_the_cancel_on);
	tcase_add_test(tests, a_party_cancelled_after_the_release_has_passed);
	tcase_add_test(tests, a_pending_request_wins_though_the_barrier_would_open_or_is_broken);
	tcase_add_test(tests, off_a_task_only_a_wait_is_eperm);
	tcase_add_test(tests, tasks_of_two_loops_cannot_meet_at_one_barrier);
	tcase_add_test(tests, at_random_each_round_hands_out_each_number_once);
	suite_add_tcase(whole, tests);
	return whole;
}
