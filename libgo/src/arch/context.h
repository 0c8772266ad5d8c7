/* SPDX-License-Identifier: MIT */
/*
 * What is particular to a processor: the first context of a goroutine, and the
 * address of a thread-local variable.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdint.h>
#include <string.h>
#include <unwind.h>

struct g;

struct g *g_switch(struct g *prev, struct g *next);
void g_start(void);

/* A switch of goroutines, returned in two registers. */
struct g_pair {
	struct g *prev;
	struct g *next;
};

/*
 * What g_start() calls before a goroutine's function and after it (goroutine.c). Without a
 * prev in what they return the function of next is to be called there. Where others wait
 * that are likely to end as well prev has PREV_OF_MANY added.
 */
#define PREV_OF_MANY	1

struct g_pair g_first(struct g *prev);
struct g_pair g_last(void);

/*
 * What go_yield() calls (sched.c) before the switch, which it leaves out if there is no
 * prev, and after it.
 */
struct g_pair yield_begin(void);
void yield_end(struct g *prev);

/* _Unwind_Backtrace(), of what g_switch() has left at sp. */
void g_unwind(void *sp, _Unwind_Trace_Fn fn, void *arg);

/* The control words of the FPU that a goroutine begins with. */
struct fpu_control {
	uint64_t word;
};

/*
 * CONTEXT_NEW is in the first context of a goroutine, beside the control words:
 * g_switch() does not return there, it goes on at g_start().
 */
#if defined(__x86_64__)

#define CONTEXT_NEW	(1ULL << 31)	/* reserved in MXCSR */

/* Asking for the frame's address would take a register for it. */
static inline char *stack_pointer(void)
{
	char *sp;

	__asm__("movq %%rsp, %0" : "=r" (sp));
	return sp;
}

static inline struct fpu_control fpu_control_now(void)
{
	struct fpu_control c = { 0 };
	uint32_t mxcsr;
	uint16_t cw;

	__asm__ __volatile__("stmxcsr %0" : "=m" (mxcsr));
	__asm__ __volatile__("fnstcw %0" : "=m" (cw));
	c.word = mxcsr | (uint64_t)cw << 32;
	return c;
}

static inline void fpu_control_load(struct fpu_control c)
{
	uint32_t mxcsr = c.word;
	uint16_t cw = c.word >> 32;

	__asm__ __volatile__("ldmxcsr %0" : : "m" (mxcsr));
	__asm__ __volatile__("fldcw %0" : : "m" (cw));
}

/* Make a stack on which g_switch() goes to g_start(); returns its pointer. */
static inline void *context_make(void *top, struct fpu_control fpu)
{
	uint64_t *sp = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15);

	*--sp = 0;			/* g_start() has no caller */
	*--sp = 0;
	*--sp = (uintptr_t)g_start;	/* for unwinders */
	sp -= 6;			/* rbp, rbx, r12 to r15 */
	memset(sp, 0, 6 * sizeof(*sp));
	*--sp = fpu.word | CONTEXT_NEW;
	return sp;
}

#elif defined(__aarch64__)

#define CONTEXT_NEW	(1ULL << 63)	/* reserved in FPCR */

static inline char *stack_pointer(void)
{
	char *sp;

	__asm__("mov %0, sp" : "=r" (sp));
	return sp;
}

static inline struct fpu_control fpu_control_now(void)
{
	struct fpu_control c;

	__asm__ __volatile__("mrs %0, fpcr" : "=r" (c.word));
	return c;
}

static inline void fpu_control_load(struct fpu_control c)
{
	__asm__ __volatile__("msr fpcr, %0" : : "r" (c.word));
}

static inline void *context_make(void *top, struct fpu_control fpu)
{
	uint64_t *sp = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15);

	sp -= 22;			/* the frame of g_switch() */
	memset(sp, 0, 22 * sizeof(*sp));
	sp[1] = (uintptr_t)g_start;	/* x30 */
	sp[20] = fpu.word | CONTEXT_NEW;
	return sp;
}

#else
#error "libgo knows x86-64 and AArch64"
#endif

/* Loading them takes longer than looking. The exceptions that were seen (x86) differ. */
static inline void fpu_control_reset(struct fpu_control c)
{
	if (fpu_control_now().word != c.word)
		fpu_control_load(c);
}

#endif /* CONTEXT_H */
