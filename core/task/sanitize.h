/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_SANITIZE_H
#define COIL_CORE_TASK_SANITIZE_H

/*
 * Reports stacks and switches to ASan, TSan and valgrind, where they are in
 * use.  All #ifdefs for them are in this file.
 */

#include "core/task/lock.h"
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

/* Under ASan or TSan the context of an ended task is not entered again. */
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

/* The tools' own names for a stack. */
struct sanitized {
	void *fiber;		/* TSan's */
	unsigned valgrind;	/* valgrind's number plus one; 0: none */
};

/*
 * Called before memory is unmapped and after it was mapped, if TSan does not
 * see the system calls.  Another thread may get the same addresses.  The lock
 * shows TSan that the other thread's use of them comes after ours.
 */
static inline void sanitize_mapping(void)
{
#ifdef COIL_TSAN
	coil__lock(LOCK_MAPPING);
	coil__unlock(LOCK_MAPPING);
#endif
}

/* Called when a new task begins on the stack from bottom to top. */
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

/* Called when the stack holds no context any more. */
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

/* Called for the thread's own stack, on which the loop runs. */
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
 * sanitize_start() is called before a switch, and sanitize_finish() right
 * after it, on the other stack.  ASan keeps the frames of the stack that is
 * left in fake, which is NULL if the stack is left for good.
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
