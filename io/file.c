/* SPDX-License-Identifier: MIT */
#include <coil/file.h>
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/backend/uring_abi.h"
#include "io/wait.h"
#include <coil/time.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file's own position; also for a file that has none. */
#define POSITION UINT64_MAX

static int check_vector(int fd, const struct iovec *iov, int n)
{
	if (fd >= 0 && (n < 0 || n > IOV_MAX))
		return -EINVAL;
	return check_buffer(fd, iov, (size_t)n);
}

/* An op takes offset -1 for the file's position, so it is refused here. */
static int file_check_offset(int fd, const void *buf, size_t len, off_t offset)
{
	int err = check_buffer(fd, buf, len);

	if (err)
		return err;
	return offset < 0 ? -EINVAL : 0;
}

ssize_t coil_read(int fd, void *buf, size_t len)
{
	struct op op = {0};
	int err = check_buffer(fd, buf, len);

	if (err)
		return err;
	io_uring_prep_read(&op.sqe, fd, buf, op_cut(len), POSITION);
	return coil__op_run(&op);
}

ssize_t coil_write(int fd, const void *buf, size_t len)
{
	struct op op = {0};
	int err = check_buffer(fd, buf, len);

	if (err)
		return err;
	io_uring_prep_write(&op.sqe, fd, buf, op_cut(len), POSITION);
	return coil__op_run(&op);
}

/* On a file that takes no bytes coil_write_all() would never end. */
static ssize_t write_some(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = coil_write(fd, buf, len);

	(void)flags;
	return n ? n : -EIO;
}

ssize_t coil_write_all(int fd, const void *buf, size_t len)
{
	return coil__move_all(write_some, fd, (void *)buf, len, 0, NULL);
}

ssize_t coil_readv(int fd, const struct iovec *iov, int n)
{
	struct op op = {0};
	int err = check_vector(fd, iov, n);

	if (err)
		return err;
	io_uring_prep_readv(&op.sqe, fd, iov, (unsigned)n, POSITION);
	return coil__op_run(&op);
}

ssize_t coil_writev(int fd, const struct iovec *iov, int n)
{
	struct op op = {0};
	int err = check_vector(fd, iov, n);

	if (err)
		return err;
	io_uring_prep_writev(&op.sqe, fd, iov, (unsigned)n, POSITION);
	return coil__op_run(&op);
}

ssize_t coil_pread(int fd, void *buf, size_t len, off_t offset)
{
	struct op op = {0};
	int err = file_check_offset(fd, buf, len, offset);

	if (err)
		return err;
	io_uring_prep_read(&op.sqe, fd, buf, op_cut(len), (uint64_t)offset);
	return coil__op_run(&op);
}

ssize_t coil_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	struct op op = {0};
	int err = file_check_offset(fd, buf, len, offset);

	if (err)
		return err;
	io_uring_prep_write(&op.sqe, fd, buf, op_cut(len), (uint64_t)offset);
	return coil__op_run(&op);
}

/*
 * If the kernel has the path in memory, the ring opens the file at once, in the
 * loop's thread.  That waits for the server of a FUSE or network file system.
 * So IOSQE_ASYNC has one of the ring's own threads open the file.
 */
static void prepare_open(struct op *op, int dir, const char *path, int flags, mode_t mode)
{
	io_uring_prep_openat(&op->sqe, dir, path, flags, mode);
	op->sqe.flags |= IOSQE_ASYNC;
}

/*
 * Whether the path is a FIFO is known only after the open.  With O_NONBLOCK the
 * open of a FIFO does not wait for a peer.  The flag is removed again from any
 * other file.
 */
int coil_openat(int dir, const char *path, int flags, mode_t mode)
{
	bool blocking = !(flags & (O_NONBLOCK | O_PATH));
	struct op op = {0};
	int fd;

	if (!path)
		return -EFAULT;
	flags |= O_CLOEXEC;
	prepare_open(&op, dir, path, blocking ? flags | O_NONBLOCK : flags, mode);
	fd = (int)coil__op_run(&op);
	if (fd == -EAGAIN && blocking) {
		/* Another process holds a lease, so the open has to wait for it. */
		op = (struct op){0};
		prepare_open(&op, dir, path, flags, mode);
		fd = (int)coil__op_run(&op);
	} else if (fd >= 0 && blocking && !coil__is_pipe(fd)) {
		fcntl(fd, F_SETFL, flags);
	}
	if (fd >= 0)
		coil__fd_made(coil__loop, fd);
	return fd;
}

int coil_open(const char *path, int flags, mode_t mode)
{
	return coil_openat(AT_FDCWD, path, flags, mode);
}

int coil_fsync(int fd)
{
	struct op op = {0};

	if (fd < 0)
		return -EBADF;
	io_uring_prep_fsync(&op.sqe, fd, 0);
	return (int)coil__op_run(&op);
}

int coil_fdatasync(int fd)
{
	struct op op = {0};

	if (fd < 0)
		return -EBADF;
	io_uring_prep_fsync(&op.sqe, fd, IORING_FSYNC_DATASYNC);
	return (int)coil__op_run(&op);
}

int coil_statx(int dir, const char *path, int flags, unsigned mask,
	       struct statx *statxbuf)
{
	struct op op = {0};

	if (!path || !statxbuf)
		return -EFAULT;
	io_uring_prep_statx(&op.sqe, dir, path, flags, mask, statxbuf);
	return (int)coil__op_run(&op);
}

int coil_unlinkat(int dir, const char *path, int flags)
{
	struct op op = {0};

	if (!path)
		return -EFAULT;
	io_uring_prep_unlinkat(&op.sqe, dir, path, flags);
	return (int)coil__op_run(&op);
}

int coil_renameat2(int old_dir, const char *old_path, int new_dir,
		   const char *new_path, unsigned flags)
{
	struct op op = {0};

	if (!old_path || !new_path)
		return -EFAULT;
	io_uring_prep_renameat(&op.sqe, old_dir, old_path, new_dir, new_path,
			       flags);
	return (int)coil__op_run(&op);
}

int coil_mkdirat(int dir, const char *path, mode_t mode)
{
	struct op op = {0};

	if (!path)
		return -EFAULT;
	io_uring_prep_mkdirat(&op.sqe, dir, path, mode);
	return (int)coil__op_run(&op);
}

int coil_linkat(int old_dir, const char *old_path, int new_dir,
		const char *new_path, int flags)
{
	struct op op = {0};

	if (!old_path || !new_path)
		return -EFAULT;
	io_uring_prep_linkat(&op.sqe, old_dir, old_path, new_dir, new_path,
			     flags);
	return (int)coil__op_run(&op);
}

int coil_symlinkat(const char *target, int new_dir, const char *new_path)
{
	struct op op = {0};

	if (!target || !new_path)
		return -EFAULT;
	io_uring_prep_symlinkat(&op.sqe, target, new_dir, new_path);
	return (int)coil__op_run(&op);
}

int coil_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct op op = {0};

	if (fd < 0)
		return -EBADF;
	io_uring_prep_fallocate(&op.sqe, fd, mode, offset, len);
	return (int)coil__op_run(&op);
}

int coil_ftruncate(int fd, off_t length)
{
	struct op op = {0};

	if (fd < 0)
		return -EBADF;
	/* Older releases of liburing have no function for it. */
	op.sqe.opcode = IORING_OP_FTRUNCATE;
	op.sqe.fd = fd;
	op.sqe.off = (__u64)length;
	return (int)coil__op_run(&op);
}

/*
 * sendfile(2) may make the whole thread wait, for the disk or for the reader of
 * a blocking out.  So it is called only if it waits for neither: out is a
 * socket or pipe with O_NONBLOCK, and the page cache has the data.  The rest is
 * read and written like any other data.  That costs a copy, where a disk has to
 * be waited for anyway.  As the kernel reads ahead, only the smaller part of a
 * cold file is copied.
 */
enum { CHUNK = 256 * 1024, COPY = 8 * 1024 };

#define SPLICE_FLAGS \
	((unsigned)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))

/*
 * Returns 1 if out takes sendfile(2), 0 if the data has to be copied, or a
 * negative errno.
 */
static int check_ends(int out, int in)
{
	int type, flags = fcntl(out, F_GETFL);
	socklen_t len = sizeof(type);

	if (flags < 0)
		return -errno;
	type = coil__file_type(in);
	if (type < 0)
		return type;
	if (type != S_IFREG && type != S_IFBLK)
		return -EINVAL;
	if (!getsockopt(out, SOL_SOCKET, SO_TYPE, &type, &len))
		return type == SOCK_STREAM ? (flags & O_NONBLOCK) != 0 : -EINVAL;
	return !coil__is_file(out) && flags & O_NONBLOCK;
}

/* Two fds that a call uses in several steps. */
struct ends {
	struct close_guard in;
	struct close_guard out;
};

static void file_begin(struct ends *ends, int in, int out)
{
	coil__close_guard_begin(&ends->in, in);
	coil__close_guard_begin(&ends->out, out);
}

static void file_end(struct ends *ends)
{
	coil__close_guard_end(&ends->out);
	coil__close_guard_end(&ends->in);
}

/*
 * Checks before a step.  Returns -ECANCELED if an end was closed meanwhile,
 * else what coil__enter() returns.
 */
static int next_step(const struct ends *ends)
{
	return ends->in.closed || ends->out.closed ? -ECANCELED : coil__enter();
}

static ssize_t send_copy(const struct ends *ends, off_t at, size_t len)
{
	char buf[COPY];
	ssize_t n, err;

	n = coil_pread(ends->in.fd, buf, len < COPY ? len : COPY, at);
	err = next_step(ends);
	if (n <= 0 || err)
		return n <= 0 ? n : err;
	return coil_write(ends->out.fd, buf, (size_t)n);
}

/* Returns -EOPNOTSUPP if the page cache does not have the data. */
static ssize_t send_cached(const struct ends *ends, off_t at, size_t len)
{
	struct op op = { .what = "sendfile" };
	ssize_t n;

	op.sqe.opcode = OP_SENDFILE;
	op.sqe.fd = ends->out.fd;
	op.sqe.splice_fd_in = ends->in.fd;
	op.sqe.off = (uint64_t)at;
	op.sqe.len = (unsigned)len;
	n = coil__op_run(&op);
	if (n >= 0)
		coil__let_others_run();
	return n;
}

static ssize_t file_send_some(const struct ends *ends, off_t at, size_t len,
			      bool direct)
{
	ssize_t n = next_step(ends);

	if (n)
		return n;
	if (len > CHUNK)
		len = CHUNK;
	n = direct ? send_cached(ends, at, len) : -EOPNOTSUPP;
	return n == -EOPNOTSUPP ? send_copy(ends, at, len) : n;
}

/* lseek(2) runs in a thread: it waits for a call that uses the file's position. */
static int file_seek(int fd, off_t *position, int whence, ssize_t (*run)(struct op *op))
{
	struct op op = { .what = "lseek" };

	op.sqe.opcode = OP_SEEK;
	op.sqe.fd = fd;
	op.sqe.addr = (uintptr_t)position;
	op.sqe.len = (unsigned)whence;
	return (int)run(&op);
}

static ssize_t send_from(const struct ends *ends, off_t *at, size_t count, bool direct)
{
	off_t start = *at;
	ssize_t n = 0;

	while ((size_t)(*at - start) < count) {
		n = file_send_some(ends, *at, count - (size_t)(*at - start), direct);
		if (n <= 0)
			break;
		*at += n;
	}
	return n < 0 ? n : *at - start;
}

/*
 * Calls take turns, as each would otherwise begin at the same position.  The
 * position moves once, at the end, by what was sent.
 */
static ssize_t send_at_position(struct ends *ends, size_t count, bool direct)
{
	off_t start = 0, at;
	ssize_t n = coil__close_guard_turn(&ends->in);

	if (!n)
		n = next_step(ends);
	if (!n)
		n = file_seek(ends->in.fd, &start, SEEK_CUR, coil__op_run);
	if (n)
		return n;
	at = start;
	n = send_from(ends, &at, count, direct);
	if (at != start && !ends->in.closed)
		(void)file_seek(ends->in.fd, &at, SEEK_SET, coil__op_run_shielded);
	return n;
}

ssize_t coil_sendfile(int out, int in, off_t *offset, size_t count)
{
	int direct = check_ends(out, in);
	off_t at = offset ? *offset : 0;
	struct ends ends;
	ssize_t n;

	if (direct < 0)
		return direct;
	if (at < 0)
		return -EINVAL;
	file_begin(&ends, in, out);
	n = next_step(&ends);
	if (!n)
		n = offset ? send_from(&ends, &at, count, direct) :
			     send_at_position(&ends, count, direct);
	file_end(&ends);
	if (offset)
		*offset = at;
	return n;
}

/*
 * Returns the errors that splice(2) returns for its arguments, whatever the
 * pipes hold.
 */
static int check_splice(int in, const off_t *in_offset, int out, const off_t *out_offset)
{
	int in_flags = fcntl(in, F_GETFL), out_flags = fcntl(out, F_GETFL);
	bool from_pipe = coil__is_pipe(in), to_pipe = coil__is_pipe(out);
	struct iovec none = {0};

	if (in_flags < 0 || out_flags < 0)
		return -EBADF;
	if ((from_pipe && in_offset) || (to_pipe && out_offset))
		return -ESPIPE;
	if ((in_flags & O_ACCMODE) == O_WRONLY || (out_flags & O_ACCMODE) == O_RDONLY ||
	    (in_flags | out_flags) & O_PATH)
		return -EBADF;
	if (!from_pipe && !to_pipe)
		return -EINVAL;
	if ((in_offset && *in_offset < 0) || (out_offset && *out_offset < 0))
		return -EINVAL;
	/* An empty read or write at an offset fails if the file has no offsets. */
	if ((in_offset && preadv2(in, &none, 1, *in_offset, 0) < 0) ||
	    (out_offset && pwritev2(out, &none, 1, *out_offset, 0) < 0))
		return -EINVAL;
	return !to_pipe && out_flags & O_APPEND ? -EINVAL : 0;
}

/* poll(2) of a file may wait for its server.  A file is always ready. */
static struct pollfd polled(const struct close_guard *guard, bool file, short events)
{
	return (struct pollfd){ .fd = file ? -1 : guard->fd, .events = events };
}

/*
 * Parks until both ends are ready.  Without wait returns -EAGAIN instead of
 * parking.
 */
static int wait_for_ends(const struct ends *ends, bool from_file, bool to_file, bool wait)
{
	for (;;) {
		struct pollfd fds[2] = {
			polled(&ends->in, from_file, POLLIN),
			polled(&ends->out, to_file, POLLOUT),
		};
		int err = poll(fds, 2, 0) < 0 ? -errno : 0;
		bool in_ready = from_file || fds[0].revents;

		if (err && err != -EINTR)
			return err;
		if (!err && in_ready && (to_file || fds[1].revents))
			return 0;
		if (!wait)
			return -EAGAIN;
		err = in_ready ? coil__poll_fd(ends->out.fd, POLLOUT) :
				 coil__poll_fd(ends->in.fd, POLLIN);
		if (err >= 0)
			err = next_step(ends);
		if (err < 0)
			return err;
	}
}

/*
 * Between a pipe and a socket or another pipe, splice(2) does not block once
 * both are ready.  But if out is blocking, only a page is sure to fit.  A file
 * may need its disk, so an op moves the data.
 */
static ssize_t splice_ready(int in, off_t *in_offset, int out, off_t *out_offset,
			    size_t len, unsigned flags, bool file)
{
	loff_t from = in_offset ? *in_offset : -1;
	loff_t to = out_offset ? *out_offset : -1;
	ssize_t n;

	flags |= SPLICE_F_NONBLOCK;
	if (file) {
		struct op op = {0};

		io_uring_prep_splice(&op.sqe, in, from, out, to, op_cut(len),
				     flags);
		n = coil__op_run(&op);
	} else {
		if (!(fcntl(out, F_GETFL) & O_NONBLOCK) && len > 4096)
			len = 4096;
		n = splice(in, in_offset ? &from : NULL, out,
			   out_offset ? &to : NULL, op_cut(len), flags);
		if (n < 0)
			n = -errno;
		coil__let_others_run();
	}
	if (n > 0 && in_offset)
		*in_offset += n;
	if (n > 0 && out_offset)
		*out_offset += n;
	return n;
}

static bool is_to_wait(ssize_t n)
{
	return n == -EAGAIN || n == -EINTR;
}

ssize_t coil_splice(int in, off_t *in_offset, int out, off_t *out_offset,
		    size_t len, unsigned flags)
{
	bool wait = !(flags & SPLICE_F_NONBLOCK);
	bool from_file = coil__is_file(in), to_file = coil__is_file(out);
	bool file = from_file || to_file;
	struct ends ends;
	ssize_t n = coil__enter();

	if (n || !len)
		return n;
	n = flags & ~SPLICE_FLAGS ? -EINVAL : check_splice(in, in_offset, out, out_offset);
	if (n)
		return n;
	file_begin(&ends, in, out);
	/*
	 * Between pipes splice(2) never waits, and it fails at once if both are
	 * the same pipe.
	 */
	n = coil__is_pipe(in) && coil__is_pipe(out) ?
	    splice_ready(in, NULL, out, NULL, len, flags, false) : -EAGAIN;
	while (is_to_wait(n)) {
		n = wait_for_ends(&ends, from_file, to_file, wait);
		if (!n)
			n = splice_ready(in, in_offset, out, out_offset, len, flags, file);
		if (!wait || !is_to_wait(n))
			break;
		/*
		 * Both ends are ready, and yet nothing fits.  No event reports
		 * when it will.
		 */
		n = coil_sleep(COIL_MILLISECOND);
		if (!n)
			n = next_step(&ends);
		if (!n)
			n = -EAGAIN;
	}
	file_end(&ends);
	return n;
}
