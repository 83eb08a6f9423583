/* SPDX-License-Identifier: MIT */
/*
 * libevent: bare timers in its heap, with its most precise clock, and a thread that wakes
 * the loop by event_active().
 * ARGUMENTS: timer N | steady TIMERS TIMES | wakeup N
 */
#include "bench/sleeps.h"
#include "bench/wakeup.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

struct sleeper {
	struct event timer;
	int64_t when;
	size_t left;
};

static struct event_base *base;

static void start(struct sleeper *s)
{
	uint32_t us = sleeps_next_us();
	struct timeval span = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	s->when = sleeps_now() + (int64_t)us * 1000;
	event_add(&s->timer, &span);
}

static void woke(evutil_socket_t fd, short what, void *arg)
{
	struct sleeper *s = arg;

	(void)fd;
	(void)what;
	sleeps_woke(s->when);
	if (--s->left)
		start(s);
}

static void sleeps(int argc, char **argv)
{
	struct sleeper *all;

	sleeps_begin(argc, argv);
	all = malloc(bench_sleeps.sleepers * sizeof(*all));
	for (size_t i = 0; i < bench_sleeps.sleepers; i++) {
		all[i].left = bench_sleeps.times;
		event_assign(&all[i].timer, base, -1, 0, woke, &all[i]);
		start(&all[i]);
	}
	event_base_dispatch(base);
	sleeps_end();
}

static struct event async;

static void asked(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (wakeup_answer())
		event_base_loopbreak(base);
}

static void wake(void)
{
	event_active(&async, EV_READ, 0);
}

static struct event_base *new_base(int flags)
{
	struct event_config *config = event_config_new();
	struct event_base *made;

	event_config_set_flag(config, flags);
	made = event_base_new_with_config(config);
	event_config_free(config);
	if (!made)
		abort();
	return made;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "wakeup")) {
		evthread_use_pthreads();
		base = new_base(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		event_assign(&async, base, -1, EV_READ | EV_PERSIST, asked, NULL);
		wakeup_begin(bench_argument(argc, argv, 2, 100000), wake);
		event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
		wakeup_end();
	} else {
		bench_pin();
		base = new_base(EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
		sleeps(argc, argv);
	}
	return 0;
}
