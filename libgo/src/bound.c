// SPDX-License-Identifier: MIT
/*
 * Goroutines that are bound to an M.
 *
 * Such a goroutine runs on that M alone, and that M runs nothing else. When it
 * stops running the M gives its P away and waits in a futex. Another M that picks
 * the goroutine from a queue gives it its own P and parks, so the two meet on the
 * way that Go calls startlockedm and stoplockedm.
 *
 * All of it happens in critical sections, so the kernel leaves both Ms alone: one
 * sleeps without a P, and the word of the other's P is changed by its owner.
 */
#include <errno.h>

#include "assist.h"
#include "bound.h"
#include "futex.h"
#include "globq.h"
#include "m.h"
#include "proc.h"
#include "sched.h"
#include "sysmon.h"

/* The M's own thread writes it; who ends the runtime reads it. */
static void m_set_bound(struct m *m, struct g *g)
{
	__atomic_store_n(&m->bound, g, __ATOMIC_RELEASE);
}

void bound_begin(struct m *m, struct g *g)
{
	g->bound = m;
	m_set_bound(m, g);
}

void bound_end(struct m *m, struct g *g)
{
	g->bound = NULL;
	m_set_bound(m, NULL);
}

/* False if it has been woken for another reason: it does not look at this one. */
static bool bound_wake(struct m *m, uint32_t why)
{
	uint32_t none = 0;

	if (!__atomic_compare_exchange_n(&m->park, &none, why, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;
	futex_wake(&m->park, 1);
	return true;
}

/* Change the word of a P that is not idle: the stand-in's monitor gives way. */
static void p_set(struct p *p, uint64_t state, uint32_t m)
{
	uint64_t word;

	do {
		word = p_word(p);
	} while (!p_change(p, word, state, m));
}

void bound_pass(struct m *m, struct g *g)
{
	struct m *to = g->bound;
	struct p *p = m_p(m);

	m->hold = M_NO_P;
	__atomic_store_n(&m->words->hold, KGO_HOLD_NONE, __ATOMIC_RELAXED);
	p_set(p, KGO_P_RUNNING, to->index);
	to->granted = p->index;
	if (bound_wake(to, PARK_GRANTED))
		return;
	/* The runtime stops: the P is for the next M that is to end. */
	p_set(p, KGO_P_RUNNING, m->index);
	p_hold(m, p);
}

bool bound_strands(void)
{
	return !__atomic_load_n(&rt.shared->nr_spare, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&rt.nr_bound, __ATOMIC_SEQ_CST) &&
	       globq_len() && p_any_idle();
}

bool bound_rescue(void)
{
	struct g *g;
	struct p *p;

	if (!bound_strands())
		return false;
	g = globq_get_bound();
	if (!g)
		return true;
	p = p_find_idle(g->bound->index);
	if (!p) {
		globq_put(g);	/* a full barrier */
		sched_wake();
		return false;
	}
	g->bound->granted = p->index;
	if (!bound_wake(g->bound, PARK_GRANTED)) {
		p_set(p, KGO_P_IDLE, g->bound->index);
		p_offer(p);
		rt.assist->wake(p->index, false);
	}
	return true;
}

/* The M's P is idle from here on; have a spare run it if there is work. */
static void bound_release(struct m *m)
{
	struct p *p = m_p(m);
	bool due = sched_release(m);	/* a full barrier */

	if (due || sched_work_waits())
		rt.assist->wake(p->index, false);
	if (due)
		p_offer(p);
}

struct g *bound_wait(struct m *m)
{
	uint32_t why;

	__atomic_fetch_add(&rt.nr_bound, 1, __ATOMIC_SEQ_CST);
	if (m->hold != M_NO_P)
		bound_release(m);
	if (bound_strands())
		sysmon_wake_urgent();
	while (!(why = __atomic_load_n(&m->park, __ATOMIC_ACQUIRE)) &&
	       !__atomic_load_n(&rt.stopping, __ATOMIC_SEQ_CST))
		futex_wait(&m->park, 0, -1);
	__atomic_fetch_sub(&rt.nr_bound, 1, __ATOMIC_SEQ_CST);

	/* Who would pass it a P after this keeps it. */
	if (!why && __atomic_compare_exchange_n(&m->park, &why, PARK_ENDS,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
		why = PARK_ENDS;
	if (why == PARK_GRANTED) {
		__atomic_store_n(&m->park, 0, __ATOMIC_RELAXED);
		p_hold(m, &rt.ps[m->granted]);
	}
	return __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE) ? NULL : m->bound;
}

static void bound_wake_to_end(struct m *m)
{
	if (__atomic_load_n(&m->bound, __ATOMIC_ACQUIRE))
		bound_wake(m, PARK_ENDS);
}

void bound_wake_all(void)
{
	m_for_each(bound_wake_to_end);
}

/* ---- the interface --------------------------------------------------------------- */

int go_lock_os_thread(void)
{
	struct m *m = m_self();

	if (!m)
		return -EPERM;
	m = critical_enter(m);
	if (!m->g->locks++)
		bound_begin(m, m->g);
	critical_exit(m);
	return 0;
}

int go_unlock_os_thread(void)
{
	struct m *m = m_self();
	int ret = 0;

	if (!m)
		return -EPERM;
	m = critical_enter(m);
	if (!m->g->locks)
		ret = -EINVAL;
	else if (!--m->g->locks)
		bound_end(m, m->g);
	critical_exit(m);
	return ret;
}
