/* SPDX-License-Identifier: MIT */
#ifndef COIL_CHANNEL_H
#define COIL_CHANNEL_H

/*
 * A channel passes items by value between tasks of any loops, each in its own
 * thread, first in first out.  A cancellation never loses an item and never
 * delivers one twice.  Between tasks of one loop a coil_queue does the same at
 * a lower cost.
 */

#include <coil/cdefs.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_channel_state;

/*
 * Ready for use after coil_channel_init().  Owns memory until
 * coil_channel_fini().  All other calls return -EINVAL for a zeroed channel, or
 * if a pointer is NULL.
 */
struct coil_channel {
	struct coil_channel_state *state;
};

/*
 * Makes an empty channel for items of item_size bytes, which holds at most
 * capacity items.  With capacity 0 a send waits until a task receives the item.
 * Allocates all memory here.  Returns 0; -EINVAL if item_size is 0, channel is
 * NULL, or the size of all items overflows; -ENOMEM.  Never parks, and works on
 * any thread.
 */
int coil_channel_init(struct coil_channel *channel, size_t item_size, size_t capacity);

/*
 * Discards the items inside, frees the memory and leaves a zeroed channel.  No
 * other thread may use the channel any more.  If tasks wait in it, the process
 * ends with a message and abort(3).  Ignores NULL and a zeroed channel.
 */
void coil_channel_fini(struct coil_channel *channel);

/*
 * Copies *item into the channel.  Parks while the channel is full.  Tasks of
 * all loops wait in one queue and are served in the order in which they came.
 * Returns 0.  On an error the item is not in the channel:
 *	-ESHUTDOWN: the channel is closed, or was during the wait
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if
 *		there is room) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EINVAL: the channel is zeroed, or a pointer is NULL
 */
COIL_MUST_CHECK int coil_channel_send(struct coil_channel *channel, const void *item);

/*
 * Takes the next item out and copies it to *item.  Parks while the channel is
 * empty.  Returns 0; -ESHUTDOWN once the channel is closed and empty; or
 * another error as for coil_channel_send().  On an error no item was taken.
 */
COIL_MUST_CHECK int coil_channel_recv(struct coil_channel *channel, void *item);

/*
 * The same without parking.  Return -EAGAIN if the channel is full, or empty.
 * Work on any thread, with or without a loop, but not in a signal handler.
 * Ignore a pending cancellation.
 */
COIL_MUST_CHECK int coil_channel_try_send(struct coil_channel *channel, const void *item);
COIL_MUST_CHECK int coil_channel_try_recv(struct coil_channel *channel, void *item);

/*
 * Closes the channel: sends fail, and receives fail once the channel is empty.
 * Tasks that wait to send or to receive return -ESHUTDOWN.  Returns 0, also if
 * the channel is closed already; -EINVAL as above.  Never parks, and works on
 * any thread.
 */
int coil_channel_close(struct coil_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
