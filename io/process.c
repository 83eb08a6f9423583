/* SPDX-License-Identifier: MIT */
#include <coil/process.h>
#include "core/backend/op.h"
#include "io/process.h"
#include "io/wait.h"
#include <coil/socket.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* For systems whose headers are older than their kernel. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

enum { BY_PIDFD = 3 };		/* P_PIDFD */
enum { TO_GROUP = 1 << 2 };	/* PIDFD_SIGNAL_PROCESS_GROUP */

static int status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return (info->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return info->si_status | 0x80;
	default:
		return info->si_status;
	}
}

static int send_signal(const struct coil_process *process, int number, unsigned flags)
{
	long err = syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL,
			   flags);

	return err ? -errno : 0;
}

/*
 * Linux 5.3 has pidfds, but its waitid(2) takes only a pid.  The pid is the
 * child's until the child is reaped; after that no signal can be sent through
 * the pidfd.
 */
static int wait_id(const struct coil_process *process, siginfo_t *info, int flags)
{
	int err = waitid((idtype_t)BY_PIDFD, (id_t)process->pidfd, info, flags);

	if (!err || errno != EINVAL || send_signal(process, 0, 0) == -ESRCH)
		return err;
	return waitid(P_PID, (id_t)process->pid, info, flags);
}

int coil__process_reap(const struct coil_process *process, int flags, int *status)
{
	siginfo_t info = {0};
	int err;

	do
		err = wait_id(process, &info, WEXITED | flags);
	while (err && errno == EINTR);
	if (err)
		return -ECHILD;
	if (!info.si_pid)
		return -EAGAIN;
	*status = status_of(&info);
	return 0;
}

static bool has_ended(const struct coil_process *process)
{
	return !process->pid ||
	       process->flags & (PROCESS_REAPED | PROCESS_LOST);
}

/*
 * Returns 0 once the status is known, -ECHILD if it is lost, -EAGAIN if the
 * child still runs (with WNOHANG).
 */
static int process_look(struct coil_process *process, int flags)
{
	int err;

	if (has_ended(process))
		return process->flags & PROCESS_REAPED ? 0 : -ECHILD;
	err = coil__process_reap(process, flags, &process->status);
	if (!err)
		process->flags |= PROCESS_REAPED;
	else if (err == -ECHILD)
		process->flags |= PROCESS_LOST;
	return err;
}

static int process_tell(struct coil_process *process, int *status)
{
	int err = process_look(process, WNOHANG);

	if (!err && status)
		*status = process->status;
	return err;
}

int coil_process_wait(struct coil_process *process, int *status)
{
	struct close_guard guard;
	int err = process ? coil__enter() : -EINVAL;

	if (err)
		return err;
	if (!process->pid || process->flags & PROCESS_CLOSING)
		return -ECHILD;
	err = process_tell(process, status);
	if (err != -EAGAIN) {
		coil__let_others_run();
		return err;
	}
	/*
	 * After coil_process_close() *process may be gone, so steps has its own
	 * flag.
	 */
	coil__close_guard_begin(&guard, process->pidfd);
	do {
		err = coil__poll_fd(process->pidfd, POLLIN);
		if (err < 0)
			break;
		err = guard.closed ? -ECANCELED : process_tell(process, status);
	} while (err == -EAGAIN);
	coil__close_guard_end(&guard);
	return err;
}

int coil_process_kill(struct coil_process *process, int number)
{
	if (!process)
		return -EINVAL;
	return has_ended(process) ? -ESRCH : send_signal(process, number, 0);
}

/*
 * A kernel without TO_GROUP (-EINVAL) needs kill(2).  That is safe before the
 * leader is reaped: no other process can have its number.
 */
int coil_process_kill_group(struct coil_process *process, int number)
{
	int err;

	if (!process || (process->pid && !(process->flags & PROCESS_LEADS)))
		return -EINVAL;
	if (!process->pid || process->pidfd < 0)
		return -ESRCH;
	err = send_signal(process, number, TO_GROUP);
	if (err != -EINVAL)
		return err;
	if (has_ended(process))
		return -ESRCH;
	return kill(-process->pid, number) ? -errno : 0;
}

/* The child was killed, so the wait ends.  If this is no task, the thread waits. */
static void wait_for_end(struct coil_process *process)
{
	ssize_t ready;

	do {
		struct op op = { .what = "process" };

		io_uring_prep_poll_add(&op.sqe, process->pidfd, POLLIN);
		ready = coil__op_run_shielded(&op);
	} while (process_look(process, ready < 0 ? 0 : WNOHANG) == -EAGAIN);
}

static int end(struct coil_process *process)
{
	int err;

	if (process_look(process, WNOHANG) != -EAGAIN)
		return 0;
	err = send_signal(process, SIGKILL, 0);
	if (err != -EPERM)
		wait_for_end(process);
	return err == -EPERM ? err : 0;
}

static void close_end(int *end, int *err)
{
	int fd = *end, closed;

	*end = -1;
	if (fd < 0)
		return;
	closed = coil_close(fd);
	if (!*err)
		*err = closed;
}

int coil_process_close(struct coil_process *process)
{
	int err = 0, killed;

	if (!process)
		return -EINVAL;
	if (!process->pid)
		return 0;
	if (process->flags & PROCESS_CLOSING)
		return -EBUSY;
	process->flags |= PROCESS_CLOSING;
	coil__process_hush(process);
	close_end(&process->in, &err);
	close_end(&process->out, &err);
	close_end(&process->err, &err);
	if (process->pidfd >= 0)
		coil__close_guard_closed(process->pidfd);
	killed = end(process);
	if (killed) {
		process->flags &= ~(unsigned)PROCESS_CLOSING;
		return killed;
	}
	close_end(&process->pidfd, &err);
	*process = no_process;
	return err;
}
