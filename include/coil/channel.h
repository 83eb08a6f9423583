/* SPDX-License-Identifier: MIT */
#ifndef COIL_CHANNEL_H
#define COIL_CHANNEL_H

/*
 * Items by value between tasks of any loops, each in its own thread, first in first
 * out.  An item sent is received once, whoever is cancelled meanwhile.  Between
 * tasks of one loop a coil_queue does the same for less.
 */

#include <coil/cdefs.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_channel_state;

/*
 * Ready after coil_channel_init; owns memory until coil_channel_fini.  Of one that is
 * zeroed all calls but these two say -EINVAL, as they do when item is NULL.
 */
struct coil_channel {
	struct coil_channel_state *state;
};

/*
 * Makes an empty channel for items of item_size bytes, which holds at most capacity
 * of them; with 0 a send waits for the one who receives.  0; -EINVAL for item_size 0,
 * NULL or a product that overflows; -ENOMEM.  Works on every thread.
 */
int coil_channel_init(struct coil_channel *channel, size_t item_size, size_t capacity);

/*
 * Gives the memory back, when no other thread uses it any more.  What is inside is
 * thrown away.  Asserts that nobody waits.
 */
void coil_channel_fini(struct coil_channel *channel);

/*
 * Copies *item in, parking while the channel is full, in line with others.  0;
 * -ESHUTDOWN once it is closed; -ECANCELED or -ETIMEDOUT when a request is pending
 * at entry or comes first, -EPERM outside a task: then the item is not in.
 */
COIL_MUST_CHECK int coil_channel_send(struct coil_channel *channel, const void *item);

/*
 * Copies the next item to *item, parking while there is none.  0; -ESHUTDOWN once it
 * is closed and empty; else as for send: then nothing was taken.
 */
COIL_MUST_CHECK int coil_channel_recv(struct coil_channel *channel, void *item);

/*
 * The same without parking: -EAGAIN when full or empty.  On every thread, with or
 * without a loop, but not in a signal handler.  They take no notice of requests.
 */
COIL_MUST_CHECK int coil_channel_try_send(struct coil_channel *channel, const void *item);
COIL_MUST_CHECK int coil_channel_try_recv(struct coil_channel *channel, void *item);

/*
 * No more sends; receives go on until it is empty.  Who waits in vain wakes with
 * -ESHUTDOWN.  0, also the second time.  On every thread; never parks.
 */
int coil_channel_close(struct coil_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
