/* SPDX-License-Identifier: MIT */
/*
 * Kernels and sandboxes that refuse io_uring, or parts of it: less of it serves, or
 * another backend does, and coil_backend_reason() says why.  The linker has the
 * library call the refusing kernel here.
 */
#include "tests/everything.h"
#include "core/task/loop.h"
#include <coil/thread.h>
#include <semaphore.h>

static struct {
	unsigned forbidden;		/* set-up flags that are EINVAL */
	unsigned served;		/* those that the last ring has */
	unsigned without;		/* features that it lacks */
	bool refused[256];		/* opcodes that complete with EACCES */
	bool missing[256]; /* opcodes that the probe does not know */
	bool restricts;
	unsigned features;		/* of the last ring */
	unsigned naps;			/* waits in it that are said to be for no disk */
	unsigned other_naps;
} kernel;

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);
struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);

int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned n);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned n);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
	kernel.other_naps += n > 0;
	return __real_io_uring_submit_and_wait(ring, n);
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == __NR_io_uring_enter && c) {
		kernel.naps += (d & IORING_ENTER_NO_IOWAIT) != 0;
		kernel.other_naps += !(d & IORING_ENTER_NO_IOWAIT);
	}
	return __real_syscall(number, a, b, c, d, e, f);
}

/* A ring on which all is allowed but what kernel.refused has. */
static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction allowed[260];
	struct io_uring_probe *probe = __real_io_uring_get_probe_ring(ring);
	unsigned n = 0;

	ck_assert_ptr_nonnull(probe);
	memset(allowed, 0, sizeof(allowed));
	/* A restriction to an opcode that the kernel does not know is an error. */
	for (unsigned opcode = 0; opcode <= probe->last_op; opcode++) {
		if (kernel.refused[opcode])
			continue;
		allowed[n].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[n++].sqe_op = (unsigned char)opcode;
	}
	io_uring_free_probe(probe);
	allowed[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	allowed[n++].sqe_flags = 0xff;
	allowed[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	allowed[n++].register_op = IORING_REGISTER_PROBE;
	allowed[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	allowed[n++].register_op = IORING_REGISTER_ENABLE_RINGS;
	/* Not every liburing exports the calls that it declares for these. */
	if (syscall(__NR_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_RESTRICTIONS, allowed, n) ||
	    syscall(__NR_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params)
{
	int err;

	if (params->flags & kernel.forbidden)
		return -EINVAL;
	kernel.served = params->flags;
	if (kernel.restricts)
		params->flags |= IORING_SETUP_R_DISABLED;
	err = __real_io_uring_queue_init_params(entries, ring, params);
	if (!err && kernel.restricts) {
		err = restrict_ring(ring);
		ck_assert_int_eq(err, 0);
	}
	if (!err)
		ring->features &= ~kernel.without;
	if (!err)
		kernel.features = ring->features;
	return err;
}

struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
	struct io_uring_probe *probe = __real_io_uring_get_probe_ring(ring);

	for (int i = 0; probe && i < 256 && i <= probe->last_op; i++) {
		if (kernel.missing[i])
			probe->ops[i].flags &=
				(unsigned short)~IO_URING_OP_SUPPORTED;
	}
	return probe;
}

/*
 * The whole of it is refused.
 */

static void run_refused(void *arg)
{
	char reason[200] = "";

	if (refuse_call(__NR_io_uring_setup, (int)(intptr_t)arg))
		_exit(77);
	if (run_best(use_everything, "epoll") || run_best(copy_reason, reason))
		_exit(1);
	dprintf(STDERR_FILENO, "%s", reason);
	setenv("COIL_BACKEND", "uring", 1);
	_exit(coil_run(give, NULL) == -(int)(intptr_t)arg ? 0 : 2);
}

static void setup_fails(int error, const char *name)
{
	char said[4096];

	if (!ends_well(run_refused, INT(error), said, sizeof(said), NO_FILTER))
		return;
	ck_assert_msg(!strncmp(said, "epoll uring: io_uring_setup: ", 29), "%s",
		      said);
	ck_assert_msg(strstr(said, name) != NULL, "%s", said);
}

START_TEST(where_io_uring_setup_is_refused_epoll_serves_and_says_why)
{
	setup_fails(EPERM, "EPERM");
	setup_fails(ENOSYS, "ENOSYS");
	setup_fails(ENOMEM, "ENOMEM");
	setup_fails(EACCES, "EACCES");
}
END_TEST

START_TEST(without_fast_poll_epoll_serves)
{
	char reason[200] = "";

	kernel.without = IORING_FEAT_FAST_POLL;
	ck_assert_int_eq(run_best(copy_reason, reason), 0);
	ck_assert_str_eq(reason, "epoll uring: io_uring is too old here");
	ck_assert_int_eq(run_best(use_everything, "epoll"), 0);
}
END_TEST

/*
 * Flags.
 */

static const struct { unsigned flag; const char *name; } flags[] = {
	{ IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN" },
	{ IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER" },
	{ IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN" },
	{ IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG" },
	{ IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ IORING_SETUP_CLAMP, "CLAMP" },
	{ IORING_SETUP_CQSIZE, "CQSIZE" },
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

/* One that makes the missing one unnecessary is as good. */
static bool makes_up(unsigned served, unsigned missing)
{
	return missing == IORING_SETUP_COOP_TASKRUN &&
	       served & IORING_SETUP_DEFER_TASKRUN;
}

static void ck_reason_names(const char *reason)
{
	ck_assert_msg(!strncmp(reason, "uring ", 6), "%s", reason);
	for (int i = 0; i < FLAGS; i++) {
		bool served = kernel.served & flags[i].flag;
		bool named = strstr(reason, flags[i].name) != NULL;

		ck_assert(!served || !(kernel.forbidden & flags[i].flag));
		ck_assert_msg(named == (!served && !makes_up(kernel.served,
							     flags[i].flag)),
			      "served %#x: %s", kernel.served, reason);
	}
}

START_TEST(with_fewer_flags_io_uring_serves_and_names_the_missing_ones)
{
	for (unsigned set = 0; set < 1 << FLAGS; set++) {
		char reason[200] = "";

		kernel.forbidden = 0;
		for (int i = 0; i < FLAGS; i++)
			kernel.forbidden |= set >> i & 1 ? flags[i].flag : 0;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		ck_reason_names(reason);
	}
}
END_TEST

START_TEST(one_missing_flag_costs_as_few_others_as_can_be)
{
	for (int i = 0; i < FLAGS; i++) {
		char reason[200] = "";

		kernel.forbidden = flags[i].flag;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		/* Those without which nothing else works are a matter of their own. */
		if (flags[i].flag == IORING_SETUP_TASKRUN_FLAG ||
		    flags[i].flag == IORING_SETUP_SINGLE_ISSUER)
			continue;
		for (int other = 0; other < FLAGS; other++) {
			bool coop =
				flags[other].flag == IORING_SETUP_COOP_TASKRUN;

			if (other != i && !coop)
				ck_assert(kernel.served & flags[other].flag);
		}
	}
}
END_TEST

START_TEST(everything_works_whatever_flags_there_are)
{
	for (int i = 0; i <= FLAGS; i++) {
		kernel.forbidden =
			i < FLAGS ? flags[i].flag : ~IORING_SETUP_CLAMP;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
	}
}
END_TEST

/*
 * Opcodes.
 */

static const int used[] = {
	IORING_OP_RECV,	   IORING_OP_SEND,     IORING_OP_RECVMSG,
	IORING_OP_SENDMSG, IORING_OP_ACCEPT,   IORING_OP_CONNECT,
	IORING_OP_WRITE,   IORING_OP_READV,    IORING_OP_WRITEV,
	IORING_OP_SPLICE,  IORING_OP_OPENAT,   IORING_OP_FSYNC,
	IORING_OP_STATX,   IORING_OP_UNLINKAT, IORING_OP_RENAMEAT,
	IORING_OP_MKDIRAT, IORING_OP_LINKAT,   IORING_OP_SYMLINKAT,
	IORING_OP_FALLOCATE,
};

enum { USED = sizeof(used) / sizeof(*used) };

static void was_used(int opcode)
{
	char needle[32];

	snprintf(needle, sizeof(needle), " op %d ", opcode);
	ck_assert_msg(strstr(sim_trace(), needle) != NULL,
		      "opcode %d was not used", opcode);
}

START_TEST(the_requests_below_are_the_ones_that_are_made)
{
	sim_trace_begin();
	ck_assert_int_eq(run_best(use_everything, "uring"), 0);
	for (int i = 0; i < USED; i++)
		was_used(used[i]);
}
END_TEST

START_TEST(an_opcode_that_is_refused_on_its_completion_is_performed_otherwise)
{
	kernel.restricts = true;
	for (int i = 0; i < USED; i++) {
		kernel.refused[used[i]] = true;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
		kernel.refused[used[i]] = false;
	}
}
END_TEST

START_TEST(all_of_them_may_be_refused_at_once)
{
	kernel.restricts = true;
	for (int i = 0; i < USED; i++)
		kernel.refused[used[i]] = true;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
}
END_TEST

START_TEST(an_opcode_that_the_kernel_lacks_is_performed_otherwise)
{
	for (int i = 0; i < USED; i++) {
		kernel.missing[used[i]] = true;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
		kernel.missing[used[i]] = false;
	}
	for (int i = 0; i < USED; i++)
		kernel.missing[used[i]] = true;
	ck_assert_int_eq(run_best(use_everything, "uring"), 0);
}
END_TEST

static int be_stuck(void *arg)
{
	while (sem_wait(arg))
		;
	return 0;
}

static int go_and_be_stuck(void *arg)
{
	return coil_to_thread(be_stuck, arg);
}

static int use_files_beside_what_is_stuck(void *arg)
{
	struct coil_task *tasks[1000];
	struct statx stat;
	sem_t gate;
	int fd;

	(void)arg;
	sem_init(&gate, 0, 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = coil_create_task(go_and_be_stuck, &gate);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	fd = coil_open("/tmp", O_RDONLY | O_DIRECTORY, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_statx(fd, ".", 0, STATX_TYPE, &stat), 0);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		sem_post(&gate);
	for (size_t i = 0; i < COUNT(tasks); i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
	return 0;
}

START_TEST(what_is_performed_on_threads_does_not_wait_for_functions_that_are_stuck)
{
	for (int i = 0; i < USED; i++)
		kernel.missing[used[i]] = true;
	ck_assert_int_eq(run_best(use_files_beside_what_is_stuck, NULL), 0);
}
END_TEST

/* What the backend itself cannot do without. */
static const struct { int opcode; const char *name; } essential[] = {
	{ IORING_OP_POLL_ADD, "POLL_ADD" },
	{ IORING_OP_TIMEOUT, "TIMEOUT" },
	{ IORING_OP_TIMEOUT_REMOVE, "TIMEOUT_REMOVE" },
	{ IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL" },
	{ IORING_OP_READ, "READ" },
};

enum { ESSENTIAL = sizeof(essential) / sizeof(*essential) };

START_TEST(where_an_essential_opcode_is_refused_epoll_serves_and_says_why)
{
	kernel.restricts = true;
	for (int i = 0; i < ESSENTIAL; i++) {
		char reason[200] = "";

		kernel.refused[essential[i].opcode] = true;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		ck_assert_msg(!strncmp(reason, "epoll uring: ", 13), "%s: %s",
			      essential[i].name, reason);
		ck_assert_msg(strstr(reason, "EACCES") != NULL, "%s", reason);
		ck_assert_int_eq(run_best(use_everything, "epoll"), 0);
		kernel.refused[essential[i].opcode] = false;
	}
}
END_TEST

START_TEST(where_an_essential_opcode_is_missing_epoll_serves_and_says_why)
{
	for (int i = 0; i < ESSENTIAL; i++) {
		char reason[200] = "", number[16];

		kernel.missing[essential[i].opcode] = true;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		snprintf(number, sizeof(number), " %d", essential[i].opcode);
		ck_assert_msg(!strncmp(reason, "epoll uring: ", 13), "%s",
			      reason);
		ck_assert_msg(strstr(reason, number) != NULL, "%s", reason);
		kernel.missing[essential[i].opcode] = false;
	}
}
END_TEST

START_TEST(an_backend_that_was_asked_for_by_name_is_not_replaced)
{
	kernel.without = IORING_FEAT_FAST_POLL;
	setenv("COIL_BACKEND", "uring", 1);
	ck_assert_int_eq(coil_run(give, NULL), -ENOSYS);
}
END_TEST

/*
 * An idle loop is not one that waits for a disk.
 */

static int sleep_thrice(void *arg)
{
	(void)arg;
	kernel.naps = kernel.other_naps = 0;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_sleep(MS), 0);
	return 0;
}

START_TEST(a_loop_that_sleeps_is_not_counted_as_waiting_for_a_disk)
{
	ck_assert_int_eq(coil_run(sleep_thrice, NULL), 0);
	if (!(kernel.features & IORING_FEAT_NO_IOWAIT)) {
		printf("the kernel has no IORING_ENTER_NO_IOWAIT: not tried\n");
		return;
	}
	ck_assert_uint_ge(kernel.naps, 3);
	ck_assert_uint_eq(kernel.other_naps, 0);
}
END_TEST

START_TEST(where_the_kernel_cannot_be_told_so_a_loop_sleeps_all_the_same)
{
	kernel.without = IORING_FEAT_NO_IOWAIT;
	ck_assert_int_eq(coil_run(sleep_thrice, NULL), 0);
	ck_assert_uint_eq(kernel.naps, 0);
	ck_assert_uint_ge(kernel.other_naps, 3);
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_but_on("uring", "it is about io_uring"))
		return NULL;
	/* The tests restrict rings themselves. */
	unsetenv("COIL_TEST_RESTRICT");
	whole = suite_create("fallback");
	tests = tcase_create("fallback");
	tcase_add_test(tests,
		       where_io_uring_setup_is_refused_epoll_serves_and_says_why);
	tcase_add_test(tests, without_fast_poll_epoll_serves);
	tcase_add_test(tests,
		       with_fewer_flags_io_uring_serves_and_names_the_missing_ones);
	tcase_add_test(tests, one_missing_flag_costs_as_few_others_as_can_be);
	tcase_add_test(tests, everything_works_whatever_flags_there_are);
	tcase_add_test(tests, the_requests_below_are_the_ones_that_are_made);
	tcase_add_test(tests,
		       an_opcode_that_is_refused_on_its_completion_is_performed_otherwise);
	tcase_add_test(tests, all_of_them_may_be_refused_at_once);
	tcase_add_test(tests,
		       an_opcode_that_the_kernel_lacks_is_performed_otherwise);
	tcase_add_test(tests,
		       what_is_performed_on_threads_does_not_wait_for_functions_that_are_stuck);
	tcase_add_test(tests,
		       where_an_essential_opcode_is_refused_epoll_serves_and_says_why);
	tcase_add_test(tests,
		       where_an_essential_opcode_is_missing_epoll_serves_and_says_why);
	tcase_add_test(tests,
		       an_backend_that_was_asked_for_by_name_is_not_replaced);
	tcase_add_test(tests, a_loop_that_sleeps_is_not_counted_as_waiting_for_a_disk);
	tcase_add_test(tests, where_the_kernel_cannot_be_told_so_a_loop_sleeps_all_the_same);
	suite_add_tcase(whole, tests);
	return whole;
}
