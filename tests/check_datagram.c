/* SPDX-License-Identifier: MIT */
/* Datagrams: boundaries, addresses, batches, and errors that came by ICMP. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/datagram.h>
#include <coil/timeout.h>
#include <liburing.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

struct endpoint {
	int fd;
	struct sockaddr_storage addr;
	socklen_t len;
};

static bool open_endpoint(struct endpoint *endpoint, int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr *addr = (struct sockaddr *)&endpoint->addr;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	endpoint->fd = coil_socket(family, SOCK_DGRAM, 0);
	if (endpoint->fd == -EAFNOSUPPORT)
		return false;
	ck_assert_int_ge(endpoint->fd, 0);
	memset(addr, 0, sizeof(endpoint->addr));
	addr->sa_family = (sa_family_t)family;
	endpoint->len = sizeof(sa_family_t);
	if (family == AF_INET)
		memcpy(addr, &in, endpoint->len = sizeof(in));
	else if (family == AF_INET6)
		memcpy(addr, &in6, endpoint->len = sizeof(in6));
	if (bind(endpoint->fd, addr, endpoint->len)) {
		ck_assert_int_eq(errno, EADDRNOTAVAIL);
		coil_close(endpoint->fd);
		return false;
	}
	endpoint->len = sizeof(endpoint->addr);
	ck_assert_int_eq(getsockname(endpoint->fd, addr, &endpoint->len), 0);
	return true;
}

static int respond(void *arg)
{
	struct endpoint *server = arg;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[64] = "resp:";
	ssize_t n;

	n = coil_recvfrom(server->fd, buf + 5, sizeof(buf) - 5, 0,
			  (struct sockaddr *)&from, &len);
	if (n != 3)
		return -EIO;
	n = coil_sendto(server->fd, buf, 8, 0, (struct sockaddr *)&from, len);
	return n == 8 ? 0 : -EIO;
}

static void talk(int family)
{
	struct endpoint server, client;
	struct coil_task *task;
	char buf[64];

	if (!open_endpoint(&server, family) || !open_endpoint(&client, family))
		return;
	task = coil_create_task(respond, &server);
	ck_assert_int_eq(coil_connect(client.fd,
				      (struct sockaddr *)&server.addr,
				      server.len),
			 0);
	ck_assert_int_eq(coil_send(client.fd, "xxx", 3, 0), 3);
	ck_assert_int_eq(coil_recv(client.fd, buf, sizeof(buf), 0), 8);
	ck_assert_mem_eq(buf, "resp:xxx", 8);
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(server.fd);
	coil_close(client.fd);
}

COIL_TEST(dgram_002_three_bytes_go_and_eight_come_back)
{
	talk(AF_INET);
	talk(AF_INET6);
	talk(AF_UNIX);
}

COIL_TEST(dgram_003_a_unix_socket_needs_no_path)
{
	struct endpoint server;
	int fd = coil_socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[4];

	ck_assert(open_endpoint(&server, AF_UNIX));
	ck_assert_int_eq(coil_sendto(fd, "anon", 4, 0,
				     (struct sockaddr *)&server.addr,
				     server.len),
			 4);
	ck_assert_int_eq(coil_recvfrom(server.fd, buf, 4, 0,
				       (struct sockaddr *)&from, &len),
			 4);
	ck_assert_uint_le(len, sizeof(sa_family_t));
	coil_close(fd);
	coil_close(server.fd);
}

COIL_TEST(dgram_005_nothing_is_reused_or_broadcast_unless_asked)
{
	static const int options[] = {SO_REUSEADDR, SO_REUSEPORT, SO_BROADCAST};
	int fd = coil_socket(AF_INET, SOCK_DGRAM, 0);

	for (size_t i = 0; i < COUNT(options); i++) {
		int on = -1;
		socklen_t len = sizeof(on);

		ck_assert_int_eq(
			getsockopt(fd, SOL_SOCKET, options[i], &on, &len), 0);
		ck_assert_int_eq(on, 0);
	}
	coil_close(fd);
}

enum { MANY = 100 };

struct flow {
	int fd;
	const struct endpoint *to;
	bool whole;
};

/* The one buffer is used again for each. */
static int send_many(void *arg)
{
	struct flow *flow = arg;
	unsigned char buf[MANY + 1];

	for (int i = 0; i < MANY; i++) {
		memset(buf, i, sizeof(buf));
		if (coil_sendto(flow->fd, buf, (size_t)i + 1, 0,
				(struct sockaddr *)&flow->to->addr,
				flow->to->len) != i + 1)
			return -EIO;
	}
	return 0;
}

/* A unix receiver's queue holds ten or so. */
COIL_TEST(dgram_006_over_a_full_queue_each_goes_whole_and_in_order)
{
	struct endpoint server, client;
	struct flow flow = { .to = &server };
	struct coil_task *task;
	unsigned char buf[MANY + 2];

	ck_assert(open_endpoint(&server, AF_UNIX));
	ck_assert(open_endpoint(&client, AF_UNIX));
	flow.fd = client.fd;
	task = coil_create_task(send_many, &flow);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(coil_recv(server.fd, buf, sizeof(buf), 0),
				 i + 1);
		for (int j = 0; j <= i; j++)
			ck_assert_int_eq(buf[j], i);
	}
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(server.fd);
	coil_close(client.fd);
}

COIL_TEST(dgram_007_a_refusal_is_told_once_and_the_endpoint_lives_on)
{
	struct endpoint server, client;
	struct coil_task *task;
	char buf[8];
	int on = 1;

	ck_assert(open_endpoint(&server, AF_INET));
	ck_assert(open_endpoint(&client, AF_INET));
	coil_close(server.fd);
	ck_assert_int_eq(coil_connect(client.fd,
				      (struct sockaddr *)&server.addr,
				      server.len),
			 0);
	ck_assert_int_eq(coil_send(client.fd, "xxx", 3, 0), 3);
	ck_assert_int_eq(coil_recv(client.fd, buf, sizeof(buf), 0),
			 -ECONNREFUSED);
	ck_assert_int_eq(coil_recv(client.fd, buf, sizeof(buf), MSG_DONTWAIT),
			 -EAGAIN);

	server.fd = coil_socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(server.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(
		bind(server.fd, (struct sockaddr *)&server.addr, server.len),
		0);
	task = coil_create_task(respond, &server);
	ck_assert_int_eq(coil_send(client.fd, "xxx", 3, 0), 3);
	ck_assert_int_eq(coil_recv(client.fd, buf, sizeof(buf), 0), 8);
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(server.fd);
	coil_close(client.fd);
}

/* Vectors for n messages of up to eight bytes. */
struct batch {
	struct mmsghdr msgs[16];
	struct iovec iov[16];
	char bytes[16][8];
};

static void make_batch(struct batch *batch)
{
	memset(batch, 0, sizeof(*batch));
	for (int i = 0; i < 16; i++) {
		batch->iov[i].iov_base = batch->bytes[i];
		batch->iov[i].iov_len = sizeof(batch->bytes[i]);
		batch->msgs[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

COIL_TEST(recvmmsg_takes_what_is_there_and_waits_for_no_more)
{
	static struct batch batch;
	int fds[2];

	unix_pair(fds, SOCK_DGRAM);
	for (char c = 'a'; c <= 'e'; c++)
		ck_assert_int_eq(send(fds[1], &c, 1, 0), 1);
	make_batch(&batch);
	ck_assert_int_eq(coil_recvmmsg(fds[0], batch.msgs, 2, 0), 2);
	ck_assert_int_eq(batch.bytes[0][0], 'a');
	ck_assert_int_eq(batch.bytes[1][0], 'b');
	ck_assert_int_eq(coil_recvmmsg(fds[0], batch.msgs, 16, 0), 3);
	ck_assert_int_eq(batch.bytes[2][0], 'e');
	ck_assert_uint_eq(batch.msgs[2].msg_len, 1);
	close_all(fds, 2);
}

static ssize_t send_sixteen(int fd)
{
	static struct batch batch;
	int n = 0;

	make_batch(&batch);
	for (int i = 0; i < 16; i++) {
		batch.bytes[i][0] = (char)('a' + i);
		batch.iov[i].iov_len = 1;
	}
	while (n < 16) {
		int sent = coil_sendmmsg(fd, batch.msgs + n, (unsigned)(16 - n),
					 0);

		if (sent <= 0)
			return sent;
		n += sent;
	}
	return n;
}

COIL_TEST(sendmmsg_sends_what_fits_and_parks_for_the_first_alone)
{
	struct call call = { .fn = send_sixteen };
	struct coil_task *task;
	char c;
	int fds[2];

	unix_pair(fds, SOCK_DGRAM);
	while (send(fds[0], "-", 1, MSG_DONTWAIT) == 1)
		;
	call.fd = fds[0];
	task = start_call(&call);
	ck_assert(!coil_done(task));
	do
		ck_assert_int_eq(coil_recv(fds[1], &c, 1, 0), 1);
	while (c == '-');
	for (int i = 1; i < 16; i++) {
		ck_assert_int_eq(c, 'a' + i - 1);
		ck_assert_int_eq(coil_recv(fds[1], &c, 1, 0), 1);
	}
	coil_await(task);
	ck_assert_int_eq(call.result, 16);
	close_all(fds, 2);
}

static int spin(void *arg)
{
	struct endpoint *client = arg;
	struct iovec iov = { taken, 1 };
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int n = 0;

	/* There is always something to receive, and room to send. */
	while (!coil_check()) {
		if (coil_send(client->fd, "x", 1, 0) != 1 ||
		    coil_recvmmsg(client->fd, &msg, 1, 0) != 1)
			return coil_check() ? n : -EIO;
		n++;
	}
	return n;
}

COIL_TEST(a_task_whose_messages_are_always_there_does_not_starve_the_others)
{
	struct endpoint client;
	struct coil_task *task;

	ck_assert(open_endpoint(&client, AF_INET));
	ck_assert_int_eq(coil_connect(client.fd,
				      (struct sockaddr *)&client.addr,
				      client.len),
			 0);
	task = coil_create_task(spin, &client);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_yield(), 0);
	coil_cancel(task);
	ck_assert_int_ge(coil_await(task), 1);
	coil_close(client.fd);
}

COIL_TEST(a_received_fd_is_cloexec)
{
	char control[CMSG_SPACE(sizeof(int))], byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[2], got;

	unix_pair(fds, SOCK_DGRAM);
	memset(control, 0, sizeof(control));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fds[0], sizeof(int));
	ck_assert_int_eq(coil_sendmsg(fds[0], &msg, 0), 1);
	msg.msg_controllen = sizeof(control);
	ck_assert_int_eq(coil_recvmsg(fds[1], &msg, 0), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	ck_assert(fcntl(got, F_GETFD) & FD_CLOEXEC);
	coil_close(got);
	close_all(fds, 2);
}

/*
 * Many of one size in one buffer.
 */

static bool without_gso;	/* an older kernel */

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (without_gso && level == IPPROTO_UDP && name == UDP_SEGMENT) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return __real_getsockopt(fd, level, name, value, len);
}

static unsigned char pattern[70000];

/* Two sockets of the loopback address, the first connected to the second. */
static bool udp_pair(int fds[2], int family)
{
	static const int room = 1 << 20;
	struct endpoint ends[2];

	if (!open_endpoint(&ends[0], family) || !open_endpoint(&ends[1], family))
		return false;
	for (int i = 0; i < 2; i++)
		fds[i] = ends[i].fd;
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&ends[1].addr,
				 ends[1].len), 0);
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &room,
				    sizeof(room)), 0);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i * 7 + i / 251);
	return true;
}

static ssize_t send_pattern(int fd, size_t len, size_t segment)
{
	struct iovec iov = { pattern, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return coil_send_segments(fd, &msg, segment, 0);
}

static void receive_pattern(int fd, size_t len, size_t segment)
{
	static unsigned char got[sizeof(pattern)];

	for (size_t at = 0; at < len; at += segment) {
		size_t n = len - at < segment ? len - at : segment;

		ck_assert_int_eq(coil_recv(fd, got, sizeof(got), 0), (ssize_t)n);
		ck_assert_mem_eq(got, pattern + at, n);
	}
	ck_assert_int_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
}

static void send_in_segments(int family)
{
	static const struct { size_t len, segment; } cases[] = {
		{ 1000, 100 }, { 1001, 100 }, { 99, 100 }, { 100, 100 },
		{ 20000, 150 }, { 64, 1 }, { 65, 1 }, { 66000, 30000 },
		{ 66000, 60000 }, { 65507 + 9, 65507 },
	};
	int fds[2];

	if (!udp_pair(fds, family))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_int_eq(send_pattern(fds[0], cases[i].len,
					      cases[i].segment),
				 (ssize_t)cases[i].len);
		receive_pattern(fds[1], cases[i].len, cases[i].segment);
	}
	ck_assert_int_eq(send_pattern(fds[0], 0, 100), 0);
	receive_pattern(fds[1], 0, 100);
	close_all(fds, 2);
}

COIL_TEST(segments_arrive_as_datagrams_of_their_size)
{
	send_in_segments(AF_INET);
	send_in_segments(AF_INET6);
}

COIL_TEST(without_segmentation_they_are_sent_one_by_one)
{
	without_gso = true;
	send_in_segments(AF_INET);
	send_in_segments(AF_INET6);
}

COIL_TEST(a_way_to_the_peer_that_cannot_segment_is_found_out)
{
	static const int refusals[] = { -EIO, -EINVAL, -EMSGSIZE, -EOPNOTSUPP };
	int fds[2];

	if (!support_simulated())
		return;
	ck_assert(udp_pair(fds, AF_INET));
	for (size_t i = 0; i < COUNT(refusals); i++) {
		sim_script(IORING_OP_SENDMSG, 1, refusals[i]);
		ck_assert_int_eq(send_pattern(fds[0], 1050, 100), 1050);
		receive_pattern(fds[1], 1050, 100);
		/* After some have gone, too. */
		sim_script(IORING_OP_SENDMSG, 2, refusals[i]);
		ck_assert_int_eq(send_pattern(fds[0], 8050, 100), 8050);
		receive_pattern(fds[1], 8050, 100);
	}
	close_all(fds, 2);
}

static bool put_together(int fd)
{
	static const int on = 1;

	if (!setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)))
		return true;
	printf("skip: UDP_GRO: %s\n", strerror(errno));
	return false;
}

COIL_TEST(what_the_kernel_has_put_together_is_told_apart)
{
	static unsigned char got[65535];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t segment = 0;
	int fds[2];

	ck_assert(udp_pair(fds, AF_INET));
	if (!put_together(fds[1])) {
		close_all(fds, 2);
		return;
	}
	ck_assert_int_eq(send_pattern(fds[0], 1050, 100), 1050);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0), 1050);
	ck_assert_uint_eq(segment, 100);
	ck_assert_mem_eq(got, pattern, 1050);
	ck_assert_ptr_null(msg.msg_control);
	ck_assert_uint_eq(msg.msg_controllen, 0);
	/* One alone, and an empty one. */
	ck_assert_int_eq(coil_send(fds[0], pattern, 70, 0), 70);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0), 70);
	ck_assert_uint_eq(segment, 70);
	ck_assert_int_eq(coil_send(fds[0], pattern, 0, 0), 0);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0), 0);
	ck_assert_uint_eq(segment, 0);
	close_all(fds, 2);
}

COIL_TEST(unless_it_was_told_to_the_kernel_puts_nothing_together)
{
	unsigned char got[2000];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t segment = 0;
	int fds[2];

	ck_assert(udp_pair(fds, AF_INET));
	ck_assert_int_eq(send_pattern(fds[0], 250, 100), 250);
	for (int i = 0; i < 3; i++) {
		ssize_t n = i < 2 ? 100 : 50;

		ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0),
				 n);
		ck_assert_uint_eq(segment, (size_t)n);
	}
	close_all(fds, 2);
}

/* The time to live that one datagram had, 0 if nothing says. */
static int ttl_of(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int ttl = 0;

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_TTL)
			memcpy(&ttl, CMSG_DATA(cmsg), sizeof(ttl));
	}
	return ttl;
}

static void carry_control(int fds[2])
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, room[256];
	struct iovec iov = { pattern, 300 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	static const int ttl = 17;
	size_t segment;

	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_TTL;
	cmsg->cmsg_len = CMSG_LEN(sizeof(ttl));
	memcpy(CMSG_DATA(cmsg), &ttl, sizeof(ttl));
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 100, 0), 300);
	for (int i = 0; i < 3; i++) {
		unsigned char got[200];
		struct iovec in = { got, sizeof(got) };
		struct msghdr into = {
			.msg_iov = &in, .msg_iovlen = 1,
			.msg_control = room, .msg_controllen = sizeof(room),
		};

		ck_assert_int_eq(coil_recv_segments(fds[1], &into, &segment, 0),
				 100);
		ck_assert_int_eq(ttl_of(&into), ttl);
	}
}

COIL_TEST(every_segment_has_the_control_data_of_the_message)
{
	static const int on = 1;
	int fds[2];

	ck_assert(udp_pair(fds, AF_INET));
	ck_assert_int_eq(setsockopt(fds[1], IPPROTO_IP, IP_RECVTTL, &on,
				    sizeof(on)), 0);
	carry_control(fds);
	without_gso = true;
	carry_control(fds);
	close_all(fds, 2);
}

struct segments {
	int fd;
	ssize_t sent;
};

static int send_hundreds(void *arg)
{
	struct segments *segments = arg;

	segments->sent = send_pattern(segments->fd, 69990, 100);
	return coil_check();
}

COIL_TEST(a_request_that_comes_after_some_shows_when_they_have_been_counted)
{
	struct segments segments;
	struct coil_task *task;
	unsigned char got[200];
	ssize_t n, total = 0;
	int fds[2];

	/* Of a unix socket the receiver's queue is soon full. */
	unix_pair(fds, SOCK_DGRAM);
	segments.fd = fds[0];
	task = coil_create_task(send_hundreds, &segments);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	ck_assert(coil_cancel(task));
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_gt(segments.sent, 0);
	ck_assert_int_lt(segments.sent, 69990);
	while ((n = recv(fds[1], got, sizeof(got), MSG_DONTWAIT)) > 0) {
		ck_assert_int_eq(n, 100);
		total += n;
	}
	ck_assert_int_eq(total, segments.sent);
	close_all(fds, 2);
}

COIL_TEST(fds_that_nobody_asked_for_are_closed)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	size_t segment;
	int fds[2];

	unix_pair(fds, SOCK_DGRAM);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fds[0], sizeof(int));
	ck_assert_int_eq(coil_sendmsg(fds[0], &msg, 0), 1);
	msg.msg_control = NULL;
	msg.msg_controllen = 0;
	/* The fixture counts the fds. */
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0), 1);
	close_all(fds, 2);
}

COIL_TEST(segments_that_make_no_sense_are_told)
{
	char control[300];
	struct iovec iov[2] = { { pattern, 10 }, { NULL, 10 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	size_t segment;
	int fds[2];

	ck_assert(udp_pair(fds, AF_INET));
	ck_assert_int_eq(send_pattern(-1, 10, 10), -EBADF);
	ck_assert_int_eq(send_pattern(fds[0], 10, 0), -EINVAL);
	ck_assert_int_eq(send_pattern(fds[0], 10, 65536), -EINVAL);
	ck_assert_int_eq(send_pattern(fds[0], 10, SIZE_MAX), -EINVAL);
	ck_assert_int_eq(send_pattern(fds[0], 66000, 65535), -EMSGSIZE);
	ck_assert_int_eq(coil_send_segments(fds[0], NULL, 10, 0), -EFAULT);
	msg.msg_iovlen = 2;
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 10, 0), -EINVAL);
	msg.msg_iovlen = 1;
	msg.msg_iov = iov + 1;
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 10, 0), -EFAULT);
	msg.msg_iov = NULL;
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 10, 0), -EFAULT);
	msg.msg_iov = iov;
	msg.msg_controllen = 10;
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 10, 0), -EFAULT);
	msg.msg_control = control;
	msg.msg_controllen = sizeof(control);
	ck_assert_int_eq(coil_send_segments(fds[0], &msg, 10, 0), -EINVAL);
	ck_assert_int_eq(coil_recv_segments(-1, &msg, &segment, 0), -EBADF);
	ck_assert_int_eq(coil_recv_segments(fds[1], NULL, &segment, 0), -EFAULT);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment,
					    MSG_DONTWAIT), -EAGAIN);
	close_all(fds, 2);
	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(send_pattern(fds[0], 10, 10), -EOPNOTSUPP);
	close_all(fds, 2);
}

START_TEST(off_a_loop_segments_are_eperm)
{
	struct iovec iov = { pattern, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t segment;
	int fds[2];

	unix_pair(fds, SOCK_DGRAM);
	ck_assert_int_eq(send_pattern(fds[0], 10, 10), -EPERM);
	ck_assert_int_eq(send_pattern(fds[0], 0, 10), -EPERM);
	ck_assert_int_eq(coil_recv_segments(fds[1], &msg, &segment, 0), -EPERM);
	close_all(fds, 2);
}
END_TEST

static void add_segments(TCase *tests)
{
	tcase_add_test(tests, segments_arrive_as_datagrams_of_their_size);
	tcase_add_test(tests, without_segmentation_they_are_sent_one_by_one);
	tcase_add_test(tests,
		       a_way_to_the_peer_that_cannot_segment_is_found_out);
	tcase_add_test(tests, what_the_kernel_has_put_together_is_told_apart);
	tcase_add_test(tests,
		       unless_it_was_told_to_the_kernel_puts_nothing_together);
	tcase_add_test(tests,
		       every_segment_has_the_control_data_of_the_message);
	tcase_add_test(tests,
		       a_request_that_comes_after_some_shows_when_they_have_been_counted);
	tcase_add_test(tests, fds_that_nobody_asked_for_are_closed);
	tcase_add_test(tests, segments_that_make_no_sense_are_told);
	tcase_add_test(tests, off_a_loop_segments_are_eperm);
}

Suite *suite(void)
{
	Suite *datagram = suite_create("datagram");
	TCase *tests = tcase_create("datagram");

	tcase_add_test(tests, dgram_002_three_bytes_go_and_eight_come_back);
	tcase_add_test(tests, dgram_003_a_unix_socket_needs_no_path);
	tcase_add_test(tests,
		       dgram_005_nothing_is_reused_or_broadcast_unless_asked);
	tcase_add_test(
		tests,
		dgram_006_over_a_full_queue_each_goes_whole_and_in_order);
	tcase_add_test(
		tests,
		dgram_007_a_refusal_is_told_once_and_the_endpoint_lives_on);
	tcase_add_test(tests,
		       recvmmsg_takes_what_is_there_and_waits_for_no_more);
	tcase_add_test(tests,
		       sendmmsg_sends_what_fits_and_parks_for_the_first_alone);
	tcase_add_test(
		tests,
		a_task_whose_messages_are_always_there_does_not_starve_the_others);
	tcase_add_test(tests, a_received_fd_is_cloexec);
	add_segments(tests);
	suite_add_tcase(datagram, tests);
	return datagram;
}
