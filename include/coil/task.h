/* SPDX-License-Identifier: MIT */
#ifndef COIL_TASK_H
#define COIL_TASK_H

/*
 * A task is a function with a stack of its own, run by the loop of the thread
 * that made it.
 *
 * Exactly one of coil_await, coil_join, coil_shield, coil_wait_for, coil_gather
 * and coil_detach consumes the handle of a task.  The handle must not be used
 * after that.  These calls consume the handle whatever they return, except on a
 * misuse, which changes nothing:
 *	-EPERM: the caller is not a task
 *	-EDEADLK: the task is the caller itself
 *	-EBUSY: another call is consuming the handle
 *	-EXDEV: the task belongs to another loop
 *	-EINVAL: tasks is NULL and n is not 0 (coil_gather)
 * A NULL handle is a task that could not be made: they return -ENOMEM for it.
 */

#include <coil/cdefs.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_task;

/* Zero is the default of each field.  reserved must be zero. */
struct coil_task_options {
	const char *name;	/* copied; NULL: "task-N" */
	size_t stack_size;	/* bytes; 0: as the loop's other stacks */
	bool eager;		/* runs at once, up to its first park */
	uint64_t reserved[4];
};

/*
 * Makes a task that runs fn(arg).  The task goes to the back of the run queue
 * and does not run before the caller parks, unless it is eager.  options may be
 * NULL.  fn is sure to be entered, even if the task is cancelled first; arg
 * must stay valid as long as fn uses it.
 *
 * Returns the handle.  On an error returns NULL and sets errno; the caller
 * still owns arg:
 *	EINVAL: fn is NULL, or options are invalid
 *	EPERM: the thread has no loop
 *	ESHUTDOWN: the loop has ended
 *	ENOMEM: there is no memory, or no mapping, for a stack
 * Never parks.
 */
COIL_MUST_CHECK struct coil_task *coil_create_task(int (*fn)(void *arg), void *arg);
COIL_MUST_CHECK struct coil_task *
coil_create_task_with(const struct coil_task_options *options,
		      int (*fn)(void *arg), void *arg);

/*
 * Waits until the task has ended, and returns its result.  If the result is
 * -ECANCELED and the caller itself is cancelled, returns the caller's reason,
 * -ECANCELED or -ETIMEDOUT.
 *
 * Parks, unless the task has ended.  A cancellation, pending or new, cancels
 * the task.  The wait lasts until the task has ended.
 */
int coil_await(struct coil_task *task);

/*
 * Does the same, but returns 0 or the errno of a misuse, and writes the task's
 * result to *result, unless result is NULL.
 */
int coil_join(struct coil_task *task, int *result);

/*
 * Waits as coil_await() does, but a cancellation of the caller does not reach
 * the task.  The call returns the cancellation at once, and the task runs on,
 * detached.
 */
int coil_shield(struct coil_task *task);

/*
 * Waits as coil_await() does, but after ns nanoseconds cancels the task and
 * waits for its end.  Returns -ETIMEDOUT if the task then returns -ECANCELED,
 * otherwise the task's result.  If there is no memory for a timer, cancels the
 * task at once and returns -ENOMEM in place of -ETIMEDOUT.
 */
int coil_wait_for(struct coil_task *task, int64_t ns);

/*
 * Waits for n tasks and consumes all their handles.  A handle may be listed
 * twice.  Never returns while one of the tasks runs.
 *
 * If results is NULL, the first failure (a negative result) cancels the other
 * tasks, and the call returns it once all have ended.  Otherwise the call waits
 * for all, writes each result to results[i] and returns 0.  n 0 returns 0.
 *
 * Parks, unless all have ended.  A cancellation, pending or new, cancels all
 * tasks.  The call waits for them and returns the caller's reason, -ECANCELED
 * or -ETIMEDOUT, if the cancellation changed a result.
 */
int coil_gather(struct coil_task *tasks[], size_t n, int results[]);

/*
 * Lets the task run on without a handle.  A negative result other than
 * -ECANCELED goes to the error handler.  Does nothing off a loop and for NULL.
 * Never parks.
 */
void coil_detach(struct coil_task *task);

enum coil_wait {
	COIL_ALL_COMPLETED,
	COIL_FIRST_COMPLETED,
	COIL_FIRST_EXCEPTION	/* a negative result other than -ECANCELED */
};

/*
 * Waits for at most ns nanoseconds until all tasks have ended, the first has
 * ended, or the first has failed, as until says.  Cancels and consumes nothing.
 * Returns the number of tasks that have ended, also after ns nanoseconds.  On
 * an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry or ended the
 *		wait
 *	-EINVAL: n is 0, tasks is NULL, or until is no mode
 *	-ENOMEM: there is no memory, or a handle is NULL
 *	-EDEADLK, -EXDEV, -EPERM: as above
 * Parks, unless that is so at entry.  A cancellation ends the wait and reaches
 * no task.
 */
COIL_MUST_CHECK int coil_wait(struct coil_task *tasks[], size_t n, enum coil_wait until,
			      int64_t ns);

/*
 * Waits for the next of tasks[*done] ... tasks[n - 1] to end.  Swaps it to
 * tasks[*done], adds one to *done, and returns its index.  *done starts at 0.
 * Returns -ENOENT once *done is n.  Other errors are those of coil_wait().
 *
 * The caller may consume the tasks before *done at any time.  It must not
 * change the others until *done is n or a call has returned an error.  Setting
 * *done to 0 begins a new iteration.  The first call takes memory (-ENOMEM) and
 * time for each task; a further call costs the same for every n.
 *
 * Several tasks may share one iteration, with the same tasks and done.  Each
 * gets different tasks, and -ENOENT once the others took the last.
 */
COIL_MUST_CHECK int coil_as_completed(struct coil_task *tasks[], size_t n, size_t *done);

/*
 * Cancels the task: every parking call that it makes from now on outside a
 * shield returns -ECANCELED, and a call in which it is parked ends if it can.
 * Returns true; false if the task has ended, is NULL, or belongs to another
 * loop.  Never parks; the task runs later.
 */
bool coil_cancel(struct coil_task *task);

/*
 * Return whether the task's function has returned; whether it returned
 * -ECANCELED; and what it returned.
 */
bool coil_done(const struct coil_task *task);
bool coil_cancelled(const struct coil_task *task);
int coil_result(const struct coil_task *task);	/* -EINPROGRESS before its end */

/*
 * Returns what a parking call would return now: 0, -ECANCELED, -ETIMEDOUT, or
 * -EPERM outside a task.  Never parks.
 */
int coil_check(void);

/* Returns whether a cancel, not an expiry, is pending for the caller. */
bool coil_cancel_requested(void);

/*
 * Returns the wait queue that is woken when the task ends, for use with
 * coil_waitq_park_any().  It has no waiters once coil_done() is true.  It is
 * valid as long as the handle.  On an error returns NULL and sets errno:
 *	ENOMEM: the handle is NULL
 *	EXDEV: the task belongs to another loop
 *	EPERM: the thread has no loop
 */
struct coil_waitq *coil_task_waiters(struct coil_task *task);

/* Returns the calling task; NULL outside a task. */
struct coil_task *coil_current_task(void);

/*
 * Returns the number of this loop's tasks that have not ended, and writes at
 * most max of them to tasks, in no order.  Returns 0 off a loop.
 */
size_t coil_all_tasks(struct coil_task *tasks[], size_t max);

/*
 * coil_task_name() returns the task's name, "task-N" by default.  It is valid
 * until the name is changed or the handle is consumed.  coil_task_set_name()
 * changes it, and returns 0, -EINVAL (an argument is NULL, or cannot be
 * formatted), or -ENOMEM.
 */
const char *coil_task_name(const struct coil_task *task);
int coil_task_set_name(struct coil_task *task, const char *format, ...) COIL_PRINTF(2, 3);

/*
 * A variable has a separate value in every task: NULL until one is set.  A new
 * task starts with the values that its creator has at that moment.  A function
 * that runs on a thread for a task sees the values of that task.
 *
 * coil_var_set() sets the value in the calling task.  It returns 0, -EINVAL
 * (var is NULL), -ENOMEM, or -EPERM outside a task.  coil_var_get() returns the
 * value.  The program owns what a value points to.  Neither parks.
 */
struct coil_var {
	const char *name;	/* for a person who debugs; may be NULL */
};

int coil_var_set(struct coil_var *var, void *value);
void *coil_var_get(const struct coil_var *var);

/*
 * Sets the handler that is called for failures that no call returns, on the
 * calling thread's loop.  NULL restores the default: one line on standard error
 * that never blocks.  Does nothing off a loop.  The handler must not park.
 */
void coil_set_error_handler(void (*handler)(const struct coil_task *task, int error, void *arg),
			    void *arg);

#ifdef __cplusplus
}
#endif
#endif
