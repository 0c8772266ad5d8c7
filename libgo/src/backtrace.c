// SPDX-License-Identifier: MIT
/*
 * Backtraces, by the compiler's unwinder, the one of C++ exceptions: it is there
 * in every program, and it needs no frame pointers.
 *
 * It unwinds the thread that calls it. The stack of a goroutine that does not run
 * becomes a part of that by a function whose unwind information says that its
 * caller's registers are where g_switch() has saved them (g_unwind(), in arch/).
 */
#include <unwind.h>

#include "backtrace.h"

/**
 * struct walk - a backtrace being made
 * @bt: the backtrace
 * @lo: the stack: where frames may be
 * @hi: its end
 * @last: the frame before
 * @skip: frames to leave out
 * @interrupted: leave out what is called by the signal's frame, and that
 */
struct walk {
	struct backtrace *bt;
	uintptr_t lo;
	uintptr_t hi;
	uintptr_t last;
	uint32_t skip;
	bool interrupted;
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *frame, void *arg)
{
	struct walk *w = arg;
	struct backtrace *bt = w->bt;
	uintptr_t cfa = _Unwind_GetCFA(frame);
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(frame, &exact);

	if (w->interrupted && !exact)
		return _URC_NO_REASON;
	w->interrupted = false;
	/* Before the first frame of the stack, behind its last, or in a loop. */
	if (cfa < w->lo || cfa > w->hi || !pc)
		return bt->nr ? _URC_END_OF_STACK : _URC_NO_REASON;
	if (cfa < w->last)
		return _URC_END_OF_STACK;
	/* That of a signal's frame may be on the signal's stack. */
	w->last = exact ? 0 : cfa;
	if (w->skip) {
		w->skip--;
		return _URC_NO_REASON;
	}
	if (bt->nr == BACKTRACE_MAX) {
		bt->more = true;
		return _URC_END_OF_STACK;
	}
	/* A return address may be in the next line, or the next function. */
	bt->pc[bt->nr++] = exact ? pc : pc - 1;
	return _URC_NO_REASON;
}

static void walk_begin(struct walk *w, struct backtrace *bt)
{
	bt->nr = 0;
	bt->more = false;
	*w = (struct walk){ .bt = bt, .hi = UINTPTR_MAX };
}

__attribute__((noinline)) void backtrace_self(struct backtrace *bt)
{
	struct walk w;

	walk_begin(&w, bt);
	w.skip = 2;	/* this function and its caller */
	_Unwind_Backtrace(walk_frame, &w);
}

void backtrace_interrupted(struct backtrace *bt)
{
	struct walk w;

	walk_begin(&w, bt);
	w.interrupted = true;
	_Unwind_Backtrace(walk_frame, &w);
}

void backtrace_parked(struct backtrace *bt, const struct stack *stack, void *sp)
{
	struct walk w;

	walk_begin(&w, bt);
	/* It may have left its stack at the low end. */
	w.lo = (uintptr_t)sp;
	w.hi = (uintptr_t)stack;
	if (w.lo < w.hi)
		g_unwind(sp, walk_frame, &w);
}

void report_backtrace(struct report *r, const struct backtrace *bt)
{
	uint32_t i;

	for (i = 0; i < bt->nr; i++) {
		report_text(r, "\t");
		report_place(r, bt->pc[i]);
		report_text(r, "\n");
	}
	if (bt->more)
		report_text(r, "\t...\n");
}
