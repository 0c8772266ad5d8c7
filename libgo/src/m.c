// SPDX-License-Identifier: MIT
/*
 * Ms: threads that run goroutines. They are made by a thread of its own, the
 * maker, as soon as there are fewer spares than rt.spare_low: so a spare is
 * ready when a P is to be handed over, and making one is never in its way.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "assist.h"
#include "fault.h"
#include "futex.h"
#include "garbage.h"
#include "m.h"
#include "netpoll.h"
#include "preempt.h"
#include "proc.h"
#include "retake.h"
#include "sched.h"
#include "sysmon.h"
#include "thread.h"

/* The runtime's own code needs little; signal handlers need some. */
#define M_STACK_SIZE	(128 << 10)

__thread struct m *m_tls __attribute__((tls_model("initial-exec")));

static pthread_t maker_thread;
static bool maker_joined;
static struct lock ended_lock;
static struct m *ended;		/* Ms to be freed, linked by @spare_next */
static uint32_t starting;	/* Ms that have been started and have not parked */
static sigset_t m_sigmask;	/* of the thread that called go_run() */

int thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, M_STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return ret;
}

void thread_begin(const char *name)
{
	/* pthread_setname_np() of another thread opens a file in /proc. */
	prctl(PR_SET_NAME, (unsigned long)name, 0UL, 0UL, 0UL);
	/* A sleep of 20 us is to take 20 us, not 70. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

static void m_gone(void)
{
	__atomic_fetch_sub(&rt.nr_m, 1, __ATOMIC_SEQ_CST);
	futex_wake(&rt.nr_m, 1);
}

bool m_is_surplus(const struct m *m)
{
	return !m->bound &&
	       __atomic_load_n(&rt.shared->nr_spare, __ATOMIC_RELAXED) >=
	       rt.spare_high;
}

/*
 * The M ends: the runtime stops, or its goroutine has ended that it was locked to,
 * or there are spares enough. If it holds a P it passes that on. When the runtime
 * stops the spare that gets it ends likewise; the last one asks for a spare in
 * vain, and so wakes the maker, which sees that it is over.
 */
static void m_end(struct m *m)
{
	if (m->hold != M_NO_P) {
		uint32_t p = m_p(m)->index;

		p_release(m);
		rt.assist->wake(p, false);
	}
	/* Before its index can be another's. */
	__atomic_store_n(&rt.ms[m->index], NULL, __ATOMIC_RELEASE);
	rt.assist->leave(m);
	/* The monitor may be looking at it: one grace period later, for all. */
	lock_acquire(&ended_lock);
	m->spare_next = ended;
	ended = m;
	lock_release(&ended_lock);
}

static struct m *m_alloc(void)
{
	struct m *m;

	garbage_collect();
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->fault_stack = fault_stack_make();
	if (!m->fault_stack) {
		free(m);
		return NULL;
	}
	return m;
}

static void m_free(struct m *m)
{
	fault_stack_free(m->fault_stack);
	free(m);
}

void m_free_ended(void)
{
	struct m *m, *next;

	lock_acquire(&ended_lock);
	m = ended;
	ended = NULL;
	lock_release(&ended_lock);
	if (!m)
		return;

	urcu_memb_synchronize_rcu();
	for (; m; m = next) {
		next = m->spare_next;
		fault_stack_free(m->fault_stack);
		garbage_defer(m);
	}
}

void m_for_each(void (*fn)(struct m *m))
{
	uint32_t i;

	/* Who ends leaves the array first, and then wants the lock. */
	lock_acquire(&ended_lock);
	for (i = 0; i <= rt.nr_m_max; i++) {
		struct m *m = __atomic_load_n(&rt.ms[i], __ATOMIC_ACQUIRE);

		if (m)
			fn(m);
	}
	lock_release(&ended_lock);
}

/* The nth CPU of a mask. */
static int nth_cpu(const cpu_set_t *mask, int n)
{
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, mask) && !n--)
			break;
	return cpu;
}

/* Move the calling thread, if it may run there. */
static void m_move(int cpu, const cpu_set_t *mask)
{
	cpu_set_t one;

	if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, mask) ||
	    cpu == sched_getcpu())
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (!sched_setaffinity(0, sizeof(one), &one))
		sched_setaffinity(0, sizeof(*mask), mask);
}

/*
 * A spare is woken cheapest on the CPU that the blocked M leaves, and it wakes
 * where it last ran. So the first spares are spread over the CPUs, and one that
 * was missed on a CPU goes there before it parks again.
 */
static void m_spread(const struct m *m)
{
	cpu_set_t mask;

	if (m->index < 2 * rt.nr_cpu &&
	    !sched_getaffinity(0, sizeof(mask), &mask))
		m_move(nth_cpu(&mask, m->index % rt.nr_cpu), &mask);
}

void m_settle(struct m *m)
{
	int cpu = m->words->cpu - 1;
	cpu_set_t mask;

	if (likely(cpu < 0))
		return;
	m->words->cpu = 0;
	if (cpu != sched_getcpu() && !sched_getaffinity(0, sizeof(mask), &mask))
		m_move(cpu, &mask);
}

/* Tell who wants to know of the stack that the M's own context runs on. */
static void m_shadow(struct m *m)
{
	pthread_attr_t attr;
	size_t size;
	void *lo;

	if (!shadow_wanted() || pthread_getattr_np(pthread_self(), &attr))
		return;
	pthread_attr_getstack(&attr, &lo, &size);
	pthread_attr_destroy(&attr);
	shadow_thread(&m->g0.shadow, lo, size);
}

static void *m_main(void *arg)
{
	struct m *m = arg;

	thread_begin("go-m");
	pthread_sigmask(SIG_SETMASK, &m_sigmask, NULL);
	preempt_m_begin();
	pthread_detach(pthread_self());
	m->tid = syscall(SYS_gettid);
	m->proc_tid = proc_tid();
	m->errno_loc = &errno;
	m->rand = (uint64_t)m->tid * 0x9e3779b97f4a7c15ULL | 1;
	m->hold = M_NO_P;
	m->g = &m->g0;

	if (!rt.assist->enter(m)) {
		__atomic_store_n(&m->words->critical, 1, __ATOMIC_RELAXED);
		/* Pairs with rcu_dereference(). */
		__atomic_store_n(&rt.ms[m->index], m, __ATOMIC_RELEASE);
		m_shadow(m);
		fault_stack_use(m->fault_stack);
		m_tls = m;
		m_spread(m);
		__atomic_fetch_sub(&starting, 1, __ATOMIC_SEQ_CST);
		sched_loop(m);
		m_tls = NULL;
		fault_stack_leave(m->fault_stack);
		m_end(m);
	} else {
		__atomic_fetch_sub(&starting, 1, __ATOMIC_SEQ_CST);
		m_free(m);
	}
	m_gone();
	return NULL;
}

int m_start(void)
{
	struct m *m = m_alloc();
	pthread_t thread;
	uint32_t n;
	int ret;

	if (!m)
		return -ENOMEM;
	n = __atomic_add_fetch(&rt.nr_m, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&starting, 1, __ATOMIC_SEQ_CST);
	ret = thread_start(&thread, m_main, m);
	if (ret) {
		__atomic_fetch_sub(&starting, 1, __ATOMIC_SEQ_CST);
		m_gone();
		m_free(m);
		return ret;
	}
	if (n > rt.nr_m_top)
		__atomic_store_n(&rt.nr_m_top, n, __ATOMIC_RELAXED);
	return 0;
}

/* At the cap the runtime goes on with the Ms it has, and says so once. */
static bool m_may_start(void)
{
	uint32_t n = __atomic_load_n(&rt.nr_m, __ATOMIC_RELAXED);

	if (n < rt.nr_m_max)
		return true;
	if (!rt.cap_told)
		fprintf(stderr,
			"libgo: %u threads are blocked or run, the most that LIBGO_MAXTHREADS allows; processors wait for one of them\n",
			n);
	__atomic_store_n(&rt.cap_told, true, __ATOMIC_RELAXED);
	return false;
}

bool m_may_come(void)
{
	return __atomic_load_n(&rt.shared->nr_spare, __ATOMIC_RELAXED) ||
	       (__atomic_load_n(&rt.nr_m, __ATOMIC_RELAXED) < rt.nr_m_max &&
		!__atomic_load_n(&rt.cap_told, __ATOMIC_RELAXED));
}

bool m_may_stop(void)
{
	return m_may_come() || p_wanted();
}

/* No M can be started. The poller is one that could run, if there is no other. */
static void let_poller_look(void)
{
	if (!__atomic_load_n(&rt.shared->nr_spare, __ATOMIC_SEQ_CST))
		netpoll_break();
}

static void maker_refill(void)
{
	int ret;

	while (__atomic_load_n(&rt.shared->nr_spare, __ATOMIC_SEQ_CST) +
	       __atomic_load_n(&starting, __ATOMIC_SEQ_CST) < rt.spare_low &&
	       !__atomic_load_n(&rt.stopping, __ATOMIC_SEQ_CST)) {
		if (!m_may_start()) {
			let_poller_look();
			return;
		}
		ret = m_start();
		if (ret) {
			if (!rt.cap_told)
				fprintf(stderr,
					"libgo: no thread can be made, %u there are: %s; processors wait for one of them\n",
					__atomic_load_n(&rt.nr_m,
							__ATOMIC_RELAXED),
					strerror(-ret));
			__atomic_store_n(&rt.cap_told, true, __ATOMIC_RELAXED);
			let_poller_look();
			return;
		}
	}
}

static void *maker_main(void *arg)
{
	struct m m = { .hold = M_NO_P };

	(void)arg;
	thread_begin("go-maker");
	if (rt.assist->enter(&m)) {
		fputs("libgo: the thread that makes threads can't enter the runtime\n",
		      stderr);
		abort();
	}
	while (!__atomic_load_n(&rt.stopping, __ATOMIC_SEQ_CST)) {
		maker_refill();
		if (rt.assist->wait())
			sysmon_wake_urgent();
	}
	rt.assist->leave(&m);
	return NULL;
}

int maker_start(void)
{
	pthread_sigmask(SIG_SETMASK, NULL, &m_sigmask);
	starting = 0;
	maker_joined = false;
	return thread_start(&maker_thread, maker_main, NULL);
}

/* The runtime is stopping, and an M has found no spare to pass its P to. */
void maker_join(void)
{
	if (!maker_joined)
		pthread_join(maker_thread, NULL);
	maker_joined = true;
}
