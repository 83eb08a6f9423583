/* SPDX-License-Identifier: MIT */
/*
 * The loop is AWAKE, ASLEEP, or CALLED: who has pushed something makes it CALLED,
 * and wakes it if it was ASLEEP.  The loop looks into the inbox whenever it was
 * CALLED, after it has become AWAKE again, so that nothing falls in between.
 */
#include "core/inbox.h"
#include "core/loop.h"
#include <errno.h>
#include <poll.h>

enum { AWAKE, ASLEEP, CALLED };

/* In place of a stack: the loop has ended. */
static struct remote no_more;

bool coil__inbox_begin(struct inbox *inbox)
{
	atomic_fetch_add(&inbox->senders, 1);
	return atomic_load(&inbox->sent) != &no_more;
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

static bool push(struct inbox *inbox, struct remote *remote)
{
	struct remote *last = atomic_load(&inbox->sent);

	do {
		if (last == &no_more)
			return false;
		remote->next = last;
	} while (!atomic_compare_exchange_weak(&inbox->sent, &last, remote));
	return true;
}

int coil__loop_post(struct coil_loop *loop, struct remote *remote)
{
	bool taken = coil__inbox_begin(&loop->inbox) && push(&loop->inbox, remote);

	if (taken)
		coil__inbox_call(loop);
	coil__inbox_end(&loop->inbox);
	return taken ? 0 : -ESHUTDOWN;
}

bool coil__inbox_sleep(struct inbox *inbox)
{
	int state = AWAKE;

	return atomic_compare_exchange_strong(&inbox->state, &state, ASLEEP);
}

bool coil__inbox_called(const struct inbox *inbox)
{
	return inbox->taken || atomic_load_explicit(&inbox->state, memory_order_relaxed) == CALLED;
}

static void take(struct inbox *inbox, struct remote *leave)
{
	struct remote *sent = atomic_exchange(&inbox->sent, leave);
	struct remote **end = &inbox->taken, *first = NULL;

	while (sent) {
		struct remote *earlier = sent->next;

		sent->next = first;
		first = sent;
		sent = earlier;
	}
	while (*end)
		end = &(*end)->next;
	*end = first;
}

void coil__inbox_take(struct inbox *inbox)
{
	if (inbox->taken || atomic_load_explicit(&inbox->state, memory_order_relaxed) == AWAKE)
		return;
	if (atomic_exchange(&inbox->state, AWAKE) == CALLED)
		take(inbox, NULL);
}

void coil__inbox_run(struct coil_loop *loop, int most)
{
	struct remote *remote;

	while ((remote = loop->inbox.taken) && most--) {
		loop->inbox.taken = remote->next;
		remote->run(loop, remote);
	}
}

/*
 * A sender's last steps are few, but it may be kept from them, and by nobody but this
 * thread, if that is of a higher priority: so it sleeps.  No task is left to mind.
 */
void coil__inbox_close(struct inbox *inbox)
{
	take(inbox, &no_more);
	while (atomic_load(&inbox->senders))
		poll(NULL, 0, 1);
}
