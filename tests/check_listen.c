/* SPDX-License-Identifier: MIT */
/* Listening on a path that other processes use too, and on an inherited fd. */
#include "tests/paths.h"
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/address.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

static int bound(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(un.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

COIL_TEST(a_socket_that_is_bound_and_does_not_listen_yet_is_left_alone)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (size_t i = 0; i < COUNT(types); i++) {
		struct stat before, after;
		int fd;

		begin_unix();
		fd = bound(types[i]);
		ck_assert_int_eq(lstat(path, &before), 0);
		ck_assert_int_eq(coil_listen(address, NULL), -EADDRINUSE);
		ck_assert_int_eq(lstat(path, &after), 0);
		ck_assert_uint_eq(before.st_ino, after.st_ino);
		close(fd);
		/* Now it is stale. */
		fd = coil_listen(address, NULL);
		ck_assert_int_ge(fd, 0);
		coil_close(fd);
		end_unix();
	}
}

enum { STARTERS = 4, ROUNDS = 300 };

static pthread_barrier_t gate;
static int fds[STARTERS];

static void *start_it(void *arg)
{
	int *fd = arg;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&gate);
		*fd = coil_listen(address, &(struct coil_listen_options){ .unix_mode = 0660 });
		pthread_barrier_wait(&gate);
		/* Main looks. */
		pthread_barrier_wait(&gate);
	}
	return arg;
}

static int close_listeners(void)
{
	int n = 0;

	for (int i = 0; i < STARTERS; i++) {
		if (fds[i] < 0) {
			ck_assert_int_eq(fds[i], -EADDRINUSE);
			continue;
		}
		n++;
		close(fds[i]);
	}
	return n;
}

/* Every second time there is a file, which the last one left. */
START_TEST(of_many_that_start_on_one_path_one_listens)
{
	pthread_t threads[STARTERS];

	begin_unix();
	pthread_barrier_init(&gate, NULL, STARTERS + 1);
	for (int i = 0; i < STARTERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_it, &fds[i]), 0);
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			unlink(path);
		pthread_barrier_wait(&gate);
		pthread_barrier_wait(&gate);
		ck_assert_int_eq(close_listeners(), 1);
		pthread_barrier_wait(&gate);
	}
	for (int i = 0; i < STARTERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&gate);
	end_unix();
}
END_TEST

static atomic_bool enough;
static char precious[64];

/* Has a symlink in the place of the socket now and then. */
static void *swap(void *arg)
{
	const struct timespec moment = { .tv_nsec = 30000 };
	char link[64];

	snprintf(link, sizeof(link), "%s/link", folder);
	(void)!symlink(precious, link);
	while (!enough) {
		if (renameat2(AT_FDCWD, link, AT_FDCWD, path, RENAME_EXCHANGE))
			continue;
		nanosleep(&moment, NULL);
		unlink(path);
		unlink(link);
		(void)!symlink(precious, link);
	}
	unlink(link);
	return arg;
}

START_TEST(a_mode_is_never_set_through_a_symlink)
{
	const struct coil_listen_options options = { .unix_mode = 0666 };
	struct stat stat;
	pthread_t thread;
	int file;

	begin_unix();
	snprintf(precious, sizeof(precious), "%s/precious", folder);
	file = open(precious, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	enough = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		int fd = coil_listen(address, &options);

		if (fd >= 0)
			close(fd);
		unlink(path);
		ck_assert_int_eq(fstat(file, &stat), 0);
		ck_assert_int_eq(stat.st_mode & 07777, 0600);
	}
	enough = true;
	pthread_join(thread, NULL);
	close(file);
	unlink(precious);
	end_unix();
}
END_TEST

COIL_TEST(a_socket_file_has_its_mode_whatever_the_umask)
{
	const struct coil_listen_options options = { .unix_mode = 0666 };
	mode_t before = umask(077);
	struct stat stat;
	int fd;

	begin_unix();
	fd = coil_listen(address, &options);
	umask(before);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lstat(path, &stat), 0);
	ck_assert_int_eq(stat.st_mode & 07777, 0666);
	coil_close(fd);
	end_unix();
}

/* A stale file, and the path of the lock for its replacement. */
static void begin_stale(char lock[80])
{
	begin_unix();
	snprintf(lock, 80, "%s.lock", path);
	close(bound(SOCK_STREAM));
}

COIL_TEST(a_lock_that_was_left_behind_hinders_nobody)
{
	char lock[80];
	int fd;

	begin_stale(lock);
	close(open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	fd = coil_listen(address, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(access(lock, F_OK), 0);
	coil_close(fd);
	end_unix();
}

COIL_TEST(somebodys_file_that_has_the_name_of_the_lock_is_not_removed)
{
	char lock[80];
	struct stat stat;
	int fd;

	begin_stale(lock);
	fd = open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "123\n", 4), 4);
	close(fd);
	fd = coil_listen(address, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lstat(lock, &stat), 0);
	ck_assert_int_eq(stat.st_size, 4);
	coil_close(fd);
	unlink(lock);
	end_unix();
}

COIL_TEST(a_lock_that_is_held_or_no_file_keeps_a_stale_file_from_being_replaced)
{
	char lock[80];
	int fd;

	begin_stale(lock);
	fd = open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(coil_listen(address, NULL), -EADDRINUSE);
	close(fd);
	ck_assert_int_eq(unlink(lock), 0);
	ck_assert_int_eq(mkdir(lock, 0700), 0);
	ck_assert_int_eq(coil_listen(address, NULL), -EISDIR);
	ck_assert_int_eq(rmdir(lock), 0);
	ck_assert_int_eq(symlink("nowhere", lock), 0);
	ck_assert_int_eq(coil_listen(address, NULL), -ELOOP);
	ck_assert_int_eq(unlink(lock), 0);
	end_unix();
}

static int listen_on_fd(int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "fd:%d", fd);
	return coil_listen(text, NULL);
}

COIL_TEST(a_bound_socket_that_is_handed_over_listens)
{
	struct sockaddr_in addr;
	int fd = loopback(SOCK_STREAM, &addr), peer;

	ck_assert_int_eq(listen_on_fd(fd), fd);
	ck_assert(is_nonblocking(fd));
	peer = client(&addr);
	coil_close(peer);
	coil_close(fd);
	begin_unix();
	fd = bound(SOCK_STREAM);
	ck_assert_int_eq(listen_on_fd(fd), fd);
	peer = coil_dial(address);
	ck_assert_int_ge(peer, 0);
	coil_close(peer);
	coil_close(fd);
	end_unix();
}

COIL_TEST(a_socket_that_is_not_bound_or_is_connected_does_not_listen)
{
	struct sockaddr_in addr;
	int pair[2], fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(listen_on_fd(fd), -EINVAL);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(listen_on_fd(fd), -EINVAL);
	close(fd);
	tcp_pair(pair);
	ck_assert_int_eq(listen_on_fd(pair[0]), -EINVAL);
	close_all(pair, 2);
	fd = loopback(SOCK_DGRAM, &addr);
	ck_assert_int_eq(listen_on_fd(fd), -EINVAL);
	close(fd);
}

COIL_TEST(a_packet_socket_that_is_handed_over_is_refused_and_stays_as_it_was)
{
	int fd, listens;
	socklen_t len = sizeof(listens);

	begin_unix();
	fd = bound(SOCK_SEQPACKET);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(listen_on_fd(fd), -EINVAL);
		ck_assert(!is_nonblocking(fd));
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len), 0);
		ck_assert_int_eq(listens, i);
		ck_assert_int_eq(listen(fd, 1), 0);
	}
	close(fd);
	end_unix();
}

Suite *suite(void)
{
	Suite *tests = suite_create("listen");
	TCase *tcase = tcase_create("listen");

	tcase_set_timeout(tcase, 30 * support_patience());
	tcase_add_test(tcase, a_socket_that_is_bound_and_does_not_listen_yet_is_left_alone);
	tcase_add_test(tcase, of_many_that_start_on_one_path_one_listens);
	tcase_add_test(tcase, a_mode_is_never_set_through_a_symlink);
	tcase_add_test(tcase, a_socket_file_has_its_mode_whatever_the_umask);
	tcase_add_test(tcase, a_lock_that_was_left_behind_hinders_nobody);
	tcase_add_test(tcase, somebodys_file_that_has_the_name_of_the_lock_is_not_removed);
	tcase_add_test(tcase,
		       a_lock_that_is_held_or_no_file_keeps_a_stale_file_from_being_replaced);
	tcase_add_test(tcase, a_bound_socket_that_is_handed_over_listens);
	tcase_add_test(tcase, a_socket_that_is_not_bound_or_is_connected_does_not_listen);
	tcase_add_test(tcase, a_packet_socket_that_is_handed_over_is_refused_and_stays_as_it_was);
	suite_add_tcase(tests, tcase);
	return tests;
}
