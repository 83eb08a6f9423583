/* SPDX-License-Identifier: MIT */
#include "core/fd.h"
#include "core/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fd *coil__loop_fd(struct coil_loop *loop, int fd)
{
	size_t count = loop->fd_count ? loop->fd_count : 64;
	struct fd *fds;

	if ((size_t)fd < loop->fd_count)
		return &loop->fds[fd];
	while (count <= (size_t)fd)
		count *= 2;
	fds = realloc(loop->fds, count * sizeof(*fds));
	if (!fds)
		return NULL;
	memset(fds + loop->fd_count, 0, (count - loop->fd_count) * sizeof(*fds));
	/* The first op of each list points back at its head, which moved. */
	for (size_t i = 0; i < loop->fd_count; i++) {
		if (fds[i].ops)
			fds[i].ops->link = &fds[i].ops;
	}
	loop->fds = fds;
	loop->fd_count = count;
	return &fds[fd];
}

/* What is known; or none, where there is no place for it. */
static struct fd *known(struct coil_loop *loop, int fd, struct fd *none)
{
	return (size_t)fd < loop->fd_count ? &loop->fds[fd] : none;
}

void coil__fd_forget(struct coil_loop *loop, int fd)
{
	struct fd none, *it = known(loop, fd, &none);

	it->type = 0;
	it->seeks = it->streams = false;
}

void coil__fd_made(struct coil_loop *loop, int fd)
{
	struct fd none, *it = known(loop, fd, &none);

	it->events = 0;
	coil__fd_forget(loop, fd);
}

bool coil__fd_seeks(struct coil_loop *loop, int fd)
{
	struct fd none = {0}, *it = known(loop, fd, &none);

	if (!it->seeks)
		it->seeks = lseek(fd, 0, SEEK_CUR) >= 0;
	return it->seeks;
}

int coil__fd_type(struct coil_loop *loop, int fd)
{
	struct fd none = {0}, *it = known(loop, fd, &none);
	int type = it->type ? it->type : coil__file_type(fd);

	if (type > 0)
		it->type = (uint16_t)type;
	return type;
}

bool coil__fd_streams(struct coil_loop *loop, int fd)
{
	struct fd none = {0}, *it = known(loop, fd, &none);
	socklen_t len = sizeof(int);
	int type;

	if (!it->streams)
		it->streams = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
			      type == SOCK_STREAM;
	return it->streams;
}

int coil__file_type(int fd)
{
	struct statx stat;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stat))
		return -errno;
	return stat.stx_mode & S_IFMT;
}
