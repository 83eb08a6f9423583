/* SPDX-License-Identifier: MIT */
#include "core/task/overflow.h"
#include "core/task/lock.h"
#include "core/task/loop.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
	STACK_SIZE = 32 * 1024,
	JUMP = 64 * 1024 * 1024,	/* maximum reach of a frame below the stack */
};

static unsigned users;
static bool installed;

/* Returns the stack pointer at the fault, or NULL if it is not known. */
static const char *stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (const char *)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (const char *)context->uc_mcontext.sp;
#elif defined(__riscv)
	return (const char *)context->uc_mcontext.__gregs[REG_SP];
#else
	(void)context;
	return NULL;
#endif
}

/*
 * The fault lies in the guard or below it.  Code that does not touch the pages
 * of a large frame one by one jumps over the guard.  It faults wherever it
 * first uses the frame.
 */
static bool is_overflow(const struct coil_loop *loop, const char *address, const char *pointer)
{
	const struct stack *stack = &coil__self()->stack;
	const char *limit;

	if (coil__self() == &loop->root)
		return false;
	limit = coil__stack_limit(&loop->stacks, stack);
	if (address >= limit)
		return false;
	return address >= stack->bottom || (pointer < limit && limit - pointer < JUMP);
}

/* Allocates no name: the overflow may have happened inside malloc(3). */
static void say(const struct coil_task *task)
{
	const struct stack *stack = &task->stack;
	char number[32];

	snprintf(number, sizeof(number), "task-%llu", (unsigned long long)task->number);
	coil__warn("task %s overflowed its stack of %zu bytes", task->name ? task->name : number,
		   (size_t)(stack->top - coil__stack_limit(&task->loop->stacks, stack)));
}

/*
 * Restores the default action.  The faulting instruction then runs again and
 * kills the process.  A signal that a process sent does not come again, so it
 * is raised.
 */
static void overflow_handle(int signal_number, siginfo_t *info, void *context)
{
	const struct coil_loop *loop = coil__loop;

	if (info->si_code > 0 && loop != &coil__no_loop &&
	    is_overflow(loop, info->si_addr, stack_pointer(context)))
		say(coil__self());
	signal(signal_number, SIG_DFL);
	if (info->si_code <= 0)
		raise(signal_number);
}

static void overflow_install(void)
{
	struct sigaction action = { .sa_sigaction = overflow_handle,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction old;

	if (sigaction(SIGSEGV, NULL, &old) || old.sa_handler != SIG_DFL)
		return;
	sigemptyset(&action.sa_mask);
	installed = !sigaction(SIGSEGV, &action, NULL);
}

static void uninstall(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct sigaction old;

	/* If the program has replaced our handler, its handler stays. */
	if (installed && !sigaction(SIGSEGV, NULL, &old) && old.sa_flags & SA_SIGINFO &&
	    old.sa_sigaction == overflow_handle)
		sigaction(SIGSEGV, &action, NULL);
	installed = false;
}

/* The child begins without loops.  The handler stays until a loop ends. */
void coil__overflow_forked(void)
{
	users = 0;
}

void coil__overflow_begin(struct overflow *overflow)
{
	stack_t stack = { .ss_size = STACK_SIZE }, old;

	overflow->stack = NULL;
	/* ASan's own handler does the same. */
	if (ADDRESS_SANITIZED)
		return;
	if (!sigaltstack(NULL, &old) && old.ss_flags & SS_DISABLE) {
		stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stack.ss_sp != MAP_FAILED && !sigaltstack(&stack, NULL))
			overflow->stack = stack.ss_sp;
		else if (stack.ss_sp != MAP_FAILED)
			munmap(stack.ss_sp, STACK_SIZE);
	}
	coil__lock(LOCK_OVERFLOW);
	if (!users++)
		overflow_install();
	coil__unlock(LOCK_OVERFLOW);
}

void coil__overflow_end(struct overflow *overflow)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	if (ADDRESS_SANITIZED)
		return;
	coil__lock(LOCK_OVERFLOW);
	if (!--users)
		uninstall();
	coil__unlock(LOCK_OVERFLOW);
	if (overflow->stack && !sigaltstack(&none, NULL))
		munmap(overflow->stack, STACK_SIZE);
}
