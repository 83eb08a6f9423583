/* SPDX-License-Identifier: MIT */
#ifndef COIL_PROCESS_H
#define COIL_PROCESS_H

/*
 * Child processes: started with pipes, waited for and signalled by a pidfd, so
 * that a signal never reaches a stranger who has the number by then, and no
 * handler of SIGCHLD is needed.  Needs Linux 5.3.
 *
 * Only children that were started here are waited for.  A program that reaps
 * them elsewhere, by wait(2) for any child or by ignoring SIGCHLD, loses their
 * statuses: -ECHILD.
 */

#include <coil/cdefs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a child's in, out and err may be, besides an fd above 0. */
enum {
	COIL_INHERIT = 0,	/* the parent's fd of that number, as it is */
	COIL_PIPE = -1,		/* a pipe, whose other end is in coil_process */
	COIL_NULL = -2,		/* /dev/null */
	COIL_STDOUT = -3,	/* err alone: wherever out goes */
};

/*
 * = {0}, and what a spawn that failed and coil_process_close() leave, is no child.
 * It must not move during its calls, and belongs to the loop of the tasks that make
 * them.  The fds are non-blocking and close-on-exec.  To close one, or to give it to
 * a stream, is the program's right: it then sets the field to -1.
 */
struct coil_process {
	pid_t pid;		/* 0: none */
	int pidfd;		/* for coil_poll(); or -1 */
	int in, out, err;	/* our ends of the pipes, or -1 */
	int status;		/* coil's, as is the rest */
	void *talk;
	unsigned flags;
	uint32_t reserved[3];
};

/* A limit of the child as of setrlimit(2): resource is RLIMIT_CPU or another;
   RLIM_INFINITY is no limit. */
struct coil_process_rlimit {
	int resource;
	uint64_t soft, hard;
};

/* fd stays the caller's; the child has it as number, which is 3 or above. */
struct coil_process_fd {
	int fd;
	int number;
};

/* Zero is the default of each; reserved must be zero.  No pointer is used after the call. */
struct coil_process_options {
	int in, out, err;	/* see above; an fd stays the caller's */
	bool new_group;		/* it leads a process group of its own */
	bool new_session;	/* and a session, without a terminal */
	const char *cwd;	/* where it starts; NULL: here */
	char *const *env;	/* its environment; NULL: ours */
	const struct coil_process_fd *fds;		/* besides in, out and err */
	const struct coil_process_rlimit *rlimits;	/* all other limits are ours */
	const uid_t *uid;	/* its user; NULL: ours */
	const gid_t *gid;	/* its group; NULL: ours */
	const gid_t *groups;	/* its supplementary groups, if uid or gid is set; NULL: none,
				   or ours if we may not change them */
	unsigned fd_count;	/* at most 256; each number occurs once */
	unsigned rlimit_count;
	unsigned group_count;
	int pdeathsig;		/* signal for it when the thread that started it ends; 0: none */
	uint64_t reserved[4];
};

/*
 * Starts argv[0] with the arguments argv, of which the last is NULL.  argv[0] is
 * searched in PATH unless it has a slash.  options may be NULL.  The child has an
 * empty signal mask and default dispositions.  Its fds are in, out and err, those in
 * options.fds, and those of ours that are not close-on-exec.
 *
 * Returns 0 and fills in process, which the caller must close.  On an error process
 * is no child and nothing is left behind: -EINVAL (NULL, an empty argv, options that
 * make no sense), -EBADF (an fd in options is not open), -EPERM (no permission for
 * that user, group or limit), -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (too many
 * processes), -ENOSYS (no pidfd_open(2): an old kernel, or a filter); -ENOENT,
 * -EACCES, -ENOEXEC and the other errors of execve(2) and chdir(2).
 *
 * Does not park, and no cancel refuses it.  Works on every thread; the thread waits
 * until the child has begun its program.  Our memory is not copied.
 */
COIL_MUST_CHECK int coil_process_spawn(struct coil_process *process,
				       const char *const argv[],
				       const struct coil_process_options *options);

/*
 * Parks until the child has ended: 0, and *status, unless status is NULL, as
 * waitpid(2) gives it.  Any number of tasks may wait, and again later: the
 * status is kept until coil_process_close(), which ends other tasks' waits with
 * -ECANCELED.  A request ends the wait and the child lives on: -ECANCELED,
 * -ETIMEDOUT.  -EINVAL (NULL), -EPERM outside a task, -ECHILD (it was reaped by
 * somebody else, or is no child), -ENOMEM.
 */
int coil_process_wait(struct coil_process *process, int *status);

/*
 * Sends it a signal; 0 sends none.  0, -ESRCH once its end was noticed (or it is
 * none), -EINVAL, -EPERM.  Never parks; works on every thread.
 */
int coil_process_kill(struct coil_process *process, int signal);

/*
 * The same for its whole group, which it leads if it was started with new_group
 * or new_session (otherwise -EINVAL).  On Linux 6.9 or later this reaches those
 * of the group who outlive it, too; earlier kernels say -ESRCH by then.
 */
int coil_process_kill_group(struct coil_process *process, int signal);

/*
 * Feeds in_len bytes to its in and closes that, and reads its out and err to
 * their ends and closes them: out_size bytes of out are kept, *out_len, unless
 * out_len is NULL, is how many there were in all, on every return; err is
 * dropped.  What is not a pipe is passed over.  Parks; does not wait for the
 * child's own end, but for the end of all who write to those pipes.  A child that
 * does not read all of in is no error.
 *
 * A request ends it and leaves nothing under way, but how much was fed is not
 * known: the pipes not finished with stay open for coil_process_close().
 * -ECANCELED, -ETIMEDOUT, also when the process or a pipe was closed by another
 * task; -EINVAL (NULL, no child, bytes for an in that is no pipe), -EFAULT,
 * -EBUSY (another task is at it), -EPERM outside a task, -ENOMEM, or what
 * read(2) says.
 */
COIL_MUST_CHECK int coil_process_communicate(struct coil_process *process,
					     const void *in, size_t in_len,
					     void *out, size_t out_size,
					     size_t *out_len);

/*
 * Closes the pipes, kills the child by SIGKILL if it still runs, waits for its
 * end and reaps it: no request ends or refuses that.  process is none then.  0,
 * also if it was none; -EINVAL (NULL), -EBUSY (another task closes it), -EBADF (a
 * pipe was closed already: all else was done), or -EPERM: it may not be killed,
 * as it runs as another user; its pipes are closed, wait for it and close again.
 * Off a loop it blocks the thread.  In the child of a fork it kills nobody.
 */
int coil_process_close(struct coil_process *process);

#ifdef __cplusplus
}
#endif
#endif
