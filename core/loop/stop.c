/* SPDX-License-Identifier: MIT */
#include "core/loop/stop.h"
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/backend.h"
#include <coil/time.h>
#include <errno.h>
#include <unistd.h>

static __thread int last_signal __attribute__((tls_model("initial-exec")));

int coil_stop_signal(void)
{
	return last_signal;
}

void coil__stop_note(int number)
{
	last_signal = number;
}

/*
 * The default action does not end process 1 of a pid namespace, not even after
 * its own raise(3).  The default action of some signals is to do nothing.  In
 * these cases _exit(2) ends the process.
 */
void coil__stop_process(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	_exit(128 + number);
}

int coil__stop_open(const sigset_t *signals)
{
	int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static void read_next(struct stop *stop);

/*
 * Signals that are pending at the same time count as one.  Some programs end a
 * process by SIGTERM and SIGHUP together, and main could not yet act on the
 * first.
 */
static void stop_arrived(struct op *op, int res, unsigned flags)
{
	struct stop *stop = container_of(op, struct stop, op);
	int number = (int)stop->info[0].ssi_signo;

	(void)flags;
	if (res >= (int)sizeof(stop->info[0])) {
		if (stop->seen++)
			coil__stop_process(number);
		stop->loop->shutdown.stopped = number;
		coil__stop_note(number);
		if (stop->loop->main)
			coil_cancel(stop->loop->main);
	}
	if (!op->cancelled && (res >= 0 || res == -EINTR))
		read_next(stop);
}

static void read_next(struct stop *stop)
{
	stop->op = (struct op){ .complete = stop_arrived, .background = true };
	/* No offset: pread(2) fails for a file that cannot seek. */
	io_uring_prep_read(&stop->op.sqe, stop->fd, stop->info, sizeof(stop->info),
			   (uint64_t)-1);
	if (coil__op_start(stop->loop, &stop->op))
		stop->op.done = true;
}

int coil__stop_begin(struct stop *stop, struct coil_loop *loop, const sigset_t *signals)
{
	int err;

	if (!signals)
		return 0;
	err = -pthread_sigmask(SIG_BLOCK, signals, &stop->mask);
	if (err)
		return err;
	stop->fd = coil__stop_open(signals);
	if (stop->fd < 0) {
		pthread_sigmask(SIG_SETMASK, &stop->mask, NULL);
		return stop->fd;
	}
	stop->loop = loop;
	stop->signals = *signals;
	loop->shutdown.stop_signals = &stop->signals;
	/* A loop that a signal may still end is not deadlocked. */
	loop->watched++;
	read_next(stop);
	return 0;
}

void coil__stop_end(struct stop *stop)
{
	struct coil_loop *loop = stop->loop;

	if (!loop)
		return;
	loop->watched--;
	loop->shutdown.stop_signals = NULL;
	stop->op.cancelled = true;
	if (!stop->op.done)
		loop->io.backend->cancel(loop, &stop->op);
	while (!stop->op.done)
		loop->io.backend->poll(loop, COIL_FOREVER);
	close(stop->fd);
	pthread_sigmask(SIG_SETMASK, &stop->mask, NULL);
}
