/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "tests/ops.h"
#include "tests/sockets.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/*
 * Files.
 */

static int temporary_file(void)
{
	char path[] = "/tmp/coil-file-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	return fd;
}

COIL_TEST(a_file_is_written_and_read_where_it_should_be)
{
	char buf[16] = "";
	struct iovec iov[2] = { { buf, 3 }, { buf + 3, 8 } };
	int fd = temporary_file();

	ck_assert_int_eq(op_write(fd, "hello", 5), 5);
	ck_assert_int_eq(op_write(fd, " world", 6), 6);
	ck_assert_int_eq(run_op(write, fd, "J", 1, 0), 1);
	ck_assert_int_eq(run_op(read, fd, buf, 16, 6), 5);
	ck_assert(!memcmp(buf, "world", 5));
	ck_assert_int_eq(op_read(fd, buf, 16), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(run_op(readv, fd, iov, 2, UINT64_MAX), 11);
	ck_assert(!memcmp(buf, "Jello world", 11));
	ck_assert_int_eq(run_op(fsync, fd, 0), 0);
	ck_assert_int_eq(run_op(fallocate, fd, 0, 0, 100), 0);
	ck_assert_int_eq(run_op(read, fd, buf, 16, 99), 1);
	coil_close(fd);
}

/* What goes past the cache waits for the disk, whatever it is asked. */
COIL_TEST(a_file_opened_with_o_direct_is_read_by_a_thread)
{
	char *data = aligned_alloc(4096, 4096);
	int fd = temporary_file();
	unsigned long before;

	memset(data, 'x', 4096);
	ck_assert_int_eq(write(fd, data, 4096), 4096);
	before = support_threads();
	if (fcntl(fd, F_SETFL, O_DIRECT)) {
		printf("skip: no O_DIRECT in /tmp\n");
	} else {
		memset(data, 0, 4096);
		ck_assert_int_eq(run_op(read, fd, data, 4096, 0), 4096);
		ck_assert(data[0] == 'x' && data[4095] == 'x');
		if (strcmp(coil_backend_name(), "uring") != 0)
			ck_assert_uint_gt(support_threads(), before);
	}
	free(data);
	coil_close(fd);
}

/* tmpfs cannot be asked not to wait, and has nothing to wait for. */
COIL_TEST(a_file_that_is_memory_is_read_and_written_by_no_thread)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	unsigned long before = support_threads();
	char buf[16] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(op_write(fd, "hello", 5), 5);
	ck_assert_int_eq(run_op(write, fd, "J", 1, 0), 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_op(read, fd, buf, 16, 0), 5);
	ck_assert(!memcmp(buf, "Jello", 5));
	ck_assert_int_eq(run_op(read, fd, buf, 4, 1), 4);
	ck_assert(!memcmp(buf, "ello", 4));
	ck_assert_int_eq(run_op(read, fd, buf, 4, 5), 0);
	ck_assert_uint_eq(support_threads(), before);
	coil_close(fd);
}

/* Whatever lies in memory: read whole, also across what does not. */
COIL_TEST(a_file_that_is_not_in_memory_is_read_whole)
{
	enum { SIZE = 900000 };
	char *data = malloc(SIZE), *back = malloc(SIZE);
	struct iovec iov[3] = {
		{ back, 100000 }, { back + 100000, 1 }, { back + 100001, SIZE - 100001 },
	};
	int fd = temporary_file();

	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 4096);
	for (int i = 0; i < SIZE;) {
		int n = run_op(write, fd, data + i, (unsigned)(SIZE - i), (unsigned)i);

		ck_assert_int_gt(n, 0);
		i += n;
	}
	ck_assert_int_eq(run_op(fsync, fd, IORING_FSYNC_DATASYNC), 0);
	for (int round = 0; round < 2; round++) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
		/* A part of it is. */
		ck_assert_int_eq(run_op(read, fd, back, 8192, 0), 8192);
		memset(back, 0, SIZE);
		if (round)
			ck_assert_int_eq(run_op(read, fd, back, SIZE, 0), SIZE);
		else
			ck_assert_int_eq(run_op(readv, fd, iov, 3, UINT64_MAX), SIZE);
		ck_assert(!memcmp(data, back, SIZE));
	}
	free(data);
	free(back);
	coil_close(fd);
}

COIL_TEST(a_directory_cannot_be_read_and_proc_can)
{
	char buf[64];
	int fd = open("/tmp", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(op_read(fd, buf, sizeof(buf)), -EISDIR);
	coil_close(fd);
	fd = run_op(openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(op_read(fd, buf, sizeof(buf)), 0);
	coil_close(fd);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(op_read(fd, buf, sizeof(buf)), sizeof(buf));
	coil_close(fd);
}

COIL_TEST(paths_are_made_renamed_linked_and_removed)
{
	char path[] = "/tmp/coil-dir-XXXXXX";
	struct statx stat;
	int dir, fd;

	ck_assert_ptr_nonnull(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(run_op(mkdirat, dir, "d", 0700), 0);
	ck_assert_int_eq(run_op(mkdirat, dir, "d", 0700), -EEXIST);
	fd = run_op(openat, dir, "d/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(op_write(fd, "abc", 3), 3);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(run_op(renameat, dir, "d/f", dir, "g", 0), 0);
	ck_assert_int_eq(run_op(linkat, dir, "g", dir, "h", 0), 0);
	ck_assert_int_eq(run_op(symlinkat, "h", dir, "s"), 0);
	ck_assert_int_eq(run_op(statx, dir, "s", 0, STATX_SIZE | STATX_NLINK, &stat), 0);
	ck_assert_uint_eq(stat.stx_size, 3);
	ck_assert_uint_eq(stat.stx_nlink, 2);
	ck_assert_int_eq(run_op(unlinkat, dir, "s", 0), 0);
	ck_assert_int_eq(run_op(unlinkat, dir, "h", 0), 0);
	ck_assert_int_eq(run_op(unlinkat, dir, "g", 0), 0);
	ck_assert_int_eq(run_op(unlinkat, dir, "d", AT_REMOVEDIR), 0);
	coil_close(dir);
	ck_assert_int_eq(run_op(unlinkat, AT_FDCWD, path, AT_REMOVEDIR), 0);
	ck_assert_int_eq(run_op(openat, AT_FDCWD, path, O_RDONLY, 0), -ENOENT);
}

/*
 * Splicing.
 */

COIL_TEST(a_splice_waits_for_the_end_that_is_not_ready)
{
	struct own_op own = {0};
	char buf[4096];
	int in[2], out[2];
	size_t filled;

	ck_assert_int_eq(pipe(in), 0);
	unix_pair(out, SOCK_STREAM);
	filled = fill(out[0], 'x');
	io_uring_prep_splice(&own.op.sqe, in[0], -1, out[0], -1, 64, 0);
	begin(&own);
	ck_assert_int_eq(coil_sleep(5 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	say(in[1], "spliced");
	ck_assert_int_eq(coil_sleep(5 * COIL_MILLISECOND), 0);
	ck_assert_int_eq(own.count, 0);
	while (filled) {
		ssize_t n = recv(out[1], buf, filled < 4096 ? filled : 4096, MSG_DONTWAIT);

		ck_assert_int_gt(n, 0);
		filled -= (size_t)n;
	}
	until(own.count == 1);
	ck_assert_int_eq(own.last, 7);
	ck_assert_int_eq(recv(out[1], buf, sizeof(buf), MSG_DONTWAIT), 7);
	ck_assert(!memcmp(buf, "spliced", 7));
	close_all(in, 2);
	close_all(out, 2);
}

COIL_TEST(a_splice_from_an_empty_pipe_to_a_file_does_not_hold_a_thread)
{
	struct own_op own = {0};
	char buf[16];
	int fd = temporary_file(), in[2];

	ck_assert_int_eq(pipe(in), 0);
	io_uring_prep_splice(&own.op.sqe, in[0], -1, fd, 2, 64, 0);
	begin(&own);
	ck_assert_int_eq(coil_sleep(5 * COIL_MILLISECOND), 0);
	ck_assert_uint_eq(coil__loop->io.jobs, 0);
	say(in[1], "file");
	until(own.count == 1);
	ck_assert_int_eq(own.last, 4);
	ck_assert_int_eq(run_op(read, fd, buf, sizeof(buf), 2), 4);
	ck_assert(!memcmp(buf, "file", 4));
	/* Who does not want to wait for the pipe still waits for the file. */
	ck_assert_int_eq(run_op(splice, in[0], -1, fd, 0, 1, SPLICE_F_NONBLOCK), -EAGAIN);
	say(in[1], "x");
	ck_assert_int_eq(run_op(splice, in[0], -1, fd, 0, 1, SPLICE_F_NONBLOCK), 1);
	close_all(in, 2);
	coil_close(fd);
}

Suite *suite(void)
{
	Suite *files = suite_create("syscall_files");
	TCase *tests = tcase_create("syscall_files");

	tcase_add_test(tests, a_file_is_written_and_read_where_it_should_be);
	tcase_add_test(tests, a_file_opened_with_o_direct_is_read_by_a_thread);
	tcase_add_test(tests, a_file_that_is_memory_is_read_and_written_by_no_thread);
	tcase_add_test(tests, a_file_that_is_not_in_memory_is_read_whole);
	tcase_add_test(tests, a_directory_cannot_be_read_and_proc_can);
	tcase_add_test(tests, paths_are_made_renamed_linked_and_removed);
	tcase_add_test(tests, a_splice_waits_for_the_end_that_is_not_ready);
	tcase_add_test(tests, a_splice_from_an_empty_pipe_to_a_file_does_not_hold_a_thread);
	suite_add_tcase(files, tests);
	return files;
}
