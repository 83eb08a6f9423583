/* SPDX-License-Identifier: MIT */
/*
 * Five tasks sleep at the same time.  coil_wait() waits for all of them and consumes
 * no handle, so coil_await() then returns the result of each.
 *
 *	$ ./wait
 *	wait_my_task start			five times
 *	wait_my_task end			five times, two seconds later
 *	0					five times
 *
 * asyncio: done, pending = await asyncio.wait(tasks).
 */
#include "options.h"
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 5 };

static int wait_my_task(void *arg)
{
	int err;

	printf("wait_my_task start\n");
	err = coil_sleep(2 * COIL_SECOND);
	if (err)
		return err;
	printf("wait_my_task end\n");
	return 0;
}

static int wait_coroutine_task(void *arg)
{
	struct coil_task *my_tasks[TASKS];
	int done;

	for (int i = 0; i < TASKS; i++) {
		my_tasks[i] = coil_create_task(wait_my_task, NULL);
		if (!my_tasks[i])
			return -ENOMEM;
	}
	done = coil_wait(my_tasks, TASKS, COIL_ALL_COMPLETED, COIL_FOREVER);
	if (done < 0)
		return done;
	for (int i = 0; i < TASKS; i++)
		printf("%d\n", coil_await(my_tasks[i]));
	return 0;
}

int main(int argc, char *argv[])
{
	int err;

	options_words(argc, argv, 0, 0, "usage: wait\n");
	setlinebuf(stdout);
	err = coil_run(wait_coroutine_task, NULL);
	if (err < 0)
		fprintf(stderr, "wait: %s\n", strerror(-err));
	return err < 0;
}
