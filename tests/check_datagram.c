/* SPDX-License-Identifier: MIT */
/* Datagrams: boundaries, addresses, batches, and errors that came by ICMP. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/timeout.h>
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
	suite_add_tcase(datagram, tests);
	return datagram;
}
