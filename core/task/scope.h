/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_SCOPE_H
#define COIL_CORE_TASK_SCOPE_H

/* Cancellation and deadlines.  scope.c explains how they work. */

#include <coil/scope.h>
#include <errno.h>
#include <stdbool.h>

enum scope_flag {
	SCOPE_CANCELLED = 1 << 0,	/* the scope was cancelled */
	SCOPE_DUE = 1 << 1,		/* the deadline has passed and is applied */
	SCOPE_EXPIRED = 1 << 2,		/* ... and the loop or a parking call noticed */
	SCOPE_REPORTED = 1 << 3,	/* a parking call returned -ETIMEDOUT for it */
	SCOPE_SHIELD = 1 << 4,		/* hides cancels and expiries of outer scopes */
	SCOPE_GROUP = 1 << 5,		/* lies in a struct coil_group */
	SCOPE_OPEN = 1 << 6,		/* between push and remove */
	SCOPE_LISTED = 1 << 8,		/* expired and in the list due or due_next */
	SCOPE_USED = 1 << 9,		/* was open and cannot be opened again */
	SCOPE_SEES_CANCEL = 1 << 10,	/* its own or an outer cancel shows in it */
	SCOPE_SEES_DUE = 1 << 11,	/* its own or an outer expiry shows in it */
	SCOPE_GRACE = 1 << 12,		/* a shield whose limit does not run yet */
	SCOPE_ELASTIC = 1 << 13,	/* lies in a struct elastic */
	SCOPE_ENDING = 1 << 7,		/* an ending group: its deadline cancels it */
};

struct coil_loop;

/*
 * Makes scope the task's innermost one.  The caller has set its kind in flags.  The
 * deadline is not armed.
 */
void coil__scope_push(struct coil_scope *scope, struct coil_task *task);

/*
 * Returns whether scope holds an open inner scope that has none of the flags.  Then it
 * is a misuse to end scope.  Callers include SCOPE_GROUP, so that groups do not count:
 * a group begins where its first child is created, and groups end in any order.
 */
bool coil__scope_holds_but(const struct coil_scope *scope, unsigned flags);

/*
 * Removes scope from any place in the task's list and disarms its deadline.  If scope
 * is a shield, what it hid shows in the inner scopes now.
 */
void coil__scope_remove(struct coil_scope *scope);

/*
 * Gives a shield a limit of ns nanoseconds.  The limit begins when a cancel or an expiry
 * arrives from outside.  Until then SCOPE_GRACE is set and the field deadline holds ns.
 * Begins the limit at once if a cancel or an expiry already shows outside.
 */
void coil__scope_set_grace(struct coil_scope *shield, int64_t ns);

/*
 * Arms or moves the deadline.  COIL_FOREVER disarms it.  Returns 0, or -ENOMEM and
 * leaves the old deadline in force.
 */
int coil__scope_arm(struct coil_scope *scope, int64_t when);

/* Sets SCOPE_CANCELLED or SCOPE_DUE, then spreads it.  Does nothing if it is set. */
void coil__scope_cancel(struct coil_scope *scope, unsigned flag);

/*
 * Spreads what shows in scope to the scopes inside, up to the next shield.  Cancels the
 * children of the groups among them and interrupts the task's wait.
 */
void coil__scope_spread(struct coil_scope *scope);

/* Returns the error of a parking call in this scope: 0, -ECANCELED or -ETIMEDOUT. */
static inline int coil__scope_pending(const struct coil_scope *scope)
{
	if (scope->flags & SCOPE_SEES_CANCEL)
		return -ECANCELED;
	return scope->flags & SCOPE_SEES_DUE ? -ETIMEDOUT : 0;
}

/*
 * Returns the task's pending error, for a parking call to return.  Sets SCOPE_EXPIRED in
 * the scopes whose expiry shows.  For -ETIMEDOUT it sets SCOPE_REPORTED in the outermost one.
 */
int coil__scope_deliver(struct coil_task *task);

/* Queues a scope whose deadline has expired. */
void coil__scope_due(struct coil_loop *loop, struct coil_scope *scope);

/* Applies queued deadlines when the loop meets the mark in the run queue. */
void coil__scope_apply_due(struct coil_loop *loop);

/* Aborts if the innermost scope lies in a stack frame that has returned. */
void coil__scope_check_frame(struct coil_task *task);

#endif
