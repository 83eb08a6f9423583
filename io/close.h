/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CLOSE_H
#define COIL_IO_CLOSE_H

/*
 * Closes a connection that was accepted a moment ago and that no operation names.
 * Never waits: an SO_LINGER that it has from its listener is turned off.
 */
void coil__close_accepted(int fd);

#endif
