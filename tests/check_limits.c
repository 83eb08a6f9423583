/* SPDX-License-Identifier: MIT */
/*
 * Rings within limits: of locked memory, of which a user has little and which the kernel
 * frees late; and of operations, for rings restricted to those that coil uses.
 */
#include "tests/everything.h"
#include "core/loop/loop.h"
#include "core/backend/op.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

static struct {
	unsigned forbidden;		/* set-up flags that are EINVAL */
	unsigned no_memory;		/* set-ups that fail with ENOMEM */
	unsigned room;			/* more completions do not fit; 0: all do */
	unsigned completions;		/* that the last ring has room for */
	unsigned set_ups;
} kernel;

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params)
{
	if (params->flags & kernel.forbidden)
		return -EINVAL;
	kernel.set_ups++;
	if (kernel.no_memory) {
		kernel.no_memory--;
		return -ENOMEM;
	}
	if (kernel.room && params->cq_entries > kernel.room)
		return -ENOMEM;
	kernel.completions = params->cq_entries;
	return __real_io_uring_queue_init_params(entries, ring, params);
}

/*
 * Memory.
 */

/* 1 GiB of locked memory: a limit, if one that is not met. */
static void limit_memory(void)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (limit.rlim_max > 1 << 30)
		limit.rlim_max = 1 << 30;
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

START_TEST(a_ring_waits_for_memory_that_comes_back_late)
{
	char reason[200] = "";

	for (unsigned n = 1; n <= 4; n++) {
		kernel.no_memory = n;
		kernel.set_ups = 0;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		ck_assert_str_eq(reason, "uring the best there is");
		ck_assert_uint_eq(kernel.set_ups, n + 1);
		ck_assert_uint_eq(kernel.completions, 4096);
	}
}
END_TEST

START_TEST(where_memory_is_short_the_completion_ring_is_small_and_the_reason_says_so)
{
	char reason[200] = "";

	kernel.room = 512;
	ck_assert_int_eq(run_best(copy_reason, reason), 0);
	ck_assert_str_eq(reason, "uring io_uring with a completion ring of 512 entries "
				 "(RLIMIT_MEMLOCK)");
	ck_assert_int_eq(run_best(use_everything, "uring"), 0);
	kernel.forbidden = IORING_SETUP_DEFER_TASKRUN;
	ck_assert_int_eq(run_best(copy_reason, reason), 0);
	ck_assert_str_eq(reason, "uring io_uring without DEFER_TASKRUN, with a completion ring "
				 "of 512 entries (RLIMIT_MEMLOCK)");
}
END_TEST

START_TEST(where_there_is_no_memory_for_a_ring_epoll_serves_and_names_the_limit)
{
	char reason[200] = "", *named;

	limit_memory();
	kernel.room = 1;
	ck_assert_int_eq(run_best(copy_reason, reason), 0);
	named = strstr(reason, "epoll uring: io_uring_setup: ENOMEM (RLIMIT_MEMLOCK is ");
	ck_assert_msg(named == reason && strstr(reason, " KiB)"), "%s", reason);
}
END_TEST

/* A user that no other process has, with room for about ten rings. */
static void be_limited(void)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };
	unsigned id = 100000 + (unsigned)getpid();

	if (getuid() || setgid(id) || setuid(id) || setrlimit(RLIMIT_MEMLOCK, &limit))
		_exit(77);
}

static void run_in_a_row(void *arg)
{
	(void)arg;
	be_limited();
	for (int i = 0; i < 200; i++) {
		if (coil_run(give, INT(7)) != 7)
			_exit(1);
	}
}

START_TEST(more_runs_in_a_row_than_the_limit_has_rings_for_all_have_a_ring)
{
	char said[1000];

	ends_well(run_in_a_row, NULL, said, sizeof(said), "only root can be a user of its own");
}
END_TEST

/*
 * Restrictions.
 */

static const struct uring *ring_of_this_loop(void)
{
	return coil_current_loop()->io.data;
}

static int use_everything_in_the_ring(void *arg)
{
	const struct uring *uring = ring_of_this_loop();
	bool refused[256];

	memcpy(refused, uring->refused, sizeof(refused));
	use_everything("uring");
	ck_assert_mem_eq(refused, uring->refused, sizeof(refused));
	return *(int *)arg;
}

static int run_restricted(int (*fn)(void *arg), void *arg)
{
	const struct coil_options options = { .restrict_ring = true };

	unsetenv("COIL_BACKEND");
	return coil_run_with(&options, fn, arg);
}

START_TEST(a_restricted_ring_allows_all_that_coil_uses)
{
	int seven = 7;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_restricted(use_everything_in_the_ring, &seven), 7);
}
END_TEST

/* Counts the threads that the kernel has for this process's rings. */
static int workers(void)
{
	DIR *folder = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		char path[300], name[16] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n += fd >= 0 && read(fd, name, sizeof(name)) > 8 && !memcmp(name, "iou-wrk-", 8);
		close(fd);
	}
	closedir(folder);
	return n;
}

static int open_one(void *arg)
{
	int fd;

	(void)arg;
	ck_assert_int_eq(workers(), 0);
	fd = coil_open("/proc/self/exe", O_RDONLY, 0);
	ck_assert_int_ge(fd, 0);
	coil_close(fd);
	return workers();
}

START_TEST(a_restricted_ring_opens_files_in_a_thread_of_the_kernel)
{
	ck_assert_int_ge(run_restricted(open_one, NULL), 1);
}
END_TEST

static int advise(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct op op = {0};

	io_uring_prep_madvise(&op.sqe, page, sizeof(page), MADV_NORMAL);
	return (int)coil__op_run(&op);
}

static int do_what_is_foreign(void *arg)
{
	int fd = ring_of_this_loop()->ring.ring_fd;
	int event_fd = eventfd(0, EFD_CLOEXEC), *results = arg;

	results[0] = advise();
	results[1] = syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &event_fd, 1)
			     ? -errno
			     : 0;
	close(event_fd);
	return 0;
}

START_TEST(a_restricted_ring_refuses_what_coil_does_not_use)
{
	int results[2] = {0};

	ck_assert_int_eq(run_best(do_what_is_foreign, results), 0);
	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(results[1], 0);
	ck_assert_int_eq(run_restricted(do_what_is_foreign, results), 0);
	ck_assert_int_eq(results[0], -EACCES);
	ck_assert_int_eq(results[1], -EACCES);
}
END_TEST

static void run_where_no_ring_can_be_restricted(void *arg)
{
	char reason[200] = "";

	(void)arg;
	if (refuse_call_of(__NR_io_uring_register, 1, IORING_REGISTER_RESTRICTIONS, EINVAL))
		_exit(77);
	if (run_best(copy_reason, reason) || strcmp(reason, "uring the best there is"))
		_exit(1);
	if (run_restricted(copy_reason, reason))
		_exit(2);
	dprintf(STDERR_FILENO, "%s", reason);
}

START_TEST(where_no_ring_can_be_restricted_epoll_serves_and_says_why)
{
	char said[1000];

	if (!ends_well(run_where_no_ring_can_be_restricted, NULL, said, sizeof(said), NO_FILTER))
		return;
	ck_assert_str_eq(said, "epoll uring: io_uring cannot be restricted: EINVAL");
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
	whole = suite_create("limits");
	tests = tcase_create("memory");
	tcase_add_test(tests, a_ring_waits_for_memory_that_comes_back_late);
	tcase_add_test(
		tests,
		where_memory_is_short_the_completion_ring_is_small_and_the_reason_says_so);
	tcase_add_test(tests,
		       where_there_is_no_memory_for_a_ring_epoll_serves_and_names_the_limit);
	tcase_add_test(tests,
		       more_runs_in_a_row_than_the_limit_has_rings_for_all_have_a_ring);
	suite_add_tcase(whole, tests);
	tests = tcase_create("restrictions");
	tcase_add_test(tests, a_restricted_ring_allows_all_that_coil_uses);
	tcase_add_test(tests, a_restricted_ring_opens_files_in_a_thread_of_the_kernel);
	tcase_add_test(tests, a_restricted_ring_refuses_what_coil_does_not_use);
	tcase_add_test(tests, where_no_ring_can_be_restricted_epoll_serves_and_says_why);
	suite_add_tcase(whole, tests);
	return whole;
}
