/* SPDX-License-Identifier: MIT */
/*
 * The io_uring backend.
 *
 * The backend copies an op into the ring; the copy's user_data is the op's address.
 * The op must live until its last completion, the one without IORING_CQE_F_MORE: until
 * then the kernel may write to the op's buffers.  So a cancelled op, too, waits for its
 * own completion, which carries the op's result or -ECANCELED, -EINTR or one of
 * the kernel's -512 to -516.  The cancel is an operation of its own, and its result is
 * ignored: -ENOENT means that the op has completed, -EALREADY that it will.
 *
 * The loop's own operations have small numbers as user_data.  One is a read of an
 * eventfd, which other threads write to wake the loop.  One is an absolute timeout for
 * the nearest deadline.  A nearer deadline moves the timeout.  A later one leaves it
 * alone: the loop may wake for nothing, but most of a million sleeps cost no operation.
 *
 * With DEFER_TASKRUN the kernel posts completions only when the ring's thread enters
 * the kernel to get them.  TASKRUN_FLAG shows that there are some, so a loop whose
 * tasks only yield makes no system call.
 *
 * The fallback (core/backend/syscall.c) makes a plain system call for an op that the ring
 * cannot or must not perform.  docs/backends.md lists these ops, under "The system-call
 * fallback".  If the call would block, the ring first polls the fd, or a thread of the
 * pool makes the call.
 */
#include "core/backend/backend.h"
#include "core/task/list.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include "core/backend/move.h"
#include "core/backend/syscall.h"
#include "core/backend/pool.h"
#include "core/backend/uring.h"
#include <coil/time.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Index in backend_fds of an epoll fd, which the first has_poll() opens. */
enum { PROBE = 2 };

enum state {
	IN_RING,
	IN_RING_REFUSED,	/* the ring completed it with -EACCES */
	IN_RING_POLL,		/* fallback: the ring waits until its fd is ready */
	IN_RING_EDGES,		/* fallback: the ring waits until its fd's state changes */
	IN_RING_LAST,		/* op->res is final; the poll for changes has yet to end */
	IN_POOL,		/* fallback: a thread makes the system call */
	IN_VAIN,		/* a poll of a file that reports no events */
	IN_LINE,		/* waits until fewer ops receive from its fd */
	IN_BACKLOG,		/* waits for room in the ring */
	IN_BACKLOG_POLL,	/* fallback: its poll waits for room in the ring */
};

static int uring_open(struct coil_loop *loop, const struct coil_options *options,
		      char *reason, size_t size)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	int err;

	if (!uring)
		return -ENOMEM;
	uring->loop = loop;
	uring->armed = COIL_FOREVER;
	uring->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (uring->wake_fd < 0) {
		err = -errno;
		free(uring);
		return err;
	}
	err = coil__uring_set_up(uring, options, reason, size);
	if (err) {
		close(uring->wake_fd);
		free(uring);
		return err;
	}
	loop->io.data = uring;
	loop->io.backend_fds[0] = uring->ring.ring_fd;
	loop->io.backend_fds[1] = uring->wake_fd;
	return 0;
}

static void uring_close(struct coil_loop *loop)
{
	struct uring *uring = loop->io.data;
	uint64_t one = 1;

	/* The kernel must not write to wake_value once it is freed. */
	if (uring->wake_armed && write(uring->wake_fd, &one, sizeof(one)) == sizeof(one)) {
		while (uring->wake_armed)
			loop->io.backend->poll(loop, COIL_FOREVER);
	}
	sanitize_mapping();
	io_uring_queue_exit(&uring->ring);
	close(uring->wake_fd);
	if (loop->io.backend_fds[PROBE] >= 0)
		close(loop->io.backend_fds[PROBE]);
	loop->io.backend_fds[PROBE] = -1;
	free(uring);
	loop->io.data = NULL;
}

/*
 * Submitting.  The kernel may refuse to take anything for a moment (-EAGAIN, -EBUSY,
 * -ENOMEM, -EINTR), and the ring may stay full.  Room then goes first to the backlog (ops,
 * cancels and polls), then to the read of the eventfd, then to the timeout.
 * uring_poll() does not sleep before all of them are in the ring.
 */

static struct io_uring_sqe *room(struct uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (unlikely(!sqe)) {
		io_uring_submit(&uring->ring);
		sqe = io_uring_get_sqe(&uring->ring);
	}
	return sqe;
}

/* Returns NULL if the backlog is not empty or the ring has no room. */
static struct io_uring_sqe *get_sqe(struct uring *uring)
{
	return likely(!uring->backlog.head) ? room(uring) : NULL;
}

static struct link *op_link(struct op *op)
{
	return (struct link *)&op->next;
}

/* Values of op->queued. */
enum queue { QUEUE_NONE, QUEUE_BACKLOG, QUEUE_LATE, QUEUE_SORTED };

static void push_backlog(struct uring *uring, struct op *op)
{
	op->queued = QUEUE_BACKLOG;
	list_push(&uring->backlog, op_link(op));
}

static void pull(struct uring *uring, struct op *op)
{
	struct list *list = op->queued == QUEUE_BACKLOG ? &uring->backlog :
			    op->queued == QUEUE_LATE ? &uring->late : &uring->sorted;

	op->queued = QUEUE_NONE;
	list_remove(list, op_link(op));
}

/*
 * Returns whether fd's file has a poll method.  The ring calls the method before it gives
 * the file to a worker thread.  A FUSE file's method asks the server, and the loop's thread
 * would wait.  epoll refuses (EPERM) a file without the method, even for the deletion of an
 * fd that was never added.
 */
static bool has_poll(struct uring *uring, int fd)
{
	struct epoll_event none = {0};
	int *probe_fd = &uring->loop->io.backend_fds[PROBE];

	if (*probe_fd < 0)
		*probe_fd = epoll_create1(EPOLL_CLOEXEC);
	return !epoll_ctl(*probe_fd, EPOLL_CTL_DEL, fd, &none) || errno != EPERM;
}

/*
 * Returns 0 if the ring may do op, -EAGAIN if the fallback must, or an error.
 *
 * The ring reads or writes a ready terminal or FIFO in the loop's thread.  If its fd is
 * blocking, the loop's thread then waits: for room for the rest of a write, or for
 * bytes that another process took first.  The ring cannot prevent that wait.
 */
static int uring_check(struct uring *uring, const struct op *op)
{
	int fd = op->sqe.fd, err;

	if (unlikely(uring->refused[op->sqe.opcode]))
		return -EAGAIN;
	if (!coil__move_is(op))
		return 0;
	err = coil__move_check(op);
	if (!err && has_poll(uring, fd) && (!coil__is_nonblocking(fd) || coil__is_file(fd)))
		err = -EAGAIN;
	return err;
}

static void put_op(struct uring *uring, struct io_uring_sqe *sqe, struct op *op)
{
	op->state = IN_RING;
	op->sequence = uring->sequence++;
	*sqe = op->sqe;
	sqe->user_data = (uintptr_t)op;
	/*
	 * A send must not wait in the ring for room.  Later the ring would send only the
	 * bytes that it has not copied yet.  It has copied all bytes of a datagram, so the
	 * peer would get an empty one (AF_UNIX, Linux 6.18).  The fallback waits instead.
	 */
	if (op->sqe.opcode == IORING_OP_SEND || op->sqe.opcode == IORING_OP_SENDMSG)
		sqe->msg_flags |= MSG_DONTWAIT;
}

static void submit_ring(struct uring *uring, struct op *op)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (likely(sqe)) {
		put_op(uring, sqe, op);
	} else {
		op->state = IN_BACKLOG;
		push_backlog(uring, op);
	}
}

static void put_cancel(struct uring *uring, struct io_uring_sqe *sqe, struct op *op)
{
	uring->cancels++;
	io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
	sqe->user_data = TAG_IGNORE;
}

/*
 * Many cancels in one pass.
 *
 * The kernel keeps its ops in at most 256 lists, each with the newest op first.  With
 * 100,000 receives in them a cancel of the oldest op walks a long list, for 33 us.  So
 * only the first few cancels of a pass go to the kernel at once.  The others wait for
 * the end of the pass and go newest op first, so that each op is near the head of its
 * list.  The number in a pass is bounded, so that the loop does not stall.  The order
 * need not be exact: ops of similar age share a bucket.
 */
enum {
	CANCELS_AT_ONCE = 64,
	CANCELS_A_PASS = 1024,
	CANCELS_WAITED_FOR = 16,	/* if there are more, uring_enter() waits for them all */
	BUCKETS = 256,
};

static uint32_t age(const struct uring *uring, uint32_t sequence)
{
	return uring->sequence - sequence;
}

static void submit_cancel(struct uring *uring, struct op *op)
{
	bool late = uring->cancels >= CANCELS_AT_ONCE;
	struct io_uring_sqe *sqe = late ? NULL : get_sqe(uring);

	if (likely(sqe)) {
		put_cancel(uring, sqe, op);
	} else if (late) {
		if (!uring->late.head || age(uring, op->sequence) > age(uring, uring->oldest))
			uring->oldest = op->sequence;
		op->queued = QUEUE_LATE;
		list_push(&uring->late, op_link(op));
	} else {
		push_backlog(uring, op);
	}
}

static void uring_append(struct list *list, const struct list *more)
{
	if (!more->head)
		return;
	if (list->tail) {
		list->tail->next = more->head;
		more->head->prev = list->tail;
	} else {
		list->head = more->head;
	}
	list->tail = more->tail;
}

static void sort_late(struct uring *uring)
{
	struct list buckets[BUCKETS] = {0};
	uint32_t range = age(uring, uring->oldest);
	struct link *link;
	int shift = 0;

	while (range >> shift >= BUCKETS)
		shift++;
	while ((link = list_pop(&uring->late))) {
		struct op *op = container_of(link, struct op, next);

		uint32_t place = age(uring, op->sequence) >> shift;

		/* The counter wraps: after 2^32 ops the oldest looks like the newest. */
		if (place >= BUCKETS)
			place = BUCKETS - 1;
		op->queued = QUEUE_SORTED;
		list_push(&buckets[place], link);
	}
	for (int i = 0; i < BUCKETS; i++)
		uring_append(&uring->sorted, &buckets[i]);
}

/* Returns false if some are left for the next pass. */
static bool submit_late(struct uring *uring)
{
	unsigned max = uring->ring.cq.ring_entries / 4;
	struct link *link;

	if (max > CANCELS_A_PASS)
		max = CANCELS_A_PASS;
	if (unlikely(uring->late.head) && !uring->sorted.head)
		sort_late(uring);
	while (unlikely((link = uring->sorted.head)) && uring->cancels < max) {
		struct op *op = container_of(link, struct op, next);
		struct io_uring_sqe *sqe = get_sqe(uring);

		if (!sqe)
			return false;
		pull(uring, op);
		put_cancel(uring, sqe, op);
	}
	return !uring->sorted.head && !uring->late.head;
}

/*
 * Puts a poll into the ring that completes when op may succeed.  If no event can show
 * that, puts a timeout of 2 ms.
 *
 * The kernel's poll also completes for EPOLLRDHUP, EPOLLERR and EPOLLHUP.  They may
 * stay set for hours while op would still block: a peer half-closed and reads nothing,
 * or the program does not read an error queue.  A second plain poll would complete
 * at once, and the loop would spin.  So the polls after the first are multishot and
 * thereby edge-triggered: each reports the state once, then every change.  The first
 * is plain, because a multishot poll must be cancelled at the end of the wait.
 */
static void put_poll(struct uring *uring, struct io_uring_sqe *sqe, struct op *op)
{
	static struct __kernel_timespec moment = { .tv_nsec = 2 * COIL_MILLISECOND };
	short events = coil__syscall_events(op);
	bool blind = !events && op->sqe.opcode != IORING_OP_POLL_ADD;
	bool edges = op->state == IN_RING_POLL;

	op->state = IN_RING_POLL;
	if (blind || (edges && uring->no_edges)) {
		io_uring_prep_timeout(sqe, &moment, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	} else {
		io_uring_prep_poll_add(sqe, coil__syscall_fd(op), (unsigned)events);
		if (edges) {
			sqe->len = IORING_POLL_ADD_MULTI;
			op->state = IN_RING_EDGES;
		}
	}
	sqe->user_data = (uintptr_t)op;
	op->sequence = uring->sequence++;
}

static void submit_poll(struct uring *uring, struct op *op)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (likely(sqe)) {
		put_poll(uring, sqe, op);
	} else {
		op->state = IN_BACKLOG_POLL;
		push_backlog(uring, op);
	}
}

/* Returns whether all of the backlog is in the ring. */
static bool drain_backlog(struct uring *uring)
{
	struct link *link;

	while (unlikely((link = uring->backlog.head))) {
		struct op *op = container_of(link, struct op, next);
		struct io_uring_sqe *sqe = room(uring);

		if (!sqe)
			return false;
		pull(uring, op);
		if (op->state == IN_BACKLOG)
			put_op(uring, sqe, op);
		else if (op->state == IN_BACKLOG_POLL)
			put_poll(uring, sqe, op);
		else
			put_cancel(uring, sqe, op);
	}
	return true;
}

/*
 * Many tasks may receive from one fd.  For each message the kernel would wake all of
 * their ops, and all but one in vain.  So only a few receives of an fd are in the ring;
 * the others wait in a queue, first come first served, until one of those has ended.
 */

enum { RECEIVES = 8 };

/* A receive with other flags may wait for something else than the next data. */
static bool receives(const struct op *op)
{
	unsigned char code = op->sqe.opcode;

	return (code == IORING_OP_RECV || code == IORING_OP_RECVMSG) &&
	       !(op->sqe.msg_flags & ~(unsigned)MSG_CMSG_CLOEXEC);
}

static void submit_receive(struct uring *uring, struct op *op)
{
	struct fd *fd = &uring->loop->io.fds[op->sqe.fd];

	if (likely(fd->flags < RECEIVES)) {
		fd->flags++;
		op->counted = true;
		submit_ring(uring, op);
	} else {
		op->state = IN_LINE;
		coil__queue_insert(&fd->waiters, op, NULL);
	}
}

/* op has left the ring: the next receive of its fd takes its place. */
static void uring_leave(struct uring *uring, struct op *op)
{
	struct fd *fd = &uring->loop->io.fds[op->sqe.fd];
	struct op *next = fd->waiters.first;

	op->counted = false;
	fd->flags--;
	if (likely(!next))
		return;
	coil__queue_remove(&fd->waiters, next);
	submit_receive(uring, next);
}

static void uring_to_pool(struct uring *uring, struct op *op)
{
	int err;

	op->state = IN_POOL;
	err = coil__pool_syscall(uring->loop, op);
	if (err)
		coil__op_complete(uring->loop, op, err, 0);
}

static void fallback(struct uring *uring, struct op *op)
{
	int res;

	if (op->cancelled) {
		coil__op_complete(uring->loop, op, coil__syscall_cancelled(op), 0);
		return;
	}
	res = coil__syscall_class(op) == SYSCALL_POOL ? -EAGAIN : coil__syscall_try(op);
	if (res == -EAGAIN && !coil__syscall_nowait(op)) {
		if (coil__syscall_class(op) == SYSCALL_POOL)
			uring_to_pool(uring, op);
		else
			submit_poll(uring, op);
		return;
	}
	/* The file did not refuse, so a filter of the ring did, and will again. */
	if (op->state == IN_RING_REFUSED && res != -EACCES)
		uring->refused[op->sqe.opcode] = true;
	coil__op_complete(uring->loop, op, res, 0);
}

/*
 * Handles a change that the multishot poll of op has reported.  The poll goes on, or is
 * cancelled if op now has a result or must wait for something else.
 */
static void changed(struct uring *uring, struct op *op)
{
	int fd = coil__syscall_fd(op);
	short events = coil__syscall_events(op);

	if (op->cancelled || op->state == IN_RING_LAST)
		return;
	op->res = coil__syscall_try(op);
	if (op->res == -EAGAIN && !coil__syscall_nowait(op) &&
	    coil__syscall_class(op) != SYSCALL_POOL &&
	    fd == coil__syscall_fd(op) && events == coil__syscall_events(op))
		return;
	op->state = IN_RING_LAST;
	submit_cancel(uring, op);
}

static void uring_submit(struct coil_loop *loop, struct op *op)
{
	struct uring *uring = loop->io.data;
	int err = uring_check(uring, op);

	if (likely(!err) && receives(op))
		submit_receive(uring, op);
	else if (likely(!err))
		submit_ring(uring, op);
	else if (err == -EAGAIN)
		fallback(uring, op);
	else
		coil__op_complete(loop, op, err, 0);
}

static void uring_cancel(struct coil_loop *loop, struct op *op)
{
	struct uring *uring = loop->io.data;

	op->cancelled = true;
	switch ((enum state)op->state) {
	case IN_RING:
	case IN_RING_REFUSED:
	case IN_RING_POLL:
	case IN_RING_EDGES:
		submit_cancel(uring, op);
		break;
	case IN_RING_LAST:
		break;
	case IN_POOL:
		coil__pool_cancel(loop, op);
		break;
	case IN_LINE:
		coil__queue_remove(&loop->io.fds[op->sqe.fd].waiters, op);
		coil__op_complete(loop, op, -ECANCELED, 0);
		break;
	case IN_VAIN:
		coil__op_complete(loop, op, -ECANCELED, 0);
		break;
	case IN_BACKLOG:
	case IN_BACKLOG_POLL:
		pull(uring, op);
		if (op->counted)
			uring_leave(uring, op);
		coil__op_complete(loop, op, coil__syscall_cancelled(op), 0);
		break;
	}
}

/* The last completion of the poll or timeout that stands in for op. */
static void poll_ended(struct uring *uring, struct op *op, int res)
{
	bool last = op->state == IN_RING_LAST;

	if (op->state == IN_RING_EDGES && res == -EINVAL) {
		uring->no_edges = true;		/* before Linux 5.13 */
		res = 0;
	}
	if (last)
		res = op->res == -EAGAIN && !coil__syscall_nowait(op) ? OP_UNDONE : op->res;
	else
		res = coil__op_result(op, OP_BY_POLL, res);
	/* After a poll for changes the next wait is a new one: its first poll is plain. */
	op->state = last ? IN_RING : IN_RING_POLL;
	if (res == OP_UNDONE)
		fallback(uring, op);
	else
		coil__op_complete(uring->loop, op, res, 0);
}

/*
 * Returns true if a caller's poll completed only for events that the kernel had added to
 * those of the caller.
 */
static bool polled_in_vain(const struct op *op, int res)
{
	return op->sqe.opcode == IORING_OP_POLL_ADD && res >= 0 && !op->sqe.len &&
	       !(res & (coil__syscall_events(op) | POLLERR | POLLHUP));
}

static void failed(struct uring *uring, struct op *op, int res, unsigned flags)
{
	int mapped = coil__op_result(op, OP_BY_RING, res);

	/* The file reports no events.  Like poll(2), op waits until it is cancelled. */
	if (op->sqe.opcode == IORING_OP_POLL_ADD && mapped == -EINVAL) {
		op->state = IN_VAIN;
		if (op->cancelled)
			coil__op_complete(uring->loop, op, -ECANCELED, 0);
		return;
	}
	if (mapped != OP_UNDONE) {
		coil__op_complete(uring->loop, op, mapped, flags);
		return;
	}
	if (res == -EACCES)
		op->state = IN_RING_REFUSED;
	fallback(uring, op);
}

static void uring_complete(struct uring *uring, struct op *op, int res, unsigned flags)
{
	if (unlikely(op->state != IN_RING && flags & IORING_CQE_F_MORE)) {
		changed(uring, op);
		return;
	}
	if (unlikely(op->queued))
		pull(uring, op);
	if (op->counted)
		uring_leave(uring, op);
	if (unlikely(op->state != IN_RING)) {
		poll_ended(uring, op, res);
	} else if (unlikely(res < 0)) {
		failed(uring, op, res, flags);
	} else if (unlikely(polled_in_vain(op, res))) {
		op->state = IN_RING_POLL;
		fallback(uring, op);
	} else {
		coil__op_complete(uring->loop, op, res, flags);
	}
}

static void own_completion(struct uring *uring, uint64_t tag, int res)
{
	switch ((enum tag)tag) {
	case TAG_TIMEOUT:
		uring->armed = COIL_FOREVER;
		break;
	case TAG_MOVE:
		/* The timeout expired before the move, or the move failed. */
		if (res < 0)
			uring->armed = COIL_FOREVER;
		break;
	case TAG_WAKE:
		uring->wake_armed = false;
		break;
	default:
		break;
	}
}

static unsigned reap(struct uring *uring)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&uring->ring, head, cqe) {
		uint64_t data = cqe->user_data;
		int res = cqe->res;
		unsigned flags = cqe->flags;

		n++;
		if (unlikely(data < TAG_LAST))
			own_completion(uring, data, res);
		else
			uring_complete(uring, (struct op *)(uintptr_t)data, res, flags);
	}
	io_uring_cq_advance(&uring->ring, n);
	return n;
}

/* arm_wake() and uring_arm() return false if the ring has no room. */
static bool arm_wake(struct uring *uring)
{
	struct io_uring_sqe *sqe;

	if (likely(uring->wake_armed))
		return true;
	sqe = room(uring);
	if (!sqe)
		return false;
	io_uring_prep_read(sqe, uring->wake_fd, &uring->wake_value, sizeof(uring->wake_value), 0);
	sqe->user_data = TAG_WAKE;
	uring->wake_armed = true;
	return true;
}

static bool uring_arm(struct uring *uring, int64_t deadline)
{
	bool move = uring->armed != COIL_FOREVER;
	struct io_uring_sqe *sqe;

	if (deadline >= uring->armed)
		return true;
	sqe = room(uring);
	if (!sqe)
		return false;
	uring->deadline.tv_sec = deadline / COIL_SECOND;
	uring->deadline.tv_nsec = deadline % COIL_SECOND;
	if (move)
		io_uring_prep_timeout_update(sqe, &uring->deadline, TAG_TIMEOUT,
					     IORING_TIMEOUT_ABS);
	else
		io_uring_prep_timeout(sqe, &uring->deadline, 0, IORING_TIMEOUT_ABS);
	sqe->user_data = move ? TAG_MOVE : TAG_TIMEOUT;
	uring->armed = deadline;
	return true;
}

/* Whether the kernel has completions that it posts only when the loop enters it. */
static bool holds_more(const struct uring *uring)
{
	unsigned flags = IO_URING_READ_ONCE(*uring->ring.sq.kflags);

	return flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/*
 * The kernel took nothing.  Reaping completions may free the memory that it lacks.  If
 * there are none, a loop without other work waits up to 1 ms and tries again.
 */
static void give_time(struct uring *uring, bool wait)
{
	struct pollfd pollfd = { .fd = uring->ring.ring_fd, .events = POLLIN };

	if (holds_more(uring))
		io_uring_get_events(&uring->ring);
	if (wait && !io_uring_cq_ready(&uring->ring))
		(void)poll(&pollfd, 1, 1);
}

/*
 * The kernel counts a thread that sleeps in a ring as one that waits for a disk: an
 * idle server looks like a busy machine in iowait and /proc/pressure/io.  NO_IOWAIT
 * prevents that.  liburing before 2.10 cannot pass it, so the system call is made here.
 */
static int submit_and_sleep(struct uring *uring)
{
	struct io_uring *ring = &uring->ring;
	struct io_uring_sq *sq = &ring->sq;
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_NO_IOWAIT;
	long n;

	if (!(ring->features & IORING_FEAT_NO_IOWAIT))
		return io_uring_submit_and_wait(ring, 1);
	if (uring->registered)
		flags |= IORING_ENTER_REGISTERED_RING;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	n = syscall(__NR_io_uring_enter, ring->enter_ring_fd,
		    sq->sqe_tail - IO_URING_READ_ONCE(*sq->khead), 1, flags, NULL, 0);
	return n < 0 ? -errno : (int)n;
}

/*
 * A cancelled op stays in the kernel's lists until the kernel has ended it.  One call
 * ends only 20 (Linux 6.13 and later), unless it has to wait for more completions.
 * Each cancel completes at once, so the call returns without a real wait.
 */
static int uring_enter(struct uring *uring, bool sleep)
{
	unsigned cancels = uring->cancels;

	uring->cancels = 0;
	if (unlikely(cancels > CANCELS_WAITED_FOR))
		return io_uring_submit_and_wait(&uring->ring, cancels);
	if (sleep)
		return submit_and_sleep(uring);
	if (io_uring_sq_ready(&uring->ring) || holds_more(uring))
		return io_uring_submit_and_get_events(&uring->ring);
	return 0;
}

static void uring_poll(struct coil_loop *loop, int64_t deadline)
{
	struct uring *uring = loop->io.data;
	bool wait = deadline > loop->clock.pass_start && !io_uring_cq_ready(&uring->ring);
	bool all = drain_backlog(uring) && arm_wake(uring) && (!wait || uring_arm(uring,
										  deadline));
	bool late = !submit_late(uring);
	int err = uring_enter(uring, wait && all && !late);

	if (unlikely(err < 0 && err != -EINTR))
		give_time(uring, wait);
	reap(uring);
	loop->io.more = !all || holds_more(uring);
}

static void uring_wake(struct coil_loop *loop)
{
	struct uring *uring = loop->io.data;
	uint64_t one = 1;

	/*
	 * Not write(), which is a cancellation point: a thread that pthread_cancel() ended
	 * there would count as a sender for ever.
	 */
	if (syscall(SYS_write, uring->wake_fd, &one, sizeof(one)) < 0)
		return;
}

const struct backend coil__uring = {
	.name = "uring",
	.open = uring_open,
	.close = uring_close,
	.attempt = coil__syscall_cached,	/* only cached reads are faster than the ring */
	.submit = uring_submit,
	.cancel = uring_cancel,
	.poll = uring_poll,
	.wake = uring_wake,
};
