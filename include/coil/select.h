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
#include <coil/event.h>
#include <coil/queue.h>
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
	COIL_SELECT_KIND_TASK
};

/* The macros below are initialisers of it. */
struct coil_case {
	enum coil_case_kind kind;
	int result;			/* of the case that was performed */
	struct coil_queue *queue;
	struct coil_event *event;
	struct coil_task *task;
	void *get;			/* where the item goes */
	const void *put;		/* ... and comes from */
};

/* A case that is never performed; the same as {0}. */
#define COIL_SELECT_NEVER { COIL_SELECT_KIND_NEVER, 0, NULL, NULL, NULL, NULL, NULL }

/*
 * An item is taken from the queue, or put into it.  result is 0, or -ESHUTDOWN if
 * the queue is shut down (and, for a get, empty): then there was no item.
 */
#define COIL_SELECT_GET(queue, item) { COIL_SELECT_KIND_GET, 0, (queue), NULL, NULL, (item), NULL }
#define COIL_SELECT_PUT(queue, item) { COIL_SELECT_KIND_PUT, 0, (queue), NULL, NULL, NULL, (item) }

/* The event, plain or shared, is set, or was while we waited.  result is 0. */
#define COIL_SELECT_EVENT(event) { COIL_SELECT_KIND_EVENT, 0, NULL, (event), NULL, NULL, NULL }

/*
 * The task has ended; result is what it returned.  The handle is not consumed, and
 * must stay good until the call returns.
 */
#define COIL_SELECT_TASK(task) { COIL_SELECT_KIND_TASK, 0, NULL, NULL, (task), NULL, NULL }

/*
 * Performs one of n cases, parking until one can be: returns which.  Of several
 * that can be each is as likely as the others; nothing is taken from, or changed
 * in, those not chosen.  -ETIMEDOUT after ns nanoseconds; with ns <= 0 the other
 * ready tasks run once.
 *
 * On an error nothing was performed: -ECANCELED or -ETIMEDOUT when a request is
 * pending at entry or comes first; -EPERM outside a task; -EINVAL (n is 0, a
 * pointer is NULL, a queue is zeroed, there is no such kind); -ENOMEM, also for a
 * NULL task; -EDEADLK for the caller's own; -EXDEV when something belongs to
 * another loop; of a shared event what poll(2) says.
 */
COIL_MUST_CHECK int coil_select(struct coil_case cases[], size_t n, int64_t ns);

#ifdef __cplusplus
}
#endif
#endif
