/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 3 };

static int nap(void *arg)
{
	const int *seconds = arg;
	int err = coil_sleep(*seconds * COIL_SECOND);

	return err ? err : *seconds;
}

static int wait_for_naps(void *arg)
{
	int seconds[TASKS] = { 3, 1, 2 };
	struct coil_task *tasks[TASKS];
	size_t done = 0;
	int err, n;

	for (int i = 0; i < TASKS; i++)
		tasks[i] = coil_create_task(nap, &seconds[i]);

	n = coil_wait(tasks, TASKS, COIL_FIRST_COMPLETED, COIL_FOREVER);
	if (n > 0)
		printf("ended: %d of %d\n", n, TASKS);

	while ((n = coil_as_completed(tasks, TASKS, &done)) >= 0)
		printf("result: %d\n", coil_result(tasks[n]));

	err = coil_gather(tasks, TASKS, NULL);
	return n == -ENOENT ? err : n;
}

int main(void)
{
	int err = coil_run(wait_for_naps, NULL);

	if (err < 0)
		fprintf(stderr, "wait: %s\n", strerror(-err));
	return err < 0;
}
