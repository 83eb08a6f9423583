/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void save(const char *where)
{
	int err = coil_sleep(100 * COIL_MILLISECOND);

	printf("save %s: %s\n", where, err ? strerror(-err) : "saved");
}

static int work(void *arg)
{
	int err = coil_sleep(COIL_FOREVER);

	printf("work: %s\n", strerror(-err));
	save("without a shield");
	COIL_SHIELD(COIL_SECOND)
		save("in a shield");
	return err;
}

static int cancel_work(void *arg)
{
	struct coil_task *task = coil_create_task(work, NULL);
	int err;

	if (!task)
		return -errno;
	err = coil_sleep(COIL_SECOND);
	coil_cancel(task);
	printf("result: %s\n", strerror(-coil_await(task)));
	return err;
}

int main(void)
{
	int err = coil_run(cancel_work, NULL);

	if (err < 0)
		fprintf(stderr, "shield: %s\n", strerror(-err));
	return err < 0;
}
