/* SPDX-License-Identifier: MIT */
/*
 * libev: bare timers, and a thread that wakes the loop.  The loop's time is updated
 * before each timer is started.
 * ARGUMENTS: timer N | steady TIMERS TIMES | wakeup N
 */
#include "bench/sleeps.h"
#include "bench/wakeup.h"
#include <ev.h>

struct sleeper {
	ev_timer timer;		/* first: the callback casts it */
	int64_t when;
	size_t left;
};

static struct ev_loop *loop;

static void start(struct sleeper *s)
{
	uint32_t us = sleeps_next_us();

	s->when = sleeps_now() + (int64_t)us * 1000;
	ev_now_update(loop);
	ev_timer_set(&s->timer, us / 1e6, 0.);
	ev_timer_start(loop, &s->timer);
}

static void woke(struct ev_loop *in, ev_timer *timer, int events)
{
	struct sleeper *s = (struct sleeper *)timer;

	(void)in;
	(void)events;
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
		ev_init(&all[i].timer, woke);
		start(&all[i]);
	}
	ev_run(loop, 0);
	sleeps_end();
}

static ev_async async;

static void asked(struct ev_loop *in, ev_async *watcher, int events)
{
	(void)events;
	if (wakeup_answer())
		ev_async_stop(in, watcher);
}

static void wake(void)
{
	ev_async_send(loop, &async);
}

int main(int argc, char **argv)
{
	loop = ev_default_loop(0);
	if (argc > 1 && !strcmp(argv[1], "wakeup")) {
		ev_async_init(&async, asked);
		ev_async_start(loop, &async);
		wakeup_begin(bench_argument(argc, argv, 2, 100000), wake);
		ev_run(loop, 0);
		wakeup_end();
	} else {
		bench_pin();
		sleeps(argc, argv);
	}
	return 0;
}
