/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: the n-th allocation fails, for every n.  Whoever asked for it is
 * told -ENOMEM and nothing has changed; the fixture sees that nothing leaks.
 */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include <coil/group.h>
#include <coil/thread.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <fcntl.h>
#include <stdlib.h>

#define MS COIL_MILLISECOND

/* How often a call said so since the scenario began. */
static int refusals;

static bool worked(int err)
{
	if (err >= 0)
		return true;
	ck_assert_int_eq(err, -ENOMEM);
	refusals++;
	return false;
}

static struct coil_task *try_start(const struct coil_task_options *options,
				   int (*fn)(void *arg), void *arg)
{
	size_t before = coil_all_tasks(NULL, 0);
	struct coil_task *task;

	errno = 0;
	task = coil_create_task_with(options, fn, arg);
	if (task)
		return task;
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), before);
	refusals++;
	return NULL;
}

static int park(void *arg)
{
	int err = coil_waitq_park(arg);

	return err ? err : 1;
}

static void use_tasks(void)
{
	const struct coil_task_options named = { .name = "a name of its own" };
	const struct coil_task_options large = { .stack_size = 100 * 1024 };
	const struct coil_task_options *options[] = { NULL, &named, &large };
	struct coil_task *task;
	const char *name;

	for (int i = 0; i < 3; i++) {
		task = try_start(options[i], give, INT(5));
		if (!task)
			continue;
		/* A name of its own, or one that was made, or some other. */
		name = coil_task_name(task);
		ck_assert_ptr_nonnull(name);
		refusals += !strstr(name, "task-") && !strstr(name, "own");
		if (worked(coil_task_set_name(task, "%s again", name)))
			ck_assert_ptr_nonnull(
				strstr(coil_task_name(task), " again"));
		else
			ck_assert_ptr_null(
				strstr(coil_task_name(task), " again"));
		ck_assert_int_eq(coil_await(task), 5);
	}
}

/* Enough of them for the stacks, the run queue and the timers to grow. */
enum { MANY = 100 };

static int nap_in_turn(void *arg)
{
	return worked(coil_sleep((intptr_t)arg * 1000)) ? 1 : -ENOMEM;
}

static void use_many_tasks(void)
{
	struct coil_task *tasks[MANY];
	int results[MANY];
	size_t n = 0, done = 0;

	for (int i = 0; i < MANY; i++) {
		tasks[n] = try_start(NULL, nap_in_turn, INT(i));
		n += tasks[n] != NULL;
	}
	if (!n)
		return;
	if (!worked(coil_wait(tasks, n, COIL_FIRST_COMPLETED, COIL_FOREVER)))
		ck_assert_int_eq(coil_check(), 0);
	for (int i = 0; i < 2; i++) {
		size_t before = done;

		if (!worked(coil_as_completed(tasks, n, &done)))
			ck_assert_uint_eq(done, before);
	}
	ck_assert_int_eq(coil_gather(tasks, n, results), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert(results[i] == 1 || results[i] == -ENOMEM);
}

static void use_group(void)
{
	struct coil_waitq waitq = {0};
	struct coil_group group = {0};
	int made = 0, err = 0;

	for (int i = 0; i < 40 && !err; i++) {
		err = coil_group_create_task(&group, park, &waitq);
		made += !err;
	}
	if (err) {
		/* It counts as a failed child. */
		ck_assert_int_eq(err, -ENOMEM);
		refusals++;
		ck_assert_int_eq(coil_group_wait(&group), -ENOMEM);
		return;
	}
	settle();
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), (size_t)made);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

static void use_time(void)
{
	struct coil_timeout timeouts[MANY] = {0};
	struct coil_task *task;
	int open = 0, result;

	for (int i = 0; i < MANY; i++) {
		if (!worked(coil_timeout_begin(&timeouts[i], COIL_SECOND + i)))
			break;
		open++;
	}
	if (open) {
		struct coil_timeout *last = &timeouts[open - 1];
		int64_t when = coil_timeout_when(last);

		if (!worked(coil_timeout_reschedule(last, when + 1)))
			ck_assert_int_eq(coil_timeout_when(last), when);
	}
	worked(coil_sleep(1000));
	while (open)
		ck_assert_int_eq(coil_timeout_end(&timeouts[--open]), 0);
	task = try_start(NULL, nap_in_turn, INT(10));
	if (!task)
		return;
	result = coil_wait_for(task, COIL_SECOND);
	ck_assert(result == 1 || worked(result) == false);
}

static int read_byte(void *arg)
{
	struct op op = {0};
	char byte = 0;
	ssize_t n;

	io_uring_prep_read(&op.sqe, *(int *)arg, &byte, 1, (uint64_t)-1);
	n = coil__op_run(&op);
	return n == 1 ? byte : (int)n;
}

static int work(void *arg)
{
	return coil_var_get(arg) == arg ? 3 : 4;
}

static void use_threads(void)
{
	static struct coil_var var;
	int result;

	if (!worked(coil_var_set(&var, &var)))
		ck_assert_ptr_null(coil_var_get(&var));
	result = coil_to_thread(work, &var);
	if (worked(result))
		ck_assert_int_eq(result, coil_var_get(&var) ? 3 : 4);
	result = coil_to_thread_abandonable(work, &var, NULL);
	if (worked(result))
		ck_assert_int_eq(result, coil_var_get(&var) ? 3 : 4);
}

/* An fd far up makes the loop's table grow; a file's read may need a thread. */
static void use_fds(void)
{
	int ends[2], high, file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct coil_task *task;
	int result;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	high = fcntl(ends[0], F_DUPFD_CLOEXEC, 500);
	ck_assert_int_ge(high, 500);
	task = try_start(NULL, read_byte, &high);
	settle();
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	if (task) {
		result = coil_await(task);
		ck_assert(result == 'x' || !worked(result));
	}
	result = read_byte(&file);
	ck_assert(result == 0x7f || !worked(result));
	close(file);
	close(high);
	close(ends[0]);
	close(ends[1]);
}

static int use_everything(void *arg)
{
	use_tasks();
	use_many_tasks();
	use_group();
	use_time();
	use_threads();
	use_fds();
	/* The loop goes on. */
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
	ck_assert_int_eq(coil_check(), 0);
	ck_assert_int_eq(coil_yield(), 0);
	return 4;
}

static int silent;

/* Returns whether there was an n-th allocation. */
static bool fail_nth(unsigned long nth)
{
	bool failed;
	int result;

	refusals = 0;
	support_fail_allocation(nth);
	result = coil_run(use_everything, NULL);
	failed = support_allocation_failed();
	support_fail_allocation(0);
	ck_assert_msg(result == 4 || (failed && result == -ENOMEM),
		      "allocation %lu failed: the run returned %d", nth,
		      result);
	if (failed && result == 4 && !refusals) {
		printf("allocation %lu can be done without\n", nth);
		fflush(stdout);
		silent++;
	}
	if (!failed)
		ck_assert_int_eq(refusals, 0);
	return failed;
}

START_TEST(task_015_whatever_allocation_fails_the_caller_is_told)
{
	unsigned long n = 1;
	size_t bytes = support_outstanding();

	while (fail_nth(n)) {
		ck_assert_msg(support_outstanding() == bytes, "allocation %lu failed: %zu bytes",
			      n, support_outstanding() - bytes);
		n++;
	}
	/* There were some. */
	ck_assert_uint_gt(n, 20);
	/* The stack for the handler of overflows. */
	ck_assert_int_le(silent, 1);
}
END_TEST

static int start_threads(void *arg)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), result;

	support_fail_threads(true);
	result = read_byte(&file);
	support_fail_threads(false);
	ck_assert(result == 0x7f || result == -EAGAIN || result == -ENOMEM);
	ck_assert_int_eq(read_byte(&file), 'E');
	close(file);
	return 0;
}

START_TEST(without_threads_what_needs_one_says_so)
{
	ck_assert_int_eq(coil_run(start_threads, NULL), 0);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("oom");
	TCase *tests = tcase_create("oom");

	tcase_add_test(tests,
		       task_015_whatever_allocation_fails_the_caller_is_told);
	tcase_add_test(tests, without_threads_what_needs_one_says_so);
	suite_add_tcase(whole, tests);
	return whole;
}
