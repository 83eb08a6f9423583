/* SPDX-License-Identifier: MIT */
/*
 * Calls from other threads into a loop.  Each call travels as a struct remote.
 * A remote that the loop has accepted is sure to run, at the latest when the
 * loop ends.
 */
#include "core/loop.h"
#include "core/task.h"
#include <coil/run.h>
#include <coil/time.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/*
 * Marks the loop as known to other threads, because the caller may pass it to
 * them without a further call of coil.
 */
struct coil_loop *coil_current_loop(void)
{
	struct coil_loop *loop = coil__loop;

	if (loop == &coil__nowhere)
		return NULL;
	loop->known = true;
	return loop;
}

struct coil_loop *coil_loop_ref(struct coil_loop *loop)
{
	if (loop)
		atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
	return loop;
}

void coil_loop_unref(struct coil_loop *loop)
{
	if (loop)
		coil__loop_unref(loop);
}

/*
 * call_soon.
 */

struct call {
	struct remote remote;
	void (*fn)(void *arg);
	void *arg;
};

static void run_call(struct coil_loop *loop, struct remote *remote)
{
	struct call *call = container_of(remote, struct call, remote);
	void (*fn)(void *arg) = call->fn;
	void *arg = call->arg;

	(void)loop;
	free(call);
	fn(arg);
}

int coil_call_soon_threadsafe(struct coil_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct call *call;
	int err;

	if (!loop || !fn)
		return -EINVAL;
	call = malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct call){ .remote.run = run_call, .fn = fn, .arg = arg };
	err = coil__loop_post(loop, &call->remote);
	if (err)
		free(call);
	return err;
}

/*
 * run_coroutine.  struct visit lies on the stack of the thread that waits.
 * That thread goes on only when the loop has no pointer to it any more.
 */

struct visit {
	struct remote start;
	struct remote stop;
	int (*fn)(void *arg);
	void *arg;
	struct coil_task *task;		/* used by the loop only; NULL: does not run */
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool ended;
	bool stopping;			/* stop was sent and has not run */
	int result;
};

static void end_visit(struct visit *visit, int result)
{
	pthread_mutex_lock(&visit->lock);
	visit->ended = true;
	visit->result = result;
	pthread_cond_signal(&visit->done);
	pthread_mutex_unlock(&visit->lock);
}

static int run_visit(void *arg)
{
	struct visit *visit = arg;
	int result = visit->fn(visit->arg);

	visit->task = NULL;
	end_visit(visit, result);
	return 0;
}

static void start_visit(struct coil_loop *loop, struct remote *remote)
{
	struct visit *visit = container_of(remote, struct visit, start);
	struct coil_task *task = loop->ended ? NULL : coil_create_task(run_visit, visit);

	/* After end_visit() the memory of the visit may be gone. */
	if (!task) {
		end_visit(visit, loop->ended ? -ESHUTDOWN : -ENOMEM);
		return;
	}
	visit->task = task;
	coil_detach(task);
}

static void stop_visit(struct coil_loop *loop, struct remote *remote)
{
	struct visit *visit = container_of(remote, struct visit, stop);

	(void)loop;
	if (visit->task)
		coil_cancel(visit->task);
	pthread_mutex_lock(&visit->lock);
	visit->stopping = false;
	pthread_cond_signal(&visit->done);
	pthread_mutex_unlock(&visit->lock);
}

/* Returns true once the visit has ended, false if the deadline came first. */
static bool wait_visit(struct visit *visit, int64_t when)
{
	struct timespec until = { when / COIL_SECOND, when % COIL_SECOND };
	int err = 0;

	while (!visit->ended && !err) {
		if (when == COIL_FOREVER)
			pthread_cond_wait(&visit->done, &visit->lock);
		else
			err = pthread_cond_clockwait(&visit->done, &visit->lock, CLOCK_MONOTONIC,
						     &until);
	}
	return visit->ended;
}

static int await_visit(struct coil_loop *loop, struct visit *visit, int64_t ns)
{
	int64_t when = ns <= 0 ? 0 : coil__deadline(coil_now(), ns);
	bool late;

	pthread_mutex_lock(&visit->lock);
	late = !wait_visit(visit, when);
	if (late) {
		visit->stopping = true;
		pthread_mutex_unlock(&visit->lock);
		if (coil__loop_post(loop, &visit->stop))
			visit->stopping = false;
		pthread_mutex_lock(&visit->lock);
		wait_visit(visit, COIL_FOREVER);
		while (visit->stopping)
			pthread_cond_wait(&visit->done, &visit->lock);
	}
	pthread_mutex_unlock(&visit->lock);
	return late && visit->result == -ECANCELED ? -ETIMEDOUT : visit->result;
}

int coil_run_coroutine_threadsafe(struct coil_loop *loop, int (*fn)(void *arg), void *arg,
				  int64_t ns)
{
	struct visit visit = {
		.start.run = start_visit, .stop.run = stop_visit, .fn = fn, .arg = arg,
	};
	int result;

	if (!loop || !fn)
		return -EINVAL;
	if (coil__loop != &coil__nowhere)
		return -EBUSY;
	pthread_mutex_init(&visit.lock, NULL);
	pthread_cond_init(&visit.done, NULL);
	result = coil__loop_post(loop, &visit.start);
	if (!result)
		result = await_visit(loop, &visit, ns);
	pthread_cond_destroy(&visit.done);
	pthread_mutex_destroy(&visit.lock);
	return result;
}
