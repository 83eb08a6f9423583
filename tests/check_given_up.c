/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own -ECANCELED and -EINTR: it gave an operation up, because it could
 * make no thread for it or a signal came.  That is no cancellation by the program.
 */
#include "tests/sockets.h"
#include "tests/ops.h"
#include "tests/support.h"
#include "core/backend/uring.h"
#include <coil/file.h>
#include <coil/group.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

static bool on_uring(void)
{
	return !strcmp(support_backend(), "uring");
}

/* Has the kernel give up the next operation: it is linked to one that fails. */
static void give_up_next(void)
{
	struct io_uring_sqe *sqe;

	if (!on_uring())
		return;
	sqe = io_uring_get_sqe(&((struct uring *)coil__loop->io.data)->ring);
	ck_assert_ptr_nonnull(sqe);
	io_uring_prep_read(sqe, -1, NULL, 0, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = TAG_IGNORE;
}

/*
 * Calls on a file or a pair of sockets that hold a byte.
 */

static int file;
static int sockets[2];
static struct sockaddr_in address;
static int listening;

static ssize_t do_open(void)
{
	int fd = coil_open("/dev/null", O_RDWR, 0);

	return fd < 0 ? fd : coil_close(fd) + 1;
}

static ssize_t do_statx(void)
{
	struct statx buf;

	return coil_statx(AT_FDCWD, "/dev/null", 0, STATX_TYPE, &buf) + 1;
}

static ssize_t do_fsync(void)
{
	return coil_fsync(file) + 1;
}

static ssize_t do_read(void)
{
	return coil_read(file, taken, 1);
}

static ssize_t do_write(void)
{
	return coil_write(file, "x", 1);
}

static ssize_t do_pwrite(void)
{
	return coil_pwrite(file, "x", 1, 0);
}

static ssize_t do_recv(void)
{
	return take_recv(sockets[0]);
}

static ssize_t do_recvmsg(void)
{
	return take_recvmsg(sockets[0]);
}

static ssize_t do_send(void)
{
	return give_send(sockets[0]);
}

static int say_something(void *arg)
{
	return write(*(int *)arg, "x", 1) == 1 ? 0 : -errno;
}

static ssize_t do_poll(void)
{
	struct coil_task *task;
	int fds[2], n;
	struct pollfd polled[2] = { { .events = POLLIN }, { .fd = -1 } };

	unix_pair(fds, SOCK_STREAM);
	polled[0].fd = fds[0];
	task = coil_create_task(say_something, &fds[1]);
	give_up_next();
	n = coil_poll(polled, 2);
	ck_assert_int_eq(coil_await(task), 0);
	close_all(fds, 2);
	return n;
}

static ssize_t do_accept(void)
{
	int peer = client(&address), fd;

	give_up_next();
	fd = coil_accept(listening, NULL, NULL);
	close(peer);
	return fd < 0 ? fd : coil_close(fd) + 1;
}

static ssize_t do_connect(void)
{
	int fd = coil_socket(AF_INET, SOCK_STREAM, 0);
	int err = coil_connect(fd, (struct sockaddr *)&address, sizeof(address));

	coil_close(fd);
	close(accept(listening, NULL, NULL));
	return err + 1;
}

static ssize_t (*const calls[])(void) = {
	do_open, do_statx, do_fsync, do_read, do_write, do_pwrite, do_recv, do_recvmsg,
	do_send, do_poll, do_accept, do_connect,
};

static void set_up(void)
{
	file = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(pwrite(file, "yyyy", 4, 0), 4);
	unix_pair(sockets, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(write(sockets[1], "zzzz", 4), 4);
	listening = listener(&address);
}

static void tear_down(void)
{
	close(file);
	close_all(sockets, 2);
	close(listening);
}

COIL_TEST(what_the_kernel_gives_up_is_done_all_the_same)
{
	set_up();
	for (size_t i = 0; i < COUNT(calls); i++) {
		give_up_next();
		ck_assert_int_eq(calls[i](), 1);
	}
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 2);
	tear_down();
}

static int receive(void *arg)
{
	ssize_t n = take_recv(*(int *)arg);

	return n == 1 ? 0 : (int)n;
}

COIL_TEST(what_the_kernel_gives_up_waits_as_before_and_hears_a_cancel)
{
	int fds[2];
	struct coil_task *task;

	for (int i = 0; i < 2; i++) {
		unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
		task = coil_create_task(receive, &fds[0]);
		give_up_next();
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
		ck_assert(!coil_done(task));
		if (i)
			coil_cancel(task);
		else
			ck_assert_int_eq(write(fds[1], "x", 1), 1);
		ck_assert_int_eq(coil_await(task), i ? -ECANCELED : 0);
		close_all(fds, 2);
	}
}

/*
 * No thread to be had.
 */

static bool created;

static int create(void *arg)
{
	char name[64];
	int fd, err;

	(void)arg;
	snprintf(name, sizeof(name), "/tmp/coil-given-up-%d", (int)getpid());
	fd = coil_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	err = coil_fsync(fd);
	ck_assert_int_eq(coil_write(fd, "x", 1), 1);
	ck_assert_int_eq(coil_close(fd), 0);
	if (!err)
		err = coil_unlinkat(AT_FDCWD, name, 0);
	created = !err;
	return err;
}

static int create_in_group(void *arg)
{
	struct coil_group group = {0};

	ck_assert_int_eq(coil_group_create_task(&group, create, arg), 0);
	return coil_group_wait(&group);
}

/* The limit is not for the superuser. */
START_TEST(where_no_thread_can_be_had_files_are_written_and_no_group_is_deceived)
{
	struct rlimit limit, old;
	struct stat st;

	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &old), 0);
	limit = old;
	limit.rlim_cur = 1;
	if (!geteuid()) {
		ck_assert_int_eq(setgroups(0, NULL), 0);
		ck_assert_int_eq(setgid(65534), 0);
		ck_assert_int_eq(setuid(65534), 0);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
	ck_assert_int_eq(stat("/tmp", &st), 0);
	ck_assert_int_eq(coil_run(create_in_group, NULL), 0);
	ck_assert(created);
	/* LeakSanitizer makes a thread at the end, which has to see this process. */
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &old), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

/*
 * The one place that knows what a result means.
 */

COIL_TEST(a_result_means_what_the_way_says_by_which_it_came)
{
	static const int codes[] = { -ECANCELED, -EINTR, -512, -513, -514, -516 };
	struct op op = {0};
	int fds[2];

	unix_pair(fds, SOCK_STREAM);
	for (size_t i = 0; i < COUNT(codes); i++) {
		io_uring_prep_read(&op.sqe, fds[0], taken, 1, UINT64_MAX);
		op.cancelled = false;
		ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, codes[i]), OP_UNDONE);
		ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, codes[i]), OP_UNDONE);
		op.cancelled = true;
		ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, codes[i]), -ECANCELED);
		ck_assert_int_eq(coil__op_result(&op, OP_BY_CALL, codes[i]), -ECANCELED);
	}
	op.cancelled = false;
	ck_assert_int_eq(coil__op_result(&op, OP_BY_CALL, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_CALL, -EINTR), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_CALL, -EAGAIN), -EAGAIN);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EAGAIN), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EACCES), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EPIPE), -EPIPE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, POLLIN), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, -ETIME), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, -EBADF), -EBADF);
	op.sqe.rw_flags = RWF_NOWAIT;
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EAGAIN), -EAGAIN);
	close_all(fds, 2);
}

COIL_TEST(a_poll_of_a_terminal_that_fails_by_chance_is_made_again)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), fds[2];
	struct op op = {0};

	ck_assert_int_ge(fd, 0);
	io_uring_prep_poll_add(&op.sqe, fd, POLLIN);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EINVAL), OP_UNDONE);
	io_uring_prep_read(&op.sqe, fd, taken, 1, UINT64_MAX);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, -EINVAL), OP_UNDONE);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EINVAL), -EINVAL);
	op.cancelled = true;
	ck_assert_int_eq(coil__op_result(&op, OP_BY_POLL, -EINVAL), -ECANCELED);
	close(fd);
	/* Other files give the error, because they report no events. */
	unix_pair(fds, SOCK_STREAM);
	op.cancelled = false;
	io_uring_prep_poll_add(&op.sqe, fds[0], POLLIN);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EINVAL), -EINVAL);
	close_all(fds, 2);
}

COIL_TEST(a_timerfd_that_says_ecanceled_is_believed)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	struct op op = {0};

	io_uring_prep_read(&op.sqe, fd, taken, sizeof(taken), UINT64_MAX);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(coil__op_result(&op, OP_BY_RING, -EINTR), OP_UNDONE);
	close(fd);
}

Suite *suite(void)
{
	Suite *given_up = suite_create("given_up");
	TCase *tests = tcase_create("given_up");

	tcase_add_test(tests, what_the_kernel_gives_up_is_done_all_the_same);
	tcase_add_test(tests, what_the_kernel_gives_up_waits_as_before_and_hears_a_cancel);
	tcase_add_test(tests,
		       where_no_thread_can_be_had_files_are_written_and_no_group_is_deceived);
	tcase_add_test(tests, a_result_means_what_the_way_says_by_which_it_came);
	tcase_add_test(tests, a_poll_of_a_terminal_that_fails_by_chance_is_made_again);
	tcase_add_test(tests, a_timerfd_that_says_ecanceled_is_believed);
	suite_add_tcase(given_up, tests);
	return given_up;
}
