// SPDX-License-Identifier: MIT
/*
 * Faults.
 *
 * While a runtime runs SIGSEGV has a handler of ours, on a stack of its own in
 * each M. A fault in the guard of the goroutine that runs is a stack that is used
 * up: it is reported, and then the signal has its default action, at the
 * instruction that faulted, so that a core has it all. One of a function that
 * fault_catch() has called ends that. All others are passed to the handler that
 * there was before.
 *
 * What runs in the handler takes no lock of libgo's and allocates nothing. The
 * unwinder and dladdr(3) may wait for a lock of the dynamic linker's that the
 * faulting thread holds, if the stack was used up in dlopen(3).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "backtrace.h"
#include "fault.h"
#include "handler.h"
#include "stack.h"

#define FAULT_STACK_SIZE	(32 << 10)

static struct sigaction before;
static uintptr_t page_size, frame_size;
static __thread sigjmp_buf *catcher;

/* ---- the report -------------------------------------------------------------- */

static void report_overflow(const struct g *g, const struct backtrace *bt)
{
	struct report r = { .fd = STDERR_FILENO };

	report_text(&r, "libgo: stack overflow in ");
	report_goroutine(&r, g->id, g->name);
	report_text(&r, ", which has ");
	report_number(&r, stack_size(g->stack_class));
	report_text(&r, " bytes: start it with a larger stack_size\n");
	report_backtrace(&r, bt);
	report_text(&r, "started with ");
	report_place(&r, (uintptr_t)g->fn);
	report_text(&r, "\n");
	report_flush(&r);
}

void overflow_found(struct g *g)
{
	struct backtrace bt;

	backtrace_parked(&bt, g->stack, g->sp);
	report_overflow(g, &bt);
	abort();
}

/* ---- the handler --------------------------------------------------------------- */

static uintptr_t context_sp(const void *context)
{
	const ucontext_t *uc = context;

#ifdef __x86_64__
	return uc->uc_mcontext.gregs[REG_RSP];
#else
	return uc->uc_mcontext.sp;
#endif
}

/* The goroutine that runs, if it has a guard and an address is in its stack's first bytes. */
static struct g *at_end_of(uintptr_t addr, uintptr_t bytes)
{
	struct m *m = m_self();
	struct g *g = m ? m->g : NULL;

	if (!g || !g->guarded || addr - (uintptr_t)g->stack_lo >= bytes)
		return NULL;
	return g;
}

/* Such an address is no address, and so is not said either. */
static bool is_protection_fault(const void *context)
{
#ifdef __x86_64__
	return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO] == 13;
#else
	(void)context;
	return false;
#endif
}

/*
 * A signal whose frame finds no room, where its handler has no SA_ONSTACK: the kernel sends
 * SIGSEGV in its place, and says no address.
 */
static struct g *without_room(const void *context)
{
	if (is_protection_fault(context))
		return NULL;
	return at_end_of(context_sp(context), page_size + frame_size);
}

/* Have it end the program: it faults again, but for what the kernel alone has sent. */
static void fault_again(int sig, const siginfo_t *info)
{
	signal(sig, SIG_DFL);
	if (info->si_code == SI_KERNEL)
		raise(sig);
}

/* As if the handler had never been there. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(sig, info, context);
	} else if (before.sa_handler != SIG_DFL &&
		   before.sa_handler != SIG_IGN) {
		before.sa_handler(sig);
	} else if (info->si_code > 0) {
		/* The kernel lets nobody ignore that. */
		fault_again(sig, info);
	} else if (before.sa_handler == SIG_DFL) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

static void fault_handler(int sig, siginfo_t *info, void *context)
{
	struct backtrace bt;
	struct g *g = NULL;

	if (info->si_code > 0) {
		if (catcher)
			siglongjmp(*catcher, 1);
		g = info->si_code == SI_KERNEL ? without_room(context) :
			at_end_of((uintptr_t)info->si_addr, page_size);
	}
	if (!g) {
		pass_on(sig, info, context);
		return;
	}
	backtrace_interrupted(&bt);
	report_overflow(g, &bt);
	fault_again(sig, info);
}

void fault_start(void)
{
	struct sigaction action = {
		.sa_sigaction = fault_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	page_size = sysconf(_SC_PAGESIZE);
	frame_size = getauxval(AT_MINSIGSTKSZ) ?: MINSIGSTKSZ;
	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &before);
}

void fault_stop(void)
{
	handler_leave(SIGSEGV, fault_handler, &before);
}

/*
 * It is a mapping of its own and not in the thread's stack: valgrind would take a
 * signal for a switch to that stack, see no switch when the goroutine that was
 * interrupted leaves its own later, and take all that lies between for one frame.
 */
void *fault_stack_make(void)
{
	char *lo = mmap(NULL, page_size + FAULT_STACK_SIZE,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (lo == MAP_FAILED)
		return NULL;
	mprotect(lo, page_size, PROT_NONE);
	return lo + page_size;
}

void fault_stack_free(void *stack)
{
	munmap((char *)stack - page_size, page_size + FAULT_STACK_SIZE);
}

void fault_stack_use(void *stack)
{
	stack_t ss = { .ss_sp = stack, .ss_size = FAULT_STACK_SIZE };
	stack_t now;

	/* A sanitizer has given the thread one, and will take it back. */
	sigaltstack(NULL, &now);
	if (now.ss_flags & SS_DISABLE)
		sigaltstack(&ss, NULL);
}

void fault_stack_leave(void *stack)
{
	stack_t off = { .ss_flags = SS_DISABLE };
	stack_t now;

	sigaltstack(NULL, &now);
	if (now.ss_sp == stack)
		sigaltstack(&off, NULL);
}

bool fault_catch(void (*fn)(void *arg), void *arg)
{
	sigjmp_buf env;

	if (sigsetjmp(env, 1)) {
		catcher = NULL;
		return false;
	}
	catcher = &env;
	fn(arg);
	catcher = NULL;
	return true;
}
