/* SPDX-License-Identifier: MIT */
#ifndef COIL_SELECT_H
#define COIL_SELECT_H

/*
 * Waits for the first of several things, and does it:
 *
 *	struct coil_case cases[] = {
 *		COIL_SELECT_GET(&jobs, &job),
 *		COIL_SELECT_EVENT(&stop),
 *	};
 *
 *	switch (coil_select(cases, 2, COIL_SECOND)) {
 *	case 0: ...
 */

#include <coil/cdefs.h>
#include <coil/channel.h>
#include <coil/event.h>
#include <coil/queue.h>
#include <coil/signal.h>
#include <coil/task.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum coil_case_kind {
	COIL_SELECT_KIND_NEVER,	/* is 0 */
	COIL_SELECT_KIND_GET,
	COIL_SELECT_KIND_PUT,
	COIL_SELECT_KIND_EVENT,
	COIL_SELECT_KIND_TASK,
	COIL_SELECT_KIND_CHANNEL_GET,
	COIL_SELECT_KIND_CHANNEL_PUT,
	COIL_SELECT_KIND_FD,
	COIL_SELECT_KIND_SIGNAL
};

/* The macros below are initialisers of it. */
struct coil_case {
	enum coil_case_kind kind;
	int result;			/* of the case that was performed */
	struct coil_queue *queue;
	struct coil_event *event;
	struct coil_task *task;
	void *get;			/* where the item, or the siginfo_t, goes */
	const void *put;		/* where the item comes from */
	struct coil_channel *channel;
	const sigset_t *signals;
	int fd;
	short events;			/* as in poll(2) */
};

/* A case that is never performed; the same as {0}. */
#define COIL_SELECT_NEVER { COIL_SELECT_KIND_NEVER, 0, NULL, NULL, NULL, NULL, NULL, \
		NULL, NULL, 0, 0 }

/*
 * An item is taken from the queue, or put into it.  result is 0, or -ESHUTDOWN if
 * the queue is shut down (and, for a get, empty): then there was no item.
 */
#define COIL_SELECT_GET(queue, item) { COIL_SELECT_KIND_GET, 0, (queue), NULL, NULL, \
		(item), NULL, NULL, NULL, 0, 0 }
#define COIL_SELECT_PUT(queue, item) { COIL_SELECT_KIND_PUT, 0, (queue), NULL, NULL, \
		NULL, (item), NULL, NULL, 0, 0 }

/* The event, plain or shared, is set, or was while we waited.  result is 0. */
#define COIL_SELECT_EVENT(event) { COIL_SELECT_KIND_EVENT, 0, NULL, (event), NULL, NULL, \
		NULL, NULL, NULL, 0, 0 }

/*
 * The task has ended; result is what it returned.  The handle is not consumed, and
 * must stay good until the call returns.
 */
#define COIL_SELECT_TASK(task) { COIL_SELECT_KIND_TASK, 0, NULL, NULL, (task), NULL, \
		NULL, NULL, NULL, 0, 0 }

/*
 * Receives an item from the channel, or sends one.  result is 0, or -ESHUTDOWN if the
 * channel is closed (and, for a get, empty): then there was no item.  Tasks in
 * coil_channel_recv() and coil_channel_send() go first.  In a channel of capacity 0 a
 * select meets only such tasks, and never another select.
 */
#define COIL_SELECT_CHANNEL_GET(channel, item) { COIL_SELECT_KIND_CHANNEL_GET, 0, NULL, \
		NULL, NULL, (item), NULL, (channel), NULL, 0, 0 }
#define COIL_SELECT_CHANNEL_PUT(channel, item) { COIL_SELECT_KIND_CHANNEL_PUT, 0, NULL, \
		NULL, NULL, NULL, (item), (channel), NULL, 0, 0 }

/*
 * The fd is ready for one of events, or has an error.  result is revents of poll(2).
 * Reads and writes nothing.  The fd must stay open until the call returns.
 */
#define COIL_SELECT_FD(fd, events) { COIL_SELECT_KIND_FD, 0, NULL, NULL, NULL, NULL, \
		NULL, NULL, NULL, (fd), (short)(events) }

/*
 * Takes a signal of the set as coil_signal_wait() does.  result is its number; *info,
 * unless info is NULL, is its siginfo_t.  Tasks in coil_signal_wait() go first.
 */
#define COIL_SELECT_SIGNAL(set, info) { COIL_SELECT_KIND_SIGNAL, 0, NULL, NULL, NULL, \
		(info), NULL, NULL, (set), 0, 0 }

/*
 * Performs one of n cases, parking until one can be: returns which.  Of several
 * that can be each is as likely as the others; nothing is taken from, or changed
 * in, those not chosen.  -ETIMEDOUT after ns nanoseconds; with ns <= 0 the other
 * ready tasks run once.
 *
 * On an error nothing was performed: -ECANCELED or -ETIMEDOUT when a request is
 * pending at entry or comes first; -EPERM outside a task; -EINVAL (n is 0, a
 * pointer is NULL, a queue or channel is zeroed, there is no such kind, a signal is
 * not blocked); -EBADF (an fd is negative); -EBUSY (a signal is one of the run's
 * stop_signals); -ENOMEM, also for a NULL task; -EDEADLK for the caller's own; -EXDEV
 * when something belongs to another loop; of a shared event or an fd what poll(2)
 * says; -EMFILE, -ENFILE: a wait for signals needs an fd.
 */
COIL_MUST_CHECK int coil_select(struct coil_case cases[], size_t n, int64_t ns);

#ifdef __cplusplus
}
#endif
#endif
