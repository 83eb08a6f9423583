/* SPDX-License-Identifier: MIT */
#ifndef COIL_SYNC_CHANNEL_H
#define COIL_SYNC_CHANNEL_H

/*
 * For coil_select().  It watches a channel without taking from it, and once it has
 * chosen the case it tries coil_channel_try_recv() or coil_channel_try_send().
 */

#include <coil/channel.h>
#include <stdbool.h>

/* Returns whether a send, or a receive, would not wait. */
bool coil__channel_ready(struct coil_channel *channel, bool send);

/*
 * Parks until a send, or a receive, may not have to wait, and returns 0; another task
 * may be faster.  Returns -ECANCELED or -ETIMEDOUT when cancelled.
 */
int coil__channel_watch(struct coil_channel *channel, bool send);

#endif
