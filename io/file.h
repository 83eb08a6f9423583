/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_FILE_H
#define COIL_IO_FILE_H

/* Ops at a file's own position, which the ring does not always move: see file.c. */

#include <sys/types.h>

struct op;

/* As coil__op_run(), and then the position is where it has to be. */
ssize_t coil__run_at_position(struct op *op);

/*
 * For an op that no task waits for: op began at from and its result is n, and the
 * fd is still its owner's.
 */
void coil__settle_position(const struct op *op, off_t from, ssize_t n);

#endif
