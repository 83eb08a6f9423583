/* SPDX-License-Identifier: MIT */
/*
 * A channel is a ring of items with a lock and a line of waiters at each end.  While no
 * task waits, a sender takes only the lock of the end where items go in, and a receiver
 * only the other.  So two cores seldom touch the same data.  Everything else is done
 * with both locks held, the sender's taken first.
 *
 * Receivers wait only while there is no item, senders only while there is no room.  The
 * task that changes this completes the call of the first waiter, takes the waiter out of
 * the line, and wakes it last.  So no other task can get in between.
 *
 * A waiter lies on the stack of its task, which may belong to another loop.  In that case
 * the struct remote in the waiter is posted to that loop and wakes the task there.  From
 * the moment the waiter leaves the line until the wake-up, a cancellation does not
 * interrupt the wait.  The call is complete and the wake-up is sure to come, but until
 * then other threads hold pointers to the stack.  A cancel and a completion both look
 * under the locks whether the waiter is still in line, so that only one of them gets it.
 *
 * A remote is posted after both locks are released, because posting may be a system
 * call.  The user may finish the channel as soon as they are released.  But its memory
 * stays until every task that was in line has run: a cancel of such a task takes the
 * locks to find out whether its waiter is in line.
 */
#include <coil/channel.h>
#include "sync/channel.h"
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/inbox.h"
#include "core/task/task.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };		/* a cache line, in bytes */

/* Two cache lines.  The second one is used only while tasks wait. */
struct end {
	_Alignas(LINE) pthread_mutex_t lock;
	_Atomic(size_t) passed;		/* items so far; written with the lock held */
	size_t other;			/* the other end's passed when last read */
	size_t at;			/* offset in items of the next one */
	struct list line;
	struct list watchers;		/* of coil__channel_watch */
};

/* The fields that both ends read are written with both locks held. */
struct coil_channel_state {
	size_t item_size;
	size_t bytes;			/* of all slots */
	size_t capacity;
	size_t waiting;			/* tasks in the lines, and watchers */
	atomic_size_t refs;		/* the channel, and tasks that are or were in line */
	bool closed;
	struct end in;
	struct end out;
	_Alignas(LINE) unsigned char items[];
};

/* A task in line, or out of it and not woken yet. */
struct waiter {
	struct link link;
	struct remote remote;
	struct coil_channel_state *state;
	struct list *line;		/* NULL: out of line, and status is set */
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

/* Takes the waiter out of its line.  The caller holds both locks. */
static void channel_settle(struct waiter *waiter, int status)
{
	list_remove(waiter->line, &waiter->link);
	waiter->state->waiting--;
	waiter->line = NULL;
	waiter->status = status;
}

static void channel_arrived(struct coil_loop *loop, struct remote *remote)
{
	(void)loop;
	coil__ready(container_of(remote, struct waiter, remote)->task, 0);
}

/*
 * The caller holds no lock.  The loop of the waiter's task cannot have ended, since the
 * task has not.  The waiter may be gone when this returns.
 */
static void channel_wake(struct waiter *waiter)
{
	struct coil_loop *loop = waiter->task->loop;

	if (loop == coil__loop)
		coil__ready(waiter->task, 0);
	else
		coil__loop_post(loop, &waiter->remote);
}

static void channel_interrupt(struct coil_task *task)
{
	struct waiter *waiter = task->object;
	struct coil_channel_state *state = waiter->state;
	bool left;

	lock_both(state);
	left = waiter->line != NULL;
	if (left)
		channel_settle(waiter, -ECANCELED);
	unlock_both(state);
	if (left)
		coil__ready(task, WAKE_CANCELLED);
}

static const struct wait sending = { .what = "channel send", .interrupt = channel_interrupt };
static const struct wait receiving = { .what = "channel recv", .interrupt = channel_interrupt };
static const struct wait watching = { .what = "channel", .interrupt = channel_interrupt };

/* Drops a reference.  The last one frees the channel's state. */
static void let_go(struct coil_channel_state *state)
{
	if (atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&state->in.lock);
	pthread_mutex_destroy(&state->out.lock);
	free(state);
}

static void channel_turn_away(struct list *line, int status, struct list *woken)
{
	struct waiter *waiter;

	while ((waiter = first_in(line))) {
		channel_settle(waiter, status);
		list_push(woken, &waiter->link);
	}
}

static void wake_list(struct list *woken)
{
	struct link *link;

	while ((link = list_pop(woken)))
		channel_wake(container_of(link, struct waiter, link));
}

/* Entered with both locks held.  Releases them, wakes others, then parks the caller. */
static int channel_stand_in_line(struct coil_channel_state *state, struct list *line,
				 const struct wait *wait, void *item, struct list *others)
{
	struct coil_task *self = coil__self();
	struct waiter waiter = {
		.remote.run = channel_arrived, .state = state, .line = line, .task = self,
		.item = item,
	};
	int woken;

	list_push(line, &waiter.link);
	state->waiting++;
	atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
	unlock_both(state);
	wake_list(others);
	/* Another thread may wake this loop, so it must not count as deadlocked. */
	self->loop->watched++;
	woken = coil__park(self, wait, &waiter);
	self->loop->watched--;
	let_go(state);
	return woken == WAKE_CANCELLED ? coil__scope_deliver(self) : waiter.status;
}

/*
 * The ring.  The caller holds the lock of the end that the function works on.
 */

static size_t passed(const struct end *end)
{
	return atomic_load_explicit(&end->passed, memory_order_relaxed);
}

/* Once passed is stored, the slot belongs to the other end. */
static void channel_step(struct coil_channel_state *state, struct end *end)
{
	end->at += state->item_size;
	if (end->at == state->bytes)
		end->at = 0;
	atomic_store_explicit(&end->passed, passed(end) + 1, memory_order_release);
}

static size_t channel_look(struct end *end, const struct end *other)
{
	return end->other = atomic_load_explicit(&other->passed, memory_order_acquire);
}

static bool channel_has_room(struct coil_channel_state *state)
{
	struct end *in = &state->in;

	return passed(in) - in->other < state->capacity ||
	       passed(in) - channel_look(in, &state->out) < state->capacity;
}

static bool has_item(struct coil_channel_state *state)
{
	struct end *out = &state->out;

	return out->other != passed(out) || channel_look(out, &state->in) != passed(out);
}

static void channel_append(struct coil_channel_state *state, const void *item)
{
	memcpy(state->items + state->in.at, item, state->item_size);
	channel_step(state, &state->in);
}

static void channel_take(struct coil_channel_state *state, void *item)
{
	memcpy(item, state->items + state->out.at, state->item_size);
	channel_step(state, &state->out);
}

/*
 * Sends with the lock of one end only.  Returns false, and has done nothing, if that is
 * not possible: a task waits, the channel is closed, or the ring is full.
 */
static bool send_alone(struct coil_channel_state *state, const void *item)
{
	bool can;

	pthread_mutex_lock(&state->in.lock);
	can = !state->waiting && !state->closed && channel_has_room(state);
	if (can)
		channel_append(state, item);
	pthread_mutex_unlock(&state->in.lock);
	return can;
}

static bool receive_alone(struct coil_channel_state *state, void *item)
{
	bool can;

	pthread_mutex_lock(&state->out.lock);
	can = !state->waiting && has_item(state);
	if (can)
		channel_take(state, item);
	pthread_mutex_unlock(&state->out.lock);
	return can;
}

/*
 * The caller holds both locks, and afterwards wakes the waiters that were added to woken.
 * Return 0, -ESHUTDOWN, or -EAGAIN if the call would have to wait.
 */

static int send_now(struct coil_channel_state *state, const void *item, struct list *woken)
{
	struct waiter *receiver = first_of(&state->out);

	if (state->closed)
		return -ESHUTDOWN;
	if (receiver) {
		memcpy(receiver->item, item, state->item_size);
		channel_settle(receiver, 0);
		list_push(woken, &receiver->link);
		return 0;
	}
	if (!channel_has_room(state))
		return -EAGAIN;
	channel_append(state, item);
	channel_turn_away(&state->out.watchers, 0, woken);
	return 0;
}

static int receive_now(struct coil_channel_state *state, void *item, struct list *woken)
{
	struct waiter *sender = first_of(&state->in);
	bool some = has_item(state);

	if (!some && !sender)
		return state->closed ? -ESHUTDOWN : -EAGAIN;
	if (some)
		channel_take(state, item);
	else
		memcpy(item, sender->item, state->item_size);
	if (!sender) {
		channel_turn_away(&state->in.watchers, 0, woken);
		return 0;
	}
	if (some)
		channel_append(state, sender->item);
	channel_settle(sender, 0);
	list_push(woken, &sender->link);
	return 0;
}

/* Returns NULL if the channel is not initialised or there is no item. */
static struct coil_channel_state *state_of(const struct coil_channel *channel, const void *item)
{
	return channel && item ? channel->state : NULL;
}

enum { SEND = 1, RECEIVE = 2, PARK = 4 };

/* A sender in line makes the channel ready to receive from, and a receiver to send to. */
static int wait_for_both(struct coil_channel_state *state, void *item, unsigned what,
			 struct list *woken)
{
	if (what & SEND) {
		channel_turn_away(&state->out.watchers, 0, woken);
		return channel_stand_in_line(state, &state->in.line, &sending, item, woken);
	}
	channel_turn_away(&state->in.watchers, 0, woken);
	return channel_stand_in_line(state, &state->out.line, &receiving, item, woken);
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

static inline int channel_pass(struct coil_channel *channel, void *item, unsigned what)
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

/* The casts are safe: the receiver only reads an item that is sent. */

int coil_channel_try_send(struct coil_channel *channel, const void *item)
{
	return channel_pass(channel, (void *)item, SEND);
}

int coil_channel_send(struct coil_channel *channel, const void *item)
{
	return channel_pass(channel, (void *)item, SEND | PARK);
}

int coil_channel_try_recv(struct coil_channel *channel, void *item)
{
	return channel_pass(channel, item, RECEIVE);
}

int coil_channel_recv(struct coil_channel *channel, void *item)
{
	return channel_pass(channel, item, RECEIVE | PARK);
}

/*
 * For coil_select(): these look at the channel and take nothing.
 */

static bool channel_is_ready(struct coil_channel_state *state, bool send)
{
	if (state->closed)
		return true;
	if (send)
		return first_of(&state->out) || (!first_of(&state->in) && channel_has_room(state));
	return has_item(state) || first_of(&state->in);
}

bool coil__channel_ready(struct coil_channel *channel, bool send)
{
	struct coil_channel_state *state = channel->state;
	bool ready;

	lock_both(state);
	ready = channel_is_ready(state, send);
	unlock_both(state);
	return ready;
}

int coil__channel_watch(struct coil_channel *channel, bool send)
{
	struct coil_channel_state *state = channel->state;
	struct coil_task *self = coil__self();
	struct list none = {0};

	if (self->pending)
		return coil__refuse(self);
	lock_both(state);
	if (!channel_is_ready(state, send))
		return channel_stand_in_line(state,
					     send ? &state->in.watchers : &state->out.watchers,
					     &watching, NULL, &none);
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
	channel_turn_away(&state->in.line, -ESHUTDOWN, &woken);
	channel_turn_away(&state->out.line, -ESHUTDOWN, &woken);
	channel_turn_away(&state->in.watchers, 0, &woken);
	channel_turn_away(&state->out.watchers, 0, &woken);
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
	/* The task that passed the last item may not have released its lock yet. */
	lock_both(state);
	if (state->waiting)
		coil__die(coil_current_task(), "calls coil_channel_fini while tasks wait");
	unlock_both(state);
	let_go(state);
	channel->state = NULL;
}
