/* SPDX-License-Identifier: MIT */
/*
 * A ring that cannot be entered for a moment.  A filter hands each call of
 * io_uring_enter(2) to a thread here, which makes some of them fail: the library has to
 * submit the same operations with a later call.
 */
#include "tests/filters.h"
#include "tests/sockets.h"
#include <coil/future.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>

enum { SUBMISSIONS = 40, NAPS = 4, CALLS = 4, SENDERS = 3, ROUNDS = 40 };

static struct {
	int listener;		/* for the calls that the filter hands over */
	atomic_int error;	/* of those that fail */
	atomic_int first;	/* the first that fails, counted from 1 */
	atomic_int last;
	atomic_int step;	/* from one that fails to the next */
	atomic_int count;	/* of calls since the run began */
} enter;

static struct coil_options options;

/* In a child, where Check's assertions would not be heard. */
#define require(condition)						\
	do {								\
		if (condition)						\
			break;						\
		dprintf(STDERR_FILENO, "line %d: %s; %u entries, error %d, call %d\n", \
			__LINE__, #condition, options.entries, enter.error, enter.first); \
		_exit(1);						\
	} while (0)

static void *answer(void *arg)
{
	struct seccomp_notif_resp answer;
	struct seccomp_notif call;

	(void)arg;
	for (;;) {
		int n;

		memset(&call, 0, sizeof(call));
		if (ioctl(enter.listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
			continue;
		n = ++enter.count;
		memset(&answer, 0, sizeof(answer));
		answer.id = call.id;
		if (n >= enter.first && n <= enter.last && !((n - enter.first) % enter.step))
			answer.error = -enter.error;
		else
			answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		/* It fails where a signal has ended the call meanwhile. */
		(void)ioctl(enter.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	return NULL;
}

/* Of the calls from now on every step-th fails, from first to last. */
static void fail_enter(int error, int first, int last, int step)
{
	enter.step = step;
	enter.error = error;
	enter.first = first;
	enter.last = last;
	enter.count = 0;
}

/* False: no such filter can be had here. */
static bool hand_over_enter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };
	pthread_t thread;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	enter.listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	return enter.listener >= 0 && !pthread_create(&thread, NULL, answer, NULL);
}

/*
 * A bit of everything that wants a place in the ring: the loop's deadlines, the
 * words of another thread, operations, what a send waits for that finds no room,
 * and cancels of all of these.
 */

static int doze(void *arg)
{
	(void)arg;
	for (int i = 0; i < NAPS; i++) {
		int err = coil_sleep(COIL_MILLISECOND / 4);

		if (err)
			return err;
	}
	return 0;
}

struct called {
	struct coil_loop *loop;
	struct coil_future all;
	int count;
};

static void call(void *arg)
{
	struct called *called = arg;

	if (++called->count == CALLS)
		coil_future_set(&called->all, 0);
}

static void *call_often(void *arg)
{
	struct called *called = arg;
	struct coil_loop *loop = called->loop;

	for (int i = 0; i < CALLS; i++) {
		usleep(250);
		require(!coil_call_soon_threadsafe(loop, call, called));
	}
	coil_loop_unref(loop);
	return NULL;
}

static int ping(void *arg)
{
	int fd = *(int *)arg;
	char byte = 'x';

	for (int i = 0; i < ROUNDS; i++) {
		if (coil_send(fd, &byte, 1, 0) != 1 || coil_recv(fd, &byte, 1, 0) != 1)
			return -EIO;
	}
	return 0;
}

static int pong(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		if (coil_recv(fd, &byte, 1, 0) != 1 || coil_send(fd, &byte, 1, 0) != 1)
			return -EIO;
	}
	return 0;
}

/* Sends until there is no room, and longer. */
static int send_on(void *arg)
{
	static char block[1 << 16];
	ssize_t n;

	do {
		n = coil_send(*(int *)arg, block, sizeof(block), 0);
	} while (n > 0);
	return (int)n;
}

static int hear(void *arg)
{
	char byte;

	return (int)coil_recv(*(int *)arg, &byte, 1, 0);
}

static void use_ring(struct called *called, int fds[SENDERS + 1][2])
{
	struct coil_task *cancelled[SENDERS + 1], *others[3];

	others[0] = coil_create_task(ping, &fds[SENDERS][0]);
	others[1] = coil_create_task(pong, &fds[SENDERS][1]);
	others[2] = coil_create_task(doze, NULL);
	for (int i = 0; i < SENDERS; i++)
		cancelled[i] = coil_create_task(send_on, &fds[i][0]);
	cancelled[SENDERS] = coil_create_task(hear, &fds[0][0]);
	require(!coil_gather(others, 3, NULL));
	require(!coil_future_wait(&called->all));
	for (int i = 0; i <= SENDERS; i++)
		coil_cancel(cancelled[i]);
	for (int i = 0; i <= SENDERS; i++)
		require(coil_await(cancelled[i]) == -ECANCELED);
}

static int use_everything(void *arg)
{
	struct called called = { .loop = coil_loop_ref(coil_current_loop()) };
	int fds[SENDERS + 1][2];
	pthread_t thread;

	(void)arg;
	require(!strcmp(coil_backend_name(), "uring"));
	require(!pthread_create(&thread, NULL, call_often, &called));
	for (int i = 0; i <= SENDERS; i++)
		require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]));
	use_ring(&called, fds);
	for (int i = 0; i <= SENDERS; i++) {
		require(!coil_close(fds[i][0]));
		require(!coil_close(fds[i][1]));
	}
	require(!pthread_join(thread, NULL));
	return 7;
}

/*
 * Every submission fails once.
 */

static const struct { int error; int calls; } failures[] = {
	{ EAGAIN, 1 }, { EBUSY, 1 }, { EINTR, 1 }, { ENOMEM, 1 }, { EAGAIN, 5 },
};

enum { FAILURES = sizeof(failures) / sizeof(*failures), ENTRIES = 8 };

static void fail_each(void *arg)
{
	int which = (int)(intptr_t)arg % FAILURES;

	options.entries = (unsigned)(intptr_t)arg / FAILURES + 1;
	if (!hand_over_enter())
		_exit(77);
	for (int first = 1; first <= SUBMISSIONS; first++) {
		int last = first + failures[which].calls - 1;

		alarm(20);
		fail_enter(failures[which].error, first, last, 1);
		require(coil_run_with(&options, use_everything, NULL) == 7);
		require(enter.count > last);
	}
}

static void ends_right(void (*fn)(void *arg), void *arg)
{
	char said[4096];

	ends_well(fn, arg, said, sizeof(said), NO_FILTER);
}

START_TEST(a_run_ends_right_whichever_submission_failed)
{
	ends_right(fail_each, INT(_i));
}
END_TEST

static void fail_many(void *arg)
{
	(void)arg;
	if (!hand_over_enter())
		_exit(77);
	for (options.entries = 1; options.entries <= ENTRIES; options.entries++) {
		for (int i = 0; i < 6; i++) {
			alarm(20);
			fail_enter(EAGAIN, 1 + i % 3, 1000000, 2 + i / 3);
			require(coil_run_with(&options, use_everything, NULL) == 7);
		}
	}
}

START_TEST(a_run_ends_right_though_every_second_or_third_submission_fails)
{
	ends_right(fail_many, NULL);
}
END_TEST

static int copy_reason(void *arg)
{
	snprintf(arg, 200, "%s %s", coil_backend_name(), coil_backend_reason());
	return 0;
}

static void fail_all(void *arg)
{
	char reason[200] = "";

	(void)arg;
	if (!hand_over_enter())
		_exit(77);
	unsetenv("COIL_BACKEND");
	fail_enter(EAGAIN, 1, 1000000, 1);
	require(!coil_run(copy_reason, reason));
	require(!strcmp(reason, "epoll uring: io_uring_enter: EAGAIN"));
}

START_TEST(where_nothing_can_be_submitted_epoll_serves_and_says_why)
{
	ends_right(fail_all, NULL);
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_but_on("uring", "it is about io_uring"))
		return NULL;
	whole = suite_create("ring");
	tests = tcase_create("ring");
	tcase_add_loop_test(tests, a_run_ends_right_whichever_submission_failed, 0,
			    ENTRIES * FAILURES);
	tcase_add_test(tests, a_run_ends_right_though_every_second_or_third_submission_fails);
	tcase_add_test(tests, where_nothing_can_be_submitted_epoll_serves_and_says_why);
	suite_add_tcase(whole, tests);
	return whole;
}
