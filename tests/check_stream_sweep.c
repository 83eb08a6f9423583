/* SPDX-License-Identifier: MIT */
/*
 * Streams under a cancel at every park (see sweep.h) and without memory at every
 * allocation: no byte is lost, doubled or out of order, and the stream goes on.
 */
#include "tests/streams.h"
#include "tests/sweep.h"

static struct {
	struct coil_stream *stream;
	int peer;
	size_t given;		/* bytes that the one end put in */
	size_t got;		/* and the other took out, each the right one */
	int kind;
	int helped;
} own;

enum { TOTAL = 300, LINE = 30, READ_KINDS = 8 };

/* What lies at that place: lines of so many bytes. */
static char at(size_t i)
{
	return i % LINE == LINE - 1 ? '\n' : (char)('a' + i % 23);
}

static void expect(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(bytes[i], at(own.got + i));
	own.got += n;
}

static void begin_over(bool pipe, bool writes)
{
	int kind = own.kind;

	memset(&own, 0, sizeof(own));
	own.kind = kind;
	own.stream = pipe ? pipe_stream(&own.peer, writes, 0) : unix_stream(&own.peer);
	coil_stream_set_limits(own.stream, 100, 64);
}

static void begin_socket(void)
{
	begin_over(false, false);
}

static void begin_read_pipe(void)
{
	begin_over(true, false);
}

/* Pieces that are no lines, and now and then nothing. */
static void give_piece(void)
{
	char bytes[64];
	size_t len = own.helped++ % 3 ? 7 : 41;

	if (own.helped % 5 == 0)
		return;
	if (len > TOTAL - own.given)
		len = TOTAL - own.given;
	for (size_t i = 0; i < len; i++)
		bytes[i] = at(own.given + i);
	if (len)
		ck_assert_int_eq(write(own.peer, bytes, len), (ssize_t)len);
	own.given += len;
}

static ssize_t read_once(void)
{
	const char *data;
	char bytes[2000], *line;
	size_t len;
	ssize_t n;

	switch (own.kind) {
	case 0:
		n = coil_stream_read_line(own.stream, &data);
		break;
	case 1:
		n = coil_stream_read_until(own.stream, "abc", 3, &data);
		break;
	case 2:
		n = coil_stream_read_exactly(own.stream, bytes, 25);
		data = bytes;
		break;
	case 3:
		n = coil_stream_read(own.stream, bytes, sizeof(bytes));
		data = bytes;
		break;
	case 4:
		n = coil_stream_read(own.stream, bytes, 10);
		data = bytes;
		break;
	case 5:
		n = coil_stream_next_line(own.stream, &line, &len);
		if (n <= 0)
			return n;
		expect(line, len);
		/* Its end was stripped, but for the last line's. */
		own.got += own.got % LINE == LINE - 1;
		return 1;
	case 6:
		n = coil_stream_peek(own.stream, 25, &data);
		ck_assert(n != 0 || own.got == TOTAL);
		if (n > 0)
			n = coil_stream_read(own.stream, bytes, (size_t)n < 25 ? (size_t)n : 25);
		data = bytes;
		break;
	default:
		n = coil_stream_skip(own.stream, 20);
		if (n > 0)
			own.got += (size_t)n;
		return n;
	}
	if (n > 0)
		expect(data, (size_t)n);
	return n;
}

static int read_lines(void *arg)
{
	ssize_t n = 1;

	(void)arg;
	while (n > 0 && own.got < TOTAL / 2)
		n = read_once();
	return n < 0 ? (int)n : 0;
}

/* What the task did not read can be read yet, and is what it should be. */
static void end_reading(int result)
{
	char bytes[2000];
	ssize_t n;

	ok_or_cancelled(result);
	while (own.given < TOTAL)
		give_piece();
	close(own.peer);
	while ((n = coil_stream_read(own.stream, bytes, sizeof(bytes))) > 0)
		expect(bytes, (size_t)n);
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(own.got, TOTAL);
	ck_assert_int_eq(coil_stream_close(own.stream), 0);
}

COIL_TEST(a_reader_cancelled_anywhere_loses_no_byte)
{
	static const struct sweep scenario = {
		begin_socket, read_lines, give_piece, end_reading,
	};

	for (own.kind = 0; own.kind < READ_KINDS; own.kind++)
		sweep(&scenario);
}

COIL_TEST(a_reader_of_a_pipe_cancelled_anywhere_loses_no_byte)
{
	static const struct sweep scenario = {
		begin_read_pipe, read_lines, give_piece, end_reading,
	};

	for (own.kind = 0; own.kind < READ_KINDS; own.kind++)
		sweep(&scenario);
}

/*
 * Writing.  The socket is full, so that all that is written is queued.
 */

static size_t filling;

static void begin_writing(void)
{
	begin_over(false, true);
	filling = fill(coil_stream_fd(own.stream), 'f');
}

static void begin_writing_pipe(void)
{
	begin_over(true, true);
	filling = 0;
	set_nonblocking(coil_stream_fd(own.stream), true);
	while (write(coil_stream_fd(own.stream), "f", 1) == 1)
		filling++;
	set_nonblocking(coil_stream_fd(own.stream), false);
}

static void take_bytes(const char *bytes, size_t n)
{
	size_t skip = n < filling ? n : filling;

	filling -= skip;
	expect(bytes + skip, n - skip);
}

static bool take_piece(size_t most)
{
	static char bytes[1 << 20];
	ssize_t n = read(own.peer, bytes, most);

	if (n > 0)
		take_bytes(bytes, (size_t)n);
	return n > 0;
}

static void take_some(void)
{
	if (own.helped++ % 3)
		take_piece(filling ? 1 << 20 : 50);
}

/* Whole and at once; in one call; in parts; corked. */
enum { LINES, ALL, PARTS, CORKED, WRITE_KINDS };

static ssize_t write_once(char *bytes, size_t len)
{
	struct iovec parts[] = {
		{ bytes, len / 3 }, { NULL, 0 }, { bytes + len / 3, len - len / 3 },
	};

	if (own.kind == PARTS)
		return coil_stream_writev(own.stream, parts, 3);
	coil_stream_cork(own.stream, own.kind == CORKED && own.given % 2 == 0);
	return coil_stream_write(own.stream, bytes, len);
}

static int write_lines(void *arg)
{
	char bytes[TOTAL];
	ssize_t n = 1;

	(void)arg;
	while (n > 0 && own.given < TOTAL) {
		size_t len = own.kind == ALL ? TOTAL - own.given : 29;

		if (len > TOTAL - own.given)
			len = TOTAL - own.given;
		for (size_t i = 0; i < len; i++)
			bytes[i] = at(own.given + i);
		n = write_once(bytes, len);
		if (n > 0)
			own.given += (size_t)n;
		if (n > 0 && own.kind != ALL)
			ck_assert_uint_eq((size_t)n, len);
		memset(bytes, 0, sizeof(bytes));
	}
	return n < 0 ? (int)n : 0;
}

/* All that was taken arrives, and nothing else. */
static void end_writing(int result)
{
	struct coil_task *task;
	struct stream_call call = { .fn = call_flush, .stream = own.stream };

	ok_or_cancelled(result);
	task = start(call_stream, &call);
	do
		ck_assert_int_eq(coil_yield(), 0);
	while (take_piece(1 << 20) || !coil_done(task));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(call.result, 0);
	ck_assert_int_eq(coil_stream_close(own.stream), 0);
	while (take_piece(1 << 20))
		;
	ck_assert_uint_eq(own.got, own.given);
	close(own.peer);
}

COIL_TEST(a_writer_cancelled_anywhere_loses_and_doubles_no_byte)
{
	static const struct sweep scenario = {
		begin_writing, write_lines, take_some, end_writing,
	};

	for (own.kind = 0; own.kind < WRITE_KINDS; own.kind++)
		sweep(&scenario);
}

COIL_TEST(a_writer_to_a_pipe_cancelled_anywhere_loses_and_doubles_no_byte)
{
	static const struct sweep scenario = {
		begin_writing_pipe, write_lines, take_some, end_writing,
	};

	for (own.kind = 0; own.kind < WRITE_KINDS; own.kind++)
		sweep(&scenario);
}

/*
 * Three writers, each of more than the high water.  The one in the middle is under
 * test: whatever becomes of it, the others' writes are whole and in order.
 */

enum { CROWD_PIECE = 100 };

static struct {
	struct coil_task *first;
	struct coil_task *last;
	size_t middle;		/* so much the one under test wrote */
	char got[4 * CROWD_PIECE];
	size_t len;
} crowd;

static int write_piece(void *arg)
{
	char bytes[CROWD_PIECE];
	ssize_t n;

	memset(bytes, *(const char *)arg, sizeof(bytes));
	n = coil_stream_write(own.stream, bytes, sizeof(bytes));
	if (n > 0 && *(const char *)arg == 'm')
		crowd.middle = (size_t)n;
	return n < 0 ? (int)n : 0;
}

static void begin_crowd(void)
{
	begin_writing();
	memset(&crowd, 0, sizeof(crowd));
	crowd.first = start(write_piece, "f");
}

static int write_in_crowd(void *arg)
{
	(void)arg;
	crowd.last = start(write_piece, "l");
	return write_piece("m");
}

static bool take_from_crowd(void)
{
	static char bytes[1 << 20];
	ssize_t n = read(own.peer, bytes, filling ? sizeof(bytes) : 50);
	size_t skip;

	if (n <= 0)
		return false;
	skip = (size_t)n < filling ? (size_t)n : filling;
	filling -= skip;
	ck_assert_uint_le(crowd.len + (size_t)n - skip, sizeof(crowd.got));
	memcpy(crowd.got + crowd.len, bytes + skip, (size_t)n - skip);
	crowd.len += (size_t)n - skip;
	return true;
}

static void help_crowd(void)
{
	if (own.helped++ % 3)
		take_from_crowd();
}

static void end_crowd(int result)
{
	ok_or_cancelled(result);
	while (take_from_crowd() || !coil_done(crowd.first) || !coil_done(crowd.last))
		ck_assert_int_eq(coil_yield(), 0);
	ck_assert_int_eq(coil_await(crowd.first), 0);
	ck_assert_int_eq(coil_await(crowd.last), 0);
	ck_assert_int_eq(coil_stream_close(own.stream), 0);
	while (take_from_crowd())
		;
	ck_assert_uint_eq(crowd.len, 2 * CROWD_PIECE + crowd.middle);
	for (size_t i = 0; i < crowd.len; i++)
		ck_assert_int_eq(crowd.got[i], i < CROWD_PIECE ? 'f' :
					       i < CROWD_PIECE + crowd.middle ? 'm' : 'l');
	close(own.peer);
}

COIL_TEST(a_writer_in_line_cancelled_anywhere_loses_nothing_of_the_others)
{
	static const struct sweep scenario = {
		begin_crowd, write_in_crowd, help_crowd, end_crowd,
	};

	sweep(&scenario);
}

static void begin_queued(void)
{
	char bytes[60];

	begin_writing();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = at(i);
	own.given = sizeof(bytes);
	ck_assert_int_eq(coil_stream_write(own.stream, bytes, sizeof(bytes)), sizeof(bytes));
}

static int flush_and_shut(void *arg)
{
	int err = coil_stream_flush(own.stream);

	(void)arg;
	return err ? err : coil_stream_shutdown(own.stream);
}

COIL_TEST(a_flush_and_a_shutdown_cancelled_anywhere_lose_nothing)
{
	static const struct sweep scenario = {
		begin_queued, flush_and_shut, take_some, end_writing,
	};

	sweep(&scenario);
}

static int close_it(void *arg)
{
	(void)arg;
	return coil_stream_close(own.stream);
}

/* A prefix of it arrives, all if it was not cancelled, and then the end. */
static void end_closing(int result)
{
	ok_or_cancelled(result);
	while (take_piece(1 << 20))
		;
	ck_assert_uint_le(own.got, own.given);
	if (!result)
		ck_assert_uint_eq(own.got, own.given);
	else
		ck_assert_uint_lt(own.got, own.given);
	ck_assert_int_eq(read(own.peer, stream_bytes, 1), 0);
	close(own.peer);
}

COIL_TEST(a_close_cancelled_anywhere_leaves_nothing_and_says_what_is_lost)
{
	static const struct sweep scenario = {
		begin_queued, close_it, take_some, end_closing,
	};

	sweep(&scenario);
}

/*
 * Memory.
 */

/* Again as long as it says -ENOMEM: each time a failure further on. */
static ssize_t insist(ssize_t (*call)(void))
{
	ssize_t n;
	int tries = 0;

	while ((n = call()) == -ENOMEM)
		ck_assert_int_lt(tries++, 3);
	return n;
}

static bool read_without(unsigned long nth)
{
	bool failed;

	begin_over(false, false);
	while (own.given < TOTAL)
		give_piece();
	ck_assert_int_eq(shutdown(own.peer, SHUT_WR), 0);
	support_fail_allocation(nth);
	while (insist(read_once) > 0)
		;
	failed = support_allocation_failed();
	support_fail_allocation(0);
	end_reading(0);
	return failed;
}

COIL_TEST(without_memory_a_read_loses_nothing_and_can_be_repeated)
{
	for (own.kind = 0; own.kind < READ_KINDS; own.kind++) {
		unsigned long nth = 1;

		while (read_without(nth))
			nth++;
	}
}

/* More than a chunk, which the loop may have at hand. */
static char message[5000];

static ssize_t write_message(void)
{
	return coil_stream_write(own.stream, message, sizeof(message));
}

static ssize_t print_message(void)
{
	return coil_stream_printf(own.stream, "%.*s", (int)sizeof(message), message);
}

static bool write_without(unsigned long nth, bool print)
{
	bool failed;
	ssize_t n;

	begin_writing();
	coil_stream_set_limits(own.stream, 0, 0);
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = at(i);
	support_fail_allocation(nth);
	n = insist(print ? print_message : write_message);
	failed = support_allocation_failed();
	support_fail_allocation(0);
	ck_assert_int_eq(n, sizeof(message));
	own.given = (size_t)n;
	end_writing(0);
	return failed;
}

COIL_TEST(without_memory_a_write_takes_nothing_and_can_be_repeated)
{
	for (int print = 0; print < 2; print++) {
		unsigned long nth = 1;

		while (write_without(nth, print))
			nth++;
		ck_assert_uint_gt(nth, 1);
	}
}

Suite *suite(void)
{
	Suite *stream = suite_create("stream_sweep");
	TCase *tests = tcase_create("stream_sweep");

	tcase_add_test(tests, a_reader_cancelled_anywhere_loses_no_byte);
	tcase_add_test(tests, a_reader_of_a_pipe_cancelled_anywhere_loses_no_byte);
	tcase_add_test(tests, a_writer_cancelled_anywhere_loses_and_doubles_no_byte);
	tcase_add_test(tests, a_writer_to_a_pipe_cancelled_anywhere_loses_and_doubles_no_byte);
	tcase_add_test(tests, a_writer_in_line_cancelled_anywhere_loses_nothing_of_the_others);
	tcase_add_test(tests, a_flush_and_a_shutdown_cancelled_anywhere_lose_nothing);
	tcase_add_test(tests, a_close_cancelled_anywhere_leaves_nothing_and_says_what_is_lost);
	tcase_add_test(tests, without_memory_a_read_loses_nothing_and_can_be_repeated);
	tcase_add_test(tests, without_memory_a_write_takes_nothing_and_can_be_repeated);
	suite_add_tcase(stream, tests);
	return stream;
}
