/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_CLOSE_H
#define COIL_IO_CLOSE_H

/*
 * Closes an accepted connection that no operation names yet.  Never waits:
 * turns off an SO_LINGER that the connection inherited from its listener.
 */
void coil__close_accepted(int fd);

/*
 * Both close an fd that no operation names and whose close(2) result is not
 * needed, such as an fd that a peer passed.  If close(2) may wait, a detached
 * thread calls it; neither the caller nor the end of the loop waits for that
 * thread.  If no thread can be started, the caller's thread closes the fd and
 * may wait.
 *
 * coil__close_copy() is for a duplicate: it does not change a socket's
 * SO_LINGER, because another fd keeps the socket open.
 */
void coil__close_unwanted(int fd);
void coil__close_copy(int fd);

#endif
