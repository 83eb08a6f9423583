/* SPDX-License-Identifier: MIT */
/*
 * A stream against a model of one.  The input is a script: what the peer sends, in
 * what pieces, and what is read, written and cancelled in between.  Of each call the
 * model knows the result beforehand.
 */
#include <coil.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENT_MAX = 1 << 17 };

static struct {
	const uint8_t *at;
	const uint8_t *end;
	struct coil_stream *stream;
	int peer;
	bool pipe;
	bool closed;		/* the peer will send no more */
	size_t limit;
	char sent[SENT_MAX];	/* by the peer */
	size_t sent_count;
	size_t taken;		/* by the stream's reader */
	size_t written;		/* what the stream took, */
	size_t arrived;		/* and what came of it */
} own;

#define REQUIRE(truth)							\
	do {								\
		if (!(truth)) {						\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
			abort();					\
		}							\
	} while (0)

static unsigned next(void)
{
	return own.at < own.end ? *own.at++ : 0;
}

/* Small as a rule, and sometimes more than a buffer. */
static size_t next_size(void)
{
	unsigned n = next();

	return n < 200 ? n : (n - 199) * 733;
}

/* What is written, by its place. */
static char pattern(size_t i)
{
	return (char)(i * 31 + i / 255);
}

struct read {
	int kind;
	size_t len;
	char sep[4];
	size_t sep_len;
	ssize_t result;
	char *bytes;
};

static void copy(struct read *read, const char *view)
{
	if (read->result <= 0)
		return;
	read->bytes = malloc((size_t)read->result);
	REQUIRE(read->bytes);
	memcpy(read->bytes, view, (size_t)read->result);
}

static int do_read(void *arg)
{
	struct read *read = arg;
	const char *view = NULL;
	char *bytes = NULL, *line = NULL;

	if (read->kind < 2) {
		bytes = malloc(read->len + 1);
		REQUIRE(bytes);
		view = bytes;
	}
	switch (read->kind) {
	case 0:
		read->result = coil_stream_read(own.stream, bytes, read->len);
		break;
	case 1:
		read->result = coil_stream_read_exactly(own.stream, bytes, read->len);
		break;
	case 2:
		read->result = coil_stream_read_line(own.stream, &view);
		break;
	case 3:
		read->result = coil_stream_read_until(own.stream, read->sep, read->sep_len, &view);
		break;
	case 5:
		read->result = coil_stream_peek(own.stream, read->len, &view);
		break;
	case 6:
		read->result = coil_stream_next_line(own.stream, &line, &read->len);
		if (read->result <= 0)
			return 0;
		/* With the end that it had. */
		read->result = (ssize_t)read->len;
		REQUIRE(!line[read->len]);
		read->result += own.taken + read->len < own.sent_count;
		line[read->len] = '\n';
		view = line;
		break;
	default:
		read->result = coil_stream_skip(own.stream, read->len);
		return 0;
	}
	copy(read, view);
	free(bytes);
	return 0;
}

static ssize_t expect_until(const struct read *read)
{
	size_t left = own.sent_count - own.taken, at;
	const char *from = own.sent + own.taken;
	const char *found = memmem(from, left, read->sep, read->sep_len);

	if (found) {
		at = (size_t)(found - from);
		return at > own.limit ? -EMSGSIZE : (ssize_t)(at + read->sep_len);
	}
	if (left >= read->sep_len && left - read->sep_len + 1 > own.limit)
		return -EMSGSIZE;
	if (!own.closed)
		return -ECANCELED;
	if (!left || read->kind == 2 || read->kind == 6)
		return (ssize_t)left;
	return -ENODATA;
}

/* Of a read with a length: the most that it may return. */
static ssize_t expect(const struct read *read)
{
	size_t left = own.sent_count - own.taken;

	if (read->kind == 2 || read->kind == 3 || read->kind == 6)
		return expect_until(read);
	if (read->kind == 5 && read->len > own.limit)
		return -EMSGSIZE;
	if (read->kind == 5 && left < read->len && !own.closed)
		return -ECANCELED;
	if (read->kind == 5)
		return left < read->len ? (ssize_t)left : (ssize_t)read->len;
	if (!read->len || left >= read->len)
		return (ssize_t)read->len;
	if (read->kind == 1)
		return own.closed ? -ENODATA : -ECANCELED;
	return left || own.closed ? (ssize_t)left : -ECANCELED;
}

/* Lets it run until it is parked, or done; then it is cancelled. */
static void finish(struct coil_task *task)
{
	REQUIRE(task);
	for (int i = 0; i < 20 && !coil_done(task); i++)
		REQUIRE(!coil_yield());
	coil_cancel(task);
	REQUIRE(!coil_await(task));
}

static void read_some(int kind)
{
	struct read read = { .kind = kind, .len = next_size(), .sep = "\n", .sep_len = 1 };
	ssize_t expected;

	if (kind == 3) {
		read.sep_len = next() % 4 + 1;
		for (size_t i = 0; i < read.sep_len; i++)
			read.sep[i] = "ab;\n"[next() % 4];
	}
	expected = expect(&read);
	finish(coil_create_task(do_read, &read));
	/* One that reads what there is may have got it in two pieces. */
	if (kind == 0 && expected > 0)
		REQUIRE(read.result > 0 && read.result <= expected);
	else if (kind == 5 && expected >= 0)
		REQUIRE(read.result >= expected &&
			read.result <= (ssize_t)(own.sent_count - own.taken));
	else
		REQUIRE(read.result == expected);
	if (read.result > 0) {
		if (kind != 4)
			REQUIRE(!memcmp(read.bytes, own.sent + own.taken, (size_t)read.result));
		if (kind != 5)
			own.taken += (size_t)read.result;
	}
	REQUIRE(coil_stream_buffered(own.stream) <= own.sent_count - own.taken);
	free(read.bytes);
	REQUIRE(coil_stream_at_eof(own.stream) <= (own.closed && own.taken == own.sent_count));
}

static void send_some(void)
{
	size_t len = next_size();
	char *bytes = own.sent + own.sent_count;
	ssize_t n;

	if (own.closed || len > SENT_MAX - own.sent_count)
		return;
	for (size_t i = 0; i < len; i++)
		bytes[i] = "ab;\n"[i % 16 && len > 200 ? i % 2 : next() % 4];
	n = own.pipe ? write(own.peer, bytes, len) :
		       send(own.peer, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		own.sent_count += (size_t)n;
}

static void end_sending(void)
{
	if (own.pipe && !own.closed)
		close(own.peer);
	else if (!own.closed)
		shutdown(own.peer, SHUT_WR);
	own.closed = true;
}

struct write {
	size_t len;
	bool parts;
	ssize_t result;
};

static int do_write(void *arg)
{
	struct write *write = arg;
	char *bytes = malloc(write->len + 1);

	REQUIRE(bytes);
	for (size_t i = 0; i < write->len; i++)
		bytes[i] = pattern(own.written + i);
	if (write->parts) {
		struct iovec iov[] = {
			{ bytes, write->len / 5 }, { bytes + write->len / 5, 0 },
			{ bytes + write->len / 5, write->len - write->len / 5 },
		};

		write->result = coil_stream_writev(own.stream, iov, 3);
	} else {
		write->result = coil_stream_write(own.stream, bytes, write->len);
	}
	memset(bytes, 0, write->len);
	free(bytes);
	return 0;
}

static void write_some(void)
{
	struct write write = { .len = next_size() * 4 };
	unsigned way = next();

	if (own.pipe)
		return;
	write.parts = way % 2;
	if (way % 8 > 5)
		coil_stream_cork(own.stream, way % 8 == 6);
	finish(coil_create_task(do_write, &write));
	REQUIRE(write.result == -ECANCELED || write.result >= 0);
	REQUIRE(write.result <= (ssize_t)write.len);
	if (write.result > 0)
		own.written += (size_t)write.result;
}

static bool take_some(void)
{
	static char bytes[65536];
	ssize_t n = own.pipe ? -1 : recv(own.peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		REQUIRE(bytes[i] == pattern(own.arrived + (size_t)i));
	if (n > 0)
		own.arrived += (size_t)n;
	return n > 0;
}

static void set_limits(void)
{
	size_t limit = next_size(), high = next_size();

	coil_stream_set_limits(own.stream, limit, high);
	own.limit = limit ? limit : 65536;
}

static int flush(void *arg)
{
	(void)arg;
	return coil_stream_flush(own.stream);
}

/* What was taken to be written arrives, all of it and no more. */
static void end(void)
{
	struct coil_task *task = coil_create_task(flush, NULL);

	REQUIRE(task);
	while (take_some() || !coil_done(task))
		REQUIRE(!coil_yield());
	REQUIRE(!coil_await(task));
	REQUIRE(!coil_stream_close(own.stream));
	REQUIRE(own.arrived == own.written);
	if (!own.pipe || !own.closed)
		close(own.peer);
}

static void begin(void)
{
	int fds[2];

	own.pipe = next() % 4 == 1;
	if (own.pipe)
		REQUIRE(!pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	else
		REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	own.stream = coil_stream_open(fds[0]);
	REQUIRE(own.stream);
	own.peer = fds[1];
	own.closed = false;
	own.sent_count = own.taken = own.written = own.arrived = 0;
	own.limit = 65536;
}

static int script(void *arg)
{
	(void)arg;
	begin();
	for (int steps = 0; own.at < own.end && steps < 300; steps++) {
		unsigned what = next() % 14;

		if (what < 5)
			read_some((int)what);
		else if (what > 11)
			read_some((int)what - 7);
		else if (what < 8)
			send_some();
		else if (what == 8)
			write_some();
		else if (what == 9)
			take_some();
		else if (what == 10)
			set_limits();
		else if (next() % 8 == 0)
			end_sending();
	}
	end();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct coil_options options = { .backend = "epoll" };

	own.at = data;
	own.end = data + size;
	REQUIRE(!coil_run_with(&options, script, NULL));
	return 0;
}
