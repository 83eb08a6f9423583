/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 3 };

static int count(void *arg)
{
	const int *number = arg;
	int err;

	for (int step = 1; step <= 2; step++) {
		printf("task %d, step %d\n", *number, step);
		err = coil_sleep(COIL_SECOND);
		if (err)
			return err;
	}
	return 0;
}

static int count_together(void *arg)
{
	struct coil_task *tasks[TASKS];
	int numbers[TASKS];

	for (int i = 0; i < TASKS; i++) {
		numbers[i] = i;
		tasks[i] = coil_create_task(count, &numbers[i]);
	}
	return coil_gather(tasks, TASKS, NULL);
}

int main(void)
{
	int err = coil_run(count_together, NULL);

	if (err < 0)
		fprintf(stderr, "gather: %s\n", strerror(-err));
	return err < 0;
}
