/* SPDX-License-Identifier: MIT */
/* A thread wakes a loop, which answers.  ARGUMENT: the number of times; see bench/wakeup.h. */
#include "bench/wakeup.h"
#include <coil.h>

static struct coil_loop *loop;
static struct coil_future done;

static void asked(void *arg)
{
	(void)arg;
	if (wakeup_answer())
		coil_future_set(&done, 0);
}

static void wake(void)
{
	if (coil_call_soon_threadsafe(loop, asked, NULL))
		abort();
}

static int app(void *arg)
{
	int err;

	loop = coil_loop_ref(coil_current_loop());
	wakeup_begin(*(long *)arg, wake);
	err = coil_future_wait(&done);
	wakeup_end();
	coil_loop_unref(loop);
	return err;
}

int main(int argc, char **argv)
{
	long n = bench_argument(argc, argv, 1, 100000);

	return coil_run(app, &n) < 0;
}
