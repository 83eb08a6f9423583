/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include "core/task/sanitize.h"
#include <coil/group.h>
#include <coil/waitq.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#define KIB ((size_t)1024)

/*
 * The guard.
 */

/* Whether a byte can be read: the kernel says EFAULT where we would be killed. */
static bool readable(int fd, const char *at)
{
	ssize_t n = write(fd, at, 1);

	ck_assert(n == 1 || (n < 0 && errno == EFAULT));
	return n == 1;
}

static void is_guarded(const struct coil_task *task, int fd)
{
	const struct stacks *stacks = &coil__loop->stacks;
	const char *limit = coil__stack_limit(stacks, &task->stack);

	for (const char *at = task->stack.bottom; at < limit; at += 512)
		ck_assert(!readable(fd, at));
	ck_assert(readable(fd, limit));
	ck_assert(readable(fd, task->stack.top - 1));
}

static int park(void *arg)
{
	return coil_waitq_park(arg);
}

enum { MANY = 300 };

static void guard_many(size_t size)
{
	const struct coil_task_options options = { .stack_size = size };
	struct coil_waitq waitq = {0};
	struct coil_task *tasks[MANY];
	int file = memfd_create("guards", MFD_CLOEXEC);

	ck_assert_int_ge(file, 0);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = coil_create_task_with(&options, park, &waitq);
		is_guarded(tasks[i], file);
	}
	settle();
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), MANY);
	ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
	close(file);
}

COIL_TEST(below_every_stack_lies_a_guard)
{
	guard_many(0);
	/* Also below those that were used before. */
	guard_many(0);
}

COIL_TEST(below_a_stack_of_a_size_of_its_own_lies_a_guard)
{
	guard_many(100 * KIB);
}

COIL_TEST(where_the_kernel_has_no_guard_regions_pages_are_protected)
{
	coil__loop->stacks.mprotect = true;
	guard_many(0);
	guard_many(100 * KIB);
}

/* As qemu-user has it: what it does not know is done. */
static bool any_advice_will_do;

int __real_madvise(void *at, size_t length, int advice);
int __wrap_madvise(void *at, size_t length, int advice);

int __wrap_madvise(void *at, size_t length, int advice)
{
	if (any_advice_will_do && advice > MADV_WIPEONFORK)
		return 0;
	return __real_madvise(at, length, advice);
}

static int be_guarded(void *arg)
{
	(void)arg;
	ck_assert(coil__loop->stacks.mprotect);
	guard_many(0);
	guard_many(100 * KIB);
	return 0;
}

START_TEST(where_any_advice_succeeds_pages_are_protected)
{
	any_advice_will_do = true;
	support_run(be_guarded);
	any_advice_will_do = false;
}
END_TEST

static int __attribute__((noinline)) recurse(int depth)
{
	volatile char room[1000];

	room[depth % 1000] = (char)depth;
	return depth ? recurse(depth - 1) + room[depth % 1000] : 0;
}

static int overflow(void *arg)
{
	return recurse(1 << 20);
}

static int overflow_in_task(void *arg)
{
	struct coil_task_options options = { .name = "bottomless" };

	if (arg)
		options.stack_size = 32 * KIB;
	return coil_await(coil_create_task_with(&options, overflow, NULL));
}

static int overflow_in_small_task(void *arg)
{
	return overflow_in_task(INT(1));
}

/* Nothing may be allocated while the handler runs. */
static int overflow_without_memory(void *arg)
{
	struct coil_task *task = start(overflow, NULL);

	support_fail_allocation(1);
	return coil_await(task);
}

#ifdef __x86_64__
/* What an alloca(3) does in code that does not touch page by page: it skips the guard. */
static int jump_over_guard(void *arg)
{
	__asm__ volatile("mov %%rsp, %%rax\n\t"
			 "sub $0x200000, %%rsp\n\t"
			 "movb $0, (%%rsp)\n\t"
			 "mov %%rax, %%rsp"
			 : : : "rax", "memory");
	return arg != NULL;
}

START_TEST(a_main_task_that_jumps_over_its_guard_dies_by_name)
{
	if (ADDRESS_SANITIZED)
		return;
	dies(jump_over_guard, SIGSEGV, "task main overflowed its stack");
}
END_TEST
#endif

static int overflow_above_protected(void *arg)
{
	coil__loop->stacks.mprotect = true;
	return overflow_in_task(NULL);
}

START_TEST(a_task_that_overflows_its_stack_dies_by_name)
{
	/* ASan says so itself, in its own words. */
	if (ADDRESS_SANITIZED)
		return;
	dies(overflow_in_task, SIGSEGV, "task bottomless overflowed its stack");
	dies(overflow_in_small_task, SIGSEGV, "task bottomless overflowed its stack");
	dies(overflow_without_memory, SIGSEGV,
	     "task task-2 overflowed its stack");
	dies(overflow_above_protected, SIGSEGV, "task bottomless overflowed its stack");
}
END_TEST

static int touch_nothing(void *arg)
{
	return *(volatile int *)arg;
}

START_TEST(any_other_fault_kills_as_ever_and_is_not_called_an_overflow)
{
	char said[4096];
	int status;

	if (ADDRESS_SANITIZED)
		return;
	status = in_child(run_in_child, (void *)touch_nothing, said,
			  sizeof(said));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_str_eq(said, "");
}
END_TEST

static void handle(int number)
{
	_exit(number == SIGSEGV ? 44 : 1);
}

static void run_with_handler(void *arg)
{
	struct sigaction action = { .sa_handler = handle,
				    .sa_flags = SA_ONSTACK };

	sigaction(SIGSEGV, &action, NULL);
	coil_run(arg, NULL);
}

START_TEST(a_handler_of_the_program_s_own_is_left_alone)
{
	char said[4096];
	int status = in_child(run_with_handler, (void *)overflow_in_task, said,
			      sizeof(said));

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 44, "%#x %s",
		      status, said);
}
END_TEST

static int look_at_handler(void *arg)
{
	struct sigaction action;
	stack_t stack;

	ck_assert_int_eq(sigaction(SIGSEGV, NULL, &action), 0);
	ck_assert_int_eq(sigaltstack(NULL, &stack), 0);
	return action.sa_flags & SA_ONSTACK && !(stack.ss_flags & SS_DISABLE)
		       ? 1
		       : 0;
}

START_TEST(after_the_run_the_handler_and_its_stack_are_gone)
{
	struct sigaction action;
	stack_t stack;

	if (ADDRESS_SANITIZED)
		return;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_run(look_at_handler, NULL), 1);
		ck_assert_int_eq(sigaction(SIGSEGV, NULL, &action), 0);
		ck_assert(action.sa_handler == SIG_DFL);
		ck_assert_int_eq(sigaltstack(NULL, &stack), 0);
		ck_assert(stack.ss_flags & SS_DISABLE);
	}
}
END_TEST

/*
 * Sizes.
 */

/* Uses so many bytes of its stack, and keeps them over a switch. */
static int use(void *arg)
{
	size_t size = (size_t)(intptr_t)arg;
	char *room = __builtin_alloca(size);
	int err;

	memset(room, 0x5a, size);
	err = coil_yield();
	for (size_t i = 0; i < size; i++)
		err |= room[i] != 0x5a;
	return err;
}

COIL_TEST(a_stack_has_the_size_that_was_asked_for)
{
	static const size_t sizes[] = {
		16 * KIB,  20 * KIB + 1, 64 * KIB,   68 * KIB,
		256 * KIB, 1024 * KIB,	 8192 * KIB,
	};

	if (SANITIZED)
		return;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct coil_task_options options = { .stack_size = sizes[i] };
		struct coil_task *tasks[2];

		/* Less what the task itself and a few frames take. */
		for (int n = 0; n < 2; n++)
			tasks[n] = coil_create_task_with(
				&options, use, INT(sizes[i] - 4 * KIB));
		ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	}
}

static int use_much(void *arg)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_await(start(use, INT(500 * KIB))), 0);
	return use(INT(500 * KIB));
}

START_TEST(the_loop_s_own_size_is_every_task_s_and_main_s)
{
	struct coil_options options = { .stack_size = 512 * KIB };

	ck_assert_int_eq(coil_run_with(&options, use_much, NULL), 0);
}
END_TEST

COIL_TEST(a_size_that_cannot_be_had_is_enomem)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX / 2,
					(size_t)1 << 60 };

	for (int i = 0; i < 3; i++) {
		struct coil_task_options options = { .stack_size = sizes[i] };

		errno = 0;
		ck_assert_ptr_null(coil_create_task_with(&options, give, NULL));
		ck_assert_int_eq(errno, ENOMEM);
	}
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

COIL_TEST(tasks_of_many_sizes_are_all_listed)
{
	struct coil_waitq waitq = {0};
	struct coil_task *tasks[40], *seen[64] = { NULL };
	bool found;

	for (int i = 0; i < 40; i++) {
		struct coil_task_options options = {
			.stack_size = i % 2 ? (16 + (size_t)i) * KIB : 0,
		};

		tasks[i] = coil_create_task_with(&options, park, &waitq);
	}
	settle();
	ck_assert_uint_eq(coil_all_tasks(seen, 64), 41);
	for (int i = 0; i < 40; i++) {
		found = false;
		for (int n = 0; n < 41; n++)
			found |= seen[n] == tasks[i];
		ck_assert(found);
	}
	coil_waitq_unpark_all(&waitq);
	ck_assert_int_eq(coil_gather(tasks, 40, NULL), 0);
}

/*
 * What they cost.
 */

static size_t resident(const struct coil_task *task)
{
	unsigned char pages[64];
	const struct stacks *stacks = &coil__loop->stacks;
	char *from = coil__stack_limit(stacks, &task->stack);
	size_t length = (size_t)(task->stack.top - from), n = 0;

	ck_assert_uint_le(length / stacks->page, sizeof(pages));
	ck_assert_int_eq(mincore(from, length, pages), 0);
	for (size_t i = 0; i < length / stacks->page; i++)
		n += pages[i] & 1;
	return n;
}

COIL_TEST(an_idle_task_is_one_page)
{
	struct coil_waitq waitq = {0};
	struct coil_task *tasks[MANY];

	if (SANITIZED)
		return;
	for (int i = 0; i < MANY; i++)
		tasks[i] = start(park, &waitq);
	settle();
	for (int i = 0; i < MANY; i++)
		ck_assert_uint_eq(resident(tasks[i]), 1);
	coil_waitq_unpark_all(&waitq);
	ck_assert_int_eq(coil_gather(tasks, MANY, NULL), 0);
}

COIL_TEST(so_many_tasks_can_wait_at_once)
{
	size_t many = support_simulated() && !SANITIZED ? 100000 : 10000;
	struct coil_waitq waitq = {0};
	struct coil_task **tasks;

	if (support_patience() > 1)
		many = 1000;
	tasks = malloc(many * sizeof(*tasks));
	for (size_t i = 0; i < many; i++)
		tasks[i] = start(park, &waitq);
	settle();
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), many + 1);
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), many);
	ck_assert_int_eq(coil_gather(tasks, many, NULL), 0);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
	free(tasks);
}

static void crowd(size_t many)
{
	struct coil_waitq waitq = {0};
	struct coil_group group = {0};

	for (size_t i = 0; i < many; i++)
		ck_assert_int_eq(coil_group_create_task(&group, park, &waitq),
				 0);
	settle();
	ck_assert_uint_eq(coil_waitq_unpark_all(&waitq), many);
	ck_assert_int_eq(coil_group_wait(&group), 0);
}

static size_t stacks_in_memory(void)
{
	size_t n = 0;

	for (struct slab *slab = coil__loop->stacks.slabs; slab;
	     slab = slab->next) {
		size_t page = coil__loop->stacks.page,
		       pages = slab->length / page;
		unsigned char *core = malloc(pages);

		ck_assert_int_eq(mincore(slab->base, slab->length, core), 0);
		for (size_t i = 0; i < pages; i++)
			n += core[i] & 1;
		free(core);
	}
	return n;
}

/* That takes seconds. */
COIL_TEST(stacks_that_are_not_needed_are_given_back)
{
	size_t most, left;

	if (SANITIZED || !support_simulated())
		return;
	crowd(2000);
	most = stacks_in_memory();
	ck_assert_uint_ge(most, 2000);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_sleep(COIL_SECOND), 0);
	left = stacks_in_memory();
	ck_assert_uint_le(left, 200);
	/* A few are kept, and those given back can be had again. */
	ck_assert_uint_ge(left, 50);
	crowd(2000);
	ck_assert_uint_ge(stacks_in_memory(), 2000);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_sleep(COIL_SECOND), 0);
	crowd(3000);
}

static bool trim_over;

static int be_ready_always(void *arg)
{
	(void)arg;
	while (!trim_over) {
		sim_advance(10 * COIL_MILLISECOND);
		ck_assert_int_eq(coil_yield(), 0);
	}
	return 0;
}

COIL_TEST(stacks_are_given_back_while_a_task_is_always_ready)
{
	struct coil_task *task;

	if (SANITIZED || !support_simulated())
		return;
	task = start(be_ready_always, NULL);
	crowd(2000);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(coil_sleep(COIL_SECOND), 0);
	ck_assert_uint_le(stacks_in_memory(), 200);
	trim_over = true;
	ck_assert_int_eq(coil_await(task), 0);
}

static int sleep_for(void *arg)
{
	return coil_sleep((intptr_t)arg * COIL_MILLISECOND);
}

/* The first stacks come back long before the last. */
COIL_TEST(stacks_are_given_back_in_seconds_after_a_crowd_that_ends_slowly)
{
	struct coil_group group = {0};

	if (SANITIZED || !support_simulated())
		return;
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(coil_group_create_task(&group, sleep_for, INT(i)), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(coil_sleep(8 * COIL_SECOND), 0);
	ck_assert_uint_le(stacks_in_memory(), 500);
}

COIL_TEST(stacks_that_are_needed_now_and_then_are_kept)
{
	uint32_t count;

	crowd(500);
	count = coil__loop->stacks.count;
	for (int i = 0; i < 20; i++) {
		if (support_simulated())
			ck_assert_int_eq(coil_sleep(COIL_SECOND), 0);
		crowd(500);
	}
	ck_assert_uint_eq(coil__loop->stacks.count, count);
	ck_assert_uint_eq(coil__loop->stacks.cold_count, 0);
}

static void run_locked(void *arg)
{
	void *place;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		_exit(77);
	/* RLIMIT_MEMLOCK of an ordinary user is 8 MiB. */
	place = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED)
		_exit(77);
	munmap(place, 16 << 20);
	_exit(coil_run(arg, NULL) == 6 ? 0 : 1);
}

static int crowd_and_end(void *arg)
{
	crowd(40);
	crowd(40);
	return coil__loop->stacks.mprotect ? 6 : 7;
}

START_TEST(under_mlockall_guards_are_pages_and_slabs_small)
{
	char said[4096];

	if (!SANITIZED)
		ends_well(run_locked, (void *)crowd_and_end, said, sizeof(said),
			  "so much memory may not be locked here");
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("stack");
	TCase *tests = tcase_create("stack");

	tcase_add_test(tests, below_every_stack_lies_a_guard);
	tcase_add_test(tests, below_a_stack_of_a_size_of_its_own_lies_a_guard);
	tcase_add_test(tests,
		       where_the_kernel_has_no_guard_regions_pages_are_protected);
	tcase_add_test(tests, where_any_advice_succeeds_pages_are_protected);
#ifdef __x86_64__
	tcase_add_test(tests, a_main_task_that_jumps_over_its_guard_dies_by_name);
#endif
	tcase_add_test(tests, a_task_that_overflows_its_stack_dies_by_name);
	tcase_add_test(tests,
		       any_other_fault_kills_as_ever_and_is_not_called_an_overflow);
	tcase_add_test(tests, a_handler_of_the_program_s_own_is_left_alone);
	tcase_add_test(tests, after_the_run_the_handler_and_its_stack_are_gone);
	tcase_add_test(tests, a_stack_has_the_size_that_was_asked_for);
	tcase_add_test(tests, the_loop_s_own_size_is_every_task_s_and_main_s);
	tcase_add_test(tests, a_size_that_cannot_be_had_is_enomem);
	tcase_add_test(tests, tasks_of_many_sizes_are_all_listed);
	tcase_add_test(tests, an_idle_task_is_one_page);
	tcase_add_test(tests, so_many_tasks_can_wait_at_once);
	tcase_add_test(tests, stacks_that_are_not_needed_are_given_back);
	tcase_add_test(tests, stacks_are_given_back_while_a_task_is_always_ready);
	tcase_add_test(tests, stacks_are_given_back_in_seconds_after_a_crowd_that_ends_slowly);
	tcase_add_test(tests, stacks_that_are_needed_now_and_then_are_kept);
	tcase_add_test(tests, under_mlockall_guards_are_pages_and_slabs_small);
	suite_add_tcase(whole, tests);
	return whole;
}
