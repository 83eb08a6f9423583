/* SPDX-License-Identifier: MIT */
/*
 * Closing an fd that other tasks wait on, and what close(2) itself waits for.
 */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil/file.h>
#include <coil/timeout.h>
#include <coil/unix.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static ssize_t take_read(int fd)
{
	return coil_read(fd, taken, 1);
}

static ssize_t take_readv(int fd)
{
	struct iovec iov = { taken, 1 };

	return coil_readv(fd, &iov, 1);
}

static ssize_t take_poll(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return coil_poll(&pollfd, 1);
}

static ssize_t give_write(int fd)
{
	return coil_write(fd, "x", 1);
}

static struct sockaddr_in target;

static ssize_t connect_target(int fd)
{
	return coil_connect(fd, (struct sockaddr *)&target, sizeof(target));
}

/* Closes the fd of a call that is under way, which then ends. */
static void ends_call(ssize_t (*fn)(int fd), int fd)
{
	struct call call = { .fn = fn, .fd = fd };
	struct coil_task *task = start_call(&call);

	ck_assert(!coil_done(task));
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
}

COIL_TEST(close_ends_every_call_that_waits_on_the_fd)
{
	ssize_t (*const more[])(int) = { take_read, take_readv, take_poll };
	int fds[2];

	for (size_t i = 0; i < COUNT(takers) + COUNT(more); i++) {
		unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
		ends_call(i < COUNT(takers) ? takers[i]
					    : more[i - COUNT(takers)],
			  fds[0]);
		coil_close(fds[1]);
	}
	for (size_t i = 0; i <= COUNT(givers); i++) {
		unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
		fill(fds[0], '.');
		ends_call(i < COUNT(givers) ? givers[i] : give_write, fds[0]);
		coil_close(fds[1]);
	}
}

COIL_TEST(close_ends_accept_and_connect)
{
	int clients[CROWD];
	int fd = listener(&target);

	ends_call(take_connection, fd);
	fd = crowded(&target, clients);
	ends_call(connect_target, coil_socket(AF_INET, SOCK_STREAM, 0));
	close_all(clients, CROWD);
	coil_close(fd);
}

COIL_TEST(close_ends_a_reader_and_a_writer_at_once)
{
	struct call read = { .fn = take_recv }, write = { .fn = give_send };
	struct coil_task *reader, *writer;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	fill(fds[0], '.');
	read.fd = write.fd = fds[0];
	reader = start_call(&read);
	writer = start_call(&write);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	coil_await(reader);
	coil_await(writer);
	ck_assert_int_eq(read.result, -ECANCELED);
	ck_assert_int_eq(write.result, -ECANCELED);
	coil_close(fds[1]);
}

/* The number comes back at once; the old call must not reach the new file. */
COIL_TEST(a_number_that_is_used_again_gets_no_operation_of_the_old_file)
{
	struct call call = { .fn = take_recv };
	int fds[2], again[2];

	for (int i = 0; i < 10; i++) {
		struct coil_task *task;

		unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
		call.fd = fds[0];
		task = i % 2 ? start_call(&call)
			     : coil_create_task(make_call, &call);
		/*
		 * With an even i it is about to be submitted, or not even that.
		 */
		if (!(i % 2))
			ck_assert_int_eq(coil_yield(), 0);
		ck_assert_int_eq(coil_close(fds[0]), 0);
		unix_pair(again, SOCK_STREAM | SOCK_NONBLOCK);
		ck_assert_int_eq(again[0], fds[0]);
		ck_assert_int_eq(send(again[1], "x", 1, 0), 1);
		coil_await(task);
		ck_assert_int_eq(call.result, -ECANCELED);
		ck_assert_int_eq(coil_recv(again[0], taken, 1, 0), 1);
		close_all(again, 2);
		coil_close(fds[1]);
	}
}

static ssize_t take_ten(int fd)
{
	char buf[10];

	return coil_recv_all(fd, buf, sizeof(buf), 0, NULL);
}

static ssize_t give_much(int fd)
{
	static const char zeros[1000000];

	return coil_send_all(fd, zeros, sizeof(zeros), 0, NULL);
}

static ssize_t write_much(int fd)
{
	static const char zeros[1000000];

	return coil_write_all(fd, zeros, sizeof(zeros));
}

static ssize_t send_file(int fd)
{
	off_t offset = 0;
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = coil_sendfile(fd, in, &offset, 1 << 30);

	close(in);
	return n;
}

static int splice_end;

static ssize_t splice_much(int fd)
{
	return coil_splice(splice_end, NULL, fd, NULL, 1 << 20, 0);
}

/* Closes a number when it is told to, and has it used again at once. */
struct replacer {
	int order;		/* what tells it to */
	int fd;
	int again[2];
};

static int replace(void *arg)
{
	struct replacer *replacer = arg;

	ck_assert_int_eq(take_recv(replacer->order), 1);
	ck_assert_int_eq(coil_close(replacer->fd), 0);
	unix_pair(replacer->again, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(replacer->again[0], replacer->fd);
	ck_assert_int_eq(send(replacer->again[1], "precious", 8, 0), 8);
	return 0;
}

/*
 * A step of the call completes together with the order to close, and the closer
 * is the first to run.
 */
static void between_steps(ssize_t (*fn)(int fd), bool full)
{
	struct call call = { .fn = fn };
	struct replacer replacer;
	struct coil_task *task, *closer;
	int fds[2], orders[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	unix_pair(orders, SOCK_STREAM | SOCK_NONBLOCK);
	replacer.order = orders[0];
	replacer.fd = call.fd = fds[0];
	closer = coil_create_task(replace, &replacer);
	if (full)
		fill(fds[0], '.');
	task = start_call(&call);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(send(orders[1], "!", 1, 0), 1);
	if (full)
		drain(fds[1]);
	else
		ck_assert_int_eq(send(fds[1], "01234", 5, 0), 5);
	coil_await(closer);
	coil_await(task);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_uint_eq(drain(replacer.again[0]), 8);
	ck_assert_uint_eq(drain(replacer.again[1]), 0);
	close_all(replacer.again, 2);
	close_all(orders, 2);
	coil_close(fds[1]);
}

COIL_TEST(a_call_between_two_steps_does_not_go_on_with_another_file)
{
	static char zeros[10000];
	int ends[2];

	between_steps(take_ten, false);
	between_steps(give_much, true);
	between_steps(write_much, true);
	between_steps(send_file, true);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_gt(write(ends[1], zeros, sizeof(zeros)), 0);
	splice_end = ends[0];
	between_steps(splice_much, true);
	close_all(ends, 2);
}

COIL_TEST(close_spares_operations_on_a_dup)
{
	struct call call = { .fn = take_recv };
	struct coil_task *task;
	int fds[2], other;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	other = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	call.fd = other;
	task = start_call(&call);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(!coil_done(task));
	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	coil_await(task);
	ck_assert_int_eq(call.result, 1);
	coil_close(other);
	coil_close(fds[1]);
}

static ssize_t close_it(int fd)
{
	return coil_close(fd);
}

COIL_TEST(no_request_refuses_close)
{
	struct call wait = { .fn = take_recv }, call = { .fn = close_it };
	struct coil_task *waiter, *closer;
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	wait.fd = call.fd = fds[0];
	waiter = start_call(&wait);
	closer = coil_create_task(make_call, &call);
	coil_cancel(closer);
	coil_await(closer);
	coil_await(waiter);
	ck_assert_int_eq(call.result, 0);
	ck_assert_int_eq(wait.result, -ECANCELED);
	coil_close(fds[1]);
}

COIL_TEST(the_peer_sees_the_end_when_a_socket_is_closed_amid_a_call)
{
	struct call call = { .fn = take_recv };
	struct coil_task *task;
	int fds[2];

	tcp_pair(fds);
	call.fd = fds[0];
	task = start_call(&call);
	coil_close(fds[0]);
	ck_assert_int_eq(coil_recv(fds[1], taken, 1, 0), 0);
	coil_await(task);
	coil_close(fds[1]);
}

/*
 * It begins when close has parked: simulated time stands while a thread works.
 */
static int drain_meanwhile(void *arg)
{
	int fd = *(int *)arg;
	char block[4096];
	ssize_t n;

	while ((n = coil_recv(fd, block, sizeof(block), 0)) > 0)
		;
	return (int)n;
}

/*
 * close(2) waits until the peer has taken all; the other tasks run meanwhile.
 */
COIL_TEST(a_socket_that_lingers_is_closed_by_another_thread)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 10 };
	struct coil_task *task;
	int fds[2];

	tcp_pair(fds);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger,
				    sizeof(linger)), 0);
	fill(fds[0], '.');
	task = coil_create_task(drain_meanwhile, &fds[1]);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	ck_assert_int_eq(coil_await(task), 0);
	coil_close(fds[1]);
}

static void to_linger(int fds[2])
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 600 };

	tcp_pair(fds);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger,
				    sizeof(linger)), 0);
	fill(fds[0], '.');
}

COIL_TEST(the_number_of_a_socket_that_lingers_is_the_next_files_at_once)
{
	struct call call = { .fn = close_it };
	struct coil_task *closer, *reader;
	int fds[2], again[2];

	to_linger(fds);
	call.fd = fds[0];
	closer = coil_create_task(make_call, &call);
	ck_assert_ptr_nonnull(closer);
	while (fcntl(fds[0], F_GETFD) >= 0)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert(!coil_done(closer));
	unix_pair(again, SOCK_STREAM | SOCK_NONBLOCK);
	if (again[1] == fds[0]) {
		again[1] = again[0];
		again[0] = fds[0];
	} else if (again[0] != fds[0]) {
		ck_assert_int_eq(dup3(again[0], fds[0], O_CLOEXEC), fds[0]);
		close(again[0]);
		again[0] = fds[0];
	}
	ck_assert_int_eq(send(again[1], "x", 1, 0), 1);
	ck_assert_int_eq(coil_recv(again[0], taken, 1, 0), 1);
	ck_assert_int_eq(coil_close(again[0]), 0);
	ck_assert_int_eq(fcntl(again[0], F_GETFD), -1);
	coil_close(again[1]);
	ck_assert(!coil_done(closer));
	reader = coil_create_task(drain_meanwhile, &fds[1]);
	ck_assert_int_eq(coil_await(reader), 0);
	coil_await(closer);
	ck_assert_int_eq(call.result, 0);
	coil_close(fds[1]);
}

/* Its peer takes nothing, so a close(2) in the loop's thread lasts ten minutes. */
COIL_TEST(without_a_thread_the_loop_does_not_linger)
{
	int fds[2];

	to_linger(fds);
	support_fail_threads(true);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	support_fail_threads(false);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	coil_close(fds[1]);
}

COIL_TEST(without_another_fd_the_loop_does_not_linger)
{
	struct rlimit before, none;
	int fds[2], low;

	to_linger(fds);
	low = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)low + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	coil_close(low);
	coil_close(fds[1]);
}

/*
 * Files.  The linker makes the library call this: in a thread of the pool a close waits
 * for the test, like one of a file whose server is slow.
 */
static pthread_t loop_thread;
static bool slow;
static int slow_error;
static sem_t gate;
static atomic_int begun, ended;

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
	int ret;

	if (!slow || pthread_equal(pthread_self(), loop_thread))
		return __real_close(fd);
	begun++;
	while (sem_wait(&gate))
		;
	ret = __real_close(fd);
	ended++;
	errno = slow_error;
	return slow_error ? -1 : ret;
}

static void be_slow(int error)
{
	loop_thread = pthread_self();
	begun = ended = 0;
	slow_error = error;
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	slow = true;
}

static int new_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

COIL_TEST(a_slow_close_of_a_file_stops_no_other_task_and_keeps_the_number)
{
	struct call call = { .fn = close_it, .fd = new_file() };
	struct coil_task *closer;
	int other;

	be_slow(0);
	closer = coil_create_task(make_call, &call);
	while (!begun)
		ck_assert_int_eq(coil_yield(), 0);
	/* This task goes on, and no file has the number meanwhile. */
	ck_assert(!coil_done(closer));
	ck_assert_int_ge(fcntl(call.fd, F_GETFD), 0);
	ck_assert_int_eq(coil_read(call.fd, taken, 1), -EBADF);
	ck_assert_int_eq(coil_close(call.fd), -EBADF);
	sem_post(&gate);
	coil_await(closer);
	ck_assert_int_eq(call.result, 0);
	ck_assert_int_eq(fcntl(call.fd, F_GETFD), -1);
	/* Then it is the next file's, which works. */
	other = new_file();
	ck_assert_int_eq(other, call.fd);
	ck_assert_int_eq(coil_pwrite(other, "x", 1, 0), 1);
	slow = false;
	coil_close(other);
}

COIL_TEST(what_a_close_says_of_lost_data_is_returned)
{
	int fd = new_file();

	be_slow(EIO);
	sem_post(&gate);
	ck_assert_int_eq(coil_close(fd), -EIO);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	slow = false;
}

COIL_TEST(a_file_is_closed_without_a_thread_or_another_fd)
{
	struct rlimit before, none;
	int fd = new_file(), other = new_file();

	support_fail_threads(true);
	ck_assert_int_eq(coil_close(fd), 0);
	support_fail_threads(false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(coil_close(other), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(fcntl(other, F_GETFD), -1);
}

/* No thread for fds whose close never waits: it would cost ten times as much. */
COIL_TEST(sockets_pipes_eventfds_and_pidfds_are_closed_by_the_loops_thread)
{
	int fds[2], ends[2], event = eventfd(0, EFD_CLOEXEC);
	int process = (int)syscall(SYS_pidfd_open, getpid(), 0);

	be_slow(0);
	tcp_pair(fds);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(coil_close(fds[0]) | coil_close(fds[1]), 0);
	ck_assert_int_eq(coil_close(ends[0]) | coil_close(ends[1]), 0);
	ck_assert_int_eq(coil_close(event), 0);
	ck_assert_int_eq(coil_close(process), 0);
	ck_assert_int_eq(begun, 0);
	slow = false;
}

static int open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

COIL_TEST(so_is_a_file_that_was_only_read_unless_its_name_is_gone)
{
	char path[] = "/tmp/coil-close-XXXXXX", byte;
	struct iovec one = { &byte, 1 };
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	be_slow(0);
	if (preadv2(fd, &one, 1, 0, RWF_NOWAIT) < 0) {
		printf("skip: files of /tmp cannot be read without waiting\n");
	} else {
		ck_assert_int_eq(coil_close(open_to_read(path)), 0);
		ck_assert_int_eq(begun, 0);
	}
	for (int i = 0; i < 4; i++)
		sem_post(&gate);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(begun, 1);
	fd = open_to_read(path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(begun, 2);
	slow = false;
}

COIL_TEST(files_that_a_peer_passed_and_nobody_wants_are_not_waited_for)
{
	int fds[2], files[3] = { new_file(), new_file(), new_file() }, got[1];
	size_t n = 1;

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(coil_send_fds(fds[1], "x", 1, files, 3), 1);
	be_slow(0);
	ck_assert_int_eq(coil_recv_fds(fds[0], taken, 1, got, &n), -EMSGSIZE);
	while (!begun)
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(ended, 0);
	for (int i = 0; i < 3; i++)
		sem_post(&gate);
	while (ended < 3)
		ck_assert_int_eq(coil_yield(), 0);
	slow = false;
	close_all(files, 3);
	close_all(fds, 2);
}

COIL_TEST(pipes_and_files_are_closed_too)
{
	int ends[2], fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ends_call(take_read, ends[0]);
	ck_assert_int_eq(coil_close(ends[1]), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(fd), -EBADF);
}

Suite *suite(void)
{
	Suite *close = suite_create("close");
	TCase *tests = tcase_create("close");

	tcase_add_test(tests, close_ends_every_call_that_waits_on_the_fd);
	tcase_add_test(tests, close_ends_accept_and_connect);
	tcase_add_test(tests, close_ends_a_reader_and_a_writer_at_once);
	tcase_add_test(
		tests,
		a_number_that_is_used_again_gets_no_operation_of_the_old_file);
	tcase_add_test(
		tests,
		a_call_between_two_steps_does_not_go_on_with_another_file);
	tcase_add_test(tests, close_spares_operations_on_a_dup);
	tcase_add_test(tests, no_request_refuses_close);
	tcase_add_test(
		tests,
		the_peer_sees_the_end_when_a_socket_is_closed_amid_a_call);
	tcase_add_test(tests,
		       a_socket_that_lingers_is_closed_by_another_thread);
	tcase_add_test(tests, the_number_of_a_socket_that_lingers_is_the_next_files_at_once);
	tcase_add_test(tests, without_a_thread_the_loop_does_not_linger);
	tcase_add_test(tests, without_another_fd_the_loop_does_not_linger);
	tcase_add_test(tests, a_slow_close_of_a_file_stops_no_other_task_and_keeps_the_number);
	tcase_add_test(tests, what_a_close_says_of_lost_data_is_returned);
	tcase_add_test(tests, a_file_is_closed_without_a_thread_or_another_fd);
	tcase_add_test(tests, sockets_pipes_eventfds_and_pidfds_are_closed_by_the_loops_thread);
	tcase_add_test(tests, so_is_a_file_that_was_only_read_unless_its_name_is_gone);
	tcase_add_test(tests, files_that_a_peer_passed_and_nobody_wants_are_not_waited_for);
	tcase_add_test(tests, pipes_and_files_are_closed_too);
	suite_add_tcase(close, tests);
	return close;
}
