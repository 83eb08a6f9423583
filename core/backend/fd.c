/* SPDX-License-Identifier: MIT */
#include "core/backend/fd.h"
#include "core/task/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct fd *coil__loop_fd(struct coil_loop *loop, int fd)
{
	size_t count = loop->io.fd_count ? loop->io.fd_count : 64;
	struct fd *fds;

	if ((size_t)fd < loop->io.fd_count)
		return &loop->io.fds[fd];
	/* A wrong number, up to 2^31, must not make the table grow. */
	if (fcntl(fd, F_GETFD) < 0)
		return NULL;
	while (count <= (size_t)fd)
		count *= 2;
	fds = aligned_alloc(sizeof(*fds), count * sizeof(*fds));
	if (!fds)
		return NULL;
	if (loop->io.fds)
		memcpy(fds, loop->io.fds, loop->io.fd_count * sizeof(*fds));
	memset(fds + loop->io.fd_count, 0, (count - loop->io.fd_count) * sizeof(*fds));
	/* The first op of each list points back at its head, which moved. */
	for (size_t i = 0; i < loop->io.fd_count; i++) {
		if (fds[i].ops)
			fds[i].ops->link = &fds[i].ops;
	}
	free(loop->io.fds);
	loop->io.fds = fds;
	loop->io.fd_count = count;
	return &fds[fd];
}

void coil__fd_made(struct coil_loop *loop, int fd)
{
	if ((size_t)fd < loop->io.fd_count)
		loop->io.fds[fd].events = loop->io.fds[fd].guess = 0;
}

/* How many calls a guess serves.  It counts towards 0, from above for yes, below for no. */
enum { GUESSES = 64, UNCACHED = 16 };

static bool fd_is_cached(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & (O_DIRECT | O_PATH)) && coil__file_type(fd) == S_IFREG;
}

bool coil__fd_cached(struct coil_loop *loop, int fd)
{
	struct fd *entry = coil__loop_fd(loop, fd);

	if (unlikely(!entry) || entry->closer)
		return false;
	if (unlikely(!entry->guess))
		entry->guess = fd_is_cached(fd) ? GUESSES : -GUESSES;
	if (entry->guess < 0) {
		entry->guess++;
		return false;
	}
	entry->guess--;
	return true;
}

void coil__fd_uncached(struct coil_loop *loop, int fd)
{
	loop->io.fds[fd].guess = -UNCACHED;
}

static int ask_type(int fd)
{
	struct statx stat;
	struct stat old;

	if (!statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stat))
		return stat.stx_mode & S_IFMT;
	if (errno != EBADF && !fstat(fd, &old))
		return old.st_mode & S_IFMT;
	return -errno;
}

/* Without flags sync_file_range(2) only checks the type of the file. */
bool coil__is_file(int fd)
{
	int type;

	if (!sync_file_range(fd, 0, 0, 0))
		return true;
	if (errno == ESPIPE || errno == EBADF)
		return false;
	type = ask_type(fd);
	return type == S_IFREG || type == S_IFBLK || type == S_IFDIR;
}

/* The kernel answers FIONREAD for a regular file from memory. */
int coil__file_type(int fd)
{
	int unread;

	if (coil__is_file(fd) && !ioctl(fd, FIONREAD, &unread))
		return S_IFREG;
	return ask_type(fd);
}

bool coil__is_pipe(int fd)
{
	return fcntl(fd, F_GETPIPE_SZ) >= 0;
}

bool coil__file_in_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}
