/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <stdio.h>
#include <string.h>

static int hello(void *arg)
{
	const char *name = arg;
	int err;

	printf("hello, %s\n", name);
	err = coil_sleep(COIL_SECOND);
	if (err)
		return err;
	printf("goodbye, %s\n", name);
	return 0;
}

int main(void)
{
	int err = coil_run(hello, "world");

	if (err < 0)
		fprintf(stderr, "run: %s\n", strerror(-err));
	return err < 0;
}
