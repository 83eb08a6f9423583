/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes at the position of a file, which several users share.
 *
 * The linker has the library call __wrap_write(), which a test can have wait in a
 * thread of the pool.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/group.h>
#include <coil/stream.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { TASKS = 8, LINES = 400, LENGTH = 64, BLOCK = 4096, BLOCKS = 64 };

static pthread_t loop_thread;
static atomic_bool held, full;
static sem_t gate;
static atomic_int arrived;

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (full && !pthread_equal(pthread_self(), loop_thread)) {
		errno = ENOSPC;
		return -1;
	}
	if (held && !pthread_equal(pthread_self(), loop_thread)) {
		arrived++;
		while (sem_wait(&gate))
			;
	}
	return __real_write(fd, buf, len);
}

/* A filter may refuse these two, each with EPERM or ENOSYS. */
static int refusal;

int __real_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stat);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stat);
int __real_sync_file_range(int fd, off_t from, off_t len, unsigned flags);
int __wrap_sync_file_range(int fd, off_t from, off_t len, unsigned flags);

int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stat)
{
	errno = refusal;
	return refusal ? -1 : __real_statx(dir, path, flags, mask, stat);
}

int __wrap_sync_file_range(int fd, off_t from, off_t len, unsigned flags)
{
	errno = refusal;
	return refusal ? -1 : __real_sync_file_range(fd, from, len, flags);
}

static int open_file(void)
{
	char path[] = "/tmp/coil-position-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	return fd;
}

static void make_line(char *line, int letter)
{
	memset(line, letter, LENGTH - 1);
	line[LENGTH - 1] = '\n';
}

struct writer {
	int fd;
	int letter;
};

static int write_lines(void *arg)
{
	const struct writer *writer = arg;
	char line[LENGTH];

	make_line(line, writer->letter);
	for (int i = 0; i < LINES; i++) {
		if (coil_write(writer->fd, line, LENGTH) != LENGTH)
			return -EIO;
	}
	return 0;
}

static pid_t child_that_writes_lines(int fd)
{
	char line[LENGTH];
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	make_line(line, 'z');
	for (int i = 0; i < TASKS * LINES; i++) {
		if (write(fd, line, LENGTH) != LENGTH)
			_exit(1);
	}
	_exit(0);
}

/* All lines of them are there, and whole. */
static void lines_are_whole(int fd, int tasks, int of_child)
{
	size_t size = (size_t)(tasks * LINES + of_child) * LENGTH;
	char *all = malloc(size + 1), line[LENGTH];
	int counts[256] = {0};

	ck_assert_int_eq(pread(fd, all, size + 1, 0), (ssize_t)size);
	for (size_t at = 0; at < size; at += LENGTH) {
		make_line(line, all[at]);
		ck_assert(!memcmp(all + at, line, LENGTH));
		counts[(unsigned char)all[at]]++;
	}
	for (int i = 0; i < tasks; i++)
		ck_assert_int_eq(counts['a' + i], LINES);
	ck_assert_int_eq(counts['z'], of_child);
	free(all);
}

static void write_from_all_sides(int fd)
{
	struct writer writers[TASKS];
	struct coil_group group = {0};
	pid_t child = child_that_writes_lines(fd);
	int status;

	for (int i = 0; i < TASKS; i++) {
		writers[i] = (struct writer){ fd, 'a' + i };
		ck_assert_int_eq(coil_group_create_task(&group, write_lines, &writers[i]), 0);
	}
	ck_assert_int_eq(coil_group_wait(&group), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	lines_are_whole(fd, TASKS, TASKS * LINES);
}

COIL_TEST(tasks_and_a_child_that_share_a_position_lose_no_line)
{
	int fd = open_file();

	write_from_all_sides(fd);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 2 * TASKS * LINES * LENGTH);
	coil_close(fd);
	fd = open_file();
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	write_from_all_sides(fd);
	coil_close(fd);
}

/* Such a file is written in the loop's thread.  (A memfd has no lock, for write(2) either.) */
COIL_TEST(nor_do_those_that_share_a_file_in_memory)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) {
		printf("skip: no file in /dev/shm\n");
		return;
	}
	write_from_all_sides(fd);
	coil_close(fd);
}

struct reader {
	int fd;
	int *seen;
};

static int read_blocks(void *arg)
{
	const struct reader *reader = arg;
	int block[BLOCK / sizeof(int)];
	ssize_t n;

	while ((n = coil_read(reader->fd, block, sizeof(block))) == BLOCK)
		reader->seen[block[0]]++;
	return (int)n;
}

COIL_TEST(tasks_that_read_at_one_position_read_each_byte_once)
{
	int seen[BLOCKS] = {0}, block[BLOCK / sizeof(int)] = {0}, fd = open_file();
	struct reader reader = { fd, seen };
	struct coil_group group = {0};

	for (int i = 0; i < BLOCKS; i++) {
		block[0] = i;
		ck_assert_int_eq(write(fd, block, BLOCK), BLOCK);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(coil_fdatasync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(coil_group_create_task(&group, read_blocks, &reader), 0);
	ck_assert_int_eq(coil_group_wait(&group), 0);
	for (int i = 0; i < BLOCKS; i++)
		ck_assert_int_eq(seen[i], 1);
	coil_close(fd);
}

/* A thread is held in the first write of some. */
struct held_write {
	int fd;
	char byte;
	ssize_t result;
	struct coil_task *task;
};

static int write_one(void *arg)
{
	struct held_write *one = arg;

	one->result = coil_write(one->fd, &one->byte, 1);
	return 0;
}

static void start_held(struct held_write *writes, int n, int fd)
{
	loop_thread = pthread_self();
	arrived = 0;
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	held = true;
	for (int i = 0; i < n; i++) {
		writes[i] = (struct held_write){ .fd = fd, .byte = (char)('a' + i) };
		writes[i].task = coil_create_task(write_one, &writes[i]);
		ck_assert_ptr_nonnull(writes[i].task);
	}
	while (!arrived)
		ck_assert_int_eq(coil_yield(), 0);
}

static void let_go(int n)
{
	for (int i = 0; i < n; i++)
		sem_post(&gate);
}

COIL_TEST(writes_at_one_position_come_in_the_order_of_the_calls_and_hold_one_thread)
{
	enum { WRITES = 26 };
	struct held_write writes[WRITES];
	unsigned long before = support_threads();
	char text[WRITES + 1];
	int fd = open_file();

	start_held(writes, WRITES, fd);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(arrived, 1);
	ck_assert_uint_eq(support_threads(), before + 1);
	let_go(WRITES);
	for (int i = 0; i < WRITES; i++) {
		ck_assert_int_eq(coil_await(writes[i].task), 0);
		ck_assert_int_eq(writes[i].result, 1);
	}
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), WRITES);
	ck_assert_mem_eq(text, "abcdefghijklmnopqrstuvwxyz", WRITES);
	held = false;
	coil_close(fd);
}

COIL_TEST(a_cancelled_write_leaves_the_line_and_the_others_have_their_turns)
{
	struct held_write writes[4];
	char text[5];
	int fd = open_file();

	start_held(writes, 4, fd);
	coil_cancel(writes[2].task);
	ck_assert_int_eq(coil_await(writes[2].task), 0);
	ck_assert_int_eq(writes[2].result, -ECANCELED);
	/* What a thread is at goes on to its end. */
	coil_cancel(writes[0].task);
	let_go(4);
	for (int i = 0; i < 4; i += i ? 2 : 1) {
		ck_assert_int_eq(coil_await(writes[i].task), 0);
		ck_assert_int_eq(writes[i].result, 1);
	}
	ck_assert_int_eq(pread(fd, text, 5, 0), 3);
	ck_assert_mem_eq(text, "abd", 3);
	held = false;
	coil_close(fd);
}

static int open_gate(void *arg)
{
	(void)arg;
	let_go(4);
	return 0;
}

COIL_TEST(a_close_ends_the_writes_that_wait_for_their_turn)
{
	struct held_write writes[4];
	int fd = open_file(), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct coil_task *opener;
	char text[5];

	start_held(writes, 4, fd);
	opener = coil_create_task(open_gate, NULL);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_await(opener), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(coil_await(writes[i].task), 0);
		ck_assert_int_eq(writes[i].result, i ? -ECANCELED : 1);
	}
	ck_assert_int_eq(pread(copy, text, 5, 0), 1);
	held = false;
	coil_close(copy);
}

COIL_TEST(where_a_filter_refuses_statx_files_and_pipes_are_still_told_apart)
{
	static const int refusals[] = { EPERM, ENOSYS };
	char text[8];

	for (int i = 0; i < 2; i++) {
		int fd = open_file(), ends[2];

		ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		refusal = refusals[i];
		ck_assert_int_eq(coil_write(fd, "text", 4), 4);
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		ck_assert_int_eq(coil_sendfile(ends[1], fd, NULL, 4), 4);
		ck_assert_int_eq(coil_read(ends[0], text, 8), 4);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 4);
		ck_assert_int_eq(coil_sendfile(fd, ends[0], NULL, 4), -EINVAL);
		ck_assert_int_eq(coil_close(fd), 0);
		close_all(ends, 2);
		refusal = 0;
	}
}

/* A stream over a file whose disk is full for a while. */
COIL_TEST(a_stream_writes_again_when_a_full_disk_has_room)
{
	int fd = open_file(), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct coil_stream *stream = coil_stream_open(fd);
	char text[16];

	ck_assert_ptr_nonnull(stream);
	loop_thread = pthread_self();
	for (int i = 0; i < 2; i++) {
		full = true;
		ck_assert_int_eq(coil_stream_write(stream, "lost\n", 5), 5);
		ck_assert_int_eq(coil_stream_flush(stream), -ENOSPC);
		ck_assert_int_eq(coil_stream_flush(stream), 0);
		full = false;
		ck_assert_int_eq(coil_stream_write(stream, "kept\n", 5), 5);
		ck_assert_int_eq(coil_stream_flush(stream), 0);
	}
	ck_assert_int_eq(coil_stream_close(stream), -ENOSPC);
	ck_assert_int_eq(pread(copy, text, sizeof(text), 0), 10);
	ck_assert_mem_eq(text, "kept\nkept\n", 10);
	coil_close(copy);
}

Suite *suite(void)
{
	Suite *position = suite_create("position");
	TCase *tests = tcase_create("position");

	tcase_add_test(tests, tasks_and_a_child_that_share_a_position_lose_no_line);
	tcase_add_test(tests, nor_do_those_that_share_a_file_in_memory);
	tcase_add_test(tests, tasks_that_read_at_one_position_read_each_byte_once);
	tcase_add_test(
		tests,
		writes_at_one_position_come_in_the_order_of_the_calls_and_hold_one_thread);
	tcase_add_test(tests, a_cancelled_write_leaves_the_line_and_the_others_have_their_turns);
	tcase_add_test(tests, a_close_ends_the_writes_that_wait_for_their_turn);
	tcase_add_test(tests, where_a_filter_refuses_statx_files_and_pipes_are_still_told_apart);
	tcase_add_test(tests, a_stream_writes_again_when_a_full_disk_has_room);
	suite_add_tcase(position, tests);
	return position;
}
