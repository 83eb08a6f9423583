/* SPDX-License-Identifier: MIT */
/*
 * Creation, parking and end of tasks.
 *
 * switch_to() is the only function that leaves a stack.  Switching is symmetric: a
 * task that parks takes the next ready task off the run queue and jumps straight to
 * it.  Control goes back to the loop when nothing is ready or when the budget of
 * switches is spent.  So tasks that only yield starve neither I/O nor timers.  The
 * loop is represented by its root, which is a task too, on the thread's own stack.
 *
 * A switch saves no errno and reads no clock: each would cost half a switch.
 *
 * A task's function returns into task_entry(), on the task's own stack.  That stack
 * goes to the pool as it is, and the next task on it continues in task_entry()'s
 * loop.  So a context is made once for each stack, not once for each task.  The
 * ended task still uses the stack until its last switch.  No other task can take
 * the stack from the pool before, because that would need a switch.
 *
 * In two cases root releases the task instead.  A stack of a size of its own will be
 * unmapped, and the sanitizers must see each stack end.
 *
 * Every parking call begins with a check of self->pending.  Outside of a task, self
 * is a loop's root or the root of coil__no_loop, whose pending is -EPERM.  So one
 * test serves both purposes.
 */
#include "core/task/task.h"
#include "core/task/context.h"
#include "core/task/loop.h"
#include "core/task/var.h"
#include <coil/time.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TURN = 3,		/* budget that coil__turn() spends, besides its switch */
	SPENT = 8,		/* budget that SPEND_LOOK units of results spend */
	REFUSED_TURN = 64,	/* refused calls in a row before others run */
	REFUSED_REPORT = 10000,	/* refused calls in a row before a report */
};

/* How long tasks may find results without waiting before the loop polls the kernel. */
#define SPENT_LONG COIL_MILLISECOND

/* Completes a switch on the new stack.  from has the context of the task that was left. */
static inline void arrive(struct coil_task *self, struct transfer from)
{
	struct coil_task *left = from.data;
	uint32_t flags;

	sanitize_finish(self->fake, NULL, NULL);
	left->context = from.context;
	left->modes = context_left(from.context);
	context_enter(left->modes, self->modes);
	flags = (left->modes ^ self->modes) & CONTEXT_FLAGS;
	if (unlikely(flags)) {
		left->modes |= flags;
		self->modes |= flags;
		context_raise(from.context, flags);
	}
}

/*
 * Saves the globals of the C++ runtime for self and loads those of next.  It works from
 * the first switch on at which the runtime may be loaded: see cxx.c.
 */
static __attribute__((noinline)) void switch_cxx(struct coil_loop *loop, struct coil_task *self,
						 struct coil_task *next)
{
	if (unlikely(!loop->cxx.globals))
		coil__cxx_look(loop);
	if (!loop->cxx.globals)
		return;
	memcpy(&self->cxx, loop->cxx.globals, sizeof(self->cxx));
	memcpy(loop->cxx.globals, &next->cxx, sizeof(next->cxx));
}

static inline void switch_to(struct coil_loop *loop, struct coil_task *self,
			     struct coil_task *next, bool for_good)
{
	coil__current = next;
	if (unlikely(*loop->cxx.watch))
		switch_cxx(loop, self, next);
	sanitize_start(for_good ? NULL : &self->fake, &next->stack.sanitized,
		       next->stack.bottom, next->stack.top);
	arrive(self, context_jump(next->context, self));
}

/*
 * The run queue is a ring of pointers, not a list through the tasks.  So the tasks that
 * run soon can be prefetched while others run.  With many tasks each one costs a miss of
 * the TLB and of several cache lines.  FETCH_TASK switches ahead the task itself is
 * prefetched.  FETCH_STACK switches ahead its context is in the cache, so the part of
 * its stack where it will continue is prefetched.
 */
enum { FETCH_TASK = 8, FETCH_STACK = 4, LINE = 64 };

static inline const struct coil_task *ahead(const struct coil_loop *loop, uint32_t n)
{
	return loop->run.ring[(loop->run.head + n) & loop->run.mask];
}

static inline void fetch_stack(const struct coil_task *task)
{
	const char *stack = task->context;

	__builtin_prefetch(stack, 1);
	__builtin_prefetch(stack + LINE, 1);
	__builtin_prefetch(stack + 2 * LINE, 1);
	PREFETCHED();
}

/*
 * If the run queue is shorter than FETCH_TASK, it prefetches a task that has already run.
 * This does no harm.
 */
static inline void fetch_ready(const struct coil_loop *loop)
{
	__builtin_prefetch(ahead(loop, FETCH_TASK), 1);
	fetch_stack(ahead(loop, FETCH_STACK));
}

void coil__fetch_first(const struct coil_loop *loop)
{
	uint32_t n = coil__ready_count(loop);

	for (uint32_t i = 0; i < n && i < FETCH_STACK; i++)
		fetch_stack(ahead(loop, i));
}

/* n is the number of ready tasks, at least one. */
static inline struct coil_task *pick_of(struct coil_loop *loop, uint32_t n)
{
	if (unlikely(--loop->run.budget <= 0))
		return &loop->root;
	if (n > FETCH_STACK)
		fetch_ready(loop);
	return loop->run.ring[loop->run.head++ & loop->run.mask];
}

static inline struct coil_task *pick(struct coil_loop *loop)
{
	uint32_t n = coil__ready_count(loop);

	return likely(n) ? pick_of(loop, n) : &loop->root;
}

/* Makes room for one more task now, so that making it ready cannot fail later. */
static int grow_ready(struct coil_loop *loop)
{
	uint32_t length = loop->run.ring ? 2 * (loop->run.mask + 1) : 64;
	struct coil_task **ready;

	/* The ring holds root and every task that has not ended. */
	if (likely(loop->run.ring && loop->task_count + 1 <= loop->run.mask))
		return 0;
	ready = malloc(length * sizeof(*ready));
	if (!ready)
		return -ENOMEM;
	for (uint32_t at = loop->run.head; at != loop->run.tail; at++)
		ready[at & (length - 1)] = loop->run.ring[at & loop->run.mask];
	free(loop->run.ring);
	loop->run.ring = ready;
	loop->run.mask = length - 1;
	return 0;
}

int coil__park(struct coil_task *self, const struct wait *wait, void *object)
{
	struct coil_loop *loop = self->loop;

	if (unlikely(self->innermost != &self->scope))
		coil__scope_check_frame(self);
	self->wait = wait;
	self->object = object;
	self->since = loop->clock.pass_start;
	switch_to(loop, self, pick(loop), false);
	return self->wake;
}

void coil__ready(struct coil_task *task, int wake)
{
	task->wait = NULL;
	task->wake = wake;
	coil__ready_push(task->loop, task);
}

void coil__turn(struct coil_task *self)
{
	struct coil_loop *loop = self->loop;

	/* A task that gives way may have computed for long. */
	loop->run.budget -= TURN;
	/* A lone task would be next anyway, but the loop must poll from time to time. */
	if (!coil__ready_count(loop) && --loop->run.budget > 0)
		return;
	coil__ready_push(loop, self);
	switch_to(loop, self, pick_of(loop, coil__ready_count(loop)), false);
}

/*
 * A read of the clock costs as much as two items of a queue.  A poll of the kernel costs
 * as much as many items.
 */
void coil__spent(struct coil_task *self)
{
	struct coil_loop *loop = self->loop;

	loop->run.credit = SPEND_LOOK;
	loop->run.budget -= SPENT;
	if (loop->run.budget > 0 && coil__clock(loop) - loop->clock.pass_start < SPENT_LONG)
		return;
	loop->run.budget = 0;
	coil__turn(self);
}

int coil_yield(void)
{
	struct coil_task *self = coil__self();

	if (unlikely(self->pending))
		return coil__refuse(self);
	coil__turn(self);
	return 0;
}

/*
 * The mark in the run queue is root itself.  If root runs although the budget is not
 * spent and no zombie has to be released, the mark was met.
 */
void coil__run_ready(struct coil_loop *loop)
{
	struct coil_task *next;
	bool met;

	if (!coil__ready_count(loop))
		return;
	next = loop->run.ring[loop->run.head++ & loop->run.mask];
	met = next == &loop->root;
	if (!met) {
		switch_to(loop, &loop->root, next, false);
		met = loop->run.marked && loop->run.budget > 0 && !loop->zombie;
	}
	if (loop->zombie) {
		coil__task_unref(loop->zombie);
		loop->zombie = NULL;
	}
	if (met) {
		loop->run.marked = false;
		coil__scope_apply_due(loop);
	}
}

int coil__refuse(struct coil_task *self)
{
	if (self->pending == -EPERM)
		return -EPERM;
	self->needs_cleanup = true;
	if (++self->refused % REFUSED_TURN == 0)
		coil__turn(self);
	if (self->refused == REFUSED_REPORT)
		coil__report(self, self->pending);
	return coil__scope_deliver(self);
}

static void task_finish(struct coil_task *self, int result)
{
	struct coil_loop *loop = self->loop;
	struct watch *watch;
	struct coil_task *next;

	if (self->innermost != &self->scope)
		coil__die(self, self->innermost->flags & SCOPE_GROUP ?
			  "returns with a scope open: call coil_group_wait first" :
			  "returns with a scope open: call coil_timeout_end first");
	if (coil__loop != loop)
		coil__die(self, "returns in the child of a fork: end that by _exit or exec");
	/* The callbacks below must not park a task that has ended. */
	self->pending = -EPERM;
	self->result = result;
	self->done = true;
	self->ended_order = ++loop->ended_count;
	loop->task_count--;
	while ((watch = self->watches)) {
		coil__unwatch(watch);
		watch->ended(watch, self);
	}
	if (self->consumer)
		self->consumer->ended(self->consumer, self);
	else if (self->detached && !self->group && result < 0 && result != -ECANCELED)
		coil__report(self, result);
	if (self->group)
		self->leave_group(self);
	if (SANITIZED || self->own_stack) {
		loop->zombie = self;
		next = &loop->root;
	} else {
		coil__task_unref(self);
		next = pick(loop);
	}
	switch_to(loop, self, next, SANITIZED);
}

/* Each iteration runs one task.  The next task on this stack continues in the loop. */
static void task_entry(struct transfer from)
{
	struct coil_task *self = coil__self();

	arrive(self, from);
	for (;;)
		task_finish(self, self->fn(self->arg));
}

/*
 * Zeroes the fields that an earlier task on the stack may have left set.  It does so
 * field by field, because a memset of the whole task would take a third of the time of a
 * spawn.  The other fields are zero already: coil__task_free() clears them.  The field cxx
 * is zero because no task returns from within a C++ handler.
 */
static inline void reset(struct coil_task *task)
{
	task->pending = 0;
	task->wait = NULL;
	task->timer = 0;
	task->done = task->detached = task->reported = false;
	task->has_waiters = task->needs_cleanup = false;
	task->consumer = NULL;
	task->watches = NULL;
	task->group = NULL;
}

/* Sets the fields that no task changes, or that coil__task_free() restores. */
static void reset_rest(struct coil_task *task)
{
	task->scope = (struct coil_scope){
		.task = task, .deadline = INT64_MAX, .flags = SCOPE_OPEN,
	};
	task->fake = NULL;
}

/* Prefetches the lines that a creation writes: the task's first two, and its context's. */
static inline void fetch_new(const struct coil_task *task)
{
	const char *line = (const char *)task;

	__builtin_prefetch(line, 1);
	__builtin_prefetch(line + 64, 1);
	__builtin_prefetch(line - 192, 1);
	PREFETCHED();
}

static int task_name_task(struct coil_task *task, const char *name)
{
	if (!name)
		return 0;
	task->name = malloc(strlen(name) + 1);
	if (!task->name)
		return -ENOMEM;
	memcpy(task->name, name, strlen(name) + 1);
	task->needs_cleanup = true;
	return 0;
}

int coil__task_check_options(const struct coil_task_options *options)
{
	if (!options)
		return 0;
	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	if (options->stack_size && options->stack_size < COIL_STACK_MIN)
		return -EINVAL;
	return 0;
}

struct coil_task *coil__task_new(struct coil_loop *loop, const struct coil_task_options *options,
				 int (*fn)(void *arg), void *arg)
{
	struct coil_task *task;
	struct stack *stack;
	struct taken taken;

	if (unlikely(grow_ready(loop)))
		return NULL;
	if (likely(loop->stacks.warm_count && !(options && options->stack_size)))
		stack = coil__stack_take_warm(&loop->stacks, &taken);
	else
		stack = coil__stack_take(&loop->stacks, options ? options->stack_size : 0, &taken);
	if (!stack)
		return NULL;
	task = container_of(stack, struct coil_task, stack);
	if (likely(taken.soon != NULL))
		fetch_new(container_of(taken.soon, const struct coil_task, stack));
	reset(task);
	task->loop = loop;
	task->fn = fn;
	task->arg = arg;
	task->refs = 2;
	task->innermost = &task->scope;
	task->number = ++loop->task_number;
	task->stack_number = taken.number;
	task->own_stack = taken.own;
	if (unlikely(!taken.entered)) {
		char *limit = coil__stack_limit(&loop->stacks, stack);

		reset_rest(task);
		sanitize_stack_new(&stack->sanitized, limit, (char *)task);
		task->context = coil__make_fcontext(task, (size_t)((char *)task - limit),
						    task_entry);
	}
	task->modes = context_inherit(task->context, coil__self()->modes, loop->modes);
	if (options && task_name_task(task, options->name)) {
		task->refs = 0;
		coil__task_free(task);
		return NULL;
	}
	if (unlikely(coil__self()->vars != NULL)) {
		task->vars = coil__vars_ref(coil__self()->vars);
		task->needs_cleanup = true;
	}
	loop->task_count++;
	return task;
}

/*
 * An eager task runs at once.  Its creator goes to the front of the run queue.  So the
 * creator is next when the child first parks or ends.  Only sleepers whose time has come
 * just then may run earlier.
 */
void coil__task_start(struct coil_task *task, bool eager)
{
	struct coil_loop *loop = task->loop;
	struct coil_task *self = coil__self();

	/* An ended task, which runs an error handler, must not enter the run queue. */
	if (!eager || self == &loop->root || self->done) {
		coil__ready_push(loop, task);
		return;
	}
	loop->run.ring[--loop->run.head & loop->run.mask] = self;
	switch_to(loop, self, task, false);
}

/*
 * A late task was created outside of groups after the main task had returned, and the
 * loop has not checked it yet.  The late tasks form a list, so that the loop need not
 * search all tasks for them.
 */
static __attribute__((noinline)) struct coil_task *
create_late(struct coil_loop *loop, const struct coil_task_options *options,
	    int (*fn)(void *arg), void *arg)
{
	struct coil_task *task = loop->shutdown.ended ? NULL : coil__task_new(loop, options, fn,
									      arg);

	if (!task) {
		errno = loop->shutdown.ended ? ESHUTDOWN : ENOMEM;
		return NULL;
	}
	task->late = task->needs_cleanup = true;
	task->sibling_prev = NULL;
	task->sibling_next = loop->shutdown.late;
	if (loop->shutdown.late)
		loop->shutdown.late->sibling_prev = task;
	loop->shutdown.late = task;
	coil__task_start(task, options && options->eager);
	return task;
}

static void leave_late(struct coil_task *task)
{
	if (task->sibling_prev)
		task->sibling_prev->sibling_next = task->sibling_next;
	else
		task->loop->shutdown.late = task->sibling_next;
	if (task->sibling_next)
		task->sibling_next->sibling_prev = task->sibling_prev;
	task->late = false;
}

struct coil_task *coil__task_pop_late(struct coil_loop *loop)
{
	struct coil_task *task = loop->shutdown.late;

	if (task)
		leave_late(task);
	return task;
}

/* Inline in both callers: without options the checks of the options are compiled away. */
static inline __attribute__((always_inline)) struct coil_task *
create(const struct coil_task_options *options, int (*fn)(void *arg), void *arg)
{
	struct coil_loop *loop = coil__loop;
	struct coil_task *task;

	if (unlikely(loop == &coil__no_loop)) {
		errno = EPERM;
		return NULL;
	}
	if (unlikely(!fn) || coil__task_check_options(options)) {
		errno = EINVAL;
		return NULL;
	}
	if (unlikely(loop->shutdown.ending))
		return create_late(loop, options, fn, arg);
	task = coil__task_new(loop, options, fn, arg);
	if (unlikely(!task)) {
		errno = ENOMEM;
		return NULL;
	}
	coil__task_start(task, options && options->eager);
	return task;
}

struct coil_task *coil_create_task(int (*fn)(void *arg), void *arg)
{
	return create(NULL, fn, arg);
}

struct coil_task *coil_create_task_with(const struct coil_task_options *options,
					int (*fn)(void *arg), void *arg)
{
	return create(options, fn, arg);
}

/*
 * An ended task may call this for itself, and goes on to use its stack until its last
 * switch.  If the stack will be unmapped, it must not: see the top of this file.
 */
void coil__task_free(struct coil_task *task)
{
	struct coil_loop *loop = task->loop;

	if (unlikely(task->needs_cleanup)) {
		if (unlikely(task->late))
			leave_late(task);
		if (task->turns)
			task->drop_turns(task);
		free(task->name);
		task->name = NULL;
		coil__vars_unref(task->vars);
		task->vars = NULL;
		task->refused = 0;
		task->scope.flags = SCOPE_OPEN;
	}
	if (SANITIZED)
		sanitize_stack_old(&task->stack.sanitized);
	if (task->own_stack)
		coil__stack_unmap(&loop->stacks, &task->stack);
	else
		coil__stack_keep(&loop->stacks, task->stack_number, !SANITIZED);
}

void coil__task_unref(struct coil_task *task)
{
	if (!--task->refs)
		coil__task_free(task);
}

void coil__watch(struct watch *watch, struct coil_task *task)
{
	watch->of = task;
	watch->prev = NULL;
	watch->next = task->watches;
	if (watch->next)
		watch->next->prev = watch;
	task->watches = watch;
}

void coil__unwatch(struct watch *watch)
{
	if (!watch->of)
		return;
	if (watch->prev)
		watch->prev->next = watch->next;
	else
		watch->of->watches = watch->next;
	if (watch->next)
		watch->next->prev = watch->prev;
	watch->of = NULL;
}

bool coil_done(const struct coil_task *task)
{
	return task && task->done;
}

int coil_result(const struct coil_task *task)
{
	if (!task)
		return -ENOMEM;
	if (!task->done)
		return -EINPROGRESS;
	((struct coil_task *)task)->reported = true;
	return task->result;
}

bool coil_cancelled(const struct coil_task *task)
{
	return task && task->done && task->result == -ECANCELED;
}

size_t coil_all_tasks(struct coil_task *tasks[], size_t max)
{
	struct coil_loop *loop = coil__loop;
	struct stack_cursor cursor = {0};
	struct coil_task *task;
	size_t n = 0;

	while (n < max && (task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (!task->done)
			tasks[n++] = task;
	}
	return loop->task_count;
}
