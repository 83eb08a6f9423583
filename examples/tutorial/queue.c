/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int produce(void *arg)
{
	struct coil_queue *queue = arg;
	int err = 0;

	for (int i = 0; i < 5 && !err; i++) {
		err = coil_queue_put(queue, &i);
		if (!err)
			printf("produced %d\n", i);
	}
	coil_queue_shutdown(queue, false);
	return err;
}

static int consume(void *arg)
{
	struct coil_queue *queue = arg;
	int item, err;

	while (!(err = coil_queue_get(queue, &item))) {
		printf("consumed %d\n", item);
		err = coil_sleep(100 * COIL_MILLISECOND);
		if (err)
			break;
	}
	return err == -ESHUTDOWN ? 0 : err;
}

static int produce_and_consume(void *arg)
{
	struct coil_queue queue;
	struct coil_task *tasks[2];
	int err = coil_queue_init(&queue, sizeof(int), 2);

	if (err)
		return err;
	tasks[0] = coil_create_task(produce, &queue);
	tasks[1] = coil_create_task(consume, &queue);
	err = coil_gather(tasks, 2, NULL);
	coil_queue_fini(&queue);
	return err;
}

int main(void)
{
	int err = coil_run(produce_and_consume, NULL);

	if (err < 0)
		fprintf(stderr, "queue: %s\n", strerror(-err));
	return err < 0;
}
