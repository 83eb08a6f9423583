/* SPDX-License-Identifier: MIT */
/* Fds that are passed over unix sockets, and who is at their other end. */
#include "tests/sweep.h"
#include "tests/sockets.h"
#include <coil.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

/* An fd that can be told from others. */
static int make_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	ck_assert_int_eq(fstat(one, &a), 0);
	ck_assert_int_eq(fstat(other, &b), 0);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Files that nobody wants are closed in a thread. */
static void fds_come_to(int count)
{
	while (open_fds() != count)
		ck_assert_int_eq(coil_yield(), 0);
}

COIL_TEST(an_fd_arrives_with_its_byte_and_is_cloexec)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		int fds[2], file = make_file(), got[4];
		size_t n = COUNT(got);
		char byte = 0;

		unix_pair(fds, types[i]);
		ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, &file, 1), 1);
		ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, &n), 1);
		ck_assert_int_eq(byte, 'x');
		ck_assert_uint_eq(n, 1);
		ck_assert_int_ne(got[0], file);
		ck_assert(same_file(got[0], file));
		ck_assert(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
		coil_close(got[0]);
		coil_close(file);
		close_all(fds, 2);
	}
}

COIL_TEST(as_many_as_the_kernel_takes_arrive_in_order_and_one_more_is_einval)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		int fds[2], files[COIL_FDS_MAX + 1], got[COIL_FDS_MAX];
		size_t n = COUNT(got);
		char text[16];

		unix_pair(fds, types[i]);
		files[0] = make_file();
		files[1] = make_file();
		for (int j = 2; j <= COIL_FDS_MAX; j++)
			files[j] = files[j % 2];
		ck_assert_int_eq(coil_send_fds(fds[0], "many", 4, files,
					       COIL_FDS_MAX + 1), -EINVAL);
		ck_assert_int_eq(coil_send_fds(fds[0], "many", 4, files,
					       COIL_FDS_MAX), 4);
		ck_assert_int_eq(coil_recv_fds(fds[1], text, sizeof(text), got,
					       &n), 4);
		ck_assert_mem_eq(text, "many", 4);
		ck_assert_uint_eq(n, COIL_FDS_MAX);
		for (size_t j = 0; j < n; j++)
			ck_assert(same_file(got[j], files[j % 2]));
		close_all(got, COIL_FDS_MAX);
		close_all(files, 2);
		close_all(fds, 2);
	}
}

COIL_TEST(bytes_may_come_alone_and_the_end_is_0)
{
	int fds[2], got[1];
	size_t n = 1;
	char text[8];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(coil_send_fds(fds[0], "abc", 3, NULL, 0), 3);
	ck_assert_int_eq(coil_recv_fds(fds[1], text, sizeof(text), got, &n), 3);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(coil_send_fds(fds[0], "abc", 3, NULL, 0), 3);
	ck_assert_int_eq(coil_recv_fds(fds[1], text, sizeof(text), NULL, &n), 3);
	coil_close(fds[0]);
	n = 1;
	ck_assert_int_eq(coil_recv_fds(fds[1], text, sizeof(text), got, &n), 0);
	ck_assert_uint_eq(n, 0);
	coil_close(fds[1]);
}

COIL_TEST(fds_for_which_there_is_no_room_are_closed_and_that_is_told)
{
	for (size_t room = 0; room < 3; room++) {
		int fds[2], files[3], got[3], before;
		size_t n = room;
		char byte;

		unix_pair(fds, SOCK_STREAM);
		for (int i = 0; i < 3; i++)
			files[i] = make_file();
		before = open_fds();
		ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, files, 3), 1);
		ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, &n),
				 -EMSGSIZE);
		ck_assert_uint_eq(n, 0);
		fds_come_to(before);
		close_all(files, 3);
		close_all(fds, 2);
	}
}

/* Of the numbers below the limit only so many are free. */
static void limit_fds(struct rlimit *old, int free_numbers)
{
	struct rlimit limit;
	int fd = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, old), 0);
	limit = *old;
	for (; free_numbers >= 0; fd++)
		free_numbers -= fcntl(fd, F_GETFD) < 0;
	limit.rlim_cur = (rlim_t)fd - 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

COIL_TEST(fds_that_the_process_may_not_have_are_emfile_and_none_stays)
{
	/* Its own fds are in the way. */
	if (support_on_valgrind())
		return;
	for (int numbers = 0; numbers < 3; numbers++) {
		int fds[2], files[3], got[3], before;
		size_t n = COUNT(got);
		struct rlimit old;
		char byte;

		unix_pair(fds, SOCK_STREAM);
		for (int i = 0; i < 3; i++)
			files[i] = make_file();
		before = open_fds();
		ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, files, 3), 1);
		limit_fds(&old, numbers);
		ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, &n),
				 -EMFILE);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
		ck_assert_uint_eq(n, 0);
		fds_come_to(before);
		close_all(files, 3);
		close_all(fds, 2);
	}
}

COIL_TEST(what_else_a_message_brings_takes_no_room_and_leaks_nothing)
{
	static const int on = 1;
	int fds[2], file = make_file(), got[1], before;
	size_t n = 1;
	char byte;

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on,
				    sizeof(on)), 0);
	/* SO_PASSPIDFD, where the kernel has it, sends an fd along. */
	(void)setsockopt(fds[1], SOL_SOCKET, 76, &on, sizeof(on));
	before = open_fds();
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, &file, 1), 1);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, &n), 1);
	ck_assert_uint_eq(n, 1);
	ck_assert(same_file(got[0], file));
	coil_close(got[0]);
	fds_come_to(before);
	coil_close(file);
	close_all(fds, 2);
}

COIL_TEST(arguments_that_make_no_sense_are_told_and_nothing_is_sent)
{
	int fds[2], got[1], shut = make_file();
	size_t n = 1;
	char byte;

	unix_pair(fds, SOCK_STREAM);
	close(shut);
	ck_assert_int_eq(coil_send_fds(-1, "x", 1, fds, 1), -EBADF);
	ck_assert_int_eq(coil_send_fds(fds[0], NULL, 1, fds, 1), -EFAULT);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 0, fds, 1), -EINVAL);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, fds, SIZE_MAX), -EINVAL);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, &shut, 1), -EBADF);
	ck_assert_int_eq(coil_recv_fds(-1, &byte, 1, got, &n), -EBADF);
	ck_assert_int_eq(coil_recv_fds(fds[1], NULL, 1, got, &n), -EFAULT);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, NULL, &n), -EFAULT);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, NULL), -EFAULT);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 0, got, &n), -EINVAL);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(drain(fds[1]), 0);
	close_all(fds, 2);
}

START_TEST(off_a_loop_they_are_eperm)
{
	int fds[2], got[1];
	size_t n = 1;
	char byte;

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, fds, 1), -EPERM);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, got, &n), -EPERM);
	close_all(fds, 2);
}
END_TEST

/* Where fds are received into a number that was closed behind the loop's back. */
COIL_TEST(an_fd_that_is_received_can_be_waited_for_whatever_its_number_was)
{
	int fds[2], ends[2], pipes[2], got;
	struct call call = { .fn = take_recv };
	struct coil_task *task;
	size_t n = 1;
	char byte;

	unix_pair(fds, SOCK_STREAM);
	unix_pair(pipes, SOCK_STREAM);
	unix_pair(ends, SOCK_STREAM);
	call.fd = ends[1];
	task = start_call(&call);
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_send_fds(fds[0], "x", 1, &pipes[1], 1), 1);
	close(ends[1]);
	ck_assert_int_eq(coil_recv_fds(fds[1], &byte, 1, &got, &n), 1);
	ck_assert_int_eq(got, ends[1]);
	call = (struct call){ .fn = take_recv, .fd = got };
	task = start_call(&call);
	ck_assert_int_eq(coil_send(pipes[0], "y", 1, 0), 1);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 1);
	coil_close(got);
	coil_close(ends[0]);
	close_all(pipes, 2);
	close_all(fds, 2);
}

/*
 * Cancelled anywhere, no fd is lost and none is closed.
 */

static struct {
	int fds[2];
	int type;
	int given;
	int got;
} own;

static void begin_sweep(void)
{
	own.given = own.got = 0;
	unix_pair(own.fds, own.type | SOCK_NONBLOCK);
}

static void take_one(int got)
{
	char text[2];

	ck_assert_int_eq(pread(got, text, 1, 0), 1);
	ck_assert_int_eq(text[0], 'a' + own.got++);
	coil_close(got);
}

static int receive_three(void *arg)
{
	(void)arg;
	while (own.got < 3) {
		int got[2];
		size_t count = 2;
		char byte;
		ssize_t n = coil_recv_fds(own.fds[0], &byte, 1, got, &count);

		if (n < 0) {
			ck_assert_uint_eq(count, 0);
			return (int)n;
		}
		ck_assert_int_eq(n, 1);
		ck_assert_uint_eq(count, 1);
		take_one(got[0]);
	}
	return 0;
}

static void give_one(void)
{
	char text = (char)('a' + own.given), control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &text, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int file;

	if (own.given == 3)
		return;
	own.given++;
	file = make_file();
	ck_assert_int_eq(pwrite(file, &text, 1, 0), 1);
	memset(control, 0, sizeof(control));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &file, sizeof(int));
	ck_assert_int_eq(sendmsg(own.fds[1], &msg, MSG_DONTWAIT), 1);
	close(file);
}

static void end_sweep(int result)
{
	ok_or_cancelled(result);
	for (;;) {
		char byte, control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = { &byte, 1 };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		int got;

		if (recvmsg(own.fds[0], &msg, MSG_DONTWAIT) != 1)
			break;
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
		take_one(got);
	}
	ck_assert_int_eq(own.got, own.given);
	close_all(own.fds, 2);
}

COIL_TEST(no_fd_that_was_received_is_lost_by_a_cancel)
{
	static const struct sweep it = { begin_sweep, receive_three, give_one,
					 end_sweep };

	for (size_t i = 0; i < COUNT(types); i++) {
		own.type = types[i];
		sweep(&it);
	}
}

static int send_three(void *arg)
{
	(void)arg;
	while (own.given < 3) {
		int file = make_file();
		char text = (char)('a' + own.given);
		ssize_t n;

		ck_assert_int_eq(pwrite(file, &text, 1, 0), 1);
		n = coil_send_fds(own.fds[1], &text, 1, &file, 1);
		ck_assert_int_eq(coil_close(file), 0);
		if (n < 0)
			return (int)n;
		own.given++;
	}
	return 0;
}

/* The queue is full of messages that bring none. */
static void begin_full(void)
{
	begin_sweep();
	fill(own.fds[1], '-');
}

static void make_room(void)
{
	char block[4096];

	for (int i = 0; i < 2; i++) {
		struct iovec iov = { block, sizeof(block) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		if (recv(own.fds[0], block, 1, MSG_PEEK | MSG_DONTWAIT) != 1 ||
		    *block != '-')
			return;
		ck_assert_int_ge(recvmsg(own.fds[0], &msg, 0), 1);
	}
}

static void end_full(int result)
{
	char byte;

	while (recv(own.fds[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 &&
	       byte == '-')
		make_room();
	end_sweep(result);
}

COIL_TEST(what_was_said_to_be_sent_was_sent_and_no_more)
{
	static const struct sweep it = { begin_full, send_three, make_room,
					 end_full };

	own.type = SOCK_SEQPACKET;
	sweep(&it);
	own.type = SOCK_DGRAM;
	sweep(&it);
}

/*
 * Peers.
 */

COIL_TEST(a_peer_is_known_by_its_process_and_user)
{
	struct ucred peer = { 0, 0, 0 };
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(coil_peer_credentials(fds[0], &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_eq(peer.gid, getegid());
	ck_assert_int_eq(coil_peer_credentials(fds[0], NULL), -EFAULT);
	close_all(fds, 2);
}

COIL_TEST(what_has_no_peer_or_could_have_none_says_so)
{
	struct ucred peer;
	int fd = coil_socket(AF_UNIX, SOCK_STREAM, 0), fds[2], file;

	ck_assert_int_eq(coil_peer_credentials(fd, &peer), -ENOTCONN);
	ck_assert_int_ge(file = make_file(), 0);
	tcp_pair(fds);
	ck_assert_int_eq(coil_peer_credentials(fds[0], &peer), -EOPNOTSUPP);
	ck_assert_int_eq(coil_peer_pidfd(fds[0]), -EOPNOTSUPP);
	ck_assert_int_eq(coil_peer_credentials(file, &peer), -ENOTSOCK);
	ck_assert_int_eq(coil_peer_pidfd(file), -ENOTSOCK);
	ck_assert_int_eq(coil_peer_credentials(-1, &peer), -EBADF);
	ck_assert_int_eq(coil_peer_pidfd(-1), -EBADF);
	close_all(fds, 2);
	coil_close(fd);
	coil_close(file);
}

/* Which process a pidfd is of; -1 when that has ended. */
static int pid_of(int pidfd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	info = fopen(path, "re");
	ck_assert_ptr_nonnull(info);
	while (fgets(line, sizeof(line), info))
		sscanf(line, "Pid: %d", &pid);
	fclose(info);
	return pid;
}

COIL_TEST(the_pidfd_of_a_client_is_that_of_its_process)
{
	const char *address = "unix:@coil-check-unix-pidfd";
	int listener = coil_listen(address, NULL), fd, pidfd, status;
	struct ucred peer;
	char byte;
	pid_t child;

	ck_assert_int_ge(listener, 0);
	child = fork();
	if (!child) {
		struct sockaddr_un un = { .sun_family = AF_UNIX };
		socklen_t len = offsetof(struct sockaddr_un, sun_path) + 22;

		memcpy(un.sun_path + 1, "coil-check-unix-pidfd", 21);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(connect(fd, (struct sockaddr *)&un, len) ||
		      read(fd, &byte, 1) != 0);
	}
	fd = coil_accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_peer_credentials(fd, &peer), 0);
	ck_assert_int_eq(peer.pid, child);
	pidfd = coil_peer_pidfd(fd);
	if (pidfd == -ENOPROTOOPT) {
		printf("skip: SO_PEERPIDFD: the kernel has none\n");
	} else {
		ck_assert_int_ge(pidfd, 0);
		ck_assert_int_eq(pid_of(pidfd), child);
		ck_assert(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
		coil_close(pidfd);
	}
	coil_close(fd);
	coil_close(listener);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("unix");
	TCase *tests = tcase_create("unix");

	tcase_add_test(tests, an_fd_arrives_with_its_byte_and_is_cloexec);
	tcase_add_test(tests,
		       as_many_as_the_kernel_takes_arrive_in_order_and_one_more_is_einval);
	tcase_add_test(tests, bytes_may_come_alone_and_the_end_is_0);
	tcase_add_test(tests,
		       fds_for_which_there_is_no_room_are_closed_and_that_is_told);
	tcase_add_test(tests,
		       fds_that_the_process_may_not_have_are_emfile_and_none_stays);
	tcase_add_test(tests,
		       what_else_a_message_brings_takes_no_room_and_leaks_nothing);
	tcase_add_test(tests,
		       arguments_that_make_no_sense_are_told_and_nothing_is_sent);
	tcase_add_test(tests, off_a_loop_they_are_eperm);
	tcase_add_test(tests,
		       an_fd_that_is_received_can_be_waited_for_whatever_its_number_was);
	tcase_add_test(tests, no_fd_that_was_received_is_lost_by_a_cancel);
	tcase_add_test(tests, what_was_said_to_be_sent_was_sent_and_no_more);
	tcase_add_test(tests, a_peer_is_known_by_its_process_and_user);
	tcase_add_test(tests, what_has_no_peer_or_could_have_none_says_so);
	tcase_add_test(tests, the_pidfd_of_a_client_is_that_of_its_process);
	suite_add_tcase(whole, tests);
	return whole;
}
