/* SPDX-License-Identifier: MIT */
#ifndef COIL_TASK_H
#define COIL_TASK_H

/*
 * A task is a function with a stack of its own, run by the loop of the thread
 * that made it.  Its handle is consumed by exactly one of coil_await, coil_join,
 * coil_shield, coil_wait_for, coil_gather and coil_detach, after which it must
 * not be used; these calls consume in every case but misuse (-EPERM off a loop,
 * -EDEADLK for oneself, -EBUSY when another consumes it, -EXDEV from another
 * loop, -EINVAL).  A NULL handle is a task that could not be made: -ENOMEM.
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

/* Zero is the default of each; reserved must be zero. */
struct coil_task_options {
	const char *name;	/* copied; NULL: "task-N" */
	size_t stack_size;	/* bytes; 0: the loop's */
	bool eager;		/* run at once up to its first park */
	uint64_t reserved[4];
};

/*
 * Makes a task that will run fn(arg); it is queued, it does not run first
 * (unless eager).  Returns its handle, or NULL and errno: EINVAL (fn is NULL,
 * options make no sense), EPERM off a loop, ESHUTDOWN on one that has ended, ENOMEM.
 * arg stays the caller's when NULL is returned; otherwise fn is sure to be entered,
 * also after a cancel.
 */
COIL_MUST_CHECK struct coil_task *coil_create_task(int (*fn)(void *arg), void *arg);
COIL_MUST_CHECK struct coil_task *
coil_create_task_with(const struct coil_task_options *options,
		      int (*fn)(void *arg), void *arg);

/*
 * Waits for the task and returns its result.  A request that is pending or
 * arrives cancels the task, and the call still waits for it to end; then the
 * result is returned if it is anything but -ECANCELED, else the caller's reason
 * (-ECANCELED or -ETIMEDOUT).
 */
int coil_await(struct coil_task *task);

/* The same, but returns 0 or the misuse; the task's own result goes to *result. */
int coil_join(struct coil_task *task, int *result);

/*
 * As coil_await, but a request of the caller does not reach the task: the call
 * returns it at once, and the task runs on, detached.
 */
int coil_shield(struct coil_task *task);

/*
 * As coil_await, but after ns nanoseconds the task is cancelled and waited for:
 * -ETIMEDOUT, unless it ended with something other than -ECANCELED.  -ENOMEM, with
 * the same exception, when there is no memory for the limit: then at once.
 */
int coil_wait_for(struct coil_task *task, int64_t ns);

/*
 * Waits for n tasks and consumes them all; a handle may stand there twice.
 * results NULL: the first failure (a negative result) cancels the rest, and is
 * returned once all have ended.  With results: waits for all, fills results[i],
 * returns 0.  When the caller is asked to end, all are cancelled and waited for
 * and its reason is returned, unless all had succeeded.  Never returns while
 * one still runs.  n 0 returns 0.
 */
int coil_gather(struct coil_task *tasks[], size_t n, int results[]);

/*
 * Lets the task run on by itself.  A negative result other than -ECANCELED goes
 * to the error handler.  Off a loop and for NULL it does nothing.
 */
void coil_detach(struct coil_task *task);

enum coil_wait {
	COIL_ALL_COMPLETED,
	COIL_FIRST_COMPLETED,
	COIL_FIRST_EXCEPTION	/* a negative result other than -ECANCELED */
};

/*
 * Waits, for at most ns nanoseconds, until all or the first have ended.  Returns
 * how many have ended, also when time ran out; cancels and consumes nothing.
 * -ECANCELED or -ETIMEDOUT when a request is pending or arrives; -EINVAL for
 * n 0 or a mode that does not exist; -ENOMEM; -EDEADLK, -EXDEV, -EPERM.
 */
COIL_MUST_CHECK int coil_wait(struct coil_task *tasks[], size_t n, enum coil_wait until,
			      int64_t ns);

/*
 * Waits for the next of tasks[*done] ... tasks[n - 1] to end, swaps it to
 * tasks[*done], adds one to *done and returns that index.  *done starts at 0;
 * -ENOENT once it is n.  The caller may consume the tasks before *done on the way.
 * It must not change the others until *done is n, or until a call returned an error;
 * with *done set to 0 a new iteration begins.  The first call takes memory (-ENOMEM)
 * and time for each task; a further call costs the same for every n.  Several tasks
 * may share one iteration, by the same tasks and done: each gets a different child,
 * and -ENOENT once the others took the last.  Otherwise as coil_wait.
 */
COIL_MUST_CHECK int coil_as_completed(struct coil_task *tasks[], size_t n, size_t *done);

/*
 * Asks the task to end: every parking call it makes from now on returns
 * -ECANCELED.  Returns false if it was done already.  Never parks.
 */
bool coil_cancel(struct coil_task *task);

/* Whether fn has returned; whether it returned -ECANCELED; what it returned. */
bool coil_done(const struct coil_task *task);
bool coil_cancelled(const struct coil_task *task);
int coil_result(const struct coil_task *task);	/* -EINPROGRESS until done */

/*
 * What a parking call would return now: 0, -ECANCELED, -ETIMEDOUT, or -EPERM
 * outside a task.  Never parks.
 */
int coil_check(void);

/* Whether a cancel (not a timeout) is pending for the caller. */
bool coil_cancel_requested(void);

/*
 * Where to park until the task ends, for a wait for it among other things (see
 * coil_waitq_park_any): all are unparked when it does, and nobody is any more once
 * coil_done() is true.  Good as long as the handle.  NULL and errno: ENOMEM for a
 * NULL handle, EXDEV for a task of another loop, EPERM off one.
 */
struct coil_waitq *coil_task_waiters(struct coil_task *task);

/* The calling task; NULL outside one. */
struct coil_task *coil_current_task(void);

/*
 * The tasks of this loop that have not ended: returns how many, and writes at
 * most max of them, in no order.  0 off a loop.
 */
size_t coil_all_tasks(struct coil_task *tasks[], size_t max);

/*
 * The task's name, "task-N" unless it was given one; good until it is set or
 * the handle is consumed.  Setting returns 0, -EINVAL (NULL), or -ENOMEM.
 */
const char *coil_task_name(const struct coil_task *task);
int coil_task_set_name(struct coil_task *task, const char *format, ...) COIL_PRINTF(2, 3);

/*
 * A variable of which every task has its own value, NULL until one is set; a child
 * starts with its creator's, as they are at that moment.  A function that runs in a
 * thread for a task sees that task's.  Setting returns 0, -EINVAL (var is NULL),
 * -ENOMEM, or -EPERM outside a task.  The value is the program's, and coil only
 * passes it on.
 */
struct coil_var {
	const char *name;	/* for people; may be NULL */
};

int coil_var_set(struct coil_var *var, void *value);
void *coil_var_get(const struct coil_var *var);

/*
 * Who is told of failures that nobody awaited, on the calling thread's loop.
 * NULL restores the default: one line on stderr that never blocks.  Off a loop
 * it does nothing.  The handler must not park.
 */
void coil_set_error_handler(void (*handler)(const struct coil_task *task, int error, void *arg),
			    void *arg);

#ifdef __cplusplus
}
#endif
#endif
