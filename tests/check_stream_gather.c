/* SPDX-License-Identifier: MIT */
/*
 * Small writes to a stream are gathered: how many system calls they take, what sends
 * them, and that nothing of them stays behind.
 */
#include "tests/streams.h"
#include <coil/group.h>
#include <coil/lock.h>
#include <sys/wait.h>

#define MS COIL_MILLISECOND

/* Counts what a stream sends. */
static const struct transport *real;
static int sends;
static int most_parts;

static ssize_t counted_send(struct coil_stream *stream, const struct iovec *parts, int count)
{
	ssize_t n = real->send(stream, parts, count);

	sends += n > 0;
	if (count > most_parts)
		most_parts = count;
	return n;
}

static struct coil_stream *counted_stream(int *peer)
{
	static struct transport counting;
	struct coil_stream *stream = unix_stream(peer);

	real = stream->transport;
	counting = *real;
	counting.send = counted_send;
	stream->transport = &counting;
	sends = most_parts = 0;
	return stream;
}

static void write_ten(struct coil_stream *stream)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(coil_stream_printf(stream, "%d\n", i), 2);
	ck_assert_int_eq(sends, 0);
}

static const char ten[] = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";

/* The peer has all ten now, without anybody's help. */
static void has_ten(int peer)
{
	char bytes[64];

	ck_assert_int_eq(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), sizeof(ten) - 1);
	ck_assert_mem_eq(bytes, ten, sizeof(ten) - 1);
	ck_assert_int_eq(sends, 1);
}

/*
 * What a task may do after it has written; whatever it is the loop then sleeps.
 */

struct writer {
	struct coil_stream *stream;
	struct coil_stream *other;
	struct coil_lock *lock;
	int way;
};

enum { SLEEPS, READS, READS_MUCH, READS_ANOTHER, LOCKS, AWAITS, ENDS, WAYS };

static int forever(void *arg)
{
	(void)arg;
	return coil_sleep(COIL_FOREVER);
}

static int write_and_park(void *arg)
{
	struct writer *writer = arg;
	char bytes[4096];

	write_ten(writer->stream);
	switch (writer->way) {
	case SLEEPS:
		return coil_sleep(COIL_FOREVER);
	case READS:
		return (int)call_read_line(writer->stream);
	case READS_MUCH:
		return (int)coil_stream_read(writer->stream, bytes, sizeof(bytes));
	case READS_ANOTHER:
		return (int)call_read_line(writer->other);
	case LOCKS:
		return coil_lock_acquire(writer->lock);
	case AWAITS:
		return coil_await(start(forever, NULL));
	default:
		return 0;
	}
}

COIL_TEST(small_writes_are_one_send_wherever_the_task_parks)
{
	struct coil_lock lock = {0};

	ck_assert_int_eq(coil_lock_acquire(&lock), 0);
	for (int cork = 0; cork < 2; cork++) {
		for (int way = 0; way < WAYS; way++) {
			int peer, other_peer;
			struct coil_stream *other = unix_stream(&other_peer);
			struct writer writer = { counted_stream(&peer), other, &lock, way };
			struct coil_task *task = start(write_and_park, &writer);

			coil_stream_cork(writer.stream, cork);
			ck_assert_int_eq(coil_sleep(MS), 0);
			ck_assert(coil_done(task) == (way == ENDS));
			has_ten(peer);
			coil_cancel(task);
			coil_await(task);
			done(writer.stream, peer);
			done(other, other_peer);
		}
	}
	coil_lock_release(&lock);
}

static int yields(void *arg)
{
	const bool *over = arg;

	while (!*over)
		coil_yield();
	return 0;
}

COIL_TEST(small_writes_go_out_though_the_loop_never_sleeps)
{
	bool over = false;
	int peer, turns = 0;
	struct coil_stream *stream = counted_stream(&peer);
	struct coil_task *task = start(yields, &over);

	write_ten(stream);
	while (!sends && turns++ < 1000)
		ck_assert_int_eq(coil_yield(), 0);
	has_ten(peer);
	over = true;
	ck_assert_int_eq(coil_await(task), 0);
	done(stream, peer);
}

COIL_TEST(small_writes_are_one_send_by_flush_uncork_shutdown_and_close)
{
	for (int way = 0; way < 8; way++) {
		int peer;
		struct coil_stream *stream = counted_stream(&peer);

		coil_stream_cork(stream, way % 2);
		write_ten(stream);
		if (way / 2 == 0)
			ck_assert_int_eq(coil_stream_flush(stream), 0);
		else if (way / 2 == 1)
			coil_stream_cork(stream, false);
		else if (way / 2 == 2)
			ck_assert_int_eq(coil_stream_shutdown(stream), 0);
		else
			ck_assert_int_eq(coil_stream_close(stream), 0);
		has_ten(peer);
		if (way / 2 < 3)
			ck_assert_int_eq(coil_stream_close(stream), 0);
		close(peer);
	}
}

/* A server that reads lines and answers each, as one writes it without a thought. */
static int answer_lines(void *arg)
{
	struct coil_stream *stream = arg;
	const char *line;
	ssize_t n;

	while ((n = coil_stream_read_line(stream, &line)) > 0)
		n = coil_stream_write(stream, line, (size_t)n);
	return (int)n;
}

COIL_TEST(lines_that_came_together_are_answered_by_one_send)
{
	int peer;
	struct coil_stream *stream = counted_stream(&peer);
	struct coil_task *task = start(answer_lines, stream);

	for (int round = 1; round < 4; round++) {
		for (int i = 0; i < 64; i++)
			give_text(peer, "ask\n");
		ck_assert_uint_eq(drain_until(peer, 256), 256);
		ck_assert_int_eq(sends, round);
	}
	/* And one alone by one, no later than it was. */
	give_text(peer, "ask\n");
	got_text(peer, "ask\n");
	ck_assert_int_eq(sends, 4);
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	ck_assert_int_eq(coil_await(task), 0);
	done(stream, peer);
}

COIL_TEST(what_was_gathered_goes_with_the_large_write_behind_it)
{
	static char bytes[20000];
	struct iovec parts[2] = { { bytes, 9000 }, { bytes + 9000, 9000 } };
	int peer;
	struct coil_stream *stream = counted_stream(&peer);

	memset(bytes, 'l', sizeof(bytes));
	write_ten(stream);
	ck_assert_int_eq(coil_stream_write(stream, bytes, sizeof(bytes)), sizeof(bytes));
	ck_assert_int_eq(sends, 1);
	ck_assert_int_eq(most_parts, 2);
	ck_assert_int_eq(coil_stream_write(stream, "head", 4), 4);
	ck_assert_int_eq(coil_stream_writev(stream, parts, 2), 18000);
	ck_assert_int_eq(sends, 2);
	ck_assert_int_eq(most_parts, 3);
	ck_assert_uint_eq(drain(peer), 20000 + 18000 + 24);
	done(stream, peer);
}

COIL_TEST(many_small_writes_are_sent_by_the_piece_though_the_task_never_parks)
{
	int peer;
	struct coil_stream *stream = counted_stream(&peer);

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(coil_stream_write(stream, stream_much, 100), 100);
	ck_assert_int_ge(sends, 2);
	ck_assert_int_le(sends, 4);
	ck_assert_uint_le(stream->queued, 4096);
	done(stream, peer);
}

COIL_TEST(corked_large_writes_are_gathered_up_to_the_high_water)
{
	int peer;
	struct coil_stream *stream = counted_stream(&peer);

	coil_stream_set_limits(stream, 0, 60000);
	coil_stream_cork(stream, true);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(coil_stream_write(stream, stream_much, 10000), 10000);
	ck_assert_int_eq(sends, 0);
	ck_assert_uint_eq(stream->queued, 60000);
	/* One byte more, and all of it goes. */
	ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
	ck_assert_int_eq(sends, 1);
	ck_assert_uint_eq(drain(peer), 60001);
	done(stream, peer);
}

COIL_TEST(a_read_of_a_corked_stream_that_finds_bytes_sends_nothing)
{
	char much[4096];

	for (int cork = 0; cork < 2; cork++) {
		int peer;
		struct coil_stream *stream = counted_stream(&peer);

		coil_stream_cork(stream, cork);
		give_text(peer, "line\n");
		write_ten(stream);
		next_line(stream, "line\n");
		ck_assert_int_eq(sends, !cork);
		give_text(peer, "line\n");
		ck_assert_int_eq(coil_stream_read(stream, much, sizeof(much)), 5);
		ck_assert_int_eq(sends, !cork);
		coil_stream_cork(stream, false);
		has_ten(peer);
		done(stream, peer);
	}
}

COIL_TEST(an_error_that_a_gathered_write_meets_is_told_by_the_next_call)
{
	for (int way = 0; way < 4; way++) {
		int peer, err;
		struct coil_stream *stream = unix_stream(&peer);

		close(peer);
		ck_assert_int_eq(coil_stream_write(stream, "x", 1), 1);
		if (way < 3)
			ck_assert_int_eq(coil_sleep(MS), 0);
		if (way == 0)
			ck_assert_int_eq(coil_stream_write(stream, "x", 1), -EPIPE);
		if (way == 1)
			ck_assert_int_eq(coil_stream_flush(stream), -EPIPE);
		if (way == 2)
			ck_assert_int_eq(coil_stream_shutdown(stream), -EPIPE);
		err = coil_stream_close(stream);
		ck_assert_int_eq(err, -EPIPE);
	}
}

COIL_TEST(what_was_written_before_a_cancel_is_sent_by_the_close)
{
	int peer;
	struct coil_stream *stream = counted_stream(&peer);

	write_ten(stream);
	COIL_TIMEOUT(0)
		ck_assert_int_eq(coil_stream_close(stream), 0);
	has_ten(peer);
	close(peer);
	stream = counted_stream(&peer);
	coil__stream_hold(stream);
	write_ten(stream);
	ck_assert_int_eq(coil__stream_release(stream, false), 0);
	has_ten(peer);
	close(peer);
}

COIL_TEST(small_writes_to_a_file_and_a_pipe_come_in_order)
{
	FILE *file = tmpfile();
	char text[8] = "";
	int peer;
	struct coil_stream *stream = pipe_stream(&peer, true, 0);

	write_ten(stream);
	got_text(peer, ten);
	done(stream, peer);
	ck_assert_ptr_nonnull(file);
	stream = coil_stream_open(dup(fileno(file)));
	for (int i = 0; i < 3000; i++)
		ck_assert_int_eq(coil_stream_printf(stream, "%06d\n", i), 7);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	rewind(file);
	for (int i = 0; i < 3000; i++) {
		ck_assert_uint_eq(fread(text, 1, 7, file), 7);
		ck_assert_int_eq(strtol(text, NULL, 10), i);
	}
	ck_assert_int_eq(fgetc(file), EOF);
	fclose(file);
}

COIL_TEST(the_child_of_a_fork_sends_nothing_that_its_parent_gathered)
{
	int peer, status;
	struct coil_stream *stream = counted_stream(&peer);
	pid_t pid;

	write_ten(stream);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		coil_stream_cork(stream, false);
		coil_stream_close(stream);
		_exit(sends);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	has_ten(peer);
	done(stream, peer);
}

static int close_it(void *stream)
{
	return coil_stream_close(stream);
}

COIL_TEST(the_child_of_a_fork_closes_in_a_loop_of_its_own_what_its_parent_gathered)
{
	int peer, status;
	struct coil_stream *stream = counted_stream(&peer);
	pid_t pid;

	write_ten(stream);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(coil_run(close_it, stream) != -ECANCELED || sends);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(coil_stream_flush(stream), 0);
	has_ten(peer);
	done(stream, peer);
}

/* The kernel, or the parent's loop, has the bytes: the child may not touch them. */
COIL_TEST(the_child_of_a_fork_does_not_close_what_its_parent_is_sending)
{
	int peer, status;
	struct coil_stream *stream = counted_stream(&peer);
	size_t before = fill(coil_stream_fd(stream), 'f');
	char *bytes = malloc(before + sizeof(ten));
	pid_t pid;

	write_ten(stream);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	ck_assert(stream->sending);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		int err = coil_stream_close(stream);

		if (err == -EPERM)
			err = coil_run(close_it, stream);
		_exit(err != -EPERM || close(coil_stream_fd(stream)) || sends);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	before += sizeof(ten) - 1;
	ck_assert_int_eq(coil_recv_all(peer, bytes, before, 0, NULL), before);
	ck_assert_mem_eq(bytes + before - (sizeof(ten) - 1), ten, sizeof(ten) - 1);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	ck_assert_int_eq(coil_recv(peer, bytes, 1, 0), 0);
	close(peer);
	free(bytes);
}

static struct coil_stream *left;
static int left_peer;

static int leave_written(void *arg)
{
	(void)arg;
	left = counted_stream(&left_peer);
	write_ten(left);
	return 0;
}

START_TEST(what_the_last_task_wrote_is_sent_though_nobody_closed)
{
	support_run(leave_written);
	has_ten(left_peer);
	ck_assert_int_eq(coil_stream_close(left), 0);
	close(left_peer);
}
END_TEST

static int leave_full(void *arg)
{
	(void)arg;
	left = counted_stream(&left_peer);
	fill(coil_stream_fd(left), 'f');
	write_ten(left);
	return 0;
}

START_TEST(what_the_last_task_wrote_to_a_full_socket_does_not_keep_the_run)
{
	support_run(leave_full);
	ck_assert_int_eq(coil_stream_close(left), -ECANCELED);
	close(left_peer);
}
END_TEST

Suite *suite(void)
{
	Suite *stream = suite_create("stream_gather");
	TCase *tests = tcase_create("stream_gather");

	tcase_add_test(tests, small_writes_are_one_send_wherever_the_task_parks);
	tcase_add_test(tests, small_writes_go_out_though_the_loop_never_sleeps);
	tcase_add_test(tests, small_writes_are_one_send_by_flush_uncork_shutdown_and_close);
	tcase_add_test(tests, lines_that_came_together_are_answered_by_one_send);
	tcase_add_test(tests, what_was_gathered_goes_with_the_large_write_behind_it);
	tcase_add_test(tests, many_small_writes_are_sent_by_the_piece_though_the_task_never_parks);
	tcase_add_test(tests, corked_large_writes_are_gathered_up_to_the_high_water);
	tcase_add_test(tests, a_read_of_a_corked_stream_that_finds_bytes_sends_nothing);
	tcase_add_test(tests, an_error_that_a_gathered_write_meets_is_told_by_the_next_call);
	tcase_add_test(tests, what_was_written_before_a_cancel_is_sent_by_the_close);
	tcase_add_test(tests, small_writes_to_a_file_and_a_pipe_come_in_order);
	tcase_add_test(tests, the_child_of_a_fork_sends_nothing_that_its_parent_gathered);
	tcase_add_test(tests,
		       the_child_of_a_fork_closes_in_a_loop_of_its_own_what_its_parent_gathered);
	tcase_add_test(tests, the_child_of_a_fork_does_not_close_what_its_parent_is_sending);
	tcase_add_test(tests, what_the_last_task_wrote_is_sent_though_nobody_closed);
	tcase_add_test(tests, what_the_last_task_wrote_to_a_full_socket_does_not_keep_the_run);
	suite_add_tcase(stream, tests);
	return stream;
}
