// SPDX-License-Identifier: MIT
/*
 * The number of Ps, and its changes.
 *
 * There are records for rt.nr_p_max Ps. Those beyond rt.nr_p are dead, or on their
 * way: an M that holds such a P retires it before it picks a goroutine. What is
 * in its queue goes to the global one, and its timers to the first P.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "assist.h"
#include "futex.h"
#include "globq.h"
#include "goroutine.h"
#include "gomaxprocs.h"
#include "proc.h"
#include "runq.h"
#include "sched.h"
#include "settings.h"
#include "timer.h"
#include "wait.h"

static struct lock procs_lock;	/* of changes */
static bool procs_set;		/* by go_gomaxprocs() or the environment; written with
				 * the lock
				 */

static size_t ps_size(void)
{
	return rt.nr_p_max * sizeof(struct p);
}

/* A P that is dead, or still on its way there, comes into use. */
static void p_revive(uint32_t i)
{
	struct p *p = &rt.ps[i];
	uint64_t word = p_word(p);

	if (p_state(word) == KGO_P_DEAD &&
	    p_change(p, word, KGO_P_IDLE, 0))
		p_offer(p);
}

/* With the lock held, or before anything runs. */
static void procs_change(uint32_t n)
{
	uint32_t i;

	for (i = procs_top(); i < n; i++) {
		rt.ps[i].index = i;
		rt.ps[i].words = &rt.p_words[i];
		timers_init(&rt.ps[i].timers, &rt.ps[i]);
		rt.ps[i].raiders = !membarrier_works;
		rt.ps[i].alone = n == 1;
	}
	if (n > procs_top()) {
		__atomic_store_n(&rt.shared->nr_p_used, n, __ATOMIC_RELEASE);
		__atomic_store_n(&rt.nr_p_top, n, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&rt.nr_p, n, __ATOMIC_SEQ_CST);
	for (i = 0; i < n; i++)
		p_revive(i);
}

int ps_make(void)
{
	uint32_t n = rt.nr_p;

	/* Zero, and memory only where it is used. */
	rt.ps = mmap(NULL, ps_size(), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rt.ps == MAP_FAILED)
		return -errno;
	shadow_map((char *)rt.ps, ps_size());
	__atomic_store_n(&procs_set, rt.nr_p_set, __ATOMIC_RELAXED);
	procs_change(n);
	return 0;
}

void ps_drop_timers(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		timers_drop(&rt.ps[i].timers);
}

void ps_destroy(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		timers_destroy(&rt.ps[i].timers);
	shadow_unmap((char *)rt.ps, ps_size());
	munmap(rt.ps, ps_size());
}

/* It is not the only one any more: others may take from it. */
static void p_meet_others(struct p *p)
{
	__atomic_store_n(&p->alone, false, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!runq_empty(p))
		sched_wake();
}

/* Part the M and its P, which goes out of use. */
static void p_retire(struct m *m)
{
	struct p *p = m_p(m);
	struct g_list list;
	uint64_t word;
	struct g *g;

	if (m->picked)
		globq_put(m->picked);
	m->picked = NULL;
	g_list_init(&list);
	while ((g = runq_get(p)))
		g_list_add(&list, g);
	globq_put_list(&list);
	p_free_all(p);
	timers_move(&rt.ps[0].timers, &p->timers);
	/* Who has just become the poller may have seen it in neither heap. */
	if (timers_first(&rt.ps[0].timers) != INT64_MAX)
		sched_timer_added(timers_first(&rt.ps[0].timers));

	m->hold = M_NO_P;
	__atomic_store_n(&m->words->hold, KGO_HOLD_NONE, __ATOMIC_RELAXED);
	do {
		word = p_word(p);
	} while (!p_change(p, word, KGO_P_DEAD, m->index));
	/* The number may have grown again before the word said so. */
	if (p->index < procs())
		p_revive(p->index);
	if (m->spinning)
		sched_spinning_end(m);
	sched_wake();
}

bool p_follow(struct m *m)
{
	struct p *p = m_p(m);
	/* Who sees the number sees how many there are at most. */
	uint32_t n = __atomic_load_n(&rt.nr_p, __ATOMIC_ACQUIRE);

	if (p->index >= n) {
		p_retire(m);
		return false;
	}
	p->procs_seen = n;
	if (p->alone && procs_top() > 1)
		p_meet_others(p);
	return true;
}

/* Have idle Ps beyond the number retired by spares. */
static void procs_shed(uint32_t n)
{
	uint32_t i;

	for (i = n; i < procs_top(); i++)
		if (p_state(p_word(&rt.ps[i])) == KGO_P_IDLE)
			rt.assist->wake(i, false);
}

static void procs_become(uint32_t n)
{
	uint32_t before = procs();

	if (n == before)
		return;
	/* An M that gets here has the only P; others have ended it before. */
	solo_over();
	procs_change(n);
	if (n < before)
		procs_shed(n);
	else
		sched_wake();
}

void procs_follow(void)
{
	uint32_t n;

	if (__atomic_load_n(&procs_set, __ATOMIC_RELAXED))
		return;
	n = settings_procs(rt.run_tid);
	if (n > rt.nr_p_max)
		n = rt.nr_p_max;
	if (n == procs())
		return;
	/* Not with the lock held: an M may be waiting for it in its section. */
	solo_end();
	if (!lock_try(&procs_lock))
		return;
	if (!procs_set)
		procs_become(n);
	lock_release(&procs_lock);
}

int go_gomaxprocs(int n)
{
	struct m *m = wait_enter();
	int ret = procs();

	if (!__atomic_load_n(&rt.running, __ATOMIC_SEQ_CST)) {
		ret = -ESRCH;
	} else if (n > 0 && (uint32_t)n > rt.nr_p_max) {
		ret = -EINVAL;
	} else if (n > 0) {
		lock_acquire(&procs_lock);
		__atomic_store_n(&procs_set, true, __ATOMIC_RELAXED);
		ret = procs();
		procs_become(n);
		lock_release(&procs_lock);
	}
	wait_exit(m);
	return ret;
}
