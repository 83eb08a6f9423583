/* SPDX-License-Identifier: MIT */
#ifndef COIL_PROCESS_H
#define COIL_PROCESS_H

/*
 * Child processes.  Starts them with pipes, waits for them and sends them
 * signals.  Uses pidfds, so a signal never reaches another process that got the
 * same number later, and no handler of SIGCHLD is needed.  Requires Linux 5.3.
 *
 * Waits only for children that coil_process_spawn() started.  If the program
 * reaps such a child elsewhere, by wait(2) for any child or by ignoring
 * SIGCHLD, the status is lost and a wait returns -ECHILD.
 */

#include <coil/cdefs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a child's in, out and err may be, apart from an fd above 0. */
enum {
	COIL_INHERIT = 0,	/* the parent's fd of the same number, unchanged */
	COIL_PIPE = -1,		/* a pipe; coil_process has the parent's end */
	COIL_DEVNULL = -2,		/* /dev/null */
	COIL_STDOUT = -3,	/* only for err: the same as out */
};

/*
 * = {0} is no child.  A failed spawn and coil_process_close() also leave no
 * child.
 *
 * Must not move while a call uses it.  Belongs to the loop of the tasks that
 * use it.  Owns its fds, which are non-blocking and close-on-exec.  The program
 * may close one, or give it to a stream; it must then set the field to -1.
 */
struct coil_process {
	pid_t pid;		/* 0: no child */
	int pidfd;		/* for coil_poll(); or -1 */
	int in, out, err;	/* the parent's ends of the pipes, or -1 */
	int status;		/* private, as are the fields below */
	void *talk;
	unsigned flags;
	uint32_t reserved[3];
};

/*
 * A limit of the child as for setrlimit(2).  resource is RLIMIT_CPU or another;
 * RLIM_INFINITY is no limit.
 */
struct coil_process_rlimit {
	int resource;
	uint64_t soft, hard;
};

/*
 * The child gets the caller's fd under the given number, which is 3 or above.
 * The fd remains the caller's.
 */
struct coil_process_fd {
	int fd;
	int number;
};

/*
 * Zero is the default of each field; reserved must be zero.  Pointers are used
 * only during the call.
 */
struct coil_process_options {
	int in, out, err;	/* see above; an fd remains the caller's */
	bool new_group;		/* the child leads a process group of its own */
	bool new_session;	/* the child leads a session, without a terminal */
	const char *cwd;	/* its current folder; NULL: the parent's */
	char *const *env;	/* its environment; NULL: the parent's */
	const struct coil_process_fd *fds;		/* in addition to in, out and err */
	const struct coil_process_rlimit *rlimits;	/* other limits: the parent's */
	const uid_t *uid;	/* its user; NULL: the parent's */
	const gid_t *gid;	/* its group; NULL: the parent's */
	const gid_t *groups;	/* its supplementary groups, for uid or gid; NULL: none, or
				   the parent's if the parent may not change them */
	unsigned fd_count;	/* at most 256; each number occurs once */
	unsigned rlimit_count;
	unsigned group_count;
	int pdeathsig;		/* sent when the thread that started the child ends; 0: none */
	uint64_t reserved[4];
};

/*
 * Starts the program argv[0] with the arguments argv, whose last element is
 * NULL.  Searches argv[0] in PATH unless it has a slash.  options may be NULL.
 *
 * The child has an empty signal mask and default dispositions.  Its fds are in,
 * out and err, those in options.fds, and those of the parent that are not
 * close-on-exec.
 *
 * Returns 0 and fills in process, which the caller must close.  On an error
 * process is no child, and no child or fd is left behind:
 *	-EINVAL: a pointer is NULL, argv is empty, or the options are invalid
 *	-EBADF: an fd in options is not open
 *	-EPERM: no permission for that user, group or limit
 *	-EMFILE, -ENFILE, -ENOMEM: there was no fd, or no memory
 *	-EAGAIN: there are too many processes
 *	-ENOSYS: there is no pidfd_open(2): an old kernel, or a filter refuses
 *		it
 *	-ENOENT, -EACCES, -ENOEXEC and others: errors of execve(2) and chdir(2)
 *
 * Never parks, and ignores a pending cancellation.  Works on any thread.  The
 * thread waits until the child has begun its program.  Does not copy the
 * parent's memory.
 */
COIL_MUST_CHECK int coil_process_spawn(struct coil_process *process,
				       const char *const argv[],
				       const struct coil_process_options *options);

/*
 * Parks until the child has ended, and reaps it.  Sets *status as waitpid(2)
 * does, unless status is NULL.  Several tasks may wait, and a task may wait
 * again: the status is kept until coil_process_close().
 *
 * Returns 0, or an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry (even if the
 *		child has ended) or ended the wait; the child continues to run
 *	-ECANCELED: another task closed the process
 *	-ECHILD: other code reaped the child, or process is no child or is being
 *		closed
 *	-EPERM: the caller is not a task
 *	-EINVAL: process is NULL
 *	-ENOMEM: there was no memory
 */
int coil_process_wait(struct coil_process *process, int *status);

/*
 * Sends the child a signal.  Signal 0 sends none and only checks.  Returns 0,
 * or:
 *	-ESRCH: the child was reaped, or process is no child
 *	-EINVAL: process is NULL, or the signal does not exist
 *	-EPERM: no permission; the child runs as another user
 * Never parks, and works on any thread.
 */
int coil_process_kill(struct coil_process *process, int signal);

/*
 * The same for the process group that the child leads.  Returns -EINVAL unless
 * the child was started with new_group or new_session.  Once the child was
 * reaped, Linux 6.9 and later still reach the rest of the group; earlier
 * kernels return -ESRCH.
 */
int coil_process_kill_group(struct coil_process *process, int signal);

/*
 * Writes in_len bytes to the child's in and closes that pipe.  At the same time
 * reads the child's out and err until their ends, and closes them.  Keeps the
 * first out_size bytes of out, and discards err.  Skips each of the three that
 * is not a pipe.  It is no error if the child does not read all of in.
 *
 * Parks until in is written and all processes have closed their ends of out and
 * err.  Does not wait for the end of the child.  On every return sets *out_len,
 * unless out_len is NULL, to the number of bytes read from out, including those
 * not kept.
 *
 * Returns 0, or an error:
 *	-ECANCELED, -ETIMEDOUT: a cancellation was pending at entry, or ended
 *		the call.  The number of bytes written is then unknown.  No
 *		operation is left running, and pipes that were not finished stay
 *		open.
 *	-ECANCELED: another task closed the process or a pipe
 *	-EINVAL: process is NULL, is no child or is being closed; or in_len is
 *		not 0 and in is not a pipe
 *	-EFAULT: a buffer is NULL and its size is not 0
 *	-EBUSY: another task communicates with the child
 *	-EPERM: the caller is not a task
 *	-ENOMEM: there was no memory
 *	other: an error of read(2) or write(2)
 */
COIL_MUST_CHECK int coil_process_communicate(struct coil_process *process,
					     const void *in, size_t in_len,
					     void *out, size_t out_size,
					     size_t *out_len);

/*
 * Closes the pipes, kills the child by SIGKILL if it still runs, parks until it
 * has ended, and reaps it.  A cancellation neither prevents nor ends this.
 * process is then no child.  Outside a loop the call blocks the thread.  In the
 * child of a fork it closes the fds and kills no process.
 *
 * Returns 0, also if process is no child; or an error:
 *	-EPERM: the child runs as another user and may not be killed.  Its pipes
 *		are closed, and nothing else was done: wait for it and close it
 *		again.
 *	-EBADF: a pipe was closed already; all else was done
 *	-EBUSY: another task closes the process
 *	-EINVAL: process is NULL
 */
int coil_process_close(struct coil_process *process);

#ifdef __cplusplus
}
#endif
#endif
