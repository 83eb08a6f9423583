/* SPDX-License-Identifier: MIT */
/*
 * Ten tasks, and one call that waits for all of them.  The argument of a task may lie
 * on the stack of the caller: coil_gather() never returns while one of them still runs.
 *
 *	$ ./gather
 *	task:0
 *	...
 *	task:9
 *
 * asyncio: await asyncio.gather(*tasks).
 */
#include "options.h"
#include <coil.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 10 };

static int my_task(void *arg)
{
	const int *number = arg;

	printf("task:%d\n", *number);
	return 0;
}

static int coroutine_tasks(void *arg)
{
	struct coil_task *my_tasks[TASKS];
	int numbers[TASKS];

	for (int i = 0; i < TASKS; i++) {
		numbers[i] = i;
		my_tasks[i] = coil_create_task(my_task, &numbers[i]);
	}
	return coil_gather(my_tasks, TASKS, NULL);
}

int main(int argc, char *argv[])
{
	int err;

	options_words(argc, argv, 0, 0, "usage: gather\n");
	setlinebuf(stdout);
	err = coil_run(coroutine_tasks, NULL);
	if (err < 0)
		fprintf(stderr, "gather: %s\n", strerror(-err));
	return err < 0;
}
