/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_CONTEXT_H
#define COIL_CORE_TASK_CONTEXT_H

/*
 * The switch is boost.context's assembly.  It saves the callee-saved registers
 * on the stack that it leaves and loads them from the stack that it enters.
 * The build takes the objects from libboost_context.a and renames their
 * symbols.
 */

#include <stddef.h>
#include <stdint.h>

struct transfer {
	void *context;	/* of the stack that was left */
	void *data;	/* argument of the jump that left it */
};

struct transfer coil__jump_fcontext(void *to, void *data);
void *coil__make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

/*
 * The assembly enters the other stack by a jump, not by a return.  A call of
 * it would leave one address too many on the processor's stack of return
 * addresses.  Every later return would be mispredicted, which doubles the
 * price of the switch.  So this code pushes the return address itself and
 * jumps.
 */
#if defined(__x86_64__) && !defined(__SHSTK__)
/*
 * With COIL_NO_RED_ZONE the compiler keeps nothing below the stack pointer.
 * Otherwise the push must not overwrite the 128 bytes there.
 */
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
 * Each task has its own modes of the floating-point unit (rounding, traps,
 * denormals).  struct coil_task keeps them in a word, as of the last switch
 * away from the task:
 *
 * - context_modes() returns the present modes of the unit.
 * - context_left() returns the word of the stack that the jump left.
 * - context_enter() sets the unit to the word of the stack that the jump entered.
 * - context_inherit() gives a new task the modes of the task that makes it.
 */
#ifdef __x86_64__
/*
 * The jump itself saves MXCSR and loads that of the other stack.  The load
 * takes 3 ns if the two are equal and 30 ns if not.  MXCSR holds the exception
 * flags: any inexact division raises one, and it stays raised.  So a task that
 * divided and a task that did not would slow down each other's switches for
 * ever.
 *
 * Therefore a task that is entered compares its own flags, as of its last
 * switch, with the flags of the stack just left.  If they differ, it raises all
 * of them in both.  After a few switches all tasks have the same flags.  Each
 * task keeps its own rounding modes.
 */
#define CONTEXT_FLAGS 0x3fu

struct context_modes {
	uint32_t word;	/* MXCSR */
	uint16_t x87;	/* the control word of the x87 */
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

/* The jump has loaded MXCSR. */
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
 * A new task begins with the modes of its maker.  An earlier task on this
 * stack may have left other modes there.
 *
 * A read of MXCSR takes nearly as long as a jump.  fesetround(3) and
 * feenableexcept(3) change the control word of the x87 as well, which is cheap
 * to read.  So if that word is the usual one, and the maker's MXCSR was the
 * usual one at its last switch, this function assumes that MXCSR has not
 * changed.
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
 * boost's assembly saves neither FPCR nor frm, so the jump leaves the unit as
 * it is.  Each switch reads the word.  It writes the word only if the two
 * tasks differ, because a write waits for the arithmetic before it.  The
 * exception flags are not in these registers.
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
/* No floating-point unit, or a processor whose modes coil does not keep. */
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
