/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_SCOPE_H
#define COIL_CORE_TASK_SCOPE_H

/* Cancellation and deadlines.  scope.c has the essay. */

#include <coil/scope.h>
#include <errno.h>
#include <stdbool.h>

enum scope_flag {
	SCOPE_CANCELLED = 1 << 0,	/* a cancel was asked for */
	SCOPE_DUE = 1 << 1,		/* the deadline is pending */
	SCOPE_EXPIRED = 1 << 2,		/* ... and the loop, or a parking call, noticed it */
	SCOPE_TOLD = 1 << 3,		/* a parking call returned -ETIMEDOUT on its account */
	SCOPE_SHIELD = 1 << 4,		/* hides the requests of outer scopes */
	SCOPE_GROUP = 1 << 5,		/* lies in a struct coil_group */
	SCOPE_OPEN = 1 << 6,
	SCOPE_LISTED = 1 << 8,		/* among those that fell due and are yet to be applied */
	SCOPE_USED = 1 << 9,		/* was open, and is not to be opened again */
	SCOPE_SEES_CANCEL = 1 << 10,	/* a cancel shows in it: its own, or an outer one's */
	SCOPE_SEES_DUE = 1 << 11,	/* likewise an expiry */
	SCOPE_GRACE = 1 << 12,		/* a shield whose limit does not run yet: see below */
	SCOPE_ELASTIC = 1 << 13,	/* lies in a struct elastic */
	SCOPE_ENDING = 1 << 7,		/* a group that was asked to end; its deadline cancels */
};

struct coil_loop;

/* Makes scope the task's innermost.  Its flags are set; its deadline is not armed. */
void coil__scope_push(struct coil_scope *scope, struct coil_task *task);

/*
 * Whether a scope without any of those flags was begun in it and is still open, so that
 * it is a misuse to end this one.  Groups do not count, SCOPE_GROUP: they begin with
 * their first child, wherever that is made, and end in any order.
 */
bool coil__scope_holds_but(const struct coil_scope *scope, unsigned flags);

/* Takes it out, wherever it is, disarms it, and lets what it hid come through. */
void coil__scope_remove(struct coil_scope *scope);

/*
 * The limit of a shield begins when a cancel or an expiry arrives from outside.  Until
 * then its flag is SCOPE_GRACE, and its deadline is a length of time.  Begins it if
 * something shows outside by now.
 */
void coil__scope_set_grace(struct coil_scope *shield, int64_t ns);

/* Arms or moves the deadline: 0 or -ENOMEM. */
int coil__scope_arm(struct coil_scope *scope, int64_t when);

/* Sets SCOPE_CANCELLED or SCOPE_DUE and tells the groups and the task inside. */
void coil__scope_request(struct coil_scope *scope, unsigned flag);

/* Tells the groups inside, up to the next shield, and the task of a request made. */
void coil__scope_spread(struct coil_scope *scope);

/* Returns what a parking call in this scope would return: 0, -ECANCELED, -ETIMEDOUT. */
static inline int coil__scope_pending(const struct coil_scope *scope)
{
	if (scope->flags & SCOPE_SEES_CANCEL)
		return -ECANCELED;
	return scope->flags & SCOPE_SEES_DUE ? -ETIMEDOUT : 0;
}

/*
 * The task's parking call is about to return its pending request: remembers on
 * whose account, and returns it.
 */
int coil__scope_deliver(struct coil_task *task);

/* A deadline fell due; it is applied at the end of the pass. */
void coil__scope_due(struct coil_loop *loop, struct coil_scope *scope);
void coil__scope_apply_due(struct coil_loop *loop);

/* A scope that lies on a dead frame, or is left open, is a bug of the program's. */
void coil__scope_check_frame(struct coil_task *task);

#endif
