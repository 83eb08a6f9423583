/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "tests/ops.h"
#include "core/backend/pool.h"
#include "core/task/sanitize.h"
#include "tests/sockets.h"
#include <coil/file.h>
#include <coil/thread.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef COIL_TSAN
#define THREAD_SANITIZED true
#else
#define THREAD_SANITIZED false
#endif

enum { THREADS_MAX = 32, DETACHED_MAX = 16 };

/*
 * Waits for what other threads do, in real time: to a loop with simulated time a
 * thread that has a job is a reason not to let any pass.
 */
#define until_real(condition)						\
	do {								\
		for (int i_ = 0; !(condition) && i_ < 2000; i_++)	\
			look_around();					\
		ck_assert(condition);					\
	} while (0)

static void look_around(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(coil_yield(), 0);
}

/* ThreadSanitizer has one of its own that comes and goes. */
static int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = -2;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A job that waits at a gate, if it has one. */
struct work {
	struct job job;
	sem_t *gate;
	atomic_int *running;
	atomic_int began;	/* its place among those that began */
	atomic_bool signals;	/* whether it could receive one */
	pthread_t thread;
	int done;		/* its place among those that ended */
};

static atomic_int begun;
static int ended;

static void work(struct job *job)
{
	struct work *own = container_of(job, struct work, job);
	sigset_t mask;

	own->began = ++begun;
	own->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	own->signals = !sigismember(&mask, SIGINT) || !sigismember(&mask, SIGCHLD) ||
		       !sigismember(&mask, SIGPIPE);
	if (own->gate)
		sem_wait(own->gate);
}

static void done(struct coil_loop *loop, struct job *job)
{
	struct work *own = container_of(job, struct work, job);

	ck_assert_ptr_eq(loop, coil__loop);
	own->done = ++ended;
}

static int submit_to(enum pool_lane lane, struct work *own, sem_t *gate)
{
	memset(own, 0, sizeof(*own));
	own->job.work = work;
	own->job.done = done;
	own->job.lane = lane;
	own->gate = gate;
	return coil__pool_submit(coil__loop, &own->job);
}

static int submit(struct work *own, sem_t *gate)
{
	return submit_to(POOL_FUNCTIONS, own, gate);
}

COIL_TEST(a_job_runs_on_another_thread_that_no_signal_reaches)
{
	struct work own;

	ck_assert_int_eq(submit(&own, NULL), 0);
	ck_assert_uint_eq(coil__loop->io.jobs, 1);
	until_real(own.done);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	ck_assert(!pthread_equal(own.thread, pthread_self()));
	ck_assert(!own.signals);
}

COIL_TEST(one_job_after_another_needs_one_thread)
{
	struct work own;
	unsigned long before = support_threads();

	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(submit(&own, NULL), 0);
		until_real(own.done);
	}
	ck_assert_uint_eq(support_threads(), before + 1);
}

COIL_TEST(so_many_jobs_run_at_once_and_the_others_begin_in_order)
{
	struct work own[THREADS_MAX + 8];
	sem_t gate;
	unsigned long before = support_threads();

	sem_init(&gate, 0, 0);
	for (int i = 0; i < THREADS_MAX + 8; i++)
		ck_assert_int_eq(submit(&own[i], &gate), 0);
	until_real(begun == THREADS_MAX);
	look_around();
	ck_assert_int_eq(begun, THREADS_MAX);
	ck_assert_uint_eq(support_threads(), before + THREADS_MAX);
	for (int i = 0; i < 8; i++) {
		sem_post(&gate);
		until_real(own[THREADS_MAX + i].began);
		ck_assert_int_eq(own[THREADS_MAX + i].began, THREADS_MAX + i + 1);
	}
	for (int i = 0; i < THREADS_MAX; i++)
		sem_post(&gate);
	until_real(ended == THREADS_MAX + 8);
	ck_assert_uint_eq(support_threads(), before + THREADS_MAX);
}

COIL_TEST(a_job_that_has_not_begun_can_be_taken_back)
{
	struct work own[THREADS_MAX + 2];
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < THREADS_MAX + 2; i++)
		ck_assert_int_eq(submit(&own[i], &gate), 0);
	until_real(begun == THREADS_MAX);
	ck_assert(coil__pool_remove(coil__loop, &own[THREADS_MAX].job));
	ck_assert(!coil__pool_remove(coil__loop, &own[THREADS_MAX].job));
	ck_assert(!coil__pool_remove(coil__loop, &own[0].job));
	ck_assert_uint_eq(coil__loop->io.jobs, THREADS_MAX + 1);
	for (int i = 0; i < THREADS_MAX + 1; i++)
		sem_post(&gate);
	until_real(ended == THREADS_MAX + 1);
	ck_assert_int_eq(own[THREADS_MAX].began, 0);
	ck_assert_int_eq(own[THREADS_MAX].done, 0);
	ck_assert_int_eq(own[THREADS_MAX + 1].began, THREADS_MAX + 1);
}

static int leave_a_job(void *arg)
{
	static struct work own;

	return submit(&own, NULL);
}

START_TEST(coil_run_waits_for_jobs_and_ends_the_threads)
{
	int before = threads();

	support_run(leave_a_job);
	ck_assert_int_eq(ended, 1);
	ck_assert(threads() == before || THREAD_SANITIZED);
}
END_TEST

COIL_TEST(without_memory_or_threads_a_job_is_refused)
{
	struct work own;

	support_fail_allocation(1);
	ck_assert_int_eq(submit(&own, NULL), -ENOMEM);
	support_fail_threads(true);
	ck_assert_int_eq(submit(&own, NULL), -EAGAIN);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	support_fail_threads(false);
	ck_assert_int_eq(submit(&own, NULL), 0);
	until_real(own.done);
}

COIL_TEST(with_one_thread_more_jobs_wait_for_it)
{
	struct work own[3];
	sem_t gate;

	sem_init(&gate, 0, 0);
	ck_assert_int_eq(submit(&own[0], &gate), 0);
	support_fail_threads(true);
	ck_assert_int_eq(submit(&own[1], NULL), 0);
	ck_assert_int_eq(submit(&own[2], NULL), 0);
	sem_post(&gate);
	until_real(ended == 3);
	ck_assert_int_eq(own[2].done, 3);
	support_fail_threads(false);
}

/*
 * Ops.
 */

static void prepare_sync(struct own_op *own)
{
	memset(own, 0, sizeof(*own));
	own->op.complete = note_completion;
	own->op.sqe.opcode = IORING_OP_FSYNC;
	own->op.sqe.fd = open("/tmp", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(own->op.sqe.fd, 0);
}

COIL_TEST(an_op_that_has_not_begun_ends_within_its_cancel)
{
	struct work own[THREADS_MAX];
	struct own_op sync;
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < THREADS_MAX; i++)
		ck_assert_int_eq(submit_to(POOL_OPS, &own[i], &gate), 0);
	until_real(begun == THREADS_MAX);
	prepare_sync(&sync);
	coil__loop->io.ops++;
	ck_assert_int_eq(coil__pool_syscall(coil__loop, &sync.op), 0);
	look_around();
	ck_assert_int_eq(sync.count, 0);
	ck_assert(coil__pool_cancel(coil__loop, &sync.op));
	ck_assert_int_eq(sync.count, 1);
	ck_assert_int_eq(sync.last, -ECANCELED);
	for (int i = 0; i < THREADS_MAX; i++)
		sem_post(&gate);
	until_real(ended == THREADS_MAX);
	close(sync.op.sqe.fd);
}

COIL_TEST(an_op_that_has_ended_cannot_be_cancelled_and_its_result_stands)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct own_op sync;

	prepare_sync(&sync);
	coil__loop->io.ops++;
	ck_assert_int_eq(coil__pool_syscall(coil__loop, &sync.op), 0);
	nanosleep(&moment, NULL);
	ck_assert(!coil__pool_cancel(coil__loop, &sync.op));
	ck_assert_int_eq(sync.count, 0);
	until_real(sync.count == 1);
	ck_assert_int_eq(sync.last, 0);
	close(sync.op.sqe.fd);
}

/*
 * Functions of the user's that never end hold up nothing but each other.
 */

enum { STUCK = 1000 };

static atomic_int stuck;

static int be_stuck(void *arg)
{
	stuck++;
	while (sem_wait(arg))
		;
	return 0;
}

static int go_and_be_stuck(void *arg)
{
	return coil_to_thread(be_stuck, arg);
}

static void close_a_socket_that_lingers(void)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 10 };
	int fds[2];

	tcp_pair(fds);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger,
				    sizeof(linger)), 0);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
}

static void use_a_file(void)
{
	char path[] = "/tmp/coil-pool-XXXXXX", bytes[8];
	int fd = mkostemp(path, O_CLOEXEC);
	struct statx stat;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_pwrite(fd, "12345678", 8, 0), 8);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_pread(fd, bytes, sizeof(bytes), 0), 8);
	ck_assert_int_eq(coil_statx(AT_FDCWD, path, 0, STATX_SIZE, &stat), 0);
	ck_assert_uint_eq(stat.stx_size, 8);
	ck_assert_int_eq(coil_unlinkat(AT_FDCWD, path, 0), 0);
	ck_assert_int_eq(coil_close(fd), 0);
}

COIL_TEST(a_thousand_functions_that_are_stuck_stop_no_file_call_and_no_close)
{
	struct coil_task *tasks[STUCK];
	unsigned long before = support_threads();
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < STUCK; i++) {
		tasks[i] = coil_create_task(go_and_be_stuck, &gate);
		ck_assert_ptr_nonnull(tasks[i]);
	}
	until_real(stuck == THREADS_MAX);
	use_a_file();
	close_a_socket_that_lingers();
	ck_assert_int_eq(stuck, THREADS_MAX);
	ck_assert_uint_lt(support_threads(), before + 2 * THREADS_MAX);
	for (int i = 0; i < STUCK; i++)
		sem_post(&gate);
	for (int i = 0; i < STUCK; i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
	ck_assert_int_eq(stuck, STUCK);
}

static int count_one(void *arg)
{
	return ++*(atomic_int *)arg;
}

COIL_TEST(ops_that_a_disk_does_not_answer_stop_no_function_and_no_close)
{
	struct work own[THREADS_MAX + 1];
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < THREADS_MAX + 1; i++)
		ck_assert_int_eq(submit_to(POOL_OPS, &own[i], &gate), 0);
	until_real(begun == THREADS_MAX);
	close_a_socket_that_lingers();
	ck_assert_int_eq(coil_to_thread(count_one, &stuck), 1);
	ck_assert_int_eq(begun, THREADS_MAX);
	for (int i = 0; i < THREADS_MAX + 1; i++)
		sem_post(&gate);
	until_real(ended == THREADS_MAX + 1);
}

/*
 * Detached jobs.
 */

struct lookup {
	struct abandonable_job job;
	sem_t *gate;
	int number;
};

static atomic_int looking, released;
static int found;

static void look_up(struct abandonable_job *job)
{
	struct lookup *own = container_of(job, struct lookup, job);

	looking++;
	if (own->gate)
		while (sem_wait(own->gate))
			;
}

static void found_it(struct coil_loop *loop, struct abandonable_job *job)
{
	ck_assert_ptr_eq(loop, coil__loop);
	found++;
	free(container_of(job, struct lookup, job));
}

static void release(struct abandonable_job *job)
{
	free(container_of(job, struct lookup, job));
	released++;
}

static struct lookup *start_lookup(sem_t *gate)
{
	struct lookup *own = calloc(1, sizeof(*own));

	own->job.work = look_up;
	own->job.done = found_it;
	own->job.release = release;
	own->gate = gate;
	if (!coil__pool_abandonable(coil__loop, &own->job))
		return own;
	free(own);
	return NULL;
}

COIL_TEST(a_detached_job_reports_to_the_loop)
{
	ck_assert_ptr_nonnull(start_lookup(NULL));
	ck_assert_uint_eq(coil__loop->io.jobs, 1);
	until_real(found == 1);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	ck_assert_int_eq(released, 0);
}

COIL_TEST(a_few_run_at_a_time_and_do_not_hold_up_the_pool)
{
	struct work own;
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < DETACHED_MAX + 4; i++)
		ck_assert_ptr_nonnull(start_lookup(&gate));
	until_real(looking == DETACHED_MAX);
	ck_assert_int_eq(submit(&own, NULL), 0);
	until_real(own.done);
	ck_assert_int_eq(looking, DETACHED_MAX);
	for (int i = 0; i < DETACHED_MAX + 4; i++)
		sem_post(&gate);
	until_real(found == DETACHED_MAX + 4);
}

COIL_TEST(one_that_waits_is_released_when_it_is_abandoned)
{
	struct lookup *last;
	sem_t gate;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < DETACHED_MAX; i++)
		ck_assert_ptr_nonnull(start_lookup(&gate));
	last = start_lookup(&gate);
	ck_assert_ptr_nonnull(last);
	coil__pool_abandon(&last->job);
	ck_assert_int_eq(released, 1);
	ck_assert_uint_eq(coil__loop->io.jobs, DETACHED_MAX);
	for (int i = 0; i < DETACHED_MAX; i++)
		sem_post(&gate);
	until_real(found == DETACHED_MAX);
	ck_assert_int_eq(released, 1);
	ck_assert_int_eq(looking, DETACHED_MAX);
}

COIL_TEST(one_that_has_ended_but_not_arrived_can_be_abandoned)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct lookup *own = start_lookup(NULL);

	ck_assert_ptr_nonnull(own);
	nanosleep(&moment, NULL);
	coil__pool_abandon(&own->job);
	until_real(released == 1);
	ck_assert_int_eq(found, 0);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
}

static sem_t late;

static int abandon_one(void *arg)
{
	struct lookup *own = start_lookup(&late);

	ck_assert_ptr_nonnull(own);
	until_real(looking == 1);
	coil__pool_abandon(&own->job);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	return 0;
}

START_TEST(nobody_waits_for_one_that_was_abandoned)
{
	sem_init(&late, 0, 0);
	support_run(abandon_one);
	ck_assert_int_eq(released, 0);
	sem_post(&late);
	/* The ledger waits for its block to be freed. */
}
END_TEST

START_TEST(neither_does_exit)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		sem_init(&late, 0, 0);
		support_run(abandon_one);
		exit(7);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

static int look_up_once(void *arg)
{
	ck_assert_ptr_nonnull(start_lookup(NULL));
	until_real(found == 1);
	return 0;
}

static int fork_while_full(void *arg)
{
	int status;
	sem_t gate;
	pid_t pid;

	sem_init(&gate, 0, 0);
	for (int i = 0; i < DETACHED_MAX + 1; i++)
		ck_assert_ptr_nonnull(start_lookup(&gate));
	until_real(looking == DETACHED_MAX);
	pid = fork();
	if (!pid) {
		/* None of those that fill the process is in this one. */
		_exit(coil_run(look_up_once, NULL));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < DETACHED_MAX + 1; i++)
		sem_post(&gate);
	until_real(found == DETACHED_MAX + 1);
	return 0;
}

START_TEST(the_child_of_a_fork_has_threads_of_its_own)
{
	/* Which ThreadSanitizer does not allow. */
	if (THREAD_SANITIZED)
		return;
	support_run(fork_while_full);
}
END_TEST

COIL_TEST(without_threads_a_detached_job_is_refused)
{
	support_fail_threads(true);
	ck_assert_ptr_null(start_lookup(NULL));
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	support_fail_threads(false);
}

Suite *suite(void)
{
	Suite *pool = suite_create("pool");
	TCase *tests = tcase_create("pool");

	tcase_add_test(tests, a_job_runs_on_another_thread_that_no_signal_reaches);
	tcase_add_test(tests, one_job_after_another_needs_one_thread);
	tcase_add_test(tests, so_many_jobs_run_at_once_and_the_others_begin_in_order);
	tcase_add_test(tests, a_job_that_has_not_begun_can_be_taken_back);
	tcase_add_test(tests, coil_run_waits_for_jobs_and_ends_the_threads);
	tcase_add_test(tests, without_memory_or_threads_a_job_is_refused);
	tcase_add_test(tests, with_one_thread_more_jobs_wait_for_it);
	tcase_add_test(tests, an_op_that_has_not_begun_ends_within_its_cancel);
	tcase_add_test(tests, an_op_that_has_ended_cannot_be_cancelled_and_its_result_stands);
	tcase_add_test(tests, a_thousand_functions_that_are_stuck_stop_no_file_call_and_no_close);
	tcase_add_test(tests, ops_that_a_disk_does_not_answer_stop_no_function_and_no_close);
	tcase_add_test(tests, a_detached_job_reports_to_the_loop);
	tcase_add_test(tests, a_few_run_at_a_time_and_do_not_hold_up_the_pool);
	tcase_add_test(tests, one_that_waits_is_released_when_it_is_abandoned);
	tcase_add_test(tests, one_that_has_ended_but_not_arrived_can_be_abandoned);
	tcase_add_test(tests, nobody_waits_for_one_that_was_abandoned);
	tcase_add_test(tests, neither_does_exit);
	tcase_add_test(tests, the_child_of_a_fork_has_threads_of_its_own);
	tcase_add_test(tests, without_threads_a_detached_job_is_refused);
	suite_add_tcase(pool, tests);
	return pool;
}
