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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, also where <signal.h> is no more than C's */

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
	const sigset_t *stop_signals;	/* the first cancels main, the second ends the process
					   (process 1 with exit status 128 + its number) */
	bool restrict_ring;		/* the ring refuses what coil does not use: coil_run(3) */
	unsigned lookups;		/* names looked up at a time in the process, at most
					   1024; 0: 16.  See coil_getaddrinfo() */
	uint64_t reserved[3];
};

/*
 * Runs fn(arg) as a task on a new loop and returns its result, or a negative
 * errno if no loop could be made: -EINVAL (fn is NULL, or an option makes no
 * sense), -EBUSY inside a task, -ENOMEM, -EMFILE, or what the backends returned.
 * -EINTR if a stop signal came and main then returned -ECANCELED.  -EDEADLK if
 * all tasks came to wait for what nothing could ever bring: they are listed on
 * stderr and cancelled.  While it runs SIGPIPE and SIGXFSZ are blocked in this
 * thread.  Tasks whose functions on threads (coil_to_thread) keep it from ending
 * are named on stderr, once a second.
 */
int coil_run(int (*fn)(void *arg), void *arg);
int coil_run_with(const struct coil_options *options, int (*fn)(void *arg), void *arg);

/*
 * Returns the number of the stop signal that came first in the calling thread's run;
 * 0 if none came.  On a loop that is the present run, off a loop the last one.  On a
 * worker's loop it is the signal that cancelled the main task.  Never parks.
 */
int coil_stop_signal(void);

/*
 * Return the backend that serves the calling thread's loop, "uring" or "epoll", and
 * why it is this one, in words for a person.  NULL off a loop.  The text is the loop's
 * and lives as long as it.
 */
const char *coil_backend_name(void);
const char *coil_backend_reason(void);

/*
 * Returns the time at which this pass of the loop began, in nanoseconds on the clock
 * of coil_now(); -EPERM off a loop.  Reads no clock.  All tasks that run in a pass
 * see the same time, which is earlier than coil_now().  It serves for log lines and
 * rates, not for measuring what one task does.  Never parks.
 */
int64_t coil_loop_now(void);

/*
 * coil_current_loop() returns the calling thread's loop, NULL if it has none.  From then
 * on other threads may call that loop, so deadlocks of it are no longer detected.
 * coil_loop_ref() takes a reference and returns it, coil_loop_unref() gives it back; both
 * accept NULL and work on every thread.  A reference keeps the handle valid after the
 * loop has ended.  None of them parks.
 */
struct coil_loop *coil_current_loop(void);
struct coil_loop *coil_loop_ref(struct coil_loop *loop);
void coil_loop_unref(struct coil_loop *loop);

/*
 * Has the loop call fn(arg) soon, outside any task, in the order of asking.  From
 * any thread, not from a signal handler.  Returns 0, then fn is sure to be called;
 * -EINVAL (NULL), -ENOMEM, or -ESHUTDOWN on a loop that has ended.
 */
int coil_call_soon_threadsafe(struct coil_loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Runs fn(arg) as a task of that loop and blocks the calling thread, which must
 * have no loop (-EBUSY), until it has returned: its result.  After ns nanoseconds
 * the task is cancelled and still waited for: -ETIMEDOUT if it then returned
 * -ECANCELED.  -EINVAL (NULL), -ENOMEM, -ESHUTDOWN on a loop that has ended.
 */
int coil_run_coroutine_threadsafe(struct coil_loop *loop, int (*fn)(void *arg), void *arg,
				  int64_t ns);

/* Zero is the default of each; reserved must be zero. */
struct coil_workers_options {
	unsigned n;			/* loops, at most 4096; 0: one for each processor */
	bool no_pin;			/* binds no thread to a processor */
	struct coil_options loop;	/* of each loop; stop_signals: see below */
	uint64_t reserved[4];
};

/*
 * Runs fn(arg) as the main task of n loops in n threads.  options may be NULL.  If n is
 * the number of processors that the process may use, each thread is bound to one of
 * them; threads that its loop starts, and children of coil_process_spawn(), may run on
 * all of them.  The first of loop.stop_signals cancels all main tasks, the second ends
 * the process.  The first failure, a negative result, cancels the other main tasks.
 * With several loops, or with stop_signals, deadlock detection is off while a loop's
 * main task runs.
 *
 * Blocks until all have ended.  Returns the first failure or 0; -EINTR if a stop signal
 * came and a main task then returned -ECANCELED; -EINVAL (fn is NULL, or an option makes
 * no sense), -ENOMEM, -EMFILE, -ENFILE, -EBUSY on a thread with a loop, -EAGAIN if a
 * thread could not be made (those made are cancelled).
 */
int coil_run_workers_with(const struct coil_workers_options *options, int (*fn)(void *arg),
			  void *arg);

/* Does the same with n loops and all other options zero. */
int coil_run_workers(unsigned n, int (*fn)(void *arg), void *arg);

/* Which of them this is, from 0 on; 0 elsewhere. */
unsigned coil_worker_index(void);

#ifdef __cplusplus
}
#endif
#endif
