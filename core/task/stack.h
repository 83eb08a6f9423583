/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_STACK_H
#define COIL_CORE_TASK_STACK_H

/*
 * Stacks for tasks.  They are mapped in slabs, and each has a guard at its
 * bottom.  A stack whose task has ended stays warm in the pool.  Stacks
 * that no task needed for a while give their memory back to the system.
 *
 * The task that uses a stack lies at the top of it and ends with struct stack.
 * So one page can hold a task and the frames in which it is parked.
 */

#include "core/task/list.h"
#include "core/task/sanitize.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack {
	char *bottom;		/* start of the mapping, where the guard is */
	char *top;		/* end of the mapping, exclusive */
	struct link own;	/* in stacks->own, if not of the pool's size */
	struct sanitized sanitized;
} __attribute__((aligned(64)));

/* The states lie apart: reading one touches no page of a stack. */
enum stack_state {
	STACK_USED = 1,		/* taken and not yet returned */
	STACK_ENTERED = 2,	/* holds a context that can be entered again */
};

enum {
	WARM_ALWAYS = 64,	/* warm stacks that the pool always keeps */
	TRIM_SECONDS = 5,	/* without use before the others are given back */
};

struct slab {
	struct slab *next;
	char *base;
	size_t length;
};

struct stacks {
	size_t size;		/* of a stack with guard: a multiple of page */
	size_t page;
	struct stack **table;	/* every stack of every slab, by number */
	unsigned char *state;	/* by number: enum stack_state */
	uint32_t *spare;	/* numbers of warm stacks, from the start, */
	uint32_t warm_count;	/* ... taken last in, first out; */
	uint32_t cold_count;	/* ... of stacks given back, from the end */
	uint32_t carved;	/* stacks made so far */
	uint32_t count;		/* stacks that the slabs have room for */
	uint32_t warm_low;	/* minimum of warm_count in this second */
	uint32_t lows[TRIM_SECONDS - 1];	/* ... of earlier seconds, latest first */
	uint32_t giving;	/* stacks that are still to be given back */
	int64_t trim_at;	/* time of the next trim; 0: nothing to trim */
	struct slab *slabs;	/* newest first; the newest is carved up */
	struct list own;	/* taken stacks of other sizes */
	bool mprotect;		/* guard regions do not work here */
};

/* What the pool knows of a taken stack without reading the stack's pages. */
struct taken {
	uint32_t number;
	bool entered;		/* it holds the context of an ended task */
	bool own;		/* not of the pool's size */
	const struct stack *soon;	/* the pool will return it soon; or NULL */
};

int coil__stacks_open(struct stacks *stacks, size_t size);
void coil__stacks_close(struct stacks *stacks);

/*
 * Takes a stack of size bytes, or of the pool's size if size is 0.  Returns
 * NULL if memory runs out.  The returned struct is the end of the task.  The
 * task and the struct begin and end at borders of cache lines.
 */
struct stack *coil__stack_take(struct stacks *stacks, size_t size, struct taken *taken);

/* Does the same with a warm stack of the pool.  The pool must have one. */
static inline struct stack *coil__stack_take_warm(struct stacks *stacks, struct taken *known)
{
	enum { FETCH_AHEAD = 4 };
	uint32_t left = --stacks->warm_count, number = stacks->spare[left];

	if (left < stacks->warm_low)
		stacks->warm_low = left;
	known->number = number;
	known->entered = stacks->state[number] & STACK_ENTERED;
	known->own = false;
	known->soon = NULL;
	if (likely(left > FETCH_AHEAD))
		known->soon = stacks->table[stacks->spare[left - FETCH_AHEAD]];
	stacks->state[number] = STACK_USED;
	return stacks->table[number];
}

/*
 * Returns a stack of the pool's size to the pool.  The caller may still run on
 * it, until its next switch.
 */
static inline void coil__stack_keep(struct stacks *stacks, uint32_t number, bool entered)
{
	stacks->state[number] = entered ? STACK_ENTERED : 0;
	stacks->spare[stacks->warm_count++] = number;
}

/*
 * Returns the next taken stack, in no order, and NULL after the last.  The
 * cursor starts zeroed.  The pool keeps a table instead of a list through the
 * stacks: the neighbours in a list are other tasks' pages, which the creation
 * and the end of each task would touch.
 */
struct stack_cursor {
	uint32_t number;
	struct link *own;
	bool in_own;
};

struct stack *coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor);

/* Unmaps a stack that is not of the pool's size.  No task may run on it. */
void coil__stack_unmap(struct stacks *stacks, struct stack *stack);

/*
 * Each second, gives back to the system half of the stacks that no task needed
 * in the last seconds, a batch at a time.  Returns the time of the next call,
 * or COIL_FOREVER if none is needed.
 */
int64_t coil__stacks_trim_some(struct stacks *stacks, int64_t now);

static inline int64_t coil__stacks_trim(struct stacks *stacks, int64_t now)
{
	if (stacks->warm_count <= WARM_ALWAYS && !stacks->trim_at)
		return INT64_MAX;
	return coil__stacks_trim_some(stacks, now);
}

/* Returns the lowest address that a task may use. */
static inline char *coil__stack_limit(const struct stacks *stacks, const struct stack *stack)
{
	return stack->bottom + stacks->page;
}

#endif
