/* SPDX-License-Identifier: MIT */
/*
 * Those on the list are all of one kind.  While nobody is leaving they are
 * inside, fewer than the parties; while somebody is, they are queued for the
 * next round, and become it when the last of the old one has left.  So the
 * order of the list is the order of arrival, and nobody parks twice.
 */
#include <coil/barrier.h>
#include <coil/task.h>
#include <coil/waitq.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>

/*
 * Each parks in a queue of its own: one that was cancelled does not count from
 * that moment on, though it is on the list until it runs.
 */
struct coil_barrier_waiter {
	struct coil_barrier_waiter *next;
	struct coil_barrier_waiter *prev;
	struct coil_waitq parked;
	int result;
};

static void add(struct coil_barrier *barrier, struct coil_barrier_waiter *waiter)
{
	waiter->prev = barrier->last;
	if (barrier->last)
		barrier->last->next = waiter;
	else
		barrier->first = waiter;
	barrier->last = waiter;
}

static void take_out(struct coil_barrier *barrier, struct coil_barrier_waiter *waiter)
{
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		barrier->first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		barrier->last = waiter->prev;
}

static int count(const struct coil_barrier *barrier)
{
	int n = 0;

	for (struct coil_barrier_waiter *w = barrier->first; w; w = w->next)
		n += w->parked.head != NULL;
	return n;
}

/* Wakes the first n; they get their numbers, or all of them that error. */
static int wake(struct coil_barrier *barrier, int n, int error)
{
	struct coil_barrier_waiter *waiter, *next;
	int i = 0;

	for (waiter = barrier->first; waiter && i < n; waiter = next) {
		next = waiter->next;
		if (!waiter->parked.head)
			continue;
		/* Refused at the first, of another loop, or not at all. */
		if (!coil_waitq_unpark(&waiter->parked))
			return -EXDEV;
		waiter->result = error ? error : i;
		take_out(barrier, waiter);
		barrier->leaving++;
		i++;
	}
	return 0;
}

static int leave(struct coil_barrier *barrier, int result)
{
	if (barrier->broken || barrier->failing)
		result = -ENOTRECOVERABLE;
	if (--barrier->leaving)
		return result;
	barrier->failing = false;
	if (!barrier->broken && count(barrier) >= barrier->parties)
		wake(barrier, barrier->parties, 0);
	return result;
}

int coil_barrier_wait(struct coil_barrier *barrier)
{
	struct coil_barrier_waiter self = {0};
	uintptr_t thread = (uintptr_t)pthread_self();
	int err;

	if (barrier->parties <= 0)
		return -EINVAL;
	/* This does not park, it refuses. */
	if (coil_check())
		return coil_waitq_park_for(&self.parked, NULL, "barrier");
	if ((barrier->first || barrier->leaving) && barrier->thread != thread)
		return -EXDEV;
	if (barrier->broken)
		return -ENOTRECOVERABLE;
	if (!barrier->leaving && count(barrier) == barrier->parties - 1) {
		wake(barrier, barrier->parties - 1, 0);
		return barrier->parties - 1;
	}
	barrier->thread = thread;
	add(barrier, &self);
	err = coil_waitq_park_for(&self.parked, NULL, "barrier");
	if (!err)
		return leave(barrier, self.result);
	take_out(barrier, &self);
	return err;
}

int coil_barrier_reset(struct coil_barrier *barrier)
{
	int err = 0;

	if (!barrier->leaving)
		err = wake(barrier, INT_MAX, -ENOTRECOVERABLE);
	if (err)
		return err;
	barrier->broken = false;
	barrier->failing = barrier->leaving > 0;
	return 0;
}

int coil_barrier_abort(struct coil_barrier *barrier)
{
	int err = wake(barrier, INT_MAX, -ENOTRECOVERABLE);

	if (!err)
		barrier->broken = true;
	return err;
}

int coil_barrier_n_waiting(const struct coil_barrier *barrier)
{
	return barrier->leaving ? 0 : count(barrier);
}

bool coil_barrier_broken(const struct coil_barrier *barrier)
{
	return barrier->broken;
}
