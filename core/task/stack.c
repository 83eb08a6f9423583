/* SPDX-License-Identifier: MIT */
#include "core/task/stack.h"
#include "core/task/list.h"
#include <coil/time.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 6.13: a guard that needs no mapping of its own. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
	SLAB_FIRST = 16,	/* stacks; each slab doubles the last ... */
	SLAB_LAST = 4096,	/* ... up to this maximum */
	TRIM_BATCH = 256,	/* maximum of stacks given back at a time */
	COLOURS = 16,		/* offsets of a task: see lay_out() */
	LINE = 64,
};

/*
 * Adds the guard page to the size that the caller asked for, and makes the
 * number of pages odd: the usual size has 17.  If stacks were a power of two
 * apart, all their tops would fall into the same few sets of the TLB.
 */
static size_t with_guard(const struct stacks *stacks, size_t size)
{
	size = (size + stacks->page - 1) / stacks->page;
	return ((size | 1) == size ? size + 2 : size + 1) * stacks->page;
}

/*
 * qemu-user and similar programs return success for advice that they do not know, which
 * would leave stacks without guards.  A kernel refuses advice that does not exist.
 */
static bool takes_any_advice(void)
{
	enum { NONSENSE = 0x6e6f6e };

	return !madvise(NULL, 0, NONSENSE);
}

int coil__stacks_open(struct stacks *stacks, size_t size)
{
	memset(stacks, 0, sizeof(*stacks));
	stacks->page = (size_t)sysconf(_SC_PAGESIZE);
	if (size > SIZE_MAX / 4)
		return -ENOMEM;
	stacks->size = with_guard(stacks, size);
	stacks->mprotect = takes_any_advice();
	return 0;
}

void coil__stacks_close(struct stacks *stacks)
{
	for (uint32_t i = 0; i < stacks->warm_count; i++)
		sanitize_stack_old(&stacks->table[stacks->spare[i]]->sanitized);
	while (stacks->slabs) {
		struct slab *slab = stacks->slabs;

		stacks->slabs = slab->next;
		munmap(slab->base, slab->length);
		free(slab);
	}
	free(stacks->table);
	free(stacks->spare);
	free(stacks->state);
	memset(stacks, 0, sizeof(*stacks));
}

static char *map(size_t length)
{
	char *base = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	madvise(base, length, MADV_NOHUGEPAGE);
	return base;
}

/*
 * Tries a guard region first.  A million of them need no mapping of their own,
 * while mprotect(2) needs two mappings each.  Memory that mlockall(2) locked
 * cannot have guard regions.
 */
static int guard(struct stacks *stacks, char *bottom)
{
	if (!stacks->mprotect) {
		if (!madvise(bottom, stacks->page, MADV_GUARD_INSTALL))
			return 0;
		stacks->mprotect = true;
	}
	return mprotect(bottom, stacks->page, PROT_NONE) ? -ENOMEM : 0;
}

static bool resize(void *array, size_t count, size_t size)
{
	void *grown = realloc(*(void **)array, count * size);

	if (grown)
		*(void **)array = grown;
	return grown;
}

/* Makes room for more stacks.  The cold stacks' numbers move to the new end. */
static int stack_grow(struct stacks *stacks, uint32_t more)
{
	uint32_t count = stacks->count + more, cold = stacks->cold_count;

	if (!resize(&stacks->table, count, sizeof(*stacks->table)) ||
	    !resize(&stacks->state, count, sizeof(*stacks->state)) ||
	    !resize(&stacks->spare, count, sizeof(*stacks->spare)))
		return -ENOMEM;
	memmove(stacks->spare + count - cold, stacks->spare + stacks->count - cold,
		cold * sizeof(*stacks->spare));
	stacks->count = count;
	return 0;
}

static int add_slab(struct stacks *stacks)
{
	struct slab *slab = malloc(sizeof(*slab));
	size_t count = SLAB_FIRST;

	if (!slab)
		return -ENOMEM;
	/*
	 * Without guard regions the memory is probably locked.  Locked memory
	 * is resident at once, so slabs stay small.
	 */
	if (stacks->slabs && !stacks->mprotect) {
		count = 2 * stacks->slabs->length / stacks->size;
		if (count > SLAB_LAST)
			count = SLAB_LAST;
	}
	slab->length = count * stacks->size;
	slab->base = map(slab->length);
	if (!slab->base || stack_grow(stacks, (uint32_t)count)) {
		if (slab->base)
			munmap(slab->base, slab->length);
		free(slab);
		return -ENOMEM;
	}
	slab->next = stacks->slabs;
	stacks->slabs = slab;
	return 0;
}

/*
 * Tasks at the same offset of their stacks would compete for the same few sets
 * of the cache.  So each task lies one cache line lower than the task of the
 * stack before.
 */
static struct stack *lay_out(char *bottom, size_t size, uint32_t number)
{
	char *top = bottom + size - (size_t)(number % COLOURS) * LINE;
	struct stack *stack = (struct stack *)top - 1;

	*stack = (struct stack){ .bottom = bottom, .top = bottom + size };
	return stack;
}

static struct stack *take_own(struct stacks *stacks, size_t size, struct taken *taken)
{
	struct stack *stack;
	char *bottom;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = with_guard(stacks, size);
	/* The pool can use a stack of its size for later tasks. */
	if (size == stacks->size)
		return coil__stack_take(stacks, 0, taken);
	bottom = map(size);
	if (!bottom)
		return NULL;
	if (guard(stacks, bottom)) {
		munmap(bottom, size);
		return NULL;
	}
	taken->own = true;
	stack = lay_out(bottom, size, 0);
	list_push(&stacks->own, &stack->own);
	return stack;
}

/* Makes a stack in the free part of the newest slab, with the next number. */
static bool carve(struct stacks *stacks)
{
	uint32_t number = stacks->carved;
	char *bottom;

	if (number == stacks->count && add_slab(stacks))
		return false;
	bottom = stacks->slabs->base + stacks->slabs->length -
		 (stacks->count - number) * stacks->size;
	if (guard(stacks, bottom))
		return false;
	stacks->table[number] = lay_out(bottom, stacks->size, number);
	stacks->state[number] = 0;
	stacks->carved++;
	return true;
}

/*
 * stack_give_back() dropped the pages of the stack, and struct stack with them.  The
 * table still holds its address, which lies in the stack's last page.  The end
 * of that page is the top of the stack.
 */
static void revive(struct stacks *stacks, uint32_t number)
{
	uintptr_t top = (uintptr_t)(stacks->table[number] + 1);

	top = (top + stacks->page - 1) / stacks->page * stacks->page;
	lay_out((char *)top - stacks->size, stacks->size, number);
}

struct stack *coil__stack_take(struct stacks *stacks, size_t size, struct taken *taken)
{
	uint32_t number;

	*taken = (struct taken){0};
	if (unlikely(size))
		return take_own(stacks, size, taken);
	if (likely(stacks->warm_count))
		return coil__stack_take_warm(stacks, taken);
	if (stacks->cold_count) {
		number = stacks->spare[stacks->count - stacks->cold_count--];
		revive(stacks, number);
	} else {
		number = stacks->carved;
		if (!carve(stacks))
			return NULL;
	}
	taken->number = number;
	taken->entered = stacks->state[number] & STACK_ENTERED;
	stacks->state[number] = STACK_USED;
	return stacks->table[number];
}

struct stack *coil__stacks_each(const struct stacks *stacks, struct stack_cursor *cursor)
{
	struct link *link = cursor->own;

	while (cursor->number < stacks->carved) {
		uint32_t number = cursor->number++;

		if (stacks->state[number] & STACK_USED)
			return stacks->table[number];
	}
	if (!cursor->in_own)
		link = stacks->own.head;
	cursor->in_own = true;
	if (!link)
		return NULL;
	cursor->own = link->next;
	return container_of(link, struct stack, own);
}

void coil__stack_unmap(struct stacks *stacks, struct stack *stack)
{
	char *bottom = stack->bottom;
	size_t size = (size_t)(stack->top - stack->bottom);

	list_remove(&stacks->own, &stack->own);
	sanitize_stack_old(&stack->sanitized);
	munmap(bottom, size);
}

static void stack_give_back(struct stacks *stacks, uint32_t number)
{
	struct stack *stack = stacks->table[number];
	char *from = coil__stack_limit(stacks, stack);

	sanitize_stack_old(&stack->sanitized);
	/* Fails if the memory is locked.  It then stays, which does no harm. */
	(void)madvise(from, (size_t)(stack->top - from), MADV_DONTNEED);
	stacks->state[number] = 0;
	stacks->spare[stacks->count - ++stacks->cold_count] = number;
}

/*
 * Returns half of the number of stacks that were warm throughout the last
 * seconds.  A stack that came back within those seconds counts later.
 */
static uint32_t spare_now(struct stacks *stacks)
{
	uint32_t least = stacks->warm_low, spare;

	for (int i = 0; i < TRIM_SECONDS - 1; i++)
		least = stacks->lows[i] < least ? stacks->lows[i] : least;
	spare = least / 2;
	if (stacks->warm_count - spare < WARM_ALWAYS)
		spare = stacks->warm_count - WARM_ALWAYS;
	memmove(stacks->lows + 1, stacks->lows, (TRIM_SECONDS - 2) * sizeof(*stacks->lows));
	stacks->lows[0] = stacks->warm_low;
	for (int i = 0; i < TRIM_SECONDS - 1; i++)
		stacks->lows[i] -= stacks->lows[i] < spare ? stacks->lows[i] : spare;
	stacks->warm_low = stacks->warm_count - spare;
	return spare;
}

int64_t coil__stacks_trim_some(struct stacks *stacks, int64_t now)
{
	if (stacks->warm_count <= WARM_ALWAYS) {
		stacks->trim_at = 0;
		stacks->giving = 0;
		return COIL_FOREVER;
	}
	if (!stacks->trim_at) {
		memset(stacks->lows, 0, sizeof(stacks->lows));
		stacks->warm_low = stacks->warm_count;
		stacks->trim_at = now + COIL_SECOND;
	}
	if (now < stacks->trim_at)
		return stacks->trim_at;
	if (!stacks->giving)
		stacks->giving = spare_now(stacks);
	for (int i = 0; i < TRIM_BATCH && stacks->giving; i++) {
		stacks->giving--;
		if (stacks->warm_count > WARM_ALWAYS)
			stack_give_back(stacks, stacks->spare[--stacks->warm_count]);
	}
	stacks->trim_at = now + (stacks->giving ? COIL_MILLISECOND : COIL_SECOND);
	return stacks->trim_at;
}
