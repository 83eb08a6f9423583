/* SPDX-License-Identifier: MIT */
/*
 * Calls from other threads into a loop.  Each call travels as a struct remote.
 * A remote that the loop has accepted is sure to run, at the latest when the
 * loop ends.
 */
#include "core/loop/loop.h"
#include "core/backend/inbox.h"
#include "core/task/task.h"
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

	if (loop == &coil__no_loop)
		return NULL;
	loop->shutdown.known = true;
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
 * run_coroutine.  struct remote_call lies on the stack of the thread that waits.
 * That thread goes on only when the loop has no pointer to it any more.
 */

struct remote_call {
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

static void end_remote_call(struct remote_call *call, int result)
{
	pthread_mutex_lock(&call->lock);
	call->ended = true;
	call->result = result;
	pthread_cond_signal(&call->done);
	pthread_mutex_unlock(&call->lock);
}

static int run_remote_call(void *arg)
{
	struct remote_call *call = arg;
	int result = call->fn(call->arg);

	call->task = NULL;
	end_remote_call(call, result);
	return 0;
}

static void start_remote_call(struct coil_loop *loop, struct remote *remote)
{
	struct remote_call *call = container_of(remote, struct remote_call, start);
	struct coil_task *task = NULL;

	if (!loop->shutdown.ended)
		task = coil_create_task(run_remote_call, call);
	/* After end_remote_call() the memory of the call may be gone. */
	if (!task) {
		end_remote_call(call, loop->shutdown.ended ? -ESHUTDOWN : -ENOMEM);
		return;
	}
	call->task = task;
	coil_detach(task);
}

static void stop_remote_call(struct coil_loop *loop, struct remote *remote)
{
	struct remote_call *call = container_of(remote, struct remote_call, stop);

	(void)loop;
	if (call->task)
		coil_cancel(call->task);
	pthread_mutex_lock(&call->lock);
	call->stopping = false;
	pthread_cond_signal(&call->done);
	pthread_mutex_unlock(&call->lock);
}

/* Returns true once the call has ended, false if the deadline came first. */
static bool wait_remote_call(struct remote_call *call, int64_t when)
{
	struct timespec until = { when / COIL_SECOND, when % COIL_SECOND };
	int err = 0;

	while (!call->ended && !err) {
		if (when == COIL_FOREVER)
			pthread_cond_wait(&call->done, &call->lock);
		else
			err = pthread_cond_clockwait(&call->done, &call->lock, CLOCK_MONOTONIC,
						     &until);
	}
	return call->ended;
}

static int await_remote_call(struct coil_loop *loop, struct remote_call *call, int64_t ns)
{
	int64_t when = ns <= 0 ? 0 : coil__deadline(coil_now(), ns);
	bool late;

	pthread_mutex_lock(&call->lock);
	late = !wait_remote_call(call, when);
	if (late) {
		call->stopping = true;
		pthread_mutex_unlock(&call->lock);
		if (coil__loop_post(loop, &call->stop))
			call->stopping = false;
		pthread_mutex_lock(&call->lock);
		wait_remote_call(call, COIL_FOREVER);
		while (call->stopping)
			pthread_cond_wait(&call->done, &call->lock);
	}
	pthread_mutex_unlock(&call->lock);
	return late && call->result == -ECANCELED ? -ETIMEDOUT : call->result;
}

int coil_run_coroutine_threadsafe(struct coil_loop *loop, int (*fn)(void *arg), void *arg,
				  int64_t ns)
{
	struct remote_call call = {
		.start.run = start_remote_call, .stop.run = stop_remote_call, .fn = fn, .arg = arg,
	};
	int result;

	if (!loop || !fn)
		return -EINVAL;
	if (coil__loop != &coil__no_loop)
		return -EBUSY;
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.done, NULL);
	result = coil__loop_post(loop, &call.start);
	if (!result)
		result = await_remote_call(loop, &call, ns);
	pthread_cond_destroy(&call.done);
	pthread_mutex_destroy(&call.lock);
	return result;
}
