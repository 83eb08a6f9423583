/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_LOOP_FORK_H
#define COIL_CORE_LOOP_FORK_H

struct coil_loop;

/*
 * The child of a fork has no loop: every parking call there is -EPERM, the
 * backend's fds are closed, and a new coil_run works.
 */
void coil__fork_register(struct coil_loop *loop);
void coil__fork_unregister(struct coil_loop *loop);

#endif
