/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_LOOP_LOOP_H
#define COIL_CORE_LOOP_LOOP_H

#include "core/task/loop.h"
#include <coil/run.h>

/* Returns 0, or -EINVAL if an option is invalid. */
int coil__options_check(const struct coil_options *options);

/* Creates a loop and opens its backend.  Returns 0 or a negative errno. */
int coil__loop_open(struct coil_loop **loop, const struct coil_options *options);
/*
 * coil__loop_close() frees what the loop owns, and drops the reference of
 * coil__loop_open().  coil__loop_unref() frees the loop with the last reference.
 */
void coil__loop_close(struct coil_loop *loop);
void coil__loop_unref(struct coil_loop *loop);

/* Returns what a parked task waits for, in one or two words. */
const char *coil__task_waits_for(const struct coil_task *task);

/* Runs passes until the main task and then all other tasks have ended. */
void coil__loop_run(struct coil_loop *loop);

#endif
