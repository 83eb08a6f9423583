/* SPDX-License-Identifier: MIT */
#ifndef COIL_SIGNAL_H
#define COIL_SIGNAL_H

/*
 * Lets tasks wait for signals.  This replaces signal handlers, which may do
 * very little.  The program must block the signals, in main() before
 * coil_run(), so that every thread has them blocked.  A signal then stays
 * pending until a task waits for it.
 */

#include <coil/cdefs.h>
#include <signal.h>
#include <sys/select.h> /* sigset_t, also if <signal.h> has only what C requires */

/* siginfo_t: in glibc's strict modes no header of POSIX declares it. */
#ifdef __has_include
#if __has_include(<bits/types/siginfo_t.h>)
#include <bits/types/siginfo_t.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Takes the next pending signal of set.  Parks until there is one.  Returns its
 * number, and sets *info as sigwaitinfo(2) does, unless info is NULL.
 *
 * Each signal goes to one task: the longest waiter whose set has the signal.
 * If tasks of several loops wait, any of the loops may get it.  A signal that
 * was sent to a thread goes to a task of that thread.  A standard signal that
 * is sent twice before it is taken counts once; realtime signals are all
 * counted.
 *
 * If the caller was handed a signal before a cancellation arrived, the call
 * returns the signal.  No signal is lost: a signal that no task took stays
 * pending.
 *
 * On an error no signal was taken:
 *	-EINVAL: set is NULL or empty, or has a signal that is not blocked in
 *		this thread.  SIGKILL and SIGSTOP cannot be blocked.
 *	-EBUSY: set has one of the run's stop_signals, which end the run
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if a
 *		signal is pending) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EMFILE, -ENFILE, -ENOMEM: there was no fd, which each waiting task
 *		needs, or no memory
 */
COIL_MUST_CHECK int coil_signal_wait(const sigset_t *set, siginfo_t *info);

#ifdef __cplusplus
}
#endif
#endif
