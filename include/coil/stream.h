/* SPDX-License-Identifier: MIT */
#ifndef COIL_STREAM_H
#define COIL_STREAM_H

/*
 * A stream adds a read buffer and a write queue to a socket, a pipe, a terminal
 * or a file.  It reads by the piece or by the line.  A write returns without
 * waiting for a slow peer, up to a limit.  While a stream waits for its peer,
 * it keeps memory only for bytes that have arrived and were not read, or that
 * were written and not sent.
 *
 * One task may read while other tasks write.  A second reader gets -EBUSY.
 * Writes of several tasks are sent whole, in the order of the calls.
 *
 * These rules hold for all calls, unless one says otherwise:
 *
 * - Misuse returns -EINVAL for a NULL stream, -EFAULT for a NULL buffer, and
 *   -EPERM outside a task.
 * - If a cancellation is pending at entry, a call does nothing and returns
 *   -ECANCELED or -ETIMEDOUT.
 * - A cancellation ends a parked call with the same error.  No byte is lost or
 *   read twice, and the stream remains usable.
 * - A call returns -ECANCELED if another task closes the stream meanwhile.
 * - A call that returns -ENOMEM has lost no byte.
 * - An error of the connection is permanent: each later read, or write, returns
 *   it again.  Bytes that arrived before the error are read first.  An error
 *   such as -ECONNRESET that a write meets first, even in the background, also
 *   ends the reads.  After a -EPIPE the reads return what the peer sent, and
 *   then the peer's own end.
 * - -ENOSPC and -EDQUOT of a file are not permanent.  A flush or a write
 *   returns them once, and the queued bytes are lost.  The next write tries
 *   again.
 * - A stream belongs to one loop.  In another loop, such as that of a forked
 *   child, a flush of queued bytes returns -EPERM and sends nothing.
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
 * Connects to an address in a form that coil_dial() takes, such as
 * "localhost:http" or "unix:/run/x.sock", and opens a stream over the
 * connection.  Parks.  Returns the stream, or NULL and sets errno to ENOMEM or
 * to an error of coil_dial().  A cancellation ends the attempt and closes its
 * sockets.
 */
COIL_MUST_CHECK struct coil_stream *coil_open_connection(const char *address);

/*
 * Opens a stream over a connected stream socket, a pipe, a terminal or a file.
 * The fd may be blocking or not.  The stream owns the fd from now on; if the
 * call fails, it closes the fd.  Sets TCP_NODELAY, because the stream itself
 * combines small writes.  Does not park, except to close the fd when it fails.
 * Returns the stream, or NULL and sets errno:
 *	EBADF: the fd is not open
 *	EINVAL: the fd is a directory, or a socket of another type
 *	ENOMEM
 */
COIL_MUST_CHECK struct coil_stream *coil_stream_open(int fd);

/*
 * Reads bytes that have arrived, at most len, and parks until there is at least
 * one.  Returns the number of bytes, 0 at the end of the stream, or a negative
 * errno such as -ECONNRESET.  For len 0 it reads nothing and returns 0;
 * coil_stream_at_eof() distinguishes that from the end.  If the buffer is empty
 * and len is large, the kernel writes directly to buf.
 */
COIL_MUST_CHECK ssize_t coil_stream_read(struct coil_stream *stream, void *buf, size_t len);

/*
 * Reads exactly len bytes, and parks until they have arrived.  Returns len, or
 * 0 for len 0.  On an error it has read nothing:
 *	-ENODATA: the stream ended first; the bytes that arrived remain readable
 *	-EINVAL: len is above SSIZE_MAX
 */
COIL_MUST_CHECK ssize_t coil_stream_read_exactly(struct coil_stream *stream, void *buf,
						 size_t len);

/*
 * Reads all bytes up to and including the next separator, and parks until it
 * has arrived.  Returns their number and sets *data to the first.  *data points
 * into the stream's own buffer and is not NUL-terminated.  It is valid until
 * the next call that reads from or closes the stream.  Returns 0 at the end of
 * the stream.  On an error it has read nothing, and coil_stream_read() can read
 * the bytes:
 *	-ENODATA, or the error of the connection: the stream ended after bytes
 *		without a separator
 *	-EMSGSIZE: more bytes than the read limit precede the separator; each
 *		further call returns this too, until coil_stream_read() or
 *		coil_stream_skip() has taken bytes
 *	-EINVAL: sep_len is 0
 */
COIL_MUST_CHECK ssize_t coil_stream_read_until(struct coil_stream *stream, const char *sep,
					       size_t sep_len, const char **data);

/*
 * Reads as coil_stream_read_until() does, with a newline as the separator.  The
 * last line of a stream need not end with one: the call returns it as it is.
 */
COIL_MUST_CHECK ssize_t coil_stream_read_line(struct coil_stream *stream, const char **line);

/*
 * Reads the next line and strips its end, "\n" or "\r\n".  Returns 1, sets
 * *line to the line as a string and, unless len is NULL, sets *len to its
 * length.  An empty line is "" of length 0.  Returns 0 at the end of the
 * stream, or an error of coil_stream_read_line().  Parks.
 *
 * The string lies in the stream's own buffer.  It is valid until the next call
 * that reads from or closes the stream; until then the caller may change it.
 * If the line contains NUL bytes, *len is more than strlen(3) returns.
 */
COIL_MUST_CHECK int coil_stream_next_line(struct coil_stream *stream, char **line, size_t *len);

/*
 * Waits until at least min bytes have arrived, and reads none of them.  Parks,
 * except for min 0.  Returns the number of bytes that have arrived, which may
 * be more than min, and sets *data to the first; *data is valid as for
 * coil_stream_read_until().  At the end of the stream it returns the number of
 * bytes left, which may be less than min, or 0.  Returns -EMSGSIZE for a min
 * above the read limit, or the error of the connection if that came before min
 * bytes.
 */
COIL_MUST_CHECK ssize_t coil_stream_peek(struct coil_stream *stream, size_t min,
					 const char **data);

/*
 * Returns the number of bytes in the read buffer: so many can be read without
 * parking.  Returns 0 for NULL.
 */
size_t coil_stream_buffered(const struct coil_stream *stream);

/*
 * Discards the next len bytes, and parks until they have arrived.  Returns the
 * number of bytes discarded.  It is less than len at the end of the stream (0
 * if no byte was left), and after an error or a cancellation.  Returns a
 * negative errno if nothing was discarded; -EINVAL for a len above SSIZE_MAX.
 */
COIL_MUST_CHECK ssize_t coil_stream_skip(struct coil_stream *stream, size_t len);

/*
 * Returns whether the stream has ended and every byte was read.  Does not call
 * the kernel: it is false until a read has met the end.
 */
bool coil_stream_at_eof(const struct coil_stream *stream);

/*
 * Sets the read limit and the high-water mark, both in bytes.  The read limit
 * is how many bytes may precede a separator or newline, and the maximum of
 * coil_stream_peek().  The high-water mark is how many bytes may be queued
 * before a write parks.  0 is the default of each: 65536.
 */
void coil_stream_set_limits(struct coil_stream *stream, size_t read_limit, size_t high_water);

/*
 * Returns the fd, for getpeername(2) and the like; the stream still owns it.
 * Returns -EINVAL for NULL, -EBADF for a stream that was closed.  A program
 * that sends by the fd itself, such as with coil_sendfile(), flushes the stream
 * first.  If such a send fails, the stream does not see the error.
 */
int coil_stream_fd(const struct coil_stream *stream);

/*
 * Writes len bytes.  The caller may reuse buf when the call returns.  Parks
 * while the queue would exceed the high-water mark, and while an earlier write
 * of another task is parked.
 *
 * The bytes may be sent later: the stream gathers small writes, and one system
 * call sends them.  They are sent before the loop next polls the kernel, which
 * is soon after the task parks, ends or yields.  They are sent earlier in these
 * cases:
 *
 * - The task reads bytes from this stream that have not arrived.
 * - A write does not fit.
 * - A task flushes or closes the stream.
 *
 * A task flushes before it computes for long, ends the process, or uses the fd
 * itself.  Bytes for which the kernel has no room stay queued, and are sent
 * when it has.
 *
 * Returns len.  May be short, but at least 1, only for a write larger than the
 * high-water mark that is cancelled or runs out of memory.  For len 0 it sends
 * nothing and returns 0, or the error of an earlier send.  Returns a negative
 * errno if it took nothing, or if the connection failed or the stream was closed
 * meanwhile:
 *	-EPIPE, -ECONNRESET: the peer is gone
 *	-EPIPE: coil_stream_shutdown() was called
 *	-ECANCELED: another task closed the stream meanwhile.  Some of the bytes
 *		may have been sent
 *
 * If sending fails later, the next write, flush, shutdown or close returns the
 * error.
 */
COIL_MUST_CHECK ssize_t coil_stream_write(struct coil_stream *stream, const void *buf,
					  size_t len);

/*
 * Writes the bytes of count buffers, in order, as a single coil_stream_write()
 * does.  Returns also -EINVAL for a count that is negative or above IOV_MAX.
 */
COIL_MUST_CHECK ssize_t coil_stream_writev(struct coil_stream *stream, const struct iovec *iov,
					   int count);

/*
 * Formats its arguments as printf(3) does, and writes the text as one write.
 * Returns what coil_stream_write() returns, or -EILSEQ, -EOVERFLOW, -ENOMEM.
 */
ssize_t coil_stream_printf(struct coil_stream *stream, const char *format, ...) COIL_PRINTF(2, 3);
ssize_t coil_stream_vprintf(struct coil_stream *stream, const char *format, va_list args)
	COIL_PRINTF(2, 0);

/*
 * Corks the stream if on is true: it gathers large writes too, up to the
 * high-water mark, and a read that finds bytes without parking sends nothing.
 * A flush and a write above the high-water mark still send what was gathered.
 * So does the loop before it next polls the kernel.  Uncorks the stream if on
 * is false, and sends what was gathered; a new stream is uncorked.  Does not
 * park.
 */
void coil_stream_cork(struct coil_stream *stream, bool on);

/*
 * Sends what was gathered, and parks until the queue is empty.  Returns 0, or
 * the error of sending.  Several tasks may flush at the same time.  A
 * cancellation ends the wait; the stream still sends what is queued.
 */
int coil_stream_flush(struct coil_stream *stream);

/*
 * Waits for the earlier writes of other tasks, flushes, and then signals the
 * end of the stream to the peer.  Reading goes on.  Parks as
 * coil_stream_flush() does.  Returns 0, also the second time.  On an error the
 * peer got no signal:
 *	-ENOTSOCK: a file, pipe or terminal, whose end coil_stream_close() signals
 *	any error of coil_stream_flush()
 */
int coil_stream_shutdown(struct coil_stream *stream);

/*
 * Flushes, closes the fd and frees the stream.  Parks while it flushes, as long
 * as the peer takes nothing.  A cancellation, pending or new, ends only the
 * flush: bytes for which the kernel has no room are dropped.  So this closes
 * without waiting:
 *
 *	COIL_TIMEOUT(0)
 *		coil_stream_close(stream);
 *
 * Calls of other tasks on the stream return -ECANCELED.  Returns 0, or an error:
 *	-EPIPE, -ECONNRESET, -ECANCELED, -ETIMEDOUT ...: the reason why written
 *		bytes could not be sent
 *	-EBADF: the handler of a server closed the stream before
 *	-EPERM: see below
 *
 * Outside a task it cannot wait, so queued bytes may be dropped (-ECANCELED).
 * It returns -EPERM and changes nothing, not even the fd, in these cases:
 *
 * - outside a task or in another loop than the stream's, while the stream is
 *   sending bytes for which the kernel had no room;
 * - outside a task, while a task is in a call on the stream.
 *
 * So the child of a fork sends nothing that its parent wrote.  A child that
 * gets -EPERM closes coil_stream_fd() with close(2).
 */
int coil_stream_close(struct coil_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
