/* SPDX-License-Identifier: MIT */
/*
 * A call that never has to wait must not starve the others: a task that makes it
 * again and again lets its loop look for I/O now and then.  Each test repeats one
 * call until a byte that lies in a pipe has reached another task.
 */
#include "tests/tasks.h"
#include <coil/barrier.h>
#include <coil/channel.h>
#include <coil/condition.h>
#include <coil/event.h>
#include <coil/file.h>
#include <coil/group.h>
#include <coil/lock.h>
#include <coil/queue.h>
#include <coil/rwlock.h>
#include <coil/select.h>
#include <coil/semaphore.h>
#include <coil/socket.h>
#include <coil/stream.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/mman.h>

/*
 * TIMES is about forty times the calls that a loop makes between two looks at the
 * kernel.  CALLS is a hundred passes of the cheapest: while tasks are ready the epoll
 * backend leaves out looks.
 */
enum { TIMES = 10000, CALLS = 400000 };

struct listener {
	int fds[2];
	bool heard;
};

static int listen_to(void *arg)
{
	struct listener *own = arg;
	char byte;

	ck_assert_int_eq(coil_read(own->fds[0], &byte, 1), 1);
	own->heard = true;
	return 0;
}

static void lets_others_run(int (*call)(void *arg), void *arg)
{
	struct listener listener = {0};
	struct coil_task *task;

	ck_assert_int_eq(pipe(listener.fds), 0);
	task = start(listen_to, &listener);
	settle();
	ck_assert_int_eq(write(listener.fds[1], "x", 1), 1);
	for (int i = 0; i < CALLS && !listener.heard; i++)
		ck_assert_int_ge(call(arg), 0);
	ck_assert_msg(listener.heard, "the loop did not look around");
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_close(listener.fds[0]), 0);
	close(listener.fds[1]);
}

static int get(void *queue)
{
	int item;

	return coil_queue_get(queue, &item);
}

static int put(void *queue)
{
	int item = 1;

	return coil_queue_put(queue, &item);
}

static int turn_over(void *queue)
{
	int err = 0;

	for (int i = 0; i < 8 && !err; i++) {
		err = put(queue);
		if (!err)
			err = get(queue);
	}
	return err;
}

static void fill(struct coil_queue *queue)
{
	for (int i = 0; i < TIMES; i++)
		ck_assert_int_eq(coil_queue_put_nowait(queue, &i), 0);
}

COIL_TEST(a_queue_that_is_never_empty)
{
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(int), 0), 0);
	fill(&queue);
	lets_others_run(get, &queue);
	coil_queue_fini(&queue);
}

COIL_TEST(a_queue_that_is_never_full)
{
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(int), 0), 0);
	lets_others_run(put, &queue);
	coil_queue_fini(&queue);
}

COIL_TEST(a_queue_that_is_filled_and_emptied_by_one_task)
{
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(int), 3), 0);
	lets_others_run(turn_over, &queue);
	coil_queue_fini(&queue);
	ck_assert_int_eq(coil_queue_init_lifo(&queue, sizeof(int), 3), 0);
	lets_others_run(turn_over, &queue);
	coil_queue_fini(&queue);
}

static int join(void *queue)
{
	return coil_queue_join(queue);
}

COIL_TEST(a_queue_whose_work_is_done)
{
	struct coil_queue queue;

	ck_assert_int_eq(coil_queue_init(&queue, sizeof(int), 3), 0);
	lets_others_run(join, &queue);
	coil_queue_fini(&queue);
}

static int receive_item(void *channel)
{
	int item = 1, err = coil_channel_try_send(channel, &item);

	return err ? err : coil_channel_recv(channel, &item);
}

static int send_item(void *channel)
{
	int item = 1, err = coil_channel_send(channel, &item);

	return err ? err : coil_channel_try_recv(channel, &item);
}

COIL_TEST(a_channel_that_is_never_empty)
{
	struct coil_channel channel;

	ck_assert_int_eq(coil_channel_init(&channel, sizeof(int), 4), 0);
	lets_others_run(receive_item, &channel);
	coil_channel_fini(&channel);
}

COIL_TEST(a_channel_that_is_never_full)
{
	struct coil_channel channel;

	ck_assert_int_eq(coil_channel_init(&channel, sizeof(int), 4), 0);
	lets_others_run(send_item, &channel);
	coil_channel_fini(&channel);
}

static int select_event(void *event)
{
	struct coil_case one = COIL_SELECT_EVENT(event);

	return coil_select(&one, 1, COIL_FOREVER);
}

static int wait_for_event(void *event)
{
	return coil_event_wait(event);
}

COIL_TEST(an_event_that_is_set)
{
	struct coil_event event = {0};

	ck_assert_int_eq(coil_event_set(&event), 0);
	lets_others_run(wait_for_event, &event);
}

COIL_TEST(a_shared_event_that_is_set)
{
	struct coil_event event = {0};

	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_event_set(&event), 0);
	lets_others_run(wait_for_event, &event);
	ck_assert_int_eq(coil_event_close(&event), 0);
}

COIL_TEST(a_select_of_what_is_ready)
{
	struct coil_event event = {0};

	ck_assert_int_eq(coil_event_set(&event), 0);
	lets_others_run(select_event, &event);
}

static int take_permit(void *semaphore)
{
	int err = coil_semaphore_acquire(semaphore);

	return err ? err : coil_semaphore_release(semaphore);
}

COIL_TEST(a_semaphore_with_permits)
{
	struct coil_semaphore semaphore = COIL_SEMAPHORE(1);

	lets_others_run(take_permit, &semaphore);
}

static int lock_and_release(void *lock)
{
	int err = coil_lock_acquire(lock);

	return err ? err : coil_lock_release(lock);
}

COIL_TEST(a_lock_that_is_free)
{
	struct coil_lock lock = {0};

	lets_others_run(lock_and_release, &lock);
}

static int read_and_release(void *lock)
{
	int err = coil_rwlock_read(lock);

	return err ? err : coil_rwlock_release(lock);
}

static int write_and_release(void *lock)
{
	int err = coil_rwlock_write(lock);

	return err ? err : coil_rwlock_release(lock);
}

COIL_TEST(a_rwlock_that_is_free)
{
	struct coil_rwlock lock = {0};

	lets_others_run(read_and_release, &lock);
	lets_others_run(write_and_release, &lock);
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

struct guarded {
	struct coil_condition condition;
	struct coil_lock lock;
};

static int wait_for_what_is_so(void *arg)
{
	struct guarded *guarded = arg;

	return coil_condition_wait_until(&guarded->condition, &guarded->lock, always, NULL);
}

COIL_TEST(a_condition_that_holds)
{
	struct guarded guarded = {0};

	ck_assert_int_eq(coil_lock_acquire(&guarded.lock), 0);
	lets_others_run(wait_for_what_is_so, &guarded);
	ck_assert_int_eq(coil_lock_release(&guarded.lock), 0);
}

static int meet(void *barrier)
{
	return coil_barrier_wait(barrier);
}

COIL_TEST(a_barrier_for_one)
{
	struct coil_barrier barrier = COIL_BARRIER(1);

	lets_others_run(meet, &barrier);
}

static int look_at_future(void *future)
{
	return coil_future_wait(future);
}

COIL_TEST(a_future_that_is_set)
{
	struct coil_future future = {0};

	ck_assert_int_eq(coil_future_set(&future, 3), 0);
	lets_others_run(look_at_future, &future);
}

static int wait_for_done(void *arg)
{
	return coil_wait(arg, 1, COIL_ALL_COMPLETED, COIL_FOREVER);
}

static int iterate(void *arg)
{
	size_t done = 0;

	return coil_as_completed(arg, 1, &done);
}

COIL_TEST(a_task_that_has_ended)
{
	struct coil_task *task = start(give, NULL);

	settle();
	lets_others_run(wait_for_done, &task);
	lets_others_run(iterate, &task);
	ck_assert_int_eq(coil_await(task), 0);
}

struct ended {
	struct coil_task *tasks[TIMES];
	int next;
};

static int await_next(void *arg)
{
	struct ended *ended = arg;

	return coil_await(ended->tasks[ended->next++]);
}

static int gather_next(void *arg)
{
	struct ended *ended = arg;

	return coil_gather(&ended->tasks[ended->next++], 1, NULL);
}

static void consume_ended(int (*call)(void *arg))
{
	static struct ended ended;

	ended.next = 0;
	for (int i = 0; i < TIMES; i++)
		ended.tasks[i] = start(give, NULL);
	settle();
	while (!coil_done(ended.tasks[TIMES - 1]))
		settle();
	lets_others_run(call, &ended);
	while (ended.next < TIMES)
		ck_assert_int_eq(await_next(&ended), 0);
}

COIL_TEST(tasks_that_have_ended)
{
	consume_ended(await_next);
	consume_ended(gather_next);
}

static int leave_empty_group(void *arg)
{
	return coil_group_wait(arg);
}

COIL_TEST(a_group_without_children)
{
	struct coil_group group = {0};

	lets_others_run(leave_empty_group, &group);
}

static int poll_one(void *arg)
{
	struct pollfd fd = { .fd = *(int *)arg, .events = POLLOUT };

	return coil_poll(&fd, 1);
}

COIL_TEST(a_poll_of_what_is_ready)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	lets_others_run(poll_one, &fds[1]);
	close(fds[0]);
	close(fds[1]);
}

static int read_file(void *arg)
{
	char byte;

	return (int)coil_pread(*(int *)arg, &byte, 1, 0);
}

COIL_TEST(a_file_in_the_page_cache)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, "x", 1), 1);
	lets_others_run(read_file, &fd);
	close(fd);
}

static int receive_batch(void *arg)
{
	int *fds = arg;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	ck_assert_int_eq(send(fds[1], "x", 1, 0), 1);
	return coil_recvmmsg(fds[0], &msg, 1, 0);
}

static int send_batch(void *arg)
{
	int *fds = arg;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	int sent = coil_sendmmsg(fds[1], &msg, 1, 0);

	ck_assert_int_eq(recv(fds[0], &byte, 1, 0), 1);
	return sent;
}

COIL_TEST(batches_of_datagrams)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	lets_others_run(receive_batch, fds);
	lets_others_run(send_batch, fds);
	close(fds[0]);
	close(fds[1]);
}

static int read_byte(void *stream)
{
	char byte;

	return (int)coil_stream_read(stream, &byte, 1);
}

static int read_exactly(void *stream)
{
	char byte;

	return (int)coil_stream_read_exactly(stream, &byte, 1);
}

static int peer;

/* There are always lines: a receive, which the budget knows, brings thousands. */
static void refill(void)
{
	static char lines[16 * 1024];
	static unsigned calls;

	if (++calls % sizeof(lines))
		return;
	memset(lines, '\n', sizeof(lines));
	ck_assert_int_eq(write(peer, lines, sizeof(lines)), sizeof(lines));
}

static int read_line(void *stream)
{
	const char *line;

	refill();
	return (int)coil_stream_read_line(stream, &line);
}

static int read_until(void *stream)
{
	const char *data;

	refill();
	return (int)coil_stream_read_until(stream, "\n", 1, &data);
}

static int skip(void *stream)
{
	return (int)coil_stream_skip(stream, 1);
}

/* What one receive takes in is more than so many calls take out. */
static void read_buffered(int (*call)(void *arg))
{
	static char lines[16 * 1024];
	struct coil_stream *stream;
	int fds[2];

	memset(lines, '\n', sizeof(lines));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	stream = coil_stream_open(fds[0]);
	ck_assert_ptr_nonnull(stream);
	peer = fds[1];
	ck_assert_int_eq(write(peer, lines, sizeof(lines)), sizeof(lines));
	ck_assert_int_eq(call(stream), 1);
	lets_others_run(call, stream);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	close(fds[1]);
}

COIL_TEST(a_stream_with_a_full_buffer)
{
	read_buffered(read_byte);
	read_buffered(read_exactly);
	read_buffered(read_line);
	read_buffered(read_until);
	read_buffered(skip);
}

Suite *suite(void)
{
	Suite *whole = suite_create("budget");
	TCase *tests = tcase_create("budget");

	tcase_add_test(tests, a_queue_that_is_never_empty);
	tcase_add_test(tests, a_queue_that_is_never_full);
	tcase_add_test(tests, a_queue_that_is_filled_and_emptied_by_one_task);
	tcase_add_test(tests, a_queue_whose_work_is_done);
	tcase_add_test(tests, a_channel_that_is_never_empty);
	tcase_add_test(tests, a_channel_that_is_never_full);
	tcase_add_test(tests, an_event_that_is_set);
	tcase_add_test(tests, a_shared_event_that_is_set);
	tcase_add_test(tests, a_select_of_what_is_ready);
	tcase_add_test(tests, a_semaphore_with_permits);
	tcase_add_test(tests, a_lock_that_is_free);
	tcase_add_test(tests, a_rwlock_that_is_free);
	tcase_add_test(tests, a_condition_that_holds);
	tcase_add_test(tests, a_barrier_for_one);
	tcase_add_test(tests, a_future_that_is_set);
	tcase_add_test(tests, a_task_that_has_ended);
	tcase_add_test(tests, tasks_that_have_ended);
	tcase_add_test(tests, a_group_without_children);
	tcase_add_test(tests, a_poll_of_what_is_ready);
	tcase_add_test(tests, a_file_in_the_page_cache);
	tcase_add_test(tests, batches_of_datagrams);
	tcase_add_test(tests, a_stream_with_a_full_buffer);
	suite_add_tcase(whole, tests);
	return whole;
}
