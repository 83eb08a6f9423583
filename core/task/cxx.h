/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_CXX_H
#define COIL_CORE_TASK_CXX_H

/*
 * The C++ runtime keeps the exceptions in flight per thread, but each task has
 * its own.  So a switch exchanges the runtime's data.  dlopen(3) may load the
 * runtime while the loop runs.
 */

#include <stdbool.h>
#include <stdint.h>

struct coil_loop;

struct cxx {
	void *globals;			/* __cxa_get_globals(); NULL: no C++ yet */
	const void *const *watch;	/* *watch != NULL: a switch has work */
	uint64_t loaded;		/* objects ever loaded, at the last look */
	int64_t looked;			/* time of the last look */
};

/*
 * Looks for a C++ runtime.  Once it is found, an exception that leaves a task's
 * function ends the process with a message that names the task.
 */
void coil__cxx_look(struct coil_loop *loop);

/* Once a pass: looks again if *watch would not show a newly loaded object. */
void coil__cxx_look_again(struct coil_loop *loop);

#endif
