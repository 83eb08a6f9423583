/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_LOG_H
#define EXAMPLES_LOG_H

/*
 * A log that never holds up its program.  log_line() puts a line into a buffer, and a
 * task writes the buffer to a file descriptor.  A pipe that has no reader, a stopped
 * terminal or a full disk holds up that task alone.  A line that finds no room, or
 * cannot be written, is dropped.  When there is room again, the log says how many were.
 *
 *	static struct log errors;
 *
 *	log_open(&errors, STDERR_FILENO);	in a task
 *	log_line(&errors, "%s: %s", peer, strerror(-err));
 *	log_close(&errors);			before main returns
 */
#include <coil.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOG_SIZE = 1 << 16, LOG_SPARE = 64 /* for a note */ };

struct log {
	int fd;
	int error;			/* of the last write that failed; 0 */
	bool closing;
	bool stalled;			/* nothing was written while log_wait() waited */
	size_t len;			/* of text; the task writes from its start */
	unsigned long dropped;		/* lines, since the last one that was added */
	struct coil_event changed;	/* bytes were added or written */
	struct coil_task *writer;	/* NULL: the log is not open */
	char text[LOG_SIZE];
};

static inline size_t log_count(const char *text, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Drops the whole buffer: the rest of a line is useless without its beginning. */
static inline ssize_t log_drop(struct log *log, int error)
{
	log->error = error;
	log->dropped += log_count(log->text, log->len);
	return (ssize_t)log->len;
}

static inline int log_write(void *arg)
{
	struct log *log = arg;
	ssize_t n = 0;

	while (n >= 0 && (log->len || !log->closing)) {
		if (!log->len) {
			coil_event_clear(&log->changed);
			n = coil_event_wait(&log->changed);
			continue;
		}
		n = coil_write(log->fd, log->text, log->len);
		if (n < 0 && !coil_check())
			n = log_drop(log, (int)n);
		if (n < 0)
			break;
		log->stalled = false;
		/* More bytes may have been added during the write. */
		log->len -= (size_t)n;
		memmove(log->text, log->text + n, log->len);
		coil_event_set(&log->changed);
	}
	return n < 0 ? (int)n : 0;
}

static inline int log_open(struct log *log, int fd)
{
	log->fd = fd;
	log->writer = coil_create_task(log_write, log);
	return log->writer ? 0 : -ENOMEM;
}

static inline size_t log_room(const struct log *log)
{
	return sizeof(log->text) - log->len;
}

/* Adds the number of dropped lines, at the place where they are missing. */
static inline void log_note(struct log *log, size_t len)
{
	if (!log->dropped || log_room(log) < LOG_SPARE + len)
		return;
	log->len += (size_t)snprintf(log->text + log->len, LOG_SPARE,
				     "(%lu lines were dropped)\n", log->dropped);
	log->dropped = 0;
}

/* Adds a line with its end, unchanged: all bytes or none.  Never parks. */
static inline void log_bytes(struct log *log, const char *bytes, size_t len)
{
	log_note(log, len);
	if (!log->writer || log->dropped || len > log_room(log)) {
		log->dropped++;
		return;
	}
	memcpy(log->text + log->len, bytes, len);
	log->len += len;
	coil_event_set(&log->changed);
}

/* Control characters become "?", so that a line cannot look like two or move a cursor. */
static inline void __attribute__((format(printf, 2, 3))) log_line(struct log *log,
								  const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0)
		return;
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	for (int i = 0; i < n; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[n] = '\n';
	log_bytes(log, line, (size_t)n + 1);
}

/*
 * Parks until len bytes have room, so that a reader that is only slow misses no line.
 * Waits at most ns nanoseconds, then lets the program go on.  After such a time-out it
 * does not wait again until bytes were written.  Returns 0, or the cancellation's error.
 */
static inline int log_wait(struct log *log, size_t len, int64_t ns)
{
	int err = 0;

	COIL_TIMEOUT(ns) {
		while (!err && !log->stalled && log->writer && log_room(log) < LOG_SPARE + len) {
			coil_event_clear(&log->changed);
			err = coil_event_wait(&log->changed);
		}
	}
	if (err != -ETIMEDOUT)
		return err;
	err = coil_check();
	log->stalled = !err;
	return err;
}

/* Gives the task one second to write the buffer, even if the caller was cancelled. */
static inline void log_close(struct log *log)
{
	if (!log->writer)
		return;
	log_note(log, 0);
	log->closing = true;
	coil_event_set(&log->changed);
	COIL_SHIELD(COIL_FOREVER)
		COIL_TIMEOUT(COIL_SECOND)
			coil_await(log->writer);
	log->writer = NULL;
}

#endif
