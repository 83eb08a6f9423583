/* SPDX-License-Identifier: MIT */
#ifndef COIL_THREAD_H
#define COIL_THREAD_H

/*
 * Functions that can only block, or that only compute, run on threads beside the
 * loop, of which it keeps a bounded number, for these functions alone.  They see
 * their task's variables (coil_var_get), no signals, and no loop: parking calls
 * are -EPERM there.
 */

#include <coil/cdefs.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs fn(arg) on a thread and returns what it returned.  A request that is pending
 * at entry is returned and fn does not run; one that comes while fn waits for a
 * thread takes it back; once fn runs the call waits for its end whatever happens,
 * so that arg may lie on the stack.  -EINVAL (fn is NULL), -EPERM outside a task,
 * -ENOMEM, -EAGAIN when no thread could be made.
 */
COIL_MUST_CHECK int coil_to_thread(int (*fn)(void *arg), void *arg);

/*
 * The same on a thread of its own, but a request ends the wait at once and leaves
 * fn to itself: neither coil_run nor exit(3) waits for it.  arg is the job's from
 * the call on, in every case: release(arg), if not NULL, runs on some thread when
 * fn has returned, or instead of fn when it could not be started or was taken back.
 */
COIL_MUST_CHECK int coil_to_thread_abandonable(int (*fn)(void *arg), void *arg,
					       void (*release)(void *arg));

#ifdef __cplusplus
}
#endif
#endif
