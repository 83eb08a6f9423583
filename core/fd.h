/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_FD_H
#define COIL_CORE_FD_H

/*
 * What a loop knows of an fd, by its number.  What the kernel said of its file is
 * remembered, as asking is dear, until coil_close() closes it or coil makes another
 * of that number.  A program that closes it by close(2), and has the number mean
 * something else, has its mistakes told less well: nothing else hangs on it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct coil_loop;
struct coil_task;
struct naming;

struct fd {
	struct naming *ops;		/* that name it */
	struct coil_task *closer;	/* waits until there are none, and closes it */
	uint32_t events;		/* the epoll engine's */
	uint32_t flags;
	uint16_t type;			/* S_IFREG and the like; 0: not asked yet */
	bool seeks;			/* it has positions */
	bool streams;			/* a socket of SOCK_STREAM */
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

/* Of its file. */
void coil__fd_forget(struct coil_loop *loop, int fd);

/* Whether a file has positions to read and write at, else errno says why not. */
bool coil__fd_seeks(struct coil_loop *loop, int fd);

/* S_IFREG and the like, or a negative errno. */
int coil__fd_type(struct coil_loop *loop, int fd);

/* Whether a socket is one of SOCK_STREAM. */
bool coil__fd_streams(struct coil_loop *loop, int fd);

/* S_IFREG and the like, or a negative errno, asked now.  Asks no file server. */
int coil__file_type(int fd);

#endif
