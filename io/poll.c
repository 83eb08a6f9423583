/* SPDX-License-Identifier: MIT */
#include <coil/socket.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/task/task.h"
#include "io/wait.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/*
 * Starts one operation for each fd and waits for the first completion.  Then it
 * cancels the other operations and waits for them too: the kernel has their
 * addresses.
 */
struct polled {
	struct op op;
	struct polling *polling;
	bool started;
};

struct polling {
	struct pollfd *fds;
	struct polled *polled;
	nfds_t n;
	struct coil_task *task;
	size_t out;		/* operations under way */
	bool some;		/* set by the first completion, or when no more is awaited */
	bool parked;		/* until the first, or the last, completes */
};

enum { FEW = 8 };

static void poll_complete(struct op *op, int res, unsigned flags)
{
	struct polling *polling = ((struct polled *)op)->polling;
	bool first = !polling->some;

	(void)res, (void)flags;
	polling->out--;
	polling->some = true;
	if (!polling->parked || (!first && polling->out))
		return;
	polling->parked = false;
	coil__ready(polling->task, 0);
}

static void poll_interrupt(struct coil_task *task)
{
	struct polling *polling = task->object;

	polling->parked = false;
	polling->some = true;
	coil__ready(task, WAKE_CANCELLED);
}

static const struct wait for_first = { .what = "poll", .interrupt = poll_interrupt };
static const struct wait for_last = { .what = "poll" };

static int poll_start(struct polling *polling)
{
	for (nfds_t i = 0; i < polling->n; i++) {
		struct polled *polled = &polling->polled[i];
		int err;

		if (polling->fds[i].fd < 0)
			continue;
		polled->polling = polling;
		polled->op.task = polling->task;
		polled->op.complete = poll_complete;
		io_uring_prep_poll_add(&polled->op.sqe, polling->fds[i].fd,
				       (unsigned short)polling->fds[i].events);
		polling->out++;
		err = coil__op_start(polling->task->loop, &polled->op);
		if (err) {
			polling->out--;
			return err;
		}
		polled->started = true;
	}
	return 0;
}

static void poll_drain(struct polling *polling)
{
	polling->some = true;
	for (nfds_t i = 0; i < polling->n; i++) {
		if (polling->polled[i].started)
			coil__op_cancel(polling->task->loop,
					&polling->polled[i].op);
	}
	if (!polling->out)
		return;
	polling->parked = true;
	coil__park(polling->task, &for_last, polling);
}

/* A signal interrupts poll(2) even with a time-out of 0. */
static int poll_look(struct pollfd *fds, nfds_t n)
{
	int ready;

	do
		ready = poll(fds, n, 0);
	while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready;
}

/*
 * Reports the events of the completed operations and those that poll(2) sees
 * now: of several fds that became ready together, some operations may have been
 * cancelled before they completed.
 */
static int poll_collect(struct polling *polling)
{
	int ready = 0, err = poll_look(polling->fds, polling->n);

	if (err > 0)
		err = 0;
	for (nfds_t i = 0; i < polling->n; i++) {
		struct polled *polled = &polling->polled[i];
		struct pollfd *fd = &polling->fds[i];
		int asked = fd->events | POLLERR | POLLHUP;

		if (polled->started && polled->op.closing)
			err = -ECANCELED;
		else if (polled->started && polled->op.res > 0)
			fd->revents |= (short)(polled->op.res & asked);
		else if (polled->started && !polled->op.cancelled)
			err = polled->op.res;
		ready += fd->revents != 0;
	}
	return ready && err != -ECANCELED ? ready : err;
}

static int wait_for_first(struct polling *polling)
{
	struct coil_task *self = polling->task;
	int wake = 0, ready;
	int err = poll_start(polling);

	if (!err && !polling->some) {
		polling->parked = true;
		wake = coil__park(self, &for_first, polling);
	}
	poll_drain(polling);
	ready = poll_collect(polling);
	if (ready)
		return ready;
	if (wake == WAKE_CANCELLED)
		return self->pending ? coil__scope_deliver(self) : -ECANCELED;
	return err;
}

int coil_poll(struct pollfd *fds, nfds_t n)
{
	struct polled few[FEW], *polled = few;
	int ready, err = coil__enter();

	if (err)
		return err;
	ready = poll_look(fds, n);
	if (ready) {
		coil__let_others_run();
		return ready;
	}
	if (n > FEW)
		polled = malloc(n * sizeof(*polled));
	if (!polled)
		return -ENOMEM;
	while (!ready) {
		struct polling polling = {
			.fds = fds,
			.polled = polled,
			.n = n,
			.task = coil__self(),
		};

		memset(polled, 0, n * sizeof(*polled));
		ready = wait_for_first(&polling);
		/*
		 * A cancellation that came while poll_drain() parked has not been
		 * reported yet.
		 */
		if (!ready)
			ready = coil__enter();
	}
	if (polled != few)
		free(polled);
	return ready;
}
