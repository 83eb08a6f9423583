/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_QUEUES_H
#define COIL_TESTS_QUEUES_H

/* Queues of ints, and tasks that put one or get one. */

#include "tests/sync.h"
#include <coil/queue.h>

static UNUSED int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

enum order { FIFO, LIFO, PRIORITY, ORDERS };

static UNUSED void make(struct coil_queue *queue, enum order order, size_t maxsize)
{
	int err;

	if (order == FIFO)
		err = coil_queue_init(queue, sizeof(int), maxsize);
	else if (order == LIFO)
		err = coil_queue_init_lifo(queue, sizeof(int), maxsize);
	else
		err = coil_queue_init_priority(queue, sizeof(int), maxsize, compare_ints);
	ck_assert_int_eq(err, 0);
}

static UNUSED int put(struct coil_queue *queue, int item)
{
	return coil_queue_put(queue, &item);
}

static UNUSED int put_nowait(struct coil_queue *queue, int item)
{
	return coil_queue_put_nowait(queue, &item);
}

/* The next item, or the error. */
static UNUSED int get(struct coil_queue *queue)
{
	int item = 12345, err = coil_queue_get(queue, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

static UNUSED int get_nowait(struct coil_queue *queue)
{
	int item = 12345, err = coil_queue_get_nowait(queue, &item);

	ck_assert(!err || item == 12345);
	return err ? err : item;
}

/* One get, or one put, as a task. */
struct visit {
	struct coil_queue *queue;
	const char *name;
	int item;
	int result;	/* of the call; 1000: it has not come back */
};

#define VISIT(q, n, i) { .queue = (q), .name = (n), .item = (i), .result = 1000 }

static UNUSED int get_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = get(visit->queue);
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

static UNUSED int put_one(void *arg)
{
	struct visit *visit = arg;

	visit->result = put(visit->queue, visit->item);
	trace("%s:%d", visit->name, visit->result);
	return visit->result;
}

/* Calls as tasks and as what refuses() takes. */

static UNUSED int join(void *queue)
{
	return coil_queue_join(queue);
}

static UNUSED int put_seven(void *queue)
{
	return put(queue, 7);
}

static UNUSED int get_any(void *queue)
{
	return get(queue);
}

static UNUSED void note_drop(void *item, void *arg)
{
	trace("%s%d", (const char *)arg, *(int *)item);
}

#endif
