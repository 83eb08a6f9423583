/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_VAR_H
#define COIL_CORE_VAR_H

#include <stddef.h>

/*
 * A task's variables.  A child shares its creator's until one of them sets
 * something: then that one makes a copy.
 */
struct vars;

/* One more holder; NULL is a task that never set any. */
struct vars *coil__vars_ref(struct vars *vars);
void coil__vars_unref(struct vars *vars);

/* What coil_var_get looks at on a thread without a loop: a job's task's. */
extern __thread struct vars *coil__thread_vars __attribute__((tls_model("initial-exec")));

#endif
