/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_SANITIZE_H
#define COIL_CORE_SANITIZE_H

/*
 * What ASan, TSan and valgrind want to know of a stack and of a switch, or
 * nothing.  The one home of these #ifdefs.
 */

#include "core/fork.h"
#include <pthread.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COIL_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define COIL_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define COIL_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define COIL_TSAN 1
#endif

#ifdef COIL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef COIL_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#define COIL_VALGRIND 1
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Under them a stack whose task ended is not entered again where it stood. */
#if defined(COIL_ASAN) || defined(COIL_TSAN)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#ifdef COIL_ASAN
#define ADDRESS_SANITIZED 1
#else
#define ADDRESS_SANITIZED 0
#endif

/* What they know a stack by. */
struct sanitized {
	void *fiber;		/* TSan's */
	unsigned valgrind;	/* one more than valgrind's number */
};

/*
 * Before memory is unmapped, and after it was mapped, by system calls that TSan does
 * not see: another thread may be given the same addresses, and it must know that this
 * comes after that.
 */
static inline void sanitize_mapping(void)
{
#ifdef COIL_TSAN
	coil__lock(LOCK_MAPPING);
	coil__unlock(LOCK_MAPPING);
#endif
}

/* A stack from bottom to top begins a new life. */
static inline void sanitize_stack_new(struct sanitized *stack, char *bottom, char *top)
{
	(void)stack, (void)bottom, (void)top;
#ifdef COIL_ASAN
	__asan_unpoison_memory_region(bottom, (size_t)(top - bottom));
#endif
#ifdef COIL_TSAN
	stack->fiber = __tsan_create_fiber(0);
#endif
#ifdef COIL_VALGRIND
	stack->valgrind = VALGRIND_STACK_REGISTER(bottom, top) + 1;
#endif
}

/* It ended; no context stands on it. */
static inline void sanitize_stack_old(struct sanitized *stack)
{
	(void)stack;
#ifdef COIL_TSAN
	if (stack->fiber)
		__tsan_destroy_fiber(stack->fiber);
	stack->fiber = NULL;
#endif
#ifdef COIL_VALGRIND
	if (stack->valgrind)
		VALGRIND_STACK_DEREGISTER(stack->valgrind - 1);
	stack->valgrind = 0;
#endif
}

/* The thread's own stack, which the loop runs on. */
static inline void sanitize_stack_main(struct sanitized *stack, char **bottom, char **top)
{
	(void)stack, (void)bottom, (void)top;
#ifdef COIL_ASAN
	{
		pthread_attr_t attr;
		void *base;
		size_t size;

		if (!pthread_getattr_np(pthread_self(), &attr)) {
			pthread_attr_getstack(&attr, &base, &size);
			pthread_attr_destroy(&attr);
			*bottom = base;
			*top = *bottom + size;
		}
	}
#endif
#ifdef COIL_TSAN
	stack->fiber = __tsan_get_current_fiber();
#endif
}

/*
 * Around a switch: start before, finish right after, on the stack arrived at.
 * fake is where ASan keeps the left stack's frames; NULL when it is left for
 * good.
 */
static inline void sanitize_start(void **fake, const struct sanitized *to,
				  const char *bottom, const char *top)
{
	(void)fake, (void)to, (void)bottom, (void)top;
#ifdef COIL_ASAN
	__sanitizer_start_switch_fiber(fake, bottom, (size_t)(top - bottom));
#endif
#ifdef COIL_TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

static inline void sanitize_finish(void *fake, const char **bottom, size_t *size)
{
	(void)fake, (void)bottom, (void)size;
#ifdef COIL_ASAN
	__sanitizer_finish_switch_fiber(fake, (const void **)bottom, size);
#endif
}

#endif
