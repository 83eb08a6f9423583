/* SPDX-License-Identifier: MIT */
#ifndef COIL_SIGNAL_H
#define COIL_SIGNAL_H

/*
 * Signals as something that tasks wait for, in place of handlers, of which only
 * little may be asked.  The program blocks them, in main() before coil_run() so
 * that every thread has them blocked; a signal then stays pending until a task
 * waits for it.
 */

#include <coil/cdefs.h>
#include <signal.h>
#include <sys/select.h> /* sigset_t, also where <signal.h> is no more than C's */

/* The same for siginfo_t, which no header of POSIX has in glibc's strict modes. */
#ifdef __has_include
#if __has_include(<bits/types/siginfo_t.h>)
#include <bits/types/siginfo_t.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The next signal of set, which is taken off the pending ones: its number, and
 * *info as sigwaitinfo(2) has it unless info is NULL.  Parks until there is one.
 *
 * Each signal goes to one task: of those whose sets have it the one that has
 * waited longest.  Where several loops wait any of them may get it; one that was
 * sent to a thread goes to tasks of that thread.  A standard signal that is sent
 * again before it was taken is one signal, realtime signals are all counted.
 *
 * A request that is pending at entry is returned; one that arrives later ends
 * the wait, unless a signal had been handed over: then that stands.  No signal
 * is lost: what nobody took stays pending.
 *
 * -EINVAL: set is NULL or empty, or has a signal that is not blocked in this
 * thread (SIGKILL and SIGSTOP never are).  -EBUSY: it has one of the run's
 * stop_signals, which end the run.  -ECANCELED, -ETIMEDOUT; -EPERM outside a
 * task; -EMFILE, -ENFILE, -ENOMEM: each task that is parked here has an fd.
 */
COIL_MUST_CHECK int coil_signal_wait(const sigset_t *set, siginfo_t *info);

#ifdef __cplusplus
}
#endif
#endif
