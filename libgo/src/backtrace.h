/* SPDX-License-Identifier: MIT */
/*
 * Who called whom on the stack of a goroutine.
 */
#ifndef BACKTRACE_H
#define BACKTRACE_H

#include "report.h"
#include "runtime.h"

#define BACKTRACE_MAX	48

/**
 * struct backtrace - places in the code, the innermost first
 * @nr: how many
 * @more: there are more of them
 * @pc: each inside the instruction that is executed or that called
 */
struct backtrace {
	uint32_t nr;
	bool more;
	uintptr_t pc[BACKTRACE_MAX];
};

/* Of the calling goroutine, without the function that calls this. */
void backtrace_self(struct backtrace *bt);

/* Of what a signal has interrupted; from its handler. */
void backtrace_interrupted(struct backtrace *bt);

/*
 * Of a goroutine that does not run, and has left that stack at sp. Any thread. It may
 * begin to run meanwhile: then what is found makes no sense, or there is a fault
 * (fault_catch()).
 */
void backtrace_parked(struct backtrace *bt, const struct stack *stack, void *sp);

void report_backtrace(struct report *r, const struct backtrace *bt);

#endif /* BACKTRACE_H */
