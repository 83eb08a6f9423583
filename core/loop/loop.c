/* SPDX-License-Identifier: MIT */
/*
 * One pass of the loop:
 *
 * 1. Reap completions, and run what other threads sent.
 * 2. Make the tasks whose sleep has expired ready, in the order of their deadlines.
 * 3. If the deadline of a scope has expired, put a mark at the end of the run queue.
 * 4. Run ready tasks until the run queue is empty or the budget is spent.
 * 5. When the mark is reached, apply the expired deadlines (scope.c says why).
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
	BUDGET = 256,		/* switches before the loop polls again */
	AT_ONCE = 64,		/* maximum of timers, and of remote calls, in a pass */
	EQUAL_AT_ONCE = 1024,	/* maximum of timers with equal deadlines in a pass */
	LOOK_MIN = 16,	/* minimum of results in a poll that leaves some out */
	MANY = 4,		/* timers that justify a longer coalescing time */
	STUCK_LISTED = 100,	/* maximum of tasks in a report, to spare the log */
	NAG_LISTED = 10,
	STACK_DEFAULT = 64 * 1024,
	STACK_SANITIZED = 256 * 1024,
};

/*
 * Timer coalescing: timers that expire this soon after a wake-up wait for the next one.
 * The time grows from COALESCE_MIN with each pass in which many timers expire together.
 * A pass in which few timers expire sets it back to COALESCE_MIN.  Its maximum is
 * COALESCE_EACH nanoseconds for each timer, but at least COALESCE_MAX and at most
 * COALESCE_CROWD.
 */
#define COALESCE_MIN (50 * COIL_MICROSECOND)
#define COALESCE_MAX (200 * COIL_MICROSECOND)
#define COALESCE_CROWD COIL_MILLISECOND
#define COALESCE_EACH 20

/* Once main has returned: how often to name the tasks that keep the loop from ending. */
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

/* Opens the backend that is named, otherwise the first one that opens. */
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
	/* Warn only of the environment: a program knows the option that it set. */
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

/* Frees the ended tasks, and reports the errors that no task awaited. */
static void drop_unasked(struct coil_loop *loop)
{
	struct stack_cursor cursor = {0};
	struct coil_task *task;

	while ((task = coil__tasks_each(&loop->stacks, &cursor))) {
		if (task->result < 0 && task->result != -ECANCELED && !task->reported)
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
	/* A remote call that was accepted always runs, even one that arrived last. */
	coil__inbox_close(loop);
	loop->io.backend->close(loop);
	coil__timers_close(&loop->timers);
	coil__stacks_close(&loop->stacks);
	free(loop->io.fds);
	free(loop->run.ring);
	free(loop->io.spare);
	coil__loop_unref(loop);
}

/* Returns the next coalescing time, after n timers expired in one pass. */
static int64_t coalesce(const struct coil_loop *loop, int n)
{
	int64_t max = (int64_t)loop->timers.count * COALESCE_EACH;
	int64_t longer = loop->clock.coalesce + COALESCE_MIN;

	if (n < MANY)
		return COALESCE_MIN;
	if (max < COALESCE_MAX)
		max = COALESCE_MAX;
	else if (max > COALESCE_CROWD)
		max = COALESCE_CROWD;
	return longer < max ? longer : max;
}

/*
 * Moves the sleepers that have just expired to the front of the run queue, because
 * behind the backlog they would be late.  They do not overtake:
 *
 * - a mark, whose deadline is earlier;
 * - sleepers that expired in an earlier pass;
 * - the backlog again, until as many of its tasks have run as sleepers overtook it.
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
 * Fires at most AT_ONCE timers in a pass, so that a task which is prefetched now is
 * still in the cache when it runs.  Timers with equal deadlines may be more.  mark()
 * waits for all of them: a result must be ready before an expiry of the same moment is
 * applied.  A sleeping task's memory is not read here, because a million sleepers would
 * cost a million TLB misses; sleep_until() in time.c does the rest.
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
 * Puts the mark, which is root itself, behind all tasks that are ready now.  A result that
 * arrived before a deadline must be ready before the mark.  The poll at the start of the
 * pass may have missed such a result, for one of these reasons:
 *
 * - the backend skipped that poll, to save a system call;
 * - the poll came before the deadline, and the result after the poll;
 * - there were more results than a poll reports at a time.
 *
 * So the backend polls again.  If that poll leaves results out, the mark waits for the
 * next pass.  The number of such passes is bounded by the results that can come.
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

/* True if no task is ready and nothing is left that could make one ready. */
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

/* Returns what ends a wait of this name, for the waits of the library itself. */
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
 * Main has returned: cancels the tasks without an owner.  A task of a group or an
 * awaited task belongs to its parent, which may have shielded it.
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
 * Clean-up may still start tasks.  Each of them is checked once, in the next pass.  A
 * task that is awaited by then belongs to its parent; if the parent detaches it,
 * coil_detach() cancels it.  Any other task is cancelled here.
 */
static void cancel_late(struct coil_loop *loop)
{
	struct coil_task *task;

	while ((task = coil__task_pop_late(loop))) {
		if (!task->consumer)
			coil_cancel(task);
	}
}

/* True if the task waits for a function on a thread, which nothing can stop. */
static bool waits_for_thread(const struct coil_task *task)
{
	return !task->done && task->wait && task->wait->on_thread;
}

/* Warns of functions on threads that do not return: the run cannot end before. */
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
 * Returns the nearest deadline.  A loop that has just slept does not wake for a timer
 * within the coalescing time, so that one wake-up serves several timers.  One timer
 * alone is punctual, and a timer that has expired is not delayed.
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
	/* A pass that does not sleep starts before the poll, which uses its start. */
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
 * Cancels the operations that are left when no task is left, such as the write of a
 * stream that was neither flushed nor closed.  No task would use their results, so the
 * run does not wait for a peer.
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
 * of the last task run before the loop ends.
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
				coil__die(loop->main, "and other tasks do not end "
					  "although they were cancelled");
			report_stuck(loop);
			loop->shutdown.stuck = true;
			cancel_all(loop);
			/* If no task woke, the loop is still stuck, and coil__die() aborts. */
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
