/* SPDX-License-Identifier: MIT */
#ifndef COIL_RUN_H
#define COIL_RUN_H

/*
 * coil_run() makes a loop on the calling thread and runs a function on it as
 * the main task.  When that has returned, the loop cancels the tasks that are
 * left, waits until they have ended, and is taken down.
 */

#include <coil/cdefs.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, even if <signal.h> declares only what ISO C has */

#ifdef __cplusplus
extern "C" {
#endif

struct coil_loop;

/* Zero is the default of each field.  reserved must be zero. */
struct coil_options {
	const char *backend;		/* "uring" or "epoll"; NULL: the first that opens */
	size_t stack_size;		/* bytes of a task's stack; 0: 64 KiB */
	unsigned entries;		/* of the submission ring; 0: 256 */
	unsigned flags;			/* must be 0 */
	const sigset_t *stop_signals;	/* the first cancels main, the second ends the process
					   (process 1 with exit status 128 + its number) */
	bool restrict_ring;		/* the ring refuses what coil does not use: coil_run(3) */
	unsigned lookups;		/* names looked up at a time in the process, at most
					   1024; 0: 16.  See coil_getaddrinfo() */
	uint64_t reserved[3];
};

/*
 * Runs fn(arg) as the main task of a new loop and blocks until all tasks of the
 * loop have ended.  options may be NULL.  Returns the result of fn.  On these
 * errors fn has not run:
 *	-EINVAL: fn is NULL, or an option is invalid
 *	-EBUSY: the thread has a loop already
 *	-ENOMEM, -EMFILE, -ENFILE: there is no memory, or no fd
 *	another error: that of the last backend that was tried
 * On these fn has run:
 *	-EINTR: a stop signal came, and fn then returned -ECANCELED
 *	-EDEADLK: nothing could ever have woken the tasks that were left; they
 *		were named on standard error and cancelled
 * SIGPIPE and SIGXFSZ are blocked in this thread during the run.  If a function
 * that coil_to_thread() runs keeps the run from ending, its task is named on
 * standard error, once a second.
 */
int coil_run(int (*fn)(void *arg), void *arg);
int coil_run_with(const struct coil_options *options, int (*fn)(void *arg), void *arg);

/*
 * Returns the number of the stop signal that came first in the calling thread's
 * run; 0 if none came.  On a loop that is the present run, off a loop the last
 * one.  On a worker's loop it is the signal that cancelled the main task.
 * Never parks.
 */
int coil_stop_signal(void);

/*
 * Return the backend of the calling thread's loop, "uring" or "epoll", and why
 * the loop uses it, as text for a person.  NULL off a loop.  The text is valid
 * as long as the loop.
 */
const char *coil_backend_name(void);
const char *coil_backend_reason(void);

/*
 * Returns the time at which this pass of the loop began, in nanoseconds on the
 * clock of coil_now(); -EPERM off a loop.  Reads no clock.  All tasks that run
 * in a pass get the same time, which is earlier than coil_now().  Use it for
 * log lines and rates, not to measure what one task does.  Never parks.
 */
int64_t coil_loop_now(void);

/*
 * coil_current_loop() returns the calling thread's loop, NULL if it has none.
 * Other threads may call that loop from then on, so its deadlocks are no longer
 * detected. coil_loop_ref() takes a reference and returns the loop.
 * coil_loop_unref() drops the reference.  Both accept NULL and work on every
 * thread.  A reference keeps the handle valid after the loop has ended.  None
 * of them parks.
 */
struct coil_loop *coil_current_loop(void);
struct coil_loop *coil_loop_ref(struct coil_loop *loop);
void coil_loop_unref(struct coil_loop *loop);

/*
 * Makes the loop call fn(arg) soon, outside any task.  The calls are made in
 * the order in which they were handed over.  fn must not park.  Works on every
 * thread, but not in a signal handler.  Returns 0, and then fn is sure to be
 * called.  On an error fn is not called:
 *	-EINVAL: loop or fn is NULL
 *	-ENOMEM: there is no memory
 *	-ESHUTDOWN: the loop has ended
 */
int coil_call_soon_threadsafe(struct coil_loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Runs fn(arg) as a task of that loop, blocks the calling thread until fn has
 * returned, and returns its result.  After ns nanoseconds cancels the task and
 * waits for its end.  arg may lie on the caller's stack.  On an error:
 *	-ETIMEDOUT: ns nanoseconds passed, and fn then returned -ECANCELED
 *	-EBUSY: the calling thread has a loop
 *	-EINVAL: loop or fn is NULL
 *	-ENOMEM: there is no memory
 *	-ESHUTDOWN: the loop has ended
 */
int coil_run_coroutine_threadsafe(struct coil_loop *loop, int (*fn)(void *arg), void *arg,
				  int64_t ns);

/* Zero is the default of each field.  reserved must be zero. */
struct coil_workers_options {
	unsigned n;			/* loops, at most 4096; 0: one for each processor */
	bool no_pin;			/* does not bind threads to processors */
	struct coil_options loop;	/* of each loop; stop_signals: see below */
	uint64_t reserved[4];
};

/*
 * Runs fn(arg) as the main task of n loops in n threads and blocks until all
 * have ended. options may be NULL.  If n is the number of processors that the
 * process may use, each thread is bound to one of them.  Threads that its loop
 * starts, and children of coil_process_spawn(), may run on all of them.  The
 * first failure, a negative result, cancels the other main tasks.  The first of
 * loop.stop_signals cancels all main tasks, the second ends the process.  With
 * several loops, or with stop_signals, deadlock detection is off while a loop's
 * main task runs.
 *
 * Returns the first failure or 0.  On an error:
 *	-EINTR: a stop signal came, and a main task then returned -ECANCELED
 *	-EINVAL: fn is NULL, or an option is invalid
 *	-EBUSY: the calling thread has a loop
 *	-EAGAIN: a thread could not be started; the main tasks of the others
 *		were cancelled
 *	-ENOMEM, -EMFILE, -ENFILE: there is no memory, or no fd
 */
int coil_run_workers_with(const struct coil_workers_options *options, int (*fn)(void *arg),
			  void *arg);

/* Does the same with n loops and all other options zero. */
int coil_run_workers(unsigned n, int (*fn)(void *arg), void *arg);

/*
 * Returns the index of the calling thread among the n threads, from 0; 0 on
 * others.
 */
unsigned coil_worker_index(void);

#ifdef __cplusplus
}
#endif
#endif
