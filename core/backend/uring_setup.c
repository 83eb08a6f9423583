/* SPDX-License-Identifier: MIT */
/*
 * Sets a ring up with those of the wanted flags that this kernel knows.  The set-up
 * fails if the ring refuses an operation that every loop needs.
 */
#include "core/task/sanitize.h"
#include "core/backend/uring.h"
#include <coil/run.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 256, CQ_FACTOR = 16, CQ_FACTOR_SMALL = 2, CQ_MAX = 65536 };
enum { LIMIT_MS = 32 };		/* the longest wait for memory; all waits: 63 ms */
enum { TRIES = 50 };		/* 1 ms apart */

static const struct { unsigned flag; const char *name; } wanted[] = {
	{ IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN" },
	{ IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER" },
	{ IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN" },
	{ IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG" },
	{ IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ IORING_SETUP_CLAMP, "CLAMP" },
	{ IORING_SETUP_CQSIZE, "CQSIZE" },
};

enum { WANTED = sizeof(wanted) / sizeof(*wanted) };

/* Drops the flags that are refused, or are of no use, in this combination. */
static unsigned consistent(unsigned flags)
{
	if (!(flags & IORING_SETUP_SINGLE_ISSUER))
		flags &= ~IORING_SETUP_DEFER_TASKRUN;
	if (flags & IORING_SETUP_DEFER_TASKRUN)
		flags &= ~IORING_SETUP_COOP_TASKRUN;
	/* Without TASKRUN_FLAG the loop would not see that completions are pending. */
	if (!(flags & IORING_SETUP_TASKRUN_FLAG))
		flags &= ~(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN);
	if (!(flags & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN)))
		flags &= ~IORING_SETUP_TASKRUN_FLAG;
	return flags;
}

static int try_flags(struct uring *uring, unsigned entries, unsigned flags)
{
	struct io_uring_params params = { .flags = consistent(flags) | uring->disabled };

	params.cq_entries = entries * (uring->small ? CQ_FACTOR_SMALL : CQ_FACTOR);
	if (params.cq_entries > CQ_MAX)
		params.cq_entries = CQ_MAX;
	uring->flags = params.flags;
	return io_uring_queue_init_params(entries, &uring->ring, &params);
}

/* Tries all flags, then all but one, then fewer and fewer. */
static int set_up(struct uring *uring, unsigned entries)
{
	unsigned all = 0;
	int err;

	for (int i = 0; i < WANTED; i++)
		all |= wanted[i].flag;
	err = try_flags(uring, entries, all);
	for (int i = 0; i < WANTED && err == -EINVAL; i++)
		err = try_flags(uring, entries, all & ~wanted[i].flag);
	for (int i = 0; i < WANTED && err == -EINVAL; i++) {
		all &= ~wanted[i].flag;
		err = try_flags(uring, entries, all);
	}
	return err;
}

/*
 * A ring counts against its user's RLIMIT_MEMLOCK, and the kernel returns the memory of
 * a closed ring some milliseconds late, so a retry may succeed.  A small completion
 * ring overflows sooner; that costs time, but the kernel loses no completion.
 */
static int set_up_within_limit(struct uring *uring, unsigned entries)
{
	int err = set_up(uring, entries);

	for (int ms = 1; err == -ENOMEM && ms <= LIMIT_MS; ms *= 2) {
		(void)poll(NULL, 0, ms);
		err = set_up(uring, entries);
	}
	uring->small = err == -ENOMEM;
	if (uring->small)
		err = set_up(uring, entries);
	return err;
}

/* DEFER_TASKRUN includes what COOP_TASKRUN does, so that flag is not missing then. */
static void say_flags(const struct uring *uring, char *reason, size_t size)
{
	unsigned flags = uring->flags;
	size_t used = 0;

	if (flags & IORING_SETUP_DEFER_TASKRUN)
		flags |= IORING_SETUP_COOP_TASKRUN;
	for (int i = 0; i < WANTED && used < size; i++) {
		if (flags & wanted[i].flag)
			continue;
		used += (size_t)snprintf(reason + used, size - used, "%s%s",
					 used ? ", " : "io_uring without ", wanted[i].name);
	}
	if (uring->small && used < size)
		snprintf(reason + used, size - used,
			 "%s a completion ring of %u entries (RLIMIT_MEMLOCK)",
			 used ? ", with" : "io_uring with", uring->ring.cq.ring_entries);
}

static void say_refusal(int err, char *reason, size_t size)
{
	FILE *file = err == -EPERM ? fopen("/proc/sys/kernel/io_uring_disabled", "re") : NULL;
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int disabled = 0;

	if (file && fscanf(file, "%d", &disabled) != 1)
		disabled = 0;
	if (file)
		fclose(file);
	if (err == -ENOMEM)
		getrlimit(RLIMIT_MEMLOCK, &limit);
	if (disabled)
		snprintf(reason, size, "io_uring_setup: EPERM (kernel.io_uring_disabled=%d)",
			 disabled);
	else if (limit.rlim_cur != RLIM_INFINITY)
		snprintf(reason, size, "io_uring_setup: ENOMEM (RLIMIT_MEMLOCK is %llu KiB)",
			 (unsigned long long)limit.rlim_cur / 1024);
	else
		snprintf(reason, size, "io_uring_setup: %s", strerrorname_np(-err));
}

/* Asks the kernel, because distributions patch kernels: a version proves nothing. */
static int probe(struct uring *uring, char *reason, size_t size)
{
	static const unsigned char needed[] = {
		IORING_OP_READ, IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE,
		IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
	};
	struct io_uring_probe *probe = io_uring_get_probe_ring(&uring->ring);

	if (!probe && uring->ring.features & IORING_FEAT_FAST_POLL) {
		snprintf(reason, size, "io_uring could not be asked what it can do");
		return -ENOMEM;
	}
	if (!probe || !(uring->ring.features & IORING_FEAT_FAST_POLL)) {
		snprintf(reason, size, "io_uring is too old here");
		io_uring_free_probe(probe);
		return -ENOSYS;
	}
	for (int i = 0; i < 256; i++)
		uring->refused[i] = !io_uring_opcode_supported(probe, i);
	io_uring_free_probe(probe);
	for (size_t i = 0; i < sizeof(needed); i++) {
		if (!uring->refused[needed[i]])
			continue;
		snprintf(reason, size, "io_uring lacks opcode %d", needed[i]);
		return -ENOSYS;
	}
	return 0;
}

/* Whether io_uring_enter(2) failed for lack of memory or a signal, and may be retried. */
static bool passes(int err)
{
	return err == -EAGAIN || err == -EBUSY || err == -EINTR || err == -ENOMEM;
}

/* Submits what is in the ring and waits for a number of completions. */
static int submit(struct uring *uring, unsigned completions)
{
	int err = io_uring_submit_and_wait(&uring->ring, completions);

	for (int i = 0; i < TRIES && passes(err); i++) {
		(void)poll(NULL, 0, 1);
		err = io_uring_submit_and_wait(&uring->ring, completions);
	}
	return err < 0 ? err : 0;
}

static int setup_put(struct uring *uring, const struct io_uring_sqe *sqe)
{
	struct io_uring_sqe *to = io_uring_get_sqe(&uring->ring);
	int err = 0;

	while (!to && !err) {
		err = submit(uring, 0);
		to = io_uring_get_sqe(&uring->ring);
	}
	if (to)
		*to = *sqe;
	return to ? 0 : err;
}

static int next_result(struct uring *uring, int *res)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&uring->ring, &cqe)) {
		int err = submit(uring, 1);

		if (err)
			return err;
	}
	*res = cqe->res;
	io_uring_cqe_seen(&uring->ring, cqe);
	return 0;
}

/*
 * A filter may refuse an opcode on its completion only, and a loop needs these five
 * opcodes.  So this tries each: a poll, a read and a timeout that do not end, a move
 * of the timeout, and a cancel of the first three.
 */
static int try_essentials(struct uring *uring, char *reason, size_t size)
{
	static const enum tag endless[] = { TAG_TEST, TAG_WAKE, TAG_TIMEOUT };
	struct __kernel_timespec far = { .tv_sec = 1 << 30 };
	struct io_uring_sqe sqes[7];
	int err = 0, res = 0;

	memset(sqes, 0, sizeof(sqes));
	io_uring_prep_poll_add(&sqes[0], uring->wake_fd, POLLIN);
	io_uring_prep_read(&sqes[1], uring->wake_fd, &uring->wake_value,
			   sizeof(uring->wake_value), 0);
	io_uring_prep_timeout(&sqes[2], &far, 0, 0);
	io_uring_prep_timeout_update(&sqes[3], &far, TAG_TIMEOUT, 0);
	sqes[3].user_data = TAG_MOVE;
	for (int i = 0; i < 3; i++) {
		sqes[i].user_data = endless[i];
		io_uring_prep_cancel64(&sqes[4 + i], endless[i], 0);
		sqes[4 + i].user_data = TAG_IGNORE;
	}
	for (int i = 0; i < 7 && !err; i++)
		err = setup_put(uring, &sqes[i]);
	/* One at a time: if the ring refuses the cancels, the three never complete. */
	for (int i = 0; i < 7 && !err; i++) {
		err = next_result(uring, &res);
		if (!err && res < 0 && res != -ECANCELED) {
			snprintf(reason, size, "io_uring refuses what it is needed for: %s",
				 strerrorname_np(-res));
			return res;
		}
	}
	if (err)
		snprintf(reason, size, "io_uring_enter: %s", strerrorname_np(-err));
	return err;
}

/*
 * The opcodes that coil uses.  On a restricted ring the kernel refuses all others, and
 * an opcode that is missing here goes to the fallback (core/backend/syscall.c).
 */
static const unsigned char used[] = {
	IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT, IORING_OP_FALLOCATE,
	IORING_OP_FSYNC, IORING_OP_FTRUNCATE, IORING_OP_LINKAT, IORING_OP_MKDIRAT,
	IORING_OP_OPENAT, IORING_OP_POLL_ADD, IORING_OP_READ, IORING_OP_READV,
	IORING_OP_RECV, IORING_OP_RECVMSG, IORING_OP_RENAMEAT, IORING_OP_SEND,
	IORING_OP_SENDMSG, IORING_OP_SPLICE, IORING_OP_STATX, IORING_OP_SYMLINKAT,
	IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE, IORING_OP_UNLINKAT, IORING_OP_WRITE,
	IORING_OP_WRITEV,
};

/*
 * Restricts a disabled ring and enables it.  An operation may have one flag alone,
 * IOSQE_ASYNC: coil_openat() uses it so that a kernel thread opens the file.  The only
 * registration allowed is the one that undoes setup_prepare()'s.  Not every liburing
 * exports calls for these two steps.
 */
static int restrict_ring(const struct uring *uring)
{
	struct io_uring_restriction allowed[sizeof(used) + 2];
	unsigned n = 2;

	memset(allowed, 0, sizeof(allowed));
	allowed[0].opcode = IORING_RESTRICTION_REGISTER_OP;
	allowed[0].register_op = IORING_UNREGISTER_RING_FDS;
	allowed[1].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	allowed[1].sqe_flags = IOSQE_ASYNC;
	for (size_t i = 0; i < sizeof(used); i++) {
		if (uring->refused[used[i]])
			continue;
		allowed[n].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[n++].sqe_op = used[i];
	}
	if (syscall(SYS_io_uring_register, uring->ring.ring_fd, IORING_REGISTER_RESTRICTIONS,
		    allowed, n) ||
	    syscall(SYS_io_uring_register, uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
		    NULL, 0))
		return -errno;
	return 0;
}

/* Checks a ring that is set up for what every loop needs, and restricts it if asked. */
static int setup_prepare(struct uring *uring, bool restricted, char *reason, size_t size)
{
	int err = probe(uring, reason, size);

	if (err)
		return err;
	/* Saves each system call the look-up of the ring's fd.  A refusal does not matter. */
	uring->registered = io_uring_register_ring_fd(&uring->ring) == 1;
	if (restricted)
		err = restrict_ring(uring);
	if (err)
		snprintf(reason, size, "io_uring cannot be restricted: %s", strerrorname_np(-err));
	return err ? err : try_essentials(uring, reason, size);
}

int coil__uring_set_up(struct uring *uring, const struct coil_options *options,
		       char *reason, size_t size)
{
	int err;

	uring->disabled = options->restrict_ring ? IORING_SETUP_R_DISABLED : 0;
	err = set_up_within_limit(uring, options->entries ? options->entries : ENTRIES);
	if (err) {
		say_refusal(err, reason, size);
		return err;
	}
	sanitize_mapping();
	err = setup_prepare(uring, options->restrict_ring, reason, size);
	if (err) {
		sanitize_mapping();
		io_uring_queue_exit(&uring->ring);
		return err;
	}
	/* The child of a fork must not submit to its parent's ring. */
	io_uring_ring_dontfork(&uring->ring);
	say_flags(uring, reason, size);
	return 0;
}
