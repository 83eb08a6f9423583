/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_INBOX_H
#define COIL_CORE_BACKEND_INBOX_H

/*
 * A loop's inbox holds calls from other threads.  The threads append without a lock, and
 * the loop makes the calls in order.  A sender wakes the loop only if it sleeps: a busy
 * loop looks into its inbox in every pass.
 *
 * A thread counts as a sender from before it appends until after it has woken the loop.
 * Once it counts, it checks that the inbox is open.  So if the loop has closed the inbox
 * and counts no sender, no other thread uses its backend any more.
 */

#include "core/task/loop.h"
#include <stdbool.h>

void coil__inbox_open(struct inbox *inbox);

/*
 * For any thread.
 */

/* Sends remote to loop.  Returns 0, or -ESHUTDOWN if the inbox is closed. */
int coil__loop_post(struct coil_loop *loop, struct remote *remote);

/*
 * Registers the caller as a sender.  Returns true if the loop stays alive until
 * coil__inbox_end(), or false if the inbox is closed.
 */
bool coil__inbox_begin(struct inbox *inbox);
void coil__inbox_end(struct inbox *inbox);

/* Makes the loop look into its inbox; wakes the loop if it sleeps. */
void coil__inbox_call(struct coil_loop *loop);

/*
 * For the loop's own thread.
 */

/* Marks the loop as asleep.  Returns false if it was called and must not sleep. */
bool coil__inbox_sleep(struct inbox *inbox);

/* Returns whether a sender has called the loop since its last coil__inbox_run(). */
bool coil__inbox_called(const struct inbox *inbox);

/*
 * Marks the loop as awake and makes at most `most` calls of the inbox.  The bound keeps
 * threads that send faster than the loop works from starving the loop's tasks.
 */
void coil__inbox_run(struct coil_loop *loop, int most);

/* Refuses further calls, waits until there is no sender, and makes the calls left. */
void coil__inbox_close(struct coil_loop *loop);

#endif
