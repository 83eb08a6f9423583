/* SPDX-License-Identifier: MIT */
#ifndef COIL_QUEUE_H
#define COIL_QUEUE_H

/*
 * A queue passes items by value between tasks of one loop.  Items come out in
 * the order of the puts, last put first, or smallest first.  A cancellation
 * never loses an item and never delivers one twice.  Waiters are served in the
 * order in which they came.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Ready for use after one of the three init functions.  Owns memory until
 * coil_queue_fini().  A put into a zeroed queue, or a get from one, returns
 * -EINVAL.
 */
struct coil_queue {
	unsigned char *in;		/* where the next item goes */
	unsigned char *in_end;		/* items go in unchecked up to here */
	unsigned char *out;		/* the same two for items that come out */
	unsigned char *out_end;
	size_t item_size;
	unsigned char *items;		/* the memory */
	size_t bytes;			/* size of that memory */
	size_t limit;			/* maximum of bytes held */
	size_t head;			/* bytes taken in all, once out is at out_end */
	size_t tail;			/* bytes put in all, once in is at in_end */
	size_t done;			/* bytes put and marked done */
	size_t maxsize;			/* maximum of items; 0: no limit */
	struct coil_waitq getters;
	struct coil_waitq putters;
	struct coil_waitq joiners;
	size_t *arrivals;		/* priority queue: keeps the order of equal items */
	int (*compare)(const void *, const void *);
	void (*drop)(void *item, void *arg);
	void *drop_arg;
	unsigned char order;
	bool shut;
};

/*
 * Make an empty queue for items of item_size bytes.  A put waits while the
 * queue holds maxsize items; with maxsize 0 it never waits.  Items come out in
 * the order of the puts, last put first (lifo), or smallest first (priority).
 *
 * compare works as for qsort(3).  Equal items come out in the order of the
 * puts.  compare must not park, and must not use the queue.
 *
 * If maxsize is not 0 and maxsize items take at most 64 KiB, the queue
 * allocates all its memory here.  Otherwise it allocates more as it fills.
 *
 * Return 0; -EINVAL if item_size is 0, item_size times maxsize overflows, or
 * queue or compare is NULL; -ENOMEM.  Never park, and work on any thread.
 */
int coil_queue_init(struct coil_queue *queue, size_t item_size, size_t maxsize);
int coil_queue_init_lifo(struct coil_queue *queue, size_t item_size, size_t maxsize);
int coil_queue_init_priority(struct coil_queue *queue, size_t item_size, size_t maxsize,
			     int (*compare)(const void *, const void *));

/*
 * Discards the items inside and frees the memory.  Leaves a zeroed queue.  If
 * tasks wait in the queue, the process ends with a message and abort(3).
 */
void coil_queue_fini(struct coil_queue *queue);

/*
 * Sets a function that is called with each item that coil_queue_fini() or an
 * immediate shutdown discards.  drop must not park, and cannot put an item
 * back.
 */
void coil_queue_set_drop(struct coil_queue *queue, void (*drop)(void *item, void *arg),
			 void *arg);

/*
 * Copies *item into the queue.  Parks while the queue is full.  queue and item
 * must be valid: this call and coil_queue_get() do not check them for NULL.
 *
 * Returns 0.  On an error the item is not in the queue:
 *	-ESHUTDOWN: the queue is shut down, or was during the wait
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if
 *		there is room) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EXDEV: the waiters belong to another loop
 *	-ENOMEM: the queue could not grow
 *	-EINVAL: the queue is zeroed
 */
COIL_MUST_CHECK int coil_queue_put(struct coil_queue *queue, const void *item);

/*
 * Takes the next item out and copies it to *item.  Parks while the queue is
 * empty.  Returns 0; -ESHUTDOWN once the queue is shut down and empty; or
 * another error as for coil_queue_put(), except -ENOMEM.  On an error no item
 * was taken.
 */
COIL_MUST_CHECK int coil_queue_get(struct coil_queue *queue, void *item);

/*
 * The same without parking.  Return -EAGAIN if the queue is full, or empty;
 * -EINVAL for NULL.  Ignore a pending cancellation, and work outside a task.
 */
COIL_MUST_CHECK int coil_queue_put_nowait(struct coil_queue *queue, const void *item);
COIL_MUST_CHECK int coil_queue_get_nowait(struct coil_queue *queue, void *item);

/*
 * Return the number of items inside; whether it is 0; whether it is maxsize,
 * which is never so if maxsize is 0.
 */
size_t coil_queue_size(const struct coil_queue *queue);
bool coil_queue_empty(const struct coil_queue *queue);
bool coil_queue_full(const struct coil_queue *queue);

/*
 * Marks one item as done.  Returns 0; -EINVAL if as many items were marked as
 * were put, or queue is NULL; -EXDEV if tasks of another loop wait in
 * coil_queue_join().  Never parks.
 */
int coil_queue_task_done(struct coil_queue *queue);

/*
 * Parks until as many items were marked done as were put.  Returns 0, or an
 * error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if all
 *		items are done) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EXDEV: the waiters belong to another loop
 *	-EINVAL: queue is NULL
 */
COIL_MUST_CHECK int coil_queue_join(struct coil_queue *queue);

/*
 * Shuts the queue down: puts fail, and gets fail once the queue is empty.  If
 * immediate is true, discards the items inside, which then count as done.  The
 * tasks that wait to put or to get return -ESHUTDOWN.
 *
 * Returns 0, also if the queue is shut down already; -EXDEV if the waiters
 * belong to another loop; -EINVAL for NULL.  Never parks.
 */
int coil_queue_shutdown(struct coil_queue *queue, bool immediate);

#ifdef __cplusplus
}
#endif
#endif
