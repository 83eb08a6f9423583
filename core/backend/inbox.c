/* SPDX-License-Identifier: MIT */
/*
 * The loop is AWAKE, ASLEEP or CALLED.  A sender first appends, then makes the loop
 * CALLED, and wakes it if it was ASLEEP.  The loop first becomes AWAKE again, then looks
 * into the inbox.  So either it finds a new call, or it is CALLED once more.
 *
 * A sender appends in two steps: it makes its remote the last, then lets the former last
 * one point to it.  Between the two steps the list is cut.  A loop that meets the cut
 * stops there.  It goes on when the sender calls it, which is after the second step.
 */
#include "core/backend/inbox.h"
#include "core/task/loop.h"
#include "core/backend/backend.h"
#include <errno.h>
#include <poll.h>

enum { AWAKE, ASLEEP, CALLED };

void coil__inbox_open(struct inbox *inbox)
{
	inbox->first = &inbox->stub;
	atomic_init(&inbox->last, &inbox->stub);
}

/* A late sender does not even count, so that an ending loop need not wait for it. */
bool coil__inbox_begin(struct inbox *inbox)
{
	if (atomic_load(&inbox->closed))
		return false;
	atomic_fetch_add(&inbox->senders, 1);
	if (likely(!atomic_load(&inbox->closed)))
		return true;
	coil__inbox_end(inbox);
	return false;
}

/* After this a caller without another reference must not use the loop. */
void coil__inbox_end(struct inbox *inbox)
{
	atomic_fetch_sub(&inbox->senders, 1);
}

void coil__inbox_call(struct coil_loop *loop)
{
	struct inbox *inbox = &loop->inbox;

	if (atomic_load(&inbox->state) != CALLED &&
	    atomic_exchange(&inbox->state, CALLED) == ASLEEP)
		loop->io.backend->wake(loop);
}

static void inbox_append(struct inbox *inbox, struct remote *remote)
{
	struct remote *last;

	atomic_store_explicit(&remote->next, NULL, memory_order_relaxed);
	last = atomic_exchange(&inbox->last, remote);
	atomic_store(&last->next, remote);
}

int coil__loop_post(struct coil_loop *loop, struct remote *remote)
{
	if (!coil__inbox_begin(&loop->inbox))
		return -ESHUTDOWN;
	inbox_append(&loop->inbox, remote);
	coil__inbox_call(loop);
	coil__inbox_end(&loop->inbox);
	return 0;
}

bool coil__inbox_sleep(struct inbox *inbox)
{
	int state = AWAKE;

	return atomic_compare_exchange_strong(&inbox->state, &state, ASLEEP);
}

bool coil__inbox_called(const struct inbox *inbox)
{
	return atomic_load_explicit(&inbox->state, memory_order_relaxed) == CALLED;
}

/*
 * Takes the first remote out, or returns NULL if there is none or the list is cut behind
 * it.  The last one cannot be taken out while others append to it, so the stub is
 * appended first.
 */
static struct remote *inbox_take(struct inbox *inbox)
{
	struct remote *first = inbox->first, *next = atomic_load(&first->next);

	if (first == &inbox->stub) {
		if (!next)
			return NULL;
		inbox->first = first = next;
		next = atomic_load(&first->next);
	}
	if (!next && atomic_load(&inbox->last) == first) {
		inbox_append(inbox, &inbox->stub);
		next = atomic_load(&first->next);
	}
	if (next)
		inbox->first = next;
	return next ? first : NULL;
}

/* Calls that arrive meanwhile wait for the next pass. */
void coil__inbox_run(struct coil_loop *loop, int most)
{
	struct inbox *inbox = &loop->inbox;
	struct remote *remote, *last;

	if (atomic_load_explicit(&inbox->state, memory_order_relaxed) == AWAKE ||
	    atomic_exchange(&inbox->state, AWAKE) != CALLED)
		return;
	last = atomic_load(&inbox->last);
	for (remote = NULL; remote != last && most; most--) {
		if (inbox->first == last && last == &inbox->stub)
			return;
		remote = inbox_take(inbox);
		if (!remote)
			return;
		remote->run(loop, remote);
	}
	if (remote != last)
		atomic_store(&inbox->state, CALLED);
}

/*
 * A sender has few steps left, but a spinning loop of a higher priority would keep it from
 * them.  So this sleeps, which is harmless: no task is left that could be late.
 */
void coil__inbox_close(struct coil_loop *loop)
{
	struct inbox *inbox = &loop->inbox;
	struct remote *remote;

	atomic_store(&inbox->closed, true);
	while (atomic_load(&inbox->senders))
		poll(NULL, 0, 1);
	while ((remote = inbox_take(inbox)))
		remote->run(loop, remote);
}
