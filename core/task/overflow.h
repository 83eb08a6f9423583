/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_OVERFLOW_H
#define COIL_CORE_TASK_OVERFLOW_H

#include <stddef.h>

/*
 * Prints a message that names the task if a task overflows its stack, before
 * the process dies.  The handler replaces only SIG_DFL, and only while a loop
 * runs.
 */
struct overflow {
	void *stack;	/* the handler's stack, if the thread had none */
};

void coil__overflow_begin(struct overflow *overflow);
void coil__overflow_end(struct overflow *overflow);

/* Called in the child of a fork. */
void coil__overflow_forked(void);

#endif
