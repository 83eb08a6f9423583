/* SPDX-License-Identifier: MIT */
/*
 * A queue counts the bytes ever put and ever taken, not items, to avoid divisions.
 * A FIFO queue is a ring.  The other two begin at the start of the memory: a LIFO queue
 * is a stack, a priority queue a heap.
 *
 * Getters wait only while the queue is empty, putters only while it is full.  A put
 * copies its item straight to the longest waiting getter.  A get takes an item out and
 * then puts in the item of the longest waiting putter.  So the call of a woken task is
 * already complete.
 *
 * Most items of a FIFO queue go in and out in runs.  A put that finds room counts the
 * whole contiguous room as put, up to RUN items.  The next puts need only compare `in`
 * with `in_end`, until the two are equal.  Gets do the same with the items.  A task that
 * is about to wait first ends the run of the calls that have to wake it.
 */
#include "sync/queue.h"
#include "core/task/self.h"
#include <coil/queue.h>
#include <coil/task.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOT __attribute__((aligned(64)))

enum { FIFO, LIFO, PRIORITY };

enum {
	FIRST_SLOTS = 16,
	RUN = 128,		/* maximum, in items: see coil__spend */
	UP_FRONT = 64 * 1024,	/* maximum that init allocates, in bytes */
};

/* With a constant size, memcpy is one move; with a variable size it is a call. */
static inline void queue_copy(void *to, const void *from, size_t size)
{
	if (likely(size == 4))
		memcpy(to, from, 4);
	else if (size == 8)
		memcpy(to, from, 8);
	else if (size == 16)
		memcpy(to, from, 16);
	else
		memcpy(to, from, size);
}

/* Bytes ever put, and ever taken, without the unused rest of the run. */
static inline size_t tail(const struct coil_queue *queue)
{
	return queue->tail - (size_t)(queue->in_end - queue->in);
}

static inline size_t head(const struct coil_queue *queue)
{
	return queue->head - (size_t)(queue->out_end - queue->out);
}

static inline size_t queue_held(const struct coil_queue *queue)
{
	return tail(queue) - head(queue);
}

static size_t count(const struct coil_queue *queue)
{
	return queue_held(queue) / queue->item_size;
}

static inline void end_puts(struct coil_queue *queue)
{
	queue->tail = tail(queue);
	queue->in_end = queue->in;
}

static inline void end_gets(struct coil_queue *queue)
{
	queue->head = head(queue);
	queue->out_end = queue->out;
}

struct coil_waitq *coil__queue_getters(struct coil_queue *queue)
{
	end_puts(queue);
	return &queue->getters;
}

struct coil_waitq *coil__queue_putters(struct coil_queue *queue)
{
	end_gets(queue);
	return &queue->putters;
}

/*
 * A full ring of old bytes has grown.  If its content wraps, the part that came first
 * moves to the end of the new memory.
 */
static void unwrap(struct coil_queue *queue, size_t out, size_t old)
{
	size_t more = queue->bytes - old;

	queue->out = queue->items + out;
	queue->in = queue->items + (out ? out : old);
	if (out) {
		memmove(queue->out + more, queue->out, old - out);
		queue->out += more;
	}
	queue->in_end = queue->in;
	queue->out_end = queue->out;
}

static int reserve(struct coil_queue *queue, size_t slots)
{
	size_t old = queue->bytes, out = 0, bytes;
	void *memory;

	if (__builtin_mul_overflow(slots, queue->item_size, &bytes))
		return -ENOMEM;
	if (queue->order == PRIORITY) {
		memory = reallocarray(queue->arrivals, slots, sizeof(*queue->arrivals));
		if (!memory)
			return -ENOMEM;
		queue->arrivals = memory;
	}
	end_gets(queue);
	if (queue->order == FIFO && old)
		out = (size_t)(queue->out - queue->items) % old;
	memory = realloc(queue->items, bytes);
	if (!memory)
		return -ENOMEM;
	queue->items = memory;
	queue->bytes = bytes;
	if (queue->order == FIFO)
		unwrap(queue, out, old);
	return 0;
}

static int queue_grow(struct coil_queue *queue)
{
	size_t slots = FIRST_SLOTS;

	if (queue->items)
		slots = 2 * (queue->bytes / queue->item_size);
	if (queue->maxsize && queue->maxsize < slots)
		slots = queue->maxsize;
	return reserve(queue, slots);
}

/*
 * The heap.
 */

static void *place(const struct coil_queue *queue, size_t at)
{
	return queue->items + at * queue->item_size;
}

static void queue_move(struct coil_queue *queue, size_t to, size_t from)
{
	queue_copy(place(queue, to), place(queue, from), queue->item_size);
	queue->arrivals[to] = queue->arrivals[from];
}

static bool comes_before(const struct coil_queue *queue, size_t a, size_t b)
{
	int order = queue->compare(place(queue, a), place(queue, b));

	return order ? order < 0 : queue->arrivals[a] < queue->arrivals[b];
}

static void heap_insert(struct coil_queue *queue, size_t at, const void *item)
{
	while (at) {
		size_t parent = (at - 1) / 2;

		/* An equal item that came earlier stays in front. */
		if (queue->compare(place(queue, parent), item) <= 0)
			break;
		queue_move(queue, at, parent);
		at = parent;
	}
	queue_copy(place(queue, at), item, queue->item_size);
	queue->arrivals[at] = queue->tail;
}

/* Takes the first item out, then moves the last one down from the top to its place. */
static void heap_take(struct coil_queue *queue, size_t last, void *item)
{
	size_t at = 0, child;

	queue_copy(item, queue->items, queue->item_size);
	while ((child = 2 * at + 1) < last) {
		if (child + 1 < last && comes_before(queue, child + 1, child))
			child++;
		if (!comes_before(queue, child, last))
			break;
		queue_move(queue, at, child);
		at = child;
	}
	if (at != last)
		queue_move(queue, at, last);
}

/*
 * FIFO, inside a run.
 */

static inline void queue_push(struct coil_queue *queue, const void *item)
{
	unsigned char *at = queue->in;

	queue->in = at + queue->item_size;
	queue_copy(at, item, queue->item_size);
}

static inline void pop(struct coil_queue *queue, void *item)
{
	unsigned char *at = queue->out;

	queue->out = at + queue->item_size;
	queue_copy(item, at, queue->item_size);
}

/* Returns how many of the bytes one run covers: it ends at the end of the ring. */
static inline size_t in_one_piece(const struct coil_queue *queue, const unsigned char *at,
				  size_t bytes)
{
	size_t rest = (size_t)(queue->items + queue->bytes - at);
	size_t most = RUN * queue->item_size;

	rest = rest < most ? rest : most;
	return bytes < rest ? bytes : rest;
}

static inline void begin_puts(struct coil_queue *queue, size_t room)
{
	if (queue->in == queue->items + queue->bytes)
		queue->in = queue->items;
	room = in_one_piece(queue, queue->in, room);
	queue->in_end = queue->in + room;
	queue->tail += room;
}

static inline void begin_gets(struct coil_queue *queue, size_t bytes)
{
	if (queue->out == queue->items + queue->bytes)
		queue->out = queue->items;
	bytes = in_one_piece(queue, queue->out, bytes);
	queue->out_end = queue->out + bytes;
	queue->head += bytes;
}

/*
 * All three orders.  The caller has checked that there is room, or an item.
 */

static void queue_insert(struct coil_queue *queue, const void *item, size_t room)
{
	if (queue->order == FIFO) {
		begin_puts(queue, room);
		queue_push(queue, item);
		return;
	}
	if (queue->order == LIFO)
		queue_copy(queue->items + queue_held(queue), item, queue->item_size);
	else
		heap_insert(queue, count(queue), item);
	queue->tail += queue->item_size;
}

static void queue_take(struct coil_queue *queue, void *item, size_t bytes)
{
	if (queue->order == FIFO) {
		begin_gets(queue, bytes);
		pop(queue, item);
		return;
	}
	if (queue->order == LIFO)
		queue_copy(item, queue->items + queue_held(queue) - queue->item_size,
			   queue->item_size);
	else
		heap_take(queue, count(queue) - 1, item);
	queue->head += queue->item_size;
}

static int queue_give(struct coil_queue *queue, const void *item)
{
	void *getter;

	if (!coil_waitq_unpark_with(&queue->getters, &getter))
		return -EXDEV;
	queue_copy(((struct parked_item *)getter)->item, item, queue->item_size);
	queue->head += queue->item_size;
	queue->tail += queue->item_size;
	return 0;
}

static int exchange(struct coil_queue *queue, void *item)
{
	void *putter;

	if (!coil_waitq_unpark_with(&queue->putters, &putter))
		return -EXDEV;
	queue_take(queue, item, queue->item_size);
	queue_insert(queue, ((struct parked_item *)putter)->item, queue->item_size);
	return 0;
}

/* A queue that was not initialised is empty and full for ever: a wait would not end. */
static int no_more(const struct coil_queue *queue)
{
	return queue->item_size ? -EAGAIN : -EINVAL;
}

/*
 * Charges the whole run with its first item, to keep the fast path short.  An item that
 * goes to a waiting getter, or comes from a waiting putter, costs nothing: that task has
 * to run before it can wait again.
 */
static inline int pay(const struct coil_queue *queue, size_t run, bool parks)
{
	if (parks)
		coil__spend(coil__current, run ? (int)(run / queue->item_size) + 1 : 1);
	return 0;
}

/* Called outside a run of puts, or of gets, so that the counter is exact. */
static inline int put_now(struct coil_queue *queue, const void *item, bool parks)
{
	size_t size = queue->tail - head(queue);
	size_t limit;
	int err = 0;

	if (queue->shut)
		return -ESHUTDOWN;
	if (queue->getters.head)
		return queue_give(queue, item);
	if (size == queue->limit)
		return no_more(queue);
	if (size == queue->bytes)
		err = queue_grow(queue);
	if (err)
		return err;
	limit = queue->limit < queue->bytes ? queue->limit : queue->bytes;
	queue_insert(queue, item, limit - size);
	return pay(queue, (size_t)(queue->in_end - queue->in), parks);
}

static inline int get_now(struct coil_queue *queue, void *item, bool parks)
{
	size_t size = tail(queue) - queue->head;

	if (!size)
		return queue->shut ? -ESHUTDOWN : no_more(queue);
	if (queue->putters.head)
		return exchange(queue, item);
	queue_take(queue, item, size);
	return pay(queue, (size_t)(queue->out_end - queue->out), parks);
}

/*
 * With a cancellation pending, the park call returns its error at once.  Getters and
 * putters share this function and reach it by a jump.  A switch from one to the other
 * then finds the same return addresses, which the processor predicts.
 */
static __attribute__((noinline)) int park_item(struct coil_waitq *waitq, void *item,
					       const char *what)
{
	struct parked_item parked = { item, 0 };
	int err = coil_waitq_park_for(waitq, &parked, what);

	return err ? err : parked.status;
}

static __attribute__((noinline)) int queue_put(struct coil_queue *queue, const void *item)
{
	int err = coil__pending() ? -EAGAIN : put_now(queue, item, true);

	if (err != -EAGAIN)
		return err;
	return park_item(coil__queue_putters(queue), (void *)item, "queue put");
}

static __attribute__((noinline)) int get(struct coil_queue *queue, void *item)
{
	int err = coil__pending() ? -EAGAIN : get_now(queue, item, true);

	if (err != -EAGAIN)
		return err;
	return park_item(coil__queue_getters(queue), item, "queue get");
}

/* The alignment to cache lines of these two is worth 5 % of the time of an item. */
HOT int coil_queue_put(struct coil_queue *queue, const void *item)
{
	if (unlikely(queue->in == queue->in_end) || unlikely(coil__pending()))
		return queue_put(queue, item);
	queue_push(queue, item);
	return 0;
}

HOT int coil_queue_get(struct coil_queue *queue, void *item)
{
	if (unlikely(queue->out == queue->out_end) || unlikely(coil__pending()))
		return get(queue, item);
	pop(queue, item);
	return 0;
}

int coil_queue_put_nowait(struct coil_queue *queue, const void *item)
{
	if (unlikely(!queue || !item))
		return -EINVAL;
	if (queue->in == queue->in_end)
		return put_now(queue, item, false);
	queue_push(queue, item);
	return 0;
}

int coil_queue_get_nowait(struct coil_queue *queue, void *item)
{
	if (unlikely(!queue || !item))
		return -EINVAL;
	if (queue->out == queue->out_end)
		return get_now(queue, item, false);
	pop(queue, item);
	return 0;
}

size_t coil_queue_size(const struct coil_queue *queue)
{
	return queue && queue->item_size ? count(queue) : 0;
}

bool coil_queue_empty(const struct coil_queue *queue)
{
	return !queue || !queue_held(queue);
}

bool coil_queue_full(const struct coil_queue *queue)
{
	return queue && queue_held(queue) == queue->limit;
}

static int wake_joiners(struct coil_queue *queue)
{
	coil_waitq_unpark_all(&queue->joiners);
	return queue->joiners.head ? -EXDEV : 0;
}

int coil_queue_task_done(struct coil_queue *queue)
{
	size_t unfinished;
	int err = 0;

	if (unlikely(!queue))
		return -EINVAL;
	unfinished = tail(queue) - queue->done;
	if (!unfinished)
		return -EINVAL;
	if (unfinished == queue->item_size)
		err = wake_joiners(queue);
	if (!err)
		queue->done += queue->item_size;
	return err;
}

int coil_queue_join(struct coil_queue *queue)
{
	if (unlikely(!queue))
		return -EINVAL;
	if (tail(queue) == queue->done && !coil__pending()) {
		coil__got();
		return 0;
	}
	return coil_waitq_park_for(&queue->joiners, NULL, "queue join");
}

static int queue_turn_away(struct coil_waitq *waitq)
{
	void *parked;

	while (coil_waitq_unpark_with(waitq, &parked))
		((struct parked_item *)parked)->status = -ESHUTDOWN;
	return waitq->head ? -EXDEV : 0;
}

/* Drops all items.  The queue is empty before drop() is called, which may use it. */
static void empty(struct coil_queue *queue)
{
	size_t unfinished = tail(queue) - queue->done, bytes = queue_held(queue);
	unsigned char *at = queue->order == FIFO ? queue->out : queue->items;
	size_t size = queue->item_size;

	/* Some items may have been marked done before they were taken. */
	queue->done += bytes < unfinished ? bytes : unfinished;
	end_puts(queue);
	queue->head = queue->tail;
	queue->out = queue->out_end = queue->in;
	for (; queue->drop && bytes; bytes -= size, at += size) {
		if (at == queue->items + queue->bytes)
			at = queue->items;
		queue->drop(at, queue->drop_arg);
	}
}

int coil_queue_shutdown(struct coil_queue *queue, bool immediate)
{
	int err;

	if (unlikely(!queue))
		return -EINVAL;
	err = queue_turn_away(&queue->getters);
	if (!err)
		err = queue_turn_away(&queue->putters);
	if (err)
		return err;
	queue->shut = true;
	end_puts(queue);
	if (immediate)
		empty(queue);
	return tail(queue) == queue->done ? wake_joiners(queue) : 0;
}

static int init(struct coil_queue *queue, size_t item_size, size_t maxsize,
		unsigned char order)
{
	size_t bytes;
	int err = 0;

	if (unlikely(!queue))
		return -EINVAL;
	*queue = (struct coil_queue){
		.item_size = item_size, .maxsize = maxsize, .order = order,
	};
	if (!item_size || __builtin_mul_overflow(item_size, maxsize, &bytes))
		return -EINVAL;
	queue->limit = maxsize ? bytes : SIZE_MAX;
	if (bytes && bytes <= UP_FRONT)
		err = reserve(queue, maxsize);
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

	if (!queue || !compare)
		return -EINVAL;
	err = init(queue, item_size, maxsize, PRIORITY);
	queue->compare = compare;
	return err;
}

void coil_queue_set_drop(struct coil_queue *queue, void (*drop)(void *item, void *arg),
			 void *arg)
{
	if (unlikely(!queue))
		return;
	queue->drop = drop;
	queue->drop_arg = arg;
}

void coil_queue_fini(struct coil_queue *queue)
{
	if (unlikely(!queue))
		return;
	if (queue->getters.head || queue->putters.head || queue->joiners.head) {
		fprintf(stderr, "coil: task %s: coil_queue_fini while tasks wait\n",
			coil_task_name(coil_current_task()));
		abort();
	}
	/* With shut set, drop() cannot put an item back. */
	queue->shut = true;
	empty(queue);
	free(queue->items);
	free(queue->arrivals);
	*queue = (struct coil_queue){0};
}
