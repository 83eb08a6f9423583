/* SPDX-License-Identifier: MIT */
#include "core/backend/move.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/task/list.h"
#include "core/task/lock.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	AT_ONCE = 1 << 20,	/* maximum of bytes that the loop's thread copies in one call */
	COPY_A_SWITCH = 1 << 14,	/* bytes whose copying costs as much as a switch */
};

bool coil__is_ready(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return RETRY(poll(&pollfd, 1, 0)) != 0;
}

bool coil__is_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || flags & O_NONBLOCK;
}

static bool is_write(const struct op *op)
{
	return op->sqe.opcode == IORING_OP_WRITE ||
	       op->sqe.opcode == IORING_OP_WRITEV;
}

static bool is_vector(const struct op *op)
{
	return op->sqe.opcode == IORING_OP_READV ||
	       op->sqe.opcode == IORING_OP_WRITEV;
}

size_t coil__sum(const struct iovec *iov, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count && len < OP_MAX; i++)
		len += op_cut(iov[i].iov_len);
	return op_cut(len);
}

size_t coil__op_length(const struct op *op)
{
	if (is_vector(op))
		return coil__sum(ptr(op->sqe.addr), op->sqe.len);
	return op_cut(op->sqe.len);
}

int coil__window(struct iovec *to, const struct iovec *iov, size_t count, size_t skip,
		 size_t max)
{
	int n = 0;

	for (size_t i = 0; i < count && n < WINDOW && max; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > max)
			len = max;
		to[n].iov_base = (char *)iov[i].iov_base + skip;
		to[n++].iov_len = len;
		max -= len;
		skip = 0;
	}
	return n;
}

/* Makes one system call for the rest of op, for no more than most bytes. */
static ssize_t move(const struct op *op, int flags, size_t most)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	struct iovec one = { ptr(sqe->addr), op_cut(sqe->len) }, some[WINDOW];
	const struct iovec *iov = ptr(sqe->addr);
	int count = (int)sqe->len;
	size_t done = so_far(op);
	off_t at = sqe->off == UINT64_MAX ? -1 : (off_t)(sqe->off + done);

	if (!is_vector(op)) {
		iov = &one;
		count = 1;
	}
	/* On a directory read(2) returns an error, but preadv2(2) returns 0. */
	if (iov == &one && at < 0 && !flags && most == OP_MAX)
		return is_write(op) ? RETRY(write(sqe->fd, one.iov_base, one.iov_len)) :
				      RETRY(read(sqe->fd, one.iov_base, one.iov_len));
	if (done || most < OP_MAX) {
		count = coil__window(some, iov, (size_t)count, done, most);
		iov = some;
	}
	if (is_write(op))
		return RETRY(pwritev2(sqe->fd, iov, count, at, flags));
	return RETRY(preadv2(sqe->fd, iov, count, at, flags));
}

bool coil__move_nowait(const struct op *op)
{
	return op->sqe.rw_flags & RWF_NOWAIT && !remembers(op, BLOCKS);
}

/*
 * For an fd that does not support RWF_NOWAIT.  If it is blocking, another process may
 * take its bytes or its room after poll(2), and the call would block.  So the loop's
 * thread does not make it: see move_odd().
 */
static int try_odd(struct op *op)
{
	if (coil__move_nowait(op))
		return -EOPNOTSUPP;
	if (coil__is_file(op->sqe.fd)) {
		if (coil__op_length(op) > AT_ONCE || !coil__file_in_memory(op->sqe.fd))
			return leave_to_pool(op);
		return result(move(op, (int)op->sqe.rw_flags, OP_MAX));
	}
	if (!coil__is_nonblocking(op->sqe.fd)) {
		if (!coil__is_ready(op->sqe.fd, is_write(op) ? POLLOUT : POLLIN))
			return -EAGAIN;
		/* One read at a time: two threads cannot both read the same bytes. */
		op->positioned = !is_write(op);
		return leave_to_pool(op);
	}
	return result(move(op, (int)op->sqe.rw_flags, OP_MAX));
}

/*
 * Whether op got n bytes although the file had more.  A short write always could have
 * gone on.  A short read is whole at the end of the file, where a read of one more byte
 * returns 0.
 */
static bool cut_short(const struct op *op, ssize_t n)
{
	char byte;
	struct iovec one = { &byte, 1 };

	if ((size_t)n >= coil__op_length(op) || !coil__is_file(op->sqe.fd))
		return false;
	return is_write(op) ||
	       preadv2(op->sqe.fd, &one, 1, (off_t)op->sqe.off + n, RWF_NOWAIT) != 0;
}

/*
 * With O_DIRECT a call waits for the disk in spite of RWF_NOWAIT.  Such a file refuses
 * what is not aligned to 512 bytes, so most ops need no fcntl(2) here.
 */
static bool is_direct(const struct op *op)
{
	uint64_t first = op->sqe.addr;
	int flags;

	if (is_vector(op) && op->sqe.len)
		first = (uintptr_t)((const struct iovec *)ptr(op->sqe.addr))->iov_base;
	if ((first | coil__op_length(op)) % 512)
		return false;
	flags = fcntl(op->sqe.fd, F_GETFL);
	return flags >= 0 && flags & O_DIRECT;
}

/*
 * read(2) and write(2) move the position of a file under the file's lock.  Another thread
 * or process may hold the lock while it waits for a disk.  So the loop's thread takes it
 * only for files in memory.
 */
static bool moves_position(const struct op *op)
{
	return op->sqe.off == UINT64_MAX && coil__is_file(op->sqe.fd);
}

static int try_position(struct op *op)
{
	if (coil__op_length(op) <= AT_ONCE && coil__file_in_memory(op->sqe.fd))
		return result(move(op, (int)op->sqe.rw_flags, OP_MAX));
	op->positioned = true;
	return leave_to_pool(op);
}

int coil__move_try(struct op *op)
{
	bool nowait = coil__move_nowait(op);
	int n;

	if (unlikely(op->made_up))
		return coil__is_ready(op->sqe.fd, POLLIN) ? leave_to_pool(op) : -EAGAIN;
	if (!nowait && moves_position(op))
		return try_position(op);
	/* A long copy, or a wait for the disk, would hold up the other tasks. */
	if (!nowait && (coil__op_length(op) > AT_ONCE || is_direct(op)) &&
	    coil__is_file(op->sqe.fd))
		return leave_to_pool(op);
	n = result(move(op, (int)op->sqe.rw_flags | RWF_NOWAIT, OP_MAX));
	if (n == -EOPNOTSUPP || n == -ENOSYS)
		return try_odd(op);
	if (n == -EAGAIN && !nowait && coil__is_file(op->sqe.fd))
		return leave_to_pool(op);
	if (n > 0 && !nowait && cut_short(op, n)) {
		remember(op, (uint64_t)n);
		return leave_to_pool(op);
	}
	return n;
}

/*
 * Whether the kernel makes the file's content when it is read (/proc) and has none yet,
 * perhaps for hours.  Then the loop waits for it, because a cancellation can end that
 * wait; it could not end read(2) in a thread.
 */
static bool waits_for_ever(const struct op *op)
{
	struct statfs fs;

	return !is_write(op) && !coil__is_ready(op->sqe.fd, POLLIN) &&
	       coil__is_file(op->sqe.fd) && !fstatfs(op->sqe.fd, &fs) &&
	       (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == TRACEFS_MAGIC);
}

/*
 * Opens a FIFO or terminal anew with O_NONBLOCK, because other processes share the flags
 * of fd.  Returns -1 if that is impossible; the open of a terminal's master would make
 * another terminal.
 */
static int open_anew(const struct op *op)
{
	int fd = op->sqe.fd, number;
	char path[32];

	if (!coil__is_pipe(fd) && (!isatty(fd) || !ioctl(fd, TIOCGPTN, &number)))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, (is_write(op) ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC);
}

/*
 * Turns.  The threads of two loops may see the same bytes.  If both read, one would get
 * all of them, and the other would block in read(2), where no cancellation ends it.  So
 * one thread at a time reads a file, and it polls first.  All fds of a terminal's master
 * share the terminal's number, which identifies it; any other file is known by its fd.
 */
struct turn {
	struct link link;
	int64_t file;
};

static struct list turns;

void coil__move_forked(void)
{
	turns = (struct list){0};
}

static bool begin_turn(struct turn *turn, int fd)
{
	struct link *link;
	int number;

	turn->file = ioctl(fd, TIOCGPTN, &number) ? fd : INT64_MAX - number;
	coil__lock(LOCK_TURNS);
	for (link = turns.head; link; link = link->next) {
		if (container_of(link, struct turn, link)->file == turn->file)
			break;
	}
	if (!link)
		list_push(&turns, &turn->link);
	coil__unlock(LOCK_TURNS);
	return !link;
}

static void end_turn(struct turn *turn)
{
	coil__lock(LOCK_TURNS);
	list_remove(&turns, &turn->link);
	coil__unlock(LOCK_TURNS);
}

/* Returns -EAGAIN if another thread has the turn or took the bytes: the loop tries again. */
static int read_in_turn(struct op *op)
{
	struct turn turn;
	int n = -EAGAIN;

	if (begin_turn(&turn, op->sqe.fd)) {
		if (coil__is_ready(op->sqe.fd, POLLIN))
			n = result(move(op, (int)op->sqe.rw_flags, OP_MAX));
		end_turn(&turn);
	}
	if (n == -EAGAIN)
		op->sqe.user_data &= ~BLOCKS;
	return n;
}

/*
 * Runs in a thread of the pool.  Returns -EAGAIN if the fd, which try_odd() found ready, is
 * so no longer: the loop waits again.
 */
static int move_odd(struct op *op)
{
	struct op other = { .sqe = op->sqe };	/* the loop may change op's other fields */
	int n, fd = open_anew(op);

	if (fd < 0 && !is_write(op))
		return read_in_turn(op);
	/* A pipe that polls as ready has room for a page.  A terminal may block the thread. */
	if (fd < 0)
		return result(move(op, (int)op->sqe.rw_flags, 4096));
	other.sqe.fd = fd;
	n = result(move(&other, (int)op->sqe.rw_flags, OP_MAX));
	close(fd);
	if (n == -EAGAIN)
		op->sqe.user_data &= ~BLOCKS;
	return n;
}

int coil__move_block(struct op *op)
{
	if (!coil__is_file(op->sqe.fd))
		return move_odd(op);
	if (!so_far(op) && waits_for_ever(op)) {
		op->made_up = true;
		op->sqe.user_data &= ~BLOCKS;
		return -EAGAIN;
	}
	return moved(op, move(op, (int)op->sqe.rw_flags, OP_MAX));
}

bool coil__move_is(const struct op *op)
{
	unsigned char code = op->sqe.opcode;

	return code == IORING_OP_READ || code == IORING_OP_WRITE ||
	       code == IORING_OP_READV || code == IORING_OP_WRITEV;
}

/* A call with no bytes does not reach the file system, but a pipe refuses its offset. */
static int move_check_offset(const struct op *op)
{
	struct iovec none = {0};
	off_t at = (off_t)op->sqe.off;

	return result(is_write(op) ? pwritev2(op->sqe.fd, &none, 1, at, 0) :
				     preadv2(op->sqe.fd, &none, 1, at, 0));
}

int coil__move_check(const struct op *op)
{
	if (op->made_up)
		return -EAGAIN;
	if (op->sqe.off != UINT64_MAX)
		return move_check_offset(op);
	return moves_position(op) ? -EAGAIN : 0;
}

/*
 * A read that is short before the end of the file met bytes that are not in memory, so
 * op is done again in another way.  If fd is not a file after all, a short read is its
 * result: the bytes are consumed.
 */
bool coil__syscall_cached(struct coil_loop *loop, struct op *op)
{
	const struct io_uring_sqe *sqe = &op->sqe;
	struct iovec iov = { ptr(sqe->addr), sqe->len };
	bool whole;
	ssize_t n;

	if (sqe->opcode != IORING_OP_READ || sqe->off == UINT64_MAX || sqe->rw_flags ||
	    sqe->len > AT_ONCE || !coil__fd_cached(loop, sqe->fd))
		return false;
	n = preadv2(sqe->fd, &iov, 1, (off_t)sqe->off, RWF_NOWAIT);
	whole = n >= 0 && (!n || !cut_short(op, n));
	if (n < 0 && errno == EOPNOTSUPP && coil__file_in_memory(sqe->fd)) {
		n = pread(sqe->fd, iov.iov_base, iov.iov_len, (off_t)sqe->off);
		whole = n >= 0;
	}
	if (whole) {
		op->res = (int)n;
		loop->run.budget -= (int)(n / COPY_A_SWITCH);
		return true;
	}
	if (n < 0)
		coil__fd_uncached(loop, sqe->fd);
	return false;
}
