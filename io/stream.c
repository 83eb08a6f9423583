/* SPDX-License-Identifier: MIT */
/*
 * Opening a stream, its transports, and its close.  Reading and writing have
 * files of their own; they share only the fd.
 *
 * References: the owner has one, a server has one, and each task has one while
 * it is inside a call that may park.  coil_stream_close() wakes those tasks but
 * need not wait for them: the last reference frees the stream.
 */
#include "core/backend/fd.h"
#include "io/stream.h"
#include "io/wait.h"
#include <coil/address.h>
#include <coil/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Default maximum of bytes that a stream holds, in each direction. */
enum { DEFAULT_LIMIT = 65536 };

static ssize_t result(ssize_t n)
{
	return n < 0 ? -errno : n;
}

static ssize_t socket_send(struct coil_stream *stream, const struct iovec *parts, int count)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };

	/* send(2) is cheaper than sendmsg(2). */
	if (likely(count == 1))
		return result(send(stream->fd, parts->iov_base, op_cut(parts->iov_len),
				   MSG_DONTWAIT | MSG_NOSIGNAL));
	return result(sendmsg(stream->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int socket_shutdown(struct coil_stream *stream)
{
	return coil_shutdown(stream->fd, SHUT_WR);
}

static void prepare_recv(struct coil_stream *stream, struct op *op, void *buf, size_t len)
{
	io_uring_prep_recv(&op->sqe, stream->fd, buf, op_cut(len), 0);
}

static void prepare_send(struct coil_stream *stream, struct op *op, const void *buf, size_t len)
{
	io_uring_prep_send(&op->sqe, stream->fd, buf, op_cut(len), MSG_NOSIGNAL);
}

static void prepare_read(struct coil_stream *stream, struct op *op, void *buf, size_t len)
{
	io_uring_prep_read(&op->sqe, stream->fd, buf, op_cut(len), UINT64_MAX);
}

static void prepare_write(struct coil_stream *stream, struct op *op, const void *buf, size_t len)
{
	io_uring_prep_write(&op->sqe, stream->fd, buf, op_cut(len), UINT64_MAX);
}

/* Goes through the backend, which learns whether bytes are left. */
static ssize_t socket_receive(struct coil_stream *stream, void *buf, size_t len)
{
	struct op op = {0};

	prepare_recv(stream, &op, buf, len);
	return coil__op_try(&op);
}

/* An op can read a blocking pipe without blocking. */
static ssize_t pipe_receive(struct coil_stream *stream, void *buf, size_t len)
{
	struct op op = {0};

	prepare_read(stream, &op, buf, len);
	return coil__op_try(&op);
}

static ssize_t pipe_send(struct coil_stream *stream, const struct iovec *parts, int count)
{
	struct op op = {0};
	ssize_t n;

	io_uring_prep_writev(&op.sqe, stream->fd, parts, (unsigned)count, UINT64_MAX);
	n = coil__op_try(&op);
	return n == -EOPNOTSUPP ? -EAGAIN : n;
}

static int pipe_shutdown(struct coil_stream *stream)
{
	(void)stream;
	return -ENOTSOCK;
}

/* A disk may be slow, so only an op reads or writes a file. */
static ssize_t file_receive(struct coil_stream *stream, void *buf, size_t len)
{
	(void)stream;
	(void)buf;
	(void)len;
	return -EAGAIN;
}

static ssize_t file_send(struct coil_stream *stream, const struct iovec *parts, int count)
{
	(void)stream;
	(void)parts;
	(void)count;
	return -EAGAIN;
}

static const struct transport socket_transport = {
	.pollable = true, .receive = socket_receive, .send = socket_send,
	.shutdown = socket_shutdown, .prepare_receive = prepare_recv, .prepare_send = prepare_send,
};

static const struct transport pipe_transport = {
	.pollable = true, .receive = pipe_receive, .send = pipe_send,
	.shutdown = pipe_shutdown, .prepare_receive = prepare_read, .prepare_send = prepare_write,
};

static const struct transport file_transport = {
	.receive = file_receive, .send = file_send,
	.shutdown = pipe_shutdown, .prepare_receive = prepare_read, .prepare_send = prepare_write,
};

/* Returns NULL and sets errno for an fd that can carry no stream. */
static const struct transport *transport_of(int fd)
{
	int type, on = 1;
	socklen_t len = sizeof(type);

	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len)) {
		if (type != SOCK_STREAM) {
			errno = EINVAL;
			return NULL;
		}
		/* Fails if the socket is not TCP, and then does no harm. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return &socket_transport;
	}
	if (errno != ENOTSOCK)
		return NULL;
	if (!coil__is_file(fd))
		return &pipe_transport;
	if (coil__file_type(fd) == S_IFDIR) {
		errno = EINVAL;
		return NULL;
	}
	return &file_transport;
}

struct coil_stream *coil_stream_open(int fd)
{
	const struct transport *transport = transport_of(fd);
	struct coil_stream *stream = transport ? calloc(1, sizeof(*stream)) : NULL;
	int err = errno;

	if (!stream) {
		if (fd >= 0)
			coil_close(fd);
		errno = err;
		return NULL;
	}
	stream->transport = transport;
	stream->fd = fd;
	stream->refs = 1;
	stream->limit = DEFAULT_LIMIT;
	stream->high_water = DEFAULT_LIMIT;
	return stream;
}

struct coil_stream *coil_open_connection(const char *address)
{
	int fd = coil_dial(address);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	return coil_stream_open(fd);
}

void coil_stream_set_limits(struct coil_stream *stream, size_t read_limit, size_t high_water)
{
	if (!stream)
		return;
	stream->limit = read_limit ? read_limit : DEFAULT_LIMIT;
	stream->high_water = high_water ? high_water : DEFAULT_LIMIT;
	stream->room = 0;
}

void coil_stream_cork(struct coil_stream *stream, bool on)
{
	if (!stream)
		return;
	stream->corked = on;
	if (!on)
		coil__stream_push(stream);
}

int coil_stream_fd(const struct coil_stream *stream)
{
	if (!stream)
		return -EINVAL;
	return stream->closed ? -EBADF : stream->fd;
}

void coil__stream_unref(struct coil_stream *stream)
{
	if (--stream->refs)
		return;
	free(stream->buf);
	free(stream);
}

void coil__stream_hold(struct coil_stream *stream)
{
	stream->refs++;
}

/*
 * coil_close() waits for the queue's op.  After it the kernel reads no chunk,
 * and the queue can be dropped.
 */
static int close_fd(struct coil_stream *stream)
{
	int fd = stream->fd;

	stream->fd = -1;
	return coil_close(fd);
}

/*
 * Drops the owner's reference.  Sending goes on while the flush waits, but no
 * call may add bytes.
 */
static int stream_end(struct coil_stream *stream, bool flush)
{
	int pending = coil__self()->pending;
	int err = pending == -EPERM ? -ECANCELED : pending, lost;

	/*
	 * Outside a task the close cannot wait.  refs does not show whether
	 * tasks are inside, as the owner and a server have references too.
	 */
	if (pending == -EPERM && (stream->sending || stream->reading || stream->writing))
		return -EPERM;
	if (stream->sending && stream->loop != coil__loop)
		return -EPERM;
	stream->closed = true;
	stream->room = 0;
	/* Sends even if the caller is cancelled: the bytes were accepted before. */
	coil__stream_push(stream);
	coil_waitq_unpark_all(&stream->writer);
	if (flush && !err)
		err = coil__stream_drain(stream);
	lost = close_fd(stream);
	if (stream->head)
		coil__stream_drop(stream, err && err != -EPERM ? err : -ECANCELED);
	coil_waitq_unpark_all(&stream->flushers);
	if (stream->lost)
		lost = stream->lost;
	coil__stream_unref(stream);
	return lost;
}

int coil_stream_close(struct coil_stream *stream)
{
	if (!stream)
		return -EINVAL;
	return stream->closed ? -EBADF : stream_end(stream, true);
}

int coil__stream_release(struct coil_stream *stream, bool flush)
{
	int err = stream->closed ? 0 : stream_end(stream, flush);

	coil__stream_unref(stream);
	return err;
}
