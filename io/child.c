/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn(3) sets neither limits nor users, so coil makes the child itself,
 * in the same way.  Until the child executes its program, it runs in the
 * parent's memory, on a stack of its own, and the parent's thread waits.  The
 * parent's other threads run meanwhile.  So the child takes no lock and changes
 * nothing that they see.  It makes system calls where the C library would
 * change all threads, as setuid(3) does.
 */
#include "io/child.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { STACK = 65536 };

/* A sanitizer's record of this stack would outlive the stack. */
#define IN_CHILD __attribute__((no_sanitize_address, no_sanitize_thread)) static

IN_CHILD int failed(int result)
{
	return result < 0 ? errno : 0;
}

/* Uses the system call, as sigaction(3) refuses two signals.  All zero is SIG_DFL. */
IN_CHILD void reset_signals(void)
{
	static const unsigned long zero[8];

	for (int i = 1; i <= 64; i++)
		syscall(SYS_rt_sigaction, i, zero, NULL, 8);
}

IN_CHILD int put_fd(int fd, int number)
{
	/* dup2() would do nothing here; fcntl() clears close-on-exec. */
	if (fd == number)
		return failed(fcntl(fd, F_SETFD, 0));
	return failed(dup2(fd, number));
}

IN_CHILD int put_standard(const struct child *child, int i)
{
	int fd, err;

	if (child->kind[i] == COIL_STDOUT)
		return put_fd(STDOUT_FILENO, i);
	if (child->kind[i] != COIL_DEVNULL)
		return child->source[i] < 0 ? 0 : put_fd(child->source[i], i);
	fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return errno;
	err = put_fd(fd, i);
	if (fd != i)
		close(fd);
	return err;
}

/* First duplicates all fds above all target numbers, so that none is overwritten. */
IN_CHILD int put_fds(const struct child *child)
{
	const struct coil_process_options *options = child->options;
	int above[CHILD_FDS_MAX], most = STDERR_FILENO, err = 0;

	for (unsigned i = 0; i < options->fd_count; i++) {
		if (options->fds[i].number > most)
			most = options->fds[i].number;
	}
	for (unsigned i = 0; i < options->fd_count && !err; i++) {
		above[i] = fcntl(options->fds[i].fd, F_DUPFD_CLOEXEC, most + 1);
		err = failed(above[i]);
	}
	for (int i = 0; i < 3 && !err; i++)
		err = put_standard(child, i);
	for (unsigned i = 0; i < options->fd_count && !err; i++)
		err = put_fd(above[i], options->fds[i].number);
	return err;
}

IN_CHILD int lead(const struct coil_process_options *options)
{
	if (options->new_session)
		return failed(setsid());
	return options->new_group ? failed(setpgid(0, 0)) : 0;
}

IN_CHILD int limit(const struct coil_process_options *options)
{
	for (unsigned i = 0; i < options->rlimit_count; i++) {
		const struct coil_process_rlimit *one = &options->rlimits[i];
		const uint64_t values[2] = { one->soft, one->hard };

		if (syscall(SYS_prlimit64, 0, one->resource, values, NULL))
			return errno;
	}
	return 0;
}

/* Sets the groups first, while the child still has the right to. */
IN_CHILD int change_user(const struct coil_process_options *options)
{
	if ((options->uid || options->gid) &&
	    syscall(SYS_setgroups, options->group_count, options->groups) &&
	    (errno != EPERM || options->group_count))
		return errno;
	if (options->gid && syscall(SYS_setresgid, *options->gid, *options->gid, *options->gid))
		return errno;
	if (options->uid && syscall(SYS_setresuid, *options->uid, *options->uid, *options->uid))
		return errno;
	/* A change of the user clears it, so it comes last. */
	if (options->pdeathsig && prctl(PR_SET_PDEATHSIG, options->pdeathsig))
		return errno;
	return 0;
}

/* Whether the search goes on in the next folder of PATH after this error. */
IN_CHILD bool is_elsewhere(int err)
{
	return err == ENOENT || err == ENOTDIR || err == EACCES || err == ESTALE ||
	       err == ENODEV || err == ETIMEDOUT || err == ENAMETOOLONG;
}

IN_CHILD int run_in(const struct child *child, const char *folder, size_t len)
{
	char *const *env = child->options->env ? child->options->env : environ;
	const char *name = child->argv[0];
	size_t size = strlen(name) + 1;
	char path[PATH_MAX];

	if (len + 1 + size > sizeof(path))
		return ENAMETOOLONG;
	memcpy(path, folder, len);
	/* An empty folder is the current one. */
	if (len)
		path[len++] = '/';
	memcpy(path + len, name, size);
	execve(path, (char *const *)child->argv, env);
	return errno;
}

IN_CHILD int run_program(const struct child *child)
{
	const char *at = child->path, *name = child->argv[0];
	bool denied = false;
	int err;

	if (!*name || strlen(name) >= PATH_MAX)
		return *name ? ENAMETOOLONG : ENOENT;
	if (strchr(name, '/'))
		return run_in(child, "", 0);
	for (;;) {
		size_t len = strcspn(at, ":");

		err = run_in(child, at, len);
		if (!is_elsewhere(err))
			return err;
		denied |= err == EACCES;
		if (!at[len])
			return denied ? EACCES : ENOENT;
		at += len + 1;
	}
}

IN_CHILD int live(void *arg)
{
	struct child *child = arg;
	const struct coil_process_options *options = child->options;
	sigset_t none;
	int err;

	reset_signals();
	if (child->allowed)
		sched_setaffinity(0, child->allowed->size, child->allowed->set);
	err = lead(options);
	if (!err)
		err = put_fds(child);
	if (!err && options->cwd)
		err = failed(chdir(options->cwd));
	if (!err)
		err = limit(options);
	if (!err)
		err = change_user(options);
	if (!err) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		err = run_program(child);
	}
	child->error = err;
	_exit(127);
}

/*
 * Blocks all signals until the child has replaced the parent's dispositions by
 * the defaults.
 */
static pid_t give_birth(struct child *child, char *stack)
{
	sigset_t all, mask;
	pid_t pid;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pid = clone(live, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, child);
	err = errno;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return pid < 0 ? -err : pid;
}

pid_t coil__child_start(struct child *child)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return -ENOMEM;
	child->path = getenv("PATH");
	if (!child->path)
		child->path = "/bin:/usr/bin";
	child->error = 0;
	pid = give_birth(child, stack);
	munmap(stack, STACK);
	if (pid < 0 || !child->error)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return -child->error;
}
