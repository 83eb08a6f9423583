/* SPDX-License-Identifier: MIT */
#ifndef COIL_SCOPE_H
#define COIL_SCOPE_H

/*
 * A scope is a part of a task's life that can be cancelled as a whole.
 * Time-outs, groups and shields are scopes.  Scopes nest; the task itself is
 * the outermost one.  The fields are coil's: a program embeds the struct, inside
 * a coil_timeout or a coil_group, and does not use its fields.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_task;

struct coil_scope {
	struct coil_task *task;		/* NULL: not open */
	struct coil_scope *outer;	/* the next one towards the task's own */
	struct coil_scope *inner;
	struct coil_scope *due;		/* the next whose deadline has expired in this pass */
	struct coil_scope *due_before;	/* the one before it */
	int64_t deadline;
	uint32_t timer;			/* its index among the timers; 0: none */
	uint32_t flags;
};

#ifdef __cplusplus
}
#endif
#endif
