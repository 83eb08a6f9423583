/* SPDX-License-Identifier: MIT */
#ifndef COIL_THREAD_H
#define COIL_THREAD_H

/*
 * These calls run a function on a thread beside the loop while the task is
 * parked.  They are for functions that can only block, or that compute for
 * long.  The threads are limited in number and run nothing else.  A function on
 * one sees the variables of its task (coil_var_get), receives no signals, and
 * has no loop: parking calls return -EPERM there.
 */

#include <coil/cdefs.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs fn(arg) on a thread and returns its result.  arg may lie on the caller's
 * stack.  On an error fn has not run:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry, or arrived
 *		while fn waited for a thread
 *	-EPERM: the caller is not a task
 *	-EINVAL: fn is NULL
 *	-ENOMEM: there is no memory
 *	-EAGAIN: no thread could be started, and none is running
 * Parks.  Once fn runs, the call waits for its end; the next parking call
 * returns a cancellation that arrived meanwhile.
 */
COIL_MUST_CHECK int coil_to_thread(int (*fn)(void *arg), void *arg);

/*
 * Does the same on a thread that coil_run() and exit(3) do not wait for.  A
 * cancellation ends the wait at once and leaves fn running.
 *
 * The job owns arg from the call on, whatever the call returns.  release(arg)
 * is called, if release is not NULL, when fn has returned, or instead of fn if
 * fn does not run.  It may be called on any thread.
 */
COIL_MUST_CHECK int coil_to_thread_abandonable(int (*fn)(void *arg), void *arg,
					       void (*release)(void *arg));

#ifdef __cplusplus
}
#endif
#endif
