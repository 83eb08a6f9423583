/* SPDX-License-Identifier: MIT */
#include "io/wait.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/pool.h"
#include "core/task/task.h"

int coil__enter(void)
{
	struct coil_task *self = coil__self();

	return self->pending ? coil__refuse(self) : 0;
}

void coil__let_others_run(void)
{
	coil__turn(coil__self());
}

ssize_t coil__move_all(ssize_t (*move)(int fd, void *buf, size_t len, int flags), int fd,
		       void *buf, size_t len, int flags, size_t *done)
{
	char *bytes = buf;
	struct close_guard guard;
	size_t moved = 0;
	ssize_t n = check_buffer(fd, buf, len);

	if (!n)
		n = len ? 1 : coil__enter();
	coil__close_guard_begin(&guard, fd);
	while (n > 0 && moved < len) {
		n = guard.closed ? -ECANCELED : move(fd, bytes + moved, len - moved, flags);
		moved += n > 0 ? (size_t)n : 0;
	}
	coil__close_guard_end(&guard);
	if (done)
		*done = moved;
	return n < 0 ? n : (ssize_t)moved;
}

static int poll_for(int fd, short events, bool hint)
{
	struct op op = { .hint = hint };

	io_uring_prep_poll_add(&op.sqe, fd, (unsigned short)events);
	return (int)coil__op_run(&op);
}

int coil__poll_fd(int fd, short events)
{
	return poll_for(fd, events, false);
}

int coil__poll_hint(int fd, short events)
{
	return poll_for(fd, events, true);
}

struct call {
	struct job job;
	struct coil_task *task;
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void wait_work(struct job *job)
{
	struct call *call = container_of(job, struct call, job);

	call->result = call->fn(call->arg);
}

static void done(struct coil_loop *loop, struct job *job)
{
	(void)loop;
	coil__ready(container_of(job, struct call, job)->task, 0);
}

int coil__run_in_pool(int (*fn)(void *arg), void *arg, const char *what)
{
	struct wait wait = { .what = what };
	struct call call = {
		.job = { .work = wait_work, .done = done, .lane = POOL_CALLS },
		.task = coil__self(),
		.fn = fn,
		.arg = arg,
	};
	int err = coil__pool_submit(call.task->loop, &call.job);

	if (err)
		return err;
	coil__park(call.task, &wait, &call);
	return call.result;
}

/*
 * Hash table by fd, one for each thread: a task never changes its thread, nor
 * an fd its loop.  In the child of a fork the parent's entries stay valid: the
 * parent's tasks never end there, so their stacks stay mapped.
 */
enum { BUCKETS = 16 };

static __thread struct close_guard *buckets[BUCKETS]
	__attribute__((tls_model("initial-exec")));

void coil__close_guard_begin(struct close_guard *guard, int fd)
{
	struct close_guard **bucket = &buckets[(unsigned)fd % BUCKETS];

	guard->fd = fd;
	guard->closed = guard->turn = false;
	guard->queue = (struct coil_waitq){0};
	guard->next = *bucket;
	guard->link = bucket;
	if (guard->next)
		guard->next->link = &guard->next;
	*bucket = guard;
}

void coil__close_guard_end(struct close_guard *guard)
{
	*guard->link = guard->next;
	if (guard->next)
		guard->next->link = guard->link;
	coil_waitq_unpark_all(&guard->queue);
}

static struct close_guard *with_turn(int fd)
{
	struct close_guard *guard = buckets[(unsigned)fd % BUCKETS];

	while (guard && !(guard->fd == fd && guard->turn))
		guard = guard->next;
	return guard;
}

int coil__close_guard_turn(struct close_guard *guard)
{
	struct close_guard *other;
	int err = 0;

	while (!err && !guard->closed && (other = with_turn(guard->fd)))
		err = coil_waitq_park_for(&other->queue, NULL, "its turn");
	if (!err && !guard->closed)
		guard->turn = true;
	return err;
}

void coil__close_guard_closed(int fd)
{
	struct close_guard *guard = buckets[(unsigned)fd % BUCKETS];

	for (; guard; guard = guard->next) {
		if (guard->fd != fd)
			continue;
		guard->closed = true;
		guard->turn = false;
		coil_waitq_unpark_all(&guard->queue);
	}
}
