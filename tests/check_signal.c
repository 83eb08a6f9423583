/* SPDX-License-Identifier: MIT */
/*
 * Signals that tasks wait for.  Every test is a process of its own, whose
 * signals and mask are its own to change.
 */
#include "tests/sweep.h"
#include "tests/threads.h"
#include "io/signal.h"
#include <coil.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#define MS COIL_MILLISECOND

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

static sigset_t block(int a, int b)
{
	sigset_t set = set_of(a, b);

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	return set;
}

static bool is_pending(int number)
{
	sigset_t pending;

	ck_assert_int_eq(sigpending(&pending), 0);
	return sigismember(&pending, number) == 1;
}

static void send_value(int number, int value)
{
	union sigval sigval = { .sival_int = value };

	ck_assert_int_eq(sigqueue(getpid(), number, sigval), 0);
}

static int nothing_comes(const sigset_t *set)
{
	int number = 0;

	COIL_TIMEOUT(5 * MS)
		number = coil_signal_wait(set, NULL);
	return number;
}

/* A task that waits for one signal. */
struct waits {
	sigset_t set;
	siginfo_t info;
	int number;
	int place; /* how many had one before */
};

static int places;

static int wait_for_one(void *arg)
{
	struct waits *own = arg;

	own->number = coil_signal_wait(&own->set, &own->info);
	own->place = places++;
	return own->number < 0 ? own->number : 0;
}

COIL_TEST(a_signal_that_is_pending_is_taken_at_once_with_its_info)
{
	sigset_t set = block(SIGRTMIN, SIGUSR1);
	siginfo_t info;

	send_value(SIGRTMIN, 42);
	ck_assert_int_eq(coil_signal_wait(&set, &info), SIGRTMIN);
	ck_assert_int_eq(info.si_signo, SIGRTMIN);
	ck_assert_int_eq(info.si_code, SI_QUEUE);
	ck_assert_int_eq(info.si_pid, getpid());
	ck_assert_int_eq(info.si_value.sival_int, 42);
	ck_assert(!is_pending(SIGRTMIN));
	raise(SIGUSR1);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), SIGUSR1);
}

COIL_TEST(a_task_parks_until_a_signal_comes)
{
	struct waits own = { .set = block(SIGUSR1, SIGRTMIN) };
	struct coil_task *task = start(wait_for_one, &own);

	settle();
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert(!coil_done(task));
	send_value(SIGRTMIN, 7);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.number, SIGRTMIN);
	ck_assert_int_eq(own.info.si_value.sival_int, 7);
}

COIL_TEST(one_that_is_sent_to_the_thread_is_seen_too)
{
	struct waits own = { .set = block(SIGUSR2, 0) };
	struct coil_task *task = start(wait_for_one, &own);

	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(pthread_kill(pthread_self(), SIGUSR2), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.info.si_signo, SIGUSR2);
}

COIL_TEST(signal_001_numbers_that_cannot_be_waited_for_are_einval)
{
	static const int wrong[] = { 0, -1, NSIG + 1 };
	sigset_t set;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		sigemptyset(&set);
		ck_assert_int_eq(sigaddset(&set, wrong[i]), -1);
		ck_assert_int_eq(coil_signal_wait(&set, NULL), -EINVAL);
	}
	set = block(SIGKILL, SIGUSR1);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EINVAL);
	set = block(SIGSTOP, 0);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EINVAL);
	ck_assert_int_eq(coil_signal_wait(NULL, NULL), -EINVAL);
}

COIL_TEST(a_signal_that_is_not_blocked_is_einval)
{
	sigset_t set = block(SIGUSR1, 0);

	sigaddset(&set, SIGUSR2);
	raise(SIGUSR1);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EINVAL);
	ck_assert(is_pending(SIGUSR1));
}

/* It runs where the task does, and the signal is as it was before. */
COIL_TEST(signal_002_an_interrupt_is_taken_once_by_the_task)
{
	sigset_t set = block(SIGINT, 0);
	struct waits own = { .set = set };
	struct coil_task *task = start(wait_for_one, &own);
	struct sigaction before, after;

	ck_assert_int_eq(sigaction(SIGINT, NULL, &before), 0);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(kill(getpid(), SIGINT), 0);
	ck_assert_int_eq(own.number, 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.number, SIGINT);
	ck_assert_int_eq(nothing_comes(&set), -ETIMEDOUT);
	ck_assert_int_eq(sigaction(SIGINT, NULL, &after), 0);
	ck_assert(after.sa_handler == before.sa_handler);
}

/* The cancel comes first, or the signal does: either way one of them has it. */
COIL_TEST(signal_004_one_that_meets_a_cancelled_wait_is_not_lost)
{
	for (int first = 0; first < 2; first++) {
		struct waits own = { .set = block(SIGHUP, 0) };
		struct coil_task *task = start(wait_for_one, &own);

		ck_assert_int_eq(coil_sleep(MS), 0);
		if (first)
			coil_cancel(task);
		raise(SIGHUP);
		if (!first)
			coil_cancel(task);
		(void)!coil_await(task);
		ck_assert(own.number == SIGHUP || own.number == -ECANCELED);
		ck_assert_int_eq(is_pending(SIGHUP), own.number != SIGHUP);
		if (own.number != SIGHUP)
			ck_assert_int_eq(coil_signal_wait(&own.set, NULL),
					 SIGHUP);
	}
}

static void limit_fds(struct rlimit *old)
{
	struct rlimit limit;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, old), 0);
	limit = *old;
	limit.rlim_cur = (rlim_t)fd;
	close(fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

COIL_TEST(signal_005_a_wait_for_which_there_is_no_fd_fails_alone)
{
	sigset_t set = block(SIGUSR1, SIGUSR2);
	struct waits own = { .set = set_of(SIGUSR1, 0) };
	struct coil_task *task = start(wait_for_one, &own);
	struct rlimit limit;

	if (support_on_valgrind()) {
		coil_cancel(task);
		(void)!coil_await(task);
		return;
	}
	ck_assert_int_eq(coil_sleep(MS), 0);
	limit_fds(&limit);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EMFILE);
	/* One that is there needs none. */
	raise(SIGUSR2);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), SIGUSR2);
	raise(SIGUSR1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.number, SIGUSR1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void be_quiet(int number)
{
	(void)number;
}

static int wait_twice(void *arg)
{
	sigset_t set = set_of(SIGHUP, SIGCHLD);

	raise(SIGHUP);
	raise(SIGCHLD);
	for (int i = 0; i < 2; i++) {
		if (coil_signal_wait(&set, NULL) < 0)
			return -EPROTO;
	}
	return nothing_comes(&set) == -ETIMEDOUT ? 0 : -EPROTO;
}

START_TEST(signal_006_the_run_leaves_mask_and_actions_as_they_were)
{
	struct sigaction action = { .sa_handler = be_quiet }, after;
	sigset_t set = block(SIGHUP, SIGCHLD), before, mask;

	ck_assert_int_eq(sigaction(SIGHUP, &action, NULL), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
	ck_assert_int_eq(coil_run(wait_twice, &set), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	for (int i = 1; i <= SIGRTMAX; i++)
		ck_assert_int_eq(sigismember(&mask, i),
				 sigismember(&before, i));
	ck_assert_int_eq(sigaction(SIGHUP, NULL, &after), 0);
	ck_assert(after.sa_handler == be_quiet);
}
END_TEST

/*
 * Who gets it.
 */

COIL_TEST(each_signal_goes_to_one_task_the_one_that_waited_longest)
{
	enum {
		TASKS = 50
	};
	static struct waits own[TASKS];
	struct coil_task *tasks[TASKS];
	sigset_t set = block(SIGRTMIN, SIGRTMIN + 1);

	places = 0;
	for (int i = 0; i < TASKS; i++) {
		own[i].set = i % 5 ? set : set_of(SIGRTMIN + 1, 0);
		tasks[i] = start(wait_for_one, &own[i]);
	}
	ck_assert_int_eq(coil_sleep(MS), 0);
	for (int i = 0; i < TASKS; i++) {
		send_value(i % 5 ? SIGRTMIN : SIGRTMIN + 1, i);
		/* One, two, then three at a time. */
		if (i % 3 == 0)
			ck_assert_int_eq(coil_sleep(MS), 0);
	}
	ck_assert_int_eq(coil_gather(tasks, TASKS, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_gt(own[i].number, 0);
	for (int i = 0; i < TASKS; i += 5)
		ck_assert_int_eq(own[i].number, SIGRTMIN + 1);
	ck_assert(!is_pending(SIGRTMIN) && !is_pending(SIGRTMIN + 1));
}

COIL_TEST(signals_that_come_one_by_one_go_in_order_of_arrival_of_tasks)
{
	struct waits own[8] = {0};
	struct coil_task *tasks[8];

	places = 0;
	for (int i = 0; i < 8; i++) {
		own[i].set = block(SIGRTMIN, 0);
		tasks[i] = start(wait_for_one, &own[i]);
	}
	ck_assert_int_eq(coil_sleep(MS), 0);
	for (int i = 0; i < 8; i++)
		send_value(SIGRTMIN, i);
	ck_assert_int_eq(coil_gather(tasks, 8, NULL), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(own[i].info.si_value.sival_int, i);
}

/* The one who comes looks for those who are in line before. */
COIL_TEST(one_who_comes_does_not_barge_past)
{
	struct waits first = { .set = block(SIGRTMIN, 0) }, second = first;
	struct coil_task *task = start(wait_for_one, &first);
	struct coil_task *other;

	ck_assert_int_eq(coil_sleep(MS), 0);
	send_value(SIGRTMIN, 1);
	other = start(wait_for_one, &second);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(first.info.si_value.sival_int, 1);
	send_value(SIGRTMIN, 2);
	ck_assert_int_eq(coil_await(other), 0);
	ck_assert_int_eq(second.info.si_value.sival_int, 2);
}

/* What the other one would not have must not make it spin, nor be lost. */
COIL_TEST(a_signal_that_only_a_cancelled_one_wanted_stays_pending)
{
	struct waits first = { .set = block(SIGUSR1, 0) };
	struct waits second = { .set = block(SIGUSR2, 0) };
	struct coil_task *task = start(wait_for_one, &first);
	struct coil_task *other = start(wait_for_one, &second);

	ck_assert_int_eq(coil_sleep(MS), 0);
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), -ECANCELED);
	raise(SIGUSR2);
	ck_assert_int_eq(coil_sleep(2 * MS), 0);
	ck_assert(!coil_done(task) && is_pending(SIGUSR2));
	raise(SIGUSR1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_signal_wait(&second.set, NULL), SIGUSR2);
}

/*
 * Requests, and where there is no loop.
 */

COIL_TEST(a_request_that_is_pending_takes_nothing)
{
	sigset_t set = block(SIGUSR1, 0);
	int number = 0;

	raise(SIGUSR1);
	COIL_TIMEOUT(0)
		number = coil_signal_wait(&set, NULL);
	ck_assert_int_eq(number, -ETIMEDOUT);
	ck_assert(is_pending(SIGUSR1));
	ck_assert_int_eq(coil_signal_wait(&set, NULL), SIGUSR1);
}

START_TEST(outside_a_task_it_is_eperm)
{
	sigset_t set = block(SIGUSR1, 0);

	raise(SIGUSR1);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), -EPERM);
	ck_assert(is_pending(SIGUSR1));
}
END_TEST

static struct {
	sigset_t set;
	int sent;
	int got;
} swept;

static void begin_sweep(void)
{
	swept.set = block(SIGRTMIN, 0);
	swept.sent = swept.got = 0;
}

static int run_sweep(void *arg)
{
	for (int i = 0; i < 3; i++) {
		int number = coil_signal_wait(&swept.set, NULL);

		if (number < 0)
			return number;
		swept.got++;
	}
	return 0;
}

static void help_sweep(void)
{
	swept.sent++;
	send_value(SIGRTMIN, 0);
}

static void end_sweep(int result)
{
	ok_or_cancelled(result);
	while (is_pending(SIGRTMIN)) {
		ck_assert_int_eq(coil_signal_wait(&swept.set, NULL), SIGRTMIN);
		swept.got++;
	}
	ck_assert_int_eq(swept.got, swept.sent);
}

COIL_TEST(a_cancel_at_any_moment_loses_no_signal)
{
	static const struct sweep it = {
		begin_sweep,
		run_sweep,
		help_sweep,
		end_sweep,
	};

	sweep(&it);
}

COIL_TEST(an_expiry_is_not_told_to_one_who_was_handed_a_signal)
{
	struct waits first = { .set = block(SIGUSR1, 0) };
	struct coil_task *task = start(wait_for_one, &first);
	struct coil_timeout timeout = {0};
	sigset_t set = first.set;

	ck_assert_int_eq(coil_sleep(MS), 0);
	raise(SIGUSR1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_timeout_begin(&timeout, COIL_SECOND), 0);
	raise(SIGUSR1);
	ck_assert_int_eq(coil_signal_wait(&set, NULL), SIGUSR1);
	ck_assert_int_eq(coil_timeout_end(&timeout), 0);
}

/*
 * Together with a run's stop signals.
 */

static int wait_beside(void *arg)
{
	struct waits own = { .set = block(SIGHUP, 0) };
	sigset_t both = block(SIGHUP, SIGTERM);
	struct coil_task *task = start(wait_for_one, &own);

	ck_assert_int_eq(coil_signal_wait(&both, NULL), -EBUSY);
	ck_assert_int_eq(coil_sleep(MS), 0);
	raise(SIGHUP);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.number, SIGHUP);
	own.number = 0;
	task = start(wait_for_one, &own);
	ck_assert_int_eq(coil_sleep(MS), 0);
	raise(SIGTERM);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	return -ECANCELED;
}

START_TEST(stop_signals_stop_the_run_and_the_others_are_waited_for)
{
	sigset_t set = set_of(SIGTERM, SIGINT);
	const struct coil_options options = { .stop_signals = &set };

	ck_assert_int_eq(coil_run_with(&options, wait_beside, NULL), -EINTR);
	/* In a run that does not stop by it, it is a signal like others. */
	block(SIGTERM, 0);
	raise(SIGTERM);
	ck_assert_int_eq(coil_run(wait_for_one,
				  &(struct waits){ .set = set_of(SIGTERM, 0) }),
			 0);
}
END_TEST

/*
 * Rough weather.
 */

enum {
	FLOOD = 100000
};

/* A process that sends all it can, and then this once more. */
static pid_t flood(int number, int count, int last)
{
	pid_t pid, parent = getpid();

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	for (int i = 0; i < count; i++) {
		union sigval value = { .sival_int = i };

		while (sigqueue(parent, number, value))
			sched_yield();
	}
	while (sigqueue(parent, last, (union sigval){0}))
		sched_yield();
	_exit(0);
}

COIL_TEST(a_flood_of_realtime_signals_is_counted_to_the_last_by_a_real_clock)
{
	int count = FLOOD / support_patience();
	sigset_t set = block(SIGRTMIN, SIGRTMAX);
	siginfo_t info;
	pid_t pid = flood(SIGRTMIN, count, SIGRTMAX);

	/* In order, as those of one number are; SIGRTMAX comes last. */
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(coil_signal_wait(&set, &info), SIGRTMIN);
		ck_assert_int_eq(info.si_value.sival_int, i);
	}
	ck_assert_int_eq(coil_signal_wait(&set, &info), SIGRTMAX);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

COIL_TEST(a_flood_of_one_standard_signal_is_heard_and_stops_nobody)
{
	sigset_t set = block(SIGUSR1, SIGUSR2);
	struct nap other = { .ns = MS };
	struct coil_task *task = start(nap, &other);
	pid_t pid = flood(SIGUSR1, FLOOD / support_patience(), SIGUSR2);
	int heard = 0, number;

	while ((number = coil_signal_wait(&set, NULL)) == SIGUSR1)
		heard++;
	ck_assert_int_eq(number, SIGUSR2);
	ck_assert_int_gt(heard, 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static struct {
	atomic_int got;
	atomic_int up;
} shared;

enum {
	WORKERS = 3,
	SENT = 300
};

/* Each has tasks that wait; the last of all ends the others. */
static int work(void *arg)
{
	sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1);
	int number;

	atomic_fetch_add(&shared.up, 1);
	while ((number = coil_signal_wait(&set, NULL)) == SIGRTMIN)
		atomic_fetch_add(&shared.got, 1);
	return number == SIGRTMIN + 1 ? 0 : number;
}

static void *send_to_all(void *arg)
{
	while (atomic_load(&shared.up) < WORKERS)
		rest();
	for (int i = 0; i < SENT; i++)
		send_value(SIGRTMIN, i);
	while (atomic_load(&shared.got) < SENT)
		rest();
	for (int i = 0; i < WORKERS; i++)
		send_value(SIGRTMIN + 1, i);
	return NULL;
}

START_TEST(of_several_loops_one_has_each_signal)
{
	pthread_t thread;

	atomic_store(&shared.up, 0);
	atomic_store(&shared.got, 0);
	block(SIGRTMIN, SIGRTMIN + 1);
	thread = begin(send_to_all, NULL);
	ck_assert_int_eq(coil_run_workers(WORKERS, work, NULL), 0);
	ck_assert_int_eq(end(thread), 0);
	ck_assert_int_eq(atomic_load(&shared.got), SENT);
}
END_TEST

static int in_new_run(void *arg)
{
	sigset_t set = set_of(SIGUSR1, 0);

	if (nothing_comes(&set) != -ETIMEDOUT)
		return 1;
	raise(SIGUSR1);
	return coil_signal_wait(&set, NULL) == SIGUSR1 ? 0 : 2;
}

COIL_TEST(the_child_of_a_fork_does_not_know_those_who_wait_in_its_parent)
{
	struct waits own = { .set = block(SIGUSR1, 0) };
	struct coil_task *task = start(wait_for_one, &own);
	int status;
	pid_t pid;

	ck_assert_int_eq(coil_sleep(MS), 0);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (coil_signal_wait(&own.set, NULL) != -EPERM)
			_exit(3);
		_exit(coil_run(in_new_run, NULL));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(!coil_done(task));
	raise(SIGUSR1);
	ck_assert_int_eq(coil_await(task), 0);
}

static int wait_or_fail(void *arg)
{
	struct waits own = { .set = set_of(SIGUSR1, 0) };
	struct coil_task *task = coil_create_task(wait_for_one, &own);
	int err = coil_sleep(MS);

	raise(SIGUSR1);
	(void)!coil_await(task);
	if (own.number != SIGUSR1 && coil_signal_wait(&own.set, NULL) < 0)
		return -EPROTO;
	return own.number < 0 ? own.number : err;
}

START_TEST(any_allocation_may_fail)
{
	unsigned long nth = 0;
	bool failed = true;

	block(SIGUSR1, 0);
	while (failed) {
		int result;

		support_fail_allocation(++nth);
		result = coil_run(wait_or_fail, NULL);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		ck_assert_msg(result == 0 || (failed && result == -ENOMEM),
			      "allocation %lu: %d", nth, result);
		ck_assert(!is_pending(SIGUSR1));
	}
	ck_assert_uint_gt(nth, 1);
}
END_TEST

COIL_TEST(a_signal_is_taken_without_parking_unless_a_task_waits_for_it)
{
	struct waits first = { .set = block(SIGUSR1, 0) };
	sigset_t set = block(SIGUSR1, SIGUSR2), open = set_of(SIGTERM, 0);
	struct coil_task *task;
	siginfo_t info;

	ck_assert_int_eq(coil__signal_take(&set, NULL), -EAGAIN);
	ck_assert_int_eq(coil__signal_pending(&set), 0);
	raise(SIGUSR2);
	ck_assert_int_eq(coil__signal_pending(&set), SIGUSR2);
	ck_assert_int_eq(coil__signal_take(&set, &info), SIGUSR2);
	ck_assert_int_eq(info.si_signo, SIGUSR2);
	ck_assert(!is_pending(SIGUSR2));
	task = coil_create_task(wait_for_one, &first);
	ck_assert_int_eq(coil_yield(), 0);
	raise(SIGUSR1);
	ck_assert_int_eq(coil__signal_take(&set, NULL), -EAGAIN);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(first.number, SIGUSR1);
	ck_assert_int_eq(coil__signal_take(&open, NULL), -EINVAL);
	ck_assert_int_eq(coil__signal_pending(&open), -EINVAL);
	ck_assert_int_eq(coil__signal_take(NULL, NULL), -EINVAL);
	ck_assert_int_eq(coil__signal_pending(NULL), -EINVAL);
}

START_TEST(off_a_task_no_signal_is_taken)
{
	sigset_t set = block(SIGUSR1, 0);

	raise(SIGUSR1);
	ck_assert_int_eq(coil__signal_take(&set, NULL), -EPERM);
	ck_assert_int_eq(coil__signal_pending(&set), SIGUSR1);
}
END_TEST

static void add_basics(TCase *tests)
{
	tcase_add_test(tests, a_signal_is_taken_without_parking_unless_a_task_waits_for_it);
	tcase_add_test(tests, off_a_task_no_signal_is_taken);
	tcase_add_test(tests,
		       a_signal_that_is_pending_is_taken_at_once_with_its_info);
	tcase_add_test(tests, a_task_parks_until_a_signal_comes);
	tcase_add_test(tests, one_that_is_sent_to_the_thread_is_seen_too);
	tcase_add_test(tests,
		       signal_001_numbers_that_cannot_be_waited_for_are_einval);
	tcase_add_test(tests, a_signal_that_is_not_blocked_is_einval);
	tcase_add_test(tests,
		       signal_002_an_interrupt_is_taken_once_by_the_task);
	tcase_add_test(tests,
		       signal_004_one_that_meets_a_cancelled_wait_is_not_lost);
	tcase_add_test(tests,
		       signal_005_a_wait_for_which_there_is_no_fd_fails_alone);
	tcase_add_test(tests,
		       signal_006_the_run_leaves_mask_and_actions_as_they_were);
}

static void add_order(TCase *tests)
{
	tcase_add_test(
		tests,
		each_signal_goes_to_one_task_the_one_that_waited_longest);
	tcase_add_test(
		tests,
		signals_that_come_one_by_one_go_in_order_of_arrival_of_tasks);
	tcase_add_test(tests, one_who_comes_does_not_barge_past);
	tcase_add_test(tests,
		       a_signal_that_only_a_cancelled_one_wanted_stays_pending);
	tcase_add_test(tests, a_request_that_is_pending_takes_nothing);
	tcase_add_test(tests, outside_a_task_it_is_eperm);
	tcase_add_test(tests, a_cancel_at_any_moment_loses_no_signal);
	tcase_add_test(tests,
		       an_expiry_is_not_told_to_one_who_was_handed_a_signal);
	tcase_add_test(tests,
		       stop_signals_stop_the_run_and_the_others_are_waited_for);
}

static void add_weather(TCase *tests)
{
	tcase_set_timeout(tests, 60);
	tcase_add_test(
		tests,
		a_flood_of_realtime_signals_is_counted_to_the_last_by_a_real_clock);
	tcase_add_test(
		tests,
		a_flood_of_one_standard_signal_is_heard_and_stops_nobody);
	tcase_add_test(tests, of_several_loops_one_has_each_signal);
	tcase_add_test(
		tests,
		the_child_of_a_fork_does_not_know_those_who_wait_in_its_parent);
	tcase_add_test(tests, any_allocation_may_fail);
}

Suite *suite(void)
{
	Suite *whole;
	TCase *basics, *order, *weather;

	if (support_skip_on("sim", "signals do not know its clock"))
		return NULL;
	whole = suite_create("signal");
	basics = tcase_create("basics");
	order = tcase_create("order");
	weather = tcase_create("weather");
	add_basics(basics);
	add_order(order);
	add_weather(weather);
	suite_add_tcase(whole, basics);
	suite_add_tcase(whole, order);
	suite_add_tcase(whole, weather);
	return whole;
}
