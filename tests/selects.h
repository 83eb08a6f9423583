/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SELECTS_H
#define COIL_TESTS_SELECTS_H

/* Selects as tasks, and one of each kind of what they wait for. */

#include "tests/queues.h"
#include <coil/event.h>
#include <coil/select.h>

#define MS COIL_MILLISECOND
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A select as a task. */
struct selection {
	struct coil_case *cases;
	size_t n;
	int64_t ns;
	int which;	/* 1000: it has not come back */
};

#define SELECTION(c) { .cases = (c), .n = COUNT(c), .ns = COIL_FOREVER, .which = 1000 }

static UNUSED int do_select(void *arg)
{
	struct selection *own = arg;

	own->which = coil_select(own->cases, own->n, own->ns);
	return own->which;
}

static UNUSED struct coil_task *begin_select(struct selection *selection)
{
	struct coil_task *task = start(do_select, selection);

	settle();
	ck_assert_int_eq(selection->which, 1000);
	return task;
}

/* What all queues of a case are after it: nobody is left behind. */
static UNUSED void ck_left(const struct coil_queue *queue)
{
	ck_assert_ptr_null(queue->getters.head);
	ck_assert_ptr_null(queue->putters.head);
}

struct all {
	struct coil_queue empty;
	struct coil_queue full;
	struct coil_event plain;
	struct coil_event shared;
	struct hold held;
	struct coil_task *task;
	int in;
	int out;
	struct coil_case cases[6];
};

enum { GET, PUT, EVENT, SHARED, TASK, NEVER, KINDS };

static UNUSED void make_all(struct all *all)
{
	const struct coil_case cases[] = {
		COIL_SELECT_GET(&all->empty, &all->out), COIL_SELECT_PUT(&all->full, &all->in),
		COIL_SELECT_EVENT(&all->plain), COIL_SELECT_EVENT(&all->shared),
		COIL_SELECT_TASK(NULL), COIL_SELECT_NEVER,
	};

	*all = (struct all){ .in = 41, .out = 1 };
	make(&all->empty, FIFO, 0);
	make(&all->full, FIFO, 1);
	ck_assert_int_eq(put(&all->full, 40), 0);
	ck_assert_int_eq(coil_event_open(&all->shared), 0);
	all->task = start(hold, &all->held);
	memcpy(all->cases, cases, sizeof(cases));
	all->cases[TASK].task = all->task;
}

static UNUSED void ck_nobody_waits(const struct all *all)
{
	ck_left(&all->empty);
	ck_left(&all->full);
	ck_assert_ptr_null(all->plain.waiters.head);
	ck_assert_ptr_null(all->shared.waiters.head);
	if (!coil_done(all->task))
		ck_assert_ptr_null(coil_task_waiters(all->task)->head);
}

static UNUSED void put_away(struct all *all)
{
	ck_nobody_waits(all);
	coil_queue_fini(&all->empty);
	coil_queue_fini(&all->full);
	coil_event_set(&all->plain);
	ck_assert_int_eq(coil_event_close(&all->shared), 0);
	if (!coil_done(all->task))
		ck_assert_int_eq(coil_future_set(&all->held.future, 17), 0);
	coil_await(all->task);
}

static UNUSED void let(struct all *all, int which)
{
	switch (which) {
	case GET:
		ck_assert_int_eq(put_nowait(&all->empty, 12), 0);
		break;
	case PUT:
		ck_assert_int_eq(get_nowait(&all->full), 40);
		break;
	case EVENT:
		ck_assert_int_eq(coil_event_set(&all->plain), 0);
		break;
	case SHARED:
		ck_assert_int_eq(coil_event_set(&all->shared), 0);
		break;
	default:
		ck_assert_int_eq(coil_future_set(&all->held.future, 17), 0);
	}
}

/* That which was done, and nothing else. */
static UNUSED void ck_done(struct all *all, int which)
{
	ck_assert_int_eq(all->out, which == GET ? 12 : 1);
	ck_assert_uint_eq(coil_queue_size(&all->empty), 0);
	ck_assert_uint_eq(coil_queue_size(&all->full), 1);
	ck_assert_int_eq(get_nowait(&all->full), which == PUT ? 41 : 40);
	if (which < 0)
		return;
	ck_assert_int_eq(all->cases[which].result, which == TASK ? 17 : 0);
}

#endif
