/* SPDX-License-Identifier: MIT */
#ifndef COIL_STREAM_H
#define COIL_STREAM_H

/*
 * A stream is a socket, a pipe or a terminal with a buffer on each side: bytes
 * are read by the piece or by the line, and written without waiting for a slow
 * peer, up to a bound.  While it waits for its peer a stream holds no buffer, but
 * the bytes that have come and were not read, or were written and not sent.
 *
 * One task may read while others write; a second reader is -EBUSY.  Writes of several
 * tasks follow each other whole, in the order of the calls.  What all calls have in
 * common:
 *
 * -EINVAL for no stream, -EFAULT for no buffer, -EPERM outside a task.  A request
 * that is pending at entry is returned, -ECANCELED or -ETIMEDOUT, and nothing was
 * done.  One that arrives while a call is parked ends it the same way: no byte is
 * lost or taken twice, and the stream is as good as before.  -ECANCELED also when
 * another task closes the stream meanwhile; -ENOMEM, and nothing was lost.
 *
 * An error of the connection stays: each later read, or write, returns it again.
 * Bytes that arrived before it are read first.  -ENOSPC and -EDQUOT of a file do not
 * stay: a flush or a write returns them once, what was queued is lost, and the next
 * write tries again.  A stream belongs to one loop: a flush in another, such as that
 * of a forked child, is -EPERM, and sends nothing.
 */

#include <coil/cdefs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coil_stream;

/*
 * Connects to an address, as coil_dial() has them ("localhost:http",
 * "unix:/run/x.sock"), and opens a stream over the connection.  Parks.  NULL and
 * errno: what coil_dial() returns, or ENOMEM.  A request ends it; then nothing is
 * left of the attempt.
 */
COIL_MUST_CHECK struct coil_stream *coil_open_connection(const char *address);

/*
 * A stream over a connected stream socket, a pipe, a terminal or a file, blocking
 * or not.  The fd is the stream's from now on, also when this fails: then it is
 * closed.  TCP_NODELAY is set, as the stream itself gathers what is small.  NULL
 * and errno: EBADF, EINVAL (a socket that is no stream), ENOMEM.  Never parks.
 */
COIL_MUST_CHECK struct coil_stream *coil_stream_open(int fd);

/*
 * What has arrived, at most len bytes; parks until there is something.  How many,
 * 0 at the end of the stream, or a negative errno (-ECONNRESET ...).  len 0 takes
 * nothing and returns 0: coil_stream_at_eof() tells that from the end.  With
 * nothing buffered and room for much, bytes go straight to the caller's memory.
 */
COIL_MUST_CHECK ssize_t coil_stream_read(struct coil_stream *stream, void *buf, size_t len);

/*
 * Exactly len bytes, however large len is: len, or a negative errno, and then no
 * byte was taken.  -ENODATA if the stream ends before: what there is stays
 * readable.  -EINVAL for a len above SSIZE_MAX.  len 0 returns 0.
 */
COIL_MUST_CHECK ssize_t coil_stream_read_exactly(struct coil_stream *stream, void *buf,
						 size_t len);

/*
 * All up to and with the next separator: its length, and *data points to it.  It
 * is a view into the stream's own buffer, not NUL-terminated and good until the
 * next call that reads from or closes the stream.  0 at the end of the stream;
 * -ENODATA if it ends in the middle, or the error that ended it: what there is
 * stays readable by coil_stream_read().  -EMSGSIZE if more than the limit comes
 * before the separator; so will every further call until read or skip have taken
 * bytes.  -EINVAL for sep_len 0.
 */
COIL_MUST_CHECK ssize_t coil_stream_read_until(struct coil_stream *stream, const char *sep,
					       size_t sep_len, const char **data);

/*
 * The same up to a newline, but that the last line of a stream need not have one:
 * then what there is is returned.
 */
COIL_MUST_CHECK ssize_t coil_stream_read_line(struct coil_stream *stream, const char **line);

/*
 * Reads the next line and strips its end, "\n" or "\r\n".  Returns 1, and sets *line to
 * the line as a string and *len, unless len is NULL, to its length; an empty line is ""
 * of length 0.  Returns 0 at the end of the stream, or an error of
 * coil_stream_read_line().  Parks.  The string lies in the stream's own buffer and is
 * valid until the next call that reads from or closes the stream; until then the caller
 * may change it.  If the line contains NUL bytes, *len is more than strlen(3) returns.
 */
COIL_MUST_CHECK int coil_stream_next_line(struct coil_stream *stream, char **line, size_t *len);

/*
 * Waits until at least min bytes have arrived, and takes none of them.  Returns how many
 * there are, which may be more, and sets *data to them: a view as of
 * coil_stream_read_until().  At the end of the stream it returns how many are left, which
 * may be fewer than min, or 0.  -EMSGSIZE for a min above the read limit, or the error
 * that ended the stream before min bytes arrived.  Parks, but not for min 0.
 */
COIL_MUST_CHECK ssize_t coil_stream_peek(struct coil_stream *stream, size_t min,
					 const char **data);

/*
 * Returns how many bytes have arrived and were not read: a read gets so many without
 * parking.  0 for NULL.
 */
size_t coil_stream_buffered(const struct coil_stream *stream);

/*
 * Throws away the next len bytes, parking until they came.  How many: fewer only
 * at the end of the stream (0: it was there already) or where an error or a
 * request came between; or a negative errno, and nothing was thrown away.
 */
COIL_MUST_CHECK ssize_t coil_stream_skip(struct coil_stream *stream, size_t len);

/* Whether the end has come and every byte before it was read.  Asks nobody. */
bool coil_stream_at_eof(const struct coil_stream *stream);

/*
 * How many bytes read_until and read_line take before a separator, and how many
 * a write leaves queued without parking.  0, as at first: 65536.
 */
void coil_stream_set_limits(struct coil_stream *stream, size_t read_limit, size_t high_water);

/*
 * Returns the fd, for getpeername(2) and the like; it stays the stream's.  A program that
 * sends by the fd itself, such as with coil_sendfile(), flushes the stream first.
 * -EINVAL for NULL, -EBADF for a stream that was closed.
 */
int coil_stream_fd(const struct coil_stream *stream);

/*
 * Takes len bytes; the memory is the caller's again when the call returns.  The bytes may
 * be sent later: small writes are gathered, and one system call sends them.  They are
 * sent at the latest before the loop next asks the kernel for anything, so when the task
 * parks, in whatever call, yields for long, or ends.  They are sent earlier when the task
 * reads from this stream bytes that have not arrived yet, writes more than fits, flushes
 * or closes.  A task calls coil_stream_flush() before it computes for long, ends the
 * process, or uses the fd itself.  Bytes that the kernel has no room for stay queued and
 * are sent when it has.
 *
 * Returns len.  Returns fewer, at least 1, only for a write of more than the high water
 * that is cancelled or runs out of memory.  Returns a negative errno if it took nothing:
 * -EPIPE or -ECONNRESET when the peer is gone, -EPIPE after coil_stream_shutdown().  If
 * sending fails later, the next write, flush, shutdown or close returns the error.  For
 * len 0 it sends nothing and returns 0, or the error that stays.
 *
 * Parks while the queue would hold more than the high water, and while an earlier write
 * of another task is parked.
 */
COIL_MUST_CHECK ssize_t coil_stream_write(struct coil_stream *stream, const void *buf,
					  size_t len);

/*
 * Takes the bytes of count buffers, one behind the other, as coil_stream_write() takes
 * those of one buffer, and as one write.  Also -EINVAL for a count that is negative or
 * above IOV_MAX.
 */
COIL_MUST_CHECK ssize_t coil_stream_writev(struct coil_stream *stream, const struct iovec *iov,
					   int count);

/*
 * Writes what printf(3) makes of its arguments, as one write.  Returns what
 * coil_stream_write() returns, or -EILSEQ, -EOVERFLOW, -ENOMEM.
 */
ssize_t coil_stream_printf(struct coil_stream *stream, const char *format, ...) COIL_PRINTF(2, 3);
ssize_t coil_stream_vprintf(struct coil_stream *stream, const char *format, va_list args)
	COIL_PRINTF(2, 0);

/*
 * Corks the stream if on is true: from now on large writes are gathered too, up to the
 * high water, and a read that finds bytes without parking sends nothing.  What was
 * gathered is still sent by a flush, above the high water, and when the task parks.
 * Uncorks the stream, as it is at first, if on is false, and sends what was gathered.
 * Does not park.
 */
void coil_stream_cork(struct coil_stream *stream, bool on);

/*
 * Sends what was gathered, and parks until nothing is queued.  Returns 0, or the error
 * of sending.  Several tasks may flush at a time.  A cancel ends the wait; what is queued
 * is sent all the same.
 */
int coil_stream_flush(struct coil_stream *stream);

/*
 * Waits for the writes that other tasks began before, flushes, and then signals the end
 * of the stream to the peer; reading goes on.  Returns 0, also the second time; an error
 * of coil_stream_flush(), and then the peer got no signal; -ENOTSOCK for a file, pipe or
 * terminal, whose end is signalled by coil_stream_close().  Parks as a flush does.
 */
int coil_stream_shutdown(struct coil_stream *stream);

/*
 * Flushes, closes the fd and frees the stream.  Returns 0, or why something that was
 * written could not be sent: -EPIPE, -ECONNRESET, -ECANCELED, -ETIMEDOUT; -EBADF if the
 * handler of a server closed it before.  Calls that other tasks are in return
 * -ECANCELED.  A cancel, pending or new, ends the flush alone: bytes that the kernel has
 * no room for are dropped.  Parks while it flushes.
 *
 * Outside a task, where it cannot wait, what is queued may be dropped: -ECANCELED.
 * There, and in another loop than the stream's, it returns -EPERM and changes nothing,
 * not even the fd, while bytes are being sent that the kernel had no room for, and
 * outside a task also while a task is in a call.  So the child of a fork sends nothing
 * that its parent wrote.  A child that gets -EPERM closes coil_stream_fd() by close(2).
 */
int coil_stream_close(struct coil_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
