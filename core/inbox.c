/* SPDX-License-Identifier: MIT */
/*
 * The loop is AWAKE, ASLEEP, or CALLED: who has appended something makes it CALLED,
 * and wakes it if it was ASLEEP.  The loop looks into the inbox whenever it was
 * CALLED, after it has become AWAKE again, so that nothing falls in between.
 *
 * A sender makes its remote the last, and then has the one that was last before
 * point to it.  Between the two the list is cut; the loop that comes upon the cut
 * goes on when it is called, which the sender does once that is mended.
 */
#include "core/inbox.h"
#include "core/loop.h"
#include <errno.h>
#include <poll.h>

enum { AWAKE, ASLEEP, CALLED };

void coil__inbox_open(struct inbox *inbox)
{
	inbox->first = &inbox->stub;
	atomic_init(&inbox->last, &inbox->stub);
}

/* Who comes too late is not so much as counted: an ending loop need not wait for him. */
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

/* The last that is done to a loop of which one has no reference. */
void coil__inbox_end(struct inbox *inbox)
{
	atomic_fetch_sub(&inbox->senders, 1);
}

void coil__inbox_call(struct coil_loop *loop)
{
	struct inbox *inbox = &loop->inbox;

	if (atomic_load(&inbox->state) != CALLED &&
	    atomic_exchange(&inbox->state, CALLED) == ASLEEP)
		loop->backend->wake(loop);
}

static void append(struct inbox *inbox, struct remote *remote)
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
	append(&loop->inbox, remote);
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
 * The first, or NULL: there is none, or the list is cut behind it.  One that is also
 * the last cannot be taken out before something stands behind it: the stub does.
 */
static struct remote *take(struct inbox *inbox)
{
	struct remote *first = inbox->first, *next = atomic_load(&first->next);

	if (first == &inbox->stub) {
		if (!next)
			return NULL;
		inbox->first = first = next;
		next = atomic_load(&first->next);
	}
	if (!next && atomic_load(&inbox->last) == first) {
		append(inbox, &inbox->stub);
		next = atomic_load(&first->next);
	}
	if (next)
		inbox->first = next;
	return next ? first : NULL;
}

/* What comes meanwhile is for the next pass. */
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
		remote = take(inbox);
		if (!remote)
			return;
		remote->run(loop, remote);
	}
	if (remote != last)
		atomic_store(&inbox->state, CALLED);
}

/*
 * A sender's last steps are few, but it may be kept from them, and by nobody but this
 * thread, if that is of a higher priority: so it sleeps.  No task is left to mind.
 */
void coil__inbox_close(struct coil_loop *loop)
{
	struct inbox *inbox = &loop->inbox;
	struct remote *remote;

	atomic_store(&inbox->closed, true);
	while (atomic_load(&inbox->senders))
		poll(NULL, 0, 1);
	while ((remote = take(inbox)))
		remote->run(loop, remote);
}
