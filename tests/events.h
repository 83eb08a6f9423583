/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_EVENTS_H
#define COIL_TESTS_EVENTS_H

/* Events, plain and shared, and tasks that wait for them. */

#include "tests/sync.h"
#include <coil/event.h>

struct waiter {
	const char *name;
	struct coil_event *event;
	int err;	/* 1: it has not come back */
	int times;
};

#define WAITER(n, e) { .name = (n), .event = (e), .err = 1 }

static UNUSED int wait_for(void *arg)
{
	struct waiter *waiter = arg;

	waiter->err = coil_event_wait(waiter->event);
	waiter->times++;
	trace("%s%s", waiter->name, waiter->err ? "!" : "");
	return waiter->err;
}

static UNUSED int wait_event(void *event)
{
	return coil_event_wait(event);
}

/* Until the watcher, if there was one, has ended too. */
static UNUSED void alone(void)
{
	for (int i = 0; i < 1000 && coil_all_tasks(NULL, 0) > 1; i++)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

static UNUSED int open_either(struct coil_event *event, bool shared)
{
	*event = (struct coil_event){0};
	return shared ? coil_event_open(event) : 0;
}

static UNUSED void close_either(struct coil_event *event)
{
	int expected = event->shared ? 0 : -EINVAL;

	ck_assert_ptr_null(event->waiters.head);
	ck_assert_ptr_null(event->watcher);
	ck_assert_uint_eq(event->thread, 0);
	ck_assert_int_eq(coil_event_close(event), expected);
}

#endif
