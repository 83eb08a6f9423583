/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CONTROL_H
#define COIL_IO_CONTROL_H

/* Control data of messages, and the fds in it. */

#include <stddef.h>
#include <sys/socket.h>

/*
 * The fds that msg brought: how many, of which those that there is room for are
 * put into fds.
 */
size_t coil__control_fds(const struct msghdr *msg, int fds[], size_t room);

/* Closes every fd that msg brought, and for which nobody asked. */
void coil__control_close(const struct msghdr *msg);

#endif
