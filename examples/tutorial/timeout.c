/* SPDX-License-Identifier: MIT */
#include <coil.h>
#include <stdio.h>
#include <string.h>

static void take_a_second(const char *name)
{
	int err = coil_sleep(COIL_SECOND);

	printf("%s: %s\n", name, err ? strerror(-err) : "slept");
}

static int three_in_time(void *arg)
{
	COIL_TIMEOUT(1500 * COIL_MILLISECOND) {
		take_a_second("first");
		take_a_second("second");
		take_a_second("third");
	}
	take_a_second("after the block");
	return 0;
}

int main(void)
{
	int err = coil_run(three_in_time, NULL);

	if (err < 0)
		fprintf(stderr, "timeout: %s\n", strerror(-err));
	return err < 0;
}
