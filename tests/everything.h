/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_EVERYTHING_H
#define COIL_TESTS_EVERYTHING_H

/*
 * A bit of everything that is asked of the kernel, for suites about kernels and
 * sandboxes that refuse some of it.
 */

#include "tests/filters.h"
#include "tests/tasks.h"
#include "tests/sockets.h"
#include "core/backend/uring.h"
#include <coil/file.h>
#include <coil/timeout.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define MS COIL_MILLISECOND

static UNUSED int receive(void *arg)
{
	char byte = 0;
	ssize_t n = coil_recv(*(int *)arg, &byte, 1, 0);

	return n == 1 ? byte : (int)n;
}

static UNUSED int read_byte(void *arg)
{
	char byte = 0;
	ssize_t n = coil_read(*(int *)arg, &byte, 1);

	return n == 1 ? byte : (int)n;
}

static UNUSED void use_sockets(void)
{
	struct coil_task *task, *other;
	struct coil_timeout limit = {0};
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	task = start(receive, &fds[0]);
	other = start(receive, &fds[1]);
	settle();
	ck_assert_int_eq(coil_send(fds[1], "a", 1, 0), 1);
	ck_assert_int_eq(coil_await(task), 'a');
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), -ECANCELED);
	ck_assert_int_eq(coil_timeout_begin(&limit, MS), 0);
	ck_assert_int_eq(receive(&fds[0]), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&limit), -ETIMEDOUT);
	task = start(receive, &fds[0]);
	settle();
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(receive(&fds[1]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
}

static UNUSED void use_messages(void)
{
	char in[4] = "", out[] = "xyz";
	struct iovec from = { out, 3 }, to = { in, 3 };
	struct msghdr sent = { .msg_iov = &from, .msg_iovlen = 1 };
	struct msghdr received = { .msg_iov = &to, .msg_iovlen = 1 };
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(coil_sendmsg(fds[0], &sent, 0), 3);
	ck_assert_int_eq(coil_recvmsg(fds[1], &received, 0), 3);
	ck_assert_str_eq(in, "xyz");
	close(fds[0]);
	close(fds[1]);
}

static UNUSED int accept_one(void *arg)
{
	return coil_accept(*(int *)arg, NULL, NULL);
}

static UNUSED void use_connections(void)
{
	struct sockaddr_in addr;
	int server = listener(&addr), client_fd, fd;
	struct coil_task *task = start(accept_one, &server);

	settle();
	client_fd = coil_socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(client_fd, 0);
	ck_assert_int_eq(coil_connect(client_fd, (struct sockaddr *)&addr,
				      sizeof(addr)),
			 0);
	fd = coil_await(task);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(client_fd), 0);
	ck_assert_int_eq(coil_close(server), 0);
}

static UNUSED void use_pipes(void)
{
	struct iovec out[2] = { { "b", 1 }, { "c", 1 } };
	char byte[2];
	struct iovec in[2] = { { &byte[0], 1 }, { &byte[1], 1 } };
	int first[2], second[2];
	struct coil_task *task;

	ck_assert_int_eq(pipe2(first, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(second, O_CLOEXEC | O_NONBLOCK), 0);
	task = start(read_byte, &first[0]);
	settle();
	ck_assert_int_eq(coil_write(first[1], "a", 1), 1);
	ck_assert_int_eq(coil_await(task), 'a');
	ck_assert_int_eq(coil_writev(first[1], out, 2), 2);
	ck_assert_int_eq(coil_splice(first[0], NULL, second[1], NULL, 2, 0), 2);
	ck_assert_int_eq(coil_readv(second[0], in, 2), 2);
	ck_assert_mem_eq(byte, "bc", 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_close(first[i]), 0);
		ck_assert_int_eq(coil_close(second[i]), 0);
	}
}

static UNUSED void use_files(void)
{
	char path[] = "/tmp/check_fallback.XXXXXX", text[4] = "";
	struct statx info;
	off_t offset = 10;
	int dir, fd, ends[2];

	ck_assert_ptr_nonnull(mkdtemp(path));
	dir = coil_open(path, O_RDONLY | O_DIRECTORY, 0);
	ck_assert_int_ge(dir, 0);
	fd = coil_openat(dir, "file", O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_pwrite(fd, "data", 4, 10), 4);
	ck_assert_int_eq(coil_pread(fd, text, 3, 11), 3);
	ck_assert_str_eq(text, "ata");
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(coil_splice(fd, &offset, ends[1], NULL, 4, 0), 4);
	ck_assert_int_eq(read_byte(&ends[0]), 'd');
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_ftruncate(fd, 5), 0);
	ck_assert_int_eq(coil_statx(dir, "file", 0, STATX_SIZE, &info), 0);
	ck_assert_uint_eq(info.stx_size, 5);
	ck_assert_int_eq(coil_mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(coil_renameat2(dir, "file", dir, "sub/other", 0), 0);
	ck_assert_int_eq(coil_openat(dir, "file", O_RDONLY, 0), -ENOENT);
	ck_assert_int_eq(coil_linkat(dir, "sub/other", dir, "link", 0), 0);
	ck_assert_int_eq(coil_symlinkat("link", dir, "symlink"), 0);
	ck_assert_int_eq(coil_fallocate(fd, 0, 0, 100), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "link", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "symlink", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "sub/other", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(dir), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

static UNUSED void use_poll(void)
{
	struct pollfd fds[2];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fds[0] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	ck_assert_int_eq(coil_poll(&fds[1], 1), 1);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(coil_poll(fds, 2), 2);
	close(ends[0]);
	close(ends[1]);
}

static UNUSED int use_everything(void *arg)
{
	const char *backend = arg;

	if (backend)
		ck_assert_str_eq(coil_backend_name(), backend);
	use_sockets();
	use_messages();
	use_connections();
	use_pipes();
	use_files();
	use_poll();
	ck_assert_int_eq(coil_sleep(MS), 0);
	return 0;
}

static UNUSED int run_best(int (*fn)(void *arg), void *arg)
{
	unsetenv("COIL_BACKEND");
	return coil_run(fn, arg);
}

static UNUSED int copy_reason(void *arg)
{
	snprintf(arg, 200, "%s %s", coil_backend_name(), coil_backend_reason());
	return 0;
}

#endif
