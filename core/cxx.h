/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_CXX_H
#define COIL_CORE_CXX_H

/*
 * In a C++ program: what the runtime keeps of the exceptions in flight belongs
 * to a task, not to a thread.  C++ may come while the loop runs, by dlopen(3).
 */

#include <stdbool.h>
#include <stdint.h>

struct coil_loop;

struct cxx {
	void *globals;			/* __cxa_get_globals(); NULL: there is no C++ yet */
	const void *const *watch;	/* a switch has work to do while *watch is not NULL */
	uint64_t loaded;		/* how many libraries had ever been, when last looked */
	int64_t looked;			/* when that was */
};

/*
 * Looks whether there is C++.  An exception that leaves a task's function then
 * terminates with the task's name.
 */
void coil__cxx_look(struct coil_loop *loop);

/* Once a pass: looks again if a library that was loaded would not show in *watch. */
void coil__cxx_look_again(struct coil_loop *loop);

#endif
