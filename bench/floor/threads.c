/* SPDX-License-Identifier: MIT */
/*
 * The floors of the works between two threads, by hand.
 * ARGUMENTS: ring N | mutex N | eventfd N
 *
 *	ring	an item through a ring of 1024 with two counters and no lock; both spin
 *	mutex	the same ring with a mutex and conditions
 *	eventfd	a thread that wakes a loop of epoll_wait by an eventfd
 */
#include "bench/wakeup.h"
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLOTS = 1024, SPINS = 2000 };

static int ring[SLOTS];
static long items;

/* Each counter has one writer, so they lie on different cache lines. */
static _Alignas(128) atomic_long in, out;

/* Yields: the two sides may have to share a core. */
static void wait_a_little(int *spins)
{
	if (++*spins % SPINS == 0)
		sched_yield();
}

static void *spin_produce(void *arg)
{
	long room = SLOTS;
	int spins = 0;

	bench_pin_to(1);
	for (long i = 0; i < items; i++) {
		while (i >= room) {
			room = atomic_load_explicit(&out, memory_order_acquire) + SLOTS;
			if (i >= room)
				wait_a_little(&spins);
		}
		ring[i % SLOTS] = (int)i;
		atomic_store_explicit(&in, i + 1, memory_order_release);
	}
	return arg;
}

static void spin_consume(void)
{
	long there = 0;
	int spins = 0;

	for (long i = 0; i < items; i++) {
		while (i >= there) {
			there = atomic_load_explicit(&in, memory_order_acquire);
			if (i >= there)
				wait_a_little(&spins);
		}
		if (ring[i % SLOTS] != (int)i)
			abort();
		atomic_store_explicit(&out, i + 1, memory_order_release);
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER, some = PTHREAD_COND_INITIALIZER;
static long put, got;

static void *mutex_produce(void *arg)
{
	bench_pin_to(1);
	for (long i = 0; i < items; i++) {
		pthread_mutex_lock(&mutex);
		while (put - got == SLOTS)
			pthread_cond_wait(&room, &mutex);
		ring[put % SLOTS] = (int)i;
		if (put++ == got)
			pthread_cond_signal(&some);
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void mutex_consume(void)
{
	for (long i = 0; i < items; i++) {
		pthread_mutex_lock(&mutex);
		while (put == got)
			pthread_cond_wait(&some, &mutex);
		if (ring[got % SLOTS] != (int)i)
			abort();
		if (put - got++ == SLOTS)
			pthread_cond_signal(&room);
		pthread_mutex_unlock(&mutex);
	}
}

static void between(void *(*produce)(void *arg), void (*consume)(void))
{
	double time = bench_now(), cpu = bench_cpu();
	pthread_t producer;

	if (pthread_create(&producer, NULL, produce, NULL))
		abort();
	bench_pin_to(0);
	consume();
	pthread_join(producer, NULL);
	bench_line("channel", "item", (bench_now() - time) / (double)items, "ns");
	bench_line("channel", "cpu", (bench_cpu() - cpu) / (double)items, "ns");
}

static int waker;

static void wake(void)
{
	const uint64_t one = 1;

	if (write(waker, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void by_eventfd(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	/* Edge-triggered, so that the counter need not be read. */
	waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (waker < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, waker, &event))
		abort();
	wakeup_begin(items, wake);
	do {
		while (epoll_wait(epoll_fd, &event, 1, -1) != 1)
			;
	} while (!wakeup_answer());
	wakeup_end();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "ring";

	items = bench_argument(argc, argv, 2, 1000000);
	if (!strcmp(what, "eventfd"))
		by_eventfd();
	else if (!strcmp(what, "mutex"))
		between(mutex_produce, mutex_consume);
	else
		between(spin_produce, spin_consume);
	return 0;
}
