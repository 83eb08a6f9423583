/* SPDX-License-Identifier: MIT */
/*
 * NULL for a required pointer returns -EINVAL or -EFAULT and does nothing else.  Each
 * function that the library exports is named here; exports.sh checks that.
 *
 * Only coil_queue_get and coil_queue_put do not check, and say so: two checks in each cost
 * 7 of the 46 instructions of an item and a seventh of its time, and no later place would
 * see a NULL before it is used.
 * These take no pointer, or NULL has a meaning for them: coil_run_with,
 * coil_backend_name, coil_backend_reason, coil_loop_now, coil_current_loop,
 * coil_loop_ref, coil_loop_unref, coil_worker_index, coil_stop_signal, coil_now,
 * coil_sleep, coil_sleep_until, coil_yield, coil_check, coil_cancel_requested,
 * coil_current_task, coil_group_ending, coil_set_error_handler, coil_socket,
 * coil_shutdown, coil_close, coil_fsync, coil_fdatasync, coil_ftruncate, coil_fallocate,
 * coil_sendfile, coil_splice, coil_peer_pidfd, coil_stream_open, coil_accept.
 */
#include "tests/tasks.h"
#include <coil.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>

static void refuses(const char *call, long result)
{
	ck_assert_msg(result == -EINVAL || result == -EFAULT, "%s: %ld", call, result);
}

#define REFUSES(call) refuses(#call, (long)(call))

/* A pointer, which is NULL, and errno says why. */
#define MAKES_NONE(call)						\
	do {								\
		errno = 0;						\
		ck_assert_ptr_null(call);				\
		refuses(#call, -errno);					\
	} while (0)

/* Volatile, so that the compiler does not warn of the NULL. */
static void *volatile null;

COIL_TEST(of_locks_and_the_like)
{
	struct coil_condition condition = {0};
	struct coil_lock lock = {0};

	REFUSES(coil_lock_acquire(null));
	REFUSES(coil_lock_try_acquire(null));
	REFUSES(coil_lock_release(null));
	ck_assert(!coil_lock_locked(null));
	REFUSES(coil_rwlock_read(null));
	REFUSES(coil_rwlock_write(null));
	REFUSES(coil_rwlock_release(null));
	REFUSES(coil_semaphore_acquire(null));
	REFUSES(coil_semaphore_try_acquire(null));
	REFUSES(coil_semaphore_release(null));
	ck_assert(!coil_semaphore_locked(null));
	REFUSES(coil_condition_wait(null, &lock));
	REFUSES(coil_condition_wait(&condition, null));
	REFUSES(coil_condition_wait_until(null, &lock, null, null));
	REFUSES(coil_condition_wait_until(&condition, null, null, null));
	REFUSES(coil_condition_wait_until(&condition, &lock, null, null));
	REFUSES(coil_condition_notify(null, 1));
	REFUSES(coil_condition_notify_all(null));
	REFUSES(coil_barrier_wait(null));
	REFUSES(coil_barrier_reset(null));
	REFUSES(coil_barrier_abort(null));
	REFUSES(coil_barrier_n_waiting(null));
	ck_assert(!coil_barrier_broken(null));
}

COIL_TEST(of_events_and_futures)
{
	REFUSES(coil_event_wait(null));
	REFUSES(coil_event_set(null));
	REFUSES(coil_event_clear(null));
	ck_assert(!coil_event_is_set(null));
	REFUSES(coil_event_open(null));
	REFUSES(coil_event_from_fd(null, 0));
	REFUSES(coil_event_fd(null));
	REFUSES(coil_event_close(null));
	REFUSES(coil_future_set(null, 0));
	REFUSES(coil_future_wait(null));
	ck_assert(!coil_future_done(null));
	REFUSES(coil_future_result(null));
}

COIL_TEST(of_queues_and_channels)
{
	struct coil_channel channel;
	struct coil_queue queue;
	int item = 0;

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(item), 4), 0);
	REFUSES(coil_queue_init(null, 4, 4));
	REFUSES(coil_queue_init_lifo(null, 4, 4));
	REFUSES(coil_queue_init_priority(null, 4, 4, null));
	REFUSES(coil_queue_put_nowait(null, &item));
	REFUSES(coil_queue_put_nowait(&queue, null));
	ck_assert_int_eq(coil_queue_put(&queue, &item), 0);
	ck_assert_int_eq(coil_queue_put(&queue, &item), 0);
	REFUSES(coil_queue_get_nowait(null, &item));
	REFUSES(coil_queue_get_nowait(&queue, null));
	ck_assert_uint_eq(coil_queue_size(&queue), 2);
	ck_assert_uint_eq(coil_queue_size(null), 0);
	ck_assert(coil_queue_empty(null));
	ck_assert(!coil_queue_full(null));
	REFUSES(coil_queue_task_done(null));
	REFUSES(coil_queue_join(null));
	REFUSES(coil_queue_shutdown(null, true));
	coil_queue_set_drop(null, null, null);
	coil_queue_fini(null);
	coil_queue_fini(&queue);
	ck_assert_int_eq(coil_channel_init(&channel, sizeof(item), 4), 0);
	REFUSES(coil_channel_init(null, 4, 4));
	REFUSES(coil_channel_send(null, &item));
	REFUSES(coil_channel_send(&channel, null));
	REFUSES(coil_channel_recv(null, &item));
	REFUSES(coil_channel_recv(&channel, null));
	REFUSES(coil_channel_try_send(null, &item));
	REFUSES(coil_channel_try_recv(null, &item));
	REFUSES(coil_channel_close(null));
	coil_channel_fini(null);
	coil_channel_fini(&channel);
	REFUSES(coil_select(null, 1, 0));
}

/* A handle that is NULL is a task that could not be made. */
COIL_TEST(of_tasks_and_groups)
{
	struct coil_task *none[1] = {0};
	struct coil_group group = {0};
	size_t done = 0;
	int result;

	MAKES_NONE(coil_create_task(null, null));
	MAKES_NONE(coil_create_task_with(null, null, null));
	ck_assert_int_eq(coil_await(null), -ENOMEM);
	ck_assert_int_eq(coil_join(null, &result), -ENOMEM);
	ck_assert_int_eq(coil_shield(null), -ENOMEM);
	ck_assert_int_eq(coil_wait_for(null, 1), -ENOMEM);
	ck_assert_int_eq(coil_result(null), -ENOMEM);
	REFUSES(coil_gather(null, 1, &result));
	REFUSES(coil_wait(null, 1, COIL_ALL_COMPLETED, 0));
	REFUSES(coil_as_completed(null, 1, &done));
	REFUSES(coil_as_completed(none, 1, null));
	coil_detach(null);
	ck_assert(!coil_cancel(null));
	ck_assert(!coil_done(null));
	ck_assert(!coil_cancelled(null));
	ck_assert_ptr_null(coil_task_waiters(null));
	ck_assert_ptr_nonnull(coil_task_name(null));
	REFUSES(coil_task_set_name(null, "%d", 1));
	ck_assert_uint_eq(coil_all_tasks(null, 0), 1);
	REFUSES(coil_var_set(null, null));
	ck_assert_ptr_null(coil_var_get(null));
	REFUSES(coil_group_create_task(null, give, null));
	REFUSES(coil_group_create_task(&group, null, null));
	REFUSES(coil_group_create_task_with(null, null, give, null, null));
	REFUSES(coil_group_wait(null));
	coil_group_cancel(null);
	coil_group_cancel_after(null, 1);
	coil_group_fail(null, -EIO);
	coil_group_finish(null);
	coil_group_leave(null);
}

COIL_TEST(of_wait_queues_and_timeouts)
{
	struct coil_waitq *none[1] = {0};

	REFUSES(coil_waitq_park(null));
	REFUSES(coil_waitq_park_with(null, null));
	REFUSES(coil_waitq_park_for(null, null, "x"));
	REFUSES(coil_waitq_park_shielded(null, null, "x"));
	REFUSES(coil_waitq_park_any(null, null, 1, "x"));
	REFUSES(coil_waitq_park_any(none, null, 1, "x"));
	MAKES_NONE(coil_waitq_unpark(null));
	MAKES_NONE(coil_waitq_unpark_with(null, null));
	ck_assert_ptr_null(coil_waitq_peek(null));
	ck_assert_uint_eq(coil_waitq_size(null), 0);
	ck_assert_uint_eq(coil_waitq_unpark_all(null), 0);
	REFUSES(coil_timeout_begin(null, 1));
	REFUSES(coil_shield_begin(null, 1));
	REFUSES(coil_timeout_reschedule(null, 1));
	REFUSES(coil_timeout_end(null));
	coil_timeout_leave(null);
	ck_assert(!coil_timeout_expired(null));
	ck_assert_int_eq(coil_timeout_when(null), COIL_FOREVER);
}

COIL_TEST(of_files)
{
	int fd = memfd_create("null", MFD_CLOEXEC);
	struct statx status;

	REFUSES(coil_read(fd, null, 1));
	REFUSES(coil_write(fd, null, 1));
	REFUSES(coil_write_all(fd, null, 1));
	REFUSES(coil_readv(fd, null, 1));
	REFUSES(coil_writev(fd, null, 1));
	REFUSES(coil_pread(fd, null, 1, 0));
	REFUSES(coil_pwrite(fd, null, 1, 0));
	REFUSES(coil_open(null, O_RDONLY, 0));
	REFUSES(coil_openat(AT_FDCWD, null, O_RDONLY, 0));
	REFUSES(coil_statx(AT_FDCWD, null, 0, STATX_SIZE, &status));
	REFUSES(coil_statx(AT_FDCWD, "/", 0, STATX_SIZE, null));
	REFUSES(coil_unlinkat(AT_FDCWD, null, 0));
	REFUSES(coil_renameat2(AT_FDCWD, null, AT_FDCWD, "x", 0));
	REFUSES(coil_renameat2(AT_FDCWD, "x", AT_FDCWD, null, 0));
	REFUSES(coil_mkdirat(AT_FDCWD, null, 0));
	REFUSES(coil_linkat(AT_FDCWD, null, AT_FDCWD, "x", 0));
	REFUSES(coil_linkat(AT_FDCWD, "x", AT_FDCWD, null, 0));
	REFUSES(coil_symlinkat(null, AT_FDCWD, "x"));
	REFUSES(coil_symlinkat("x", AT_FDCWD, null));
	REFUSES(coil_poll(null, 1));
	close(fd);
}

COIL_TEST(of_sockets)
{
	int fds[2], number = 0;
	size_t n = 1;
	char byte = 0;
	struct msghdr msg = {0};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	REFUSES(coil_connect(fds[0], null, 16));
	REFUSES(coil_recv(fds[0], null, 1, MSG_DONTWAIT));
	REFUSES(coil_send(fds[0], null, 1, MSG_DONTWAIT));
	REFUSES(coil_recvfrom(fds[0], null, 1, MSG_DONTWAIT, null, null));
	REFUSES(coil_sendto(fds[0], null, 1, MSG_DONTWAIT, null, 0));
	REFUSES(coil_recvmsg(fds[0], null, MSG_DONTWAIT));
	REFUSES(coil_sendmsg(fds[0], null, MSG_DONTWAIT));
	REFUSES(coil_recvmmsg(fds[0], null, 1, MSG_DONTWAIT));
	REFUSES(coil_sendmmsg(fds[0], null, 1, MSG_DONTWAIT));
	REFUSES(coil_send_all(fds[0], null, 1, 0, null));
	REFUSES(coil_recv_all(fds[0], null, 1, 0, null));
	REFUSES(coil_send_segments(fds[0], null, 1, 0));
	REFUSES(coil_recv_segments(fds[0], null, &n, 0));
	REFUSES(coil_recv_segments(fds[0], &msg, null, 0));
	REFUSES(coil_send_fds(fds[0], null, 1, &number, 1));
	REFUSES(coil_send_fds(fds[0], &byte, 1, null, 1));
	REFUSES(coil_recv_fds(fds[0], null, 1, &number, &n));
	REFUSES(coil_recv_fds(fds[0], &byte, 1, null, &n));
	REFUSES(coil_recv_fds(fds[0], &byte, 1, &number, null));
	REFUSES(coil_peer_credentials(fds[0], null));
	REFUSES(coil_local_address(fds[0], null, 16));
	REFUSES(coil_peer_address(fds[0], null, 16));
	REFUSES(coil_listen(null, null));
	REFUSES(coil_dial(null));
	REFUSES(coil_getaddrinfo("127.0.0.1", "1", null, null));
	close(fds[0]);
	close(fds[1]);
}

static ssize_t COIL_PRINTF(2, 3)
vprint(struct coil_stream *stream, const char *format, ...)
{
	va_list args;
	ssize_t n;

	va_start(args, format);
	n = coil_stream_vprintf(stream, format, args);
	va_end(args);
	return n;
}

COIL_TEST(of_streams)
{
	struct iovec iov = {0};
	const char *data;
	char byte, *line;
	size_t n;

	REFUSES(coil_stream_read(null, &byte, 1));
	REFUSES(coil_stream_read_exactly(null, &byte, 1));
	REFUSES(coil_stream_read_until(null, "x", 1, &data));
	REFUSES(coil_stream_read_line(null, &data));
	REFUSES(coil_stream_skip(null, 1));
	REFUSES(coil_stream_peek(null, 1, &data));
	REFUSES(coil_stream_next_line(null, &line, &n));
	ck_assert_uint_eq(coil_stream_buffered(null), 0);
	REFUSES(coil_stream_writev(null, &iov, 1));
	coil_stream_cork(null, true);
	ck_assert(!coil_stream_at_eof(null));
	coil_stream_set_limits(null, 1, 1);
	REFUSES(coil_stream_fd(null));
	REFUSES(coil_stream_write(null, "x", 1));
	REFUSES(coil_stream_printf(null, "x"));
	REFUSES(vprint(null, "x"));
	REFUSES(coil_stream_flush(null));
	REFUSES(coil_stream_shutdown(null));
	REFUSES(coil_stream_close(null));
	MAKES_NONE(coil_open_connection(null));
}

COIL_TEST(of_servers_processes_and_signals)
{
	struct coil_process process = {0};
	const char *const none[] = { NULL };
	size_t n;

	MAKES_NONE(coil_start_server(null, null, null, null));
	REFUSES(coil_server_fd(null, 0));
	REFUSES(coil_server_connections(null));
	REFUSES(coil_serve_forever(null));
	REFUSES(coil_server_stop(null));
	REFUSES(coil_server_close(null, 0));
	REFUSES(coil_process_spawn(null, none, null));
	REFUSES(coil_process_spawn(&process, null, null));
	REFUSES(coil_process_wait(null, null));
	REFUSES(coil_process_kill(null, 0));
	REFUSES(coil_process_kill_group(null, 0));
	REFUSES(coil_process_communicate(null, null, 0, null, 0, &n));
	REFUSES(coil_process_close(null));
	REFUSES(coil_signal_wait(null, null));
}

START_TEST(of_runs_and_threads)
{
	REFUSES(coil_run(null, null));
	REFUSES(coil_run_workers(1, null, null));
	REFUSES(coil_run_workers_with(null, null, null));
	REFUSES(coil_call_soon_threadsafe(null, null, null));
	REFUSES(coil_run_coroutine_threadsafe(null, give, null, 0));
}
END_TEST

COIL_TEST(of_threads)
{
	REFUSES(coil_to_thread(null, null));
	REFUSES(coil_to_thread_abandonable(null, null, null));
}

Suite *suite(void)
{
	Suite *whole = suite_create("null");
	TCase *tests = tcase_create("null");

	tcase_add_test(tests, of_locks_and_the_like);
	tcase_add_test(tests, of_events_and_futures);
	tcase_add_test(tests, of_queues_and_channels);
	tcase_add_test(tests, of_tasks_and_groups);
	tcase_add_test(tests, of_wait_queues_and_timeouts);
	tcase_add_test(tests, of_files);
	tcase_add_test(tests, of_sockets);
	tcase_add_test(tests, of_streams);
	tcase_add_test(tests, of_servers_processes_and_signals);
	tcase_add_test(tests, of_runs_and_threads);
	tcase_add_test(tests, of_threads);
	suite_add_tcase(whole, tests);
	return whole;
}
