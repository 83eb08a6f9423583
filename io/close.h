/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CLOSE_H
#define COIL_IO_CLOSE_H

/*
 * Closes a connection that was accepted a moment ago and that no operation names.
 * Never waits: an SO_LINGER that it has from its listener is turned off.
 */
void coil__close_accepted(int fd);

/*
 * Closes an fd that no operation names and whose result is not needed, such as one that
 * a peer passed.  Never waits: where close(2) may, a thread calls it, for which nobody
 * waits, the end of the loop included.  Of a socket coil__close_copy() does not change
 * SO_LINGER, as another fd keeps it open.
 */
void coil__close_unwanted(int fd);
void coil__close_copy(int fd);

#endif
