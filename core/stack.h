/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_STACK_H
#define COIL_CORE_STACK_H

/*
 * Stacks for tasks: mapped in slabs, guarded at the bottom, kept warm when a
 * task has ended, given back to the system when they were not needed for a
 * while.  The task that uses a stack lies on top of it and ends with this
 * struct, so that a stack at rest costs one page.
 */

#include "core/list.h"
#include "core/sanitize.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack {
	char *bottom;		/* of the mapping, its guard included */
	char *top;		/* one past the mapping */
	struct link own;	/* on the list of those that are not the pool's size */
	struct sanitized sanitized;
} __attribute__((aligned(64)));

/* Kept apart from the stacks, so that a look at it is no look at their pages. */
enum stack_state {
	STACK_USED = 1,		/* taken and not yet returned */
	STACK_ENTERED = 2,	/* a context stands on it that can be entered again */
};

enum {
	WARM_ALWAYS = 64,	/* stacks that are never given back */
	TRIM_SECONDS = 5,	/* in which the others were not needed before they are */
};

struct slab {
	struct slab *next;
	char *base;
	size_t length;
};

struct stacks {
	size_t size;		/* of one, guard included; a whole number of pages */
	size_t page;
	struct stack **table;	/* every stack of every slab, by number */
	unsigned char *state;	/* by number: enum stack_state */
	uint32_t *spare;	/* numbers: of warm ones, from the start up, */
	uint32_t warm_count;	/* ... the last put being the first taken, */
	uint32_t cold_count;	/* ... and of those given back, from the end down */
	uint32_t carved;	/* stacks made so far */
	uint32_t count;		/* stacks that the slabs have room for */
	uint32_t warm_low;	/* the fewest that were warm in this second */
	uint32_t lows[TRIM_SECONDS - 1];	/* ... and in those before, the last first */
	uint32_t giving;	/* to be given back, some at a time */
	int64_t trim_at;	/* when to look again; 0: no more are warm than always are */
	struct slab *slabs;	/* the newest first; stacks are carved from it */
	struct list own;	/* taken, of other sizes */
	bool mprotect;		/* the kernel has no guard regions for us */
};

/* What is known of a stack that was taken without a look at it. */
struct taken {
	uint32_t number;
	bool entered;		/* a context stands on it, of a task that ended there */
	bool own;		/* not of the pool's size */
	const struct stack *soon;	/* one that is to be taken a little later, or NULL */
};

int coil__stacks_open(struct stacks *stacks, size_t size);
void coil__stacks_close(struct stacks *stacks);

/*
 * A stack of size bytes (0: the pool's), NULL when memory is out.  Its struct lies
 * where the task ends; both begin and end with a cache line.
 */
struct stack *coil__stack_take(struct stacks *stacks, size_t size, struct taken *taken);

/* The same from the pool's warm ones, of which there is one. */
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
 * Back to the pool, if it is of the pool's size.  The caller may still stand on it,
 * until it next switches.
 */
static inline void coil__stack_keep(struct stacks *stacks, uint32_t number, bool entered)
{
	stacks->state[number] = entered ? STACK_ENTERED : 0;
	stacks->spare[stacks->warm_count++] = number;
}

/*
 * All that are taken, in no order: start with a zeroed cursor; NULL after the last.
 * A table, not a list through the stacks: a list's neighbours are other tasks' pages,
 * which would be touched at every birth and death.
 */
struct stack_cursor {
	uint32_t number;
	struct link *own;
	bool in_own;
};

struct stack *coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor);

/* Unmaps one that is not of the pool's size.  Nobody may stand on it. */
void coil__stack_unmap(struct stacks *stacks, struct stack *stack);

/*
 * Gives back, each second and a batch at a time, half of the stacks that no task needed
 * in the last seconds.  Returns when to come again, COIL_FOREVER when nothing is due.
 */
int64_t coil__stacks_trim_some(struct stacks *stacks, int64_t now);

static inline int64_t coil__stacks_trim(struct stacks *stacks, int64_t now)
{
	if (stacks->warm_count <= WARM_ALWAYS && !stacks->trim_at)
		return INT64_MAX;
	return coil__stacks_trim_some(stacks, now);
}

/* The lowest address a task may use. */
static inline char *coil__stack_limit(const struct stacks *stacks, const struct stack *stack)
{
	return stack->bottom + stacks->page;
}

#endif
