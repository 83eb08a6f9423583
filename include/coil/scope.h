/* SPDX-License-Identifier: MIT */
#ifndef COIL_SCOPE_H
#define COIL_SCOPE_H

/*
 * What timeouts, groups and shields have in common: a stretch of a task's life
 * that can be asked to end.  Scopes nest; the task itself is the outermost.
 * The fields belong to coil: a program embeds the struct, by way of
 * coil_timeout or coil_group, and never looks inside.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_task;

struct coil_scope {
	struct coil_task *task;		/* whose life; NULL: not begun */
	struct coil_scope *outer;	/* towards the task */
	struct coil_scope *inner;
	struct coil_scope *due;		/* the next that fell due in this pass */
	struct coil_scope *due_before;	/* the one that fell due before it */
	int64_t deadline;
	uint32_t timer;			/* its place among the timers; 0: none */
	uint32_t flags;
};

#ifdef __cplusplus
}
#endif
#endif
