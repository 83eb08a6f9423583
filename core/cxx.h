/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_CXX_H
#define COIL_CORE_CXX_H

/*
 * In a C++ program: what the runtime keeps of the exceptions in flight belongs
 * to a task, not to a thread.  NULL in a C program.
 */
void *coil__cxx_globals(void);

/* An exception that leaves a task's function terminates with the task's name. */
void coil__cxx_name_tasks(void);

#endif
