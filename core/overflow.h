/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_OVERFLOW_H
#define COIL_CORE_OVERFLOW_H

#include <stddef.h>

/*
 * A task that overflows its stack dies with a message that names it.  The
 * handler is installed only over SIG_DFL, for as long as a loop runs.
 */
struct overflow {
	void *stack;	/* the handler's own, if this thread had none */
};

void coil__overflow_begin(struct overflow *overflow);
void coil__overflow_end(struct overflow *overflow);

/* In the child of a fork. */
void coil__overflow_forked(void);

#endif
