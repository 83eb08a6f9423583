/* SPDX-License-Identifier: MIT */
/* Disks that are full, and files that may not grow. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/stream.h>
#include <liburing.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* More than the epoll backend writes while all wait: a thread does it then. */
enum { BIG = 3 << 20, LIMIT = 10000, DISK = 1 << 20 };

static char block[BIG];

static int make_file(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void limit_files(rlim_t size)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static ssize_t write_vector(int fd, size_t len)
{
	struct iovec iov[2] = { { block, len / 2 }, { block, len - len / 2 } };

	return coil_writev(fd, iov, 2);
}

/* The limit is where the file system may be asked to begin, not its end. */
static void write_to_the_limit(size_t len)
{
	int fd = make_file("/tmp");

	ck_assert_int_eq(coil_write(fd, block, len), LIMIT);
	ck_assert_int_eq(coil_write(fd, block, len), -EFBIG);
	ck_assert_int_eq(write_vector(fd, len), -EFBIG);
	ck_assert_int_eq(coil_pwrite(fd, block, len, 0), LIMIT);
	ck_assert_int_eq(coil_pwrite(fd, block, len, LIMIT - 1), 1);
	ck_assert_int_eq(coil_pwrite(fd, block, len, LIMIT), -EFBIG);
	ck_assert_int_eq(lseek(fd, 100, SEEK_SET), 100);
	ck_assert_int_eq(write_vector(fd, len), LIMIT - 100);
	ck_assert_int_eq(coil_ftruncate(fd, LIMIT + 1), -EFBIG);
	ck_assert_int_eq(coil_fallocate(fd, 0, 0, LIMIT + 1), -EFBIG);
	coil_close(fd);
}

/* Where it ended, not where it had been. */
static void append_to_the_limit(size_t len)
{
	int fd = make_file("/tmp");

	ck_assert_int_eq(pwrite(fd, block, 100, 0), 100);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(coil_write(fd, block, len), LIMIT - 100);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), LIMIT);
	ck_assert_int_eq(coil_write(fd, block, len), -EFBIG);
	coil_close(fd);
}

/* What was taken lies at the beginning, whatever the rest met with. */
static void stream_to_the_limit(size_t len)
{
	static char text[BIG], read[LIMIT];
	int fd = make_file("/tmp"), copy = dup(fd);
	struct coil_stream *stream = coil_stream_open(copy);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)(i >> 8);
	ck_assert_ptr_nonnull(stream);
	n = coil_stream_write(stream, text, len);
	ck_assert(n == (ssize_t)len || n == -EFBIG);
	ck_assert_int_eq(coil_stream_flush(stream), -EFBIG);
	(void)coil_stream_close(stream);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), LIMIT);
	ck_assert_int_eq(pread(fd, read, LIMIT, 0), LIMIT);
	ck_assert_mem_eq(read, text, LIMIT);
	coil_close(fd);
}

static void send_to_the_limit(void)
{
	int in = make_file("/tmp"), out = make_file("/tmp");
	off_t offset = 0;

	ck_assert_int_eq(pwrite(in, block, LIMIT, 0), LIMIT);
	ck_assert_int_eq(lseek(out, LIMIT / 2, SEEK_SET), LIMIT / 2);
	ck_assert_int_eq(coil_sendfile(out, in, &offset, LIMIT), -EFBIG);
	ck_assert_int_eq(offset, LIMIT / 2);
	coil_close(in);
	coil_close(out);
}

static int exceed_the_limit(void *arg)
{
	(void)arg;
	limit_files(LIMIT);
	write_to_the_limit(2 * LIMIT);
	write_to_the_limit(BIG);
	append_to_the_limit(2 * LIMIT);
	append_to_the_limit(BIG);
	stream_to_the_limit(2 * LIMIT);
	stream_to_the_limit(BIG);
	send_to_the_limit();
	limit_files(RLIM_INFINITY);
	return 0;
}

static bool is_pending(int number)
{
	sigset_t set;

	ck_assert_int_eq(sigpending(&set), 0);
	return sigismember(&set, number);
}

START_TEST(a_file_at_its_limit_is_efbig_and_no_signal)
{
	sigset_t mask;

	support_run(exceed_the_limit);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	ck_assert(!sigismember(&mask, SIGXFSZ));
	ck_assert(!is_pending(SIGXFSZ));
}
END_TEST

START_TEST(a_signal_that_was_pending_before_the_run_is_pending_after_it)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGXFSZ);
	support_run(exceed_the_limit);
	ck_assert(is_pending(SIGXFSZ));
	ck_assert_int_eq(sigtimedwait(&set, NULL, &(struct timespec){0}),
			 SIGXFSZ);
}
END_TEST

COIL_TEST(a_stream_to_what_is_full_tells_it_once_to_a_flush)
{
	int fd = coil_open("/dev/full", O_WRONLY, 0);
	struct coil_stream *stream;

	if (fd < 0) {
		printf("skip: /dev/full: %s\n", strerror(-fd));
		return;
	}
	stream = coil_stream_open(fd);
	ck_assert_ptr_nonnull(stream);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
		ck_assert_int_eq(coil_stream_flush(stream), -ENOSPC);
		ck_assert_int_eq(coil_stream_flush(stream), 0);
	}
	ck_assert_int_eq(coil_stream_close(stream), -ENOSPC);
}

COIL_TEST(a_device_that_is_full_is_enospc)
{
	int fd = coil_open("/dev/full", O_RDWR, 0);

	if (fd < 0) {
		printf("skip: /dev/full: %s\n", strerror(-fd));
		return;
	}
	ck_assert_int_eq(coil_write(fd, block, 10), -ENOSPC);
	ck_assert_int_eq(coil_pwrite(fd, block, BIG, 0), -ENOSPC);
	ck_assert_int_eq(write_vector(fd, 10), -ENOSPC);
	ck_assert_int_eq(coil_write(fd, block, 0), 0);
	ck_assert_int_eq(coil_read(fd, block, 10), 10);
	coil_close(fd);
}

/*
 * A small disk of this process's own.
 */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/*
 * In a namespace of users where need be.  There a file can be made only by a user whom
 * the namespace maps.
 */
static int unshare_mounts(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[32];

	if (!unshare(CLONE_NEWNS))
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return errno;
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_text("/proc/self/gid_map", map);
	return 0;
}

static int mount_disk(void)
{
	char options[64];
	int err = unshare_mounts();

	if (err)
		return err;
	snprintf(options, sizeof(options), "size=%d,nr_inodes=4", DISK);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, options))
		return errno;
	return 0;
}

/* Tried by a child first: half of it changes what files are called. */
static bool can_mount(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(mount_disk());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (status)
		printf("skip: no file system can be mounted: %s\n",
		       strerror(WEXITSTATUS(status)));
	return !status;
}

static void fill_disk(void)
{
	int fd = coil_open("/tmp/full", O_RDWR | O_CREAT, 0600);
	ssize_t n, total = 0;

	ck_assert_int_ge(fd, 0);
	while ((n = coil_write(fd, block, BIG)) > 0)
		total += n;
	ck_assert_int_eq(n, -ENOSPC);
	ck_assert_int_gt(total, 0);
	ck_assert_int_le(total, DISK);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), total);
	ck_assert_int_eq(coil_pwrite(fd, block, 1, DISK), -ENOSPC);
	ck_assert_int_eq(coil_fallocate(fd, 0, DISK, 4096), -ENOSPC);
	ck_assert_int_eq(coil_fsync(fd), 0);
	/* What is there can be written again. */
	ck_assert_int_eq(coil_pwrite(fd, block, 100, 0), 100);
	ck_assert_int_eq(coil_close(fd), 0);
}

static void send_to_disk(void)
{
	int in = make_file("/dev/shm"), out, saved;
	off_t offset = 0;

	ck_assert_int_eq(write(in, block, BIG), BIG);
	out = coil_open("/tmp/full", O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(out, 0);
	ck_assert_int_eq(coil_ftruncate(out, 0), 0);
	ck_assert_int_eq(coil_sendfile(out, in, &offset, BIG), -ENOSPC);
	ck_assert_int_gt(offset, 0);
	saved = (int)lseek(out, 0, SEEK_END);
	ck_assert_int_eq(offset, saved);
	ck_assert_int_eq(coil_close(in), 0);
	ck_assert_int_eq(coil_close(out), 0);
}

static int use_disk(void *arg)
{
	(void)arg;
	fill_disk();
	send_to_disk();
	/* Nor is there room for more than a few names. */
	ck_assert_int_eq(coil_mkdirat(AT_FDCWD, "/tmp/a", 0700), 0);
	ck_assert_int_eq(coil_mkdirat(AT_FDCWD, "/tmp/b", 0700), 0);
	ck_assert_int_eq(coil_mkdirat(AT_FDCWD, "/tmp/c", 0700), -ENOSPC);
	ck_assert_int_eq(coil_symlinkat("c", AT_FDCWD, "/tmp/c"), -ENOSPC);
	ck_assert_int_eq(coil_open("/tmp/c", O_WRONLY | O_CREAT, 0600),
			 -ENOSPC);
	ck_assert_int_eq(coil_unlinkat(AT_FDCWD, "/tmp/full", 0), 0);
	fill_disk();
	return 0;
}

START_TEST(a_disk_that_is_full_cuts_a_write_short_and_the_next_is_enospc)
{
	if (!can_mount())
		return;
	ck_assert_int_eq(mount_disk(), 0);
	support_run(use_disk);
}
END_TEST

COIL_TEST(what_fsync_says_is_told)
{
	int fd;

	if (!support_simulated())
		return;
	fd = make_file("/tmp");
	sim_script(IORING_OP_FSYNC, 1, -EIO);
	sim_script(IORING_OP_FSYNC, 2, -ENOSPC);
	ck_assert_int_eq(coil_fsync(fd), -EIO);
	ck_assert_int_eq(coil_fdatasync(fd), -ENOSPC);
	ck_assert_int_eq(coil_fsync(fd), 0);
	coil_close(fd);
}

Suite *suite(void)
{
	Suite *whole = suite_create("full");
	TCase *tests = tcase_create("full");

	tcase_add_test(tests, a_file_at_its_limit_is_efbig_and_no_signal);
	tcase_add_test(tests,
		       a_signal_that_was_pending_before_the_run_is_pending_after_it);
	tcase_add_test(tests, a_device_that_is_full_is_enospc);
	tcase_add_test(tests, a_stream_to_what_is_full_tells_it_once_to_a_flush);
	tcase_add_test(tests,
		       a_disk_that_is_full_cuts_a_write_short_and_the_next_is_enospc);
	tcase_add_test(tests, what_fsync_says_is_told);
	suite_add_tcase(whole, tests);
	return whole;
}
