/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_LOOP_H
#define COIL_CORE_TASK_LOOP_H

/*
 * A loop: one thread's tasks, timers and operations.  This is the state that all rooms
 * share.  core/loop/loop.h has the functions that begin, run and end a loop.
 */

#include "core/task/context.h"
#include "core/task/cxx.h"
#include "core/task/list.h"
#include "core/task/stack.h"
#include "core/task/task.h"
#include "core/task/timers.h"
#include <coil/run.h>
#include <pthread.h>
#include <stdatomic.h>

struct backend;
struct fd;
struct pool;

/*
 * Work that is put off until the loop next asks the kernel for anything.  run does it,
 * takes the chore off the loop's list, and may not park.
 */
struct chore {
	struct link link;
	void (*run)(struct chore *chore);
};

/* Something for the loop's own thread to do, from another one. */
struct remote {
	_Atomic(struct remote *) next;
	void (*run)(struct coil_loop *loop, struct remote *remote);
};

struct inbox {
	struct remote *first;		/* the loop's: the next to be done, or the stub */
	_Atomic(struct remote *) last;
	struct remote stub;		/* so that there is always a last */
	atomic_int state;		/* of the loop: see inbox.c */
	atomic_uint senders;
	atomic_bool closed;
};

enum { BACKEND_FDS = 3 };

/* The run queue: a ring with room for every task and the root.  A yield touches this. */
struct run_queue {
	/* What a yield touches. */
	struct coil_task **ring;	/* a ring with room for every task and root */
	uint32_t mask;		/* its length less one */
	uint32_t head;		/* the next to run; both count on and on */
	uint32_t tail;
	uint32_t overtaken;		/* so far head has to come before sleepers overtake */
	int budget;			/* switches until the loop has to look around */
	int credit;			/* see coil__spend */
	bool marked;			/* root is on the ready list: see coil__scope_due */
	size_t looks;			/* for which the mark may yet wait; 0: it does not */
};

/* What the loop knows of the time. */
struct loop_clock {
	int64_t pass_start;		/* by the clock; in a poll() that sleeps the last pass's */
	int64_t slept;			/* when it last came back from a sleep in the kernel */
	int64_t coalesce;		/* so long it does not wake for timers then */
	int64_t slack;			/* by which the kernel may put a wake-up off */
	const int64_t *simulated;		/* a simulated clock; NULL: the real one */
};

/* The backend, and what it has in its hands. */
struct loop_io {
	bool more;			/* poll() found more than it took */
	const struct backend *backend;
	void *data;			/* the backend's own */
	int backend_fds[BACKEND_FDS];	/* ... which the child of a fork closes; or -1 */
	char reason[160];
	size_t ops;			/* in flight, but for the loop's own */
	size_t jobs;			/* that the pool has */
	struct fd *fds;
	size_t fd_count;
	struct pool *pool;
	struct list chores;
	void *spare;			/* a block of memory that streams pass on */
	unsigned lookups;		/* of names at a time in the process; 0: 16 */
};

/* How the loop ends. */
struct loop_shutdown {
	bool ending;			/* main has returned */
	bool ended;			/* no task may be made any more */
	bool stuck;			/* nothing could go on, once */
	bool known;			/* to other threads, maybe: they may call */
	const sigset_t *stop_signals;	/* NULL: none */
	int stopped;			/* by which of the stop signals */
	int64_t nag;			/* when to name those who keep it from ending */
	struct coil_task *late;		/* made since main returned, yet to be looked at */
};

struct scope_list {
	struct coil_scope *first;
	struct coil_scope *last;
};

struct task_list {
	struct coil_task *first;
	struct coil_task *last;
};

struct coil_loop {
	struct run_queue run;
	struct loop_clock clock;
	struct loop_io io;
	struct loop_shutdown shutdown;
	bool parted;			/* timers equal to the last that fired are left */
	struct cxx cxx;

	struct context_modes modes;	/* of the floating-point unit, when the run began */

	struct timers timers;
	struct stacks stacks;
	struct coil_task *zombie;	/* ended, on a stack that only root may bury */
	struct task_list cancels;	/* being told that they are cancelled: see scope.c */
	size_t task_count;		/* of tasks that have not ended */
	uint64_t task_number;
	int64_t ended_count;
	size_t watched;			/* shared things that outsiders may still wake */
	struct scope_list due;	/* deadlines that fell due, first to last */
	struct scope_list due_next;	/* ... while the mark was on the list */

	void (*error_handler)(const struct coil_task *, int, void *);
	void *error_arg;
	struct coil_task *main;
	pthread_t thread;
	struct link registered;		/* among the loops of the process: fork.c */

	/* What other threads touch. */
	atomic_uint refs;
	struct inbox inbox;

	struct coil_task root;		/* the loop itself, as something to switch to */

};

/* The thread's loop; where it has none a place with no tasks. */
#define coil__loop (coil__current->loop)
extern struct coil_loop coil__no_loop;

static inline uint32_t coil__ready_count(const struct coil_loop *loop)
{
	return loop->run.tail - loop->run.head;
}

static inline void coil__ready_push(struct coil_loop *loop, struct coil_task *task)
{
	loop->run.ring[loop->run.tail++ & loop->run.mask] = task;
}

/*
 * A parking call found its result at once.  Such calls must not starve the other
 * tasks.  So at each SPEND_LOOK the clock is read; if the loop has not looked at the
 * kernel for too long, the task goes to the end of the run queue.  The caller owns its
 * result before that; a cancel that arrives meanwhile shows at its next call.
 */
enum {
	SPEND_ITEM = 1,		/* an item of a queue */
	SPEND_CALL = 8,		/* any other call that asks the kernel for nothing */
	SPEND_LOOK = 128,	/* between two looks at the clock */
};

void coil__spent(struct coil_task *self);

static inline void coil__spend(struct coil_task *self, int n)
{
	self->loop->run.credit -= n;
	if (unlikely(self->loop->run.credit <= 0))
		coil__spent(self);
}

/* The same for a call that must not give way here; false: it has to give way later. */
static inline bool coil__spend_some(int n)
{
	struct coil_loop *loop = coil__loop;

	loop->run.credit -= n;
	return loop->run.credit > 0;
}

int64_t coil__clock(const struct coil_loop *loop);

/* A deadline ns from now, COIL_FOREVER if that is past the end of the clock. */
static inline int64_t coil__deadline(int64_t now, int64_t ns)
{
	int64_t when;

	return __builtin_add_overflow(now, ns, &when) ? INT64_MAX : when;
}

#endif
