/* SPDX-License-Identifier: MIT */
#include <coil/run.h>
#include "core/loop/fork.h"
#include "core/loop/loop.h"
#include "core/task/overflow.h"
#include "core/loop/stop.h"
#include "core/task/task.h"
#include <errno.h>
#include <signal.h>
#include <time.h>

int coil__options_check(const struct coil_options *options)
{
	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	if (options->flags || options->entries > 32768 || options->lookups > 1024)
		return -EINVAL;
	if (options->stack_size && options->stack_size < COIL_STACK_MIN)
		return -EINVAL;
	return 0;
}

/*
 * A write to a broken pipe raises SIGPIPE, and a write beyond the limit on the
 * size of files raises SIGXFSZ, with every backend.  Both are blocked while
 * the loop runs.  A signal that our writes caused is removed before the
 * mask is restored.  A signal that was pending before the run stays.
 */
static const int raised[] = { SIGPIPE, SIGXFSZ };

enum { RAISED = sizeof(raised) / sizeof(*raised) };

struct raised {
	sigset_t mask;
	bool pending[RAISED];
};

static bool is_pending(int number)
{
	sigset_t pending;

	return !sigpending(&pending) && sigismember(&pending, number) == 1;
}

static void raised_block(struct raised *saved)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < RAISED; i++) {
		sigaddset(&set, raised[i]);
		saved->pending[i] = is_pending(raised[i]);
	}
	pthread_sigmask(SIG_BLOCK, &set, &saved->mask);
}

static void raised_restore(const struct raised *saved)
{
	const struct timespec now = {0};

	for (int i = 0; i < RAISED; i++) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, raised[i]);
		if (!saved->pending[i] && is_pending(raised[i]))
			sigtimedwait(&set, NULL, &now);
		if (!sigismember(&saved->mask, raised[i]))
			pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	}
}

static int run_main(struct coil_loop *loop, const struct coil_options *options,
		    int (*fn)(void *arg), void *arg)
{
	const struct coil_task_options main = { .name = "main" };
	struct stop stop = {0};
	int result = -ENOMEM;
	int err = coil__stop_begin(&stop, loop, options->stop_signals);

	if (err)
		return err;
	loop->main = coil__task_new(loop, &main, fn, arg);
	if (loop->main) {
		/* The program may detach or await main like any other task. */
		loop->main->refs++;
		coil__task_start(loop->main, false);
		/* A signal may have arrived before main existed. */
		if (loop->shutdown.stopped)
			coil_cancel(loop->main);
		coil__loop_run(loop);
		loop->main->reported = true;
		result = loop->main->result;
		coil__task_unref(loop->main);
		loop->main = NULL;
	}
	coil__stop_end(&stop);
	if (loop->shutdown.stuck)
		return -EDEADLK;
	return loop->shutdown.stopped && result == -ECANCELED ? -EINTR : result;
}

int coil_run_with(const struct coil_options *options, int (*fn)(void *arg), void *arg)
{
	static const struct coil_options defaults;
	struct overflow overflow;
	struct raised saved;
	struct coil_loop *loop;
	int err;

	if (coil__loop != &coil__no_loop)
		return -EBUSY;
	if (!options)
		options = &defaults;
	err = fn ? coil__options_check(options) : -EINVAL;
	if (!err)
		err = coil__loop_open(&loop, options);
	if (err)
		return err;
	coil__current = &loop->root;
	loop->io.lookups = options->lookups;
	coil__stop_note(0);
	raised_block(&saved);
	coil__overflow_begin(&overflow);
	coil__fork_register(loop);
	err = run_main(loop, options, fn, arg);
	coil__fork_unregister(loop);
	/* The close may call the error handler, which can start no task. */
	coil__current = &coil__no_loop.root;
	coil__loop_close(loop);
	coil__overflow_end(&overflow);
	raised_restore(&saved);
	return err;
}

int coil_run(int (*fn)(void *arg), void *arg)
{
	return coil_run_with(NULL, fn, arg);
}
