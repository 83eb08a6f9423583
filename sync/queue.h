/* SPDX-License-Identifier: MIT */
#ifndef COIL_SYNC_QUEUE_H
#define COIL_SYNC_QUEUE_H

/*
 * What those who park in a queue's getters or putters give to the one who unparks
 * them, which does for them what they came for.
 */
struct visitor {
	void *item;		/* to be filled in, or to be taken */
	int status;		/* 0, or why that was not done */
};

struct coil_queue;

/* Where to park until there is an item, or room: who comes next will look there. */
struct coil_waitq *coil__queue_getters(struct coil_queue *queue);
struct coil_waitq *coil__queue_putters(struct coil_queue *queue);

#endif
