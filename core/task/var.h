/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_VAR_H
#define COIL_CORE_TASK_VAR_H

#include <stddef.h>

/*
 * A task's variables.  A new task shares the variables of its creator.  The
 * first of the two that sets a variable makes a copy.
 */
struct vars;

/* Takes a reference and returns vars.  NULL: no variable was ever set. */
struct vars *coil__vars_ref(struct vars *vars);
void coil__vars_unref(struct vars *vars);

/*
 * The variables that coil_var_get() reads on a thread without a loop: those of
 * the task whose job the thread runs.
 */
extern __thread struct vars *coil__thread_vars __attribute__((tls_model("initial-exec")));

#endif
