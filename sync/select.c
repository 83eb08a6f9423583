/* SPDX-License-Identifier: MIT */
/*
 * The caller parks in the wait queues of all its cases at once, as a plain waiter would
 * park in one of them.  The task that unparks it from a queue has already completed that
 * case.  The unpark takes the caller out of all other queues, so nothing has to be given
 * back.
 *
 * Shared events (see event.c), fds, signals and channels have no wait queue of this loop,
 * because their wake-up comes from outside of it.  Each of these cases gets a stand-in, a
 * task that waits for it.  The stand-in takes nothing.  It unparks the caller from a wait
 * queue that is made for this case.  The caller then takes the signal or the item itself.
 * If another task was faster, the caller waits again.  The stand-ins are children of a
 * group, which ends before the call returns.
 */
#include <coil/select.h>
#include <coil/socket.h>
#include <coil/group.h>
#include <coil/time.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include "sync/channel.h"
#include "core/task/self.h"
#include "io/signal.h"
#include "sync/queue.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

/* One case while the caller waits for it. */
struct place {
	struct parked_item parked;		/* for a queue's case */
	const struct coil_case *one;	/* the case, for its stand-in */
	struct coil_waitq fired;	/* the stand-in unparks the caller from here */
	bool set;			/* the stand-in saw the case ready */
	short revents;			/* what the stand-in saw, for an fd's case */
};

/* The arguments of coil_waitq_park_any(): each array has one entry for each case. */
struct places {
	struct place *each;
	struct coil_waitq **waitqs;
	void **data;
};

enum { FEW = 8 };

static bool needs_stand_in(const struct coil_case *one)
{
	if (one->kind == COIL_SELECT_KIND_EVENT)
		return one->event->shared;
	return one->kind >= COIL_SELECT_KIND_CHANNEL_GET;
}

/* A case is contended if another may take the item or signal after the caller saw it. */
static bool is_contended(const struct coil_case *one)
{
	return one->kind == COIL_SELECT_KIND_CHANNEL_GET ||
	       one->kind == COIL_SELECT_KIND_CHANNEL_PUT || one->kind == COIL_SELECT_KIND_SIGNAL;
}

static int check_task(struct coil_task *task)
{
	if (!coil_task_waiters(task))
		return -errno;
	return task == coil_current_task() ? -EDEADLK : 0;
}

static int check_channel(const struct coil_channel *channel, const void *item)
{
	return channel && channel->state && item ? 0 : -EINVAL;
}

static int check_signals(const sigset_t *signals)
{
	int err = coil__signal_pending(signals);

	return err < 0 ? err : 0;
}

static int select_check(const struct coil_case *one)
{
	switch (one->kind) {
	case COIL_SELECT_KIND_NEVER:
		return 0;
	case COIL_SELECT_KIND_GET:
		return one->queue && one->queue->item_size && one->get ? 0 : -EINVAL;
	case COIL_SELECT_KIND_PUT:
		return one->queue && one->queue->item_size && one->put ? 0 : -EINVAL;
	case COIL_SELECT_KIND_EVENT:
		return one->event ? 0 : -EINVAL;
	case COIL_SELECT_KIND_TASK:
		return check_task(one->task);
	case COIL_SELECT_KIND_CHANNEL_GET:
		return check_channel(one->channel, one->get);
	case COIL_SELECT_KIND_CHANNEL_PUT:
		return check_channel(one->channel, one->put);
	case COIL_SELECT_KIND_FD:
		return one->fd < 0 ? -EBADF : 0;
	case COIL_SELECT_KIND_SIGNAL:
		return check_signals(one->signals);
	}
	return -EINVAL;
}

static int check_all(const struct coil_case cases[], size_t n)
{
	int err = 0;

	if (!cases || !n || n > INT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n && !err; i++)
		err = select_check(&cases[i]);
	return err;
}

/* Prefers what the stand-in saw: the fd may have changed since. */
static short revents_of(const struct coil_case *one, const struct place *place)
{
	struct pollfd now = { .fd = one->fd, .events = one->events };

	if (place && place->set)
		return place->revents;
	return poll(&now, 1, 0) == 1 ? now.revents : 0;
}

static bool select_is_ready(const struct coil_case *one, const struct place *place)
{
	switch (one->kind) {
	case COIL_SELECT_KIND_GET:
		return one->queue->shut || !coil_queue_empty(one->queue);
	case COIL_SELECT_KIND_PUT:
		return one->queue->shut || !coil_queue_full(one->queue);
	case COIL_SELECT_KIND_EVENT:
		return coil_event_is_set(one->event) || (place && place->set);
	case COIL_SELECT_KIND_TASK:
		return coil_done(one->task);
	case COIL_SELECT_KIND_CHANNEL_GET:
		return coil__channel_ready(one->channel, false);
	case COIL_SELECT_KIND_CHANNEL_PUT:
		return coil__channel_ready(one->channel, true);
	case COIL_SELECT_KIND_FD:
		return revents_of(one, place) != 0;
	case COIL_SELECT_KIND_SIGNAL:
		return coil__signal_pending(one->signals) > 0;
	default:
		return false;
	}
}

/*
 * Returns the result of the case: 0 or more, or -ESHUTDOWN.  Any other negative value is
 * an error of coil_select().
 */
static int do_case(struct coil_case *one, const struct place *place)
{
	switch (one->kind) {
	case COIL_SELECT_KIND_GET:
		return coil_queue_get_nowait(one->queue, one->get);
	case COIL_SELECT_KIND_PUT:
		return coil_queue_put_nowait(one->queue, one->put);
	case COIL_SELECT_KIND_CHANNEL_GET:
		return coil_channel_try_recv(one->channel, one->get);
	case COIL_SELECT_KIND_CHANNEL_PUT:
		return coil_channel_try_send(one->channel, one->put);
	case COIL_SELECT_KIND_FD:
		return revents_of(one, place);
	case COIL_SELECT_KIND_SIGNAL:
		return coil__signal_take(one->signals, one->get);
	default:
		return 0;
	}
}

/* Completes a case that was ready.  Returns -EAGAIN if another was faster. */
static int perform(struct coil_case *one, const struct place *place)
{
	int result;

	if (one->kind == COIL_SELECT_KIND_TASK) {
		one->result = coil_result(one->task);
		return 0;
	}
	result = do_case(one, place);
	if (result < 0 && result != -ESHUTDOWN)
		return result;
	one->result = result;
	return 0;
}

/* Returns a number below n (xorshift).  The sequence is the same in every thread. */
static size_t draw(size_t n)
{
	static __thread uint32_t state __attribute__((tls_model("initial-exec"))) = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (size_t)((uint64_t)state * n >> 32);
}

/*
 * Draws one of the ready cases.  Round-robin would not be fair: if two of many cases are
 * ready, the one that follows the longer gap would be chosen more often.
 */
static int look_once(struct coil_case cases[], const struct place places[], size_t n)
{
	size_t ready = 0, nth;
	int err;

	for (size_t i = 0; i < n; i++)
		ready += select_is_ready(&cases[i], places ? &places[i] : NULL);
	if (!ready)
		return -EAGAIN;
	nth = ready > 1 ? draw(ready) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct place *place = places ? &places[i] : NULL;

		if (!select_is_ready(&cases[i], place) || nth--)
			continue;
		err = perform(&cases[i], place);
		return err == -EAGAIN ? -EBUSY : err ? err : (int)i;
	}
	return -EBUSY;
}

/* Looks again while another thread, or a task that waits for signals, was faster. */
static int select_look(struct coil_case cases[], const struct place places[], size_t n)
{
	int which;

	do
		which = look_once(cases, places, n);
	while (which == -EBUSY);
	return which;
}

/*
 * Waiting.
 */

/* Polls again if coil_poll() reports no event, for example after a spurious wake-up. */
static int poll_fd(int fd, short events, short *revents)
{
	struct pollfd one = { .fd = fd, .events = events };
	int n;

	do
		n = coil_poll(&one, 1);
	while (n == 0);
	*revents = one.revents;
	return n < 0 ? n : 0;
}

/* Polls the signalfd and does not read it: the signal stays pending for the caller. */
static int watch_signals(const sigset_t *signals)
{
	int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK), err;
	short revents;

	if (fd < 0)
		return -errno;
	err = poll_fd(fd, POLLIN, &revents);
	coil_close(fd);
	return err;
}

static int select_watch(const struct coil_case *one, struct place *place)
{
	switch (one->kind) {
	case COIL_SELECT_KIND_CHANNEL_GET:
		return coil__channel_watch(one->channel, false);
	case COIL_SELECT_KIND_CHANNEL_PUT:
		return coil__channel_watch(one->channel, true);
	case COIL_SELECT_KIND_FD:
		return poll_fd(one->fd, one->events, &place->revents);
	case COIL_SELECT_KIND_SIGNAL:
		return watch_signals(one->signals);
	default:
		return coil_event_wait(one->event);
	}
}

static int stand_in(void *arg)
{
	struct place *place = arg;
	int err = select_watch(place->one, place);

	if (!err) {
		place->set = true;
		coil_waitq_unpark(&place->fired);
	}
	return err;
}

/*
 * Eager: the stand-ins wait before the caller parks.  If one cannot be created, or fails,
 * the group and the caller are cancelled.  dismiss_stand_ins() then returns the error.
 */
static void send_stand_ins(struct coil_group *group, const struct coil_case cases[],
			   struct place places[], size_t n)
{
	static const struct coil_task_options options = { .name = "select", .eager = true };

	for (size_t i = 0; i < n; i++) {
		if (!needs_stand_in(&cases[i]))
			continue;
		places[i].one = &cases[i];
		if (coil_group_create_task_with(group, &options, stand_in, &places[i], NULL))
			return;
	}
}

/* A cancellation that is pending stays so: the caller's next call returns it. */
static int dismiss_stand_ins(struct coil_group *group)
{
	if (!group->scope.task)
		return 0;
	coil_group_cancel(group);
	return coil__group_end(group);
}

static struct coil_waitq *select_place_of(struct coil_case *one, struct place *place, void **data)
{
	*data = &place->parked;
	switch (one->kind) {
	case COIL_SELECT_KIND_GET:
		place->parked.item = one->get;
		return coil__queue_getters(one->queue);
	case COIL_SELECT_KIND_PUT:
		/* A getter only reads the item. */
		place->parked.item = (void *)one->put;
		return coil__queue_putters(one->queue);
	case COIL_SELECT_KIND_EVENT:
		return one->event->shared ? &place->fired : &one->event->waiters;
	case COIL_SELECT_KIND_TASK:
		return coil_task_waiters(one->task);
	default:
		return &place->fired;
	}
}

/*
 * Returns the index of the completed case.  Returns -EAGAIN for a contended case, which
 * the caller has yet to complete.
 */
static int select_park(struct coil_case cases[], struct places *places, size_t n)
{
	int which;

	for (size_t i = 0; i < n; i++)
		places->waitqs[i] = select_place_of(&cases[i], &places->each[i], &places->data[i]);
	which = coil_waitq_park_any(places->waitqs, places->data, n, "select");
	if (which < 0)
		return which;
	if (cases[which].kind == COIL_SELECT_KIND_TASK)
		cases[which].result = coil_result(cases[which].task);
	else if (cases[which].kind == COIL_SELECT_KIND_FD)
		cases[which].result = places->each[which].revents;
	else if (is_contended(&cases[which]))
		return -EAGAIN;
	else
		cases[which].result = places->each[which].parked.status;
	return which;
}

/*
 * A stand-in has ended, but another task has taken what it saw.  Parking would be wrong:
 * no stand-in would wake the caller for this case.
 */
static bool is_outdated(const struct coil_case cases[], const struct place places[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (places[i].set && is_contended(&cases[i]))
			return true;
	}
	return false;
}

static int wait_in(struct coil_case cases[], struct places *places, size_t n)
{
	struct coil_group group = {0};
	int which = -EAGAIN, err;

	send_stand_ins(&group, cases, places->each, n);
	/*
	 * A case may have become ready while the stand-ins were created.  With a
	 * cancellation pending, select_park() returns its error at once.
	 */
	if (!coil_check())
		which = select_look(cases, places->each, n);
	if (which == -EAGAIN && !is_outdated(cases, places->each, n))
		which = select_park(cases, places, n);
	if (which == -EAGAIN && !coil_check())
		which = select_look(cases, places->each, n);
	err = dismiss_stand_ins(&group);
	/* A case that a stand-in saw ready counts, although the caller was cancelled then. */
	for (size_t i = 0; i < n && which < 0; i++) {
		if (places->each[i].set && !is_contended(&cases[i])) {
			cases[i].result = places->each[i].revents;
			return (int)i;
		}
	}
	return which < 0 && err ? err : which;
}

/* Returns the error of the pending cancellation.  Parking counts it as a refused call. */
static int refuse(void)
{
	struct coil_waitq none = {0};

	return coil_waitq_park(&none);
}

static int wait_any(struct coil_case cases[], size_t n)
{
	struct place few[FEW] = {0};
	struct coil_waitq *waitqs[FEW];
	void *data[FEW];
	struct places places = { few, waitqs, data };
	char *memory = NULL;
	int which;

	if (n > FEW) {
		memory = calloc(n, sizeof(*few) + sizeof(*waitqs) + sizeof(*data));
		if (!memory)
			return -ENOMEM;
		places.each = (struct place *)memory;
		places.waitqs = (struct coil_waitq **)(places.each + n);
		places.data = (void **)(places.waitqs + n);
	}
	/* Wait again when another took the item or signal. */
	while ((which = wait_in(cases, &places, n)) == -EAGAIN && !coil_check())
		memset(places.each, 0, n * sizeof(*places.each));
	free(memory);
	return which == -EAGAIN ? refuse() : which;
}

/* Another task may consume a handle, and so free the task, while the caller is parked. */
static void hold_tasks(struct coil_case cases[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cases[i].kind == COIL_SELECT_KIND_TASK)
			coil__task_hold(cases[i].task);
	}
}

static void release_tasks(struct coil_case cases[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cases[i].kind == COIL_SELECT_KIND_TASK)
			coil__task_unref(cases[i].task);
	}
}

/* Called when no case was ready at once. */
static int select_wait_for(struct coil_case cases[], size_t n, int64_t ns)
{
	struct coil_timeout limit = {0};
	int which;

	if (ns <= 0) {
		coil_yield();
		if (coil_check())
			return refuse();
		which = select_look(cases, NULL, n);
		return which == -EAGAIN ? -ETIMEDOUT : which;
	}
	which = coil_timeout_begin(&limit, ns);
	if (which)
		return which;
	which = wait_any(cases, n);
	coil_timeout_end(&limit);
	return which;
}

int coil_select(struct coil_case cases[], size_t n, int64_t ns)
{
	int which;

	if (coil_check())
		return refuse();
	which = check_all(cases, n);
	if (which)
		return which;
	which = select_look(cases, NULL, n);
	if (which >= 0)
		coil__got();
	if (which != -EAGAIN)
		return which;
	hold_tasks(cases, n);
	which = select_wait_for(cases, n, ns);
	release_tasks(cases, n);
	return which;
}
