/* SPDX-License-Identifier: MIT */
/*
 * The CPU cost of a sleep, with its task, and how late it wakes.
 * ARGUMENTS: timer N | steady TASKS TIMES; see bench/sleeps.h.
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

struct words {
	int argc;
	char **argv;
};

/* Counts without the creation and the end of the loop, as the peers' programs do. */
static int app(void *arg)
{
	const struct words *words = arg;
	struct coil_group group = {0};
	int err;

	sleeps_begin(words->argc, words->argv);
	for (size_t i = 0; i < bench_sleeps.sleepers; i++) {
		err = coil_group_create_task(&group, sleeper, NULL);
		if (err)
			return err;
	}
	err = coil_group_wait(&group);
	if (!err)
		sleeps_end();
	return err;
}

int main(int argc, char **argv)
{
	struct words words = { argc, argv };

	bench_pin();
	return coil_run(app, &words) < 0;
}
