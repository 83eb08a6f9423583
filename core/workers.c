/* SPDX-License-Identifier: MIT */
#include "core/list.h"
#include "core/loop.h"
#include "core/pool.h"
#include "core/task.h"
#include <coil/run.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/*
 * Loops side by side.  Each worker's main task tells where it runs before it calls
 * fn, so that whoever fails first can have the others cancelled.
 */

struct workers {
	pthread_mutex_t lock;
	int (*fn)(void *arg);
	void *arg;
	unsigned n;
	int error;			/* the first failure */
	cpu_set_t allowed;		/* the processors we may use */
	struct worker *each;
};

struct worker {
	struct workers *workers;
	struct coil_loop *loop;		/* while its main task runs */
	unsigned index;
	int cpu;			/* or -1 */
	pthread_t thread;
	struct remote stop;
};

static __thread unsigned worker_index __attribute__((tls_model("initial-exec")));

unsigned coil_worker_index(void)
{
	return worker_index;
}

/* One that ended meanwhile has no main any more. */
static void stop_loop(struct coil_loop *loop, struct remote *remote)
{
	(void)remote;
	if (!loop->ended)
		coil_cancel(loop->main);
}

/* Only the first failure counts, and each request travels once.  With the lock held. */
static void fail(struct workers *workers, int error)
{
	if (workers->error)
		return;
	workers->error = error;
	for (unsigned i = 0; i < workers->n; i++) {
		struct worker *worker = &workers->each[i];

		if (worker->loop)
			coil__loop_post(worker->loop, &worker->stop);
	}
}

static int work(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	int result;

	pthread_mutex_lock(&workers->lock);
	worker->loop = coil__loop;
	if (workers->error)
		coil_cancel(coil__loop->main);
	pthread_mutex_unlock(&workers->lock);
	/* A loop that another worker may yet stop is not stuck. */
	coil__loop->watched += workers->n > 1;
	result = workers->fn(workers->arg);
	coil__loop->watched -= workers->n > 1;
	pthread_mutex_lock(&workers->lock);
	worker->loop = NULL;
	pthread_mutex_unlock(&workers->lock);
	return result;
}

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	cpu_set_t set;
	int result;

	if (worker->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(worker->cpu, &set);
		pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
		/* The threads beside the loop would only get in its way there. */
		coil__pool_cpus = &workers->allowed;
	}
	worker_index = worker->index;
	result = coil_run(work, worker);
	pthread_mutex_lock(&workers->lock);
	if (result < 0)
		fail(workers, result);
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* The nth of the processors we may use, -1 if there are fewer. */
static int nth_cpu(const cpu_set_t *allowed, unsigned n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, allowed) && !n--)
			return cpu;
	}
	return -1;
}

/* All are there before the first runs, who may be asked to stop the others. */
static void prepare(struct workers *workers)
{
	bool pin = workers->n <= (unsigned)CPU_COUNT(&workers->allowed);

	for (unsigned i = 0; i < workers->n; i++) {
		workers->each[i] = (struct worker){
			.workers = workers, .index = i, .stop.run = stop_loop,
			.cpu = pin ? nth_cpu(&workers->allowed, i) : -1,
		};
	}
}

static void run_all(struct workers *workers)
{
	unsigned started = 0;
	int err = 0;

	while (started < workers->n && !err) {
		struct worker *worker = &workers->each[started];

		err = pthread_create(&worker->thread, NULL, run_worker, worker);
		started += !err;
	}
	if (err) {
		pthread_mutex_lock(&workers->lock);
		fail(workers, -err);
		pthread_mutex_unlock(&workers->lock);
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers->each[i].thread, NULL);
}

int coil_run_workers(unsigned n, int (*fn)(void *arg), void *arg)
{
	struct workers workers = { .fn = fn, .arg = arg, .n = n };
	cpu_set_t *allowed = &workers.allowed;

	if (!fn || n > 4096)
		return -EINVAL;
	if (coil__loop != &coil__nowhere)
		return -EBUSY;
	if (sched_getaffinity(0, sizeof(*allowed), allowed) || !CPU_COUNT(allowed))
		CPU_SET(0, allowed);
	if (!n)
		workers.n = (unsigned)CPU_COUNT(allowed);
	workers.each = calloc(workers.n, sizeof(*workers.each));
	if (!workers.each)
		return -ENOMEM;
	pthread_mutex_init(&workers.lock, NULL);
	prepare(&workers);
	run_all(&workers);
	pthread_mutex_destroy(&workers.lock);
	free(workers.each);
	return workers.error;
}
