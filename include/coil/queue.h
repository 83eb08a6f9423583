/* SPDX-License-Identifier: MIT */
#ifndef COIL_QUEUE_H
#define COIL_QUEUE_H

/*
 * Items by value from tasks to tasks of one loop, in order of arrival, the last
 * first, or by comparison.  An item put to a queue is never lost and never
 * delivered twice, whoever is cancelled meanwhile.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Ready after one of the three inits; owns memory until coil_queue_fini.  A put into
 * one that is zeroed, and a get from it, say -EINVAL.
 */
struct coil_queue {
	unsigned char *in;		/* where the next item goes ... */
	unsigned char *in_end;		/* ... and to here the next ones, with no more ado */
	unsigned char *out;		/* the same for what comes out */
	unsigned char *out_end;
	size_t item_size;
	unsigned char *items;		/* the memory, */
	size_t bytes;			/* so many */
	size_t limit;			/* of these, it may hold */
	size_t head;			/* bytes ever taken, once out is at out_end */
	size_t tail;			/* bytes ever put, once in is at in_end */
	size_t done;			/* of these, marked done */
	size_t maxsize;			/* items; 0: no limit */
	struct coil_waitq getters;
	struct coil_waitq putters;
	struct coil_waitq joiners;
	size_t *arrivals;		/* of a priority queue: ties keep their order */
	int (*compare)(const void *, const void *);
	void (*drop)(void *item, void *arg);
	void *drop_arg;
	unsigned char order;
	bool shut;
};

/*
 * Makes an empty queue of items of item_size bytes; a put waits while it holds
 * maxsize of them, 0: never.  0; -EINVAL for item_size 0, a product that
 * overflows or no compare; -ENOMEM.  Works on every thread.  compare is as
 * qsort(3)'s; the smallest comes first, equals in order of arrival.  It may not
 * park, nor touch the queue.  A limited queue of at most 64 KiB has its memory
 * from the start, any other takes more as it fills.
 */
int coil_queue_init(struct coil_queue *queue, size_t item_size, size_t maxsize);
int coil_queue_init_lifo(struct coil_queue *queue, size_t item_size, size_t maxsize);
int coil_queue_init_priority(struct coil_queue *queue, size_t item_size, size_t maxsize,
			     int (*compare)(const void *, const void *));

/* Gives the memory back, dropping what is inside.  Asserts that nobody waits. */
void coil_queue_fini(struct coil_queue *queue);

/*
 * Who is shown each item that is thrown away, by fini or shutdown; may not park, and
 * can put nothing back.
 */
void coil_queue_set_drop(struct coil_queue *queue, void (*drop)(void *item, void *arg),
			 void *arg);

/*
 * Copies *item in, parking while the queue is full.  queue and item must be valid: this
 * call and coil_queue_get() do not check them for NULL.  0; -ESHUTDOWN once it is
 * shut down; -ECANCELED or -ETIMEDOUT when a request is pending at entry or
 * comes first, -EPERM outside a task, -EXDEV, -ENOMEM: then the item is not in.
 */
COIL_MUST_CHECK int coil_queue_put(struct coil_queue *queue, const void *item);

/*
 * Copies the next item to *item, parking while there is none.  0; -ESHUTDOWN
 * once it is shut down and empty; else as for put: then nothing was taken.
 */
COIL_MUST_CHECK int coil_queue_get(struct coil_queue *queue, void *item);

/*
 * The same without parking: -EAGAIN when full or empty, -EINVAL for NULL.  Also off a
 * task, and whether or not a request is pending.
 */
COIL_MUST_CHECK int coil_queue_put_nowait(struct coil_queue *queue, const void *item);
COIL_MUST_CHECK int coil_queue_get_nowait(struct coil_queue *queue, void *item);

size_t coil_queue_size(const struct coil_queue *queue);
bool coil_queue_empty(const struct coil_queue *queue);
bool coil_queue_full(const struct coil_queue *queue);

/* Says that an item taken has been dealt with: 0, -EINVAL if there was none. */
int coil_queue_task_done(struct coil_queue *queue);

/* Waits until every item ever put has been marked done.  0, -ECANCELED, -ETIMEDOUT, -EPERM. */
COIL_MUST_CHECK int coil_queue_join(struct coil_queue *queue);

/*
 * No more puts; gets go on until it is empty.  immediate: what is inside is
 * dropped and counts as done.  Who waits in vain wakes with -ESHUTDOWN.  0,
 * also the second time.  Never parks.
 */
int coil_queue_shutdown(struct coil_queue *queue, bool immediate);

#ifdef __cplusplus
}
#endif
#endif
