/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_LOOP_LOOP_H
#define COIL_CORE_LOOP_LOOP_H

#include "core/task/loop.h"
#include <coil/run.h>

/* Returns 0, or -EINVAL if an option makes no sense. */
int coil__options_check(const struct coil_options *options);

int coil__loop_open(struct coil_loop **loop, const struct coil_options *options);
void coil__loop_close(struct coil_loop *loop);
void coil__loop_unref(struct coil_loop *loop);

/* What a parked task waits for, in a word or two. */
const char *coil__task_waits_for(const struct coil_task *task);

/* Passes until the main task, and after it every other, has ended. */
void coil__loop_run(struct coil_loop *loop);

#endif
