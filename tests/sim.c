/* SPDX-License-Identifier: MIT */
/*
 * A backend with a simulated clock.  It passes I/O to the epoll backend, except for
 * results that a script supplies.
 */
#include "tests/support.h"
#include "core/backend/backend.h"
#include "core/task/loop.h"
#include "core/backend/op.h"
#include "core/backend/inbox.h"
#include <coil/time.h>
#include <stdarg.h>
#include <stdio.h>

enum { SCRIPTS = 32 };

#define BEGINNING (1000 * COIL_SECOND)

/*
 * What a kernel needs to take a packet from one socket to another: so long a
 * loop with I/O under way sleeps before its clock may jump.
 */
#define GRACE (50 * COIL_MICROSECOND)

/* In an op's state: no state of the epoll backend's. */
enum { LATE = 0x80, LATE_CANCELLED };

enum kind { RESULT, SHORT, RESULT_LATE };

struct script {
	enum kind kind;
	int opcode;		/* -1: done with */
	unsigned at;		/* which one since the thread began */
	int value;
};

/* A loop of another thread has a time of its own. */
static __thread struct {
	int64_t now;
	unsigned seen[256];	/* ops, by opcode */
	struct script scripts[SCRIPTS];
	int script_count;
	struct op *cancelled;	/* late ones, through next */
	unsigned long completions;
} sim;

void sim_advance(int64_t ns)
{
	sim.now += ns;
}

static void add_script(enum kind kind, int opcode, unsigned nth, int value)
{
	struct script *script = &sim.scripts[sim.script_count++ % SCRIPTS];

	script->kind = kind;
	script->opcode = opcode;
	script->at = sim.seen[opcode] + nth;
	script->value = value;
}

void sim_script(int opcode, unsigned nth, int result)
{
	add_script(RESULT, opcode, nth, result);
}

void sim_script_short(int opcode, unsigned nth, unsigned most)
{
	add_script(SHORT, opcode, nth, (int)most);
}

void sim_script_late(int opcode, unsigned nth, int result)
{
	add_script(RESULT_LATE, opcode, nth, result);
}

static struct script *scripted(const struct op *op)
{
	unsigned at = ++sim.seen[op->sqe.opcode];

	for (int i = 0; i < sim.script_count && i < SCRIPTS; i++) {
		struct script *script = &sim.scripts[i];

		if (script->opcode == op->sqe.opcode && script->at == at)
			return script;
	}
	return NULL;
}

static int sim_open(struct coil_loop *loop, const struct coil_options *options,
		    char *reason, size_t size)
{
	int err = coil__epoll.open(loop, options, reason, size);

	if (err)
		return err;
	sim.now = BEGINNING;
	sim.cancelled = NULL;
	loop->clock.simulated = &sim.now;
	snprintf(reason, size, "time is simulated");
	return 0;
}

static void sim_close(struct coil_loop *loop)
{
	coil__epoll.close(loop);
}

static void sim_submit(struct coil_loop *loop, struct op *op)
{
	struct script *script = scripted(op);

	if (!script) {
		coil__epoll.submit(loop, op);
		return;
	}
	switch (script->kind) {
	case RESULT:
		script->opcode = -1;
		coil__op_complete(loop, op, script->value, 0);
		break;
	case SHORT:
		script->opcode = -1;
		if (op->sqe.len > (unsigned)script->value)
			op->sqe.len = (unsigned)script->value;
		coil__epoll.submit(loop, op);
		break;
	case RESULT_LATE:
		op->state = LATE;
		op->res = script->value;
		script->opcode = -1;
		break;
	}
}

static void sim_cancel(struct coil_loop *loop, struct op *op)
{
	if (op->state == LATE) {
		op->state = LATE_CANCELLED;
		op->next = sim.cancelled;
		sim.cancelled = op;
	} else if (op->state != LATE_CANCELLED) {
		coil__epoll.cancel(loop, op);
	}
}

static bool complete_late(struct coil_loop *loop)
{
	bool any = sim.cancelled != NULL;

	while (sim.cancelled) {
		struct op *op = sim.cancelled;

		sim.cancelled = op->next;
		coil__op_complete(loop, op, op->res, 0);
	}
	return any;
}

/* Whether a look at the fds, for at most ns of real time, changed anything. */
static bool look(struct coil_loop *loop, int64_t ns)
{
	unsigned long before = sim.completions;

	coil__epoll.poll(loop, sim.now + ns);
	return sim.completions != before ||
	       coil__inbox_called(&loop->inbox);
}

static void sim_poll(struct coil_loop *loop, int64_t deadline)
{
	if (complete_late(loop))
		return;
	if (!deadline) {
		coil__epoll.poll(loop, 0);
		return;
	}
	if (look(loop, 0))
		return;
	/* Nobody knows how much time a thread needs: it has all there is. */
	if (loop->io.jobs || deadline == COIL_FOREVER) {
		coil__epoll.poll(loop, COIL_FOREVER);
		return;
	}
	if (loop->io.ops && look(loop, GRACE))
		return;
	if (deadline > sim.now)
		sim.now = deadline;
}

static void sim_wake(struct coil_loop *loop)
{
	coil__epoll.wake(loop);
}

const struct backend coil__sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.submit = sim_submit,
	.cancel = sim_cancel,
	.poll = sim_poll,
	.wake = sim_wake,
};

/*
 * The trace.  The linker has the library call these instead of its own.
 */

static char trace[1 << 20];
static size_t trace_length;
static bool tracing;

void sim_trace_begin(void)
{
	trace_length = 0;
	trace[0] = '\0';
	tracing = true;
}

const char *sim_trace(void)
{
	return trace;
}

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	size_t room = sizeof(trace) - trace_length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(trace + trace_length, room, format, args);
	va_end(args);
	ck_assert_msg(n >= 0 && (size_t)n < room, "the trace is too long");
	trace_length += (size_t)n;
}

void __real_coil__ready(struct coil_task *task, int wake);
void __wrap_coil__ready(struct coil_task *task, int wake);
void __real_coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags);
void __wrap_coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags);

void __wrap_coil__ready(struct coil_task *task, int wake)
{
	if (tracing)
		note("%lld task %llu %d\n", (long long)coil__clock(task->loop),
		     (unsigned long long)task->number, wake);
	__real_coil__ready(task, wake);
}

void __wrap_coil__op_complete(struct coil_loop *loop, struct op *op, int res, unsigned flags)
{
	sim.completions++;
	if (tracing)
		note("%lld op %d %d %u\n", (long long)coil__clock(loop), op->sqe.opcode,
		     res, flags);
	__real_coil__op_complete(loop, op, res, flags);
}
