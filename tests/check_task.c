/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include <coil/group.h>
#include <coil/waitq.h>
#include <pthread.h>
#include <semaphore.h>

/*
 * Results.
 */

static int inner(int value)
{
	ck_assert_int_eq(coil_yield(), 0);
	return value;
}

static int sum(void *arg)
{
	return inner(42) + inner(1000);
}

COIL_TEST(task_001_a_result_is_the_sum_of_two_helpers)
{
	struct coil_task *task = start(sum, NULL);
	int result = 0;

	ck_assert_int_eq(coil_join(task, &result), 0);
	ck_assert_int_eq(result, 1042);
}

COIL_TEST(task_006_a_failure_is_readable_before_it_is_awaited)
{
	struct coil_task *task = start(give, INT(-EIO));

	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_result(task), -EINPROGRESS);
	settle();
	ck_assert(coil_done(task));
	ck_assert(!coil_cancelled(task));
	ck_assert_int_eq(coil_result(task), -EIO);
	ck_assert_int_eq(coil_result(task), -EIO);
	ck_assert_int_eq(coil_await(task), -EIO);
}

COIL_TEST(join_tells_a_failure_of_its_own_from_that_of_the_task)
{
	struct coil_task *task = start(give, INT(-EDEADLK));
	int result = 1;

	ck_assert_int_eq(coil_join(NULL, &result), -ENOMEM);
	ck_assert_int_eq(coil_join(coil_current_task(), &result), -EDEADLK);
	ck_assert_int_eq(result, 1);
	ck_assert_int_eq(coil_join(task, &result), 0);
	ck_assert_int_eq(result, -EDEADLK);
	ck_assert_int_eq(coil_join(start(give, INT(3)), NULL), 0);
}

COIL_TEST(a_handle_that_could_not_be_made_is_enomem)
{
	struct coil_task *none[1] = { NULL };
	int results[1] = { 0 };
	size_t done = 0;

	ck_assert_int_eq(coil_await(NULL), -ENOMEM);
	ck_assert_int_eq(coil_shield(NULL), -ENOMEM);
	ck_assert_int_eq(coil_wait_for(NULL, COIL_SECOND), -ENOMEM);
	ck_assert_int_eq(coil_gather(none, 1, NULL), -ENOMEM);
	ck_assert_int_eq(coil_gather(none, 1, results), 0);
	ck_assert_int_eq(results[0], -ENOMEM);
	ck_assert_int_eq(coil_wait(none, 1, COIL_ALL_COMPLETED, 0), -ENOMEM);
	ck_assert_int_eq(coil_as_completed(none, 1, &done), -ENOMEM);
	ck_assert_int_eq(coil_result(NULL), -ENOMEM);
	ck_assert(!coil_cancel(NULL));
	coil_detach(NULL);
}

/*
 * Birth and order.
 */

static int say(void *arg)
{
	trace("%s", (const char *)arg);
	return 0;
}

COIL_TEST(task_002_a_new_task_is_queued_and_not_run)
{
	struct coil_task *a = start(say, "a"), *b = start(say, "b");

	trace("main");
	ck_assert_int_eq(coil_yield(), 0);
	trace("main");
	traced("main a b main");
	ck_assert_int_eq(coil_await(b), 0);
	ck_assert_int_eq(coil_await(a), 0);
}

static int say_twice(void *arg)
{
	trace("%s1", (const char *)arg);
	ck_assert_int_eq(coil_yield(), 0);
	trace("%s2", (const char *)arg);
	return 0;
}

COIL_TEST(ready_tasks_run_in_the_order_in_which_they_became_ready)
{
	struct coil_task *tasks[] = {
		start(say_twice, "a"),
		start(say_twice, "b"),
		start(say_twice, "c"),
	};

	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("a1 b1 c1 a2 b2 c2");
}

COIL_TEST(task_014_a_null_fn_is_einval)
{
	struct coil_group group = {0};

	for (int i = 0; i < 2; i++) {
		errno = 0;
		ck_assert_ptr_null(coil_create_task(NULL, NULL));
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
		ck_assert_int_eq(coil_group_create_task(&group, NULL, NULL),
				 -EINVAL);
	}
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

COIL_TEST(options_that_make_no_sense_are_einval)
{
	struct coil_task_options reserved = { .reserved = { 0, 0, 0, 1 } };
	struct coil_task_options tiny = { .stack_size = 1 };

	errno = 0;
	ck_assert_ptr_null(coil_create_task_with(&reserved, give, NULL));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(coil_create_task_with(&tiny, give, NULL));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

/* rows: TASK-014 TASK-016 */
START_TEST(task_016_off_a_loop_every_call_is_eperm)
{
	struct coil_group group = {0};
	struct coil_waitq waitq = {0};
	struct coil_future future = {0};
	struct coil_task *tasks[1] = { NULL };
	size_t done = 0;
	int result = 7;

	ck_assert_int_eq(coil_run(NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil_run(give, INT(3)), 3);
	for (int i = 0; i < 2; i++) {
		errno = 0;
		ck_assert_ptr_null(coil_create_task(give, NULL));
		ck_assert_int_eq(errno, EPERM);
	}
	ck_assert_int_eq(coil_sleep(COIL_SECOND), -EPERM);
	ck_assert_int_eq(coil_sleep_until(0), -EPERM);
	ck_assert_int_eq(coil_yield(), -EPERM);
	ck_assert_int_eq(coil_check(), -EPERM);
	ck_assert(!coil_cancel_requested());
	ck_assert_int_eq(coil_await(NULL), -EPERM);
	ck_assert_int_eq(coil_join(NULL, &result), -EPERM);
	ck_assert_int_eq(result, 7);
	ck_assert_int_eq(coil_shield(NULL), -EPERM);
	ck_assert_int_eq(coil_wait_for(NULL, 1), -EPERM);
	ck_assert_int_eq(coil_gather(tasks, 1, NULL), -EPERM);
	ck_assert_int_eq(coil_wait(tasks, 1, COIL_ALL_COMPLETED, 1), -EPERM);
	ck_assert_int_eq(coil_as_completed(tasks, 1, &done), -EPERM);
	ck_assert_int_eq(coil_waitq_park(&waitq), -EPERM);
	ck_assert_int_eq(coil_future_wait(&future), -EPERM);
	ck_assert_int_eq(coil_group_create_task(&group, give, NULL), -EPERM);
	ck_assert_int_eq(coil_group_wait(&group), -EPERM);
	ck_assert(!coil_cancel(NULL));
	ck_assert_uint_eq(coil_all_tasks(tasks, 1), 0);
	coil_detach(NULL);
	coil_set_error_handler(note_error, NULL);
}
END_TEST

/*
 * Who consumes a handle.
 */

COIL_TEST(task_004_a_task_that_awaits_itself_is_told_and_goes_on)
{
	struct coil_task *self = coil_current_task();
	struct coil_task *tasks[] = { start(give, INT(1)), self };
	int results[2] = { 5, 5 };
	size_t done = 0;

	ck_assert_int_eq(coil_await(self), -EDEADLK);
	ck_assert_int_eq(coil_shield(self), -EDEADLK);
	ck_assert_int_eq(coil_wait_for(self, COIL_SECOND), -EDEADLK);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -EDEADLK);
	ck_assert_int_eq(coil_gather(tasks, 2, results), -EDEADLK);
	ck_assert_int_eq(results[0], 5);
	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, COIL_SECOND),
			 -EDEADLK);
	ck_assert_int_eq(coil_as_completed(tasks, 2, &done), -EDEADLK);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(coil_check(), 0);
	/* Misuse consumed nothing. */
	ck_assert_int_eq(coil_await(tasks[0]), 1);
}

static int await(void *arg)
{
	return coil_await(arg);
}

COIL_TEST(a_handle_that_another_consumes_is_ebusy)
{
	struct hold own = {0};
	struct coil_task *task = start(hold, &own);
	struct coil_task *waiter = start(await, task);
	size_t done = 0;

	settle();
	ck_assert_int_eq(coil_await(task), -EBUSY);
	ck_assert_int_eq(coil_join(task, NULL), -EBUSY);
	ck_assert_int_eq(coil_shield(task), -EBUSY);
	ck_assert_int_eq(coil_wait_for(task, 1), -EBUSY);
	ck_assert_int_eq(coil_gather(&task, 1, NULL), -EBUSY);
	coil_detach(task);
	/* Looking is free. */
	ck_assert_int_eq(coil_wait(&task, 1, COIL_ALL_COMPLETED, 0), 0);
	ck_assert_int_eq(coil_future_set(&own.future, 9), 0);
	ck_assert_int_eq(coil_as_completed(&task, 1, &done), 0);
	ck_assert_int_eq(coil_await(waiter), 9);
}

/* A loop of another thread that stands still while its tasks are meddled with. */
struct abroad {
	pthread_t thread;
	sem_t there;
	sem_t go_on;
	struct coil_task *task;
	struct coil_waitq waitq;
	struct coil_future future;
	int parked;
	int waited;
};

static int park_abroad(void *arg)
{
	struct abroad *abroad = arg;

	abroad->parked = coil_waitq_park(&abroad->waitq);
	return abroad->parked;
}

static int wait_abroad(void *arg)
{
	struct abroad *abroad = arg;

	abroad->waited = coil_future_wait(&abroad->future);
	return 0;
}

static int main_abroad(void *arg)
{
	struct abroad *abroad = arg;
	struct coil_task *other = start(wait_abroad, abroad);

	abroad->task = start(park_abroad, abroad);
	settle();
	sem_post(&abroad->there);
	sem_wait(&abroad->go_on);
	ck_assert(!coil_done(abroad->task));
	ck_assert_ptr_eq(coil_waitq_unpark(&abroad->waitq), abroad->task);
	ck_assert_int_eq(coil_future_set(&abroad->future, 12), 0);
	ck_assert_int_eq(coil_await(other), 0);
	return coil_await(abroad->task);
}

static void *run_abroad(void *arg)
{
	return INT(coil_run(main_abroad, arg));
}

COIL_TEST(task_005_what_belongs_to_another_loop_is_exdev)
{
	struct abroad abroad = {0};
	struct coil_task *tasks[2] = { start(give, INT(1)), NULL };
	size_t done = 0;
	void *result;

	sem_init(&abroad.there, 0, 0);
	sem_init(&abroad.go_on, 0, 0);
	ck_assert_int_eq(
		pthread_create(&abroad.thread, NULL, run_abroad, &abroad), 0);
	sem_wait(&abroad.there);
	tasks[1] = abroad.task;
	ck_assert_int_eq(coil_await(abroad.task), -EXDEV);
	ck_assert_int_eq(coil_join(abroad.task, NULL), -EXDEV);
	ck_assert_int_eq(coil_shield(abroad.task), -EXDEV);
	ck_assert_int_eq(coil_wait_for(abroad.task, 1), -EXDEV);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), -EXDEV);
	ck_assert_int_eq(coil_wait(tasks, 2, COIL_ALL_COMPLETED, 0), -EXDEV);
	ck_assert_int_eq(coil_as_completed(tasks, 2, &done), -EXDEV);
	ck_assert_int_eq(coil_waitq_park(&abroad.waitq), -EXDEV);
	ck_assert_int_eq(coil_waitq_park_shielded(&abroad.waitq, NULL, "test"),
			 -EXDEV);
	ck_assert_int_eq(coil_future_wait(&abroad.future), -EXDEV);
	errno = 0;
	ck_assert_ptr_null(coil_waitq_unpark(&abroad.waitq));
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(coil_waitq_unpark_all(&abroad.waitq), 0);
	ck_assert(!coil_cancel(abroad.task));
	coil_detach(abroad.task);
	sem_post(&abroad.go_on);
	ck_assert_int_eq(pthread_join(abroad.thread, &result), 0);
	ck_assert_ptr_eq(result, NULL);
	ck_assert_int_eq(abroad.parked, 0);
	ck_assert_int_eq(abroad.waited, 12);
	ck_assert_int_eq(coil_await(tasks[0]), 1);
}

/*
 * Failures that nobody awaited.
 */

static int fail_later(void *arg)
{
	int err = coil_yield();

	return err ? err : (int)(intptr_t)arg;
}

COIL_TEST(task_007_a_failure_that_nobody_read_is_reported_once)
{
	const struct coil_task_options named = { .name = "hapless" };
	struct coil_task *task;

	coil_set_error_handler(note_error, NULL);
	coil_detach(coil_create_task_with(&named, fail_later, INT(-EIO)));
	ck_assert_int_eq(told.calls, 0);
	settle();
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
	ck_assert_str_eq(told.name, "hapless");
	/* The same if it had ended before. */
	task = coil_create_task_with(&named, fail_later, INT(-EPIPE));
	settle();
	ck_assert_int_eq(told.calls, 1);
	coil_detach(task);
	ck_assert_int_eq(told.calls, 2);
	ck_assert_int_eq(told.error, -EPIPE);
}

COIL_TEST(neither_success_nor_a_cancel_is_reported)
{
	struct coil_task *task;
	struct nap asleep = { .ns = COIL_SECOND };

	coil_set_error_handler(note_error, NULL);
	coil_detach(start(give, INT(4)));
	coil_detach(start(fail_later, INT(-ECANCELED)));
	task = start(nap, &asleep);
	settle();
	coil_cancel(task);
	coil_detach(task);
	settle();
	ck_assert(asleep.ended);
	ck_assert_int_eq(coil_await(start(give, INT(-EIO))), -EIO);
	ck_assert_int_eq(told.calls, 0);
}

static int leave_failures(void *arg)
{
	const struct coil_task_options named = { .name = "forgotten" };
	struct coil_task *read, *unread;

	coil_set_error_handler(note_error, NULL);
	unread = coil_create_task_with(&named, give, INT(-EIO));
	read = start(give, INT(-EPIPE));
	settle();
	ck_assert_int_eq(coil_result(read), -EPIPE);
	ck_assert(coil_done(unread));
	ck_assert_int_eq(told.calls, 0);
	return 0;
}

START_TEST(task_007_a_handle_left_behind_is_reported_when_the_run_ends)
{
	ck_assert_int_eq(coil_run(leave_failures, NULL), 0);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.error, -EIO);
	ck_assert_str_eq(told.name, "forgotten");
}
END_TEST

static int fail_unheard(void *arg)
{
	const struct coil_task_options named = { .name = "loud" };

	coil_set_error_handler(note_error, NULL);
	coil_set_error_handler(NULL, NULL);
	coil_detach(coil_create_task_with(&named, give, INT(-EIO)));
	settle();
	return told.calls;
}

START_TEST(task_007_without_a_handler_one_line_goes_to_stderr)
{
	char said[4096];
	int status = in_child(run_in_child, (void *)fail_unheard, said,
			      sizeof(said));

	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(said, "loud"));
	ck_assert_ptr_nonnull(strstr(said, strerror(EIO)));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}
END_TEST

/*
 * Names, and who there is.
 */

static unsigned long number_of(const struct coil_task *task)
{
	unsigned long number;
	char rest;

	ck_assert_int_eq(
		sscanf(coil_task_name(task), "task-%lu%c", &number, &rest), 1);
	return number;
}

COIL_TEST(task_009_names_are_copied_and_numbers_grow)
{
	char name[] = "No-op";
	struct coil_task_options options = { .name = name };
	struct coil_group group = {0};
	struct coil_task *first, *second, *third, *fourth;

	first = start(give, NULL);
	third = coil_create_task_with(&options, give, NULL);
	ck_assert_int_eq(coil_group_create_task_with(&group, &options, give,
						     NULL, &fourth),
			 0);
	second = start(give, NULL);
	memset(name, 'x', sizeof(name) - 1);
	ck_assert_uint_lt(number_of(first), number_of(second));
	ck_assert_str_eq(coil_task_name(third), "No-op");
	ck_assert_str_eq(coil_task_name(fourth), "No-op");
	ck_assert_int_eq(coil_await(first), 0);
	ck_assert_int_eq(coil_await(second), 0);
	ck_assert_int_eq(coil_await(third), 0);
	ck_assert_int_eq(coil_await(fourth), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

COIL_TEST(a_name_can_be_set_at_any_time)
{
	struct coil_task *task = start(give, NULL);

	ck_assert_int_eq(coil_task_set_name(task, "worker %d of %d", 3, 7), 0);
	ck_assert_str_eq(coil_task_name(task), "worker 3 of 7");
	settle();
	ck_assert_int_eq(coil_task_set_name(task, "%s", "late"), 0);
	ck_assert_str_eq(coil_task_name(task), "late");
	ck_assert_int_eq(coil_task_set_name(NULL, "x"), -EINVAL);
	ck_assert_int_eq(coil_task_set_name(task, NULL), -EINVAL);
	ck_assert_str_eq(coil_task_name(task), "late");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_ptr_nonnull(coil_task_name(NULL));
}

COIL_TEST(all_tasks_are_counted_and_as_many_listed_as_there_is_room_for)
{
	struct coil_task *tasks[] = { start(give, NULL), start(give, NULL) };
	struct coil_task *seen[4] = { NULL, NULL, NULL, NULL };
	bool main_seen = false;

	ck_assert_uint_eq(coil_all_tasks(seen, 2), 3);
	ck_assert_ptr_null(seen[2]);
	ck_assert_uint_eq(coil_all_tasks(seen, 4), 3);
	ck_assert_ptr_null(seen[3]);
	for (int i = 0; i < 3; i++)
		main_seen |= seen[i] == coil_current_task();
	ck_assert(main_seen);
	settle();
	ck_assert_uint_eq(coil_all_tasks(seen, 4), 1);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("task");
	TCase *tests = tcase_create("task");

	tcase_add_test(tests, task_001_a_result_is_the_sum_of_two_helpers);
	tcase_add_test(tests,
		       task_006_a_failure_is_readable_before_it_is_awaited);
	tcase_add_test(tests,
		       join_tells_a_failure_of_its_own_from_that_of_the_task);
	tcase_add_test(tests, a_handle_that_could_not_be_made_is_enomem);
	tcase_add_test(tests, task_002_a_new_task_is_queued_and_not_run);
	tcase_add_test(tests,
		       ready_tasks_run_in_the_order_in_which_they_became_ready);
	tcase_add_test(tests, task_014_a_null_fn_is_einval);
	tcase_add_test(tests, options_that_make_no_sense_are_einval);
	tcase_add_test(tests, task_016_off_a_loop_every_call_is_eperm);
	tcase_add_test(tests,
		       task_004_a_task_that_awaits_itself_is_told_and_goes_on);
	tcase_add_test(tests, a_handle_that_another_consumes_is_ebusy);
	tcase_add_test(tests, task_005_what_belongs_to_another_loop_is_exdev);
	tcase_add_test(tests,
		       task_007_a_failure_that_nobody_read_is_reported_once);
	tcase_add_test(tests, neither_success_nor_a_cancel_is_reported);
	tcase_add_test(tests,
		       task_007_a_handle_left_behind_is_reported_when_the_run_ends);
	tcase_add_test(tests,
		       task_007_without_a_handler_one_line_goes_to_stderr);
	tcase_add_test(tests, task_009_names_are_copied_and_numbers_grow);
	tcase_add_test(tests, a_name_can_be_set_at_any_time);
	tcase_add_test(tests,
		       all_tasks_are_counted_and_as_many_listed_as_there_is_room_for);
	suite_add_tcase(whole, tests);
	return whole;
}
