/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_LOCK_H
#define COIL_CORE_TASK_LOCK_H

/*
 * All locks of the process.  A lock that another thread holds during a fork would stay
 * locked in the child for ever.  So a fork first takes all of them.  A lock inside an
 * object, such as a channel or a loop's pool, is not among them: the object belongs to
 * the parent, and the child does not use it.
 */
enum process_lock {
	LOCK_LOOPS,		/* the list of loops */
	LOCK_OVERFLOW,		/* the users of the SIGSEGV handler */
	LOCK_ABANDONABLE,	/* jobs that may outlive their loop */
	LOCK_TURNS,		/* the turns of threads that read blocking files */
	LOCK_CXX,		/* the facts known about the C++ runtime */
	LOCK_MAPPING,		/* for ThreadSanitizer: see core/task/sanitize.h */
	PROCESS_LOCKS,
};

/* A thread that takes several locks takes them in the order of the list. */
void coil__lock(enum process_lock which);
void coil__unlock(enum process_lock which);

#endif
