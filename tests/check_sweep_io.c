/* SPDX-License-Identifier: MIT */
/*
 * Calls to the kernel, cancelled at every point: no byte that was read, no
 * connection that was accepted and no fd that was opened is lost.  See sweep.h.
 */
#include "tests/sweep.h"
#include "tests/sockets.h"
#include <coil.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

static struct {
	int fds[2];		/* the task's end, ours */
	int clients[CROWD];
	int kind;
	size_t given;
	size_t got;
	size_t filled;
	off_t offset;
	int file;
	int runs;
	int released;
} own;

/* The kind outlives it. */
static void begin(void)
{
	int kind = own.kind;

	memset(&own, 0, sizeof(own));
	own.kind = kind;
}

static void begin_pair(void)
{
	begin();
	unix_pair(own.fds, SOCK_STREAM | SOCK_NONBLOCK);
}

static void begin_pipe(bool writes)
{
	int ends[2];

	begin();
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	own.fds[0] = ends[writes];
	own.fds[1] = ends[!writes];
}

/*
 * Receiving: what was sent was received, or is still there.
 */

enum { RECV, RECVFROM, RECVMSG, RECVMMSG, READ, READV, RECVS };

static ssize_t receive(char *buf, size_t len)
{
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr many = { .msg_hdr = msg };
	int n;

	switch (own.kind) {
	case RECV:
		return coil_recv(own.fds[0], buf, len, 0);
	case RECVFROM:
		return coil_recvfrom(own.fds[0], buf, len, 0, NULL, NULL);
	case RECVMSG:
		return coil_recvmsg(own.fds[0], &msg, 0);
	case RECVMMSG:
		n = coil_recvmmsg(own.fds[0], &many, 1, 0);
		return n == 1 ? (ssize_t)many.msg_len : n;
	case READ:
		return coil_read(own.fds[0], buf, len);
	default:
		return coil_readv(own.fds[0], &iov, 1);
	}
}

static int run_receive(void *arg)
{
	char buf[4];
	ssize_t n;

	while (own.got < 3) {
		n = receive(buf, sizeof(buf));
		if (n < 0)
			return (int)n;
		ck_assert_int_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_int_eq(buf[i], (char)('a' + own.got++));
	}
	return 0;
}

static void help_receive(void)
{
	char byte = (char)('a' + own.given);

	if (own.given < 3) {
		ck_assert_int_eq(write(own.fds[1], &byte, 1), 1);
		own.given++;
	}
}

static void end_receive(int result)
{
	char byte;

	ok_or_cancelled(result);
	while (read(own.fds[0], &byte, 1) == 1)
		ck_assert_int_eq(byte, (char)('a' + own.got++));
	ck_assert_uint_eq(own.got, own.given);
	close_all(own.fds, 2);
}

static void begin_receive(void)
{
	if (own.kind >= READ)
		begin_pipe(false);
	else
		begin_pair();
}

COIL_TEST(no_byte_that_was_received_is_lost)
{
	static const struct sweep it = { begin_receive, run_receive,
					 help_receive, end_receive };

	for (own.kind = RECV; own.kind < RECVS; own.kind++)
		sweep(&it);
}

/*
 * Sending: what was said to be sent was sent, and nothing else.
 */

enum { SEND, SENDTO, SENDMSG, SENDMMSG, WRITE, WRITEV, SENDS };

static ssize_t put(const char *buf, size_t len)
{
	struct iovec iov = { (char *)buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr many = { .msg_hdr = msg };
	int n;

	switch (own.kind) {
	case SEND:
		return coil_send(own.fds[0], buf, len, 0);
	case SENDTO:
		return coil_sendto(own.fds[0], buf, len, 0, NULL, 0);
	case SENDMSG:
		return coil_sendmsg(own.fds[0], &msg, 0);
	case SENDMMSG:
		n = coil_sendmmsg(own.fds[0], &many, 1, 0);
		return n == 1 ? (ssize_t)many.msg_len : n;
	case WRITE:
		return coil_write(own.fds[0], buf, len);
	default:
		return coil_writev(own.fds[0], &iov, 1);
	}
}

static int run_send(void *arg)
{
	char buf[3000];
	ssize_t n;

	memset(buf, 's', sizeof(buf));
	for (int i = 0; i < 3; i++) {
		n = put(buf, sizeof(buf));
		if (n < 0)
			return (int)n;
		own.given += (size_t)n;
		/* Until nothing fits again. */
		while ((n = write(own.fds[0], buf, sizeof(buf))) > 0 ||
		       (n = write(own.fds[0], buf, 1)) > 0)
			own.given += (size_t)n;
	}
	return 0;
}

static void help_send(void)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(own.fds[1], buf, sizeof(buf))) > 0)
		own.got += (size_t)n;
}

static void begin_send(void)
{
	char buf[4096];
	ssize_t n;

	if (own.kind >= WRITE)
		begin_pipe(true);
	else
		begin_pair();
	memset(buf, 'f', sizeof(buf));
	while ((n = write(own.fds[0], buf, sizeof(buf))) > 0 ||
	       (n = write(own.fds[0], buf, 1)) > 0)
		own.filled += (size_t)n;
}

static void end_send(int result)
{
	ok_or_cancelled(result);
	help_send();
	ck_assert_uint_eq(own.got, own.filled + own.given);
	close_all(own.fds, 2);
}

COIL_TEST(what_was_sent_is_what_was_said_to_be_sent)
{
	static const struct sweep it = { begin_send, run_send, help_send,
					 end_send };

	for (own.kind = SEND; own.kind < SENDS; own.kind++)
		sweep(&it);
}

enum { LARGE = 600000 };

static int run_send_all(void *arg)
{
	char *buf = calloc(1, LARGE);
	ssize_t n = coil_send_all(own.fds[0], buf, LARGE, 0, &own.given);

	free(buf);
	ck_assert(n < 0 || own.given == LARGE);
	return n < 0 ? (int)n : 0;
}

static void end_send_all(int result)
{
	ok_or_cancelled(result);
	help_send();
	ck_assert_uint_eq(own.got, own.given);
	close_all(own.fds, 2);
}

COIL_TEST(send_all_says_how_much_was_sent)
{
	static const struct sweep it = { begin_pair, run_send_all, help_send,
					 end_send_all };

	sweep(&it);
}

static int run_recv_all(void *arg)
{
	char buf[3];
	ssize_t n = coil_recv_all(own.fds[0], buf, sizeof(buf), 0, &own.got);

	ck_assert(n < 0 || own.got == sizeof(buf));
	for (size_t i = 0; i < own.got; i++)
		ck_assert_int_eq(buf[i], (char)('a' + i));
	return n < 0 ? (int)n : 0;
}

COIL_TEST(recv_all_says_how_much_was_received)
{
	static const struct sweep it = { begin_pair, run_recv_all, help_receive,
					 end_receive };

	sweep(&it);
}

static int run_sendfile(void *arg)
{
	ssize_t n = coil_sendfile(own.fds[0], own.file, &own.offset, LARGE);

	ck_assert(n < 0 || n == LARGE);
	own.given = (size_t)own.offset;
	return n < 0 ? (int)n : 0;
}

static void begin_sendfile(void)
{
	begin_pair();
	own.file = memfd_create("sweep", MFD_CLOEXEC);
	ck_assert_int_ge(own.file, 0);
	ck_assert_int_eq(ftruncate(own.file, LARGE), 0);
}

static void end_sendfile(int result)
{
	close(own.file);
	end_send_all(result);
}

COIL_TEST(sendfile_moves_the_offset_by_what_was_sent)
{
	static const struct sweep it = {
		begin_sendfile, run_sendfile, help_send, end_sendfile,
	};

	sweep(&it);
}

static int run_splice(void *arg)
{
	ssize_t n;

	while (own.got < 3) {
		n = coil_splice(own.clients[0], NULL, own.fds[0], NULL, 10, 0);
		if (n < 0)
			return (int)n;
		own.got += (size_t)n;
	}
	return 0;
}

static void help_splice(void)
{
	if (own.given < 3)
		own.given += (size_t)write(own.clients[1], "x", 1);
}

static void begin_splice(void)
{
	begin_pair();
	ck_assert_int_eq(pipe2(own.clients, O_CLOEXEC | O_NONBLOCK), 0);
}

static void end_splice(int result)
{
	char byte;
	size_t left = 0;

	ok_or_cancelled(result);
	while (read(own.clients[0], &byte, 1) == 1)
		left++;
	ck_assert_uint_eq(own.got + left, own.given);
	ck_assert_uint_eq(drain(own.fds[1]), own.got);
	close_all(own.clients, 2);
	close_all(own.fds, 2);
}

COIL_TEST(splice_loses_nothing_between_two_ends)
{
	static const struct sweep it = { begin_splice, run_splice, help_splice,
					 end_splice };

	sweep(&it);
}

static int run_poll(void *arg)
{
	struct pollfd fds[2] = {
		{ .fd = own.fds[0], .events = POLLIN },
		{ .fd = own.fds[1], .events = POLLPRI },
	};
	int n = coil_poll(fds, 2);

	ck_assert(n == 1 || n == -ECANCELED);
	return n < 0 ? n : 0;
}

static void end_poll(int result)
{
	ok_or_cancelled(result);
	close_all(own.fds, 2);
}

COIL_TEST(a_poll_of_several_fds)
{
	static const struct sweep it = { begin_pair, run_poll, help_receive,
					 end_poll };

	sweep(&it);
}

/*
 * Files and threads.
 */

static char folder[] = "/tmp/check_sweep_io.XXXXXX";

static int run_file(void *arg)
{
	char text[5] = "";
	struct statx info;
	int dir, fd, err;
	ssize_t n;

	dir = coil_open(folder, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;
	fd = coil_openat(dir, "file", O_RDWR | O_CREAT, 0600);
	err = fd < 0 ? fd : 0;
	if (!err) {
		n = coil_pwrite(fd, "data", 4, 0);
		err = n < 0 ? (int)n : 0;
	}
	if (!err) {
		n = coil_pread(fd, text, 4, 0);
		err = n < 0 ? (int)n : 0;
		ck_assert(err || !strcmp(text, "data"));
	}
	if (!err)
		err = coil_statx(dir, "file", 0, STATX_SIZE, &info);
	if (!err)
		err = coil_ftruncate(fd, 2);
	if (!err)
		err = coil_fdatasync(fd);
	if (!err)
		err = coil_fsync(fd);
	if (!err)
		err = coil_renameat2(dir, "file", dir, "other", 0);
	if (!err)
		err = coil_unlinkat(dir, "other", 0);
	/* A close is never refused. */
	if (fd >= 0)
		ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(dir), 0);
	return err;
}

static void begin_file(void)
{
	begin();
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* The file is there under one name at most. */
static void end_file(int result)
{
	char path[64];
	int gone = 0;

	ok_or_cancelled(result);
	snprintf(path, sizeof(path), "%s/file", folder);
	gone += !unlink(path);
	snprintf(path, sizeof(path), "%s/other", folder);
	gone += !unlink(path);
	ck_assert_int_le(gone, result ? 1 : 0);
	ck_assert_int_eq(rmdir(folder), 0);
}

COIL_TEST(no_file_that_was_opened_is_lost)
{
	static const struct sweep it = { begin_file, run_file, NULL, end_file };

	sweep(&it);
}

enum { SUBDIR, LINK, SYMLINK, ROOM, NAMES };

/* What it says was done was done, and what it says was not was not. */
static int run_names(void *arg)
{
	int dir = own.fds[0], err = 0;

	while (own.kind < NAMES && !err) {
		if (own.kind == SUBDIR)
			err = coil_mkdirat(dir, "subdir", 0700);
		else if (own.kind == LINK)
			err = coil_linkat(dir, "file", dir, "link", 0);
		else if (own.kind == SYMLINK)
			err = coil_symlinkat("file", dir, "symlink");
		else
			err = coil_fallocate(own.fds[1], 0, 0, 4096);
		own.kind += !err;
	}
	return err == -EOPNOTSUPP ? 0 : err;
}

static void begin_names(void)
{
	begin_file();
	own.kind = SUBDIR;
	own.fds[0] = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own.fds[1] = openat(own.fds[0], "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(own.fds[1], 0);
}

static void end_names(int result)
{
	struct stat info;
	int dir = own.fds[0];

	ok_or_cancelled(result);
	ck_assert_int_eq(fstat(own.fds[1], &info), 0);
	ck_assert_int_eq(info.st_nlink, own.kind > LINK ? 2 : 1);
	ck_assert_int_eq(info.st_size, own.kind > ROOM ? 4096 : 0);
	ck_assert_int_eq(!unlinkat(dir, "subdir", AT_REMOVEDIR), own.kind > SUBDIR);
	ck_assert_int_eq(!unlinkat(dir, "link", 0), own.kind > LINK);
	ck_assert_int_eq(!unlinkat(dir, "symlink", 0), own.kind > SYMLINK);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	close_all(own.fds, 2);
	ck_assert_int_eq(rmdir(folder), 0);
}

COIL_TEST(what_has_a_name_is_what_was_said_to_have_one)
{
	static const struct sweep it = { begin_names, run_names, NULL, end_names };

	sweep(&it);
}

static int work(void *arg)
{
	int *runs = arg;

	__atomic_add_fetch(runs, 1, __ATOMIC_SEQ_CST);
	return 5;
}

static int run_thread(void *arg)
{
	int runs[3] = { 0, 0, 0 }, err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		int result = coil_to_thread(work, &runs[i]);

		/* It ran, once, or it was refused: nothing uses runs any more. */
		ck_assert_int_eq(runs[i], result == 5);
		own.runs += runs[i];
		err = result == 5 ? 0 : result;
	}
	return err;
}

static void end_thread(int result)
{
	ok_or_cancelled(result);
	ck_assert_int_le(own.runs, 3);
	ck_assert(result || own.runs == 3);
}

COIL_TEST(a_job_of_a_thread_s_runs_once_or_not_at_all)
{
	static const struct sweep it = { begin, run_thread, NULL, end_thread };

	sweep(&it);
}

static void let_go(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static int work_a_little(void *arg)
{
	return 6;
}

static int run_abandonable(void *arg)
{
	int result = coil_to_thread_abandonable(work_a_little, &own.released,
						let_go);

	return result == 6 ? 0 : result;
}

/* However it ends, its argument is let go of, and once. */
static void end_abandonable(int result)
{
	ok_or_cancelled(result);
	while (!__atomic_load_n(&own.released, __ATOMIC_SEQ_CST))
		ck_assert_int_eq(coil_sleep(50 * COIL_MICROSECOND), 0);
	sweep_rest();
	ck_assert_int_eq(__atomic_load_n(&own.released, __ATOMIC_SEQ_CST), 1);
}

COIL_TEST(what_an_abandoned_job_was_given_is_let_go_of_once)
{
	static const struct sweep it = { begin, run_abandonable, NULL,
					 end_abandonable };

	sweep(&it);
}

Suite *suite(void)
{
	Suite *whole = suite_create("sweep_io");
	TCase *tests = tcase_create("sweep_io");

	tcase_add_test(tests, no_byte_that_was_received_is_lost);
	tcase_add_test(tests, what_was_sent_is_what_was_said_to_be_sent);
	tcase_add_test(tests, send_all_says_how_much_was_sent);
	tcase_add_test(tests, recv_all_says_how_much_was_received);
	tcase_add_test(tests, sendfile_moves_the_offset_by_what_was_sent);
	tcase_add_test(tests, splice_loses_nothing_between_two_ends);
	tcase_add_test(tests, a_poll_of_several_fds);
	tcase_add_test(tests, no_file_that_was_opened_is_lost);
	tcase_add_test(tests, what_has_a_name_is_what_was_said_to_have_one);
	tcase_add_test(tests, a_job_of_a_thread_s_runs_once_or_not_at_all);
	tcase_add_test(tests,
		       what_an_abandoned_job_was_given_is_let_go_of_once);
	suite_add_tcase(whole, tests);
	return whole;
}
