/* SPDX-License-Identifier: MIT */
/*
 * A program that loads coil itself by dlopen(3), and gives it back while a function
 * that a task abandoned still runs on one of coil's threads.  Run by plugin.sh.
 */
#include <coil.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static struct {
	int (*run)(int (*fn)(void *arg), void *arg);
	struct coil_task *(*create_task)(int (*fn)(void *arg), void *arg);
	int (*to_thread_abandonable)(int (*fn)(void *arg), void *arg, void (*release)(void *));
	int (*sleep)(int64_t ns);
	bool (*cancel)(struct coil_task *task);
	int (*await)(struct coil_task *task);
} coil;

static atomic_bool released;

static void rest(long ms)
{
	const struct timespec moment = { .tv_nsec = ms * 1000000 };

	nanosleep(&moment, NULL);
}

static int work(void *arg)
{
	(void)arg;
	rest(300);
	return 0;
}

static void release(void *arg)
{
	(void)arg;
	atomic_store(&released, true);
}

static int abandon(void *arg)
{
	return coil.to_thread_abandonable(work, arg, release);
}

static int app(void *arg)
{
	struct coil_task *task = coil.create_task(abandon, arg);

	coil.sleep(20 * COIL_MILLISECOND);
	coil.cancel(task);
	return coil.await(task) < 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!library)
		return 5;
	*(void **)&coil.run = dlsym(library, "coil_run");
	*(void **)&coil.create_task = dlsym(library, "coil_create_task");
	*(void **)&coil.to_thread_abandonable = dlsym(library, "coil_to_thread_abandonable");
	*(void **)&coil.sleep = dlsym(library, "coil_sleep");
	*(void **)&coil.cancel = dlsym(library, "coil_cancel");
	*(void **)&coil.await = dlsym(library, "coil_await");
	if (coil.run(app, NULL))
		return 4;
	dlclose(library);
	/* The thread returns from work() into the library, in the end. */
	for (int i = 0; i < 100 && !atomic_load(&released); i++)
		rest(100);
	rest(20);
	return atomic_load(&released) ? 0 : 3;
}
