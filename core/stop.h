/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_STOP_H
#define COIL_CORE_STOP_H

#include "core/op.h"
#include <signal.h>
#include <sys/signalfd.h>

/* All standard signals can be pending at a time. */
enum { STOP_SIGNALS = 32 };

/*
 * Signals that end a run: the first cancels main, the second ends the process as
 * it would have done without us.
 */
struct stop {
	struct op op;
	struct coil_loop *loop;		/* NULL: none were asked for */
	int fd;
	unsigned seen;
	sigset_t signals;
	sigset_t mask;			/* of the thread, before */
	struct signalfd_siginfo info[STOP_SIGNALS];
};

int coil__stop_begin(struct stop *stop, struct coil_loop *loop, const sigset_t *signals);
void coil__stop_end(struct stop *stop);

/*
 * Opens a signalfd for them; sets what coil_stop_signal() returns in this thread; ends
 * the process by a signal.
 */
int coil__stop_open(const sigset_t *signals);
void coil__stop_note(int number);
void coil__stop_process(int number) __attribute__((noreturn));

#endif
