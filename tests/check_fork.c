/* SPDX-License-Identifier: MIT */
#include "tests/tasks.h"
#include "core/task/lock.h"
#include "core/task/loop.h"
#include <coil/file.h>
#include <coil/socket.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MS COIL_MILLISECOND

static int in_new_run(void *arg)
{
	struct nap own = { .ns = MS, .result = 3 };

	return coil_await(start(nap, &own));
}

static bool has_ring_or_epoll(void)
{
	char path[32], file[64];

	for (int fd = 0; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, file, sizeof(file) - 1);
		if (n < 0)
			continue;
		file[n] = 0;
		if (strstr(file, "eventpoll") || strstr(file, "io_uring"))
			return true;
	}
	return false;
}

/* What the child of a fork finds; its status says which assertion failed. */
static void be_child(struct coil_task *other, const int fds[2])
{
	int ends[2];

	if (coil_sleep(MS) != -EPERM || coil_yield() != -EPERM ||
	    coil_check() != -EPERM)
		_exit(1);
	if (coil_current_task() || coil_all_tasks(NULL, 0) ||
	    coil_backend_name())
		_exit(2);
	if (coil_await(other) != -EPERM || coil_cancel(other))
		_exit(3);
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0 && fcntl(fds[i], F_GETFD) >= 0)
			_exit(4);
	}
	if (has_ring_or_epoll())
		_exit(7);
	if (coil_run(in_new_run, NULL) != 3)
		_exit(5);
	if (pipe(ends))
		_exit(6);
	_exit(0);
}

/*
 * Locks.  A thread holds one while another thread forks.
 */

struct holder {
	enum process_lock lock;
	sem_t held;
};

static void *hold_lock(void *arg)
{
	const struct timespec moment = { .tv_nsec = 20 * MS };
	struct holder *holder = arg;

	coil__lock(holder->lock);
	sem_post(&holder->held);
	nanosleep(&moment, NULL);
	coil__unlock(holder->lock);
	return NULL;
}

static void take_all_locks(void)
{
	alarm(20);
	for (enum process_lock lock = 0; lock < PROCESS_LOCKS; lock++) {
		coil__lock(lock);
		coil__unlock(lock);
	}
	_exit(coil_run(in_new_run, NULL) == 3 ? 0 : 1);
}

START_TEST(the_child_of_a_fork_finds_every_lock_free_and_may_run_a_loop)
{
	struct holder holder;
	pthread_t thread;
	int status;
	pid_t pid;

	ck_assert_int_eq(sem_init(&holder.held, 0, 0), 0);
	for (holder.lock = 0; holder.lock < PROCESS_LOCKS; holder.lock++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, hold_lock, &holder), 0);
		sem_wait(&holder.held);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			take_all_locks();
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0, "lock %u: status %#x", holder.lock, (unsigned)status);
		pthread_join(thread, NULL);
	}
	sem_destroy(&holder.held);
}
END_TEST

static int count_turns(void *arg)
{
	while (!coil_sleep(100 * COIL_MICROSECOND))
		++*(int *)arg;
	return 0;
}

COIL_TEST(the_child_of_a_fork_has_no_loop_and_may_run_another)
{
	int turns = 0, status;
	struct coil_task *other = start(count_turns, &turns);
	int fds[2] = { coil__loop->io.backend_fds[0], coil__loop->io.backend_fds[1] };
	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	pid_t pid;

	/* The ring asks of a file whether it can be polled, by an fd of its own. */
	ck_assert_int_eq(coil_pwrite(file, "x", 1, 0), 1);
	ck_assert_int_eq(coil_close(file), 0);
	settle();
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		be_child(other, fds);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* The parent goes on as if nothing had been. */
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_gt(turns, 0);
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), 0);
}

static int return_from_child(void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		return 0;
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		kill(getpid(), WTERMSIG(status));
	return 0;
}

START_TEST(a_child_of_a_fork_that_returns_from_its_task_dies_by_name)
{
	dies(return_from_child, SIGABRT, "main");
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("fork");
	TCase *tests = tcase_create("fork");

	tcase_add_test(tests, the_child_of_a_fork_finds_every_lock_free_and_may_run_a_loop);
	tcase_add_test(tests,
		       the_child_of_a_fork_has_no_loop_and_may_run_another);
	tcase_add_test(tests,
		       a_child_of_a_fork_that_returns_from_its_task_dies_by_name);
	suite_add_tcase(whole, tests);
	return whole;
}
