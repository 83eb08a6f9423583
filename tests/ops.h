/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_OPS_H
#define COIL_TESTS_OPS_H

/* Ops without the calls of io/ around them, for suites about backends. */

#include "core/task/loop.h"
#include "core/backend/op.h"
#include <coil/task.h>
#include <coil/time.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#define OP_UNUSED __attribute__((unused))

/* Runs the op that the io_uring_prep_* call prepares; prep's first argument is out. */
#define run_op(prep, ...)						\
	({								\
		struct op op_ = {0};					\
									\
		io_uring_prep_##prep(&op_.sqe, __VA_ARGS__);		\
		(int)coil__op_run(&op_);				\
	})

static OP_UNUSED int op_recv(int fd, void *buf, size_t len, int flags)
{
	return run_op(recv, fd, buf, len, flags);
}

static OP_UNUSED int op_send(int fd, const void *buf, size_t len, int flags)
{
	return run_op(send, fd, buf, len, flags);
}

static OP_UNUSED int op_read(int fd, void *buf, unsigned len)
{
	return run_op(read, fd, buf, len, UINT64_MAX);
}

static OP_UNUSED int op_write(int fd, const void *buf, unsigned len)
{
	return run_op(write, fd, buf, len, UINT64_MAX);
}

static OP_UNUSED int op_poll(int fd, short events)
{
	return run_op(poll_add, fd, (unsigned short)events);
}

/* A task that makes one request, and what came of it, in which order. */
struct asker {
	int fd;
	char buf[16];
	int res;
	int place;		/* among all that came back; 0: it has not */
	struct coil_task *task;
};

static int op_places OP_UNUSED;

static OP_UNUSED int ask_recv(void *arg)
{
	struct asker *asker = arg;

	asker->res = op_recv(asker->fd, asker->buf, sizeof(asker->buf), 0);
	asker->place = ++op_places;
	return 0;
}

static OP_UNUSED int ask_read(void *arg)
{
	struct asker *asker = arg;

	asker->res = op_read(asker->fd, asker->buf, sizeof(asker->buf));
	asker->place = ++op_places;
	return 0;
}

static OP_UNUSED int ask_accept(void *arg)
{
	struct asker *asker = arg;

	asker->res = run_op(accept, asker->fd, NULL, NULL, SOCK_CLOEXEC);
	asker->place = ++op_places;
	return 0;
}

/* Starts it and lets it run until it waits. */
static OP_UNUSED void ask(struct asker *asker, int (*fn)(void *arg), int fd)
{
	memset(asker, 0, sizeof(*asker));
	asker->fd = fd;
	asker->task = coil_create_task(fn, asker);
	ck_assert_ptr_nonnull(asker->task);
	ck_assert_int_eq(coil_yield(), 0);
}

static OP_UNUSED void answered(struct asker *asker)
{
	ck_assert_int_eq(coil_await(asker->task), 0);
}

/* An op of the test's own: what its completions said. */
struct own_op {
	struct op op;
	int count;		/* of completions */
	int last;
	bool more;
	int results[128];
	void (*hook)(struct own_op *own);
};

static OP_UNUSED void note_completion(struct op *op, int res, unsigned flags)
{
	struct own_op *own = (struct own_op *)op;

	if (own->count < 128)
		own->results[own->count] = res;
	own->count++;
	own->last = res;
	own->more = flags & IORING_CQE_F_MORE;
	if (own->hook)
		own->hook(own);
}

/* Starts it; the sqe was prepared. */
static OP_UNUSED void begin(struct own_op *own)
{
	own->op.complete = note_completion;
	own->more = true;
	ck_assert_int_eq(coil__op_start(coil__loop, &own->op), 0);
}

/* Sleeps until fn says so, or for a second. */
#define until(condition)						\
	do {								\
		for (int i_ = 0; !(condition) && i_ < 1000; i_++)	\
			ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0); \
		ck_assert(condition);					\
	} while (0)

#endif
