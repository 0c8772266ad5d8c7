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
#include "proc.h"
#include "sched.h"

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

static void bound_wake(struct m *m, uint32_t why)
{
	uint32_t none = 0;

	if (__atomic_compare_exchange_n(&m->park, &none, why, false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		futex_wake(&m->park, 1);
}

void bound_pass(struct m *m, struct g *g)
{
	struct m *to = g->bound;
	struct p *p = m_p(m);
	uint64_t word;

	m->hold = M_NO_P;
	__atomic_store_n(&m->words->hold, KGO_HOLD_NONE, __ATOMIC_RELAXED);
	/* It is ours, running or suspect: the stand-in's monitor gives way. */
	do {
		word = p_word(p);
	} while (!p_change(p, word, KGO_P_RUNNING, to->index));
	to->granted = p->index;
	bound_wake(to, PARK_GRANTED);
}

/* The M's P is idle from here on; have a spare run it if there is work. */
static void bound_release(struct m *m)
{
	uint32_t p = m_p(m)->index;

	p_release(m);	/* a full barrier */
	if (sched_work_waits())
		rt.assist->wake(p, false);
}

struct g *bound_wait(struct m *m)
{
	uint32_t why;

	if (m->hold != M_NO_P)
		bound_release(m);
	__atomic_fetch_add(&rt.nr_bound, 1, __ATOMIC_SEQ_CST);
	while (!(why = __atomic_load_n(&m->park, __ATOMIC_ACQUIRE)) &&
	       !__atomic_load_n(&rt.stopping, __ATOMIC_SEQ_CST))
		futex_wait(&m->park, 0, -1);
	__atomic_fetch_sub(&rt.nr_bound, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&m->park, 0, __ATOMIC_RELAXED);

	if (why == PARK_GRANTED)
		p_hold(m, &rt.ps[m->granted]);
	return __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE) ? NULL : m->bound;
}

void bound_wake_all(void)
{
	uint32_t i;

	/* The caller is the one who will free them, so they are there. */
	for (i = 0; i <= rt.nr_m_max; i++) {
		struct m *m = __atomic_load_n(&rt.ms[i], __ATOMIC_ACQUIRE);

		if (m && __atomic_load_n(&m->bound, __ATOMIC_ACQUIRE))
			bound_wake(m, PARK_ENDS);
	}
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
