/* SPDX-License-Identifier: MIT */
#ifndef COIL_GROUP_H
#define COIL_GROUP_H

/*
 * A group owns the tasks that it starts.  Its end waits for all of them, and
 * the first failure cancels the others.
 *
 *	struct coil_group group = {0};
 *
 *	coil_group_create_task(&group, produce, &queue);
 *	coil_group_create_task(&group, consume, &queue);
 *	err = coil_group_wait(&group);
 *
 * The owner of the group is the task that made the first child.  The body is
 * what the owner runs from then until coil_group_wait().  The body is inside
 * the group's scope: if the group is cancelled, its parking calls return
 * -ECANCELED too.
 */

#include <coil/cdefs.h>
#include <coil/scope.h>
#include <coil/task.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* = {0} is ready to use.  coil_group_wait() leaves the group so. */
struct coil_group {
	bool independent;	/* failures go to the error handler and cancel nothing */
	unsigned char state;
	int error;		/* the first failure */
	size_t size;		/* children that have not ended */
	struct coil_task *children;
	struct coil_task *failed;	/* the child whose failure is error; or NULL */
	struct coil_scope scope;
	struct coil_waitq leaving;
};

/*
 * Starts fn(arg) as a child of the group.  The child is queued and runs later.
 * arg must stay valid as long as the child uses it.  Returns 0.  On an error no
 * task was made, and the caller still owns arg:
 *	-ECANCELED: the group is cancelled or ending, or a cancellation of the
 *		caller is pending and this would be the first child
 *	-ENOMEM: there is no memory.  This counts as a failed child, unless the
 *		group is independent: it cancels the group, and
 *		coil_group_wait() returns it
 *	-EPERM: the thread has no loop, or the caller is not a task and this
 *		would be the first child
 *	-EXDEV: the group is in use on another loop
 *	-EINVAL: fn or group is NULL
 * Never parks.
 */
int coil_group_create_task(struct coil_group *group, int (*fn)(void *arg), void *arg);

/*
 * Does the same with options, which may be NULL; -EINVAL also if they are
 * invalid.  *handle, if handle is not NULL, becomes a second reference to the
 * task, which one of the consuming calls of task.h must consume.  On an error
 * it becomes NULL.  A failure that is awaited through it still counts as the
 * group's.
 */
int coil_group_create_task_with(struct coil_group *group,
				const struct coil_task_options *options,
				int (*fn)(void *arg), void *arg,
				struct coil_task **handle);

/*
 * Waits until every child has ended, and leaves the group's scope.  Returns the
 * first failure, of a child (a negative result other than -ECANCELED) or of
 * coil_group_fail().  If there is none, returns -ECANCELED or -ETIMEDOUT if the
 * caller itself was cancelled or a deadline around the call expired, otherwise
 * 0.  Afterwards the group is {0} again, except for independent.  On a misuse
 * the group is unchanged:
 *	-EPERM: the caller is not a task, or is not the owner
 *	-EBUSY: a time-out that was begun after the first child is still open and
 *		could not end the wait; end it first
 *	-EINVAL: group is NULL
 *
 * Parks.  A cancellation, pending or new, cancels the children.  The wait lasts
 * until they have ended.
 */
int coil_group_wait(struct coil_group *group);

/*
 * Cancels every child, and the body.  If the group has no child yet, it
 * remembers the cancel: coil_group_create_task() returns -ECANCELED until
 * coil_group_wait(), which returns 0 and makes the group new.  Does nothing for
 * NULL, off a loop, and for a group of another loop.  Another thread uses
 * coil_call_soon_threadsafe() to have the group's loop make the call.  Never
 * parks.
 */
void coil_group_cancel(struct coil_group *group);

/*
 * Cancels the group after grace_ns nanoseconds.  From now on
 * coil_group_ending() is true in the children, and no more are started
 * (-ECANCELED).  Cancels at once, as coil_group_cancel() does, if grace_ns
 * <= 0, if there is no memory, or if the group has no child yet.  Does nothing
 * if the group was cancelled before.  Never parks.
 */
void coil_group_cancel_after(struct coil_group *group, int64_t grace_ns);

/*
 * Returns whether the caller's group, or a group further out, is ending or
 * cancelled.  A task that would rather finish its present work than be cut
 * short asks this.
 */
bool coil_group_ending(void);

/*
 * Reports a failure of the body: error, a negative errno, counts as if a child
 * had returned it.  Cancels the group.  Never parks.
 */
void coil_group_fail(struct coil_group *group, int error);

/*
 * Waits as coil_group_wait() does.  Passes the failure of a child, which no
 * call returns, to the loop's error handler (see coil_set_error_handler()): the
 * first failure, with the child that failed.  Does not do so if a task awaited
 * that child.  Parks as coil_group_wait() does.  The block macro calls it.
 */
void coil_group_finish(struct coil_group *group);

/*
 * Cancels the children and waits for them as coil_group_finish() does.  The
 * block macro calls it.  Ends the process with a message and abort(3) if
 * coil_group_wait() returns -EBUSY.
 */
void coil_group_leave(struct coil_group *group);

/*
 * Declares the group name and runs the block.  The end of the block waits for
 * the children.  Leaving the block by break, return or goto cancels them first.
 * If a child failed, either passes the failure to the loop's error handler.  A
 * block that wants the result calls coil_group_wait() as its last thing; then
 * nothing is passed on.
 */
#define COIL_GROUP(name) COIL_GROUP_BLOCK(name, COIL_UNIQUE(once))
#define COIL_GROUP_BLOCK(name, once)						\
	for (struct coil_group name COIL_CLEANUP(coil_group_leave) = COIL_ZERO, \
	     *once = &name; once; coil_group_finish(&name), once = NULL)

#ifdef __cplusplus
}
#endif
#endif
