/* SPDX-License-Identifier: MIT */
#include "core/loop/fork.h"
#include "core/task/loop.h"
#include "core/task/lock.h"
#include "core/backend/move.h"
#include "core/task/overflow.h"
#include "core/backend/pool.h"
#include <pthread.h>
#include <unistd.h>

static struct list loops;

static void fork_prepare(void)
{
	for (unsigned i = 0; i < PROCESS_LOCKS; i++)
		coil__lock(i);
}

static void in_parent(void)
{
	for (unsigned i = PROCESS_LOCKS; i--; )
		coil__unlock(i);
}

/* Does not free the loops' memory: the child may be running on a task's stack. */
static void in_child(void)
{
	struct link *link;

	while ((link = list_pop(&loops))) {
		struct coil_loop *loop = container_of(link, struct coil_loop, registered);

		for (int i = 0; i < BACKEND_FDS; i++)
			close(loop->io.backend_fds[i]);
	}
	coil__current = &coil__no_loop.root;
	coil__overflow_forked();
	coil__pool_forked();
	coil__move_forked();
	in_parent();
}

/*
 * A constructor runs once, before a thread can hold a lock.  pthread_once() would not
 * do: after a fork in the middle of it, the child would install the handlers a second
 * time, and then take each lock twice.
 */
static __attribute__((constructor)) void fork_install(void)
{
	pthread_atfork(fork_prepare, in_parent, in_child);
}

void coil__fork_register(struct coil_loop *loop)
{
	coil__lock(LOCK_LOOPS);
	list_push(&loops, &loop->registered);
	coil__unlock(LOCK_LOOPS);
}

void coil__fork_unregister(struct coil_loop *loop)
{
	coil__lock(LOCK_LOOPS);
	list_remove(&loops, &loop->registered);
	coil__unlock(LOCK_LOOPS);
}
