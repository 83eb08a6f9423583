/* SPDX-License-Identifier: MIT */
/*
 * A queue counts the items ever put and ever taken; the difference is its size.
 * A FIFO queue is a ring, in which these counts, cut to a power of 2, are places.
 * The others lie in the first slots, the LIFO as a stack, priority as a heap.
 *
 * Getters wait only while the queue is empty, putters only while it is full.  A
 * put gives its item straight to the first getter; a get takes one out and puts
 * the first putter's in.  So whoever is woken finds it done.
 *
 * Between empty and full a FIFO queue that is not shut has nobody to look after:
 * one comparison with `easy` tells, and most items go in and out that way.
 */
#include <coil/queue.h>
#include "core/self.h"
#include <coil/task.h>
#include "sync/queue.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIFO, LIFO, PRIORITY };

enum {
	FIRST_SLOTS = 16,
	UP_FRONT = 64 * 1024,	/* bytes */
};

/* A memcpy whose size is not known is a call; these are one move each. */
static inline void copy(void *to, const void *from, size_t size)
{
	if (size == 8)
		memcpy(to, from, 8);
	else if (size == 4)
		memcpy(to, from, 4);
	else if (size == 16)
		memcpy(to, from, 16);
	else
		memcpy(to, from, size);
}

static inline void *slot(const struct coil_queue *queue, size_t at)
{
	return queue->items + at * queue->item_size;
}

static inline size_t size(const struct coil_queue *queue)
{
	return queue->tail - queue->head;
}

static size_t slots(const struct coil_queue *queue)
{
	return queue->items ? queue->mask + 1 : 0;
}

static void set_easy(struct coil_queue *queue)
{
	size_t limit = slots(queue);

	if (queue->maxsize && queue->maxsize < limit)
		limit = queue->maxsize;
	queue->easy = limit && queue->order == FIFO && !queue->shut ? limit - 1 : 0;
}

static inline bool is_easy(const struct coil_queue *queue)
{
	return size(queue) - 1 < queue->easy;
}

/* A full ring has twice the slots now: one of its two parts has to move there. */
static void unwrap(struct coil_queue *queue, size_t old)
{
	size_t head = queue->head & (old - 1);

	if (queue->head & old)
		memcpy(slot(queue, old + head), slot(queue, head),
		       (old - head) * queue->item_size);
	else
		memcpy(slot(queue, old), queue->items, head * queue->item_size);
}

static int reserve(struct coil_queue *queue, size_t count)
{
	size_t old = slots(queue), bytes;
	void *memory;

	if (__builtin_mul_overflow(count, queue->item_size, &bytes))
		return -ENOMEM;
	if (queue->order == PRIORITY) {
		memory = reallocarray(queue->arrivals, count, sizeof(*queue->arrivals));
		if (!memory)
			return -ENOMEM;
		queue->arrivals = memory;
	}
	memory = realloc(queue->items, bytes);
	if (!memory)
		return -ENOMEM;
	queue->items = memory;
	queue->mask = count - 1;
	if (old && queue->order == FIFO)
		unwrap(queue, old);
	set_easy(queue);
	return 0;
}

static size_t power_of_2(size_t least)
{
	size_t count = 1;

	while (count < least)
		count *= 2;
	return count;
}

static int grow(struct coil_queue *queue)
{
	size_t first = FIRST_SLOTS;

	if (queue->items)
		return reserve(queue, 2 * slots(queue));
	if (queue->maxsize && queue->maxsize < first)
		first = power_of_2(queue->maxsize);
	return reserve(queue, first);
}

/*
 * The heap.
 */

static void move(struct coil_queue *queue, size_t to, size_t from)
{
	copy(slot(queue, to), slot(queue, from), queue->item_size);
	queue->arrivals[to] = queue->arrivals[from];
}

static bool comes_before(const struct coil_queue *queue, size_t a, size_t b)
{
	int order = queue->compare(slot(queue, a), slot(queue, b));

	return order ? order < 0 : queue->arrivals[a] < queue->arrivals[b];
}

static void heap_insert(struct coil_queue *queue, size_t at, const void *item)
{
	while (at) {
		size_t parent = (at - 1) / 2;

		/* An equal was there before. */
		if (queue->compare(slot(queue, parent), item) <= 0)
			break;
		move(queue, at, parent);
		at = parent;
	}
	copy(slot(queue, at), item, queue->item_size);
	queue->arrivals[at] = queue->tail;
}

/* Takes the first out; the last looks for a place from the top down. */
static void heap_take(struct coil_queue *queue, size_t last, void *item)
{
	size_t at = 0, child;

	copy(item, queue->items, queue->item_size);
	while ((child = 2 * at + 1) < last) {
		if (child + 1 < last && comes_before(queue, child + 1, child))
			child++;
		if (!comes_before(queue, child, last))
			break;
		move(queue, at, child);
		at = child;
	}
	if (at != last)
		move(queue, at, last);
}

/*
 * All three orders: a slot, or an item, is known to be there.
 */

static void insert(struct coil_queue *queue, const void *item)
{
	if (queue->order == FIFO)
		copy(slot(queue, queue->tail & queue->mask), item, queue->item_size);
	else if (queue->order == LIFO)
		copy(slot(queue, size(queue)), item, queue->item_size);
	else
		heap_insert(queue, size(queue), item);
	queue->tail++;
}

static void take(struct coil_queue *queue, void *item)
{
	if (queue->order == FIFO)
		copy(item, slot(queue, queue->head & queue->mask), queue->item_size);
	else if (queue->order == LIFO)
		copy(item, slot(queue, size(queue) - 1), queue->item_size);
	else
		heap_take(queue, size(queue) - 1, item);
	queue->head++;
}

static int give(struct coil_queue *queue, const void *item)
{
	void *getter;

	if (!coil_waitq_unpark_with(&queue->getters, &getter))
		return -EXDEV;
	copy(((struct visitor *)getter)->item, item, queue->item_size);
	queue->head++;
	queue->tail++;
	return 0;
}

static int exchange(struct coil_queue *queue, void *item)
{
	void *putter;

	if (!coil_waitq_unpark_with(&queue->putters, &putter))
		return -EXDEV;
	take(queue, item);
	insert(queue, ((struct visitor *)putter)->item);
	return 0;
}

static int put_now(struct coil_queue *queue, const void *item)
{
	int err = 0;

	if (queue->shut)
		return -ESHUTDOWN;
	if (queue->getters.head)
		return give(queue, item);
	if (queue->maxsize && size(queue) == queue->maxsize)
		return -EAGAIN;
	if (size(queue) == slots(queue))
		err = grow(queue);
	if (!err)
		insert(queue, item);
	return err;
}

static int get_now(struct coil_queue *queue, void *item)
{
	if (!size(queue))
		return queue->shut ? -ESHUTDOWN : -EAGAIN;
	if (queue->putters.head)
		return exchange(queue, item);
	take(queue, item);
	return 0;
}

/*
 * With a request pending this does not park, it refuses.  Getters and putters
 * park from one place, which is jumped to: where a switch from one to the other
 * finds the same return addresses, the processor does not mispredict them.
 */
static __attribute__((noinline)) int visit(struct coil_waitq *waitq, void *item, const char *what)
{
	struct visitor visitor = { item, 0 };
	int err = coil_waitq_park_for(waitq, &visitor, what);

	return err ? err : visitor.status;
}

static __attribute__((noinline)) int put(struct coil_queue *queue, const void *item)
{
	int err = coil_check() ? -EAGAIN : put_now(queue, item);

	return err == -EAGAIN ? visit(&queue->putters, (void *)item, "queue put") : err;
}

static __attribute__((noinline)) int get(struct coil_queue *queue, void *item)
{
	int err = coil_check() ? -EAGAIN : get_now(queue, item);

	return err == -EAGAIN ? visit(&queue->getters, item, "queue get") : err;
}

int coil_queue_put(struct coil_queue *queue, const void *item)
{
	size_t at = queue->tail;

	if (!is_easy(queue) || coil__pending())
		return put(queue, item);
	queue->tail = at + 1;
	at &= queue->mask;
	if (queue->item_size == 4)
		memcpy(queue->items + 4 * at, item, 4);
	else
		copy(slot(queue, at), item, queue->item_size);
	return 0;
}

int coil_queue_get(struct coil_queue *queue, void *item)
{
	size_t at = queue->head;

	if (!is_easy(queue) || coil__pending())
		return get(queue, item);
	queue->head = at + 1;
	at &= queue->mask;
	if (queue->item_size == 4)
		memcpy(item, queue->items + 4 * at, 4);
	else
		copy(item, slot(queue, at), queue->item_size);
	return 0;
}

int coil_queue_put_nowait(struct coil_queue *queue, const void *item)
{
	return put_now(queue, item);
}

int coil_queue_get_nowait(struct coil_queue *queue, void *item)
{
	return get_now(queue, item);
}

size_t coil_queue_size(const struct coil_queue *queue)
{
	return size(queue);
}

bool coil_queue_empty(const struct coil_queue *queue)
{
	return !size(queue);
}

bool coil_queue_full(const struct coil_queue *queue)
{
	return queue->maxsize && size(queue) == queue->maxsize;
}

static int wake_joiners(struct coil_queue *queue)
{
	coil_waitq_unpark_all(&queue->joiners);
	return queue->joiners.head ? -EXDEV : 0;
}

int coil_queue_task_done(struct coil_queue *queue)
{
	size_t unfinished = queue->tail - queue->done;
	int err = 0;

	if (!unfinished)
		return -EINVAL;
	if (unfinished == 1)
		err = wake_joiners(queue);
	if (!err)
		queue->done++;
	return err;
}

int coil_queue_join(struct coil_queue *queue)
{
	if (queue->tail == queue->done && !coil_check())
		return 0;
	return coil_waitq_park_for(&queue->joiners, NULL, "queue join");
}

static int turn_away(struct coil_waitq *waitq)
{
	void *visitor;

	while (coil_waitq_unpark_with(waitq, &visitor))
		((struct visitor *)visitor)->status = -ESHUTDOWN;
	return waitq->head ? -EXDEV : 0;
}

/* Throws away what is inside; the queue is empty before anybody is shown it. */
static void empty(struct coil_queue *queue)
{
	size_t at = queue->order == FIFO ? queue->head : 0;
	size_t unfinished = queue->tail - queue->done, n = size(queue);

	queue->head = queue->tail;
	/* Fewer, if some were marked done before they were taken. */
	queue->done += n < unfinished ? n : unfinished;
	for (; queue->drop && n; n--, at++)
		queue->drop(slot(queue, at & queue->mask), queue->drop_arg);
}

int coil_queue_shutdown(struct coil_queue *queue, bool immediate)
{
	int err = turn_away(&queue->getters);

	if (!err)
		err = turn_away(&queue->putters);
	if (err)
		return err;
	queue->shut = true;
	set_easy(queue);
	if (immediate)
		empty(queue);
	return queue->tail == queue->done ? wake_joiners(queue) : 0;
}

static int init(struct coil_queue *queue, size_t item_size, size_t maxsize,
		unsigned char order)
{
	size_t bytes;
	int err = 0;

	*queue = (struct coil_queue){
		.item_size = item_size, .maxsize = maxsize, .order = order,
	};
	if (!item_size || __builtin_mul_overflow(item_size, maxsize, &bytes))
		return -EINVAL;
	if (bytes && bytes <= UP_FRONT)
		err = reserve(queue, power_of_2(maxsize));
	if (err)
		coil_queue_fini(queue);
	return err;
}

int coil_queue_init(struct coil_queue *queue, size_t item_size, size_t maxsize)
{
	return init(queue, item_size, maxsize, FIFO);
}

int coil_queue_init_lifo(struct coil_queue *queue, size_t item_size, size_t maxsize)
{
	return init(queue, item_size, maxsize, LIFO);
}

int coil_queue_init_priority(struct coil_queue *queue, size_t item_size, size_t maxsize,
			     int (*compare)(const void *, const void *))
{
	int err;

	if (!compare)
		return -EINVAL;
	err = init(queue, item_size, maxsize, PRIORITY);
	queue->compare = compare;
	return err;
}

void coil_queue_set_drop(struct coil_queue *queue, void (*drop)(void *item, void *arg),
			 void *arg)
{
	queue->drop = drop;
	queue->drop_arg = arg;
}

void coil_queue_fini(struct coil_queue *queue)
{
	if (queue->getters.head || queue->putters.head || queue->joiners.head) {
		fprintf(stderr, "coil: task %s: coil_queue_fini while tasks wait\n",
			coil_task_name(coil_current_task()));
		abort();
	}
	empty(queue);
	free(queue->items);
	free(queue->arrivals);
	*queue = (struct coil_queue){0};
}
