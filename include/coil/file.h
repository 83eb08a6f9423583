/* SPDX-License-Identifier: MIT */
#ifndef COIL_FILE_H
#define COIL_FILE_H

/*
 * The file calls of POSIX for tasks.  read and write serve every fd: pipes,
 * sockets, terminals and files; where they would block, or wait for a disk, the
 * task parks and the others run.
 *
 * What <coil/socket.h> says of errors, requests, buffers, lengths and closing
 * holds here.  A request cannot stop a disk: once a call works on a file it may
 * go on to its end, and then returns its own result.
 *
 * A disk that is full cuts a write short, and the next is -ENOSPC; so does the
 * limit on the size of files (RLIMIT_FSIZE), and the next is -EFBIG: SIGXFSZ is
 * not raised.
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
 * Read and write at the file's position, as read(2) and write(2) do.  Return the
 * count, which may be short; 0 at the end; or a negative errno (-EPIPE for a pipe or
 * socket without a reader; SIGPIPE is not raised).  Several tasks or processes that
 * share a position never write to the same place or read the same bytes, as with the
 * system calls.  Calls on one fd are served in their order.
 *
 * Park.  A blocking fd keeps its flags and stops only this task, also where other
 * processes read and write it.  A cancel cannot end a write to another user's blocking
 * terminal, which cannot be opened anew with O_NONBLOCK, while its reader takes nothing,
 * nor a read of a blocking terminal's master whose bytes another process took first.
 */
COIL_MUST_CHECK ssize_t coil_read(int fd, void *buf, size_t len);
COIL_MUST_CHECK ssize_t coil_write(int fd, const void *buf, size_t len);
COIL_MUST_CHECK ssize_t coil_readv(int fd, const struct iovec *iov, int n);
COIL_MUST_CHECK ssize_t coil_writev(int fd, const struct iovec *iov, int n);

/*
 * Writes all len bytes at the file's position.  Returns len, or a negative errno of
 * coil_write(); then a part may have been written, and the count is not known.  -EIO if
 * write(2) returns 0.  Parks as often as needed.  A cancel ends it as it ends
 * coil_write().
 */
COIL_MUST_CHECK ssize_t coil_write_all(int fd, const void *buf, size_t len);

/* The same at offset; the position stays.  -EINVAL if negative, or -ESPIPE. */
COIL_MUST_CHECK ssize_t coil_pread(int fd, void *buf, size_t len, off_t offset);
COIL_MUST_CHECK ssize_t coil_pwrite(int fd, const void *buf, size_t len,
				    off_t offset);

/*
 * Sends count bytes of a regular file or block device in to out, a stream
 * socket, pipe or file; fewer only if in ends.  Reads at *offset and moves it,
 * or at the file's position when offset is NULL.  Returns the count or a
 * negative errno; on an error too *offset, or the position, has moved by what
 * was sent.  -EINVAL for an in or out of another kind or a negative *offset:
 * then nothing was sent.  Calls at the position of one fd are served one after the
 * other.  Nothing is copied if out is a socket or pipe with O_NONBLOCK.
 */
COIL_MUST_CHECK ssize_t coil_sendfile(int out, int in, off_t *offset,
				      size_t count);

/*
 * Moves up to len bytes between two fds of which one is a pipe, as splice(2) does;
 * parks until both ends are ready.  Returns the count; 0 at the end of in or for a
 * len of 0; or a negative errno: -EINVAL if neither is a pipe, -EAGAIN only with
 * SPLICE_F_NONBLOCK.
 */
COIL_MUST_CHECK ssize_t coil_splice(int in, off_t *in_offset, int out,
				    off_t *out_offset, size_t len,
				    unsigned flags);

/*
 * As openat(2), with O_CLOEXEC: an fd of the caller's.  A FIFO is opened with
 * O_NONBLOCK and stays so: for reading at once, without a writer, and for
 * writing -ENXIO while nobody reads.  mode is what a file it makes gets.
 */
COIL_MUST_CHECK int coil_openat(int dir, const char *path, int flags,
				mode_t mode);
COIL_MUST_CHECK int coil_open(const char *path, int flags, mode_t mode);

/* As the system calls of these names: 0 or a negative errno. */
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
