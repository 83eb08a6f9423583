/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_LIST_H
#define COIL_CORE_TASK_LIST_H

/*
 * Intrusive lists.  A zeroed list is empty, so a struct that holds one may
 * start zeroed.
 */

#include <stddef.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * Ends a function that only prefetches.  Without it, gcc would find that the
 * function has no effect and would drop the calls.
 */
#define PREFETCHED() __asm__ volatile("")

#define container_of(pointer, type, member)				\
	((type *)((char *)(pointer) - offsetof(type, member)))

struct link {
	struct link *next;
	struct link *prev;
};

struct list {
	struct link *head;
	struct link *tail;
};

static inline void list_push(struct list *list, struct link *link)
{
	link->next = NULL;
	link->prev = list->tail;
	if (list->tail)
		list->tail->next = link;
	else
		list->head = link;
	list->tail = link;
}

static inline void list_remove(struct list *list, struct link *link)
{
	if (link->prev)
		link->prev->next = link->next;
	else
		list->head = link->next;
	if (link->next)
		link->next->prev = link->prev;
	else
		list->tail = link->prev;
	link->next = link->prev = NULL;
}

static inline struct link *list_pop(struct list *list)
{
	struct link *link = list->head;

	if (link)
		list_remove(list, link);
	return link;
}

#endif
