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
 * Each task has modes of the floating-point unit of its own (rounding, traps,
 * denormals).  struct coil_task keeps them in a word, from the last switch away from it:
 *
 * - context_modes() returns the modes of the unit now.
 * - context_left() returns the word of the stack that the jump left.
 * - context_enter() sets the unit to the word of the stack that the jump entered.
 * - context_inherit() gives a new task the modes of the task that makes it.
 */
#ifdef __x86_64__
/*
 * The jump itself saves MXCSR and loads the other's, which takes 3 ns if they are
 * equal and 30 if not; and its exception flags, which any inexact division raises,
 * stay raised.  So a task that divided and one that did not would make each other's
 * switches slow for ever.  Whoever arrives and finds the flags of the stack left
 * to be others than its own (as of when it was left itself) raises all of them in
 * both: after a few switches all tasks have the same.  Rounding modes are left
 * alone.
 */
#define CONTEXT_FLAGS 0x3fu

/* What the unit is set to: MXCSR, and the control word of the x87. */
struct context_modes {
	uint32_t word;
	uint16_t x87;
};

static inline struct context_modes context_modes(void)
{
	struct context_modes modes = { .word = __builtin_ia32_stmxcsr() };

	__asm__ volatile("fnstcw %0" : "=m"(modes.x87));
	return modes;
}

static inline uint32_t context_left(const void *context)
{
	return *(const uint32_t *)context;
}

/* The jump has done so. */
static inline void context_enter(uint32_t left, uint32_t entered)
{
	(void)left, (void)entered;
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
	if (__builtin_expect(x87 != usual.x87 || (maker ^ usual.word) & ~CONTEXT_FLAGS, 0))
		maker = __builtin_ia32_stmxcsr();
	*(uint32_t *)context = maker;
	((uint16_t *)context)[2] = x87;
	return maker;
}
#else
/*
 * The jump leaves the unit as it is: boost's assembly saves no FPCR and no frm.  The
 * word is read at each switch and set only where the two tasks differ, as a write
 * waits for the arithmetic before it.  The exception flags are outside both registers.
 */
#define CONTEXT_FLAGS 0u

#if defined(__aarch64__)
static inline uint32_t context_word(void)
{
	uint64_t fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr) : : "memory");
	return (uint32_t)fpcr;
}

static inline void context_set_word(uint32_t word)
{
	__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)word) : "memory");
}
#elif defined(__riscv_flen)
static inline uint32_t context_word(void)
{
	unsigned long frm;

	__asm__ volatile("frrm %0" : "=r"(frm) : : "memory");
	return (uint32_t)frm;
}

static inline void context_set_word(uint32_t word)
{
	__asm__ volatile("fsrm %0" : : "r"((unsigned long)word) : "memory");
}
#else
/* A processor without a floating-point unit, or one whose modes are not kept. */
static inline uint32_t context_word(void)
{
	return 0;
}

static inline void context_set_word(uint32_t word)
{
	(void)word;
}
#endif

struct context_modes {
	uint32_t word;
};

static inline struct context_modes context_modes(void)
{
	return (struct context_modes){ .word = context_word() };
}

/* The unit still has the modes of the stack that was left. */
static inline uint32_t context_left(const void *context)
{
	(void)context;
	return context_word();
}

static inline void context_enter(uint32_t left, uint32_t entered)
{
	if (__builtin_expect(left != entered, 0))
		context_set_word(entered);
}

static inline void context_raise(void *context, uint32_t flags)
{
	(void)context, (void)flags;
}

static inline uint32_t context_inherit(void *context, uint32_t maker,
				       struct context_modes usual)
{
	(void)context, (void)maker, (void)usual;
	return context_word();
}
#endif

#endif
