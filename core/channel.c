/* SPDX-License-Identifier: MIT */
/*
 * A channel is a ring of items and two lines of tasks, under a lock.  Receivers
 * wait only while there is no item, senders only while there is no room; whoever
 * changes that does for the first in line what it waits for, takes it out of the
 * line, and only then sees to it that it runs.  So nobody barges in between.
 *
 * The one in line lies on the stack of its task, which may be another loop's: then
 * it is woken by a struct remote that lies there as well.  From the moment it is
 * out of the line until that has arrived the task does not hear requests.  It has
 * got what it waited for, its wake-up is sure to come, and until then others hold
 * pointers to its stack.  Whether it is still in line is decided under the lock, so
 * that a request and a hand-over cannot both have it.
 *
 * Nothing is sent to a loop under the channel's lock, as that may be a system call;
 * and once that is let go of, the channel may be gone.
 */
#include <coil/channel.h>
#include "core/list.h"
#include "core/loop.h"
#include "core/task.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct coil_channel_state {
	pthread_mutex_t lock;
	struct list senders;
	struct list receivers;
	size_t item_size;
	size_t capacity;
	size_t first;			/* the slot of the first item */
	size_t count;
	bool closed;
	unsigned char items[];
};

/* A task in line, or one that was and is yet to be told. */
struct waiter {
	struct link link;
	struct remote remote;
	struct coil_channel_state *state;
	struct list *line;		/* NULL: it is out, and status is set */
	struct coil_task *task;
	void *item;
	int status;
};

static struct waiter *first_of(const struct list *line)
{
	return line->head ? container_of(line->head, struct waiter, link) : NULL;
}

/* With the lock held, as all that lies between two looks at the lines. */
static void settle(struct waiter *waiter, int status)
{
	list_remove(waiter->line, &waiter->link);
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

	pthread_mutex_lock(&state->lock);
	left = waiter->line != NULL;
	if (left)
		settle(waiter, -ECANCELED);
	pthread_mutex_unlock(&state->lock);
	if (left)
		coil__ready(task, WAKE_REQUEST);
}

static const struct wait sending = { "channel send", interrupt };
static const struct wait receiving = { "channel recv", interrupt };

/* With the lock held; in line the caller lets go of it and parks. */
static int stand_in_line(struct coil_channel_state *state, struct list *line,
			 const struct wait *wait, void *item)
{
	struct coil_task *self = coil__self();
	struct waiter waiter = {
		.remote.run = arrived, .state = state, .line = line,
		.task = self, .item = item,
	};
	int woken;

	list_push(line, &waiter.link);
	pthread_mutex_unlock(&state->lock);
	/* A loop that another thread may wake is not stuck. */
	self->loop->watched++;
	woken = coil__park(self, wait, &waiter);
	self->loop->watched--;
	return woken == WAKE_REQUEST ? coil__scope_deliver(self) : waiter.status;
}

/*
 * The ring, with the lock held.
 */

static void *slot(struct coil_channel_state *state, size_t nth)
{
	size_t at = state->first + nth;

	if (at >= state->capacity)
		at -= state->capacity;
	return state->items + at * state->item_size;
}

static void append(struct coil_channel_state *state, const void *item)
{
	memcpy(slot(state, state->count++), item, state->item_size);
}

static void take(struct coil_channel_state *state, void *item)
{
	memcpy(item, slot(state, 0), state->item_size);
	state->first = state->first + 1 < state->capacity ? state->first + 1 : 0;
	state->count--;
}

/* 0, -ESHUTDOWN or -EAGAIN; *woken is who is to be woken, if anybody. */
static int send_now(struct coil_channel_state *state, const void *item, struct waiter **woken)
{
	struct waiter *receiver = first_of(&state->receivers);

	if (state->closed)
		return -ESHUTDOWN;
	if (receiver) {
		memcpy(receiver->item, item, state->item_size);
		settle(receiver, 0);
		*woken = receiver;
		return 0;
	}
	if (state->count == state->capacity)
		return -EAGAIN;
	append(state, item);
	return 0;
}

static int receive_now(struct coil_channel_state *state, void *item, struct waiter **woken)
{
	struct waiter *sender = first_of(&state->senders);

	if (!state->count && !sender)
		return state->closed ? -ESHUTDOWN : -EAGAIN;
	if (state->count)
		take(state, item);
	else
		memcpy(item, sender->item, state->item_size);
	if (!sender)
		return 0;
	if (state->capacity)
		append(state, sender->item);
	settle(sender, 0);
	*woken = sender;
	return 0;
}

/* Lets go of the lock, and then has run whoever was served. */
static void let_go(struct coil_channel_state *state, struct waiter *woken)
{
	pthread_mutex_unlock(&state->lock);
	if (woken)
		wake(woken);
}

/* NULL when a call makes no sense: of one that is not ready, or for no item. */
static struct coil_channel_state *state_of(const struct coil_channel *channel, const void *item)
{
	return channel && item ? channel->state : NULL;
}

/* What a call does. */
enum { SEND = 1, RECEIVE = 2, PARK = 4 };

static inline int pass(struct coil_channel *channel, void *item, unsigned what)
{
	struct coil_channel_state *state = state_of(channel, item);
	struct coil_task *self = coil__self();
	struct waiter *woken = NULL;
	int err;

	if (what & PARK && self->pending)
		return coil__refuse(self);
	if (!state)
		return -EINVAL;
	pthread_mutex_lock(&state->lock);
	err = what & SEND ? send_now(state, item, &woken) : receive_now(state, item, &woken);
	if (err == -EAGAIN && what & PARK)
		return what & SEND ?
		       stand_in_line(state, &state->senders, &sending, item) :
		       stand_in_line(state, &state->receivers, &receiving, item);
	let_go(state, woken);
	return err;
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

static void turn_away(struct list *line, struct list *woken)
{
	struct waiter *waiter;

	while ((waiter = first_of(line))) {
		settle(waiter, -ESHUTDOWN);
		list_push(woken, &waiter->link);
	}
}

int coil_channel_close(struct coil_channel *channel)
{
	struct coil_channel_state *state = channel ? channel->state : NULL;
	struct list woken = {0};
	struct link *link;

	if (!state)
		return -EINVAL;
	pthread_mutex_lock(&state->lock);
	state->closed = true;
	turn_away(&state->senders, &woken);
	turn_away(&state->receivers, &woken);
	pthread_mutex_unlock(&state->lock);
	while ((link = list_pop(&woken)))
		wake(container_of(link, struct waiter, link));
	return 0;
}

int coil_channel_init(struct coil_channel *channel, size_t item_size, size_t capacity)
{
	struct coil_channel_state *state;
	size_t bytes;

	if (!channel)
		return -EINVAL;
	channel->state = NULL;
	if (!item_size || __builtin_mul_overflow(item_size, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*state), &bytes))
		return -EINVAL;
	state = malloc(bytes);
	if (!state)
		return -ENOMEM;
	*state = (struct coil_channel_state){ .item_size = item_size, .capacity = capacity };
	pthread_mutex_init(&state->lock, NULL);
	channel->state = state;
	return 0;
}

void coil_channel_fini(struct coil_channel *channel)
{
	struct coil_channel_state *state = channel ? channel->state : NULL;

	if (!state)
		return;
	if (state->senders.head || state->receivers.head)
		coil__die(coil_current_task(), "calls coil_channel_fini while tasks wait");
	pthread_mutex_destroy(&state->lock);
	free(state);
	channel->state = NULL;
}
