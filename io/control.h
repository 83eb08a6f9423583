/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CONTROL_H
#define COIL_IO_CONTROL_H

/* Control data of messages, and the fds in it. */

#include <stddef.h>
#include <sys/socket.h>

/*
 * Copies the fds that msg brought (SCM_RIGHTS) into fds, at most room of them.
 * Returns how many msg brought, which may be more than room.
 */
size_t coil__control_fds(const struct msghdr *msg, int fds[], size_t room);

/* Closes every fd that msg brought, pidfds included. */
void coil__control_close(const struct msghdr *msg);

#endif
