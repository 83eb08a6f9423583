/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <stdio.h>
#include <string.h>

static int runner(void *arg)
{
	struct coil_event *start = arg;
	int err;

	printf("ready\n");
	err = coil_event_wait(start);
	if (err)
		return err;
	printf("running\n");
	return 0;
}

static int starter(void *arg)
{
	struct coil_event *start = arg;
	int err = coil_sleep(COIL_SECOND);

	if (err)
		return err;
	printf("go\n");
	return coil_event_set(start);
}

static int race(void *arg)
{
	struct coil_event start = {0};
	struct coil_task *tasks[3];

	tasks[0] = coil_create_task(runner, &start);
	tasks[1] = coil_create_task(runner, &start);
	tasks[2] = coil_create_task(starter, &start);
	return coil_gather(tasks, 3, NULL);
}

int main(void)
{
	int err = coil_run(race, NULL);

	if (err < 0)
		fprintf(stderr, "event: %s\n", strerror(-err));
	return err < 0;
}
