/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_LOCK_H
#define COIL_CORE_TASK_LOCK_H

/*
 * All locks of the process.  If another thread held one during a fork, it would stay
 * locked in the child for ever; so a fork takes all of them first.  A lock that lies in
 * an object, such as a channel or a loop's pool, belongs to the parent, as the object
 * does.
 */
enum process_lock {
	LOCK_LOOPS,		/* the list of loops */
	LOCK_OVERFLOW,		/* who uses the handler of SIGSEGV */
	LOCK_ABANDONABLE,	/* jobs that may outlive their loop */
	LOCK_TURNS,		/* blocking files that a thread reads */
	LOCK_CXX,		/* what is known of the C++ runtime */
	LOCK_MAPPING,		/* for ThreadSanitizer: see core/task/sanitize.h */
	PROCESS_LOCKS,
};

/* Taken in the order of the list, if more than one. */
void coil__lock(enum process_lock which);
void coil__unlock(enum process_lock which);

#endif
