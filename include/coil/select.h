/* SPDX-License-Identifier: MIT */
#ifndef COIL_SELECT_H
#define COIL_SELECT_H

/*
 * Waits until the first of several cases is ready, and performs that case:
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
	COIL_SELECT_KIND_NEVER,	/* 0 */
	COIL_SELECT_KIND_GET,
	COIL_SELECT_KIND_PUT,
	COIL_SELECT_KIND_EVENT,
	COIL_SELECT_KIND_TASK,
	COIL_SELECT_KIND_CHANNEL_GET,
	COIL_SELECT_KIND_CHANNEL_PUT,
	COIL_SELECT_KIND_FD,
	COIL_SELECT_KIND_SIGNAL
};

/* The macros below initialise it. */
struct coil_case {
	enum coil_case_kind kind;
	int result;			/* of the performed case */
	struct coil_queue *queue;
	struct coil_event *event;
	struct coil_task *task;
	void *get;			/* destination of the item or siginfo_t */
	const void *put;		/* source of the item */
	struct coil_channel *channel;
	const sigset_t *signals;
	int fd;
	short events;			/* as in poll(2) */
};

/* A case that is never performed; the same as {0}. */
#define COIL_SELECT_NEVER { COIL_SELECT_KIND_NEVER, 0, NULL, NULL, NULL, NULL, NULL, \
		NULL, NULL, 0, 0 }

/*
 * Takes an item out of the queue, or puts one into it.  result is 0.  It is
 * -ESHUTDOWN, and no item was passed, if the queue is shut down and, for a get,
 * empty.
 */
#define COIL_SELECT_GET(queue, item) { COIL_SELECT_KIND_GET, 0, (queue), NULL, NULL, \
		(item), NULL, NULL, NULL, 0, 0 }
#define COIL_SELECT_PUT(queue, item) { COIL_SELECT_KIND_PUT, 0, (queue), NULL, NULL, \
		NULL, (item), NULL, NULL, 0, 0 }

/*
 * Waits until the event, plain or shared, is set, or was set during the wait.
 * result is 0.
 */
#define COIL_SELECT_EVENT(event) { COIL_SELECT_KIND_EVENT, 0, NULL, (event), NULL, NULL, \
		NULL, NULL, NULL, 0, 0 }

/*
 * Waits until the task has ended.  result is what the task returned.  The call
 * does not consume the handle, which must stay valid until the call returns.
 */
#define COIL_SELECT_TASK(task) { COIL_SELECT_KIND_TASK, 0, NULL, NULL, (task), NULL, \
		NULL, NULL, NULL, 0, 0 }

/*
 * Receives an item from the channel, or sends one.  result is 0.  It is
 * -ESHUTDOWN, and no item was passed, if the channel is closed and, for a get,
 * empty.
 *
 * Tasks in coil_channel_recv() and coil_channel_send() are served before a
 * select.  On a channel of capacity 0 a select can only meet such a task, never
 * another select.
 */
#define COIL_SELECT_CHANNEL_GET(channel, item) { COIL_SELECT_KIND_CHANNEL_GET, 0, NULL, \
		NULL, NULL, (item), NULL, (channel), NULL, 0, 0 }
#define COIL_SELECT_CHANNEL_PUT(channel, item) { COIL_SELECT_KIND_CHANNEL_PUT, 0, NULL, \
		NULL, NULL, NULL, (item), (channel), NULL, 0, 0 }

/*
 * Waits until the fd is ready for one of events, or has an error.  result is
 * revents of poll(2).  Reads and writes nothing.  The fd must stay open until
 * the call returns.
 */
#define COIL_SELECT_FD(fd, events) { COIL_SELECT_KIND_FD, 0, NULL, NULL, NULL, NULL, \
		NULL, NULL, NULL, (fd), (short)(events) }

/*
 * Takes a signal of the set, as coil_signal_wait() does.  result is its number.
 * Stores its siginfo_t in *info unless info is NULL.  Tasks in
 * coil_signal_wait() are served before a select.
 */
#define COIL_SELECT_SIGNAL(set, info) { COIL_SELECT_KIND_SIGNAL, 0, NULL, NULL, NULL, \
		(info), NULL, NULL, (set), 0, 0 }

/*
 * Performs exactly one of n cases.  Parks until a case is ready.  If several
 * are ready, chooses one of them at random, each with the same probability.
 * Takes nothing from the other cases and changes nothing in them.
 *
 * Waits for at most ns nanoseconds; COIL_FOREVER is no limit.  With ns <= 0 it
 * checks the cases, lets the other ready tasks run once, and checks the cases
 * again.
 *
 * Returns the index of the performed case.  On an error no case was performed:
 *	-ETIMEDOUT: ns nanoseconds have passed
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if a
 *		case is ready) or ended the wait
 *	-EPERM: the caller is not a task
 *	-EINVAL: n is 0, a pointer is NULL, a queue or channel is zeroed, a kind
 *		does not exist, a set of signals is empty, or a signal is not
 *		blocked
 *	-EBADF: an fd is negative
 *	-EBUSY: a signal is one of the run's stop_signals
 *	-ENOMEM: there was no memory, or a task is NULL
 *	-EDEADLK: a task is the caller
 *	-EXDEV: a task or the waiters of an object belong to another loop
 *	-EMFILE, -ENFILE: there was no fd for a wait for signals
 *	other: an error of poll(2) for a shared event or an fd
 */
COIL_MUST_CHECK int coil_select(struct coil_case cases[], size_t n, int64_t ns);

#ifdef __cplusplus
}
#endif
#endif
