/* SPDX-License-Identifier: MIT */
/*
 * A channel is a ring of items with a lock at either end, and a line of tasks at
 * each.  While nobody waits a sender needs only the end where items go in and a
 * receiver only the other, so that two cores seldom meet; all else is done with both
 * locks held, the sender's first.
 *
 * Receivers wait only while there is no item, senders only while there is no room;
 * whoever changes that does for the first in line what it waits for, takes it out of
 * the line, and only then sees to it that it runs.  So nobody barges in between.
 *
 * The one in line lies on the stack of its task, which may be another loop's: then
 * it is woken by a struct remote that lies there as well.  From the moment it is
 * out of the line until that has arrived the task does not hear requests.  It has
 * got what it waited for, its wake-up is sure to come, and until then others hold
 * pointers to its stack.  Whether it is still in line is decided under the locks, so
 * that a request and a hand-over cannot both have it.
 *
 * Nothing is sent to a loop under a lock, as that may be a system call; and once
 * they are let go of, the channel may be finished.  Its memory stays as long as a
 * task that was in line has not run: a cancel takes the locks to see where it is.
 */
#include <coil/channel.h>
#include "core/channel.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/task.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };		/* of a cache, in bytes */

/* Two lines of the caches, of which the second is for those that wait. */
struct end {
	_Alignas(LINE) pthread_mutex_t lock;
	_Atomic(size_t) passed;		/* items so far; written with the lock held */
	size_t other;			/* what the other end's was at the last look */
	size_t at;			/* where in items the next one lies or goes */
	struct list line;
	struct list watchers;		/* of coil__channel_watch */
};

/* What both ends read is written with both locks held. */
struct coil_channel_state {
	size_t item_size;
	size_t bytes;			/* of all slots */
	size_t capacity;
	size_t waiting;			/* tasks in the lines, and watchers */
	atomic_size_t refs;		/* the channel's, and of tasks that were in line */
	bool closed;
	struct end in;
	struct end out;
	_Alignas(LINE) unsigned char items[];
};

/* A task in line, or one that was and is yet to be told. */
struct waiter {
	struct link link;
	struct remote remote;
	struct coil_channel_state *state;
	struct list *line;		/* NULL: it is out of line, and status is set */
	struct coil_task *task;
	void *item;
	int status;
};

static void lock_both(struct coil_channel_state *state)
{
	pthread_mutex_lock(&state->in.lock);
	pthread_mutex_lock(&state->out.lock);
}

static void unlock_both(struct coil_channel_state *state)
{
	pthread_mutex_unlock(&state->out.lock);
	pthread_mutex_unlock(&state->in.lock);
}

static struct waiter *first_in(const struct list *line)
{
	return line->head ? container_of(line->head, struct waiter, link) : NULL;
}

static struct waiter *first_of(const struct end *end)
{
	return first_in(&end->line);
}

/* With both locks held, as all that lies between two looks at the lines. */
static void settle(struct waiter *waiter, int status)
{
	list_remove(waiter->line, &waiter->link);
	waiter->state->waiting--;
	waiter->line = NULL;
	waiter->status = status;
}

static void arrived(struct coil_loop *loop, struct remote *remote)
{
	(void)loop;
	coil__ready(container_of(remote, struct waiter, remote)->task, 0);
}

/*
 * Without the lock.  Its loop cannot have ended, since its task has not; after this
 * the waiter may be gone.
 */
static void wake(struct waiter *waiter)
{
	struct coil_loop *loop = waiter->task->loop;

	if (loop == coil__loop)
		coil__ready(waiter->task, 0);
	else
		coil__loop_post(loop, &waiter->remote);
}

static void interrupt(struct coil_task *task)
{
	struct waiter *waiter = task->object;
	struct coil_channel_state *state = waiter->state;
	bool left;

	lock_both(state);
	left = waiter->line != NULL;
	if (left)
		settle(waiter, -ECANCELED);
	unlock_both(state);
	if (left)
		coil__ready(task, WAKE_REQUEST);
}

static const struct wait sending = { "channel send", interrupt };
static const struct wait receiving = { "channel recv", interrupt };
static const struct wait watching = { "channel", interrupt };

/* The last to let go frees it. */
static void let_go(struct coil_channel_state *state)
{
	if (atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&state->in.lock);
	pthread_mutex_destroy(&state->out.lock);
	free(state);
}

static void turn_away(struct list *line, int status, struct list *woken)
{
	struct waiter *waiter;

	while ((waiter = first_in(line))) {
		settle(waiter, status);
		list_push(woken, &waiter->link);
	}
}

static void wake_list(struct list *woken)
{
	struct link *link;

	while ((link = list_pop(woken)))
		wake(container_of(link, struct waiter, link));
}

/* With both locks held, which the caller lets go of; then it wakes others, and parks. */
static int stand_in_line(struct coil_channel_state *state, struct list *line,
			 const struct wait *wait, void *item, struct list *others)
{
	struct coil_task *self = coil__self();
	struct waiter waiter = {
		.remote.run = arrived, .state = state, .line = line, .task = self, .item = item,
	};
	int woken;

	list_push(line, &waiter.link);
	state->waiting++;
	atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
	unlock_both(state);
	wake_list(others);
	/* A loop that another thread may wake is not stuck. */
	self->loop->watched++;
	woken = coil__park(self, wait, &waiter);
	self->loop->watched--;
	let_go(state);
	return woken == WAKE_REQUEST ? coil__scope_deliver(self) : waiter.status;
}

/*
 * The ring, with the lock of the end in question held.
 */

static size_t passed(const struct end *end)
{
	return atomic_load_explicit(&end->passed, memory_order_relaxed);
}

/* The slot is the other end's as soon as this one has counted it. */
static void step(struct coil_channel_state *state, struct end *end)
{
	end->at += state->item_size;
	if (end->at == state->bytes)
		end->at = 0;
	atomic_store_explicit(&end->passed, passed(end) + 1, memory_order_release);
}

static size_t look(struct end *end, const struct end *other)
{
	return end->other = atomic_load_explicit(&other->passed, memory_order_acquire);
}

static bool has_room(struct coil_channel_state *state)
{
	struct end *in = &state->in;

	return passed(in) - in->other < state->capacity ||
	       passed(in) - look(in, &state->out) < state->capacity;
}

static bool has_item(struct coil_channel_state *state)
{
	struct end *out = &state->out;

	return out->other != passed(out) || look(out, &state->in) != passed(out);
}

static void append(struct coil_channel_state *state, const void *item)
{
	memcpy(state->items + state->in.at, item, state->item_size);
	step(state, &state->in);
}

static void take(struct coil_channel_state *state, void *item)
{
	memcpy(item, state->items + state->out.at, state->item_size);
	step(state, &state->out);
}

/* False: it takes both ends to tell. */
static bool send_alone(struct coil_channel_state *state, const void *item)
{
	bool can;

	pthread_mutex_lock(&state->in.lock);
	can = !state->waiting && !state->closed && has_room(state);
	if (can)
		append(state, item);
	pthread_mutex_unlock(&state->in.lock);
	return can;
}

static bool receive_alone(struct coil_channel_state *state, void *item)
{
	bool can;

	pthread_mutex_lock(&state->out.lock);
	can = !state->waiting && has_item(state);
	if (can)
		take(state, item);
	pthread_mutex_unlock(&state->out.lock);
	return can;
}

/*
 * With both locks held: 0, -ESHUTDOWN or -EAGAIN.  Adds to woken the tasks to be woken.
 */

static int send_now(struct coil_channel_state *state, const void *item, struct list *woken)
{
	struct waiter *receiver = first_of(&state->out);

	if (state->closed)
		return -ESHUTDOWN;
	if (receiver) {
		memcpy(receiver->item, item, state->item_size);
		settle(receiver, 0);
		list_push(woken, &receiver->link);
		return 0;
	}
	if (!has_room(state))
		return -EAGAIN;
	append(state, item);
	turn_away(&state->out.watchers, 0, woken);
	return 0;
}

static int receive_now(struct coil_channel_state *state, void *item, struct list *woken)
{
	struct waiter *sender = first_of(&state->in);
	bool some = has_item(state);

	if (!some && !sender)
		return state->closed ? -ESHUTDOWN : -EAGAIN;
	if (some)
		take(state, item);
	else
		memcpy(item, sender->item, state->item_size);
	if (!sender) {
		turn_away(&state->in.watchers, 0, woken);
		return 0;
	}
	if (some)
		append(state, sender->item);
	settle(sender, 0);
	list_push(woken, &sender->link);
	return 0;
}

/* NULL when a call makes no sense: of one that is not ready, or for no item. */
static struct coil_channel_state *state_of(const struct coil_channel *channel, const void *item)
{
	return channel && item ? channel->state : NULL;
}

/* What a call does. */
enum { SEND = 1, RECEIVE = 2, PARK = 4 };

/* A task in line at one end makes the other end ready. */
static int wait_for_both(struct coil_channel_state *state, void *item, unsigned what,
			 struct list *woken)
{
	if (what & SEND) {
		turn_away(&state->out.watchers, 0, woken);
		return stand_in_line(state, &state->in.line, &sending, item, woken);
	}
	turn_away(&state->in.watchers, 0, woken);
	return stand_in_line(state, &state->out.line, &receiving, item, woken);
}

static int pass_by_both(struct coil_channel_state *state, void *item, unsigned what)
{
	struct list woken = {0};
	int err;

	lock_both(state);
	err = what & SEND ? send_now(state, item, &woken) : receive_now(state, item, &woken);
	if (err == -EAGAIN && what & PARK)
		return wait_for_both(state, item, what, &woken);
	unlock_both(state);
	wake_list(&woken);
	if (what & PARK && !err)
		coil__spend(coil__self(), SPEND_CALL);
	return err;
}

static inline int pass(struct coil_channel *channel, void *item, unsigned what)
{
	struct coil_channel_state *state = state_of(channel, item);
	struct coil_task *self = coil__self();

	if (what & PARK && self->pending)
		return coil__refuse(self);
	if (!state)
		return -EINVAL;
	if (!(what & SEND ? send_alone(state, item) : receive_alone(state, item)))
		return pass_by_both(state, item, what);
	if (what & PARK)
		coil__spend(self, SPEND_CALL);
	return 0;
}

/* Who takes an item that is sent only reads it. */

int coil_channel_try_send(struct coil_channel *channel, const void *item)
{
	return pass(channel, (void *)item, SEND);
}

int coil_channel_send(struct coil_channel *channel, const void *item)
{
	return pass(channel, (void *)item, SEND | PARK);
}

int coil_channel_try_recv(struct coil_channel *channel, void *item)
{
	return pass(channel, item, RECEIVE);
}

int coil_channel_recv(struct coil_channel *channel, void *item)
{
	return pass(channel, item, RECEIVE | PARK);
}

/*
 * Looking, for coil_select().
 */

static bool is_ready(struct coil_channel_state *state, bool send)
{
	if (state->closed)
		return true;
	if (send)
		return first_of(&state->out) || (!first_of(&state->in) && has_room(state));
	return has_item(state) || first_of(&state->in);
}

bool coil__channel_ready(struct coil_channel *channel, bool send)
{
	struct coil_channel_state *state = channel->state;
	bool ready;

	lock_both(state);
	ready = is_ready(state, send);
	unlock_both(state);
	return ready;
}

int coil__channel_watch(struct coil_channel *channel, bool send)
{
	struct coil_channel_state *state = channel->state;
	struct coil_task *self = coil__self();
	struct list nobody = {0};

	if (self->pending)
		return coil__refuse(self);
	lock_both(state);
	if (!is_ready(state, send))
		return stand_in_line(state, send ? &state->in.watchers : &state->out.watchers,
				     &watching, NULL, &nobody);
	unlock_both(state);
	return 0;
}

int coil_channel_close(struct coil_channel *channel)
{
	struct coil_channel_state *state = channel ? channel->state : NULL;
	struct list woken = {0};

	if (!state)
		return -EINVAL;
	lock_both(state);
	state->closed = true;
	turn_away(&state->in.line, -ESHUTDOWN, &woken);
	turn_away(&state->out.line, -ESHUTDOWN, &woken);
	turn_away(&state->in.watchers, 0, &woken);
	turn_away(&state->out.watchers, 0, &woken);
	unlock_both(state);
	wake_list(&woken);
	return 0;
}

int coil_channel_init(struct coil_channel *channel, size_t item_size, size_t capacity)
{
	struct coil_channel_state *state;
	size_t bytes, all;

	if (!channel)
		return -EINVAL;
	channel->state = NULL;
	if (!item_size || __builtin_mul_overflow(item_size, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*state) + LINE - 1, &all))
		return -EINVAL;
	state = aligned_alloc(LINE, all / LINE * LINE);
	if (!state)
		return -ENOMEM;
	*state = (struct coil_channel_state){
		.item_size = item_size, .bytes = bytes, .capacity = capacity,
	};
	atomic_init(&state->refs, 1);
	pthread_mutex_init(&state->in.lock, NULL);
	pthread_mutex_init(&state->out.lock, NULL);
	channel->state = state;
	return 0;
}

void coil_channel_fini(struct coil_channel *channel)
{
	struct coil_channel_state *state = channel ? channel->state : NULL;

	if (!state)
		return;
	/* Who passed the last item on may still be about to let go of its end. */
	lock_both(state);
	if (state->waiting)
		coil__die(coil_current_task(), "calls coil_channel_fini while tasks wait");
	unlock_both(state);
	let_go(state);
	channel->state = NULL;
}
