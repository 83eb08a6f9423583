/* SPDX-License-Identifier: MIT */
#include "core/stop.h"
#include "core/list.h"
#include "core/loop.h"
#include <coil/time.h>
#include <errno.h>
#include <unistd.h>

static void read_next(struct stop *stop);

static void end_process(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

static void arrived(struct op *op, int res, unsigned flags)
{
	struct stop *stop = container_of(op, struct stop, op);

	(void)flags;
	if (res == (int)sizeof(stop->info)) {
		if (stop->seen++)
			end_process((int)stop->info.ssi_signo);
		stop->loop->stopped = (int)stop->info.ssi_signo;
		if (stop->loop->main)
			coil_cancel(stop->loop->main);
	}
	if (!op->cancelled && (res >= 0 || res == -EINTR))
		read_next(stop);
}

static void read_next(struct stop *stop)
{
	stop->op = (struct op){ .complete = arrived, .background = true };
	/* No offset: pread(2) of what cannot seek is an error. */
	io_uring_prep_read(&stop->op.sqe, stop->fd, &stop->info, sizeof(stop->info),
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
	stop->fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stop->fd < 0) {
		err = -errno;
		pthread_sigmask(SIG_SETMASK, &stop->mask, NULL);
		return err;
	}
	stop->loop = loop;
	stop->signals = *signals;
	loop->stop_signals = &stop->signals;
	/* A loop that a signal may yet end is not stuck. */
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
	loop->stop_signals = NULL;
	stop->op.cancelled = true;
	if (!stop->op.done)
		loop->backend->cancel(loop, &stop->op);
	while (!stop->op.done)
		loop->backend->poll(loop, COIL_FOREVER);
	close(stop->fd);
	pthread_sigmask(SIG_SETMASK, &stop->mask, NULL);
}
