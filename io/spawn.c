/* SPDX-License-Identifier: MIT */
/*
 * Every fd that is opened for a child lies above 2, even if 0 to 2 are closed
 * here.  So in the child no fd is overwritten before it is in its place.  In
 * this process no other code takes a pipe of coil's for standard output.
 */
#include "io/process.h"
#include "io/close.h"
#include "core/backend/affinity.h"
#include "io/child.h"
#include "core/task/loop.h"
#include "core/backend/fd.h"
#include "core/backend/op.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* The plan for fds 0, 1 and 2 of the child. */
struct plan {
	const struct coil_process_options *options;
	int kind[3];		/* as in the options, or an fd */
	int source[3];		/* the fd that takes that number, or -1 */
	bool made[3];		/* source is closed when the child has it */
	int own[3];		/* the parent's ends of pipes, or -1 */
	int spare;		/* keeps an fd free for the pidfd */
};

/* Moves fd out of 0, 1 and 2, which other code takes for standard files. */
static int lift(int fd)
{
	int above, err;

	if (fd < 0)
		return -errno;
	if (fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	err = errno;
	close(fd);
	return above < 0 ? -err : above;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		coil__close_copy(*fd);
	*fd = -1;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_inherited(int fd)
{
	return fcntl(fd, F_GETFD) == 0;
}

/* A number may occur once.  0, 1 and 2 are refused: in, out and err set them. */
static int check_fds(const struct coil_process_options *options)
{
	if (options->fd_count > CHILD_FDS_MAX || (options->fd_count && !options->fds))
		return -EINVAL;
	for (unsigned i = 0; i < options->fd_count; i++) {
		if (options->fds[i].number <= STDERR_FILENO)
			return -EINVAL;
		for (unsigned j = 0; j < i; j++) {
			if (options->fds[j].number == options->fds[i].number)
				return -EINVAL;
		}
		if (!is_open(options->fds[i].fd))
			return -EBADF;
	}
	return 0;
}

static int check_more(const struct coil_process_options *options)
{
	if (options->pdeathsig < 0 || options->pdeathsig > SIGRTMAX)
		return -EINVAL;
	if ((options->rlimit_count && !options->rlimits) ||
	    (options->group_count && !options->groups))
		return -EINVAL;
	for (unsigned i = 0; i < options->rlimit_count; i++) {
		if (options->rlimits[i].soft > options->rlimits[i].hard)
			return -EINVAL;
	}
	if (options->group_count && !options->uid && !options->gid)
		return -EINVAL;
	return check_fds(options);
}

static int spawn_check(struct coil_process *process, const char *const argv[],
		       const struct coil_process_options *options)
{
	const int kind[3] = { options->in, options->out, options->err };
	const int least[3] = { COIL_DEVNULL, COIL_DEVNULL, COIL_STDOUT };

	if (!process || !argv || !argv[0])
		return -EINVAL;
	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	for (int i = 0; i < 3; i++) {
		if (kind[i] < least[i])
			return -EINVAL;
		if (kind[i] > 0 && !is_open(kind[i]))
			return -EBADF;
	}
	if (kind[2] == COIL_STDOUT && !kind[1] && !is_inherited(STDOUT_FILENO))
		return -EBADF;
	return check_more(options);
}

static int make_pipe(struct plan *plan, int i)
{
	int ends[2], ours = i == 0;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	plan->own[i] = lift(ends[ours]);
	plan->source[i] = lift(ends[!ours]);
	plan->made[i] = true;
	if (plan->own[i] < 0 || plan->source[i] < 0)
		return plan->own[i] < 0 ? plan->own[i] : plan->source[i];
	return fcntl(plan->own[i], F_SETFL, O_NONBLOCK) ? -errno : 0;
}

/*
 * An inherited fd is left as it is.  If the parent's own 0 is closed, the
 * number may be an fd of the loop; that is close-on-exec, so the child does not
 * get it.
 */
static int prepare_end(struct plan *plan, int i)
{
	int fd = plan->kind[i];

	if (fd == COIL_PIPE)
		return make_pipe(plan, i);
	if (fd <= 0)
		return 0;
	if (fd == i || fd > STDERR_FILENO) {
		plan->source[i] = fd;
		return 0;
	}
	plan->source[i] = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	plan->made[i] = true;
	return plan->source[i] < 0 ? -errno : 0;
}

/*
 * A child must not start if no fd is left for its pidfd.  A pidfd of this
 * process keeps one free.
 */
static int spawn_prepare(struct plan *plan)
{
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = prepare_end(plan, i);
	if (err)
		return err;
	plan->spare = lift((int)syscall(SYS_pidfd_open, getpid(), 0));
	return plan->spare < 0 ? plan->spare : 0;
}

static void spawn_forget(struct plan *plan, bool failed)
{
	for (int i = 0; i < 3; i++) {
		if (plan->made[i])
			drop(&plan->source[i]);
		if (failed)
			drop(&plan->own[i]);
	}
	drop(&plan->spare);
}

/* Without allowed, the child of a pinned worker would inherit its one processor. */
static int spawn_start(const struct plan *plan, pid_t *pid, const char *const argv[])
{
	struct child child = {
		.options = plan->options, .kind = plan->kind, .source = plan->source,
		.argv = argv, .allowed = coil__unpinned,
	};

	*pid = coil__child_start(&child);
	return *pid < 0 ? *pid : 0;
}

/*
 * If SIGCHLD is ignored, the child may be gone, and its pid may belong to
 * another process.  So a process that is not this one's child is never used
 * again.
 */
static int spawn_find(struct coil_process *process, struct plan *plan)
{
	int fd, status;

	drop(&plan->spare);
	fd = lift((int)syscall(SYS_pidfd_open, process->pid, 0));
	if (fd == -ESRCH) {
		process->flags |= PROCESS_LOST;
		return 0;
	}
	if (fd < 0)
		return fd;
	process->pidfd = fd;
	if (coil__process_reap(process, WNOHANG | WNOWAIT, &status) == -ECHILD) {
		process->flags |= PROCESS_LOST;
		drop(&process->pidfd);
	}
	return 0;
}

static void fill_in(struct coil_process *process, const struct plan *plan)
{
	process->in = plan->own[0];
	process->out = plan->own[1];
	process->err = plan->own[2];
	for (int i = 0; i < 3; i++) {
		if (plan->own[i] >= 0)
			coil__fd_made(coil__loop, plan->own[i]);
	}
	if (process->pidfd >= 0)
		coil__fd_made(coil__loop, process->pidfd);
}

int coil_process_spawn(struct coil_process *process, const char *const argv[],
		       const struct coil_process_options *options)
{
	static const struct coil_process_options defaults;
	struct plan plan = {
		.options = options ? options : &defaults,
		.source = { -1, -1, -1 },
		.own = { -1, -1, -1 },
		.spare = -1,
	};
	struct coil_process made = no_process;
	int err = spawn_check(process, argv, plan.options);

	if (process)
		*process = made;
	if (err)
		return err;
	plan.kind[0] = plan.options->in;
	plan.kind[1] = plan.options->out;
	plan.kind[2] = plan.options->err;
	if (plan.options->new_group || plan.options->new_session)
		made.flags = PROCESS_LEADS;
	err = spawn_prepare(&plan);
	if (!err)
		err = spawn_start(&plan, &made.pid, argv);
	if (!err) {
		err = spawn_find(&made, &plan);
		if (err) {
			kill(made.pid, SIGKILL);
			waitpid(made.pid, NULL, 0);
		}
	}
	spawn_forget(&plan, err);
	if (err)
		return err;
	fill_in(&made, &plan);
	*process = made;
	return 0;
}
