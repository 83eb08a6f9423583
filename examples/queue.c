/* SPDX-License-Identifier: MIT */
/*
 * Two tasks and a queue between them.  The producer puts one number a second.  The
 * consumer looks once a second and ends when the queue was empty three times in a row.
 *
 *	$ ./queue
 *	---produce coroutine---
 *	produce:0
 *	---consumer coroutine---
 *	Consumed:0
 *	produce:1
 *	...
 *	Consumed:9
 *	---coroutine_data_communication finish---
 *
 * A consumer that has nothing else to do would wait in coil_queue_get() instead.
 * That call returns -ESHUTDOWN after coil_queue_shutdown().
 *
 * asyncio: asyncio.Queue().
 */
#include "options.h"
#include <coil.h>
#include <stdio.h>
#include <string.h>

static int produce(void *arg)
{
	struct coil_queue *queue = arg;
	int err = 0;

	printf("---produce coroutine---\n");
	for (int i = 0; i < 10 && !err; i++) {
		err = coil_queue_put(queue, &i);
		if (err)
			break;
		printf("produce:%d\n", i);
		err = coil_sleep(COIL_SECOND);
	}
	return err;
}

static int consume(void *arg)
{
	struct coil_queue *queue = arg;
	int item, count = 0, err = 0;

	printf("---consumer coroutine---\n");
	while (!err) {
		if (!coil_queue_empty(queue)) {
			err = coil_queue_get(queue, &item);
			if (err)
				break;
			printf("Consumed:%d\n", item);
			count = 0;
		} else if (++count >= 3) {
			break;
		}
		err = coil_sleep(COIL_SECOND);
	}
	return err;
}

static int coroutine_data_communication(void *arg)
{
	struct coil_task *tasks[2];
	struct coil_queue queue;
	int err = coil_queue_init(&queue, sizeof(int), 0);

	if (err)
		return err;
	tasks[0] = coil_create_task(produce, &queue);
	tasks[1] = coil_create_task(consume, &queue);
	err = coil_gather(tasks, 2, NULL);
	coil_queue_fini(&queue);
	if (!err)
		printf("---coroutine_data_communication finish---\n");
	return err;
}

int main(int argc, char *argv[])
{
	int err;

	options_words(argc, argv, 0, 0, "usage: queue\n");
	setlinebuf(stdout);
	err = coil_run(coroutine_data_communication, NULL);
	if (err < 0)
		fprintf(stderr, "queue: %s\n", strerror(-err));
	return err < 0;
}
