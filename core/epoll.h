/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_EPOLL_H
#define COIL_CORE_EPOLL_H

/*
 * What the epoll engine has to be told of fds: epoll.c says why.  With other
 * engines both do nothing.
 */

#include "core/loop.h"

/* fd is about to be closed, by close(2) or an op; no op names it any more. */
void coil__fd_closed(struct coil_loop *loop, int fd);

/* fd was just made: what is known of its number is not true of it. */
static inline void coil__fd_made(struct coil_loop *loop, int fd)
{
	if ((size_t)fd < loop->fd_count)
		loop->fds[fd].events = 0;
}

#endif
