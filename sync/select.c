/* SPDX-License-Identifier: MIT */
/*
 * The caller parks in the wait queues of all its cases at once, as any other that
 * waits for one of them: whoever unparks it there has done the case for it, and
 * by that took it out of all the others.  So nothing is ever to be given back.
 *
 * Only a shared event has to be waited for in a way of its own (see event.c).  A
 * task does that in the caller's place and unparks it from a queue made for this.
 * Such tasks are children of a group, which is left before the call returns.
 */
#include <coil/select.h>
#include <coil/group.h>
#include <coil/time.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include "core/self.h"
#include "sync/queue.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

/* A case while the caller is parked for it. */
struct place {
	struct visitor visitor;		/* of a queue */
	struct coil_event *event;	/* a shared one */
	struct coil_waitq fired;	/* where to park for that */
	bool set;			/* ... and it was */
};

/* What coil_waitq_park_any wants; all three have one for each case. */
struct places {
	struct place *each;
	struct coil_waitq **waitqs;
	void **data;
};

enum { FEW = 8 };

static bool is_shared(const struct coil_case *one)
{
	return one->kind == COIL_SELECT_KIND_EVENT && one->event->shared;
}

static int check_task(struct coil_task *task)
{
	if (!coil_task_waiters(task))
		return -errno;
	return task == coil_current_task() ? -EDEADLK : 0;
}

static int check(const struct coil_case *one)
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
	}
	return -EINVAL;
}

static int check_all(const struct coil_case cases[], size_t n)
{
	int err = 0;

	if (!cases || !n || n > INT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n && !err; i++)
		err = check(&cases[i]);
	return err;
}

static bool is_ready(const struct coil_case *one, const struct place *place)
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
	default:
		return false;
	}
}

/* One that is ready. */
static int perform(struct coil_case *one)
{
	int err = 0;

	if (one->kind == COIL_SELECT_KIND_GET)
		err = coil_queue_get_nowait(one->queue, one->get);
	else if (one->kind == COIL_SELECT_KIND_PUT)
		err = coil_queue_put_nowait(one->queue, one->put);
	if (err && err != -ESHUTDOWN)
		return err;
	one->result = one->kind == COIL_SELECT_KIND_TASK ? coil_result(one->task) : err;
	return 0;
}

/* A number below n (xorshift); the sequence is the same in every thread. */
static size_t draw(size_t n)
{
	static __thread uint32_t state __attribute__((tls_model("initial-exec"))) = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (size_t)((uint64_t)state * n >> 32);
}

/*
 * A turn that only went round would not be fair: where two of many are ready it
 * comes to the first after a long gap more often than to the second.
 */
static int look(struct coil_case cases[], const struct place places[], size_t n)
{
	size_t ready = 0, nth;
	int err;

	for (size_t i = 0; i < n; i++)
		ready += is_ready(&cases[i], places ? &places[i] : NULL);
	if (!ready)
		return -EAGAIN;
	nth = ready > 1 ? draw(ready) : 0;
	for (size_t i = 0; ; i++) {
		if (!is_ready(&cases[i], places ? &places[i] : NULL) || nth--)
			continue;
		err = perform(&cases[i]);
		return err ? err : (int)i;
	}
}

/*
 * Waiting.
 */

/* In the caller's place, for a shared event. */
static int stand_in(void *arg)
{
	struct place *place = arg;
	int err = coil_event_wait(place->event);

	if (!err) {
		place->set = true;
		coil_waitq_unpark(&place->fired);
	}
	return err;
}

/*
 * Eager, so that they wait before we do.  If one cannot be made, or fails, the
 * group is cancelled and the caller with it, who hears why when it leaves.
 */
static void send_stand_ins(struct coil_group *group, const struct coil_case cases[],
			   struct place places[], size_t n)
{
	static const struct coil_task_options options = { .name = "select", .eager = true };

	for (size_t i = 0; i < n; i++) {
		if (!is_shared(&cases[i]))
			continue;
		places[i].event = cases[i].event;
		if (coil_group_create_task_with(group, &options, stand_in, &places[i], NULL))
			return;
	}
}

/* What is pending is for the caller's next call. */
static int dismiss_stand_ins(struct coil_group *group)
{
	if (!group->scope.task)
		return 0;
	coil_group_cancel(group);
	return coil__group_end(group);
}

static struct coil_waitq *place_of(struct coil_case *one, struct place *place, void **data)
{
	*data = &place->visitor;
	switch (one->kind) {
	case COIL_SELECT_KIND_GET:
		place->visitor.item = one->get;
		return coil__queue_getters(one->queue);
	case COIL_SELECT_KIND_PUT:
		/* Who takes it only reads it. */
		place->visitor.item = (void *)one->put;
		return coil__queue_putters(one->queue);
	case COIL_SELECT_KIND_EVENT:
		return is_shared(one) ? &place->fired : &one->event->waiters;
	case COIL_SELECT_KIND_TASK:
		return coil_task_waiters(one->task);
	default:
		return &place->fired;
	}
}

/* Unparked from which: what that was for has been done. */
static int park(struct coil_case cases[], struct places *places, size_t n)
{
	int which;

	for (size_t i = 0; i < n; i++)
		places->waitqs[i] = place_of(&cases[i], &places->each[i], &places->data[i]);
	which = coil_waitq_park_any(places->waitqs, places->data, n, "select");
	if (which < 0)
		return which;
	if (cases[which].kind == COIL_SELECT_KIND_TASK)
		cases[which].result = coil_result(cases[which].task);
	else
		cases[which].result = places->each[which].visitor.status;
	return which;
}

static int wait_in(struct coil_case cases[], struct places *places, size_t n)
{
	struct coil_group group = {0};
	int which = -EAGAIN, err;

	send_stand_ins(&group, cases, places->each, n);
	/* Meanwhile the loop may have run; with a request pending park() refuses. */
	if (!coil_check())
		which = look(cases, places->each, n);
	if (which == -EAGAIN)
		which = park(cases, places, n);
	err = dismiss_stand_ins(&group);
	/* A set that we had no time to hear of came first all the same. */
	for (size_t i = 0; i < n && which < 0; i++) {
		if (places->each[i].set) {
			cases[i].result = 0;
			return (int)i;
		}
	}
	return which < 0 && err ? err : which;
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
	which = wait_in(cases, &places, n);
	free(memory);
	return which;
}

/* While the caller is parked another task may consume the handle of one of these. */
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

/* What a pending request has us return; it counts as a refused call. */
static int refuse(void)
{
	struct coil_waitq none = {0};

	return coil_waitq_park(&none);
}

/* None was ready at once. */
static int wait_for(struct coil_case cases[], size_t n, int64_t ns)
{
	struct coil_timeout limit = {0};
	int which;

	if (ns <= 0) {
		coil_yield();
		if (coil_check())
			return refuse();
		which = look(cases, NULL, n);
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
	which = look(cases, NULL, n);
	if (which >= 0)
		coil__got();
	if (which != -EAGAIN)
		return which;
	hold_tasks(cases, n);
	which = wait_for(cases, n, ns);
	release_tasks(cases, n);
	return which;
}
