/* SPDX-License-Identifier: MIT */
/*
 * One pass: reap completions and what other threads sent, make due sleepers
 * ready, in order; put a mark behind all that is ready if a scope's deadline
 * fell due; run the ready until the list is empty or the budget is spent; apply
 * the deadlines when the mark is met (scope.c says why).
 */
#include "core/loop/loop.h"
#include "core/task/timers.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/backend/backend.h"
#include "core/backend/inbox.h"
#include "core/backend/pool.h"
#include "core/wait/waitq.h"
#include <coil/time.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUDGET = 256,		/* switches between two looks around */
	AT_ONCE = 64,		/* timers, and calls of other threads, in a pass */
	EQUAL_AT_ONCE = 1024,	/* timers of one moment in a pass */
	LOOK_MIN = 16,	/* results that a full look finds: io_uring's enter has 20 */
	MANY = 4,		/* timers that are worth a longer wait */
	STUCK_LISTED = 100,	/* tasks; a daemon's log is not to be flooded */
	NAG_LISTED = 10,
	STACK_DEFAULT = 64 * 1024,
	STACK_SANITIZED = 256 * 1024,
};

/*
 * Timers that fall due so soon after a wake-up are left to the next: the longer the
 * more often many fell due together, and in a crowd, 20 ns for each of it.
 */
#define COALESCE_MIN (50 * COIL_MICROSECOND)
#define COALESCE_MAX (200 * COIL_MICROSECOND)
#define GATHER_CROWD COIL_MILLISECOND
#define GATHER_EACH 20

/* How often, once main has returned, those are named who keep the loop from ending. */
#define NAG COIL_SECOND

const struct backend *coil__backends[4] = { &coil__uring, &coil__epoll };

static int try_backend(struct coil_loop *loop, const struct backend *backend,
		       const struct coil_options *options, char *because)
{
	char reason[sizeof(loop->io.reason) - 16] = "";
	int err;

	loop->io.backend = backend;
	err = backend->open(loop, options, reason, sizeof(reason));
	if (err) {
		loop->io.backend = NULL;
		snprintf(because, sizeof(loop->io.reason), "%s: %s", backend->name,
			 reason[0] ? reason : strerror(-err));
		return err;
	}
	if (because[0])
		memcpy(loop->io.reason, because, sizeof(loop->io.reason));
	else
		memcpy(loop->io.reason, reason, sizeof(reason));
	return 0;
}

/* The first candidate that opens serves, unless one was asked for by name. */
static int open_backend(struct coil_loop *loop, const struct coil_options *options)
{
	const char *wanted = options->backend ? options->backend : getenv("COIL_BACKEND");
	char because[sizeof(loop->io.reason)] = "";
	bool known = false;
	int err = -EINVAL;

	for (size_t i = 0; coil__backends[i]; i++) {
		const struct backend *backend = coil__backends[i];

		if (wanted && wanted[0] && strcmp(wanted, backend->name))
			continue;
		known = true;
		err = try_backend(loop, backend, options, because);
		if (!err && wanted && wanted[0] && !loop->io.reason[0])
			snprintf(loop->io.reason, sizeof(loop->io.reason), "asked for by name");
		else if (!err && !loop->io.reason[0])
			snprintf(loop->io.reason, sizeof(loop->io.reason), "the best there is");
		/* Out of fds or memory: the next backend would be no better off. */
		if (!err || err == -EMFILE || err == -ENFILE)
			return err;
	}
	/* What a program asks for it knows; the environment is somebody else's. */
	if (!known && !options->backend)
		coil__warn("COIL_BACKEND=%s: there is no such backend", wanted);
	return err;
}

int coil__loop_open(struct coil_loop **result, const struct coil_options *options)
{
	struct coil_loop *loop = calloc(1, sizeof(*loop));
	size_t size = options->stack_size;
	int err;

	if (!loop)
		return -ENOMEM;
	if (!size)
		size = SANITIZED ? STACK_SANITIZED : STACK_DEFAULT;
	loop->root.loop = loop;
	loop->root.pending = -EPERM;
	loop->modes = context_modes();
	loop->root.modes = loop->modes.word;
	loop->thread = pthread_self();
	sanitize_stack_main(&loop->root.stack.sanitized, &loop->root.stack.bottom,
			    &loop->root.stack.top);
	for (int i = 0; i < BACKEND_FDS; i++)
		loop->io.backend_fds[i] = -1;
	atomic_init(&loop->refs, 1);
	coil__inbox_open(&loop->inbox);
	err = coil__stacks_open(&loop->stacks, size);
	if (!err)
		err = open_backend(loop, options);
	if (err) {
		free(loop);
		return err;
	}
	loop->clock.pass_start = coil__clock(loop);
	coil__cxx_look(loop);
	loop->clock.coalesce = COALESCE_MIN;
	*result = loop;
	return 0;
}

/* Tasks that ended and that nobody asked for their results. */
static void drop_unasked(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;

	while ((task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (task->result < 0 && task->result != -ECANCELED && !task->told)
			coil__report(task, task->result);
		coil__task_free(task);
	}
}

void coil__loop_unref(struct coil_loop *loop)
{
	if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(loop);
}

void coil__loop_close(struct coil_loop *loop)
{
	drop_unasked(loop);
	coil__pool_close(loop);
	loop->shutdown.ending = loop->shutdown.ended = true;
	/* What was taken is sure to run: there may be some that came at the last moment. */
	coil__inbox_close(loop);
	loop->io.backend->close(loop);
	coil__timers_close(&loop->timers);
	coil__stacks_close(&loop->stacks);
	free(loop->io.fds);
	free(loop->run.ring);
	free(loop->io.spare);
	coil__loop_unref(loop);
}

/* So many fell due at once: how long is the next wake-up to be put off? */
static int64_t coalesce(const struct coil_loop *loop, int n)
{
	int64_t most = (int64_t)loop->timers.count * GATHER_EACH;
	int64_t longer = loop->clock.coalesce + COALESCE_MIN;

	if (n < MANY)
		return COALESCE_MIN;
	if (most < COALESCE_MAX)
		most = COALESCE_MAX;
	else if (most > GATHER_CROWD)
		most = GATHER_CROWD;
	return longer < most ? longer : most;
}

/*
 * Sleepers go before a backlog, which they would be late by; but not past a mark,
 * whose deadline was before, nor past sleepers who were due before, nor again before
 * as many of the backlog have run.
 */
static void overtake(struct coil_loop *loop, uint32_t backlog)
{
	uint32_t sleepers = coil__ready_count(loop) - backlog;

	if (!backlog || loop->run.marked || sleepers > AT_ONCE ||
	    (int32_t)(loop->run.head - loop->run.overtaken) < 0) {
		loop->run.overtaken = loop->run.tail;
		return;
	}
	loop->run.overtaken = loop->run.head + sleepers;
	while (sleepers--) {
		loop->run.head--;
		loop->run.tail--;
		loop->run.ring[loop->run.head & loop->run.mask] =
			loop->run.ring[loop->run.tail & loop->run.mask];
	}
}

/*
 * No more than a few in a pass, so that what is fetched now is still at hand when its
 * turn comes; of equal ones more, and mark() waits for all of them, as a result must be
 * there before the expiry of that moment is applied.  A sleeper is not so much as looked
 * at: a million of them are a million misses of the TLB (coil_sleep_until does the rest).
 */
static void fire_timers(struct coil_loop *loop)
{
	uint32_t backlog = coil__ready_count(loop);
	int64_t when, last = INT64_MIN;
	enum timer_kind kind;
	int n;

	loop->parted = false;
	for (n = 0; (when = coil__timers_next(&loop->timers)) <= loop->clock.pass_start; n++) {
		void *owner;

		loop->parted = when == last && n >= EQUAL_AT_ONCE;
		if (loop->parted || (n >= AT_ONCE && when != last))
			break;
		last = when;
		owner = coil__timer_pop(&loop->timers, &kind);
		if (kind == TIMER_TASK) {
			__builtin_prefetch(owner, 1);
			coil__ready_push(loop, owner);
		} else {
			coil__scope_due(loop, owner);
		}
	}
	if (n) {
		overtake(loop, backlog);
		coil__fetch_first(loop);
		loop->clock.coalesce = coalesce(loop, n);
	}
}

/*
 * The mark is root itself, behind all that is ready now.  A result that came before a
 * deadline has to be ready before the mark.  But the look at the start of this pass may
 * have been left out, or was before the deadline, or found more results than are taken
 * at a time.  So the backend looks again, and while there are more results the mark
 * waits for the next pass; but for no more passes than the operations in flight can
 * fill.
 */
static void mark(struct coil_loop *loop)
{
	if (!loop->due.first || loop->run.marked || loop->parted)
		return;
	if (!loop->run.looks)
		loop->run.looks = 1 + (loop->task_count + loop->io.ops + loop->io.jobs) / LOOK_MIN;
	loop->io.backend->poll(loop, 0);
	coil__inbox_run(loop, AT_ONCE);
	if ((loop->io.more || coil__inbox_called(&loop->inbox)) && --loop->run.looks)
		return;
	loop->run.looks = 0;
	loop->run.marked = true;
	coil__ready_push(loop, &loop->root);
}

/* Nothing can happen any more that would make a task ready. */
static bool stuck(struct coil_loop *loop)
{
	const struct loop_io *io = &loop->io;

	return !coil__ready_count(loop) && !io->ops && !loop->timers.count && !io->jobs &&
	       !io->chores.head && !loop->watched && !loop->due.first &&
	       !loop->shutdown.known && !coil__inbox_called(&loop->inbox);
}

const char *coil__task_waits_for(const struct coil_task *task)
{
	const char *what = coil__waiter_what(task);

	if (what)
		return what;
	return task->wait ? task->wait->what : "its turn";
}

/* What ends a wait of that name; for waits that the library itself makes. */
static const char *what_ends(const char *wait)
{
	static const char *const ends[][2] = {
		{ "barrier", "the other parties' coil_barrier_wait" },
		{ "condition", "coil_condition_notify" },
		{ "event", "coil_event_set" },
		{ "future", "coil_future_set" },
		{ "group", "the end of its tasks" },
		{ "lock", "coil_lock_release by its owner" },
		{ "queue get", "coil_queue_put" },
		{ "queue join", "coil_queue_task_done" },
		{ "queue put", "coil_queue_get" },
		{ "rwlock", "coil_rwlock_release" },
		{ "select", "one of its cases" },
		{ "semaphore", "coil_semaphore_release" },
		{ "sleep", "coil_cancel, as it sleeps for ever" },
		{ "task", "the end of that task" },
		{ "tasks", "the end of those tasks" },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (!strcmp(wait, ends[i][0]))
			return ends[i][1];
	}
	return "a task that wakes it";
}

static void report_stuck(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;
	const char *what;
	size_t listed = 0;

	coil__warn("deadlock: nothing can ever wake these %zu tasks, they are cancelled",
		   loop->task_count);
	while ((task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (task->done || ++listed > STUCK_LISTED)
			continue;
		what = coil__task_waits_for(task);
		coil__warn("  task %s has waited %.3f s for %s: it needs %s",
			   coil_task_name(task),
			   (double)(loop->clock.pass_start - task->since) / 1e9,
			   what, what_ends(what));
	}
	if (listed > STUCK_LISTED)
		coil__warn("  and %zu more", listed - STUCK_LISTED);
	coil__warn("  no task is left to do that, no operation, timer or thread is under way, "
		   "and no other thread can call, as none got this loop from coil_current_loop()");
}

static void cancel_all(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;

	while ((task = coil__tasks_each(&loop->stacks, &cursor)))
		coil_cancel(task);
}

/*
 * Main has returned: tasks that have no owner are cancelled.  A task of a group, or one
 * that is awaited, is its parent's, who may have shielded it.
 */
static void cancel_unowned(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;

	while ((task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (!task->group && !task->consumer)
			coil_cancel(task);
	}
}

/*
 * Clean-up may still make tasks.  Each is looked at once, in the next pass: one that is
 * awaited by then stays its parent's, or coil_detach() cancels it.
 */
static void cancel_late(struct coil_loop *loop)
{
	struct coil_task *task;

	while ((task = coil__task_pop_late(loop))) {
		if (!task->consumer)
			coil_cancel(task);
	}
}

/* What can neither be taken back nor be left alone, once it runs on a thread. */
static bool waits_for_thread(const struct coil_task *task)
{
	return !task->done && task->wait && task->wait->on_thread;
}

/* A function that never returns is a run that never ends: somebody has to be told. */
static void nag(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;
	size_t listed = 0;

	if (likely(!loop->shutdown.ending) || !loop->io.jobs ||
	    loop->clock.pass_start < loop->shutdown.nag)
		return;
	loop->shutdown.nag = loop->clock.pass_start + NAG;
	while ((task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (!waits_for_thread(task) || ++listed > NAG_LISTED)
			continue;
		coil__warn("the run waits for task %s, whose function still runs on a thread",
			   coil_task_name(task));
	}
	if (listed > NAG_LISTED)
		coil__warn("and for %zu more", listed - NAG_LISTED);
}

/*
 * The nearest deadline; but a loop that has just slept does not wake for timers
 * again so soon, that a wake-up may serve several.  One timer alone is punctual, and
 * what is due already is not put off.
 */
static int64_t next_deadline(struct coil_loop *loop)
{
	int64_t next = coil__timers_next(&loop->timers);
	int64_t later = loop->clock.slept + loop->clock.coalesce;

	if (next > loop->clock.pass_start && next < later && !loop->clock.simulated) {
		later -= loop->clock.slack;
		next = next < later ? later : next;
	}
	if (loop->shutdown.ending && loop->io.jobs && loop->shutdown.nag < next)
		next = loop->shutdown.nag;
	return next;
}

static void run_chores(struct coil_loop *loop)
{
	while (unlikely(loop->io.chores.head != NULL)) {
		struct chore *chore = container_of(loop->io.chores.head, struct chore, link);

		chore->run(chore);
	}
}

static void look_around(struct coil_loop *loop)
{
	int64_t deadline = 0, trim = coil__stacks_trim(&loop->stacks, loop->clock.pass_start);

	run_chores(loop);
	if (!coil__ready_count(loop)) {
		deadline = next_deadline(loop);
		if (trim < deadline)
			deadline = trim;
	}
	if (loop->due.first || coil__inbox_called(&loop->inbox) ||
	    (deadline && !coil__inbox_sleep(&loop->inbox)))
		deadline = 0;
	/* A pass that does not sleep begins before the look, which goes by its start. */
	if (!deadline)
		loop->clock.pass_start = coil__clock(loop);
	loop->io.backend->poll(loop, deadline);
	coil__inbox_run(loop, AT_ONCE);
	if (deadline)
		loop->clock.slept = loop->clock.pass_start = coil__clock(loop);
}

static void loop_pass(struct coil_loop *loop)
{
	look_around(loop);
	nag(loop);
	if (!loop->cxx.globals)
		coil__cxx_look_again(loop);
	fire_timers(loop);
	mark(loop);
	loop->run.budget = BUDGET;
	loop->run.credit = SPEND_LOOK;
	coil__run_ready(loop);
}

static void be_ending(struct coil_loop *loop)
{
	if (!loop->shutdown.ending) {
		loop->shutdown.ending = true;
		loop->shutdown.nag = coil__clock(loop) + NAG;
		cancel_unowned(loop);
	}
	cancel_late(loop);
}

/*
 * No task is left, so what goes on by itself, a stream's queue that nobody flushed or
 * closed, is nobody's: the run does not wait for a peer on its account.
 */
static void cancel_ops(struct coil_loop *loop)
{
	struct fd_ref *next;

	for (size_t fd = 0; fd < loop->io.fd_count; fd++) {
		for (struct fd_ref *ref = loop->io.fds[fd].ops; ref; ref = next) {
			next = ref->next;
			if (!ref->op->background)
				coil__op_cancel(loop, ref->op);
		}
	}
}

/*
 * While jobs or operations are left, other threads may still start a task.  The chores
 * of the last task are done before the loop may end.
 */
static bool goes_on(struct coil_loop *loop)
{
	if (unlikely(!loop->task_count))
		run_chores(loop);
	return loop->task_count || loop->io.jobs || loop->io.ops;
}

void coil__loop_run(struct coil_loop *loop)
{
	while (goes_on(loop)) {
		if (loop->main->done)
			be_ending(loop);
		if (unlikely(!loop->task_count && loop->io.ops))
			cancel_ops(loop);
		if (loop->task_count && stuck(loop)) {
			if (loop->shutdown.stuck)
				coil__die(loop->main, "and other tasks do not end although they were cancelled");
			report_stuck(loop);
			loop->shutdown.stuck = true;
			cancel_all(loop);
			/* Those who do not hear it leave the loop as stuck as it was. */
			continue;
		}
		loop_pass(loop);
	}
}

int64_t coil_loop_now(void)
{
	return coil__loop == &coil__no_loop ? -EPERM : coil__loop->clock.pass_start;
}

const char *coil_backend_name(void)
{
	return coil__loop->io.backend ? coil__loop->io.backend->name : NULL;
}

const char *coil_backend_reason(void)
{
	return coil__loop->io.backend ? coil__loop->io.reason : NULL;
}
