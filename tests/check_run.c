/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include <coil/group.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MS COIL_MILLISECOND

/*
 * Results and what is left over.
 */

START_TEST(it_returns_what_main_returned)
{
	ck_assert_int_eq(coil_run(give, INT(0)), 0);
	ck_assert_int_eq(coil_run(give, INT(77)), 77);
	ck_assert_int_eq(coil_run(give, INT(-EIO)), -EIO);
	ck_assert_int_eq(coil_run(give, INT(-ECANCELED)), -ECANCELED);
	ck_assert_int_eq(coil_run(NULL, NULL), -EINVAL);
}
END_TEST

static int describe(void *arg)
{
	struct coil_task *tasks[2] = { NULL, NULL };

	ck_assert_str_eq(coil_task_name(coil_current_task()), "main");
	ck_assert_uint_eq(coil_all_tasks(tasks, 2), 1);
	ck_assert_ptr_eq(tasks[0], coil_current_task());
	ck_assert_str_eq(coil_backend_name(), support_backend());
	ck_assert_ptr_nonnull(coil_backend_reason());
	ck_assert_str_ne(coil_backend_reason(), "");
	return 0;
}

START_TEST(inside_there_is_a_main_task_and_a_backend_with_a_reason)
{
	ck_assert_ptr_null(coil_backend_name());
	ck_assert_ptr_null(coil_backend_reason());
	ck_assert_int_eq(coil_run(describe, NULL), 0);
	ck_assert_ptr_null(coil_backend_name());
	ck_assert_ptr_null(coil_backend_reason());
}
END_TEST

static struct hold left[3];
static int cleaned;

static int clean_up(void *arg)
{
	struct coil_timeout limit = {0};
	int err = coil_sleep(COIL_FOREVER);

	coil_shield_begin(&limit, COIL_SECOND);
	err = coil_sleep(2 * MS) ? -EPROTO : err;
	coil_timeout_end(&limit);
	/* A task made as late as this is cancelled, too. */
	if (arg)
		coil_detach(start(clean_up, NULL));
	cleaned++;
	return err;
}

static int leave_tasks(void *arg)
{
	coil_detach(start(hold, &left[0]));
	if (start(hold, &left[1]))
		coil_detach(start(clean_up, INT(1)));
	/* One that was never run. */
	settle();
	coil_detach(start(hold, &left[2]));
	return 5;
}

START_TEST(what_is_left_when_main_returns_is_cancelled_and_waited_for)
{
	ck_assert_int_eq(coil_run(leave_tasks, NULL), 5);
	for (int i = 0; i < 3; i++) {
		ck_assert(left[i].ended);
		ck_assert_int_eq(left[i].err, -ECANCELED);
	}
	ck_assert_int_eq(cleaned, 2);
}
END_TEST

static int spare_children(void *arg)
{
	struct nap *child = arg;
	int err = coil_sleep(COIL_FOREVER);

	COIL_SHIELD(COIL_FOREVER) {
		COIL_GROUP(group) {
			struct coil_task *task = start(nap, child + 1);

			coil_group_create_task(&group, nap, child);
			if (coil_await(task) != 2)
				err = -EPROTO;
		}
	}
	return err;
}

static int leave_parent(void *arg)
{
	coil_detach(start(spare_children, arg));
	settle();
	return 0;
}

START_TEST(those_whom_somebody_looks_after_are_left_to_him)
{
	struct nap children[2] = { { .ns = MS, .result = 1 },
				   { .ns = MS, .result = 2 } };

	ck_assert_int_eq(coil_run(leave_parent, children), 0);
	ck_assert_int_eq(children[0].err, 0);
	ck_assert_int_eq(children[1].err, 0);
}
END_TEST

static int fail_in_clean_up(void *arg)
{
	return coil_sleep(COIL_FOREVER) == -ECANCELED ? -EIO : 0;
}

static int leave_failing(void *arg)
{
	const struct coil_task_options named = { .name = "leftover" };
	struct coil_task *task =
		coil_create_task_with(&named, fail_in_clean_up, NULL);

	coil_set_error_handler(note_error, NULL);
	if (arg)
		coil_detach(task);
	settle();
	return 3;
}

START_TEST(run_003_a_leftover_that_fails_is_reported_and_changes_no_result)
{
	for (int detached = 0; detached < 2; detached++) {
		ck_assert_int_eq(coil_run(leave_failing, INT(detached)), 3);
		ck_assert_int_eq(told.calls, detached + 1);
		ck_assert_int_eq(told.error, -EIO);
		ck_assert_str_eq(told.name, "leftover");
	}
}
END_TEST

/* rows: LOOP-006 */
COIL_TEST(loop_006_the_error_handler_can_be_set_and_taken_away)
{
	coil_set_error_handler(note_error, NULL);
	coil_detach(start(give, INT(-EIO)));
	settle();
	ck_assert_int_eq(told.calls, 1);
	coil_set_error_handler(NULL, NULL);
	coil_detach(start(give, INT(-EIO)));
	settle();
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(coil_await(start(give, INT(2))), 2);
}

/*
 * Options.
 */

COIL_TEST(run_004_inside_a_task_it_is_ebusy_and_the_loop_goes_on)
{
	struct coil_options options = {0};
	struct coil_task *self = coil_current_task();

	ck_assert_int_eq(coil_run(give, INT(1)), -EBUSY);
	ck_assert_int_eq(coil_run_with(&options, give, INT(1)), -EBUSY);
	ck_assert_ptr_eq(coil_current_task(), self);
	ck_assert_int_eq(coil_await(start(give, INT(2))), 2);
}

static int name_backend(void *arg)
{
	*(const char **)arg = !strcmp(coil_backend_name(), "epoll") ? "epoll" : "another";
	return 0;
}

START_TEST(run_008_the_backend_that_was_asked_for_serves_every_run)
{
	struct coil_options options = { .backend = "epoll" };
	const char *name = NULL;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(coil_run_with(&options, name_backend, &name),
				 0);
		ck_assert_str_eq(name, "epoll");
	}
	options.backend = support_backend();
	ck_assert_int_eq(coil_run_with(&options, describe, NULL), 0);
	/* The option wins over the environment. */
	setenv("COIL_BACKEND", "no such backend", 1);
	ck_assert_int_eq(coil_run_with(&options, describe, NULL), 0);
	ck_assert_int_eq(coil_run(give, NULL), -EINVAL);
	unsetenv("COIL_BACKEND");
	ck_assert_int_eq(coil_run(give, NULL), 0);
	options.backend = "no such backend";
	ck_assert_int_eq(coil_run_with(&options, give, NULL), -EINVAL);
}
END_TEST

START_TEST(options_that_make_no_sense_are_einval)
{
	struct coil_options flags = { .flags = 1 },
			    tiny = { .stack_size = 4096 };
	struct coil_options entries = { .entries = 32769 };
	struct coil_options reserved;

	ck_assert_int_eq(coil_run_with(&flags, give, NULL), -EINVAL);
	ck_assert_int_eq(coil_run_with(&tiny, give, NULL), -EINVAL);
	ck_assert_int_eq(coil_run_with(&entries, give, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(reserved.reserved) / sizeof(*reserved.reserved); i++) {
		memset(&reserved, 0, sizeof(reserved));
		reserved.reserved[i] = 1;
		ck_assert_int_eq(coil_run_with(&reserved, give, NULL), -EINVAL);
	}
	ck_assert_int_eq(coil_run_with(NULL, give, INT(4)), 4);
}
END_TEST

START_TEST(without_fds_it_is_emfile)
{
	struct rlimit limit, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(coil_run(give, NULL), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(coil_run(give, INT(9)), 9);
}
END_TEST

/*
 * The loop.
 */

struct self_queueing {
	int turns;
	bool stop;
};

static int queue_again(void *arg)
{
	struct self_queueing *own = arg;

	while (!own->stop) {
		own->turns++;
		ck_assert_int_eq(coil_yield(), 0);
	}
	return 0;
}

static int read_byte(void *arg)
{
	struct op op = {0};
	char byte = 0;

	io_uring_prep_read(&op.sqe, *(int *)arg, &byte, 1, (uint64_t)-1);
	return coil__op_run(&op) == 1 ? byte : -EPROTO;
}

/* rows: LOOP-001 */
COIL_TEST(loop_001_a_task_that_only_yields_does_not_starve_io)
{
	struct self_queueing own = {0};
	struct coil_task *busy = start(queue_again, &own), *reader;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	reader = start(read_byte, &ends[0]);
	settle();
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(coil_await(reader), 'x');
	ck_assert_int_gt(own.turns, 0);
	own.stop = true;
	ck_assert_int_eq(coil_await(busy), 0);
	close(ends[0]);
	close(ends[1]);
}

static int read_many(void *arg)
{
	enum { MANY = 100 };
	struct coil_task *tasks[MANY];
	int ends[MANY][2], results[MANY];

	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(pipe2(ends[i], O_CLOEXEC | O_NONBLOCK), 0);
		tasks[i] = start(read_byte, &ends[i][0]);
	}
	settle();
	for (int i = 0; i < MANY; i += 2)
		coil_cancel(tasks[i]);
	for (int i = 1; i < MANY; i += 2)
		ck_assert_int_eq(write(ends[i][1], "yz", 1), 1);
	ck_assert_int_eq(coil_gather(tasks, MANY, results), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(results[i], i % 2 ? 'y' : -EPROTO);
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return 0;
}

START_TEST(a_ring_of_one_entry_is_enough_for_any_number_of_requests)
{
	for (unsigned entries = 1; entries <= 4; entries++) {
		struct coil_options options = { .entries = entries };

		ck_assert_int_eq(coil_run_with(&options, read_many, NULL), 0);
	}
}
END_TEST

static void *run_thread(void *arg)
{
	struct nap own = { .ns = MS, .result = (int)(intptr_t)arg };
	int result = coil_run(nap, &own);

	return INT(result);
}

START_TEST(each_thread_can_have_a_loop)
{
	pthread_t threads[8];
	void *result;

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_thread,
						INT(i)),
				 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_eq(result, INT(i));
	}
}
END_TEST

/*
 * Deadlock.
 */

static struct coil_waitq nobody;
static int deadlock_err[2];

static int park_for_ever(void *arg)
{
	coil_task_set_name(coil_current_task(), "stuck-%d", (int)(intptr_t)arg);
	deadlock_err[(intptr_t)arg] =
		coil_waitq_park_for(&nobody, NULL, "godot");
	return 0;
}

static int deadlock(void *arg)
{
	struct coil_task *task = start(park_for_ever, INT(1));

	park_for_ever(INT(0));
	return coil_await(task);
}

START_TEST(when_nothing_can_go_on_all_are_cancelled_and_it_is_edeadlk)
{
	ck_assert_int_eq(coil_run(deadlock, NULL), -EDEADLK);
	ck_assert_int_eq(deadlock_err[0], -ECANCELED);
	ck_assert_int_eq(deadlock_err[1], -ECANCELED);
	ck_assert_ptr_null(nobody.head);
}
END_TEST

START_TEST(a_deadlock_is_told_with_names_and_what_each_waits_for)
{
	char said[4096];
	int status =
		in_child(run_in_child, (void *)deadlock, said, sizeof(said));

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_ptr_nonnull(strstr(said, "deadlock"));
	ck_assert_ptr_nonnull(strstr(said, "stuck-0"));
	ck_assert_ptr_nonnull(strstr(said, "stuck-1"));
	ck_assert_ptr_nonnull(strstr(said, "godot"));
	ck_assert_ptr_nonnull(strstr(said, "it needs a task that wakes it"));
	ck_assert_ptr_nonnull(strstr(said, "coil_current_loop()"));
}
END_TEST

static int park_in_shield(void *arg)
{
	int err = 0;

	COIL_SHIELD(COIL_FOREVER)
		err = coil_waitq_park(&nobody);
	return err;
}

START_TEST(one_that_does_not_end_though_cancelled_is_a_bug_that_is_named)
{
	dies(park_in_shield, SIGABRT, "main");
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("run");
	TCase *tests = tcase_create("run");

	tcase_add_test(tests, it_returns_what_main_returned);
	tcase_add_test(tests,
		       inside_there_is_a_main_task_and_a_backend_with_a_reason);
	tcase_add_test(tests,
		       what_is_left_when_main_returns_is_cancelled_and_waited_for);
	tcase_add_test(tests, those_whom_somebody_looks_after_are_left_to_him);
	tcase_add_test(tests,
		       run_003_a_leftover_that_fails_is_reported_and_changes_no_result);
	tcase_add_test(tests,
		       loop_006_the_error_handler_can_be_set_and_taken_away);
	tcase_add_test(tests,
		       run_004_inside_a_task_it_is_ebusy_and_the_loop_goes_on);
	tcase_add_test(tests,
		       run_008_the_backend_that_was_asked_for_serves_every_run);
	tcase_add_test(tests, options_that_make_no_sense_are_einval);
	tcase_add_test(tests, without_fds_it_is_emfile);
	tcase_add_test(tests,
		       loop_001_a_task_that_only_yields_does_not_starve_io);
	tcase_add_test(tests,
		       a_ring_of_one_entry_is_enough_for_any_number_of_requests);
	tcase_add_test(tests, each_thread_can_have_a_loop);
	tcase_add_test(tests,
		       when_nothing_can_go_on_all_are_cancelled_and_it_is_edeadlk);
	tcase_add_test(tests,
		       a_deadlock_is_told_with_names_and_what_each_waits_for);
	tcase_add_test(tests,
		       one_that_does_not_end_though_cancelled_is_a_bug_that_is_named);
	suite_add_tcase(whole, tests);
	return whole;
}
