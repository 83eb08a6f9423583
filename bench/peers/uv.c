/* SPDX-License-Identifier: MIT */
/*
 * libuv: bare timers (it has no tasks), and a thread that wakes the loop.  The loop's time
 * is updated before each timer is started, as libuv's manual advises for long callbacks.
 * Otherwise many timers would fire early.
 * ARGUMENTS: timer N | steady TIMERS TIMES | wakeup N
 */
#include "bench/sleeps.h"
#include "bench/wakeup.h"
#include <uv.h>

struct sleeper {
	uv_timer_t timer;
	int64_t when;
	size_t left;
};

static uv_loop_t *loop;

static void woke(uv_timer_t *timer);

/* Rounds up to whole milliseconds, which is libuv's unit. */
static void start(struct sleeper *s)
{
	uint32_t us = sleeps_next_us();

	s->when = sleeps_now() + (int64_t)us * 1000;
	uv_update_time(loop);
	uv_timer_start(&s->timer, woke, (us + 999) / 1000, 0);
}

static void woke(uv_timer_t *timer)
{
	struct sleeper *s = timer->data;

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
		uv_timer_init(loop, &all[i].timer);
		all[i].timer.data = &all[i];
		start(&all[i]);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	sleeps_end();
}

static uv_async_t async;

static void asked(uv_async_t *handle)
{
	if (wakeup_answer())
		uv_close((uv_handle_t *)handle, NULL);
}

static void wake(void)
{
	uv_async_send(&async);
}

int main(int argc, char **argv)
{
	loop = uv_default_loop();
	if (argc > 1 && !strcmp(argv[1], "wakeup")) {
		uv_async_init(loop, &async, asked);
		wakeup_begin(bench_argument(argc, argv, 2, 100000), wake);
		uv_run(loop, UV_RUN_DEFAULT);
		wakeup_end();
	} else {
		bench_pin();
		sleeps(argc, argv);
	}
	return 0;
}
