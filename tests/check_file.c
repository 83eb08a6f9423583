/* SPDX-License-Identifier: MIT */
/* Files, pipes and terminals. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/timeout.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>

/* A folder of the test's own, and the fd of it; empty when the test ends. */
static char folder[64];

static int open_folder(void)
{
	int fd;

	snprintf(folder, sizeof(folder), "%s/coil-XXXXXX", "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void close_folder(int fd)
{
	coil_close(fd);
	ck_assert_int_eq(rmdir(folder), 0);
}

COIL_TEST(what_was_written_is_read_again)
{
	int dir = open_folder();
	int fd = coil_openat(dir, "file", O_RDWR | O_CREAT | O_EXCL, 0600);
	struct iovec iov[2];
	char one[3], two[8];

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(!is_nonblocking(fd));
	ck_assert_int_eq(coil_write(fd, "Hello ", 6), 6);
	iov[0] = (struct iovec){ (char *)"wor", 3 };
	iov[1] = (struct iovec){ (char *)"ld", 2 };
	ck_assert_int_eq(coil_writev(fd, iov, 2), 5);
	ck_assert_int_eq(coil_pwrite(fd, "W", 1, 6), 1);
	ck_assert_int_eq(coil_pread(fd, two, 8, 6), 5);
	ck_assert_mem_eq(two, "World", 5);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 11);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(coil_read(fd, one, 3), 3);
	iov[0] = (struct iovec){ one, 3 };
	iov[1] = (struct iovec){ two, 8 };
	ck_assert_int_eq(coil_readv(fd, iov, 2), 8);
	ck_assert_mem_eq(one, "lo ", 3);
	ck_assert_mem_eq(two, "World", 5);
	ck_assert_int_eq(coil_read(fd, one, 3), 0);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_fdatasync(fd), 0);
	coil_close(fd);
	ck_assert_int_eq(coil_unlinkat(dir, "file", 0), 0);
	close_folder(dir);
}

static int read_much(void *fd)
{
	static char much[1 << 21];

	return (int)coil_read(*(int *)fd, much, sizeof(much));
}

/* Its number is another's by then, whose position nobody is to move. */
COIL_TEST(a_read_whose_file_was_closed_moves_no_strangers_position)
{
	for (int turns = 1; turns < 8; turns++) {
		FILE *file = tmpfile(), *other = tmpfile();
		struct coil_task *task;
		int fd, again;

		ck_assert(file && other);
		fputs("short", file);
		fputs("the stranger", other);
		rewind(file);
		rewind(other);
		fd = dup(fileno(file));
		task = coil_create_task(read_much, &fd);
		for (int i = 0; i < turns; i++)
			ck_assert_int_eq(coil_yield(), 0);
		ck_assert_int_eq(coil_close(fd), 0);
		again = dup(fileno(other));
		ck_assert_int_eq(again, fd);
		(void)!coil_await(task);
		ck_assert_int_eq(lseek(again, 0, SEEK_CUR), 0);
		close(again);
		fclose(file);
		fclose(other);
	}
}

COIL_TEST(files_are_made_moved_cut_and_removed)
{
	int dir = open_folder();
	struct statx stat;
	int fd;

	ck_assert_int_eq(coil_mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(coil_mkdirat(dir, "sub", 0700), -EEXIST);
	fd = coil_openat(dir, "sub/a", O_WRONLY | O_CREAT, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_ftruncate(fd, 1000), 0);
	ck_assert_int_eq(coil_ftruncate(fd, -1), -EINVAL);
	ck_assert_int_eq(coil_statx(fd, "", AT_EMPTY_PATH,
				    STATX_SIZE | STATX_MODE, &stat),
			 0);
	ck_assert_uint_eq(stat.stx_size, 1000);
	coil_close(fd);
	fd = coil_openat(dir, "b", O_WRONLY | O_CREAT, 0600);
	coil_close(fd);
	ck_assert_int_eq(
		coil_renameat2(dir, "sub/a", dir, "b", RENAME_NOREPLACE),
		-EEXIST);
	ck_assert_int_eq(coil_renameat2(dir, "sub/a", dir, "b", 0), 0);
	ck_assert_int_eq(coil_statx(dir, "sub/a", 0, STATX_SIZE, &stat),
			 -ENOENT);
	ck_assert_int_eq(coil_statx(dir, "b", 0, STATX_SIZE, &stat), 0);
	ck_assert_uint_eq(stat.stx_size, 1000);
	ck_assert_int_eq(coil_unlinkat(dir, "sub", 0), -EISDIR);
	ck_assert_int_eq(coil_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "b", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "b", 0), -ENOENT);
	close_folder(dir);
}

COIL_TEST(files_are_linked_and_given_room)
{
	int dir = open_folder(), other, fd;
	struct statx stat;
	char text[16];

	other = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = coil_openat(dir, "file", O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_fallocate(fd, 0, 0, 5000), 0);
	ck_assert_int_eq(coil_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9000), 0);
	ck_assert_int_eq(coil_fallocate(fd, 0, 0, -1), -EINVAL);
	ck_assert_int_eq(coil_linkat(dir, "file", other, "link", 0), 0);
	ck_assert_int_eq(coil_linkat(dir, "file", dir, "link", 0), -EEXIST);
	ck_assert_int_eq(coil_statx(dir, "link", 0, STATX_SIZE | STATX_NLINK,
				    &stat), 0);
	ck_assert_uint_eq(stat.stx_size, 5000);
	ck_assert_uint_eq(stat.stx_nlink, 2);
	ck_assert_int_eq(coil_symlinkat("some/where", dir, "symbol"), 0);
	ck_assert_int_eq(coil_symlinkat("some/where", dir, "symbol"), -EEXIST);
	ck_assert_int_eq(readlinkat(dir, "symbol", text, sizeof(text)), 10);
	ck_assert_mem_eq(text, "some/where", 10);
	ck_assert_int_eq(coil_unlinkat(dir, "symbol", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "link", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "file", 0), 0);
	coil_close(fd);
	coil_close(other);
	close_folder(dir);
}

COIL_TEST(open_says_what_open_2_says)
{
	ck_assert_int_eq(coil_open("/nonexistent/file", O_RDONLY, 0), -ENOENT);
	ck_assert_int_eq(coil_open("/", O_WRONLY, 0), -EISDIR);
	ck_assert_int_eq(coil_open("/dev/null/x", O_RDONLY, 0), -ENOTDIR);
	ck_assert_int_eq(coil_open("", O_RDONLY, 0), -ENOENT);
	ck_assert_int_eq(coil_open(NULL, O_RDONLY, 0), -EFAULT);
	ck_assert_int_eq(coil_openat(-5, "x", O_RDONLY, 0), -EBADF);
}

COIL_TEST(open_keeps_o_nonblock_and_o_path_as_they_were_asked_for)
{
	int fd = coil_open("/dev/null", O_RDWR | O_NONBLOCK, 0);

	ck_assert(is_nonblocking(fd));
	coil_close(fd);
	fd = coil_open("/dev/null", O_RDWR | O_APPEND, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND),
			 O_APPEND);
	coil_close(fd);
	fd = coil_open("/", O_PATH, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	coil_close(fd);
}

static int open_fifo(void *arg)
{
	int dir = *(int *)arg;

	return coil_openat(dir, "fifo", O_RDONLY, 0);
}

COIL_TEST(a_fifo_is_opened_nonblocking_and_waits_for_nobody)
{
	int dir = open_folder();
	int in, out;
	char byte;

	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	ck_assert_int_eq(coil_openat(dir, "fifo", O_WRONLY, 0), -ENXIO);
	in = coil_await(coil_create_task(open_fifo, &dir));
	ck_assert_int_ge(in, 0);
	ck_assert(is_nonblocking(in));
	ck_assert_int_eq(coil_read(in, &byte, 1), 0);
	out = coil_openat(dir, "fifo", O_WRONLY, 0);
	ck_assert_int_ge(out, 0);
	ck_assert(is_nonblocking(out));
	ck_assert_int_eq(coil_write(out, "x", 1), 1);
	ck_assert_int_eq(coil_read(in, &byte, 1), 1);
	coil_close(out);
	coil_close(in);
	ck_assert_int_eq(coil_unlinkat(dir, "fifo", 0), 0);
	close_folder(dir);
}

/*
 * Pipes.
 */

static char received[16];

static ssize_t read_some(int fd)
{
	return coil_read(fd, received, sizeof(received));
}

static void pipe_delivers(int flags)
{
	struct call call = { .fn = read_some };
	struct coil_task *task;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | flags), 0);
	call.fd = ends[0];
	task = start_call(&call);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_write(ends[1], "1", 1), 1);
	coil_await(task);
	ck_assert_int_eq(call.result, 1);
	task = start_call(&call);
	ck_assert_int_eq(coil_write(ends[1], "2345", 4), 4);
	coil_await(task);
	ck_assert_int_eq(call.result, 4);
	ck_assert_mem_eq(received, "2345", 4);
	task = start_call(&call);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_close(ends[1]), 0);
	coil_await(task);
	ck_assert_int_eq(call.result, 0);
	ck_assert_int_eq(is_nonblocking(ends[0]), !!(flags & O_NONBLOCK));
	coil_close(ends[0]);
}

COIL_TEST(pipe_001_one_byte_then_four_then_the_end)
{
	pipe_delivers(O_NONBLOCK);
	pipe_delivers(0);
}

static ssize_t write_megabyte(int fd)
{
	static const char zeros[1 << 20];

	return coil_write_all(fd, zeros, sizeof(zeros));
}

static void megabyte_passes(int in, int out)
{
	struct call call = { .fn = write_megabyte, .fd = out };
	struct coil_task *task = start_call(&call);
	static char buf[5000];
	size_t total = 0;

	while (total < 1 << 20) {
		ssize_t n = coil_read(in, buf, sizeof(buf));

		ck_assert_int_gt(n, 0);
		total += (size_t)n;
	}
	coil_await(task);
	ck_assert_int_eq(call.result, 1 << 20);
}

COIL_TEST(write_all_says_why_not_all_of_it_was_written)
{
	int ends[2];
	struct call call = { .fn = write_megabyte };
	struct coil_task *task;

	for (int cancel = 0; cancel < 2; cancel++) {
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		call.fd = ends[1];
		task = start_call(&call);
		ck_assert(!coil_done(task));
		if (cancel)
			coil_cancel(task);
		else
			close(ends[0]);
		coil_await(task);
		ck_assert_int_eq(call.result, cancel ? -ECANCELED : -EPIPE);
		if (cancel)
			close(ends[0]);
		coil_close(ends[1]);
	}
	ends[0] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write_megabyte(ends[0]), -ENOSPC);
	coil_close(ends[0]);
}

COIL_TEST(a_megabyte_goes_through_a_pipe_blocking_or_not)
{
	int ends[2], fifo, dir = open_folder();
	char path[96];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	megabyte_passes(ends[0], ends[1]);
	close_all(ends, 2);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	megabyte_passes(ends[0], ends[1]);
	close_all(ends, 2);
	/* A named one cannot be asked not to block. */
	snprintf(path, sizeof(path), "%s/fifo", folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fifo = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fifo, 0);
	megabyte_passes(fifo, fifo);
	ck_assert(!is_nonblocking(fifo));
	coil_close(fifo);
	unlink(path);
	close_folder(dir);
}

COIL_TEST(a_pipe_that_nobody_reads_is_epipe_and_no_signal)
{
	struct call call = { .fn = write_megabyte };
	struct coil_task *task;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	call.fd = ends[1];
	task = start_call(&call);
	coil_close(ends[0]);
	coil_await(task);
	ck_assert_int_eq(call.result, -EPIPE);
	ck_assert_int_eq(coil_write(ends[1], "x", 1), -EPIPE);
	coil_close(ends[1]);
}

static ssize_t write_one(int fd)
{
	return coil_write(fd, "x", 1);
}

COIL_TEST(a_cancelled_read_or_write_of_a_pipe_loses_no_byte)
{
	char byte;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	for (int i = 0; i < 6; i++) {
		struct call call = { .fn = read_some, .fd = ends[0] };
		struct coil_task *task =
			i < 2 ? coil_create_task(make_call, &call)
			      : start_call(&call);

		if (i % 2)
			coil_cancel(task);
		if (i < 4)
			ck_assert_int_eq(write(ends[1], "x", 1), 1);
		coil_cancel(task);
		coil_await(task);
		ck_assert(call.result == 1 || call.result == -ECANCELED);
		ck_assert_int_eq(read(ends[0], &byte, 1),
				 call.result == 1 || i >= 4 ? -1 : 1);
	}
	while (write(ends[1], "........", 8) > 0)
		;
	for (int i = 0; i < 2; i++) {
		struct call call = { .fn = write_one, .fd = ends[1] };
		struct coil_task *task = start_call(&call);
		static char buf[1 << 17];
		ssize_t n;

		coil_cancel(task);
		n = i ? read(ends[0], buf, sizeof(buf)) : 0;
		coil_await(task);
		ck_assert(call.result == -ECANCELED || (i && call.result == 1));
		if (i)
			ck_assert_int_eq(read(ends[0], buf, sizeof(buf)),
					 call.result == 1 ? 1 : -1);
		ck_assert(!i || n == 1 << 16);
	}
	close_all(ends, 2);
}

/*
 * Terminals.
 */

static int open_pty(int *other)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios termios;

	if (fd < 0)
		return -1;
	ck_assert_int_eq(grantpt(fd), 0);
	ck_assert_int_eq(unlockpt(fd), 0);
	*other = open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(*other, 0);
	ck_assert_int_eq(tcgetattr(*other, &termios), 0);
	cfmakeraw(&termios);
	ck_assert_int_eq(tcsetattr(*other, TCSANOW, &termios), 0);
	return fd;
}

static void terminal_delivers(int from, int to)
{
	struct call call = { .fn = read_some, .fd = to };
	struct coil_task *task = start_call(&call);

	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_write(from, "1", 1), 1);
	coil_await(task);
	ck_assert_int_eq(call.result, 1);
	ck_assert_int_eq(received[0], '1');
	ck_assert_int_eq(coil_write(from, "2345", 4), 4);
	ck_assert_int_eq(coil_read(to, received, 4), 4);
	ck_assert_mem_eq(received, "2345", 4);
}

static void terminal_talks(bool nonblocking)
{
	struct call call = { .fn = read_some };
	struct coil_task *task;
	int slave, master = open_pty(&slave);

	if (master < 0)
		return;
	set_nonblocking(master, nonblocking);
	set_nonblocking(slave, nonblocking);
	terminal_delivers(master, slave);
	terminal_delivers(slave, master);
	ck_assert_int_eq(is_nonblocking(slave), nonblocking);
	call.fd = slave;
	task = start_call(&call);
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	task = start_call(&call);
	ck_assert(!coil_done(task));
	coil_close(master);
	coil_await(task);
	ck_assert(call.result == 0 || call.result == -EIO);
	coil_close(slave);
}

COIL_TEST(pipe_004_both_sides_of_a_pty_talk_and_closing_the_master_ends_it)
{
	terminal_talks(true);
	terminal_talks(false);
}

static ssize_t write_bytes(int fd)
{
	ssize_t n;

	do
		n = coil_write(fd, "x", 1);
	while (n > 0);
	return n;
}

/* What does not fit stops the task, not the thread, though the fd blocks. */
COIL_TEST(a_terminal_that_nobody_reads_stops_only_the_task_that_writes)
{
	struct call call = { .fn = write_bytes };
	struct coil_task *task;
	int slave, master = open_pty(&slave);

	if (master < 0)
		return;
	call.fd = slave;
	task = start_call(&call);
	ck_assert(!coil_done(task));
	coil_cancel(task);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	coil_close(master);
	coil_close(slave);
}

/*
 * Misuse.
 */

static int all_calls(int fd, ssize_t results[])
{
	char buf[4] = "";
	struct iovec iov = { buf, 4 };
	int n = 0;

	results[n++] = coil_read(fd, buf, 4);
	results[n++] = coil_write(fd, buf, 4);
	results[n++] = coil_write_all(fd, buf, 4);
	results[n++] = coil_readv(fd, &iov, 1);
	results[n++] = coil_writev(fd, &iov, 1);
	results[n++] = coil_pread(fd, buf, 4, 0);
	results[n++] = coil_pwrite(fd, buf, 4, 0);
	results[n++] = coil_fsync(fd);
	results[n++] = coil_fdatasync(fd);
	results[n++] = coil_ftruncate(fd, 0);
	results[n++] = coil_fallocate(fd, 0, 0, 1);
	results[n++] = coil_sendfile(fd, fd, NULL, 1);
	results[n++] = coil_splice(fd, NULL, fd, NULL, 1, 0);
	return n;
}

COIL_TEST(file_calls_on_what_is_no_fd_are_ebadf)
{
	int fd = dup(STDERR_FILENO);
	ssize_t results[16];

	close(fd);
	for (int i = 0; i < 3; i++) {
		int n = all_calls(i ? i == 1 ? fd : INT32_MAX : -1, results);

		for (int j = 0; j < n; j++)
			ck_assert_msg(results[j] == -EBADF, "call %d: %zd", j,
				      results[j]);
	}
}

/* Whatever the number meant before, and whoever closed it. */
COIL_TEST(a_pipe_under_the_number_of_a_file_has_no_offsets)
{
	int ends[2], file = coil_open("/proc/self/exe", O_RDONLY, 0), again;

	ck_assert_int_ge(file, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_pread(file, received, 1, i), 1);
	ck_assert_int_eq(coil_close(file), 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(ends[0], file);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(coil_pread(ends[0], received, 1, 0), -ESPIPE);
	close(ends[0]);

	again = coil_open("/proc/self/exe", O_RDONLY, 0);
	ck_assert_int_eq(again, file);
	ck_assert_int_eq(coil_pread(again, received, 1, 0), 1);
	close(again);
	again = coil_socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(again, file);
	ck_assert_int_eq(coil_pread(again, received, 1, 0), -ESPIPE);
	ck_assert_int_eq(coil_close(again), 0);
	close(ends[1]);
}

/* More often than the guess of what a number means is good for. */
static void reads_of(int from, int fd, ssize_t result, const char *text)
{
	ck_assert_int_eq(dup2(from, fd), fd);
	for (int i = 0; i < 70; i++) {
		char buf[16] = "";

		ck_assert_int_eq(coil_pread(fd, buf, 8, 1), result);
		ck_assert(!text || !strcmp(buf, text));
	}
}

COIL_TEST(what_a_number_meant_makes_no_difference_to_what_is_read)
{
	int one = memfd_create("one", MFD_CLOEXEC), other = memfd_create("other", MFD_CLOEXEC);
	int fd = fcntl(one, F_DUPFD_CLOEXEC, 0);
	int proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), ends[2], pair[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(write(one, "a file", 6), 6);
	ck_assert_int_eq(write(other, "another file", 12), 12);
	ck_assert_int_eq(write(ends[1], "a pipe", 6), 6);
	for (int turn = 0; turn < 3; turn++) {
		reads_of(one, fd, 5, " file");
		reads_of(other, fd, 8, "nother f");
		reads_of(ends[0], fd, -ESPIPE, "");
		reads_of(one, fd, 5, " file");
		reads_of(proc, fd, 8, NULL);
		reads_of(pair[0], fd, -ESPIPE, "");
	}
	ck_assert_int_eq(ftruncate(one, 1), 0);
	reads_of(one, fd, 0, "");
	close_all(ends, 2);
	close_all(pair, 2);
	coil_close(proc);
	coil_close(fd);
	coil_close(other);
	coil_close(one);
}

/* /dev is a file system in memory, but what lies there need not be. */
COIL_TEST(a_device_under_the_number_of_a_file_in_memory_stops_nobody)
{
	int device = open("/dev/kmsg", O_RDONLY | O_CLOEXEC), file, fd;
	char buf[16];

	if (device < 0 || lseek(device, 0, SEEK_END) < 0) {
		printf("skip: no /dev/kmsg\n");
	} else {
		file = memfd_create("file", MFD_CLOEXEC);
		fd = fcntl(file, F_DUPFD_CLOEXEC, 0);
		ck_assert_int_eq(write(file, "x", 1), 1);
		ck_assert_int_eq(coil_pread(fd, buf, 1, 0), 1);
		ck_assert_int_eq(dup2(device, fd), fd);
		COIL_TIMEOUT(50 * COIL_MILLISECOND)
			ck_assert_int_ne(coil_pread(fd, buf, 16, 0), 0);
		coil_close(fd);
		coil_close(file);
	}
	if (device >= 0)
		close(device);
}

COIL_TEST(file_calls_tell_bad_arguments_before_they_begin)
{
	struct iovec iov = { received, 1 };
	struct statx stat;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(coil_read(ends[0], NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_write(ends[1], NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_write_all(ends[1], NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_write_all(ends[1], NULL, 0), 0);
	ck_assert_int_eq(coil_readv(ends[0], NULL, 1), -EFAULT);
	ck_assert_int_eq(coil_writev(ends[1], &iov, -1), -EINVAL);
	ck_assert_int_eq(coil_writev(ends[1], &iov, 5000), -EINVAL);
	ck_assert_int_eq(coil_pread(ends[0], received, 1, 0), -ESPIPE);
	ck_assert_int_eq(coil_pwrite(ends[1], received, 1, 0), -ESPIPE);
	ck_assert_int_eq(coil_pread(ends[0], received, 1, -1), -EINVAL);
	ck_assert_int_eq(coil_fsync(ends[0]), -EINVAL);
	ck_assert_int_eq(coil_ftruncate(ends[0], 0), -EINVAL);
	ck_assert_int_eq(coil_statx(AT_FDCWD, NULL, 0, 0, &stat), -EFAULT);
	ck_assert_int_eq(coil_statx(AT_FDCWD, "/", 0, STATX_SIZE, NULL),
			 -EFAULT);
	ck_assert_int_eq(coil_unlinkat(AT_FDCWD, NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_mkdirat(AT_FDCWD, NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_renameat2(AT_FDCWD, NULL, AT_FDCWD, "x", 0),
			 -EFAULT);
	ck_assert_int_eq(coil_renameat2(AT_FDCWD, "x", AT_FDCWD, NULL, 0),
			 -EFAULT);
	ck_assert_int_eq(coil_linkat(AT_FDCWD, NULL, AT_FDCWD, "x", 0), -EFAULT);
	ck_assert_int_eq(coil_linkat(AT_FDCWD, "x", AT_FDCWD, NULL, 0), -EFAULT);
	ck_assert_int_eq(coil_symlinkat(NULL, AT_FDCWD, "x"), -EFAULT);
	ck_assert_int_eq(coil_symlinkat("x", AT_FDCWD, NULL), -EFAULT);
	/* Open the other way. */
	ck_assert_int_eq(coil_read(ends[1], received, 1), -EBADF);
	ck_assert_int_eq(coil_write(ends[0], received, 1), -EBADF);
	close_all(ends, 2);
}

COIL_TEST(a_request_that_is_pending_refuses_every_file_call)
{
	struct coil_timeout timeout = {0};
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	ssize_t results[16];
	int n;

	ck_assert_int_eq(coil_timeout_begin(&timeout, 0), 0);
	n = all_calls(fd, results);
	/* The last but two fail for what the fd is: sendfile, splice. */
	for (int i = 0; i < n - 2; i++)
		ck_assert_msg(results[i] == -ETIMEDOUT || results[i] == -ESPIPE,
			      "call %d: %zd", i, results[i]);
	ck_assert_int_eq(coil_open("/dev/null", O_RDONLY, 0), -ETIMEDOUT);
	ck_assert_int_eq(coil_unlinkat(AT_FDCWD, "/nonexistent", 0),
			 -ETIMEDOUT);
	ck_assert_int_eq(coil_linkat(fd, "x", fd, "y", 0), -ETIMEDOUT);
	ck_assert_int_eq(coil_symlinkat("x", fd, "y"), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&timeout), -ETIMEDOUT);
	coil_close(fd);
}

/* A file that is made up as it is read has a position, too. */
COIL_TEST(what_comes_short_at_a_file_in_proc_moves_its_position)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char bytes[8192];
	off_t from = (off_t)(uintptr_t)pages;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert(pages != MAP_FAILED);
	ck_assert_int_eq(munmap(pages + 4096, 4096), 0);
	ck_assert_int_eq(lseek(fd, from, SEEK_SET), from);
	ck_assert_int_eq(coil_write(fd, bytes, sizeof(bytes)), 4096);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), from + 4096);
	ck_assert_int_eq(lseek(fd, from, SEEK_SET), from);
	ck_assert_int_eq(coil_read(fd, bytes, sizeof(bytes)), 4096);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), from + 4096);
	munmap(pages, 4096);
	coil_close(fd);
}

START_TEST(off_a_loop_every_file_call_is_eperm)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ends[2];
	ssize_t results[16];
	struct statx stat;
	int n;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	n = all_calls(fd, results);
	for (int i = 0; i < n; i++)
		ck_assert_msg(results[i] == -EPERM, "call %d: %zd", i,
			      results[i]);
	ck_assert_int_eq(coil_sendfile(ends[1], fd, NULL, 1), -EPERM);
	ck_assert_int_eq(coil_splice(fd, NULL, ends[1], NULL, 1, 0), -EPERM);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	ck_assert_int_eq(coil_open("/dev/null", O_RDONLY, 0), -EPERM);
	ck_assert_int_eq(coil_statx(AT_FDCWD, "/", 0, 0, &stat), -EPERM);
	ck_assert_int_eq(coil_unlinkat(AT_FDCWD, "/nonexistent", 0), -EPERM);
	ck_assert_int_eq(coil_mkdirat(AT_FDCWD, "/nonexistent/x", 0), -EPERM);
	ck_assert_int_eq(
		coil_renameat2(AT_FDCWD, "/nonexistent/x", AT_FDCWD, "/y", 0),
		-EPERM);
	ck_assert_int_eq(coil_linkat(AT_FDCWD, "/", AT_FDCWD, "/y", 0), -EPERM);
	ck_assert_int_eq(coil_symlinkat("x", AT_FDCWD, "/nonexistent/y"),
			 -EPERM);
	close_all(ends, 2);
	coil_close(fd);
}
END_TEST

Suite *suite(void)
{
	Suite *file = suite_create("file");
	TCase *tests = tcase_create("file");

	tcase_add_test(tests, what_was_written_is_read_again);
	tcase_add_test(tests, a_read_whose_file_was_closed_moves_no_strangers_position);
	tcase_add_test(tests, files_are_made_moved_cut_and_removed);
	tcase_add_test(tests, files_are_linked_and_given_room);
	tcase_add_test(tests, open_says_what_open_2_says);
	tcase_add_test(tests,
		       open_keeps_o_nonblock_and_o_path_as_they_were_asked_for);
	tcase_add_test(tests,
		       a_fifo_is_opened_nonblocking_and_waits_for_nobody);
	tcase_add_test(tests, pipe_001_one_byte_then_four_then_the_end);
	tcase_add_test(tests, a_megabyte_goes_through_a_pipe_blocking_or_not);
	tcase_add_test(tests, write_all_says_why_not_all_of_it_was_written);
	tcase_add_test(tests, a_pipe_that_nobody_reads_is_epipe_and_no_signal);
	tcase_add_test(tests,
		       a_cancelled_read_or_write_of_a_pipe_loses_no_byte);
	tcase_add_test(
		tests,
		pipe_004_both_sides_of_a_pty_talk_and_closing_the_master_ends_it);
	tcase_add_test(
		tests,
		a_terminal_that_nobody_reads_stops_only_the_task_that_writes);
	tcase_add_test(tests, file_calls_on_what_is_no_fd_are_ebadf);
	tcase_add_test(
		tests,
		what_comes_short_at_a_file_in_proc_moves_its_position);
	tcase_add_test(tests, a_pipe_under_the_number_of_a_file_has_no_offsets);
	tcase_add_test(tests, what_a_number_meant_makes_no_difference_to_what_is_read);
	tcase_add_test(tests, a_device_under_the_number_of_a_file_in_memory_stops_nobody);
	tcase_add_test(tests, file_calls_tell_bad_arguments_before_they_begin);
	tcase_add_test(tests,
		       a_request_that_is_pending_refuses_every_file_call);
	tcase_add_test(tests, off_a_loop_every_file_call_is_eperm);
	suite_add_tcase(file, tests);
	return file;
}
