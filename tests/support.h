/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SUPPORT_H
#define COIL_TESTS_SUPPORT_H

/*
 * What every suite stands on.  A program check_NAME.c defines suite(); main() is
 * in support.c and runs it once on each backend, sim, uring and epoll, or those
 * that COIL_TEST_BACKENDS lists with commas.
 *
 * Every test of every suite ends with the same open fds as it began with and no
 * block or mapping of the library's outstanding: a fixture that all cases have
 * looks, nobody has to ask for it.
 */

#include <check.h>
#include <coil/run.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;

/* NULL: not on this backend, see support_skip_on(). */
Suite *suite(void);

/* A test that runs as the main task of a loop; it passes when it returns. */
#define COIL_TEST(name)							\
	static void name##_body(void);					\
	static int name##_main(void *arg)				\
	{								\
		(void)arg;						\
		name##_body();						\
		return 0;						\
	}								\
	START_TEST(name)						\
	{								\
		support_run(name##_main);				\
	}								\
	END_TEST							\
	static void name##_body(void)

/* Runs fn on a loop; its result must be 0. */
void support_run(int (*fn)(void *arg));

/*
 * "sim", "uring" or "epoll"; whether time is simulated.  With COIL_TEST_RESTRICT in the
 * environment every ring is a restricted one.
 */
const char *support_backend(void);
bool support_simulated(void);
bool support_on_valgrind(void);

/*
 * True on that backend, and then prints one line that says so: a test returns, a
 * suite() returns NULL.
 */
bool support_skip_on(const char *backend, const char *reason);

/* False on that backend.  True on the others, and then prints such a line. */
bool support_skip_but_on(const char *backend, const char *reason);

/* 1, or how many times slower than usual everything is. */
int support_patience(void);

/* A number to begin a random sequence with, printed; COIL_TEST_SEED sets it. */
uint64_t support_seed(void);

/*
 * Memory that the library, or the test itself, asks for: malloc and its kin, and
 * mmap.  The n-th request from now fails, once (1: the next; 0: none).
 */
void support_fail_allocation(unsigned long n);
bool support_allocation_failed(void);
unsigned long support_allocations(void);	/* since the program began */
size_t support_outstanding(void);		/* bytes in blocks, not in mappings */

/* While true no thread can be started; or only so many more. */
void support_fail_threads(bool fail);
void support_limit_threads(unsigned long n);

/* Threads that were started, and calls of epoll_ctl(2), since the program began. */
unsigned long support_threads(void);
unsigned long support_epoll_ctls(void);

/*
 * The backend of simulated time.  Its clock stands still while there is anything
 * to do, and jumps to the next deadline when there is not: nothing is ready, no
 * thread has a job, and a look at the fds finds nothing.
 */
extern const struct backend coil__sim;
void sim_advance(int64_t ns);

/*
 * The nth op of that opcode from now (1: the next) completes with result and is
 * not done at all; is done, but moves at most so many bytes; or is not done, and
 * completes with result only after it was cancelled.
 */
void sim_script(int opcode, unsigned nth, int result);
void sim_script_short(int opcode, unsigned nth, unsigned most);
void sim_script_late(int opcode, unsigned nth, int result);

/*
 * What happened since the last sim_trace_begin(), as text: each completion and
 * each task that was made ready, in order, with the time.  On any backend.
 */
void sim_trace_begin(void);
const char *sim_trace(void);

#endif
