/* SPDX-License-Identifier: MIT */
#ifndef COIL_RUN_H
#define COIL_RUN_H

/*
 * The door into a loop.  coil_run() makes a loop on the calling thread, runs
 * fn(arg) on it as the main task, and takes the loop down when main has
 * returned and every task left over has been cancelled and has ended.
 */

#include <coil/cdefs.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_loop;

/* Zero is the default of each; reserved must be zero. */
struct coil_options {
	const char *backend;		/* "uring" or "epoll"; NULL: the best that serves */
	size_t stack_size;		/* bytes of a task's stack; 0: 64 KiB */
	unsigned entries;		/* of the submission ring; 0: 256 */
	unsigned flags;			/* must be 0 */
	const sigset_t *stop_signals;	/* the first cancels main, the second ends the process */
	uint64_t reserved[4];
};

/*
 * Runs fn(arg) as a task on a new loop and returns its result, or a negative
 * errno if no loop could be made: -EINVAL (fn is NULL, or an option makes no
 * sense), -EBUSY inside a task, -ENOMEM, -EMFILE, or what the engines said.
 * -EINTR if a stop signal came and main then returned -ECANCELED.  -EDEADLK if
 * all tasks came to wait for what nothing could ever bring: they are listed on
 * stderr and cancelled.  While it runs SIGPIPE is blocked in this thread.
 */
int coil_run(int (*fn)(void *arg), void *arg);
int coil_run_with(const struct coil_options *options, int (*fn)(void *arg), void *arg);

/*
 * The engine that serves the calling thread's loop, "uring" or "epoll", and
 * why it is this one, in words for a person.  NULL off a loop; the text lives
 * as long as the loop.
 */
const char *coil_backend_name(void);
const char *coil_backend_reason(void);

#ifdef __cplusplus
}
#endif
#endif
