/* SPDX-License-Identifier: MIT */
#ifndef COIL_FILE_H
#define COIL_FILE_H

/*
 * The file calls of POSIX, for tasks.  coil_read() and coil_write() serve every
 * fd: pipes, sockets, terminals and files.  Where a call would block, or wait
 * for a disk, the task parks and other tasks run.
 *
 * The rules of <coil/socket.h> on errors, cancellation, buffers, lengths and
 * closing apply.  A cancellation cannot stop a disk: a call that works on a
 * file may continue to its end, and then returns its own result.
 *
 * A full disk cuts a write short, and the next write returns -ENOSPC.  The
 * limit on the size of files (RLIMIT_FSIZE) also cuts a write short, and the
 * next write returns -EFBIG; SIGXFSZ is not raised.
 */

#include <coil/cdefs.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct statx;

/*
 * Read and write at the file's position, as read(2) and write(2) do.  Tasks or
 * processes that share a position never write to the same place or read the
 * same bytes, as with the system calls.  Calls on one fd are served in their
 * order.  SIGPIPE is not raised.
 *
 * These calls park.  A blocking fd keeps its flags and stops only this task,
 * also if other processes read and write it.  A cancellation cannot end a write
 * to a blocking terminal of another user while its reader takes nothing,
 * because that terminal cannot be reopened with O_NONBLOCK.
 *
 * Return the number of bytes, which may be less than len; 0 at the end; or a
 * negative errno, such as -EPIPE for a pipe or socket without a reader.
 */
COIL_MUST_CHECK ssize_t coil_read(int fd, void *buf, size_t len);
COIL_MUST_CHECK ssize_t coil_write(int fd, const void *buf, size_t len);
COIL_MUST_CHECK ssize_t coil_readv(int fd, const struct iovec *iov, int n);
COIL_MUST_CHECK ssize_t coil_writev(int fd, const struct iovec *iov, int n);

/*
 * Writes all len bytes at the file's position, and parks as often as needed.  A
 * cancellation ends it as it ends coil_write().  Returns len, or a negative
 * errno of coil_write(); -EIO if write(2) returns 0.  After an error a part may
 * have been written, and the number of bytes is unknown.
 */
COIL_MUST_CHECK ssize_t coil_write_all(int fd, const void *buf, size_t len);

/*
 * Read and write at offset; the file's position does not move.  Return as
 * coil_read() and coil_write() do; -EINVAL for a negative offset, -ESPIPE for
 * an fd without a position.
 */
COIL_MUST_CHECK ssize_t coil_pread(int fd, void *buf, size_t len, off_t offset);
COIL_MUST_CHECK ssize_t coil_pwrite(int fd, const void *buf, size_t len,
				    off_t offset);

/*
 * Sends count bytes of in, a regular file or block device, to out, a stream
 * socket, pipe or file.  Reads at *offset and advances it, or at the file's
 * position if offset is NULL.  Calls at the position of one fd are served one
 * after the other.  No data is copied if out is a socket or pipe with
 * O_NONBLOCK and the data is in memory.  Parks as often as needed.
 *
 * Returns count, fewer only if in ends, or a negative errno.  Also after an
 * error *offset, or the position, has advanced by the number of bytes sent.
 * Returns -EINVAL for a negative *offset or for an in or out of another kind;
 * then nothing was sent.
 */
COIL_MUST_CHECK ssize_t coil_sendfile(int out, int in, off_t *offset,
				      size_t count);

/*
 * Moves up to len bytes between two fds, of which one is a pipe, as splice(2)
 * does.  Parks until both ends are ready.  Returns the number of bytes, 0 at
 * the end of in or for len 0, or an error:
 *	-EINVAL: neither fd is a pipe
 *	-EAGAIN: flags have SPLICE_F_NONBLOCK, and an end is not ready
 */
COIL_MUST_CHECK ssize_t coil_splice(int in, off_t *in_offset, int out,
				    off_t *out_offset, size_t len,
				    unsigned flags);

/*
 * Open a file as openat(2) does, with O_CLOEXEC.  mode is the mode of a file
 * that is created, less the umask.  These calls park.  Return an fd that the
 * caller owns, or a negative errno.
 *
 * A FIFO is opened with O_NONBLOCK and keeps it.  For reading it opens at once,
 * without a writer.  For writing without a reader the call returns -ENXIO.
 */
COIL_MUST_CHECK int coil_openat(int dir, const char *path, int flags,
				mode_t mode);
COIL_MUST_CHECK int coil_open(const char *path, int flags, mode_t mode);

/*
 * Do what the system calls of these names do.  These calls park.  Return 0 or a
 * negative errno.
 */
COIL_MUST_CHECK int coil_fsync(int fd);
COIL_MUST_CHECK int coil_fdatasync(int fd);
COIL_MUST_CHECK int coil_ftruncate(int fd, off_t length);
COIL_MUST_CHECK int coil_statx(int dir, const char *path, int flags,
			       unsigned mask, struct statx *statxbuf);
int coil_unlinkat(int dir, const char *path, int flags);
COIL_MUST_CHECK int coil_renameat2(int old_dir, const char *old_path,
				   int new_dir, const char *new_path,
				   unsigned flags);
COIL_MUST_CHECK int coil_mkdirat(int dir, const char *path, mode_t mode);
COIL_MUST_CHECK int coil_linkat(int old_dir, const char *old_path, int new_dir,
				const char *new_path, int flags);
COIL_MUST_CHECK int coil_symlinkat(const char *target, int new_dir,
				   const char *new_path);
COIL_MUST_CHECK int coil_fallocate(int fd, int mode, off_t offset, off_t len);

#ifdef __cplusplus
}
#endif
#endif
