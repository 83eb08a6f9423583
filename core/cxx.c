/* SPDX-License-Identifier: MIT */
#include "core/cxx.h"
#include "core/fork.h"
#include "core/loop.h"
#include <stdlib.h>

/* Weak: they are there if the program, or a library of its, is C++. */
extern void *__cxa_get_globals(void) __attribute__((weak));
extern void (*std_set_terminate(void (*handler)(void)))(void)
	__asm__("_ZSt13set_terminatePFvvE") __attribute__((weak));

static void (*previous)(void);

static void terminate(void)
{
	const struct coil_task *self = coil_current_task();

	if (self)
		coil__warn("task %s is ended by an exception that nothing catches",
			   coil_task_name(self));
	if (previous)
		previous();
	abort();
}

void *coil__cxx_globals(void)
{
	return __cxa_get_globals ? __cxa_get_globals() : NULL;
}

/* Once for the process: a handler that the program sets later stays. */
void coil__cxx_name_tasks(void)
{
	static bool named;

	if (!std_set_terminate)
		return;
	coil__lock(LOCK_CXX);
	if (!named)
		previous = std_set_terminate(terminate);
	named = true;
	coil__unlock(LOCK_CXX);
}
