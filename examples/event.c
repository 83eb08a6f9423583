/* SPDX-License-Identifier: MIT */
/*
 * One task waits for an event, another sets it two seconds later.
 *
 *	$ ./event
 *	event_test---1
 *	event event_send---1
 *	event_rev---1
 *	event event_send---2			two seconds later
 *	event_rev---2
 *	event_test---2
 *
 * asyncio: asyncio.Event().
 */
#include "options.h"
#include <coil.h>
#include <stdio.h>
#include <string.h>

static int event_send(void *arg)
{
	struct coil_event *event = arg;
	int err;

	printf("event event_send---1\n");
	err = coil_sleep(2 * COIL_SECOND);
	if (err)
		return err;
	coil_event_set(event);
	printf("event event_send---2\n");
	return 0;
}

static int event_rev(void *arg)
{
	struct coil_event *event = arg;
	int err;

	printf("event_rev---1\n");
	err = coil_event_wait(event);
	if (err)
		return err;
	printf("event_rev---2\n");
	return 0;
}

static int event_test(void *arg)
{
	struct coil_event event = {0};
	struct coil_task *tasks[2];
	int err;

	printf("event_test---1\n");
	tasks[0] = coil_create_task(event_send, &event);
	tasks[1] = coil_create_task(event_rev, &event);
	err = coil_gather(tasks, 2, NULL);
	if (!err)
		printf("event_test---2\n");
	return err;
}

int main(int argc, char *argv[])
{
	int err;

	options_words(argc, argv, 0, 0, "usage: event\n");
	setlinebuf(stdout);
	err = coil_run(event_test, NULL);
	if (err < 0)
		fprintf(stderr, "event: %s\n", strerror(-err));
	return err < 0;
}
