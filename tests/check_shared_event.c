/* SPDX-License-Identifier: MIT */
#include "core/task/loop.h"
#include "tests/events.h"
#include <coil/socket.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

COIL_TEST(one_that_is_not_zeroed_cannot_be_shared_nor_a_plain_one_closed)
{
	struct coil_event event = {0};
	int fd;

	ck_assert_int_eq(coil_event_close(&event), -EINVAL);
	ck_assert_int_eq(coil_event_fd(&event), -EINVAL);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_open(&event), -EINVAL);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert_int_eq(coil_event_open(&event), 0);
	fd = coil_event_fd(&event);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_event_open(&event), -EINVAL);
	ck_assert_int_eq(coil_event_from_fd(&event, fd), -EINVAL);
	ck_assert_int_eq(coil_event_fd(&event), fd);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_fd(&event), -EINVAL);
}

COIL_TEST(without_an_fd_to_be_had_it_stays_plain)
{
	struct coil_event event = {0};
	struct rlimit old, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(coil_event_open(&event), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(coil_event_fd(&event), -EINVAL);
	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
}

COIL_TEST(what_is_no_eventfd_is_refused_and_left_alone)
{
	struct coil_event event = {0};
	int ends[2], fd;
	char byte;

	ck_assert_int_eq(coil_event_from_fd(&event, -1), -EBADF);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_eq(coil_event_from_fd(&event, ends[0]), -EINVAL);
	ck_assert_int_eq(coil_event_from_fd(&event, ends[1]), -EINVAL);
	ck_assert_int_eq(read(ends[0], &byte, 1), -1);
	close(ends[0]);
	close(ends[1]);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	ck_assert_int_eq(coil_event_from_fd(&event, fd), -EINVAL);
	close(fd);
	fd = epoll_create1(0);
	ck_assert_int_eq(coil_event_from_fd(&event, fd), -EINVAL);
	close(fd);
	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
}

/* A foreign eventfd is blocking more often than not. */
COIL_TEST(an_eventfd_of_somebody_else_never_blocks_and_stays_open)
{
	struct coil_event event = {0};
	const uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, 0);

	ck_assert_int_eq(coil_event_from_fd(&event, fd), 0);
	ck_assert_int_eq(coil_event_fd(&event), fd);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert_int_eq(write(fd, &most, sizeof(most)), sizeof(most));
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
	ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	close(fd);
}

/* Edge-triggered, so that each call of those who wait in the kernel shows. */
COIL_TEST(an_event_from_an_eventfd_wakes_nobody_who_waits_for_that)
{
	struct epoll_event ready = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct coil_event event = {0};
	int fd = eventfd(0, 0), epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ready), 0);
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 1);
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 0);
	ck_assert_int_eq(coil_event_from_fd(&event, fd), 0);
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
	close(epoll);
	close(fd);
}

static void set_then_clear(void *event)
{
	ck_assert_int_eq(coil_event_set(event), 0);
	ck_assert_int_eq(coil_event_clear(event), 0);
}

/*
 * The first waiter has the eventfd watched before it waits itself.  With no budget left
 * the loop looks around at that moment, and makes a call that another thread sent.
 */
COIL_TEST(a_set_that_comes_while_the_first_waiter_gets_ready_wakes_it)
{
	struct coil_event event = {0};
	struct coil_timeout limit = {0};

	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_timeout_begin(&limit, ahead()), 0);
	ck_assert_int_eq(coil_call_soon_threadsafe(coil_current_loop(), set_then_clear, &event),
			 0);
	coil__loop->run.budget = 1;
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert_int_eq(coil_timeout_end(&limit), 0);
	settle();
	ck_assert_int_eq(coil_event_close(&event), 0);
}

COIL_TEST(an_eventfd_that_counts_down_is_cleared_whole)
{
	struct coil_event event = {0};
	int fd = eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK);

	ck_assert_int_eq(coil_event_from_fd(&event, fd), 0);
	ck_assert(coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_close(&event), 0);
	close(fd);
}

static int sleep_and_set(void *event)
{
	int err = coil_sleep(5 * COIL_MILLISECOND);

	return err ? err : coil_event_set(event);
}

COIL_TEST(two_events_on_one_eventfd_are_one_flag)
{
	struct coil_event event = {0}, twin = {0};
	struct coil_task *task;

	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_event_from_fd(&twin, coil_event_fd(&event)), 0);
	task = start(sleep_and_set, &twin);
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert(coil_event_is_set(&twin));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_event_close(&twin), 0);
	ck_assert_int_eq(coil_event_clear(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
}

COIL_TEST(a_write_from_elsewhere_wakes_all_in_order)
{
	struct coil_event event = {0};
	struct waiter waiters[4] = {
		WAITER("a", &event), WAITER("b", &event),
		WAITER("c", &event), WAITER("d", &event),
	};
	struct coil_task *tasks[4];
	const uint64_t one = 1;

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 4; i++)
		tasks[i] = start(wait_for, &waiters[i]);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(write(coil_event_fd(&event), &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(coil_gather(tasks, 4, NULL), 0);
	traced("a b c d");
	close_either(&event);
}

static int wait_and_clear(void *arg)
{
	struct waiter *waiter = arg;
	int err = wait_for(arg);

	ck_assert_int_eq(coil_event_clear(waiter->event), 0);
	return err;
}

COIL_TEST(the_first_to_wake_may_clear_it_and_the_others_wake_too)
{
	struct coil_event event = {0};
	struct waiter waiters[3] = {
		WAITER("a", &event), WAITER("b", &event), WAITER("c", &event),
	};
	struct coil_task *tasks[3];
	const uint64_t one = 1;

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(wait_and_clear, &waiters[i]);
	settle();
	ck_assert_int_eq(write(coil_event_fd(&event), &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(coil_gather(tasks, 3, NULL), 0);
	traced("a b c");
	ck_assert(!coil_event_is_set(&event));
	close_either(&event);
}

COIL_TEST(a_shared_event_that_tasks_wait_for_cannot_be_closed)
{
	struct coil_event event = {0};
	struct coil_task *task;

	ck_assert_int_eq(coil_event_open(&event), 0);
	task = start(wait_event, &event);
	settle();
	ck_assert_int_eq(coil_event_close(&event), -EBUSY);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_close(&event), 0);
	ck_assert_int_eq(coil_await(task), 0);
}

COIL_TEST(who_waits_when_the_eventfd_is_closed_is_told)
{
	struct coil_event event = {0};
	struct coil_task *tasks[2];
	int results[2], fd = eventfd(0, EFD_NONBLOCK);

	ck_assert_int_eq(coil_event_from_fd(&event, fd), 0);
	tasks[0] = start(wait_event, &event);
	tasks[1] = start(wait_event, &event);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, results), 0);
	ck_assert_int_eq(results[0], -EBADF);
	ck_assert_int_eq(results[1], -EBADF);
	ck_assert_int_eq(coil_event_set(&event), -EBADF);
	ck_assert_int_eq(coil_event_clear(&event), -EBADF);
	ck_assert(!coil_event_is_set(&event));
	ck_assert_int_eq(coil_event_close(&event), 0);
}

COIL_TEST(a_wait_without_memory_is_enomem_and_can_be_tried_again)
{
	struct coil_event event = {0};
	int err = -ENOMEM;

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (unsigned long n = 1; err == -ENOMEM; n++) {
		struct coil_task *task = start(wait_event, &event);

		ck_assert_uint_lt(n, 100);
		support_fail_allocation(n);
		settle();
		support_fail_allocation(0);
		if (coil_done(task)) {
			ck_assert_ptr_null(event.watcher);
			ck_assert_ptr_null(event.waiters.head);
			ck_assert_uint_eq(event.thread, 0);
		}
		ck_assert_int_eq(coil_event_set(&event), 0);
		err = coil_await(task);
		ck_assert(err == 0 || err == -ENOMEM);
		ck_assert_int_eq(coil_event_clear(&event), 0);
	}
	close_either(&event);
}

struct blink {
	struct coil_event *event;
	bool seen;
};

static void set_and_clear(void *arg)
{
	struct blink *blink = arg;

	blink->seen = true;
	ck_assert_int_eq(coil_event_set(blink->event), 0);
	ck_assert_int_eq(coil_event_clear(blink->event), 0);
}

/*
 * The loop runs the callback after a number of switches, so in some round in the
 * midst of a wait that is about to park.
 */
COIL_TEST(a_callback_that_sets_and_clears_it_wakes_who_called_before)
{
	struct coil_event event = {0};

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int round = 0; round < 140; round++) {
		struct blink blink = { &event, false };
		bool before;
		int err = 1;

		ck_assert_int_eq(coil_call_soon_threadsafe(coil_current_loop(),
							   set_and_clear, &blink), 0);
		for (int turns = round; turns; turns--)
			ck_assert_int_eq(coil_yield(), 0);
		before = blink.seen;
		COIL_TIMEOUT(COIL_MILLISECOND)
			err = coil_event_wait(&event);
		ck_assert(blink.seen);
		ck_assert_int_eq(err, before ? -ETIMEDOUT : 0);
	}
	close_either(&event);
}

static int wait_shielded(void *arg)
{
	int err = -1;

	COIL_SHIELD(COIL_FOREVER)
		err = wait_for(arg);
	return err;
}

COIL_TEST(a_shielded_waiter_is_woken_though_every_other_task_was_cancelled)
{
	struct coil_event event = {0};
	struct waiter waiters[2] = { WAITER("a", &event), WAITER("b", &event) };
	struct coil_task *tasks[2], *all[8];
	size_t n;

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 2; i++)
		tasks[i] = start(wait_shielded, &waiters[i]);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	n = coil_all_tasks(all, 8);
	ck_assert_uint_eq(n, 4);
	for (size_t i = 0; i < n; i++) {
		if (all[i] != coil_current_task())
			coil_cancel(all[i]);
	}
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	traced("");
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	ck_assert_int_eq(waiters[0].err, 0);
	ck_assert_int_eq(waiters[1].err, 0);
	close_either(&event);
}

static struct coil_event last_event;
static int last_result = 1;

static int wait_at_the_end(void *arg)
{
	COIL_SHIELD(COIL_FOREVER)
		last_result = coil_event_wait(&last_event);
	return 0;
}

static int set_at_the_end(void *arg)
{
	COIL_SHIELD(COIL_FOREVER) {
		ck_assert_int_eq(coil_sleep(10 * COIL_MILLISECOND), 0);
		ck_assert_int_eq(coil_event_set(&last_event), 0);
	}
	return 0;
}

static int leave_two_behind(void *arg)
{
	coil_detach(start(wait_at_the_end, NULL));
	coil_detach(start(set_at_the_end, NULL));
	return coil_sleep(COIL_MILLISECOND);
}

START_TEST(a_shielded_waiter_is_woken_though_the_loop_is_ending)
{
	ck_assert_int_eq(coil_event_open(&last_event), 0);
	support_run(leave_two_behind);
	ck_assert_int_eq(last_result, 0);
	ck_assert_int_eq(coil_event_close(&last_event), 0);
}
END_TEST

static int leave_one_behind(void *event)
{
	coil_detach(start(wait_event, event));
	return coil_sleep(COIL_MILLISECOND);
}

START_TEST(a_waiter_left_behind_ends_with_the_loop)
{
	struct coil_event event = {0};

	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(coil_run(leave_one_behind, &event), 0);
		ck_assert_ptr_null(event.watcher);
	}
	close_either(&event);
}
END_TEST

/*
 * From other threads, processes and signal handlers.
 */

static void *set_from_a_thread(void *event)
{
	usleep(2000);
	return INT(coil_event_set(event));
}

COIL_TEST(any_thread_may_set_a_shared_event)
{
	struct coil_event event = {0};
	pthread_t thread;
	void *result;

	if (support_skip_on("sim", "threads"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, set_from_a_thread, &event), 0);
		ck_assert_int_eq(coil_event_wait(&event), 0);
		ck_assert_int_eq(pthread_join(thread, &result), 0);
		ck_assert_ptr_null(result);
		ck_assert_int_eq(coil_event_clear(&event), 0);
	}
	close_either(&event);
}

static void *set_at_once(void *event)
{
	return INT(coil_event_set(event));
}

COIL_TEST(an_event_may_go_as_soon_as_a_thread_has_set_it)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	eventfd_t count;
	pthread_t thread;

	if (support_skip_on("sim", "threads")) {
		close(fd);
		return;
	}
	for (int i = 0; i < 200; i++) {
		struct coil_event *event = calloc(1, sizeof(*event));

		ck_assert_ptr_nonnull(event);
		ck_assert_int_eq(coil_event_from_fd(event, fd), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, set_at_once, event), 0);
		if (i % 2)
			ck_assert_int_eq(coil_sleep(10 * COIL_MICROSECOND), 0);
		ck_assert_int_eq(coil_event_wait(event), 0);
		ck_assert_int_eq(coil_event_close(event), 0);
		memset(event, 0xa5, sizeof(*event));
		free(event);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(eventfd_read(fd, &count), 0);
	}
	close(fd);
}

static int message;

static void *tell(void *event)
{
	message++;
	return INT(coil_event_set(event));
}

COIL_TEST(what_a_thread_did_before_it_set_it_is_seen_by_who_waited)
{
	struct coil_event event = {0};
	pthread_t thread;

	if (support_skip_on("sim", "threads"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 50; i++) {
		message = i;
		ck_assert_int_eq(pthread_create(&thread, NULL, tell, &event), 0);
		ck_assert_int_eq(coil_event_wait(&event), 0);
		ck_assert_int_eq(message, i + 1);
		message = 0;
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(coil_event_clear(&event), 0);
	}
	close_either(&event);
}

/* Meanwhile the loop's own tasks come, go and set it, in a race with the other. */
COIL_TEST(a_thread_that_sets_while_waiters_come_and_go_does_no_harm)
{
	struct coil_event event = {0};
	pthread_t thread;

	if (support_skip_on("sim", "threads"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	for (int i = 0; i < 200; i++) {
		struct coil_task *task = start(wait_event, &event);

		ck_assert_int_eq(pthread_create(&thread, NULL, set_from_a_thread, &event), 0);
		for (int turns = i % 7; turns; turns--)
			ck_assert_int_eq(coil_sleep(300 * COIL_MICROSECOND), 0);
		if (i % 3 == 0)
			coil_cancel(task);
		else if (i % 3 == 1)
			ck_assert_int_eq(coil_event_set(&event), 0);
		(void)coil_await(task);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(coil_event_clear(&event), 0);
	}
	close_either(&event);
}

COIL_TEST(another_process_sets_it_by_a_write)
{
	struct coil_event event = {0};
	const uint64_t one = 1;
	pid_t pid;

	if (support_skip_on("sim", "processes"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		usleep(2000);
		_exit(write(coil_event_fd(&event), &one, sizeof(one)) != sizeof(one));
	}
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close_either(&event);
}

/* The child inherits what looks like waiters of its own. */
COIL_TEST(a_forked_child_may_set_an_event_that_its_parent_waits_for)
{
	struct coil_event event = {0};
	struct waiter waiter = WAITER("w", &event);
	struct coil_task *task;
	pid_t pid;
	int status;

	if (support_skip_on("sim", "processes"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	task = start(wait_for, &waiter);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(coil_event_set(&event) ? 1 : event.waiters.head == NULL);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close_either(&event);
}

static int signal_fd;

static void write_on_signal(int number)
{
	const uint64_t one = 1;

	(void)number;
	(void)!write(signal_fd, &one, sizeof(one));
}

static int raise_later(void *arg)
{
	int err = coil_sleep(COIL_MILLISECOND);

	raise(SIGUSR1);
	return err;
}

COIL_TEST(a_signal_handler_sets_it_by_a_write)
{
	struct sigaction action = { .sa_handler = write_on_signal }, old;
	struct coil_event event = {0};
	struct coil_task *task;

	if (support_skip_on("sim", "signals"))
		return;
	ck_assert_int_eq(coil_event_open(&event), 0);
	signal_fd = coil_event_fd(&event);
	ck_assert_int_eq(sigaction(SIGUSR1, &action, &old), 0);
	task = start(raise_later, NULL);
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(sigaction(SIGUSR1, &old, NULL), 0);
	close_either(&event);
}

COIL_TEST(tasks_of_two_loops_wait_for_one_eventfd_but_not_with_one_struct)
{
	struct coil_event event = {0}, own = {0};
	struct abroad abroad;

	ck_assert_int_eq(coil_event_open(&event), 0);
	abroad_begin(&abroad, wait_event, &event);
	ck_assert_int_eq(coil_event_wait(&event), -EXDEV);
	ck_assert_int_eq(coil_event_close(&event), -EBUSY);
	ck_assert_int_eq(coil_event_from_fd(&own, coil_event_fd(&event)), 0);
	COIL_TIMEOUT(COIL_MILLISECOND)
		ck_assert_int_eq(coil_event_wait(&own), -ETIMEDOUT);
	ck_assert_int_eq(coil_event_set(&event), 0);
	ck_assert_int_eq(coil_event_wait(&event), 0);
	ck_assert_int_eq(coil_event_wait(&own), 0);
	(void)abroad_end(&abroad);
	ck_assert_int_eq(coil_event_close(&own), 0);
	close_either(&event);
}

Suite *suite(void)
{
	Suite *whole = suite_create("shared event");
	TCase *tests = tcase_create("shared event");

	tcase_add_test(tests, one_that_is_not_zeroed_cannot_be_shared_nor_a_plain_one_closed);
	tcase_add_test(tests, without_an_fd_to_be_had_it_stays_plain);
	tcase_add_test(tests, what_is_no_eventfd_is_refused_and_left_alone);
	tcase_add_test(tests, an_eventfd_of_somebody_else_never_blocks_and_stays_open);
	tcase_add_test(tests, an_event_from_an_eventfd_wakes_nobody_who_waits_for_that);
	tcase_add_test(tests, a_set_that_comes_while_the_first_waiter_gets_ready_wakes_it);
	tcase_add_test(tests, an_eventfd_that_counts_down_is_cleared_whole);
	tcase_add_test(tests, two_events_on_one_eventfd_are_one_flag);
	tcase_add_test(tests, a_write_from_elsewhere_wakes_all_in_order);
	tcase_add_test(tests, the_first_to_wake_may_clear_it_and_the_others_wake_too);
	tcase_add_test(tests, a_shared_event_that_tasks_wait_for_cannot_be_closed);
	tcase_add_test(tests, who_waits_when_the_eventfd_is_closed_is_told);
	tcase_add_test(tests, a_wait_without_memory_is_enomem_and_can_be_tried_again);
	tcase_add_test(tests, a_callback_that_sets_and_clears_it_wakes_who_called_before);
	tcase_add_test(tests, a_shielded_waiter_is_woken_though_every_other_task_was_cancelled);
	tcase_add_test(tests, a_shielded_waiter_is_woken_though_the_loop_is_ending);
	tcase_add_test(tests, a_waiter_left_behind_ends_with_the_loop);
	tcase_add_test(tests, any_thread_may_set_a_shared_event);
	tcase_add_test(tests, an_event_may_go_as_soon_as_a_thread_has_set_it);
	tcase_add_test(tests, what_a_thread_did_before_it_set_it_is_seen_by_who_waited);
	tcase_add_test(tests, a_thread_that_sets_while_waiters_come_and_go_does_no_harm);
	tcase_add_test(tests, another_process_sets_it_by_a_write);
	tcase_add_test(tests, a_forked_child_may_set_an_event_that_its_parent_waits_for);
	tcase_add_test(tests, a_signal_handler_sets_it_by_a_write);
	tcase_add_test(tests, tasks_of_two_loops_wait_for_one_eventfd_but_not_with_one_struct);
	suite_add_tcase(whole, tests);
	return whole;
}
