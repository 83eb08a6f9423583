/* SPDX-License-Identifier: MIT */
#include "core/fork.h"
#include "core/loop.h"
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list loops;

static void prepare(void)
{
	pthread_mutex_lock(&loops_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&loops_lock);
}

/* The loops' memory stays as it is: the child may still stand on a task's stack. */
static void in_child(void)
{
	struct link *link;

	while ((link = list_pop(&loops))) {
		struct coil_loop *loop = container_of(link, struct coil_loop, registered);

		for (int i = 0; i < 2; i++)
			close(loop->engine_fds[i]);
	}
	coil__current = &coil__nowhere.root;
	pthread_mutex_unlock(&loops_lock);
}

static void install(void)
{
	pthread_atfork(prepare, in_parent, in_child);
}

void coil__fork_register(struct coil_loop *loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
	pthread_mutex_lock(&loops_lock);
	list_push(&loops, &loop->registered);
	pthread_mutex_unlock(&loops_lock);
}

void coil__fork_unregister(struct coil_loop *loop)
{
	pthread_mutex_lock(&loops_lock);
	list_remove(&loops, &loop->registered);
	pthread_mutex_unlock(&loops_lock);
}
