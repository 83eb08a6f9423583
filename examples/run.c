/* SPDX-License-Identifier: MIT */
/*
 * A coroutine is a function.  coil_run() creates a loop and runs the function in it.
 * The function reads like blocking code, but coil_sleep() parks only the task.
 *
 *	$ ./run
 *	my_coroutine_test start
 *	my_coroutine_test finish		two seconds later
 *
 * asyncio: async def, await asyncio.sleep(2), asyncio.run().
 */
#include "options.h"
#include <coil.h>
#include <stdio.h>
#include <string.h>

static int my_coroutine_test(void *arg)
{
	int err;

	printf("my_coroutine_test start\n");
	err = coil_sleep(2 * COIL_SECOND);
	if (err)
		return err;
	printf("my_coroutine_test finish\n");
	return 0;
}

int main(int argc, char *argv[])
{
	int err;

	options_words(argc, argv, 0, 0, "usage: run\n");
	setlinebuf(stdout);
	err = coil_run(my_coroutine_test, NULL);
	if (err < 0)
		fprintf(stderr, "run: %s\n", strerror(-err));
	return err < 0;
}
