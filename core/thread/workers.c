/* SPDX-License-Identifier: MIT */
#include "core/backend/affinity.h"
#include "core/task/list.h"
#include "core/loop/loop.h"
#include "core/backend/inbox.h"
#include "core/loop/stop.h"
#include "core/task/task.h"
#include <coil/run.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Several loops, each on a thread of its own.  Each worker's main task records
 * its loop before it calls fn, so that the first worker that fails can cancel
 * the others.
 *
 * The thread that started the workers waits for stop signals meanwhile.  A
 * worker's loop cannot do this: it may be busy, or end before the others.
 */

struct workers {
	pthread_mutex_t lock;
	int (*fn)(void *arg);
	void *arg;
	unsigned n;
	int error;			/* the first failure */
	bool stopping;			/* stop_all() was called */
	int stopped;			/* the stop signal that arrived; 0: none */
	struct coil_options options;	/* of each loop, without the stop signals */
	sigset_t stop_signals;
	struct affinity allowed;	/* the processors that the threads may use */
	struct worker *each;
	unsigned left;			/* threads that have not ended */
	int signals, ended;		/* signalfd; eventfd of the last thread; or -1 */
};

struct worker {
	struct workers *workers;
	struct coil_loop *loop;		/* NULL: its main task does not run */
	unsigned index;
	int cpu;			/* the processor to run on, or -1 */
	pthread_t thread;
	struct remote stop;
};

static __thread unsigned worker_index __attribute__((tls_model("initial-exec")));

unsigned coil_worker_index(void)
{
	return worker_index;
}

/* Runs in the loop's own thread. */
static void stop_this(struct coil_loop *loop, const struct workers *workers)
{
	loop->shutdown.stopped = workers->stopped;
	coil__stop_note(workers->stopped);
	coil_cancel(loop->main);
}

/* A loop that has ended meanwhile has no main task any more. */
static void stop_loop(struct coil_loop *loop, struct remote *remote)
{
	struct workers *workers = container_of(remote, struct worker, stop)->workers;

	pthread_mutex_lock(&workers->lock);
	if (!loop->shutdown.ended)
		stop_this(loop, workers);
	pthread_mutex_unlock(&workers->lock);
}

/* Cancels each main task once.  The caller holds the lock. */
static void stop_all(struct workers *workers)
{
	if (workers->stopping)
		return;
	workers->stopping = true;
	for (unsigned i = 0; i < workers->n; i++) {
		struct worker *worker = &workers->each[i];

		if (worker->loop)
			coil__loop_post(worker->loop, &worker->stop);
	}
}

/* Records the first failure only.  The caller holds the lock. */
static void workers_fail(struct workers *workers, int error)
{
	if (!workers->error)
		workers->error = error;
	stop_all(workers);
}

static int workers_work(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	bool watched = workers->n > 1 || workers->signals >= 0;
	int result;

	pthread_mutex_lock(&workers->lock);
	worker->loop = coil__loop;
	if (workers->stopping)
		stop_this(coil__loop, workers);
	pthread_mutex_unlock(&workers->lock);
	/* A loop that another worker, or a signal, may still stop is not deadlocked. */
	coil__loop->watched += watched;
	if (workers->signals >= 0)
		coil__loop->shutdown.stop_signals = &workers->stop_signals;
	result = workers->fn(workers->arg);
	coil__loop->watched -= watched;
	pthread_mutex_lock(&workers->lock);
	worker->loop = NULL;
	pthread_mutex_unlock(&workers->lock);
	return result;
}

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	int result;

	if (worker->cpu >= 0)
		coil__affinity_pin(&workers->allowed, worker->cpu);
	worker_index = worker->index;
	result = coil_run_with(&workers->options, workers_work, worker);
	pthread_mutex_lock(&workers->lock);
	if (result < 0)
		workers_fail(workers, result);
	if (--workers->left == 0 && workers->ended >= 0)
		eventfd_write(workers->ended, 1);
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/*
 * Fills in all workers before the first one runs, because it may have to stop
 * the others.  Pins them only if there is one for each processor: with fewer
 * workers, another program might choose the same processors.
 */
static void workers_prepare(struct workers *workers, bool pin)
{
	for (unsigned i = 0; i < workers->n; i++) {
		workers->each[i] = (struct worker){
			.workers = workers, .index = i, .stop.run = stop_loop,
			.cpu = pin ? coil__affinity_nth(&workers->allowed, i) : -1,
		};
	}
}

static unsigned start_all(struct workers *workers)
{
	unsigned started = 0;
	int err = 0;

	/* Counts all now: the first may end before the last has started. */
	workers->left = workers->n;
	while (started < workers->n && !err) {
		struct worker *worker = &workers->each[started];

		err = pthread_create(&worker->thread, NULL, run_worker, worker);
		started += !err;
	}
	pthread_mutex_lock(&workers->lock);
	if (err)
		workers_fail(workers, -err);
	workers->left -= workers->n - started;
	if (!workers->left && workers->ended >= 0)
		eventfd_write(workers->ended, 1);
	pthread_mutex_unlock(&workers->lock);
	return started;
}

/*
 * Waits until all threads have ended.  As in stop.c, signals that are pending
 * together count as one.
 */
static void wait_for_signals(struct workers *workers)
{
	struct signalfd_siginfo info[STOP_SIGNALS];
	struct pollfd fds[] = {
		{ .fd = workers->ended, .events = POLLIN },
		{ .fd = workers->signals, .events = POLLIN },
	};

	while (!fds[0].revents) {
		if (poll(fds, 2, -1) < 0 ||
		    read(workers->signals, info, sizeof(info)) < (ssize_t)sizeof(*info))
			continue;
		if (workers->stopped)
			coil__stop_process((int)info->ssi_signo);
		coil__stop_note((int)info->ssi_signo);
		pthread_mutex_lock(&workers->lock);
		workers->stopped = (int)info->ssi_signo;
		stop_all(workers);
		pthread_mutex_unlock(&workers->lock);
	}
}

static void run_all(struct workers *workers)
{
	unsigned started = start_all(workers);

	if (workers->signals >= 0)
		wait_for_signals(workers);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers->each[i].thread, NULL);
}

/* Blocks the stop signals before the threads start: these inherit the mask. */
static int run_stoppable(struct workers *workers)
{
	sigset_t mask;

	coil__stop_note(0);
	workers->signals = workers->ended = -1;
	if (!workers->options.stop_signals) {
		run_all(workers);
		return 0;
	}
	workers->stop_signals = *workers->options.stop_signals;
	workers->options.stop_signals = NULL;
	workers->signals = coil__stop_open(&workers->stop_signals);
	if (workers->signals < 0)
		return workers->signals;
	workers->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (workers->ended < 0) {
		int err = -errno;

		close(workers->signals);
		return err;
	}
	pthread_sigmask(SIG_BLOCK, &workers->stop_signals, &mask);
	run_all(workers);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	close(workers->ended);
	close(workers->signals);
	return 0;
}

static int workers_check(const struct coil_workers_options *options)
{
	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	if (options->n > 4096)
		return -EINVAL;
	return coil__options_check(&options->loop);
}

static int run_workers(struct workers *workers, bool no_pin)
{
	unsigned cpus = (unsigned)CPU_COUNT_S(workers->allowed.size, workers->allowed.set);
	int err;

	if (!workers->n)
		workers->n = cpus;
	workers->each = calloc(workers->n, sizeof(*workers->each));
	if (!workers->each)
		return -ENOMEM;
	pthread_mutex_init(&workers->lock, NULL);
	workers_prepare(workers, !no_pin && workers->n == cpus);
	err = run_stoppable(workers);
	pthread_mutex_destroy(&workers->lock);
	free(workers->each);
	return err ? err : workers->error;
}

int coil_run_workers_with(const struct coil_workers_options *options, int (*fn)(void *arg),
			  void *arg)
{
	static const struct coil_workers_options defaults;
	struct workers workers = { .fn = fn, .arg = arg };
	int err;

	if (!options)
		options = &defaults;
	err = fn ? workers_check(options) : -EINVAL;
	if (err)
		return err;
	if (coil__loop != &coil__no_loop)
		return -EBUSY;
	workers.n = options->n;
	workers.options = options->loop;
	err = coil__affinity_get(&workers.allowed);
	if (err)
		return err;
	err = run_workers(&workers, options->no_pin);
	coil__affinity_release(&workers.allowed);
	return err;
}

int coil_run_workers(unsigned n, int (*fn)(void *arg), void *arg)
{
	return coil_run_workers_with(&(struct coil_workers_options){ .n = n }, fn, arg);
}
