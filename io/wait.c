/* SPDX-License-Identifier: MIT */
#include "io/wait.h"
#include "core/loop.h"
#include "core/op.h"
#include "core/pool.h"
#include "core/task.h"

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
	struct steps steps;
	size_t moved = 0;
	ssize_t n = check_buffer(fd, buf, len);

	if (!n)
		n = len ? 1 : coil__enter();
	coil__steps_begin(&steps, fd);
	while (n > 0 && moved < len) {
		n = steps.closed ? -ECANCELED : move(fd, bytes + moved, len - moved, flags);
		moved += n > 0 ? (size_t)n : 0;
	}
	coil__steps_end(&steps);
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

static void work(struct job *job)
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
	struct wait wait = { what, NULL };
	struct call call = {
		.job = { .work = work, .done = done, .lane = POOL_CALLS },
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

static __thread struct steps *buckets[BUCKETS]
	__attribute__((tls_model("initial-exec")));

void coil__steps_begin(struct steps *steps, int fd)
{
	struct steps **bucket = &buckets[(unsigned)fd % BUCKETS];

	steps->fd = fd;
	steps->closed = steps->turn = false;
	steps->queue = (struct coil_waitq){0};
	steps->next = *bucket;
	steps->link = bucket;
	if (steps->next)
		steps->next->link = &steps->next;
	*bucket = steps;
}

void coil__steps_end(struct steps *steps)
{
	*steps->link = steps->next;
	if (steps->next)
		steps->next->link = steps->link;
	coil_waitq_unpark_all(&steps->queue);
}

static struct steps *with_turn(int fd)
{
	struct steps *steps = buckets[(unsigned)fd % BUCKETS];

	while (steps && !(steps->fd == fd && steps->turn))
		steps = steps->next;
	return steps;
}

int coil__steps_turn(struct steps *steps)
{
	struct steps *other;
	int err = 0;

	while (!err && !steps->closed && (other = with_turn(steps->fd)))
		err = coil_waitq_park_for(&other->queue, NULL, "its turn");
	if (!err && !steps->closed)
		steps->turn = true;
	return err;
}

void coil__steps_closed(int fd)
{
	struct steps *steps = buckets[(unsigned)fd % BUCKETS];

	for (; steps; steps = steps->next) {
		if (steps->fd != fd)
			continue;
		steps->closed = true;
		steps->turn = false;
		coil_waitq_unpark_all(&steps->queue);
	}
}
