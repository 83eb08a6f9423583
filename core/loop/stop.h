/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_LOOP_STOP_H
#define COIL_CORE_LOOP_STOP_H

#include "core/backend/op.h"
#include <signal.h>
#include <sys/signalfd.h>

/* Room for all standard signals: they can be pending at the same time. */
enum { STOP_SIGNALS = 32 };

/*
 * The signals that end a run.  The first one cancels main.  The second one
 * ends the process, as it would without coil.
 */
struct stop {
	struct op op;
	struct coil_loop *loop;		/* NULL: the program named no signals */
	int fd;
	unsigned seen;
	sigset_t signals;
	sigset_t mask;			/* the thread's mask before the run */
	struct signalfd_siginfo info[STOP_SIGNALS];
};

int coil__stop_begin(struct stop *stop, struct coil_loop *loop, const sigset_t *signals);
void coil__stop_end(struct stop *stop);

/* Returns a signalfd for the signals, or a negative error. */
int coil__stop_open(const sigset_t *signals);

/* Sets what coil_stop_signal() returns in this thread. */
void coil__stop_note(int number);

/* Ends the process by a signal. */
void coil__stop_process(int number) __attribute__((noreturn));

#endif
