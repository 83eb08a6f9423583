/* SPDX-License-Identifier: MIT */
#include "io/process.h"
#include "io/wait.h"
#include <coil/socket.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

enum { IN, OUT, ERR, ENDS };

/*
 * Lies on the stack of the task that communicates.  coil_process_close() clears
 * process, as the struct coil_process may be gone afterwards.
 */
struct talk {
	struct coil_process *process;	/* NULL: it was closed */
	const char *in;
	size_t in_len;
	char *out;
	size_t room;
	size_t total;			/* bytes read from the child's stdout */
	struct pollfd fds[ENDS];	/* fd -1: finished, or no pipe */
	struct close_guard guard[ENDS];
};

void coil__process_hush(struct coil_process *process)
{
	struct talk *talk = process->talk;

	if (talk)
		talk->process = NULL;
	process->talk = NULL;
}

static int *end_of(struct coil_process *process, int i)
{
	int *const ends[ENDS] = { &process->in, &process->out, &process->err };

	return ends[i];
}

static void communicate_begin(struct talk *talk)
{
	struct coil_process *process = talk->process;

	process->talk = talk;
	for (int i = 0; i < ENDS; i++) {
		int fd = *end_of(process, i);

		talk->fds[i].fd = fd;
		talk->fds[i].events = i == IN ? POLLOUT : POLLIN;
		if (fd >= 0)
			coil__close_guard_begin(&talk->guard[i], fd);
	}
}

static void communicate_leave(struct talk *talk, int i)
{
	if (talk->fds[i].fd >= 0)
		coil__close_guard_end(&talk->guard[i]);
	talk->fds[i].fd = -1;
}

static int communicate_finish(struct talk *talk, int i)
{
	int fd = talk->fds[i].fd;

	communicate_leave(talk, i);
	*end_of(talk->process, i) = -1;
	return coil_close(fd);
}

static bool was_closed(const struct talk *talk)
{
	for (int i = 0; i < ENDS; i++) {
		if (talk->fds[i].fd >= 0 && talk->guard[i].closed)
			return true;
	}
	return !talk->process;
}

static int feed(struct talk *talk)
{
	ssize_t n = write(talk->fds[IN].fd, talk->in, talk->in_len);

	if (n < 0 && errno != EPIPE)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n > 0) {
		talk->in += n;
		talk->in_len -= (size_t)n;
	}
	/* A child that closed its stdin (EPIPE) does not want the rest. */
	return n < 0 || !talk->in_len ? communicate_finish(talk, IN) : 0;
}

static int communicate_drain(struct talk *talk, int i)
{
	bool keep = i == OUT && talk->room;
	char dropped[4096];
	ssize_t n = keep ? read(talk->fds[i].fd, talk->out, talk->room)
			 : read(talk->fds[i].fd, dropped, sizeof(dropped));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return communicate_finish(talk, i);
	if (keep) {
		talk->out += n;
		talk->room -= (size_t)n;
	}
	if (i == OUT)
		talk->total += (size_t)n;
	return 0;
}

static int communicate_serve(struct talk *talk)
{
	int err = 0;

	for (int i = 0; i < ENDS && !err; i++) {
		if (talk->fds[i].fd < 0 || !talk->fds[i].revents)
			continue;
		err = i == IN ? feed(talk) : communicate_drain(talk, i);
		/* communicate_finish() may park, and another task may close the process then. */
		if (!err && was_closed(talk))
			err = -ECANCELED;
	}
	return err;
}

static bool has_pipes(const struct talk *talk)
{
	return talk->fds[IN].fd >= 0 || talk->fds[OUT].fd >= 0 ||
	       talk->fds[ERR].fd >= 0;
}

static int converse(struct talk *talk)
{
	int err = 0;

	if (talk->fds[IN].fd >= 0 && !talk->in_len)
		err = communicate_finish(talk, IN);
	if (!err && was_closed(talk))
		err = -ECANCELED;
	while (!err && has_pipes(talk)) {
		err = coil_poll(talk->fds, ENDS);
		if (err >= 0)
			err = was_closed(talk) ? -ECANCELED : communicate_serve(talk);
	}
	return err;
}

static int communicate_check(const struct coil_process *process, size_t in_len)
{
	if (!process || !process->pid || process->flags & PROCESS_CLOSING)
		return -EINVAL;
	if (in_len && process->in < 0)
		return -EINVAL;
	return process->talk ? -EBUSY : 0;
}

int coil_process_communicate(struct coil_process *process, const void *in,
			     size_t in_len, void *out, size_t out_size,
			     size_t *out_len)
{
	struct talk talk = {
		.process = process,
		.in = in,
		.in_len = in_len,
		.out = out,
		.room = out_size,
	};
	int err = communicate_check(process, in_len);

	if (out_len)
		*out_len = 0;
	if ((!in && in_len) || (!out && out_size))
		err = -EFAULT;
	if (!err)
		err = coil__enter();
	if (err)
		return err;
	communicate_begin(&talk);
	err = converse(&talk);
	for (int i = 0; i < ENDS; i++)
		communicate_leave(&talk, i);
	if (talk.process)
		process->talk = NULL;
	if (out_len)
		*out_len = talk.total;
	return err;
}
