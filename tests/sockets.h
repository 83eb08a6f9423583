/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SOCKETS_H
#define COIL_TESTS_SOCKETS_H

/*
 * Sockets to test with, made by plain system calls, and tasks that make one
 * call.
 */

#include <arpa/inet.h>
#include <check.h>
#include <coil/socket.h>
#include <coil/task.h>
#include <coil/time.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two connected unix sockets. */
static inline void unix_pair(int fds[2], int type)
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

/* A socket bound to a free port of the loopback address; *addr is where. */
static inline int loopback(int type, struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)addr, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

static inline int listener(struct sockaddr_in *addr)
{
	int fd = loopback(SOCK_STREAM | SOCK_NONBLOCK, addr);

	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

/* A client that the kernel has connected; nobody has accepted it. */
static inline int client(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Two connected TCP sockets. */
static inline void tcp_pair(int fds[2])
{
	struct sockaddr_in addr;
	int fd = listener(&addr);

	fds[0] = client(&addr);
	fds[1] = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fds[1], 0);
	close(fd);
}

/*
 * A listener whose queue is full: who connects now waits.  The clients that
 * fill it are *clients[].
 */
enum { CROWD = 8 };

static inline int crowded(struct sockaddr_in *addr, int clients[CROWD])
{
	int fd = loopback(SOCK_STREAM | SOCK_NONBLOCK, addr);

	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < CROWD; i++) {
		clients[i] = socket(
			AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(clients[i], 0);
		(void)!connect(clients[i], (struct sockaddr *)addr,
			       sizeof(*addr));
	}
	return fd;
}

static inline void close_all(const int fds[], int n)
{
	for (int i = 0; i < n; i++)
		coil_close(fds[i]);
}

static inline void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	ck_assert_int_ge(flags, 0);
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

static inline bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* Sends until nothing fits; how many bytes did. */
static inline size_t fill(int fd, char with)
{
	char block[4096];
	size_t total = 0;
	ssize_t n;

	memset(block, with, sizeof(block));
	while ((n = send(fd, block, sizeof(block),
			 MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += (size_t)n;
	while ((n = send(fd, block, 1, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += (size_t)n;
	return total;
}

/* Receives what is there; how many bytes were. */
static inline size_t drain(int fd)
{
	char block[4096];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	return total;
}

/* The same while the kernel still delivers, until the other end is done. */
static inline size_t drain_until(int fd, size_t total)
{
	size_t got = drain(fd);

	for (int i = 0; got < total && i < 1000; i++) {
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		got += drain(fd);
	}
	return got;
}

/* A task that makes one call. */
struct call {
	ssize_t (*fn)(int fd);
	int fd;
	ssize_t result;
	bool entered;
};

static inline int make_call(void *arg)
{
	struct call *call = arg;

	call->entered = true;
	call->result = call->fn(call->fd);
	return 0;
}

/* Starts it and lets it run up to where it parks. */
static inline struct coil_task *start_call(struct call *call)
{
	struct coil_task *task = coil_create_task(make_call, call);

	ck_assert_ptr_nonnull(task);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(call->entered);
	return task;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/*
 * Calls that take one byte, or one message of one byte, and return 1.
 */

static char taken[8];

static inline ssize_t take_recv(int fd)
{
	return coil_recv(fd, taken, 1, 0);
}

static inline ssize_t take_recvfrom(int fd)
{
	return coil_recvfrom(fd, taken, 1, 0, NULL, NULL);
}

static inline ssize_t take_recvmsg(int fd)
{
	struct iovec iov = { taken, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return coil_recvmsg(fd, &msg, 0);
}

static inline ssize_t take_recvmmsg(int fd)
{
	struct iovec iov = { taken, 1 };
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	return coil_recvmmsg(fd, &msg, 1, 0);
}

static inline ssize_t take_recv_all(int fd)
{
	return coil_recv_all(fd, taken, 1, 0, NULL);
}

static ssize_t (*const takers[])(int) = {
	take_recv, take_recvfrom, take_recvmsg, take_recvmmsg, take_recv_all,
};

/* The same for one byte, or message, that is given. */

static inline ssize_t give_send(int fd)
{
	return coil_send(fd, "x", 1, 0);
}

static inline ssize_t give_sendto(int fd)
{
	return coil_sendto(fd, "x", 1, 0, NULL, 0);
}

static inline ssize_t give_sendmsg(int fd)
{
	struct iovec iov = { (char *)"x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return coil_sendmsg(fd, &msg, 0);
}

static inline ssize_t give_sendmmsg(int fd)
{
	struct iovec iov = { (char *)"x", 1 };
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	return coil_sendmmsg(fd, &msg, 1, 0);
}

static inline ssize_t give_send_all(int fd)
{
	return coil_send_all(fd, "x", 1, 0, NULL);
}

static ssize_t (*const givers[])(int) = {
	give_send, give_sendto, give_sendmsg, give_sendmmsg, give_send_all,
};

static inline ssize_t take_connection(int fd)
{
	return coil_accept(fd, NULL, NULL);
}

#endif
