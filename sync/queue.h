/* SPDX-License-Identifier: MIT */
#ifndef COIL_SYNC_QUEUE_H
#define COIL_SYNC_QUEUE_H

/*
 * A task that parks in a queue's getters or putters passes this as its data.  The task
 * that unparks it completes the get or the put first.
 */
struct parked_item {
	void *item;		/* a getter's buffer, or a putter's item */
	int status;		/* 0, or a negative errno: the item was not passed */
};

struct coil_queue;

/*
 * Return the wait queue to park in until there is an item, or room.  They end the run of
 * puts or gets, so that the next put or get looks at the wait queue (see queue.c).
 */
struct coil_waitq *coil__queue_getters(struct coil_queue *queue);
struct coil_waitq *coil__queue_putters(struct coil_queue *queue);

#endif
