/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_FD_H
#define COIL_CORE_FD_H

/*
 * What a loop knows of an fd, by its number: what is in flight for it, and what the
 * epoll engine has asked the kernel to watch.  Nothing that the kernel said of its
 * file is kept, as the number may mean another any time.
 */

#include <stdint.h>

struct coil_loop;
struct coil_task;
struct naming;

struct fd {
	struct naming *ops;		/* that name it */
	struct coil_task *closer;	/* waits until there are none, and closes it */
	uint32_t events;		/* the epoll engine's */
	uint32_t flags;
};

/* The entry of an fd, NULL when memory is out.  Moves when another is asked for. */
struct fd *coil__loop_fd(struct coil_loop *loop, int fd);

/*
 * What an engine that remembers fds has to be told of them (epoll.c says why; to the
 * others it is nothing): that one is about to be closed and no op names it any more,
 * and that one was just made, so that what is known of its number is not true of it.
 */
void coil__fd_closed(struct coil_loop *loop, int fd);
void coil__fd_made(struct coil_loop *loop, int fd);

/* S_IFREG and the like, or a negative errno.  Asks no file server. */
int coil__file_type(int fd);

#endif
