/* SPDX-License-Identifier: MIT */
/*
 * The cost of passing an item from a task of one loop to a task of another loop, in
 * another thread on another core.  ARGUMENT: the number of items.
 */
#include "bench/bench.h"
#include <coil.h>
#include <errno.h>
#include <pthread.h>

static struct coil_channel channel;
static long items;

static int produce(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < items && !err; i++)
		err = coil_channel_send(&channel, &i);
	return err;
}

static int consume(void *arg)
{
	(void)arg;
	for (int i = 0, item; i < items; i++) {
		int err = coil_channel_recv(&channel, &item);

		if (err || item != i)
			return err ? err : -EIO;
	}
	return 0;
}

static void *producer(void *arg)
{
	bench_pin_to(1);
	if (coil_run(produce, NULL))
		abort();
	return arg;
}

int main(int argc, char **argv)
{
	double time, cpu;
	pthread_t thread;

	items = bench_argument(argc, argv, 1, 1000000);
	if (coil_channel_init(&channel, sizeof(int), 1024))
		return 1;
	time = bench_now();
	cpu = bench_cpu();
	if (pthread_create(&thread, NULL, producer, NULL))
		return 1;
	bench_pin_to(0);
	if (coil_run(consume, NULL))
		return 1;
	pthread_join(thread, NULL);
	coil_channel_fini(&channel);
	bench_line("channel", "item", (bench_now() - time) / (double)items, "ns");
	bench_line("channel", "cpu", (bench_cpu() - cpu) / (double)items, "ns");
	return 0;
}
