/* SPDX-License-Identifier: MIT */
/* coil_getaddrinfo: names, numbers, and a resolver that does not answer. */
#include "tests/resolver.h"
#include "tests/sockets.h"
#include "tests/support.h"
#include "io/address.h"
#include <coil/file.h>
#include <coil/thread.h>
#include <coil/timeout.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

COIL_TEST(numbers_need_no_thread)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;

	support_fail_threads(true);
	ck_assert_int_eq(coil_getaddrinfo("127.0.0.1", "80", &hints, &found),
			 0);
	ck_assert_int_eq(found->ai_family, AF_INET);
	ck_assert_int_eq(
		((struct sockaddr_in *)(void *)found->ai_addr)->sin_port,
		htons(80));
	freeaddrinfo(found);
	ck_assert_int_eq(coil_getaddrinfo("many.test", "80", &hints, &found),
			 -EAGAIN);
	support_fail_threads(false);
}

COIL_TEST(the_resolver_is_given_the_hints_and_its_answer_is_the_callers)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
				 .ai_family = AF_INET6};
	struct addrinfo *found = NULL;

	resolver_answers("127.0.0.1", "::1", NULL);
	ck_assert_int_eq(coil_getaddrinfo("many.test", "7", &hints, &found), 0);
	ck_assert_int_eq(found->ai_family, AF_INET6);
	ck_assert_int_eq(found->ai_socktype, SOCK_DGRAM);
	ck_assert_ptr_null(found->ai_next);
	freeaddrinfo(found);
	ck_assert_int_eq(coil_getaddrinfo("many.test", "7", NULL, NULL),
			 -EINVAL);
}

COIL_TEST(what_the_resolver_says_is_positive_and_errno_is_negative)
{
	struct addrinfo *found = NULL;

	ck_assert_int_eq(coil_getaddrinfo("none.test", "7", NULL, &found),
			 -EAI_NONAME);
	ck_assert_int_eq(coil_getaddrinfo("again.test", "7", NULL, &found),
			 -EAI_AGAIN);
	ck_assert_int_gt(-EAI_AGAIN, 0);
	ck_assert_int_eq(coil_getaddrinfo("memory.test", "7", NULL, &found),
			 -ENOMEM);
	ck_assert_int_eq(coil_getaddrinfo("system.test", "7", NULL, &found),
			 -EMFILE);
	ck_assert_int_eq(coil_getaddrinfo(NULL, NULL, NULL, &found),
			 -EAI_NONAME);
	ck_assert_int_eq(coil_dial("none.test:1"), -ENOENT);
	ck_assert_int_eq(coil_dial("again.test:1"), -EAGAIN);
	ck_assert_int_eq(coil_dial("fail.test:1"), -EIO);
	ck_assert_int_eq(coil_dial("memory.test:1"), -ENOMEM);
	ck_assert_int_eq(coil_dial("system.test:1"), -EMFILE);
	ck_assert_int_eq(coil_dial("empty.test:1"), -ENOENT);
}

static int look_up_slowly(void *arg)
{
	struct addrinfo *found;
	int err = coil_getaddrinfo("slow.test", "7", NULL, &found);

	(void)arg;
	if (!err)
		freeaddrinfo(found);
	return err;
}

COIL_TEST(a_cancelled_lookup_returns_at_once_and_what_it_finds_is_freed)
{
	struct coil_task *task = coil_create_task(look_up_slowly, NULL);

	resolver_answers("127.0.0.1", NULL);
	while (!resolver_is_busy())
		ck_assert_int_eq(coil_yield(), 0);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert(resolver_is_busy());
	resolver_let_go();
	/* The ledger sees to it that the thread has freed all. */
	task = coil_create_task(look_up_slowly, NULL);
	while (!resolver_is_busy())
		ck_assert_int_eq(coil_yield(), 0);
	resolver_let_go();
	ck_assert_int_eq(coil_await(task), 0);
}

/*
 * A resolver that never answers.
 */

enum { LOOKUPS = 16 };		/* at a time, in a process */

static int look_up_another(void *arg)
{
	struct addrinfo *found;
	int err = coil_getaddrinfo("many.test", "7", NULL, &found);

	(void)arg;
	if (!err)
		freeaddrinfo(found);
	return err;
}

static int on_a_thread(void *arg)
{
	(void)arg;
	return 5;
}

static void use_threads_of_all_kinds(void)
{
	struct statx stat;

	ck_assert_int_eq(coil_statx(AT_FDCWD, "/", 0, STATX_TYPE, &stat), 0);
	ck_assert_int_eq(coil_to_thread(on_a_thread, NULL), 5);
	ck_assert_int_eq(coil_to_thread_abandonable(on_a_thread, NULL, NULL), 5);
}

COIL_TEST(lookups_that_are_never_answered_hold_up_only_those_above_the_bound)
{
	struct coil_task *tasks[LOOKUPS], *above;

	resolver_answers("127.0.0.1", NULL);
	for (int i = 0; i < LOOKUPS - 1; i++)
		tasks[i] = coil_create_task(look_up_slowly, NULL);
	while (atomic_load(&resolver.busy) < LOOKUPS - 1)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(look_up_another(NULL), 0);
	tasks[LOOKUPS - 1] = coil_create_task(look_up_slowly, NULL);
	while (atomic_load(&resolver.busy) < LOOKUPS)
		ck_assert_int_eq(coil_yield(), 0);
	above = coil_create_task(look_up_another, NULL);
	use_threads_of_all_kinds();
	ck_assert(!coil_done(above));
	for (int i = 0; i < LOOKUPS; i++) {
		coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	}
	/* Those that nobody waits for any more do not count. */
	ck_assert_int_eq(coil_await(above), 0);
	ck_assert_int_eq(atomic_load(&resolver.busy), LOOKUPS);
	use_threads_of_all_kinds();
	for (int i = 0; i < LOOKUPS; i++)
		resolver_let_go();
}

static void fill_with_slow_names(struct coil_task *tasks[], int n)
{
	for (int i = 0; i < n; i++)
		tasks[i] = coil_create_task(look_up_slowly, NULL);
	while (atomic_load(&resolver.busy) < n)
		ck_assert_int_eq(coil_yield(), 0);
}

static void end_slow_names(struct coil_task *tasks[], int n)
{
	ck_assert_int_eq(atomic_load(&resolver.busy), n);
	for (int i = 0; i < n; i++)
		resolver_let_go();
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
}

/* The resolver here knows no "localhost", but it is asked. */
COIL_TEST(numbers_and_names_of_this_machine_do_not_wait_for_slow_names)
{
	struct coil_task *tasks[LOOKUPS];
	struct addrinfo *found;

	resolver_answers("127.0.0.1", NULL);
	fill_with_slow_names(tasks, LOOKUPS);
	ck_assert_int_eq(coil_getaddrinfo("localhost", "7", NULL, &found), -EAI_NONAME);
	ck_assert_int_eq(coil_getaddrinfo("LOCALHOST", "7", NULL, &found), -EAI_NONAME);
	ck_assert_int_eq(coil_getaddrinfo("127.1", "7", NULL, &found), -EAI_NONAME);
	ck_assert_int_eq(coil_getaddrinfo("fe80::1%none", "7", NULL, &found), -EAI_NONAME);
	ck_assert_int_eq(coil_getaddrinfo(NULL, "test-service", NULL, &found), 0);
	freeaddrinfo(found);
	ck_assert_int_eq(coil_getaddrinfo("::1", "7", NULL, &found), 0);
	freeaddrinfo(found);
	end_slow_names(tasks, LOOKUPS);
}

enum { MORE_LOOKUPS = 40 };

static int look_up_many(void *arg)
{
	struct coil_task *tasks[MORE_LOOKUPS], *above;

	(void)arg;
	resolver_answers("127.0.0.1", NULL);
	fill_with_slow_names(tasks, MORE_LOOKUPS);
	above = coil_create_task(look_up_another, NULL);
	use_threads_of_all_kinds();
	ck_assert(!coil_done(above));
	end_slow_names(tasks, MORE_LOOKUPS);
	return coil_await(above);
}

START_TEST(how_many_names_are_looked_up_at_a_time_is_an_option)
{
	struct coil_options options = { .lookups = MORE_LOOKUPS };

	ck_assert_int_eq(coil_run_with(&options, look_up_many, NULL), 0);
	options.lookups = 1025;
	ck_assert_int_eq(coil_run_with(&options, look_up_many, NULL), -EINVAL);
}
END_TEST

static void ck_number(const struct addrinfo *found, int family, int type, int port)
{
	const struct sockaddr_in *in = (const void *)found->ai_addr;

	ck_assert_int_eq(found->ai_family, family);
	ck_assert_int_eq(in->sin_family, family);
	ck_assert_int_eq(found->ai_socktype, type);
	ck_assert_int_eq(ntohs(in->sin_port), port);
}

/* The resolver is not asked: it would make one entry alone. */
COIL_TEST(numbers_are_answered_as_getaddrinfo_answers_them)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = AF_INET6 };
	struct addrinfo *found = NULL, *next;
	struct sockaddr_in6 *in6;

	ck_assert_int_eq(coil_getaddrinfo("127.0.0.1", "65535", NULL, &found), 0);
	ck_number(found, AF_INET, SOCK_STREAM, 65535);
	ck_assert_int_eq(found->ai_protocol, IPPROTO_TCP);
	ck_assert_uint_eq(found->ai_addrlen, sizeof(struct sockaddr_in));
	next = found->ai_next;
	ck_number(next, AF_INET, SOCK_DGRAM, 65535);
	ck_number(next->ai_next, AF_INET, SOCK_RAW, 65535);
	ck_assert_ptr_null(next->ai_next->ai_next);
	freeaddrinfo(found);
	ck_assert_int_eq(coil_getaddrinfo("fe80::1%7", NULL, &hints, &found), 0);
	ck_number(found, AF_INET6, SOCK_DGRAM, 0);
	in6 = (void *)found->ai_addr;
	ck_assert_uint_eq(in6->sin6_scope_id, 7);
	ck_assert_ptr_null(found->ai_next);
	freeaddrinfo(found);
	for (unsigned long n = 1; n <= 3; n++) {
		support_fail_allocation(n);
		ck_assert_int_eq(coil_getaddrinfo("127.0.0.1", "1", NULL, &found), -ENOMEM);
	}
}

static int be_stuck(void *arg)
{
	while (sem_wait(arg))
		;
	return 0;
}

static int get_stuck_and_leave(void *arg)
{
	return coil_to_thread_abandonable(be_stuck, arg, NULL);
}

COIL_TEST(functions_that_were_abandoned_hold_up_no_lookup)
{
	struct coil_task *tasks[2 * LOOKUPS];
	static sem_t gate;

	sem_init(&gate, 0, 0);
	resolver_answers("127.0.0.1", NULL);
	for (int i = 0; i < 2 * LOOKUPS; i++)
		tasks[i] = coil_create_task(get_stuck_and_leave, &gate);
	ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(look_up_another(NULL), 0);
	for (int i = 0; i < 2 * LOOKUPS; i++) {
		coil_cancel(tasks[i]);
		ck_assert_int_eq(coil_await(tasks[i]), -ECANCELED);
	}
	for (int i = 0; i < 2 * LOOKUPS; i++)
		sem_post(&gate);
}

static int leave_a_lookup_behind(void *arg)
{
	(void)arg;
	ck_assert_ptr_nonnull(coil_create_task(look_up_slowly, NULL));
	while (!resolver_is_busy())
		ck_assert_int_eq(coil_yield(), 0);
	return 0;
}

START_TEST(a_resolver_that_never_answers_keeps_neither_the_run_nor_the_process)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		support_run(leave_a_lookup_behind);
		exit(resolver_is_busy() ? 7 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("lookup");
	TCase *tests = tcase_create("lookup");

	tcase_add_test(tests, numbers_need_no_thread);
	tcase_add_test(tests, the_resolver_is_given_the_hints_and_its_answer_is_the_callers);
	tcase_add_test(tests, what_the_resolver_says_is_positive_and_errno_is_negative);
	tcase_add_test(tests, a_cancelled_lookup_returns_at_once_and_what_it_finds_is_freed);
	tcase_add_test(tests, lookups_that_are_never_answered_hold_up_only_those_above_the_bound);
	tcase_add_test(tests, numbers_and_names_of_this_machine_do_not_wait_for_slow_names);
	tcase_add_test(tests, how_many_names_are_looked_up_at_a_time_is_an_option);
	tcase_add_test(tests, numbers_are_answered_as_getaddrinfo_answers_them);
	tcase_add_test(tests, functions_that_were_abandoned_hold_up_no_lookup);
	tcase_add_test(tests, a_resolver_that_never_answers_keeps_neither_the_run_nor_the_process);
	suite_add_tcase(whole, tests);
	return whole;
}
