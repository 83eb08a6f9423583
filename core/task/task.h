/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_TASK_H
#define COIL_CORE_TASK_TASK_H

/*
 * A task lies at the top of its own stack.  A switch touches only the first cache line
 * of it.  The creation and the end of a task touch the first two.  The other lines have
 * the values that a new task needs already while the stack is in the pool.
 */

#include "core/task/list.h"
#include "core/task/scope.h"
#include "core/task/stack.h"
#include <coil/group.h>
#include <coil/task.h>
#include <stdbool.h>
#include <stdint.h>

/* What a parked task waits for. */
struct wait {
	const char *what;	/* "sleep", "lock": for reports */

	/*
	 * Called when a cancellation or an expiry becomes visible.  Ends the wait, or
	 * makes sure that it ends.  NULL: the wait is sure to end and must not be
	 * interrupted.
	 */
	void (*interrupt)(struct coil_task *task);
	bool on_thread;		/* a function runs on a thread, or will run */
};

/* Calls ended() when a task ends. */
struct watch {
	struct watch *next;
	struct watch *prev;
	void (*ended)(struct watch *watch, struct coil_task *task);
	struct coil_task *of;
};

struct vars;
struct turn;

struct coil_task {
	void *context;			/* where to enter it */
	struct coil_loop *loop;
	int pending;			/* error that a parking call returns now; 0: none */
	int wake;			/* what coil__park() returns to it */
	uint32_t modes;			/* modes at its last switch: see context.h */
	uint32_t stack_number;		/* number of its stack in the pool */
	const struct wait *wait;	/* NULL: running, ready or ended */
	void *object;			/* what the wait is about */
	struct coil_scope *innermost;
	int64_t since;			/* start of the pass in which it parked */

	int (*fn)(void *arg);
	void *arg;
	int result;
	uint32_t timer;			/* timer of its sleep */
	unsigned refs;			/* handle and holds, and one until it ends */
	bool done : 1;
	bool detached : 1;
	bool reported : 1;		/* its result was read or passed on */
	bool own_stack : 1;		/* its stack is not one of the pool */
	bool has_waiters : 1;		/* waiters is on the list of watches */
	bool needs_cleanup : 1;		/* coil__task_free() must clear the rest */
	bool late : 1;			/* in the list of late tasks: see create_late() */
	struct watch *consumer;		/* the one call that consumes its handle; or NULL */
	struct watch *watches;		/* all other watches */
	struct coil_group *group;
	int64_t ended_order;		/* once done: order in which the loop's tasks ended */
	uint64_t number;

	/*
	 * Hooks of the rooms above, which this room must not name.  The code that sets
	 * group sets the first, and the code that sets turns sets the second.
	 */
	void (*leave_group)(struct coil_task *task);	/* called at the end of the task */
	void (*drop_turns)(struct coil_task *task);	/* called before it is freed */

	struct coil_scope scope;	/* the task's own; only its flags change */
	char *name;			/* NULL: coil_task_name() makes one */
	struct coil_waitq waiters;	/* see coil_task_waiters */
	struct watch waiters_watch;	/* wakes the tasks in waiters */
	unsigned refused;		/* calls in a row that coil__refuse() refused */
	struct coil_task *sibling_next;	/* in a group's children, or in the late tasks */
	struct coil_task *sibling_prev;
	struct coil_task *cancel_next;	/* in the loop's cancels */
	const void *mark;		/* for counting each task once: see gather.c */
	struct turn *turns;		/* places in iterations: see completed.c */
	struct vars *vars;		/* its own, or shared with its creator: see var.c */
	struct { void *caught; unsigned count; } cxx;	/* __cxa_get_globals() while parked */
	void *fake;			/* ASan's frames of this stack while parked */

	struct stack stack;		/* last: see core/task/stack.h */
} __attribute__((aligned(64)));

/* The smallest stack that a program may ask for. */
#define COIL_STACK_MIN ((size_t)16 * 1024)

/*
 * The task that runs on this thread.  It is a loop's root while the loop itself runs,
 * and the root of coil__no_loop on a thread without a loop.  A root's pending is -EPERM.
 * So a call that reads pending needs no second test for a caller outside of tasks.
 */
extern __thread struct coil_task *coil__current __attribute__((tls_model("initial-exec")));

static inline struct coil_task *coil__self(void)
{
	return coil__current;
}

/* Returned by coil__park() if a cancellation or an expiry ended the wait. */
#define WAKE_CANCELLED INT32_MIN

/*
 * Parks the calling task until coil__ready().  Returns the wake that was passed to
 * coil__ready().  The caller must check pending before.
 */
int coil__park(struct coil_task *self, const struct wait *wait, void *object);

/* Ends a task's wait and puts the task at the end of the run queue. */
void coil__ready(struct coil_task *task, int wake);

/* Puts the caller at the end of the run queue and lets others run; ignores pending. */
void coil__turn(struct coil_task *self);

/*
 * Returns pending, for a parking call that found it set at entry.  A task that goes on
 * calling must not freeze its thread.  So every REFUSED_TURN calls in a row it lets
 * others run, and after REFUSED_REPORT calls it reports the task: see task.c.
 */
int coil__refuse(struct coil_task *self);

struct coil_loop;

/* Prefetches the first tasks of the run queue.  No earlier switch has fetched them. */
void coil__fetch_first(const struct coil_loop *loop);

/*
 * Runs ready tasks until control returns to root: the run queue is empty, the budget is
 * spent, the mark is met or a zombie has to be released.
 */
void coil__run_ready(struct coil_loop *loop);

/* Returns whether the reserved fields of a struct of options are zero, as they must be. */
#define coil__reserved_is_zero(options)						\
	coil__is_zero((options)->reserved,					\
		      sizeof((options)->reserved) / sizeof(*(options)->reserved))

static inline bool coil__is_zero(const uint64_t *fields, size_t n)
{
	while (n && !fields[n - 1])
		n--;
	return !n;
}

/* Returns 0, or -EINVAL if an option is out of range.  options may be NULL. */
int coil__task_check_options(const struct coil_task_options *options);

/*
 * Checks whether self may wait for n tasks.  Returns 0, -ENOMEM if one is NULL, -EDEADLK
 * if one is self, or -EXDEV if one belongs to another loop.  gather.c defines it.
 */
int coil__tasks_check(const struct coil_task *self, struct coil_task *tasks[], size_t n);

/*
 * Returns the next task whose stack is taken, and NULL after the last.  That includes
 * ended tasks whose handle is still held.  The cursor starts zeroed.
 */
static inline struct coil_task *coil__tasks_each(const struct stacks *stacks,
						 struct stack_cursor *cursor)
{
	struct stack *stack = coil__stacks_each(stacks, cursor);

	return stack ? container_of(stack, struct coil_task, stack) : NULL;
}

/*
 * Creates a task but does not start it.  Returns NULL if memory runs out.  The task
 * holds two references: the handle, and one until it ends.
 */
struct coil_task *coil__task_new(struct coil_loop *loop, const struct coil_task_options *options,
				 int (*fn)(void *arg), void *arg);

/* Makes a new task ready, or runs it at once if eager. */
void coil__task_start(struct coil_task *task, bool eager);

/* Drops a reference.  The last one frees the task. */
void coil__task_unref(struct coil_task *task);

/* Takes the newest late task off the loop's list.  Returns NULL if there is none. */
struct coil_task *coil__task_pop_late(struct coil_loop *loop);

/* Returns the task's stack to the pool, or unmaps it if it is not one of the pool. */
void coil__task_free(struct coil_task *task);

/* Puts watch on the task's list, and takes it off again.  The caller sets ended. */
void coil__watch(struct watch *watch, struct coil_task *task);
void coil__unwatch(struct watch *watch);

/* coil_group_wait() for the owner, which ignores pending and cannot be interrupted. */
int coil__group_end(struct coil_group *group);

/* Reports an error of a task: calls the program's handler, or prints one line. */
void coil__report(const struct coil_task *task, int error);

/* Prints one line on stderr.  Drops it if the write would block. */
void coil__warn(const char *format, ...) COIL_PRINTF(1, 2);

/* Prints a misuse that the task cannot survive, and aborts the process. */
_Noreturn void coil__die(const struct coil_task *task, const char *what);

#endif
