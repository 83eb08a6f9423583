/* SPDX-License-Identifier: MIT */
#include "core/backend/backend.h"
#include "core/backend/fd.h"
#include "core/backend/pool.h"
#include "core/task/lock.h"
#include "core/backend/affinity.h"
#include "core/backend/syscall.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
	THREADS = 32,		/* maximum of each lane of a pool */
	ABANDONABLE_MAX = 16,		/* detached jobs of a kind that run at a time */
	ABANDONED = 240,	/* abandoned jobs of a kind that may run besides */
};

struct lane {
	pthread_mutex_t lock;
	pthread_cond_t work;		/* a job is queued, or the lane ends */
	struct list queue;
	size_t queued;
	size_t idle;			/* threads that wait for a job */
	bool ending;
	size_t count;			/* of threads; only the loop's thread uses it */
	pthread_t threads[THREADS];
};

struct pool {
	struct lane lanes[POOL_LANES];
};

/* The new thread blocks all signals: their handlers are to run in the program's threads. */
static int start_thread(pthread_t *thread, int state,
			void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, mask;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	pthread_attr_setdetachstate(&attr, state);
	/* On the processor of a pinned loop the thread would delay the loop. */
	if (coil__unpinned)
		pthread_attr_setaffinity_np(&attr, coil__unpinned->size, coil__unpinned->set);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	err = pthread_create(thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static void job_done(struct coil_loop *loop, struct remote *remote)
{
	struct job *job = container_of(remote, struct job, remote);

	loop->io.jobs--;
	job->done(loop, job);
}

static struct job *next_job(struct lane *lane)
{
	struct job *job = NULL;
	struct link *link;

	pthread_mutex_lock(&lane->lock);
	lane->idle++;
	while (!lane->queue.head && !lane->ending)
		pthread_cond_wait(&lane->work, &lane->lock);
	lane->idle--;
	link = list_pop(&lane->queue);
	if (link) {
		job = container_of(link, struct job, link);
		job->queued = false;
		lane->queued--;
	}
	pthread_mutex_unlock(&lane->lock);
	return job;
}

/* The loop waits for its jobs before it ends, so the post cannot be refused. */
static void *run_jobs(void *arg)
{
	struct job *job;

	while ((job = next_job(arg))) {
		job->work(job);
		coil__loop_post(job->loop, &job->remote);
	}
	return NULL;
}

static struct pool *open_pool(struct coil_loop *loop)
{
	struct pool *pool = loop->io.pool;

	if (pool)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return NULL;
	for (size_t i = 0; i < POOL_LANES; i++) {
		pthread_mutex_init(&pool->lanes[i].lock, NULL);
		pthread_cond_init(&pool->lanes[i].work, NULL);
	}
	loop->io.pool = pool;
	return pool;
}

int coil__pool_submit(struct coil_loop *loop, struct job *job)
{
	struct pool *pool = open_pool(loop);
	bool short_of_threads;
	struct lane *lane;

	if (!pool)
		return -ENOMEM;
	lane = &pool->lanes[job->lane];
	job->loop = loop;
	job->remote.run = job_done;
	job->queued = true;
	pthread_mutex_lock(&lane->lock);
	list_push(&lane->queue, &job->link);
	lane->queued++;
	short_of_threads = lane->queued > lane->idle && lane->count < THREADS;
	pthread_cond_signal(&lane->work);
	pthread_mutex_unlock(&lane->lock);
	loop->io.jobs++;
	if (short_of_threads &&
	    !start_thread(&lane->threads[lane->count], PTHREAD_CREATE_JOINABLE,
			  run_jobs, lane))
		lane->count++;
	/* One thread is enough: it will take the job. */
	if (lane->count || !coil__pool_remove(loop, job))
		return 0;
	return -EAGAIN;
}

bool coil__pool_remove(struct coil_loop *loop, struct job *job)
{
	struct lane *lane = &loop->io.pool->lanes[job->lane];
	bool removed;

	pthread_mutex_lock(&lane->lock);
	removed = job->queued;
	if (removed) {
		list_remove(&lane->queue, &job->link);
		job->queued = false;
		lane->queued--;
		loop->io.jobs--;
	}
	pthread_mutex_unlock(&lane->lock);
	return removed;
}

static void close_lane(struct lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->ending = true;
	pthread_cond_broadcast(&lane->work);
	pthread_mutex_unlock(&lane->lock);
	for (size_t i = 0; i < lane->count; i++)
		pthread_join(lane->threads[i], NULL);
	pthread_cond_destroy(&lane->work);
	pthread_mutex_destroy(&lane->lock);
}

void coil__pool_close(struct coil_loop *loop)
{
	struct pool *pool = loop->io.pool;

	if (!pool)
		return;
	for (size_t i = 0; i < POOL_LANES; i++)
		close_lane(&pool->lanes[i]);
	free(pool);
	loop->io.pool = NULL;
}

/*
 * Ops.
 */

struct syscall_job {
	struct job job;
	struct op *op;
	int res;
};

static struct syscall_job *syscall_of(struct job *job)
{
	return container_of(job, struct syscall_job, job);
}

static void syscall_work(struct job *job)
{
	struct syscall_job *perform = syscall_of(job);

	perform->res = coil__syscall_block(perform->op);
}

static int start_syscall(struct coil_loop *loop, struct op *op);

/*
 * Ops that move the position of one fd's file run one at a time, in the order of their
 * submission: a second thread would only wait for the file's lock.
 */
static void next_mover(struct coil_loop *loop, struct op *op)
{
	int fd = op->sqe.fd, err;

	if (!op->positioned)
		return;
	op->positioned = false;
	coil__queue_remove(&loop->io.fds[fd].movers, op);
	while ((op = loop->io.fds[fd].movers.first)) {
		err = start_syscall(loop, op);
		if (!err)
			return;
		op->positioned = false;
		coil__queue_remove(&loop->io.fds[fd].movers, op);
		coil__op_complete(loop, op, err, 0);
	}
}

static void syscall_done(struct coil_loop *loop, struct job *job)
{
	struct syscall_job *perform = syscall_of(job);
	struct op *op = perform->op;
	int res = perform->res;

	free(perform);
	op->backend_data = NULL;
	next_mover(loop, op);
	if (res == -EAGAIN && coil__syscall_class(op) != SYSCALL_POOL) {
		if (!op->cancelled) {
			loop->io.backend->submit(loop, op);
			return;
		}
		res = coil__syscall_cancelled(op);
	}
	coil__op_complete(loop, op, res, 0);
}

static int start_syscall(struct coil_loop *loop, struct op *op)
{
	struct syscall_job *perform = calloc(1, sizeof(*perform));
	int err;

	if (!perform)
		return -ENOMEM;
	perform->op = op;
	perform->job.lane = POOL_OPS;
	perform->job.work = syscall_work;
	perform->job.done = syscall_done;
	/* Set before the submission, because the thread may run the op at once. */
	op->backend_data = perform;
	err = coil__pool_submit(loop, &perform->job);
	if (!err)
		return 0;
	if (err == -EAGAIN) {
		/* No thread can be started, so the whole loop waits for the call. */
		syscall_work(&perform->job);
		syscall_done(loop, &perform->job);
		err = 0;
	} else {
		op->backend_data = NULL;
		free(perform);
	}
	return err;
}

int coil__pool_syscall(struct coil_loop *loop, struct op *op)
{
	struct op_queue *movers;
	int err;

	op->backend_data = NULL;
	op->positioned |= op->sqe.opcode == OP_SEEK;
	if (!op->positioned)
		return start_syscall(loop, op);
	movers = &loop->io.fds[op->sqe.fd].movers;
	coil__queue_insert(movers, op, NULL);
	if (movers->first != op)
		return 0;
	err = start_syscall(loop, op);
	if (err)
		next_mover(loop, op);
	return err;
}

bool coil__pool_cancel(struct coil_loop *loop, struct op *op)
{
	struct syscall_job *perform = op->backend_data;

	/* Without a job op waits among its fd's movers. */
	if (perform && !coil__pool_remove(loop, &perform->job))
		return false;
	free(perform);
	op->backend_data = NULL;
	if (perform)
		next_mover(loop, op);
	else
		coil__queue_remove(&loop->io.fds[op->sqe.fd].movers, op);
	op->positioned = false;
	coil__op_complete(loop, op, coil__syscall_cancelled(op), 0);
	return true;
}

/*
 * Detached jobs.  They may outlive every loop, so their queues belong to the process.
 */

static struct kind {
	struct list queue;
	size_t running;		/* jobs that run and are not abandoned */
	size_t abandoned;	/* jobs that were abandoned while they ran, and still run */
} kinds[ABANDONABLE_KINDS];

void coil__pool_forked(void)
{
	for (size_t i = 0; i < ABANDONABLE_KINDS; i++)
		kinds[i] = (struct kind){0};
}

static void detached_done(struct coil_loop *loop, struct remote *remote)
{
	struct abandonable_job *job = container_of(remote, struct abandonable_job, remote);

	loop->io.jobs--;
	/* Only the loop's own thread abandons a job, so this needs no lock. */
	if (job->loop)
		job->done(loop, job);
	else
		job->release(job);
}

/* The lock keeps the loop from abandoning job meanwhile, and thus from ending. */
static bool send_back(struct abandonable_job *job)
{
	if (!job->loop)
		return false;
	job->state = ABANDONABLE_SENT;
	coil__loop_post(job->loop, &job->remote);
	return true;
}

/*
 * The callers of the functions from here to run_abandonable() hold the lock.
 */

static void *run_abandonable(void *arg);

static bool pool_has_room(const struct kind *kind, const struct abandonable_job *job)
{
	size_t limit = job->limit ? job->limit : ABANDONABLE_MAX;

	return kind->running < limit && kind->running + kind->abandoned < limit + ABANDONED;
}

/* Returns 0, or a negative errno if no thread could be started and none will take the job. */
static int begin_abandonable(struct abandonable_job *job)
{
	struct kind *kind = &kinds[job->kind];
	pthread_t thread;
	int err = -EAGAIN;

	job->state = ABANDONABLE_RUNNING;
	if (pool_has_room(kind, job))
		err = start_thread(&thread, PTHREAD_CREATE_DETACHED, run_abandonable, job);
	if (!err) {
		kind->running++;
	} else if (kind->running || kind->abandoned) {
		/* A thread that runs a job of this kind will take it. */
		job->state = ABANDONABLE_QUEUED;
		list_push(&kind->queue, &job->link);
		err = 0;
	}
	return err;
}

/* Returns the next queued job for a thread that is free, and counts it as running. */
static struct abandonable_job *take_queued(struct kind *kind)
{
	struct abandonable_job *job;

	if (!kind->queue.head)
		return NULL;
	job = container_of(kind->queue.head, struct abandonable_job, link);
	if (!pool_has_room(kind, job))
		return NULL;
	list_pop(&kind->queue);
	job->state = ABANDONABLE_RUNNING;
	kind->running++;
	return job;
}

/* An abandonment made room for a queued job, but no thread is free to take it. */
static void begin_queued(struct kind *kind)
{
	struct abandonable_job *job = take_queued(kind);

	if (!job)
		return;
	kind->running--;
	begin_abandonable(job);
}

/* Returns this thread's next job.  Sets *sent if job is not to be released here. */
static struct abandonable_job *after_abandonable(struct abandonable_job *job, bool *sent)
{
	struct kind *kind = &kinds[job->kind];

	if (job->given_up)
		kind->abandoned--;
	else
		kind->running--;
	if (job->loop && job->then) {
		*sent = true;
		job->kind = job->then;
		job->then = 0;
		if (begin_abandonable(job)) {
			kinds[job->kind].running++;
			return job;
		}
	} else {
		*sent = send_back(job);
	}
	return take_queued(kind);
}

static void *run_abandonable(void *arg)
{
	struct abandonable_job *job = arg, *next;
	bool sent;

	do {
		job->work(job);
		coil__lock(LOCK_ABANDONABLE);
		next = after_abandonable(job, &sent);
		coil__unlock(LOCK_ABANDONABLE);
		if (!sent)
			job->release(job);
		job = next;
	} while (job);
	return NULL;
}

int coil__pool_abandonable(struct coil_loop *loop, struct abandonable_job *job)
{
	int err;

	job->loop = loop;
	job->remote.run = detached_done;
	coil__lock(LOCK_ABANDONABLE);
	err = begin_abandonable(job);
	if (!err && loop)
		loop->io.jobs++;
	coil__unlock(LOCK_ABANDONABLE);
	return err;
}

void coil__pool_abandon(struct abandonable_job *job)
{
	struct kind *kind;
	bool queued;

	coil__lock(LOCK_ABANDONABLE);
	kind = &kinds[job->kind];
	queued = job->state == ABANDONABLE_QUEUED;
	/* A job that was sent counts until it arrives at the loop. */
	if (job->state != ABANDONABLE_SENT)
		job->loop->io.jobs--;
	job->loop = NULL;
	if (queued) {
		list_remove(&kind->queue, &job->link);
	} else if (job->state == ABANDONABLE_RUNNING) {
		job->given_up = true;
		kind->running--;
		kind->abandoned++;
		begin_queued(kind);
	}
	coil__unlock(LOCK_ABANDONABLE);
	if (queued)
		job->release(job);
}
