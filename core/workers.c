/* SPDX-License-Identifier: MIT */
#include "core/list.h"
#include "core/loop.h"
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

static void stop_loop(struct coil_loop *loop, struct remote *remote)
{
	(void)remote;
	coil_cancel(loop->main);
}

/* With the lock held. */
static void stop_others(struct workers *workers)
{
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
	result = workers->fn(workers->arg);
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
	}
	worker_index = worker->index;
	result = coil_run(work, worker);
	pthread_mutex_lock(&workers->lock);
	if (result < 0 && !workers->error) {
		workers->error = result;
		stop_others(workers);
	}
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

static void start_all(struct workers *workers, const cpu_set_t *allowed)
{
	bool pin = workers->n <= (unsigned)CPU_COUNT(allowed);
	unsigned started = 0;

	for (unsigned i = 0; i < workers->n; i++) {
		struct worker *worker = &workers->each[i];
		int err;

		*worker = (struct worker){ .workers = workers, .index = i, .cpu = -1 };
		worker->stop.run = stop_loop;
		if (pin)
			worker->cpu = nth_cpu(allowed, i);
		err = pthread_create(&worker->thread, NULL, run_worker, worker);
		if (!err) {
			started++;
			continue;
		}
		pthread_mutex_lock(&workers->lock);
		if (!workers->error)
			workers->error = -err;
		workers->n = started;
		stop_others(workers);
		pthread_mutex_unlock(&workers->lock);
		break;
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers->each[i].thread, NULL);
}

int coil_run_workers(unsigned n, int (*fn)(void *arg), void *arg)
{
	struct workers workers = { .fn = fn, .arg = arg, .n = n };
	cpu_set_t allowed;

	if (!fn || n > 4096)
		return -EINVAL;
	if (coil__loop != &coil__nowhere)
		return -EBUSY;
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) || !CPU_COUNT(&allowed))
		CPU_SET(0, &allowed);
	if (!n)
		workers.n = (unsigned)CPU_COUNT(&allowed);
	workers.each = calloc(workers.n, sizeof(*workers.each));
	if (!workers.each)
		return -ENOMEM;
	pthread_mutex_init(&workers.lock, NULL);
	start_all(&workers, &allowed);
	pthread_mutex_destroy(&workers.lock);
	free(workers.each);
	return workers.error;
}
