/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_SIGNAL_H
#define COIL_IO_SIGNAL_H

/*
 * What coil_select() needs of signals.  The functions are not public: sigpending(2)
 * and sigtimedwait(2) do the same in a program that has no task in coil_signal_wait().
 */

#include <signal.h>

/*
 * Takes the next signal of set without parking: its number, or -EAGAIN if the tasks
 * that wait for signals leave none.  Ignores cancellation.  -EINVAL and -EBUSY as
 * coil_signal_wait(), -EPERM outside a task.
 */
int coil__signal_take(const sigset_t *set, siginfo_t *info);

/*
 * Returns the lowest signal of set that is pending for this thread or the process, 0
 * if none is.  The signal stays pending.  -EINVAL and -EBUSY as coil_signal_wait().
 */
int coil__signal_pending(const sigset_t *set);

#endif
