/* SPDX-License-Identifier: MIT */
/*
 * Each waiting task has a signalfd, which it polls and never reads:
 * sigtimedwait(2) takes the signal, because it fills in a siginfo_t.
 *
 * Backends wake several pollers of one event in any order.  So the first task
 * that wakes hands out the signals to all waiters, in the order of their calls.
 * A new waiter joins the queue before it takes a signal, so it overtakes no
 * earlier waiter.
 */
#include <coil/signal.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "io/signal.h"
#include "core/task/task.h"
#include "io/wait.h"
#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct waiter {
	struct op op;
	const sigset_t *set;
	siginfo_t *info;
	int number;		/* of the signal it was handed; 0: none */
	bool started;		/* op is under way */
	bool parked;
	struct coil_task *task;
	struct link link;
};

/*
 * The waiters of this thread's loop.  In the child of a fork the list still
 * holds the parent's waiters; they never run there.
 */
static __thread struct {
	struct coil_loop *loop;
	struct list waiters;
} line __attribute__((tls_model("initial-exec")));

static void signal_stand_in_line(struct waiter *waiter)
{
	if (line.loop != waiter->task->loop)
		line.waiters = (struct list){0};
	line.loop = waiter->task->loop;
	list_push(&line.waiters, &waiter->link);
}

static int signal_take(const sigset_t *set, siginfo_t *info)
{
	const struct timespec now = {0};
	int number;

	do
		number = sigtimedwait(set, info, &now);
	while (number < 0 && errno == EINTR);
	return number > 0 ? number : 0;
}

/* Hands one signal to each waiter, in order.  The end of its op wakes a waiter. */
static void hand_out(void)
{
	struct link *link = line.waiters.head;

	for (; link; link = link->next) {
		struct waiter *waiter =
			container_of(link, struct waiter, link);

		if (waiter->number)
			continue;
		waiter->number = signal_take(waiter->set, waiter->info);
		if (waiter->number && waiter->started)
			coil__op_cancel(line.loop, &waiter->op);
	}
}

static void signal_complete(struct op *op, int res, unsigned flags)
{
	struct waiter *waiter = container_of(op, struct waiter, op);

	(void)res, (void)flags;
	if (!waiter->parked)
		return;
	waiter->parked = false;
	coil__ready(waiter->task, 0);
}

static void signal_interrupt(struct coil_task *task)
{
	struct waiter *waiter = task->object;

	coil__op_cancel(task->loop, &waiter->op);
}

static const struct wait for_signal = { .what = "signal", .interrupt = signal_interrupt };

/*
 * Parks until a signal may be pending, a cancellation arrives, or another task
 * has handed this one a signal.
 */
static int poll_once(struct waiter *waiter, int fd)
{
	struct coil_task *self = waiter->task;
	int err;

	waiter->op = (struct op){ .task = self, .complete = signal_complete };
	io_uring_prep_poll_add(&waiter->op.sqe, fd, POLLIN);
	err = coil__op_start(self->loop, &waiter->op);
	if (err)
		return err;
	waiter->started = true;
	if (!waiter->op.done) {
		waiter->parked = true;
		coil__park(self, &for_signal, waiter);
	}
	waiter->started = false;
	if (waiter->op.res >= 0 || waiter->op.res == -EINTR)
		hand_out();
	if (waiter->number || !self->pending)
		return waiter->op.cancelled || waiter->op.res == -EINTR
			       ? 0 : waiter->op.res;
	return coil__scope_deliver(self);
}

static int wait_in_line(struct waiter *waiter)
{
	int err, fd = signalfd(-1, waiter->set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	coil__fd_made(line.loop, fd);
	do
		err = poll_once(waiter, fd);
	while (err >= 0 && !waiter->number);
	coil__fd_closed(line.loop, fd);
	close(fd);
	return err;
}

/* A signal that is not blocked would be delivered instead of taken here. */
static int signal_check(const sigset_t *set)
{
	const sigset_t *stop = coil__loop->shutdown.stop_signals;
	sigset_t blocked;
	int err = -EINVAL;

	if (!set || pthread_sigmask(SIG_BLOCK, NULL, &blocked))
		return -EINVAL;
	for (int i = 1; i <= SIGRTMAX; i++) {
		if (sigismember(set, i) != 1)
			continue;
		if (stop && sigismember(stop, i) == 1)
			return -EBUSY;
		if (sigismember(&blocked, i) != 1)
			return -EINVAL;
		err = 0;
	}
	return err;
}

int coil_signal_wait(const sigset_t *set, siginfo_t *info)
{
	struct waiter waiter = { .set = set, .info = info };
	int err = signal_check(set);

	if (!err)
		err = coil__enter();
	if (err)
		return err;
	waiter.task = coil__self();
	signal_stand_in_line(&waiter);
	hand_out();
	if (waiter.number)
		coil__let_others_run();
	else
		err = wait_in_line(&waiter);
	list_remove(&line.waiters, &waiter.link);
	return waiter.number ? waiter.number : err;
}

/* Hands signals to tasks inside coil_signal_wait() first. */
int coil__signal_take(const sigset_t *set, siginfo_t *info)
{
	struct waiter waiter = { .set = set, .info = info };
	int err;

	if (coil__loop == &coil__no_loop || coil__self() == &coil__loop->root)
		return -EPERM;
	err = signal_check(set);
	if (err)
		return err;
	waiter.task = coil__self();
	signal_stand_in_line(&waiter);
	hand_out();
	list_remove(&line.waiters, &waiter.link);
	return waiter.number ? waiter.number : -EAGAIN;
}

int coil__signal_pending(const sigset_t *set)
{
	sigset_t pending;
	int err = signal_check(set);

	if (err)
		return err;
	if (sigpending(&pending))
		return -errno;
	for (int i = 1; i <= SIGRTMAX; i++) {
		if (sigismember(set, i) == 1 && sigismember(&pending, i) == 1)
			return i;
	}
	return 0;
}
