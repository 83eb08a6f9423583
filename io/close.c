/* SPDX-License-Identifier: MIT */
/*
 * Closing an fd.
 *
 * close(2) of a socket with SO_LINGER waits for the peer, even with O_NONBLOCK.
 * It frees the number before it waits, so another file may get the number while
 * the old socket still lingers.  So coil keeps the number out of the wait: a
 * duplicate takes over the socket, the number is closed at once, and a thread
 * of the pool closes the duplicate.
 *
 * close(2) of a file may wait as well: for the server of a FUSE or network file
 * system, which gets the written data; for the disk, which frees the blocks of
 * a file without a name; or for a terminal's output.  Each close sends the
 * data, that of a duplicate too, so a thread has to close the number itself.
 * The thread closes a duplicate first, to get the error.  Then it does not free
 * the number but gives it to another file of the loop, and only the loop's
 * thread frees it.  So no call can reach the next file that gets the number.
 */
#include <coil/socket.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/backend/pool.h"
#include "io/close.h"
#include "io/wait.h"
#include <coil/task.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

static bool is_socket(int fd, struct linger *linger)
{
	socklen_t len = sizeof(*linger);

	return !getsockopt(fd, SOL_SOCKET, SO_LINGER, linger, &len);
}

static bool lingers(int fd)
{
	struct linger linger;

	return is_socket(fd, &linger) && linger.l_onoff && linger.l_linger;
}

/*
 * Whether the file was open for reading only, and has a name, so that its
 * blocks stay.  A file system that knows RWF_NOWAIT sends nothing at a close;
 * the read is beyond the end of any file, so it finds nothing.
 */
static bool was_read_only(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct statx stat;
	struct iovec one = { &stat, 1 };

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY &&
	       !preadv2(fd, &one, 1, INT64_MAX - 1, RWF_NOWAIT) &&
	       !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &stat) &&
	       stat.stx_nlink;
}

/*
 * A newer kernel reports a pidfd as a regular file.  Signal 0 sends nothing,
 * and the call refuses any other file without asking that file's server.
 */
static bool is_pidfd(int fd)
{
	return !syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) || errno == ESRCH;
}

static bool may_wait(int fd)
{
	if (coil__is_pipe(fd))
		return false;
	if (!coil__is_file(fd))
		return coil__file_type(fd) == S_IFCHR;
	return !was_read_only(fd) && !is_pidfd(fd);
}

/* The kernel still sends what is left, but close(2) does not wait. */
static void do_not_linger(int fd)
{
	const struct linger off = {0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* close(2) frees the fd whatever it returns, so -EINTR is no error. */
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

struct closing {
	int fd;
	int copy;
	int other;		/* a file of the loop that takes over the number */
};

static int close_file(void *arg)
{
	const struct closing *closing = arg;
	int err = close_now(closing->copy);

	dup3(closing->other, closing->fd, O_CLOEXEC);
	return err;
}

static int close_slowly(int fd)
{
	struct closing closing = {
		.fd = fd,
		.copy = fcntl(fd, F_DUPFD_CLOEXEC, 3),
		.other = coil__loop->io.backend_fds[1],
	};
	int err = -EAGAIN, last;

	if (closing.copy >= 0)
		err = coil__run_in_pool(close_file, &closing, "close");
	/*
	 * No fd is free for the copy, or no thread takes the job: the loop's
	 * thread closes, and waits.
	 */
	if (err == -EAGAIN || err == -ENOMEM) {
		err = closing.copy >= 0 ? close_now(closing.copy) : 0;
		last = close_now(fd);
		err = err ? err : last;
	} else {
		close_now(fd);
	}
	coil__op_close_end(fd);
	return err;
}

/* An fd that a detached thread closes; no task waits for it. */
struct unwanted {
	struct abandonable_job job;
	int fd;
};

static void close_unwanted(struct abandonable_job *job)
{
	close(container_of(job, struct unwanted, job)->fd);
}

static void close_forget(struct abandonable_job *job)
{
	free(container_of(job, struct unwanted, job));
}

static bool close_behind(int fd)
{
	struct unwanted *unwanted = malloc(sizeof(*unwanted));

	if (!unwanted)
		return false;
	unwanted->fd = fd;
	unwanted->job = (struct abandonable_job){
		.kind = ABANDONABLE_CLOSES, .work = close_unwanted, .release = close_forget,
	};
	if (!coil__pool_abandonable(NULL, &unwanted->job))
		return true;
	free(unwanted);
	return false;
}

void coil__close_copy(int fd)
{
	if (!may_wait(fd) || !close_behind(fd))
		close(fd);
}

void coil__close_unwanted(int fd)
{
	struct linger linger;

	if (is_socket(fd, &linger))
		coil__close_accepted(fd);
	else
		coil__close_copy(fd);
}

void coil__close_accepted(int fd)
{
	if (lingers(fd))
		do_not_linger(fd);
	close(fd);
}

int coil_close(int fd)
{
	struct linger linger;
	int err;

	if (fd < 0)
		return -EBADF;
	err = coil__op_close_begin(fd);
	if (err)
		return err;
	coil__close_guard_closed(fd);
	coil__fd_closed(coil__loop, fd);
	if (coil__loop != &coil__no_loop) {
		if (is_socket(fd, &linger)) {
			if (linger.l_onoff && linger.l_linger)
				return close_and_linger(fd);
		} else if (may_wait(fd)) {
			if (coil_current_task())
				return close_slowly(fd);
			coil__op_close_end(fd);
			coil__close_unwanted(fd);
			return 0;
		}
	}
	err = close_now(fd);
	coil__op_close_end(fd);
	return err;
}
