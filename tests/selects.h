/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_SELECTS_H
#define COIL_TESTS_SELECTS_H

/* Selects as tasks, and one of each kind of what they wait for. */

#include "tests/queues.h"
#include <coil/channel.h>
#include <coil/event.h>
#include <coil/select.h>
#include <coil/socket.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define MS COIL_MILLISECOND
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A select as a task. */
struct selection {
	struct coil_case *cases;
	size_t n;
	int64_t ns;
	int which;	/* 1000: it has not come back */
};

#define SELECTION(c) { .cases = (c), .n = COUNT(c), .ns = COIL_FOREVER, .which = 1000 }

static UNUSED int do_select(void *arg)
{
	struct selection *own = arg;

	own->which = coil_select(own->cases, own->n, own->ns);
	return own->which;
}

static UNUSED struct coil_task *begin_select(struct selection *selection)
{
	struct coil_task *task = start(do_select, selection);

	settle();
	ck_assert_int_eq(selection->which, 1000);
	return task;
}

/* What all queues of a case are after it: nobody is left behind. */
static UNUSED void ck_left(const struct coil_queue *queue)
{
	ck_assert_ptr_null(queue->getters.head);
	ck_assert_ptr_null(queue->putters.head);
}

struct all {
	struct coil_queue empty;
	struct coil_queue full;
	struct coil_event plain;
	struct coil_event shared;
	struct hold held;
	struct coil_task *task;
	int in;
	int out;
	struct coil_channel source;	/* empty */
	struct coil_channel sink;	/* full */
	int sent;
	int received;
	int pipe[2];
	sigset_t signals;
	siginfo_t info;
	unsigned given;			/* of bits 1 << kind: what came true */
	struct coil_case cases[10];
};

enum { GET, PUT, EVENT, SHARED, TASK, RECEIVE, SEND, FD, SIGNAL, NEVER, KINDS };

static UNUSED void make_outside(struct all *all)
{
	const int first = 50;

	ck_assert_int_eq(coil_channel_init(&all->source, sizeof(int), 1), 0);
	ck_assert_int_eq(coil_channel_init(&all->sink, sizeof(int), 1), 0);
	ck_assert_int_eq(coil_channel_try_send(&all->sink, &first), 0);
	ck_assert_int_eq(pipe2(all->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	sigemptyset(&all->signals);
	sigaddset(&all->signals, SIGUSR2);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &all->signals, NULL), 0);
}

static UNUSED void put_away_outside(struct all *all)
{
	const struct timespec now = {0};

	coil_channel_fini(&all->source);
	coil_channel_fini(&all->sink);
	ck_assert_int_eq(coil_close(all->pipe[0]), 0);
	ck_assert_int_eq(coil_close(all->pipe[1]), 0);
	sigtimedwait(&all->signals, NULL, &now);
	ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &all->signals, NULL), 0);
}

static UNUSED int receive_now(struct coil_channel *channel)
{
	int item, err = coil_channel_try_recv(channel, &item);

	return err ? err : item;
}

/* What came true outside and was not chosen is still there; what was chosen is not. */
static UNUSED void ck_kept(struct all *all, int chosen)
{
	bool given[KINDS];
	sigset_t pending;
	char byte;

	for (int i = 0; i < KINDS; i++)
		given[i] = all->given & 1U << i;
	ck_assert_int_eq(all->received, chosen == RECEIVE ? 22 : 0);
	ck_assert_int_eq(receive_now(&all->source),
			 given[RECEIVE] && chosen != RECEIVE ? 22 : -EAGAIN);
	ck_assert_int_eq(receive_now(&all->sink),
			 !given[SEND] ? 50 : chosen == SEND ? 51 : -EAGAIN);
	ck_assert_int_eq(read(all->pipe[0], &byte, 1), given[FD] ? 1 : -1);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, SIGUSR2), given[SIGNAL] && chosen != SIGNAL);
	if (chosen == SIGNAL)
		ck_assert_int_eq(all->info.si_signo, SIGUSR2);
}

static UNUSED int result_of(int kind)
{
	return kind == TASK ? 17 : kind == FD ? POLLIN : kind == SIGNAL ? SIGUSR2 : 0;
}

static UNUSED void make_all(struct all *all)
{
	const struct coil_case cases[] = {
		COIL_SELECT_GET(&all->empty, &all->out), COIL_SELECT_PUT(&all->full, &all->in),
		COIL_SELECT_EVENT(&all->plain), COIL_SELECT_EVENT(&all->shared),
		COIL_SELECT_TASK(NULL), COIL_SELECT_CHANNEL_GET(&all->source, &all->received),
		COIL_SELECT_CHANNEL_PUT(&all->sink, &all->sent), COIL_SELECT_FD(-1, POLLIN),
		COIL_SELECT_SIGNAL(&all->signals, &all->info), COIL_SELECT_NEVER,
	};

	*all = (struct all){ .in = 41, .out = 1, .sent = 51 };
	make(&all->empty, FIFO, 0);
	make(&all->full, FIFO, 1);
	ck_assert_int_eq(put(&all->full, 40), 0);
	ck_assert_int_eq(coil_event_open(&all->shared), 0);
	all->task = start(hold, &all->held);
	memcpy(all->cases, cases, sizeof(cases));
	all->cases[TASK].task = all->task;
	make_outside(all);
	all->cases[FD].fd = all->pipe[0];
}

static UNUSED void ck_nobody_waits(const struct all *all)
{
	ck_left(&all->empty);
	ck_left(&all->full);
	ck_assert_ptr_null(all->plain.waiters.head);
	ck_assert_ptr_null(all->shared.waiters.head);
	if (!coil_done(all->task))
		ck_assert_ptr_null(coil_task_waiters(all->task)->head);
}

static UNUSED void put_away(struct all *all)
{
	ck_nobody_waits(all);
	coil_queue_fini(&all->empty);
	coil_queue_fini(&all->full);
	coil_event_set(&all->plain);
	ck_assert_int_eq(coil_event_close(&all->shared), 0);
	if (!coil_done(all->task))
		ck_assert_int_eq(coil_future_set(&all->held.future, 17), 0);
	coil_await(all->task);
	put_away_outside(all);
}

static UNUSED void let(struct all *all, int which)
{
	const int item = 22;

	all->given |= 1U << which;
	switch (which) {
	case RECEIVE:
		ck_assert_int_eq(coil_channel_try_send(&all->source, &item), 0);
		break;
	case SEND:
		ck_assert_int_eq(receive_now(&all->sink), 50);
		break;
	case FD:
		ck_assert_int_eq(write(all->pipe[1], "x", 1), 1);
		break;
	case SIGNAL:
		raise(SIGUSR2);
		break;
	case GET:
		ck_assert_int_eq(put_nowait(&all->empty, 12), 0);
		break;
	case PUT:
		ck_assert_int_eq(get_nowait(&all->full), 40);
		break;
	case EVENT:
		ck_assert_int_eq(coil_event_set(&all->plain), 0);
		break;
	case SHARED:
		ck_assert_int_eq(coil_event_set(&all->shared), 0);
		break;
	default:
		ck_assert_int_eq(coil_future_set(&all->held.future, 17), 0);
	}
}

/* That which was done, and nothing else. */
static UNUSED void ck_done(struct all *all, int which)
{
	ck_assert_int_eq(all->out, which == GET ? 12 : 1);
	ck_assert_uint_eq(coil_queue_size(&all->empty), 0);
	ck_assert_uint_eq(coil_queue_size(&all->full), 1);
	ck_assert_int_eq(get_nowait(&all->full), which == PUT ? 41 : 40);
	ck_kept(all, which);
	if (which >= 0)
		ck_assert_int_eq(all->cases[which].result, result_of(which));
}

#endif
