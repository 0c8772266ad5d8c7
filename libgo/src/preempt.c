// SPDX-License-Identifier: MIT
/*
 * Preemption by signal.
 *
 * The monitor marks the M of a goroutine that has run for too long, and signals
 * its thread. If the thread is in a critical section it goes on, and the goroutine
 * yields at the section's end: every call of libgo has one. Else the goroutine is
 * somewhere in its own code, in malloc() or in an endless loop, and stops right
 * there: in the signal's handler, bound to its thread. Its P is given away and it
 * queues for one in the global queue like others; when it gets one the handler
 * returns.
 *
 * So a goroutine that is stopped keeps its thread, with all that the C library
 * keeps there, and the locks that it holds stay held: who wants them waits as for
 * a thread that the kernel has preempted. When the runtime ends it goes on, without a P,
 * until its next call of libgo, as others do that compute then: the lock may be malloc()'s.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "bound.h"
#include "globq.h"
#include "handler.h"
#include "m.h"
#include "preempt.h"
#include "proc.h"
#include "sched.h"

static struct sigaction before;	/* what was there */

/*
 * The runtime ends, and all that were stopped go on at once, for the locks that they may
 * have: beside what the program does then.
 */
static void go_on_without_p(void)
{
	struct sched_param none = {};

	sched_setscheduler(0, SCHED_IDLE, &none);
}

/* In the handler: stop the goroutine until it has a P again. */
static void preempt_here(struct m *m)
{
	struct p *p = m_p(m);
	struct g *g = m->g;
	bool locked = g->bound, due;

	bound_begin(m, g);
	__atomic_store_n(&g->preempted, true, __ATOMIC_RELAXED);
	g->stopped = true;
	due = sched_release(m);
	__atomic_store_n(&g->status, G_RUNNABLE, __ATOMIC_RELEASE);
	globq_put(g);	/* a full barrier */
	sched_wake();
	if (due)
		p_offer(p);
	if (!bound_wait(m) && m->hold == M_NO_P) {
		go_on_without_p();
		return;	/* with @stopped set */
	}
	if (!locked)
		bound_end(m, g);
	g->stopped = false;
	/* In this order: who is runnable and was not preempted has a stack pointer. */
	__atomic_store_n(&g->status, G_RUNNING, __ATOMIC_RELAXED);
	__atomic_store_n(&g->preempted, false, __ATOMIC_RELEASE);
}

static void preempt_handler(int signo, siginfo_t *info, void *context)
{
	struct m *m = m_self();
	int saved = errno;

	if (!m) {
		if (before.sa_flags & SA_SIGINFO)
			before.sa_sigaction(signo, info, context);
		else if (before.sa_handler != SIG_IGN &&
			 before.sa_handler != SIG_DFL)
			before.sa_handler(signo);
		return;
	}
	/* In a section: critical_exit() sees that there is something pending. */
	if (__atomic_load_n(&m->words->critical, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&m->words->critical, 1, __ATOMIC_RELAXED);
	barrier();
	/* Without a P it is in nobody's way. */
	if (m_may_stop() && preempt_take(m) && hold_renew(m) &&
	    preempt_is_meant(m) && !m->g->stopped)
		preempt_here(m);
	__atomic_store_n(&m->words->critical, 0, __ATOMIC_RELEASE);
	errno = saved;
}

int preempt_start(void)
{
	struct sigaction action = {
		.sa_sigaction = preempt_handler,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	return sigaction(PREEMPT_SIGNAL, &action, &before) ? -errno : 0;
}

void preempt_stop(void)
{
	handler_leave(PREEMPT_SIGNAL, preempt_handler, &before);
}

static void preempt_mask(int how, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, PREEMPT_SIGNAL);
	pthread_sigmask(how, &set, old);
}

void preempt_m_begin(void)
{
	preempt_mask(SIG_UNBLOCK, NULL);
}

void preempt_block(sigset_t *old)
{
	preempt_mask(SIG_BLOCK, old);
}

void preempt_unblock(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

void preempt_m(uint32_t index, uint32_t tick)
{
	struct m *m;

	urcu_memb_read_lock();
	m = rcu_dereference(rt.ms[index]);
	if (m) {
		__atomic_store_n(&m->preempt_tick, tick, __ATOMIC_RELAXED);
		__atomic_fetch_or(&m->words->pending, PENDING_PREEMPT,
				  __ATOMIC_SEQ_CST);
		syscall(SYS_tgkill, getpid(), m->tid, PREEMPT_SIGNAL);
	}
	urcu_memb_read_unlock();
}

bool preempt_take(struct m *m)
{
	return __atomic_exchange_n(&m->words->pending, 0, __ATOMIC_SEQ_CST);
}

bool preempt_is_meant(struct m *m)
{
	return __atomic_load_n(&m->preempt_tick, __ATOMIC_RELAXED) ==
	       m_p(m)->words->tick;
}
