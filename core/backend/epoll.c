/* SPDX-License-Identifier: MIT */
/*
 * The epoll backend.
 *
 * It does with plain system calls what io_uring does in the kernel.  It makes the system
 * call of an op at once.  If the call would block, the op waits until epoll reports that
 * its fd is ready; then the backend tries again.
 *
 * Registrations are edge-triggered, and they stay.  An op waits only after its own call
 * returned EAGAIN, so the change that makes the fd ready comes later and is an edge.
 * At an event the ops that wait for it try in turn, until one returns EAGAIN.  So no op
 * misses its event, and a second wait for the same events needs no epoll_ctl(2).  If
 * several events in a row find no op that waits, the backend silences the fd.
 *
 * Dry sockets.  A TCP socket is dry after a recv that returned less than its buffer had
 * room for.  Later data is an edge, so the next recv waits without a call that would
 * return EAGAIN.  But the peer's end or urgent bytes also make a recv short, and their
 * edge may have come before.  Once an event reports these, the fd no longer counts as dry.
 *
 * The kernel registers an open file under an fd's number, not the fd itself.  It drops
 * the registration when the file's last fd is closed.  This has two consequences.
 *
 * Ghosts.  A dup, or the child of a fork, may keep a closed fd's file open.  Its events
 * then still arrive under the old number, and epoll_ctl(2) cannot delete them, because
 * the number means another file or none.  They do no harm: an event is only a hint to
 * try again, and an edge comes once.  (A level-triggered one would make poll() spin.)
 * coil_close() makes no ghosts: coil__fd_closed() deletes the registration first.
 *
 * Stale entries.  Suppose that the program closes a registered fd with close(2), and the
 * number then means a new file.  fd->events still says that the number is registered,
 * but the new file is not: an op would wait for ever.  If coil made the new file,
 * coil__fd_made() has cleared the entry.  For the other files the backend proves a
 * registration with EPOLL_CTL_MOD while ops wait on the fd:
 * - It succeeds: the file is registered, and epoll reports it if it is ready.  It stays
 *   registered while the ops wait, because the program must not close their fd.
 * - ENOENT: the file is not registered.  The backend adds it.
 * - Another error, such as EBADF: the ops try again, and each returns its error.
 * One proof is enough for a wait, and most waits are short.  So a wait only puts its fd
 * on a list.  The backend proves the list, a few fds in a pass, when the loop has slept
 * for 100 ms, or after a second in which it never slept so long.  A stale entry thus
 * delays an op by that time, and a wait on an idle fd costs one proof, a system call.
 *
 * Some waits have no event: see coil__syscall_events().  Those ops try again every few
 * milliseconds.  epoll_ctl(2) refuses regular files (EPERM); their ops go to the pool, as
 * do all ops that can only block.
 */
#include "core/backend/backend.h"
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/backend/syscall.h"
#include "core/backend/pool.h"
#include <coil/time.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	EVENTS = 64,		/* taken by one epoll_wait(2) */
	SHOTS = 64,		/* results of a multishot op before other ops get a turn */
	DEPTH = 8,		/* nested completions, which bounds the stack */
	UNATTENDED = 8,		/* events in a row without a waiting op that silence an fd */
	PROOFS = 32,		/* per pass, as each is a system call */
	SKIPS = 16,		/* passes in a row of a busy loop without epoll_wait(2) */
};

#define LOOK_NS (50 * COIL_MICROSECOND)	/* ... but never for longer than this */
#define AGAIN_NS (5 * COIL_MILLISECOND)
#define IDLE_NS (100 * COIL_MILLISECOND)
#define CHECK_NS COIL_SECOND

/* Where an op is. */
enum state {
	TRIED,			/* in a call, or just completed: in no queue */
	WAITING,		/* in its fd's queue, for an event */
	AGAIN,			/* in epoll->again, to try again without an event */
	POOLED,
};

/* Values of struct fd's flags, above the count of unattended events. */
enum {
	DRAINED = 1 << 16,		/* all data was read, and no event has come since */
	URGENT_OR_HUP = 1 << 17,	/* reported: the peer's end, urgent data, an error */
	SHORT = 1 << 18,	/* a recv returned less than it had room for */
	ASKED = 1 << 19,	/* TCP is valid */
	TCP = 1 << 20,
	LISTED = 1 << 21,
	COUNT = DRAINED - 1,
};

/* Registered together with EPOLLIN: after one of them a short recv proves nothing. */
#define BESIDES (EPOLLRDHUP | EPOLLPRI)

struct epoll {
	int epoll_fd;
	int wake_fd;
	bool coarse;			/* no epoll_pwait2(2): sleeps whole milliseconds */
	int *listed;			/* fds whose registration is to be proved, in order */
	size_t capacity;		/* number of fds; listed has room for twice as many */
	size_t listed_count;
	size_t round;			/* the first fds of listed, which prove() works on */
	size_t proved;			/* the fds of round that are done */
	size_t waiting;			/* number of ops in the queues of all fds */
	struct op *cursor;		/* the op that epoll_fire() visits next */
	struct op_queue again;		/* ops that try again without an event */
	size_t again_count;
	int64_t again_at;		/* when the first of them tries again */
	int64_t checked;		/* when prove() last finished */
	int64_t looked;			/* when epoll_wait(2) was last called */
	int skipped;			/* passes since then without it */
	int depth;			/* of nested completions */
};

/* Most ops are a plain recv or send, and get a shorter path. */
static bool is_plain(const struct op *op)
{
	if (op->sqe.opcode == IORING_OP_RECV)
		return !op->sqe.msg_flags;
	return op->sqe.opcode == IORING_OP_SEND && !op->sqe.addr2 &&
	       !(op->sqe.msg_flags & ~(unsigned)MSG_NOSIGNAL);
}

static inline int fd_of(const struct op *op)
{
	return is_plain(op) ? op->sqe.fd : coil__syscall_fd(op);
}

/* epoll's events have the same values as poll(2)'s. */
static inline uint32_t events_of(const struct op *op)
{
	if (is_plain(op))
		return op->sqe.opcode == IORING_OP_RECV ? EPOLLIN : EPOLLOUT;
	return (uint16_t)coil__syscall_events(op);
}

/*
 * Registrations.
 */

static int control(struct coil_loop *loop, int fd, uint32_t events)
{
	struct epoll *epoll = loop->io.data;
	struct epoll_event event = {
		.events = events | EPOLLET | (events & EPOLLIN ? BESIDES : 0),
		.data.fd = fd,
	};
	struct fd *entry = &loop->io.fds[fd];
	int verb = entry->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int err = epoll_ctl(epoll->epoll_fd, verb, fd, &event);

	/* The flags describe the registered file, and are void if this is another one. */
	entry->flags &= verb == EPOLL_CTL_MOD && !err ? ~(unsigned)DRAINED : LISTED;
	if (err && errno == ENOENT)
		err = epoll_ctl(epoll->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	else if (err && errno == EEXIST)
		err = epoll_ctl(epoll->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	entry->events = err ? 0 : event.events;
	return err ? -errno : 0;
}

void coil__fd_closed(struct coil_loop *loop, int fd)
{
	struct epoll_event unused = {0};

	if ((size_t)fd >= loop->io.fd_count || !loop->io.fds[fd].events)
		return;
	epoll_ctl(loop->io.backend_fds[0], EPOLL_CTL_DEL, fd, &unused);
	loop->io.fds[fd].events = 0;
}

/* Makes room for two entries an fd: a wait may list one that is in prove()'s round. */
static bool epoll_grow(struct epoll *epoll, size_t fds)
{
	int *listed = realloc(epoll->listed, 2 * fds * sizeof(*listed));

	if (!listed)
		return false;
	epoll->listed = listed;
	epoll->capacity = fds;
	return true;
}

/* A wait began on fd, so its registration is to be proved once. */
static void list(struct coil_loop *loop, int fd)
{
	struct epoll *epoll = loop->io.data;

	if (loop->io.fds[fd].flags & LISTED)
		return;
	loop->io.fds[fd].flags |= LISTED;
	if (!epoll->listed_count)
		epoll->checked = loop->clock.pass_start;
	epoll->listed[epoll->listed_count++] = fd;
}

/* Registers fd for events, unless it is already. */
static int epoll_arm(struct coil_loop *loop, int fd, uint32_t events)
{
	struct epoll *epoll = loop->io.data;
	const struct fd *entry;

	if (unlikely((size_t)fd >= loop->io.fd_count) && !coil__loop_fd(loop, fd))
		return -errno;
	entry = &loop->io.fds[fd];
	if (unlikely((size_t)fd >= epoll->capacity) && !epoll_grow(epoll, loop->io.fd_count))
		return -ENOMEM;
	if (entry->events && !(events & ~entry->events))
		return 0;
	return control(loop, fd, entry->events | events);
}

/*
 * From the submission of an op to its completion.
 */

static void epoll_to_pool(struct coil_loop *loop, struct op *op)
{
	int err;

	op->state = POOLED;
	err = coil__pool_syscall(loop, op);
	if (err)
		coil__op_complete(loop, op, err, 0);
}

static void try_again(struct epoll *epoll, struct op *op, int64_t when)
{
	op->state = AGAIN;
	if (!epoll->again.first || when < epoll->again_at)
		epoll->again_at = when;
	coil__queue_insert(&epoll->again, op, NULL);
	epoll->again_count++;
}

/* from is the fd in whose queue op waited, where it keeps its place; or -1. */
static void wait_for_event(struct coil_loop *loop, struct op *op, int from)
{
	struct epoll *epoll = loop->io.data;
	uint32_t events = events_of(op);
	int fd = fd_of(op);
	int err;

	if (!events && op->sqe.opcode != IORING_OP_POLL_ADD) {
		try_again(epoll, op, loop->clock.pass_start + AGAIN_NS);
		return;
	}
	err = epoll_arm(loop, fd, events);
	/* Like poll(2), a poll of a file without events waits until it is cancelled. */
	if (err == -EPERM && op->sqe.opcode != IORING_OP_POLL_ADD) {
		coil__syscall_unpollable(op);
		epoll_to_pool(loop, op);
	} else if (err && err != -EPERM) {
		coil__op_complete(loop, op, err, 0);
	} else {
		op->state = WAITING;
		coil__queue_insert(&loop->io.fds[fd].waiters, op,
			     from == fd ? epoll->cursor : NULL);
		epoll->waiting++;
		if (from != fd && !err)
			list(loop, fd);
	}
}

static void stop_waiting(struct coil_loop *loop, struct op *op)
{
	struct epoll *epoll = loop->io.data;

	if (epoll->cursor == op)
		epoll->cursor = op->next;
	coil__queue_remove(&loop->io.fds[fd_of(op)].waiters, op);
	epoll->waiting--;
	op->state = TRIED;
}

static void stop_trying(struct epoll *epoll, struct op *op)
{
	coil__queue_remove(&epoll->again, op);
	epoll->again_count--;
	op->state = TRIED;
}

static bool is_multishot(const struct op *op)
{
	if (op->sqe.opcode == IORING_OP_ACCEPT)
		return op->sqe.ioprio & IORING_ACCEPT_MULTISHOT;
	return op->sqe.opcode == IORING_OP_POLL_ADD &&
	       op->sqe.len & IORING_POLL_ADD_MULTI;
}

/*
 * Completes a multishot op for each result and tries it again.  Returns its last result,
 * or 0 if it is queued to go on.  A poll reports changes, so it waits after each result.
 */
static int shoot(struct coil_loop *loop, struct op *op, int res)
{
	for (int shots = 1; res >= 0; shots++) {
		coil__op_complete(loop, op, res, IORING_CQE_F_MORE);
		if (op->cancelled)
			return -ECANCELED;
		if (op->sqe.opcode == IORING_OP_POLL_ADD)
			return -EAGAIN;
		if (shots == SHOTS) {
			try_again(loop->io.data, op, 0);
			return 0;
		}
		res = coil__syscall_try(op);
	}
	return res;
}

/* A raw socket may have the protocol TCP, too, but it is no stream. */
static bool is_tcp(int fd)
{
	int protocol, type;
	socklen_t length = sizeof(int);

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) &&
	       protocol == IPPROTO_TCP &&
	       !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) && type == SOCK_STREAM;
}

static void came_short(struct fd *entry, int fd)
{
	/* Many connections have only one short recv: is_tcp() would cost more than it saves. */
	if (!(entry->flags & SHORT)) {
		entry->flags |= SHORT;
		return;
	}
	if (!(entry->flags & ASKED))
		entry->flags |= ASKED | (is_tcp(fd) ? TCP : 0U);
	if (entry->flags & TCP)
		entry->flags |= DRAINED;
}

static int epoll_receive(struct fd *entry, const struct io_uring_sqe *sqe)
{
	size_t length = op_cut(sqe->len);
	ssize_t n = recv(sqe->fd, (void *)(uintptr_t)sqe->addr, length, MSG_DONTWAIT);

	if (n > 0 && (size_t)n < length && entry->events & EPOLLIN &&
	    !(entry->flags & URGENT_OR_HUP))
		came_short(entry, sqe->fd);
	return n < 0 ? -errno : (int)n;
}

static int transmit(const struct io_uring_sqe *sqe)
{
	size_t length = op_cut(sqe->len);
	ssize_t n = send(sqe->fd, (const void *)(uintptr_t)sqe->addr, length,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : (int)n;
}

static int try_plainly(struct fd *entry, struct op *op)
{
	int res;

	do {
		if (op->sqe.opcode == IORING_OP_SEND)
			res = transmit(&op->sqe);
		else if (entry->flags & DRAINED)
			res = -EAGAIN;
		else
			res = epoll_receive(entry, &op->sqe);
	} while (unlikely(res == -EINTR));
	return res;
}

static bool epoll_attempt(struct coil_loop *loop, struct op *op)
{
	size_t fd = (size_t)op->sqe.fd;

	if (op->sqe.opcode == IORING_OP_READ)
		return coil__syscall_cached(loop, op);
	if (!is_plain(op) || fd >= loop->io.fd_count || loop->io.fds[fd].closer)
		return false;
	op->res = try_plainly(&loop->io.fds[fd], op);
	op->attempted = op->res == -EAGAIN;
	return !op->attempted;
}

/* proceed() for a plain recv or send. */
static bool proceed_plainly(struct coil_loop *loop, struct op *op, int from)
{
	int res = -EAGAIN;

	if (!op->attempted)
		res = try_plainly(&loop->io.fds[op->sqe.fd], op);
	op->attempted = false;
	if (res == -EAGAIN) {
		wait_for_event(loop, op, from);
		return false;
	}
	coil__op_complete(loop, op, res, 0);
	return true;
}

/* Whether op polls for input of a dry socket, which has none. */
static bool is_poll_in_vain(const struct coil_loop *loop, const struct op *op)
{
	return op->hint && (size_t)op->sqe.fd < loop->io.fd_count &&
	       loop->io.fds[op->sqe.fd].flags & DRAINED && events_of(op) == EPOLLIN;
}

/* Tries op.  Returns false if it would block and now waits, or went to the pool. */
static bool proceed(struct coil_loop *loop, struct op *op, int from)
{
	int res = -EAGAIN;

	if (likely(is_plain(op)))
		return proceed_plainly(loop, op, from);
	if (coil__syscall_class(op) != SYSCALL_POOL && !is_poll_in_vain(loop, op))
		res = coil__syscall_try(op);
	if (res >= 0 && is_multishot(op)) {
		res = shoot(loop, op, res);
		if (res >= 0)
			return true;
	}
	if (res == -EAGAIN && !coil__syscall_nowait(op)) {
		if (coil__syscall_class(op) == SYSCALL_POOL)
			epoll_to_pool(loop, op);
		else
			wait_for_event(loop, op, from);
		return false;
	}
	coil__op_complete(loop, op, res, 0);
	return true;
}

static void epoll_submit(struct coil_loop *loop, struct op *op)
{
	struct epoll *epoll = loop->io.data;

	op->sqe.user_data = 0;
	op->state = TRIED;
	/* A completion may submit the next op, which may complete at once: bound the depth. */
	if (epoll->depth == DEPTH) {
		try_again(epoll, op, 0);
		return;
	}
	epoll->depth++;
	proceed(loop, op, -1);
	epoll->depth--;
}

static void epoll_cancel(struct coil_loop *loop, struct op *op)
{
	struct epoll *epoll = loop->io.data;

	switch ((enum state)op->state) {
	case TRIED:
		/* The op's own completion cancels it: shoot() looks at op->cancelled. */
		return;
	case POOLED:
		coil__pool_cancel(loop, op);
		return;
	case WAITING:
		stop_waiting(loop, op);
		break;
	case AGAIN:
		stop_trying(epoll, op);
		break;
	}
	coil__op_complete(loop, op, coil__syscall_cancelled(op), 0);
}

/*
 * Events.
 */

/* An event of fd found no op that waits: silences the fd after a few such events. */
static void unattended(struct coil_loop *loop, int fd)
{
	struct fd *entry = &loop->io.fds[fd];

	if (entry->events & ~EPOLLET &&
	    (++entry->flags & COUNT) >= UNATTENDED) {
		entry->flags &= ~(unsigned)COUNT;
		control(loop, fd, 0);
	}
}

/*
 * Lets the ops that wait for these events try, first to last, until one would block.
 * Then later ops for the same events would, too, except polls, which consume nothing.
 */
static void epoll_fire(struct coil_loop *loop, int fd, uint32_t events)
{
	struct epoll *epoll = loop->io.data;
	uint32_t left = events;
	struct op *op = loop->io.fds[fd].waiters.first;

	loop->io.fds[fd].flags &= ~(unsigned)DRAINED;
	if (events & (EPOLLERR | EPOLLHUP | BESIDES))
		loop->io.fds[fd].flags |= URGENT_OR_HUP;
	if (!op) {
		unattended(loop, fd);
		return;
	}
	loop->io.fds[fd].flags &= ~(unsigned)COUNT;
	for (; op; op = epoll->cursor) {
		bool polls = op->sqe.opcode == IORING_OP_POLL_ADD;
		uint32_t wanted = events_of(op) | EPOLLERR | EPOLLHUP;

		epoll->cursor = op->next;
		if (!(wanted & (polls ? events : left)))
			continue;
		stop_waiting(loop, op);
		if (op->hint)
			coil__op_complete(loop, op, (int)(wanted & events), 0);
		else if (!proceed(loop, op, fd) && !polls)
			left &= ~wanted;
	}
}

static uint32_t wanted_of(const struct coil_loop *loop, int fd)
{
	uint32_t events = 0;

	for (const struct op *op = loop->io.fds[fd].waiters.first; op; op = op->next)
		events |= events_of(op);
	return events;
}

/* Proves the registrations of the listed fds: see "Stale entries" above. */
static void prove(struct coil_loop *loop)
{
	struct epoll *epoll = loop->io.data;

	if (!epoll->round)
		epoll->round = epoll->listed_count;
	for (int n = 0; epoll->proved < epoll->round && n < PROOFS; n++) {
		int fd = epoll->listed[epoll->proved++];

		loop->io.fds[fd].flags &= ~LISTED;
		if (loop->io.fds[fd].waiters.first &&
		    control(loop, fd, wanted_of(loop, fd)))
			epoll_fire(loop, fd, EPOLLERR | EPOLLHUP);
	}
	if (epoll->proved < epoll->round)
		return;
	epoll->listed_count -= epoll->round;
	memmove(epoll->listed, epoll->listed + epoll->round,
		epoll->listed_count * sizeof(*epoll->listed));
	epoll->round = epoll->proved = 0;
	epoll->checked = loop->clock.pass_start;
}

static void try_those_without_events(struct coil_loop *loop)
{
	struct epoll *epoll = loop->io.data;

	epoll->again_at = COIL_FOREVER;
	for (size_t n = epoll->again_count; n && epoll->again.first; n--) {
		struct op *op = epoll->again.first;

		stop_trying(epoll, op);
		proceed(loop, op, -1);
	}
}

static int64_t time_to_sleep(const struct coil_loop *loop, int64_t deadline)
{
	const struct epoll *epoll = loop->io.data;
	int64_t now = coil__clock(loop);
	int64_t ns = deadline == COIL_FOREVER ? deadline : deadline - now;

	if (epoll->round)
		return 0;
	if (epoll->listed_count && ns > IDLE_NS)
		ns = IDLE_NS;
	if (epoll->again.first && ns > epoll->again_at - now)
		ns = epoll->again_at - now;
	return ns > 0 ? ns : 0;
}

static int wait_for_events(struct epoll *epoll, struct epoll_event *events,
			   int64_t ns)
{
	int64_t ms = ns / COIL_MILLISECOND + (ns % COIL_MILLISECOND != 0);
#ifdef SYS_epoll_pwait2
	/* libc's struct timespec has 32 bits on some systems; the system call takes 64. */
	struct __kernel_timespec timeout = { ns / COIL_SECOND, ns % COIL_SECOND };
	long n;

	if (ns > 0 && ns < COIL_FOREVER && !epoll->coarse) {
		n = syscall(SYS_epoll_pwait2, epoll->epoll_fd, events, EVENTS,
			    &timeout, NULL, 0);
		/* Some filters return EPERM for a system call that they do not know. */
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return (int)n;
		epoll->coarse = true;
	}
#endif
	if (ns == COIL_FOREVER)
		ms = -1;
	else if (ms > INT32_MAX)
		ms = INT32_MAX;
	return epoll_wait(epoll->epoll_fd, events, EVENTS, (int)ms);
}

/* A deadline has expired.  An event that came before it wins, so it must be found first. */
static bool before_expiry(const struct coil_loop *loop)
{
	return loop->due.first && !loop->run.marked;
}

/*
 * While tasks are ready, epoll_wait(2) is not worth a call in every pass: it costs as
 * much as about ten switches between tasks.
 */
static bool worth_a_look(struct coil_loop *loop)
{
	struct epoll *epoll = loop->io.data;

	if (!epoll->waiting && !epoll->again.first)
		return false;
	return before_expiry(loop) || loop->clock.pass_start - epoll->looked >= LOOK_NS ||
	       ++epoll->skipped >= SKIPS;
}

static void epoll_poll(struct coil_loop *loop, int64_t deadline)
{
	struct epoll *epoll = loop->io.data;
	struct epoll_event events[EVENTS];
	int64_t ns = 0;
	int n;

	loop->io.more = false;
	if (!deadline && !worth_a_look(loop))
		return;
	if (deadline)
		ns = time_to_sleep(loop, deadline);
	n = wait_for_events(epoll, events, ns);
	if (unlikely(n < 0 && errno != EINTR))
		coil__die(loop->main, "cannot go on: the loop's epoll fd was closed");
	loop->io.more = n == EVENTS;
	epoll->looked = loop->clock.pass_start;
	epoll->skipped = 0;
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd != epoll->wake_fd)
			epoll_fire(loop, events[i].data.fd, events[i].events);
	}
	if (epoll->again.first &&
	    ((!n && ns) || before_expiry(loop) || coil__clock(loop) >= epoll->again_at))
		try_those_without_events(loop);
	if (epoll->listed_count &&
	    (epoll->round || (!n && ns >= IDLE_NS) ||
	     loop->clock.pass_start - epoll->checked >= CHECK_NS))
		prove(loop);
}

/* The eventfd is edge-triggered, so the loop need not read it.  Not write(): see uring.c. */
static void epoll_wake(struct coil_loop *loop)
{
	struct epoll *epoll = loop->io.data;
	const uint64_t one = 1;

	if (syscall(SYS_write, epoll->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/*
 * Opening and closing.
 */

static int open_fds(struct epoll *epoll, char *reason, size_t size)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	const char *call = "epoll_create1";
	int err;

	epoll->wake_fd = -1;
	epoll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll->epoll_fd >= 0) {
		call = "eventfd";
		epoll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	if (epoll->wake_fd >= 0) {
		call = "epoll_ctl";
		event.data.fd = epoll->wake_fd;
		if (!epoll_ctl(epoll->epoll_fd, EPOLL_CTL_ADD, epoll->wake_fd,
			       &event))
			return 0;
	}
	err = -errno;
	snprintf(reason, size, "%s: %s", call, strerror(-err));
	return err;
}

static void free_epoll(struct epoll *epoll)
{
	if (epoll->epoll_fd >= 0)
		close(epoll->epoll_fd);
	if (epoll->wake_fd >= 0)
		close(epoll->wake_fd);
	free(epoll->listed);
	free(epoll);
}

static int epoll_open(struct coil_loop *loop,
		      const struct coil_options *options,
		      char *reason, size_t size)
{
	struct epoll *epoll = calloc(1, sizeof(*epoll));
	int slack = prctl(PR_GET_TIMERSLACK), err;

	(void)options;
	if (!epoll)
		return -ENOMEM;
	loop->clock.slack = slack > 0 ? slack : 0;
	err = open_fds(epoll, reason, size);
	if (err) {
		free_epoll(epoll);
		return err;
	}
	loop->io.data = epoll;
	loop->io.backend_fds[0] = epoll->epoll_fd;
	loop->io.backend_fds[1] = epoll->wake_fd;
	return 0;
}

static void epoll_close(struct coil_loop *loop)
{
	free_epoll(loop->io.data);
	loop->io.data = NULL;
}

const struct backend coil__epoll = {
	.name = "epoll",
	.open = epoll_open,
	.close = epoll_close,
	.attempt = epoll_attempt,
	.submit = epoll_submit,
	.cancel = epoll_cancel,
	.poll = epoll_poll,
	.wake = epoll_wake,
};
