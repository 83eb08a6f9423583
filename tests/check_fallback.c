/* SPDX-License-Identifier: MIT */
/*
 * Kernels and sandboxes that refuse io_uring, or parts of it: less of it serves, or
 * another engine does, and coil_backend_reason() says why.  The linker has the
 * library call the refusing kernel here.
 */
#include "tests/tasks.h"
#include "tests/sockets.h"
#include "core/loop.h"
#include "core/uring_abi.h"
#include <coil/file.h>
#include <coil/thread.h>
#include <coil/timeout.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define MS COIL_MILLISECOND

static struct {
	unsigned forbidden;		/* set-up flags that are EINVAL */
	unsigned served;		/* those that the last ring has */
	unsigned without;		/* features that it lacks */
	bool refused[256];		/* opcodes that complete with EACCES */
	bool missing[256]; /* opcodes that the probe does not know */
	bool restricts;
} kernel;

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params);
struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);

/* A ring on which all is allowed but what kernel.refused has. */
static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction allowed[260];
	struct io_uring_probe *probe = __real_io_uring_get_probe_ring(ring);
	unsigned n = 0;

	ck_assert_ptr_nonnull(probe);
	memset(allowed, 0, sizeof(allowed));
	/* A restriction to an opcode that the kernel does not know is an error. */
	for (unsigned opcode = 0; opcode <= probe->last_op; opcode++) {
		if (kernel.refused[opcode])
			continue;
		allowed[n].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[n++].sqe_op = (unsigned char)opcode;
	}
	io_uring_free_probe(probe);
	allowed[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	allowed[n++].sqe_flags = 0xff;
	allowed[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	allowed[n++].register_op = IORING_REGISTER_PROBE;
	allowed[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	allowed[n++].register_op = IORING_REGISTER_ENABLE_RINGS;
	/* Not every liburing exports the calls that it declares for these. */
	if (syscall(__NR_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_RESTRICTIONS, allowed, n) ||
	    syscall(__NR_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
				      struct io_uring_params *params)
{
	int err;

	if (params->flags & kernel.forbidden)
		return -EINVAL;
	kernel.served = params->flags;
	if (kernel.restricts)
		params->flags |= IORING_SETUP_R_DISABLED;
	err = __real_io_uring_queue_init_params(entries, ring, params);
	if (!err && kernel.restricts) {
		err = restrict_ring(ring);
		ck_assert_int_eq(err, 0);
	}
	if (!err)
		ring->features &= ~kernel.without;
	return err;
}

struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
	struct io_uring_probe *probe = __real_io_uring_get_probe_ring(ring);

	for (int i = 0; probe && i < 256 && i <= probe->last_op; i++) {
		if (kernel.missing[i])
			probe->ops[i].flags &=
				(unsigned short)~IO_URING_OP_SUPPORTED;
	}
	return probe;
}

/*
 * A bit of everything.
 */

static int receive(void *arg)
{
	char byte = 0;
	ssize_t n = coil_recv(*(int *)arg, &byte, 1, 0);

	return n == 1 ? byte : (int)n;
}

static int read_byte(void *arg)
{
	char byte = 0;
	ssize_t n = coil_read(*(int *)arg, &byte, 1);

	return n == 1 ? byte : (int)n;
}

static void use_sockets(void)
{
	struct coil_task *task, *other;
	struct coil_timeout limit = {0};
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	task = start(receive, &fds[0]);
	other = start(receive, &fds[1]);
	settle();
	ck_assert_int_eq(coil_send(fds[1], "a", 1, 0), 1);
	ck_assert_int_eq(coil_await(task), 'a');
	coil_cancel(other);
	ck_assert_int_eq(coil_await(other), -ECANCELED);
	ck_assert_int_eq(coil_timeout_begin(&limit, MS), 0);
	ck_assert_int_eq(receive(&fds[0]), -ETIMEDOUT);
	ck_assert_int_eq(coil_timeout_end(&limit), -ETIMEDOUT);
	task = start(receive, &fds[0]);
	settle();
	ck_assert_int_eq(coil_close(fds[0]), 0);
	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_eq(receive(&fds[1]), 0);
	ck_assert_int_eq(coil_close(fds[1]), 0);
}

static void use_messages(void)
{
	char in[4] = "", out[] = "xyz";
	struct iovec from = { out, 3 }, to = { in, 3 };
	struct msghdr sent = { .msg_iov = &from, .msg_iovlen = 1 };
	struct msghdr received = { .msg_iov = &to, .msg_iovlen = 1 };
	int fds[2];

	unix_pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(coil_sendmsg(fds[0], &sent, 0), 3);
	ck_assert_int_eq(coil_recvmsg(fds[1], &received, 0), 3);
	ck_assert_str_eq(in, "xyz");
	close(fds[0]);
	close(fds[1]);
}

static int accept_one(void *arg)
{
	return coil_accept(*(int *)arg, NULL, NULL);
}

static void use_connections(void)
{
	struct sockaddr_in addr;
	int server = listener(&addr), client_fd, fd;
	struct coil_task *task = start(accept_one, &server);

	settle();
	client_fd = coil_socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(client_fd, 0);
	ck_assert_int_eq(coil_connect(client_fd, (struct sockaddr *)&addr,
				      sizeof(addr)),
			 0);
	fd = coil_await(task);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(client_fd), 0);
	ck_assert_int_eq(coil_close(server), 0);
}

static void use_pipes(void)
{
	struct iovec out[2] = { { "b", 1 }, { "c", 1 } };
	char byte[2];
	struct iovec in[2] = { { &byte[0], 1 }, { &byte[1], 1 } };
	int first[2], second[2];
	struct coil_task *task;

	ck_assert_int_eq(pipe2(first, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(second, O_CLOEXEC | O_NONBLOCK), 0);
	task = start(read_byte, &first[0]);
	settle();
	ck_assert_int_eq(coil_write(first[1], "a", 1), 1);
	ck_assert_int_eq(coil_await(task), 'a');
	ck_assert_int_eq(coil_writev(first[1], out, 2), 2);
	ck_assert_int_eq(coil_splice(first[0], NULL, second[1], NULL, 2, 0), 2);
	ck_assert_int_eq(coil_readv(second[0], in, 2), 2);
	ck_assert_mem_eq(byte, "bc", 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(coil_close(first[i]), 0);
		ck_assert_int_eq(coil_close(second[i]), 0);
	}
}

static void use_files(void)
{
	char path[] = "/tmp/check_fallback.XXXXXX", text[4] = "";
	struct statx info;
	off_t offset = 10;
	int dir, fd, ends[2];

	ck_assert_ptr_nonnull(mkdtemp(path));
	dir = coil_open(path, O_RDONLY | O_DIRECTORY, 0);
	ck_assert_int_ge(dir, 0);
	fd = coil_openat(dir, "file", O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_pwrite(fd, "data", 4, 10), 4);
	ck_assert_int_eq(coil_pread(fd, text, 3, 11), 3);
	ck_assert_str_eq(text, "ata");
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(coil_splice(fd, &offset, ends[1], NULL, 4, 0), 4);
	ck_assert_int_eq(read_byte(&ends[0]), 'd');
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_ftruncate(fd, 5), 0);
	ck_assert_int_eq(coil_statx(dir, "file", 0, STATX_SIZE, &info), 0);
	ck_assert_uint_eq(info.stx_size, 5);
	ck_assert_int_eq(coil_mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(coil_renameat2(dir, "file", dir, "sub/other", 0), 0);
	ck_assert_int_eq(coil_openat(dir, "file", O_RDONLY, 0), -ENOENT);
	ck_assert_int_eq(coil_unlinkat(dir, "sub/other", 0), 0);
	ck_assert_int_eq(coil_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	ck_assert_int_eq(coil_close(dir), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

static void use_poll(void)
{
	struct pollfd fds[2];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fds[0] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	ck_assert_int_eq(coil_poll(&fds[1], 1), 1);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(coil_poll(fds, 2), 2);
	close(ends[0]);
	close(ends[1]);
}

static int use_everything(void *arg)
{
	const char *engine = arg;

	if (engine)
		ck_assert_str_eq(coil_backend_name(), engine);
	use_sockets();
	use_messages();
	use_connections();
	use_pipes();
	use_files();
	use_poll();
	ck_assert_int_eq(coil_sleep(MS), 0);
	return 0;
}

static int run_best(int (*fn)(void *arg), void *arg)
{
	unsetenv("COIL_BACKEND");
	return coil_run(fn, arg);
}

static int copy_reason(void *arg)
{
	snprintf(arg, 200, "%s %s", coil_backend_name(), coil_backend_reason());
	return 0;
}

/*
 * The whole of it is refused.
 */

static int refuse_setup(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno
								    : 0;
}

static void run_refused(void *arg)
{
	char reason[200] = "";

	if (refuse_setup((int)(intptr_t)arg))
		_exit(77);
	if (run_best(use_everything, "epoll") || run_best(copy_reason, reason))
		_exit(1);
	dprintf(STDERR_FILENO, "%s", reason);
	setenv("COIL_BACKEND", "uring", 1);
	_exit(coil_run(give, NULL) == -(int)(intptr_t)arg ? 0 : 2);
}

static void setup_fails(int error, const char *name)
{
	char said[4096];
	int status = in_child(run_refused, INT(error), said, sizeof(said));

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip: no seccomp filter can be had here\n");
		return;
	}
	ck_assert_msg(!status, "%#x: %s", status, said);
	ck_assert_msg(!strncmp(said, "epoll uring: io_uring_setup: ", 29), "%s",
		      said);
	ck_assert_msg(strstr(said, name) != NULL, "%s", said);
}

START_TEST(where_io_uring_setup_is_refused_epoll_serves_and_says_why)
{
	setup_fails(EPERM, "EPERM");
	setup_fails(ENOSYS, "ENOSYS");
	setup_fails(ENOMEM, "ENOMEM");
	setup_fails(EACCES, "EACCES");
}
END_TEST

START_TEST(without_fast_poll_epoll_serves)
{
	char reason[200] = "";

	kernel.without = IORING_FEAT_FAST_POLL;
	ck_assert_int_eq(run_best(copy_reason, reason), 0);
	ck_assert_str_eq(reason, "epoll uring: io_uring is too old here");
	ck_assert_int_eq(run_best(use_everything, "epoll"), 0);
}
END_TEST

/*
 * Flags.
 */

static const struct { unsigned flag; const char *name; } flags[] = {
	{ IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN" },
	{ IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER" },
	{ IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN" },
	{ IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG" },
	{ IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ IORING_SETUP_CLAMP, "CLAMP" },
	{ IORING_SETUP_CQSIZE, "CQSIZE" },
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

/* One that makes the missing one unnecessary is as good. */
static bool makes_up(unsigned served, unsigned missing)
{
	return missing == IORING_SETUP_COOP_TASKRUN &&
	       served & IORING_SETUP_DEFER_TASKRUN;
}

static void ck_reason_names(const char *reason)
{
	ck_assert_msg(!strncmp(reason, "uring ", 6), "%s", reason);
	for (int i = 0; i < FLAGS; i++) {
		bool served = kernel.served & flags[i].flag;
		bool named = strstr(reason, flags[i].name) != NULL;

		ck_assert(!served || !(kernel.forbidden & flags[i].flag));
		ck_assert_msg(named == (!served && !makes_up(kernel.served,
							     flags[i].flag)),
			      "served %#x: %s", kernel.served, reason);
	}
}

START_TEST(with_fewer_flags_io_uring_serves_and_names_the_missing_ones)
{
	for (unsigned set = 0; set < 1 << FLAGS; set++) {
		char reason[200] = "";

		kernel.forbidden = 0;
		for (int i = 0; i < FLAGS; i++)
			kernel.forbidden |= set >> i & 1 ? flags[i].flag : 0;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		ck_reason_names(reason);
	}
}
END_TEST

START_TEST(one_missing_flag_costs_as_few_others_as_can_be)
{
	for (int i = 0; i < FLAGS; i++) {
		char reason[200] = "";

		kernel.forbidden = flags[i].flag;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		/* Those without which nothing else works are a matter of their own. */
		if (flags[i].flag == IORING_SETUP_TASKRUN_FLAG ||
		    flags[i].flag == IORING_SETUP_SINGLE_ISSUER)
			continue;
		for (int other = 0; other < FLAGS; other++) {
			bool coop =
				flags[other].flag == IORING_SETUP_COOP_TASKRUN;

			if (other != i && !coop)
				ck_assert(kernel.served & flags[other].flag);
		}
	}
}
END_TEST

START_TEST(everything_works_whatever_flags_there_are)
{
	for (int i = 0; i <= FLAGS; i++) {
		kernel.forbidden =
			i < FLAGS ? flags[i].flag : ~IORING_SETUP_CLAMP;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
	}
}
END_TEST

/*
 * Opcodes.
 */

static const int used[] = {
	IORING_OP_RECV,	   IORING_OP_SEND,     IORING_OP_RECVMSG,
	IORING_OP_SENDMSG, IORING_OP_ACCEPT,   IORING_OP_CONNECT,
	IORING_OP_WRITE,   IORING_OP_READV,    IORING_OP_WRITEV,
	IORING_OP_SPLICE,  IORING_OP_OPENAT,   IORING_OP_FSYNC,
	IORING_OP_STATX,   IORING_OP_UNLINKAT, IORING_OP_RENAMEAT,
	IORING_OP_MKDIRAT,
};

enum { USED = sizeof(used) / sizeof(*used) };

static void was_used(int opcode)
{
	char needle[32];

	snprintf(needle, sizeof(needle), " op %d ", opcode);
	ck_assert_msg(strstr(sim_trace(), needle) != NULL,
		      "opcode %d was not used", opcode);
}

START_TEST(the_requests_below_are_the_ones_that_are_made)
{
	sim_trace_begin();
	ck_assert_int_eq(run_best(use_everything, "uring"), 0);
	for (int i = 0; i < USED; i++)
		was_used(used[i]);
}
END_TEST

START_TEST(an_opcode_that_is_refused_on_its_completion_is_performed_otherwise)
{
	kernel.restricts = true;
	for (int i = 0; i < USED; i++) {
		kernel.refused[used[i]] = true;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
		kernel.refused[used[i]] = false;
	}
}
END_TEST

START_TEST(all_of_them_may_be_refused_at_once)
{
	kernel.restricts = true;
	for (int i = 0; i < USED; i++)
		kernel.refused[used[i]] = true;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
}
END_TEST

START_TEST(an_opcode_that_the_kernel_lacks_is_performed_otherwise)
{
	for (int i = 0; i < USED; i++) {
		kernel.missing[used[i]] = true;
		ck_assert_int_eq(run_best(use_everything, "uring"), 0);
		kernel.missing[used[i]] = false;
	}
	for (int i = 0; i < USED; i++)
		kernel.missing[used[i]] = true;
	ck_assert_int_eq(run_best(use_everything, "uring"), 0);
}
END_TEST

static int be_stuck(void *arg)
{
	while (sem_wait(arg))
		;
	return 0;
}

static int go_and_be_stuck(void *arg)
{
	return coil_to_thread(be_stuck, arg);
}

static int use_files_beside_what_is_stuck(void *arg)
{
	struct coil_task *tasks[1000];
	struct statx stat;
	sem_t gate;
	int fd;

	(void)arg;
	sem_init(&gate, 0, 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = coil_create_task(go_and_be_stuck, &gate);
	ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	fd = coil_open("/tmp", O_RDONLY | O_DIRECTORY, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(coil_statx(fd, ".", 0, STATX_TYPE, &stat), 0);
	ck_assert_int_eq(coil_fsync(fd), 0);
	ck_assert_int_eq(coil_close(fd), 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		sem_post(&gate);
	for (size_t i = 0; i < COUNT(tasks); i++)
		ck_assert_int_eq(coil_await(tasks[i]), 0);
	return 0;
}

START_TEST(what_is_performed_on_threads_does_not_wait_for_functions_that_are_stuck)
{
	for (int i = 0; i < USED; i++)
		kernel.missing[used[i]] = true;
	ck_assert_int_eq(run_best(use_files_beside_what_is_stuck, NULL), 0);
}
END_TEST

/* What the engine itself cannot do without. */
static const struct { int opcode; const char *name; } essential[] = {
	{ IORING_OP_POLL_ADD, "POLL_ADD" },
	{ IORING_OP_TIMEOUT, "TIMEOUT" },
	{ IORING_OP_TIMEOUT_REMOVE, "TIMEOUT_REMOVE" },
	{ IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL" },
	{ IORING_OP_READ, "READ" },
};

enum { ESSENTIAL = sizeof(essential) / sizeof(*essential) };

START_TEST(where_an_essential_opcode_is_refused_epoll_serves_and_says_why)
{
	kernel.restricts = true;
	for (int i = 0; i < ESSENTIAL; i++) {
		char reason[200] = "";

		kernel.refused[essential[i].opcode] = true;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		ck_assert_msg(!strncmp(reason, "epoll uring: ", 13), "%s: %s",
			      essential[i].name, reason);
		ck_assert_msg(strstr(reason, "EACCES") != NULL, "%s", reason);
		ck_assert_int_eq(run_best(use_everything, "epoll"), 0);
		kernel.refused[essential[i].opcode] = false;
	}
}
END_TEST

START_TEST(where_an_essential_opcode_is_missing_epoll_serves_and_says_why)
{
	for (int i = 0; i < ESSENTIAL; i++) {
		char reason[200] = "", number[16];

		kernel.missing[essential[i].opcode] = true;
		ck_assert_int_eq(run_best(copy_reason, reason), 0);
		snprintf(number, sizeof(number), " %d", essential[i].opcode);
		ck_assert_msg(!strncmp(reason, "epoll uring: ", 13), "%s",
			      reason);
		ck_assert_msg(strstr(reason, number) != NULL, "%s", reason);
		kernel.missing[essential[i].opcode] = false;
	}
}
END_TEST

START_TEST(an_engine_that_was_asked_for_by_name_is_not_replaced)
{
	kernel.without = IORING_FEAT_FAST_POLL;
	setenv("COIL_BACKEND", "uring", 1);
	ck_assert_int_eq(coil_run(give, NULL), -ENOSYS);
}
END_TEST

Suite *suite(void)
{
	Suite *whole;
	TCase *tests;

	if (support_skip_on("sim", "it is about io_uring") ||
	    support_skip_on("epoll", "it is about io_uring"))
		return NULL;
	whole = suite_create("fallback");
	tests = tcase_create("fallback");
	tcase_add_test(tests,
		       where_io_uring_setup_is_refused_epoll_serves_and_says_why);
	tcase_add_test(tests, without_fast_poll_epoll_serves);
	tcase_add_test(tests,
		       with_fewer_flags_io_uring_serves_and_names_the_missing_ones);
	tcase_add_test(tests, one_missing_flag_costs_as_few_others_as_can_be);
	tcase_add_test(tests, everything_works_whatever_flags_there_are);
	tcase_add_test(tests, the_requests_below_are_the_ones_that_are_made);
	tcase_add_test(tests,
		       an_opcode_that_is_refused_on_its_completion_is_performed_otherwise);
	tcase_add_test(tests, all_of_them_may_be_refused_at_once);
	tcase_add_test(tests,
		       an_opcode_that_the_kernel_lacks_is_performed_otherwise);
	tcase_add_test(tests,
		       what_is_performed_on_threads_does_not_wait_for_functions_that_are_stuck);
	tcase_add_test(tests,
		       where_an_essential_opcode_is_refused_epoll_serves_and_says_why);
	tcase_add_test(tests,
		       where_an_essential_opcode_is_missing_epoll_serves_and_says_why);
	tcase_add_test(tests,
		       an_engine_that_was_asked_for_by_name_is_not_replaced);
	suite_add_tcase(whole, tests);
	return whole;
}
