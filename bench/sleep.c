/* SPDX-License-Identifier: MIT */
/*
 * Sleeping tasks: what each sleep costs in CPU, the task included, and how late it
 * wakes.  ARGUMENTS: timer N | steady TASKS TIMES; see bench/sleeps.h.
 */
#include "bench/sleeps.h"
#include <coil.h>

static int sleeper(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < bench_sleeps.times; i++) {
		int64_t ns = (int64_t)sleeps_next_us() * COIL_MICROSECOND;
		int64_t when = sleeps_now() + ns;
		int err = coil_sleep(ns);

		if (err)
			return err;
		sleeps_woke(when);
	}
	return 0;
}

static int app(void *arg)
{
	struct coil_group group = {0};

	(void)arg;
	for (size_t i = 0; i < bench_sleeps.sleepers; i++) {
		int err = coil_group_create_task(&group, sleeper, NULL);

		if (err)
			return err;
	}
	return coil_group_wait(&group);
}

int main(int argc, char **argv)
{
	int err;

	bench_pin();
	sleeps_begin(argc, argv);
	err = coil_run(app, NULL);
	if (!err)
		sleeps_end();
	return err < 0;
}
