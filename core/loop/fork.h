/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_LOOP_FORK_H
#define COIL_CORE_LOOP_FORK_H

struct coil_loop;

/*
 * Adds a loop to, or removes it from, the list that a fork goes through.  The child of
 * a fork has no loop: the fds of the listed loops' backends are closed, every parking
 * call returns -EPERM, and a new coil_run() works.
 */
void coil__fork_register(struct coil_loop *loop);
void coil__fork_unregister(struct coil_loop *loop);

#endif
