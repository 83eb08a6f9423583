/* SPDX-License-Identifier: MIT */
#ifndef COIL_GROUP_H
#define COIL_GROUP_H

/*
 * A group owns the tasks that it starts: leaving it waits for all of them, and
 * the first failure cancels the others.
 *
 *	struct coil_group group = {0};
 *
 *	coil_group_create_task(&group, produce, &queue);
 *	coil_group_create_task(&group, consume, &queue);
 *	err = coil_group_wait(&group);
 *
 * The owner is the task that made the first child; from then until
 * coil_group_wait its body is in the group's scope: when the group is asked to
 * end, the body's parking calls return -ECANCELED too.
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

/* = {0} is ready, and what coil_group_wait leaves behind. */
struct coil_group {
	bool independent;	/* a failure goes to the error handler and spares the rest */
	unsigned char state;
	int error;		/* the first failure */
	size_t size;		/* children that have not ended */
	struct coil_task *children;
	struct coil_scope scope;
	struct coil_waitq leaving;
};

/*
 * Starts fn(arg) in the group.  Returns 0; -EINVAL (fn or group is NULL),
 * -EPERM outside a task, or for a first child made by none; -EXDEV from another
 * loop; -ECANCELED when the group is ending; -ENOMEM, which counts as a failed
 * child: it cancels the group, unless that is independent, and
 * coil_group_wait returns it.  arg stays the
 * caller's on every error.  Never parks.
 */
int coil_group_create_task(struct coil_group *group, int (*fn)(void *arg), void *arg);

/*
 * The same with options.  *handle, if handle is not NULL, becomes a second
 * reference to the task, for coil_await or coil_detach to consume; NULL on
 * error.  A failure that is awaited still counts as the group's.
 */
int coil_group_create_task_with(struct coil_group *group,
				const struct coil_task_options *options,
				int (*fn)(void *arg), void *arg,
				struct coil_task **handle);

/*
 * Waits until every child has ended, whatever happens.  Returns the first failure;
 * else -ECANCELED or -ETIMEDOUT if the caller was cancelled or a deadline expired;
 * else 0.  A child's -ECANCELED is no failure.  The group is then {0} again but for
 * independent.  -EPERM outside a task and if the caller is not the owner.  -EBUSY if
 * a timeout that was begun after the first child is still open, as it could not end
 * the wait: end it first; nothing has changed.
 *
 * Parks.  A cancel or an expiry, pending or new, cancels the children; the wait goes
 * on until they have ended.
 */
int coil_group_wait(struct coil_group *group);

/*
 * Cancels every child, and the body.  A group that has no child yet remembers the
 * cancel: coil_group_create_task() returns -ECANCELED until coil_group_wait(), which
 * returns 0 and makes the group new.  Does nothing for NULL, off a loop, and for a
 * group of another loop; another thread has the group's loop make the call, by
 * coil_call_soon_threadsafe().  Never parks.
 */
void coil_group_cancel(struct coil_group *group);

/*
 * Cancels the group after grace_ns nanoseconds.  From now on coil_group_ending() is
 * true in the children, and no more are started (-ECANCELED).  Cancels at once, as
 * coil_group_cancel() does, if grace_ns <= 0, if there is no memory, or if the group
 * has no child yet.  Leaves a group alone that was cancelled before.  Never parks.
 */
void coil_group_cancel_after(struct coil_group *group, int64_t grace_ns);

/*
 * Whether the caller's group, or one further out, was asked to end or cancelled:
 * for a task that would rather finish what it is at than be cut short.
 */
bool coil_group_ending(void);

/* The body's own failure, a negative errno: as if a child had returned it. */
void coil_group_fail(struct coil_group *group, int error);

/*
 * Cancels the children and waits for them; the block macro calls it.  Ends the
 * process by abort(3), with a message, if coil_group_wait() returns -EBUSY.
 */
void coil_group_leave(struct coil_group *group);

/*
 * Declares name and runs the block in it; its end waits for the children.
 * Leaving by break, return or goto cancels them first.
 */
#define COIL_GROUP(name)							\
	for (struct coil_group name COIL_CLEANUP(coil_group_leave) = COIL_ZERO, \
	     *COIL_UNIQUE(once) = &name; COIL_UNIQUE(once);			\
	     (void)coil_group_wait(&name), COIL_UNIQUE(once) = NULL)

#ifdef __cplusplus
}
#endif
#endif
