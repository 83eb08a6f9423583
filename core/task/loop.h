/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_LOOP_H
#define COIL_CORE_TASK_LOOP_H

/*
 * A loop holds the tasks, timers and operations of one thread.  This file defines the
 * state that all rooms share.  core/loop/loop.h declares the functions that open, run
 * and close a loop.
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
 * Work that is put off until the loop next polls the kernel.  run() does the work
 * and takes the chore off the loop's list.  It must not park.
 */
struct chore {
	struct link link;
	void (*run)(struct chore *chore);
};

/* Work that another thread gives to the loop's own thread. */
struct remote {
	_Atomic(struct remote *) next;
	void (*run)(struct coil_loop *loop, struct remote *remote);
};

/* The remotes that other threads have sent to the loop.  inbox.c owns it. */
struct inbox {
	struct remote *first;		/* next to run, or the stub; not for senders */
	_Atomic(struct remote *) last;	/* newest; senders append behind it */
	struct remote stub;		/* keeps the list from being empty */
	atomic_int state;		/* whether the loop sleeps: see inbox.c */
	atomic_uint senders;		/* threads that are sending now */
	atomic_bool closed;		/* no remote is accepted any more */
};

enum { BACKEND_FDS = 3 };

/*
 * The run queue: a ring of the tasks that are ready.  core/task owns it, and
 * core/loop refills the budget and the credit in each pass.
 */
struct run_queue {
	struct coil_task **ring;	/* has room for every task and for root */
	uint32_t mask;			/* length of the ring less one */
	uint32_t head;			/* next to run; counts on past the mask */
	uint32_t tail;			/* next free place; likewise */
	uint32_t overtaken;		/* where head must be before sleepers overtake */
	int budget;			/* switches left until the loop polls */
	int credit;			/* units left: see coil__spend() */
	bool marked;			/* root is queued as the mark: see scope.c */
	size_t looks;			/* passes that may still delay the mark; 0: none */
};

/* What the loop knows of the time, in nanoseconds.  core/loop owns it. */
struct loop_clock {
	int64_t pass_start;		/* start of this pass; during a sleep, of the last */
	int64_t slept;			/* time of the last return from a sleep in the kernel */
	int64_t coalesce;		/* no wake-up for timers so soon after a sleep */
	int64_t slack;			/* how much the kernel may delay a wake-up */
	const int64_t *simulated;	/* the simulated clock; NULL: the real one */
};

/* The backend, its operations and its file descriptors.  core/backend owns it. */
struct loop_io {
	bool more;			/* poll() may have left completions */
	const struct backend *backend;	/* functions of the backend in use */
	void *data;			/* the backend's own state */
	int backend_fds[BACKEND_FDS];	/* a child of fork closes them; -1: none */
	char reason[160];		/* why this backend was chosen */
	size_t ops;			/* operations in flight, without background ones */
	size_t jobs;			/* this loop's jobs in the thread pool */
	struct fd *fds;			/* table of file descriptors, by number */
	size_t fd_count;		/* entries in fds */
	struct pool *pool;		/* the thread pool; NULL until it is used */
	struct list chores;		/* chores to run before the next poll */
	void *spare;			/* free chunk that streams reuse; or NULL */
	unsigned lookups;		/* maximum of parallel name look-ups; 0: 16 */
};

/* How the run ends.  core/loop owns it. */
struct loop_shutdown {
	bool ending;			/* the main task has returned */
	bool ended;			/* no task can be created any more */
	bool stuck;			/* the run was deadlocked once */
	bool known;			/* other threads may know the loop and call it */
	const sigset_t *stop_signals;	/* signals that stop the run; NULL: none */
	int stopped;			/* number of the stop signal received; 0: none */
	int64_t nag;			/* time to warn of tasks that delay the end */
	struct coil_task *late;		/* newest late task: see create_late() */
};

/* Scopes whose deadlines have expired, linked by due.  core/task/scope.c owns it. */
struct scope_list {
	struct coil_scope *first;	/* expired first */
	struct coil_scope *last;	/* expired last */
};

/* Cancelled tasks, linked by cancel_next.  core/task/scope.c owns it. */
struct task_list {
	struct coil_task *first;	/* the one that coil_cancel() works on */
	struct coil_task *last;		/* cancelled last; not valid if first is NULL */
};

/*
 * The loop of one thread.  core/loop opens and closes it; each room owns its part.
 */
struct coil_loop {
	struct run_queue run;		/* tasks that are ready */
	struct loop_clock clock;	/* times of the passes */
	struct loop_io io;		/* backend and operations */
	struct loop_shutdown shutdown;	/* state of the end */
	bool parted;			/* expired timers equal to the last one are left */
	struct cxx cxx;			/* exceptions of C++: see cxx.c */

	struct context_modes modes;	/* floating-point modes at the start of the run */

	struct timers timers;		/* sleeps and deadlines, by time */
	struct stacks stacks;		/* pool of stacks, and so all tasks */
	struct coil_task *zombie;	/* ended task that root has to release */
	struct task_list cancels;	/* cancellations that have yet to spread */
	size_t task_count;		/* tasks that have not ended */
	uint64_t task_number;		/* number of the newest task */
	int64_t ended_count;		/* tasks that have ended so far */
	size_t watched;			/* other threads or signals may wake it: no deadlock */
	struct scope_list due;		/* expired deadlines to be applied, in order */
	struct scope_list due_next;	/* ... that expired while the mark was queued */

	/* What coil__report() calls; NULL: it prints a line. */
	void (*error_handler)(const struct coil_task *, int, void *);
	void *error_arg;		/* last argument of error_handler */
	struct coil_task *main;		/* the main task; NULL: not created, or released */
	pthread_t thread;		/* thread that runs the loop */
	struct link registered;		/* in the list of all loops: fork.c */

	/* Other threads use these two. */
	atomic_uint refs;		/* references; the run itself holds one */
	struct inbox inbox;		/* remotes from other threads */

	struct coil_task root;		/* the loop itself, as a task to switch to */
};

/* This thread's loop.  A thread without one has coil__no_loop, which has no tasks. */
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
 * Counts a parking call that found its result at once.  Such calls must not starve the
 * other tasks.  So coil__spent() reads the clock after SPEND_LOOK units.  If the loop
 * has not polled the kernel for too long, the task goes to the end of the run queue.
 * The caller must own its result before that.  A cancellation that arrives meanwhile
 * shows at the caller's next call.
 */
enum {
	SPEND_ITEM = 1,		/* an item of a queue */
	SPEND_CALL = 8,		/* any other call that needs no system call */
	SPEND_LOOK = 128,	/* units between two reads of the clock */
};

void coil__spent(struct coil_task *self);

static inline void coil__spend(struct coil_task *self, int n)
{
	self->loop->run.credit -= n;
	if (unlikely(self->loop->run.credit <= 0))
		coil__spent(self);
}

/*
 * Counts the same for a call that must not give way here.  Returns false if the caller
 * has to give way later.
 */
static inline bool coil__spend_some(int n)
{
	struct coil_loop *loop = coil__loop;

	loop->run.credit -= n;
	return loop->run.credit > 0;
}

/* Returns the time in nanoseconds, by the simulated clock if the loop has one. */
int64_t coil__clock(const struct coil_loop *loop);

/* Returns the deadline ns from now, or COIL_FOREVER if the sum overflows. */
static inline int64_t coil__deadline(int64_t now, int64_t ns)
{
	int64_t when;

	return __builtin_add_overflow(now, ns, &when) ? INT64_MAX : when;
}

#endif
