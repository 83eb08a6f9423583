/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_CONTEXT_H
#define COIL_CORE_CONTEXT_H

/*
 * boost.context's assembly, which saves the callee's registers on the stack it
 * leaves and loads those on the stack it enters.  The build takes the objects
 * from libboost_context.a and gives them names of ours.
 */

#include <stddef.h>
#include <stdint.h>

struct transfer {
	void *context;	/* of the stack that was left */
	void *data;	/* what it handed over */
};

struct transfer coil__jump_fcontext(void *to, void *data);
void *coil__make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

/*
 * The jump enters the other stack by a jump, not by a return.  Were it called, the
 * processor's stack of return addresses would hold one more than there will be
 * returns, and every return after it would be mispredicted: twice the price of the
 * switch.  So the return address is pushed by hand.
 */
#if defined(__x86_64__) && !defined(__SHSTK__)
/* Built so that nobody keeps anything below the stack pointer, or not. */
#ifdef COIL_NO_RED_ZONE
#define SPARE_RED_ZONE ""
#define UNSPARE_RED_ZONE ""
#else
#define SPARE_RED_ZONE "lea -128(%%rsp), %%rsp\n\t"
#define UNSPARE_RED_ZONE "sub $-128, %%rsp"
#endif

static inline __attribute__((always_inline)) struct transfer context_jump(void *to, void *data)
{
	struct transfer from;

	__asm__ volatile(SPARE_RED_ZONE
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "jmp coil__jump_fcontext\n"
			 "1:\t" UNSPARE_RED_ZONE
			 : "=&a"(from.context), "=&d"(from.data), "+D"(to), "+S"(data)
			 :
			 : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
			   "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)",
			   "st(4)", "st(5)", "st(6)", "st(7)", "memory", "cc");
	return from;
}
#else
static inline struct transfer context_jump(void *to, void *data)
{
	return coil__jump_fcontext(to, data);
}
#endif

/*
 * The jump saves MXCSR and loads the other's, which takes 3 ns if they are equal
 * and 30 if not; and its exception flags, which any inexact division raises, stay
 * raised.  So a task that divided and one that did not would make each other's
 * switches slow for ever.  Whoever arrives and finds the flags of the stack left
 * to be others than its own (as of when it was left itself) raises all of them in
 * both: after a few switches all tasks have the same.  Rounding modes are left
 * alone.
 */
#ifdef __x86_64__
#define CONTEXT_FLAGS 0x3fu

/* What the unit is set to: MXCSR, and the control word of the x87. */
struct context_modes {
	uint32_t mxcsr;
	uint16_t x87;
};

static inline struct context_modes context_modes(void)
{
	struct context_modes modes = { .mxcsr = __builtin_ia32_stmxcsr() };

	__asm__ volatile("fnstcw %0" : "=m"(modes.x87));
	return modes;
}

static inline uint32_t context_mxcsr(const void *context)
{
	return *(const uint32_t *)context;
}

static inline void context_raise(void *context, uint32_t flags)
{
	uint32_t now = __builtin_ia32_stmxcsr() | flags;

	*(uint32_t *)context |= flags;
	__builtin_ia32_ldmxcsr(now);
}

/*
 * A new task begins with the modes of the one that makes it.  Whoever stood on
 * this stack before may have rounded otherwise, and has left its modes there.  To
 * ask for MXCSR takes nearly as long as a jump.  So where the maker's was the usual
 * one when it last ran again, and the x87's, which fesetround(3) and feenableexcept(3)
 * change as well, is the usual one now, it is taken to be so still.
 */
static inline uint32_t context_inherit(void *context, uint32_t maker,
				       struct context_modes usual)
{
	uint16_t x87;

	__asm__ volatile("fnstcw %0" : "=m"(x87));
	if (__builtin_expect(x87 != usual.x87 || (maker ^ usual.mxcsr) & ~CONTEXT_FLAGS, 0))
		maker = __builtin_ia32_stmxcsr();
	*(uint32_t *)context = maker;
	((uint16_t *)context)[2] = x87;
	return maker;
}
#else
#define CONTEXT_FLAGS 0u

struct context_modes {
	uint32_t mxcsr;
};

static inline struct context_modes context_modes(void)
{
	return (struct context_modes){0};
}

static inline uint32_t context_mxcsr(const void *context)
{
	return 0 * (uintptr_t)context;
}

static inline void context_raise(void *context, uint32_t flags)
{
	(void)context, (void)flags;
}

static inline uint32_t context_inherit(void *context, uint32_t maker,
				       struct context_modes usual)
{
	(void)context, (void)usual;
	return maker;
}
#endif

#endif
