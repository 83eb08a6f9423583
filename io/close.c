/* SPDX-License-Identifier: MIT */
/*
 * Closing an fd.
 *
 * close(2) of a socket with SO_LINGER waits for the peer, O_NONBLOCK or not.  It
 * frees the number before it waits, so the next file may have the number while
 * the old one still lingers.  Therefore the loop never connects the number with
 * the wait: a duplicate takes over the socket, the number is closed at once and
 * forgotten, and a thread of the pool closes the duplicate.
 */
#include <coil/socket.h>
#include "core/loop.h"
#include "core/op.h"
#include "io/close.h"
#include "io/wait.h"
#include <coil/task.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static bool lingers(int fd)
{
	struct linger linger;
	socklen_t len = sizeof(linger);

	return !getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) &&
	       linger.l_onoff && linger.l_linger;
}

/* The kernel sends what is left all the same, but close(2) does not wait. */
static void do_not_linger(int fd)
{
	const struct linger off = {0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* Whatever it returns, the fd is closed. */
static int close_now(int fd)
{
	return close(fd) && errno != EINTR ? -errno : 0;
}

static int close_later(void *arg)
{
	return close_now(*(int *)arg);
}

static int close_and_linger(int fd)
{
	int copy = coil_current_task() ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	int err;

	if (copy < 0)
		do_not_linger(fd);
	close_now(fd);
	coil__op_close_end(fd);
	if (copy < 0)
		return 0;
	err = coil__run_in_pool(close_later, &copy, "close");
	if (err == -ENOMEM || err == -EAGAIN) {
		do_not_linger(copy);
		err = close_now(copy);
	}
	return err;
}

void coil__close_accepted(int fd)
{
	if (lingers(fd))
		do_not_linger(fd);
	close(fd);
}

int coil_close(int fd)
{
	int err;

	if (fd < 0)
		return -EBADF;
	err = coil__op_close_begin(fd);
	if (err)
		return err;
	coil__steps_closed(fd);
	coil__fd_closed(coil__loop, fd);
	if (coil__loop != &coil__nowhere && lingers(fd))
		return close_and_linger(fd);
	err = close_now(fd);
	coil__op_close_end(fd);
	return err;
}
