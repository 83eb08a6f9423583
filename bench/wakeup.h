/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_WAKEUP_H
#define COIL_BENCH_WAKEUP_H

/*
 * The common part of the work "wakeup": only the way of waking differs.  A thread wakes a
 * loop, and the loop calls wakeup_answer(), which wakes the thread by a semaphore.  The
 * two run on two cores if there are two.
 */

#include "bench/bench.h"
#include <pthread.h>
#include <semaphore.h>

static struct bench_wakeup {
	void (*wake)(void);
	long n, answered;
	sem_t answer;
	pthread_t asker;
	double trip, cpu;
} bench_wakeup;

static void *wakeup_ask(void *arg)
{
	struct bench_wakeup *w = &bench_wakeup;

	(void)arg;
	bench_pin_to(1);
	w->trip = bench_now();
	w->cpu = bench_cpu();
	for (long i = 0; i < w->n; i++) {
		w->wake();
		while (sem_wait(&w->answer))
			;
	}
	w->trip = (bench_now() - w->trip) / (double)w->n;
	w->cpu = (bench_cpu() - w->cpu) / (double)w->n;
	return NULL;
}

static inline void wakeup_begin(long n, void (*wake)(void))
{
	struct bench_wakeup *w = &bench_wakeup;

	w->n = n;
	w->wake = wake;
	sem_init(&w->answer, 0, 0);
	if (pthread_create(&w->asker, NULL, wakeup_ask, NULL))
		abort();
	bench_pin_to(0);
}

/* The loop calls this once for each wake-up.  Returns true after the last. */
static inline bool wakeup_answer(void)
{
	bool last = ++bench_wakeup.answered == bench_wakeup.n;

	sem_post(&bench_wakeup.answer);
	return last;
}

static inline void wakeup_end(void)
{
	pthread_join(bench_wakeup.asker, NULL);
	bench_line("wakeup", "trip", bench_wakeup.trip, "ns");
	bench_line("wakeup", "cpu", bench_wakeup.cpu, "ns");
}

#endif
