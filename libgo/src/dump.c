// SPDX-License-Identifier: MIT
/*
 * Dumps of all goroutines.
 *
 * A dump is made by a thread of its own, which may be a reader of RCU, whatever the
 * thread is that asked for it. It stops nobody. So a goroutine may go on while it
 * is looked at: its record and its stack are then read as they change, which may
 * make no sense or fault (fault_catch()). So all is read first, and believed only
 * if the goroutine has not gone on in between.
 *
 * SIGQUIT wakes the thread that has called go_run(), which waits for nothing but
 * the end of the main goroutine: that thread holds no lock, and it can start
 * another.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "assist.h"
#include "backtrace.h"
#include "dump.h"
#include "fault.h"
#include "fork.h"
#include "futex.h"
#include "gpool.h"
#include "handler.h"
#include "preempt.h"
#include "retake.h"
#include "thread.h"

#define NAME_MAX_SHOWN	64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

static const char * const reasons[WAIT_REASONS] = {
	[WAIT_SEND]		= "chan send",
	[WAIT_RECV]		= "chan receive",
	[WAIT_SELECT]		= "select",
	[WAIT_SLEEP]		= "sleep",
	[WAIT_MUTEX]		= "mutex",
	[WAIT_RWMUTEX]		= "rwmutex",
	[WAIT_COND]		= "cond",
	[WAIT_SEMAPHORE]	= "semaphore",
	[WAIT_WAITGROUP]	= "waitgroup",
	[WAIT_IO]		= "IO wait",
	[WAIT_EVER]		= "for ever",
};

void dump_lock(void)
{
	pthread_mutex_lock(&lock);
}

void dump_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/**
 * struct dump - a dump being made
 * @r: where to
 * @self: the goroutine that asked for it, or NULL
 * @self_bt: its backtrace
 */
struct dump {
	struct report r;
	const struct g *self;
	struct backtrace self_bt;
};

/**
 * struct look - a goroutine as it was seen
 * @g: the goroutine
 * @status: enum g_status
 * @why: enum wait_reason
 * @preempted: it is in the handler of the signal that stopped it
 * @id: its number
 * @fn: what it runs
 * @sp: its stack pointer
 * @stack: its stack
 * @name: its name, may be cut off
 * @bt: its backtrace, if it does not run
 */
struct look {
	const struct g *g;
	uint32_t status;
	uint32_t why;
	bool preempted;
	uint64_t id;
	go_fn fn;
	void *sp;
	const struct stack *stack;
	char name[NAME_MAX_SHOWN];
	struct backtrace bt;
};

/* ---- looking ----------------------------------------------------------------- */

/* What changes when a goroutine goes on, or its record is used again. */
static __no_tsan bool look_still(const struct look *l)
{
	const struct g *g = l->g;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&g->status, __ATOMIC_RELAXED) == l->status &&
	       __atomic_load_n(&g->id, __ATOMIC_RELAXED) == l->id &&
	       __atomic_load_n(&g->sp, __ATOMIC_RELAXED) == l->sp;
}

static __no_tsan void look_once(void *arg)
{
	struct look *l = arg;
	const struct g *g = l->g;
	const char *name;

	l->id = __atomic_load_n(&g->id, __ATOMIC_RELAXED);
	l->why = __atomic_load_n(&g->why, __ATOMIC_RELAXED);
	l->fn = __atomic_load_n(&g->fn, __ATOMIC_RELAXED);
	l->sp = __atomic_load_n(&g->sp, __ATOMIC_RELAXED);
	l->stack = __atomic_load_n(&g->stack, __ATOMIC_RELAXED);
	l->preempted = __atomic_load_n(&g->preempted, __ATOMIC_RELAXED);
	name = __atomic_load_n(&g->name, __ATOMIC_RELAXED);
	if (name)
		strncpy(l->name, name, sizeof(l->name) - 1);
	/*
	 * Of one that was stopped the stack pointer is not known, and one that has
	 * not run yet has none.
	 */
	if (l->sp && (l->status == G_WAITING ||
		      (l->status == G_RUNNABLE && !l->preempted)))
		backtrace_parked(&l->bt, l->stack, l->sp);
}

/* Returns false if there is no goroutine any more. */
static __no_tsan bool look_at(struct look *l, const struct g *g)
{
	int tries = 3;

	do {
		memset(l, 0, sizeof(*l));
		l->g = g;
		l->status = __atomic_load_n(&g->status, __ATOMIC_ACQUIRE);
		if (l->status == G_DEAD)
			return false;
		if (fault_catch(look_once, l) && look_still(l))
			return true;
	} while (--tries);
	/* It goes on all the time. */
	l->status = G_RUNNING;
	l->bt.nr = 0;
	return true;
}

/* The thread that runs a goroutine, and its proc_tid(); 0 if none does any more. */
static __no_tsan pid_t thread_of(const struct g *g, pid_t *in_proc)
{
	pid_t tid = 0;
	uint32_t i;

	urcu_memb_read_lock();
	for (i = 0; i <= rt.nr_m_max && !tid; i++) {
		struct m *m = rcu_dereference(rt.ms[i]);

		if (m && __atomic_load_n(&m->g, __ATOMIC_RELAXED) == g) {
			tid = m->tid;
			*in_proc = m->proc_tid;
		}
	}
	urcu_memb_read_unlock();
	return tid;
}

/* ---- telling ------------------------------------------------------------------ */

static void tell_running(struct report *r, const struct g *g)
{
	pid_t in_proc = 0, tid = thread_of(g, &in_proc);
	struct watch w;
	bool blocked;

	if (!tid) {
		report_text(r, "running");
		return;
	}
	watch_init(&w);
	blocked = thread_blocked(&w, in_proc);
	watch_destroy(&w);
	report_text(r, blocked ? "blocked in the kernel, thread " :
		    "running, thread ");
	report_number(r, tid);
}

static void tell_state(struct report *r, const struct look *l)
{
	switch (l->status) {
	case G_RUNNABLE:
		report_text(r, l->preempted ? "preempted" : "runnable");
		break;
	case G_WAITING:
		report_text(r, l->why < WAIT_REASONS && reasons[l->why] ?
			    reasons[l->why] : "waiting");
		break;
	default:
		tell_running(r, l->g);
	}
}

static void dump_one(struct g *g, void *arg)
{
	struct dump *d = arg;
	struct report *r = &d->r;
	struct look l;

	if (!look_at(&l, g))
		return;
	report_goroutine(r, l.id, *l.name ? l.name : NULL);
	report_text(r, " [");
	if (g == d->self)
		report_text(r, "makes this dump");
	else
		tell_state(r, &l);
	report_text(r, "]:\n");
	report_backtrace(r, g == d->self ? &d->self_bt : &l.bt);
	report_text(r, "started with ");
	report_place(r, (uintptr_t)l.fn);
	report_text(r, "\n\n");
}

static void *dump_main(void *arg)
{
	struct dump *d = arg;
	sigset_t fault;

	thread_begin("go-dump");
	sigemptyset(&fault);
	sigaddset(&fault, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &fault, NULL);
	urcu_memb_register_thread();
	gpool_walk(dump_one, d);
	urcu_memb_unregister_thread();
	report_flush(&d->r);
	return NULL;
}

/* ---- asking for it --------------------------------------------------------------- */

int go_dump(int fd)
{
	struct dump d = { .r = { .fd = fd } };
	struct m *m = m_self();
	pthread_t thread;
	sigset_t old;
	int ret;

	if (forked)
		return -ESRCH;	/* and the lock may be the parent's */
	if (m) {
		d.self = m->g;
		backtrace_self(&d.self_bt);
	}
	preempt_block(&old);
	dump_lock();
	ret = -ESRCH;
	if (__atomic_load_n(&rt.running, __ATOMIC_ACQUIRE))
		ret = thread_start(&thread, dump_main, &d);
	if (!ret) {
		pthread_join(thread, NULL);
		ret = d.r.err;
	}
	dump_unlock();
	preempt_unblock(&old);
	return ret;
}

void dump_and_quit(const char *why)
{
	struct report r = { .fd = STDERR_FILENO };

	report_text(&r, why);
	report_text(&r, "\n\n");
	report_flush(&r);
	go_dump(STDERR_FILENO);
	_exit(2);
}

/*
 * As if it had never been there where nobody waits for the end of main: in a child of fork(),
 * or if somebody has put it back after the runtime, as system(3) does with what it has found.
 */
static void quit_handler(int sig)
{
	if (forked || __atomic_load_n(&rt.main_done, __ATOMIC_SEQ_CST) & MAIN_ENDED) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	__atomic_fetch_or(&rt.main_done, MAIN_QUIT, __ATOMIC_SEQ_CST);
	futex_wake(&rt.main_done, 1);
}

void quit_start(void)
{
	struct sigaction action = {
		.sa_handler = quit_handler,
		.sa_flags = SA_RESTART | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	sigaction(SIGQUIT, NULL, &before);
	if (rt.sigquit && before.sa_handler == SIG_DFL)
		sigaction(SIGQUIT, &action, NULL);
}

void quit_stop(void)
{
	handler_leave(SIGQUIT, quit_handler, &before);
}
