/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_TASK_H
#define COIL_CORE_TASK_TASK_H

/*
 * A task lies on the top of its own stack.  The first cache line is what a switch
 * touches; birth and death touch the first two.  The rest is as it is to be at birth
 * whenever the stack lies in the pool.
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
	const char *what;	/* "sleep", "lock": for people */

	/*
	 * A request became visible: end the wait, or see to it that it ends.  NULL:
	 * the wait is sure to end and is not to be disturbed.
	 */
	void (*interrupt)(struct coil_task *task);
	bool on_thread;		/* a function runs on a thread, or is to run */
};

/* Somebody who is told when a task ends. */
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
	int pending;			/* what a parking call returns now; 0: it parks */
	int wake;			/* what the one who readied it had to say */
	uint32_t modes;			/* when it was last left: see core/task/context.h */
	uint32_t stack_number;		/* in the pool */
	const struct wait *wait;	/* NULL: running, ready or ended */
	void *object;			/* what the wait is about */
	struct coil_scope *innermost;
	int64_t since;			/* when it parked, as of the last pass */

	int (*fn)(void *arg);
	void *arg;
	int result;
	uint32_t timer;			/* of a sleep */
	unsigned refs;			/* handles, and one while it runs */
	bool done : 1;
	bool detached : 1;
	bool told : 1;			/* its result was read: nobody else need hear of it */
	bool own_stack : 1;		/* not of the pool's size */
	bool has_waiters : 1;		/* waiters is on the list of watches */
	bool needs_cleanup : 1;		/* the rest may have to be cleared at the end */
	bool late : 1;			/* in the loop's list of those: see loop.h */
	struct watch *consumer;		/* who awaits it, alone */
	struct watch *watches;		/* who else is told */
	struct coil_group *group;
	int64_t ended_order;		/* once done: its place among the ended */
	uint64_t number;

	/*
	 * Hooks of the rooms above, so that this one names none of them.  The first is
	 * set where group is, the second where turns is.
	 */
	void (*leave_group)(struct coil_task *task);	/* it has ended */
	void (*drop_turns)(struct coil_task *task);	/* it is about to be freed */

	struct coil_scope scope;	/* of it only flags change */
	char *name;			/* NULL: made of the number when asked for */
	struct coil_waitq waiters;	/* see coil_task_waiters */
	struct watch waiters_watch;	/* wakes them */
	unsigned refused;		/* parking calls in a row that a request refused */
	struct coil_task *sibling_next;	/* of a group's children, or of late tasks */
	struct coil_task *sibling_prev;
	struct coil_task *cancel_next;	/* of those that are yet to be told */
	const void *mark;		/* counts a task once: see gather.c */
	struct turn *turns;		/* in iterations: completed.c */
	struct vars *vars;		/* its own, or shared with its creator: var.c */
	struct { void *caught; unsigned count; } cxx;	/* of __cxa_get_globals() */
	void *fake;			/* ASan's frames of this stack while it rests */

	struct stack stack;		/* last: see core/task/stack.h */
} __attribute__((aligned(64)));

/* The smallest stack that a program may ask for. */
#define COIL_STACK_MIN ((size_t)16 * 1024)

/*
 * Who runs on this thread: a task, a loop's root while the loop itself does, or,
 * where there is no loop, the root of coil__no_loop.  A root's pending is -EPERM, so
 * that the one look every call takes at pending tells that, too.
 */
extern __thread struct coil_task *coil__current __attribute__((tls_model("initial-exec")));

static inline struct coil_task *coil__self(void)
{
	return coil__current;
}

/* coil__park: the wake of one whose wait ended because of a request. */
#define WAKE_REQUEST INT32_MIN

/*
 * Parks the calling task until coil__ready(); returns what that was given.  The
 * caller has looked at pending before.
 */
int coil__park(struct coil_task *self, const struct wait *wait, void *object);

/* Ends a task's wait: it goes to the back of the ready list. */
void coil__ready(struct coil_task *task, int wake);

/* The back of the ready list, without a look at pending. */
void coil__turn(struct coil_task *self);

/*
 * What a parking call returns when a request was pending at entry.  One that
 * keeps calling in spite of it must not freeze its thread: see task.c.
 */
int coil__refuse(struct coil_task *self);

struct coil_loop;

/* Of those that run first, what nobody ran before to fetch. */
void coil__fetch_first(const struct coil_loop *loop);

/* Runs ready tasks until the list is empty or the budget is spent. */
void coil__run_ready(struct coil_loop *loop);

/* Whether the reserved fields of a struct of options are zero, as they have to be. */
#define coil__reserved_is_zero(options)						\
	coil__is_zero((options)->reserved,					\
		      sizeof((options)->reserved) / sizeof(*(options)->reserved))

static inline bool coil__is_zero(const uint64_t *fields, size_t n)
{
	while (n && !fields[n - 1])
		n--;
	return !n;
}

int coil__task_check_options(const struct coil_task_options *options);

/*
 * Whether self may wait for n tasks: 0, -ENOMEM if one is NULL, -EDEADLK if one is self,
 * -EXDEV if one belongs to another loop.  Defined in gather.c.
 */
int coil__tasks_check(const struct coil_task *self, struct coil_task *tasks[], size_t n);

/* Every task whose stack is taken, ended ones with a handle included. */
static inline struct coil_task *coil__tasks_each(const struct stacks *stacks,
						 struct stack_cursor *cursor)
{
	struct stack *stack = coil__stacks_each(stacks, cursor);

	return stack ? container_of(stack, struct coil_task, stack) : NULL;
}

struct coil_task *coil__task_new(struct coil_loop *loop, const struct coil_task_options *options,
				 int (*fn)(void *arg), void *arg);
void coil__task_start(struct coil_task *task, bool eager);
void coil__task_unref(struct coil_task *task);

/* Takes the newest of the loop's late tasks off their list; NULL if there is none. */
struct coil_task *coil__task_pop_late(struct coil_loop *loop);
void coil__task_free(struct coil_task *task);

void coil__watch(struct watch *watch, struct coil_task *task);
void coil__unwatch(struct watch *watch);

/* As coil_group_wait(), by the owner, without a look at what is pending. */
int coil__group_end(struct coil_group *group);

/* Prints one line, or calls the program's handler. */
void coil__report(const struct coil_task *task, int error);

/* One line on stderr, dropped rather than waited for. */
void coil__warn(const char *format, ...) COIL_PRINTF(1, 2);

/* A bug in the program that cannot be survived: says so and aborts. */
_Noreturn void coil__die(const struct coil_task *task, const char *what);

#endif
