// SPDX-License-Identifier: MIT
/*
 * The scheduler: which goroutine runs next, on which M.
 *
 * The rules are those of Go's proc.go. An M that holds a P and finds nothing in
 * its queues spins: it looks for something to steal. At most half of the busy
 * Ps spin. An M that finds nothing makes its P idle, and then becomes the poller
 * or a spare.
 *
 * No wake-up is lost:
 *  - Who makes a goroutine runnable queues it first, and then, if a P is idle
 *    and nobody spins, has a spare woken with that P, which spins.
 *  - Who makes a P idle does so first, and then looks at all queues again. If it
 *    spun it leaves the count of spinning Ms before that, too.
 *  Both have a full barrier in between, so at least one of them sees the other.
 *  - A spinning M that finds work wakes another one before it runs it, if it was
 *    the last: there may be more. So does one that was called for without spinning:
 *    where no spare was left it comes for all who asked.
 *  The kernel keeps the second rule when it makes the P of a blocked M idle
 *  (kmod/handoff.c).
 *
 * A goroutine that stops running picks the next one itself and switches to it
 * directly if there is one in its P's own queue; else it switches to the M's
 * scheduler context, g0. What must wait until its stack is not in use any more
 * is done by whoever is switched to (struct m's after).
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "assist.h"
#include "bound.h"
#include "fault.h"
#include "goroutine.h"
#include "globq.h"
#include "gomaxprocs.h"
#include "m.h"
#include "netpoll.h"
#include "preempt.h"
#include "proc.h"
#include "rand.h"
#include "runq.h"
#include "sched.h"
#include "stack.h"
#include "sysmon.h"

/* How often the global queue is looked at first, in picks of a goroutine. */
#define GLOBQ_TICKS	61

/* How often that look is put off in a row, for those that are due. */
#define PUT_OFF_MAX	8

/* Rounds over all Ps in which a spinning M tries to steal. */
#define STEAL_ROUNDS	4

/* ---- switching ------------------------------------------------------------- */

struct m *switched(struct g *prev)
{
	struct m *m = m_self();
	after_fn after = m->after;

	shadow_switched(&m->g->shadow);
	if (after) {
		m->after = NULL;
		after(prev, m->after_arg);
	}
	return m;
}

/* Of a switch, what comes before that of the stacks. */
static inline void switch_prepare(struct m *m, struct g *next)
{
	if (unlikely(!next->sp))
		g_begin(m, next);
	next->status = G_RUNNING;
	m->g = next;
}

/* The same of one who will go on. */
static inline void switch_begin(struct m *m, struct g *next)
{
	struct g *prev = m->g;

	prev->err = *m->errno_loc;
	switch_prepare(m, next);
	shadow_switch(&prev->shadow, &next->shadow);
}

/* And what comes after that. */
static inline struct m *switch_end(struct g *prev)
{
	struct m *m = switched(prev);

	*m->errno_loc = m->g->err;
	return m;
}

static struct m *switch_to(struct m *m, struct g *next)
{
	struct g *prev = m->g;

	switch_begin(m, next);
	return switch_end(g_switch(prev, next));
}

/* ---- critical sections ------------------------------------------------------- */

static void after_requeue_global(struct g *prev, void *arg)
{
	(void)arg;
	prev->status = G_RUNNABLE;
	globq_put(prev);	/* a full barrier */
	sched_wake();
	/* Owners that the kernel gave their Ps to have not woken it. */
	sysmon_wake_urgent();
}

/*
 * The monitor suspects that this M is blocked (stand-in only): win the P back if
 * it has not been taken yet. Returns whether the M has its P.
 */
static bool hold_confirm(struct m *m, uint32_t hold)
{
	struct p *p = &rt.ps[(hold & ~KGO_HOLD_SUSPECT) - 1];
	uint64_t word = p_word(p);

	for (;;) {
		if (p_owner(word) != m->index)
			return false;
		if (p_state(word) == KGO_P_RUNNING)
			break;
		if (p_state(word) != KGO_P_SUSPECT)
			return false;
		if (p_change(p, word, KGO_P_RUNNING, m->index))
			break;
		word = p_word(p);
	}
	p_hold(m, p);
	return true;
}

bool hold_renew(struct m *m)
{
	uint32_t hold = __atomic_load_n(&m->words->hold, __ATOMIC_RELAXED);

	if (hold == (KGO_HOLD_SUSPECT | KGO_HOLD_NONE))
		return false;	/* a mark that came too late */
	if (hold & KGO_HOLD_SUSPECT)
		return hold_confirm(m, hold);
	if (hold == KGO_HOLD_NONE)
		return false;
	if (hold != m->hold) {
		/* The kernel has given it another P. */
		m->hold = hold;
		m->p = &rt.ps[hold - 1];
		shadow_acquire(m_p(m));
	}
	return true;
}

/* The runtime stops: leave the goroutine where it is. On its stack. */
__attribute__((noreturn))
static void sched_leave(struct m *m)
{
	m->after = NULL;
	switch_to(m, &m->g0);
	__builtin_unreachable();
}

/*
 * What critical_enter() does if the P is not the one that the M had: it was
 * taken in a block, or another one was given at the end of it, or it was never
 * there. Returns with a P; the goroutine may be on another M then.
 */
struct m *critical_resync(struct m *m)
{
	struct p *p;
	bool held;

	/* Inside of a section only the monitor's mark can come. */
	if (m->words->critical > 1)
		return m;
	held = hold_renew(m);
	/* Stopped by preempt_here(), and let go as the runtime ends: it is queued still. */
	if (unlikely(m->g->stopped))
		sched_leave(m);
	if (held)
		return m;

	m->hold = M_NO_P;
	__atomic_store_n(&m->words->hold, KGO_HOLD_NONE, __ATOMIC_RELAXED);
	p = p_find_idle(m->index);
	if (p) {
		p_hold(m, p);
		sysmon_wake();
		return m;
	}
	/* All are in use: this goroutine waits for its turn. */
	m->after = after_requeue_global;
	return switch_to(m, &m->g0);
}

/* The outermost section has ended, and the monitor asked for a yield meanwhile. */
void critical_pending(struct m *m)
{
	if (m->words->critical)
		return;
	m = critical_enter(m);
	if (!preempt_take(m) || !preempt_is_meant(m)) {
		critical_exit(m);
		return;
	}
	m->g->stopped = true;
	m->after = after_requeue_global;
	m = switch_to(m, &m->g0);
	m->g->stopped = false;
	critical_exit(m);
}

/* ---- waking ------------------------------------------------------------------- */

static void spinning_begin(struct m *m)
{
	m->spinning = true;
	__atomic_fetch_add(&rt.shared->nr_spinning, 1, __ATOMIC_SEQ_CST);
}

void sched_spinning_end(struct m *m)
{
	m->spinning = false;
	__atomic_fetch_sub(&rt.shared->nr_spinning, 1, __ATOMIC_SEQ_CST);
}

/* The one is written often, the other is read at each wake-up. */
uint32_t sched_vain_wakes cache_aligned;
uint32_t sched_wakes_rest cache_aligned;

/* Have a spare run an idle P. -EBUSY if there is none, -EAGAIN if no spare is. */
static int wake_any(bool spinning)
{
	int ret = -EBUSY;
	uint32_t p;

	while (ret == -EBUSY && (p = p_idle_hint()) != UINT32_MAX) {
		ret = rt.assist->wake(p, spinning);
		if (ret == -EBUSY)
			p_drop_hint(p);
	}
	return ret;
}

void sched_wake_slow(void)
{
	uint32_t none;
	int ret;

	do {
		none = 0;
		if (!p_any_idle() ||
		    __atomic_load_n(&rt.shared->nr_spinning,
				    __ATOMIC_SEQ_CST) ||
		    !__atomic_compare_exchange_n(&rt.shared->nr_spinning,
						 &none, 1, false,
						 __ATOMIC_SEQ_CST,
						 __ATOMIC_RELAXED))
			return;
		ret = wake_any(true);
		if (!ret)
			return;
		__atomic_fetch_sub(&rt.shared->nr_spinning, 1,
				   __ATOMIC_SEQ_CST);
		/* An M that parks takes it; one may have done so already. */
		if (ret == -EAGAIN)
			ret = wake_any(false);
	} while (ret == -EBUSY && sched_work_waits());
}

/* Without a look at the clock: does one go first, or has that P a timer? */
static inline bool somebody_may_be_due(const struct p *p)
{
	return globq_has_first() || timers_first(&p->timers) != INT64_MAX;
}

/* Does one go first, or has a timer of that P run out? */
static bool somebody_is_due(const struct p *p)
{
	return globq_has_first() || (somebody_may_be_due(p) &&
				     timers_first(&p->timers) <= go_now());
}

/*
 * Those that are due come before the Ms that are held: they may compute, too. So nobody
 * gets the P here while some are.
 */
bool sched_release(struct m *m)
{
	struct p *p = m_p(m);

	if (!p_wanted() || !somebody_is_due(p)) {
		p_release(m);
		return false;
	}
	p_make_idle(m);
	return true;
}

/*
 * Two that wake each other stay on their P. The Ms that would be woken for each of them
 * have found that, and the monitor sees if it changes.
 */
static inline bool next_needs_no_wake(const struct p *p)
{
	return unlikely(__atomic_load_n(&sched_wakes_rest, __ATOMIC_SEQ_CST)) &&
	       runq_ring_empty(p);
}

void g_ready(struct m *m, struct g *g)
{
	if (unlikely(g->status == G_THREAD)) {
		thread_ready(g);
		return;
	}
	g->status = G_RUNNABLE;
	if (m && m->hold != M_NO_P) {
		/*
		 * A full barrier, unless the P is alone. Then it has no thieves to
		 * wake, p_follow() does when it has; and a monitor that goes to sleep
		 * now may not see it before its next look.
		 */
		runq_put_next(m_p(m), g);
		if (!m_p(m)->alone && !next_needs_no_wake(m_p(m)))
			sched_wake();
	} else {
		globq_put(g);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		sched_wake();
	}
	sysmon_wake();
}

/* Those that are to be queued; plain threads are woken. */
static struct g_list list_runnable(struct g_list *list)
{
	struct g_list ready;
	struct g *g;

	g_list_init(&ready);
	while ((g = g_list_pop(list))) {
		if (unlikely(g->status == G_THREAD)) {
			thread_ready(g);
			continue;
		}
		g->status = G_RUNNABLE;
		g_list_add(&ready, g);
	}
	return ready;
}

void g_ready_list(struct m *m, struct g_list *list)
{
	struct g_list ready;

	if (list->len == 1) {
		g_ready(m, g_list_pop(list));
		return;
	}
	ready = list_runnable(list);
	if (!ready.head)
		return;
	if (m && m->hold != M_NO_P)
		runq_put_list(m_p(m), &ready);
	else
		globq_put_list(&ready);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sched_wake();
	sysmon_wake();
}

void g_ready_list_first(struct g_list *list)
{
	struct g_list ready = list_runnable(list);

	if (!ready.head)
		return;
	globq_put_list_first(&ready);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sched_wake();
}

void sched_timer_added(int64_t when)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* Without a poller somebody must become it: who finds nothing does. */
	if (!netpoll_timer_added(when)) {
		sched_wake();
		sysmon_wake_urgent();
	}
}

/* ---- finding a goroutine --------------------------------------------------------- */

/* What g0 has to see to before anybody runs. */
static inline bool pick_is_for_g0(const struct m *m)
{
	return __atomic_load_n(&rt.stopping, __ATOMIC_RELAXED) ||
	       procs_changed(m->p) || m->g->bound;
}

/* Is it the turn of those that are not in the P's queue? g0 picks one of them then. */
static inline bool pick_is_others(uint32_t tick)
{
	return unlikely(tick % GLOBQ_TICKS == 0) && (globq_len() || p_wanted());
}

/* A goroutine has been picked for the P. */
static inline void count_pick(struct p *p)
{
	__atomic_store_n(&p->words->tick, p->words->tick + 1, __ATOMIC_RELAXED);
	p_count(&p->switches, 1);
}

/* That goroutine was picked. NULL if g0 has to pass the P to the M that it is bound to. */
static inline struct g *picked(struct m *m, struct g *g)
{
	count_pick(m_p(m));
	if (likely(!g->bound))
		return g;
	m->picked = g;
	return NULL;
}

/*
 * From the P's own queue, on a goroutine's stack; NULL if there is nothing or something
 * else to look at. It calls nothing, so its callers have few registers to save.
 */
static __always_inline struct g *pick_quick(struct m *m)
{
	struct p *p = m_p(m);
	uint32_t tick = p->words->tick + 1;
	struct g *g;

	if (unlikely(pick_is_for_g0(m) || pick_is_others(tick) ||
		     runq_next_rests(p)))
		return NULL;
	if (unlikely(tick % TIMER_TICKS == 0) && somebody_may_be_due(p))
		return NULL;
	g = runq_get_any(p);
	return likely(g) ? picked(m, g) : NULL;
}

/* When pick_quick() has returned NULL: the same, once that has been looked at. */
static __attribute__((noinline)) struct g *pick_slow(struct m *m)
{
	struct p *p = m_p(m);
	uint32_t tick = p->words->tick + 1;
	struct g *g;

	if (m->picked || pick_is_for_g0(m) || pick_is_others(tick))
		return NULL;
	if (tick % TIMER_TICKS == 0 && somebody_is_due(p))
		return NULL;	/* g0 picks or fires it */
	g = runq_get(p);
	return g ? picked(m, g) : NULL;
}

static __always_inline struct g *pick_local(struct m *m)
{
	struct g *g = pick_quick(m);

	return likely(g) ? g : pick_slow(m);
}

/* Fire a P's timers that are due. Returns whether any was. */
static bool timers_check(struct p *p)
{
	int64_t first = timers_first(&p->timers);
	int64_t now;

	if (first == INT64_MAX)
		return false;
	now = go_now();
	return first <= now && timers_run(&p->timers, now);
}

/*
 * Nobody sleeps in the poller, and where goroutines only block in the kernel, and the Ps
 * go from one to the other, none is picked either: an M that comes anew fires all timers
 * that are due, as it may be the only one for long.
 */
static void timers_check_all(void)
{
	uint32_t i;

	if (__atomic_load_n(&rt.shared->polling, __ATOMIC_RELAXED))
		return;
	for (i = 0; i < procs_top(); i++)
		timers_check(&rt.ps[i]);
}

/* Look at all Ps in a random order; timers and runnext in the last round. */
static struct g *steal(struct m *m)
{
	struct p *p = m_p(m);
	int round;

	for (round = 0; round < STEAL_ROUNDS; round++) {
		bool last = round == STEAL_ROUNDS - 1;
		uint32_t nr_p = procs_top(), start = rand_below(nr_p), i;

		for (i = 0; i < nr_p; i++) {
			struct p *victim = &rt.ps[(start + i) % nr_p];
			struct g *g;

			if (victim == p)
				continue;
			if (last && timers_check(victim)) {
				g = runq_get(p);
				if (g)
					return g;
			}
			g = runq_steal(p, victim, last);
			if (g)
				return g;
		}
	}
	return NULL;
}

/* Does any P's queue have something? */
static bool work_in_runqs(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		if (!runq_empty(&rt.ps[i]))
			return true;
	return false;
}

int64_t sched_first_timer(void)
{
	int64_t first = INT64_MAX;
	uint32_t i;

	for (i = 0; i < procs_top(); i++) {
		int64_t t = timers_first(&rt.ps[i].timers);

		if (t < first)
			first = t;
	}
	return first;
}

int64_t sched_sleep_until(int64_t *first)
{
	int64_t until = INT64_MAX, t, t_first;
	uint32_t i;

	*first = INT64_MAX;
	for (i = 0; i < procs_top(); i++) {
		t = timers_sleep_until(&rt.ps[i].timers, &t_first);
		if (t < until)
			until = t;
		if (t_first < *first)
			*first = t_first;
	}
	return until;
}

/*
 * The M has no P. Sleep in the poller if there is a timer and nobody does, and
 * then take a P for what is due; if all are in use they will see to it.
 */
static void poll_as_poller(struct m *m)
{
	struct g_list ready;
	int64_t first, until;
	struct p *p;

	if (sched_first_timer() == INT64_MAX &&
	    !__atomic_load_n(&rt.shared->net_waiters, __ATOMIC_SEQ_CST))
		return;
	if (!netpoll_enter())
		return;
	m->was_woken = false;	/* not in vain */
	g_list_init(&ready);
	until = sched_sleep_until(&first);
	netpoll_sleep(first, until, &ready);
	netpoll_leave();

	p = p_find_idle(m->index);
	if (p) {
		p_hold(m, p);
		g_ready_list(m, &ready);
		sysmon_wake();
	} else {
		g_ready_list_first(&ready);
		/* What is due may need somebody's P. */
		sysmon_wake_urgent();
	}
}

/* Ready those whose files are ready, and return one of them. */
static struct g *poll_now(struct m *m)
{
	struct g_list ready;

	g_list_init(&ready);
	netpoll_look(&ready);
	if (!ready.head)
		return NULL;
	g_ready_list(m, &ready);
	return runq_get(m_p(m));
}

/*
 * Ms that the kernel holds until they have a P are like goroutines in the global queue:
 * seen now and then, and when there are none at hand; they and the queue take turns.
 */
static bool passes_now(struct p *p, bool turn)
{
	if (likely(!p_wanted()) || !(turn || runq_empty(p)))
		return false;
	p->passed = !p->passed || !globq_len();
	return p->passed;
}

/*
 * Is it the turn of those that are not in the P's own queue? They may compute, so who is
 * due goes before them, but not for ever.
 */
static bool others_turn(struct p *p, bool due)
{
	if (!p->put_off && (p->words->tick + 1) % GLOBQ_TICKS)
		return false;
	p->put_off = due && p->put_off < PUT_OFF_MAX ? p->put_off + 1 : 0;
	return !p->put_off;
}

/*
 * Find something for the M's P, without waiting. NULL also if the P is to be passed on,
 * as p_release() does.
 */
static struct g *find_now(struct m *m)
{
	struct p *p = m_p(m);
	uint32_t busy;
	bool due, turn;
	struct g *g;

	g = m->picked;
	if (g) {
		m->picked = NULL;
		return g;
	}
	due = timers_check(p) || globq_has_first();
	turn = others_turn(p, due);
	if (!turn && (!p->first_ran || runq_empty(p))) {
		g = globq_get_first();
		if (g) {
			p->first_ran = true;
			return g;
		}
	}
	p->first_ran = false;
	if (unlikely(passes_now(p, turn))) {
		__atomic_store_n(&p->words->tick, p->words->tick + 1,
				 __ATOMIC_RELAXED);
		return NULL;
	}
	if (turn) {
		g = globq_get(p, 1);
		if (g)
			return g;
	}
	g = runq_get(p);
	if (g)
		return g;
	g = globq_get(p, 0);
	if (g)
		return g;
	if (netpoll_is_needed()) {
		g = poll_now(m);
		if (g)
			return g;
	}

	if (procs_top() == 1)
		return NULL;
	busy = procs() - p_count_idle();
	if (!m->spinning) {
		if (2 * __atomic_load_n(&rt.shared->nr_spinning,
					__ATOMIC_RELAXED) >= busy)
			return NULL;
		spinning_begin(m);
	}
	return steal(m);
}

/*
 * The M has found nothing, or passes its P on: make it idle, and look again. Who did not spin did
 * so because others did; if they still do, they look at the Ps' queues later. May
 * return with a P.
 */
static void give_up(struct m *m)
{
	bool spun = m->spinning, look;
	struct p *p;

	p_release(m);
	if (spun)
		sched_spinning_end(m);
	look = spun || !__atomic_load_n(&rt.shared->nr_spinning,
					__ATOMIC_SEQ_CST);
	if (globq_len() || (look && work_in_runqs())) {
		p = p_find_idle(m->index);
		if (p) {
			p_hold(m, p);
			if (spun)
				spinning_begin(m);
			return;
		}
	}
	poll_as_poller(m);
}

static void m_park(struct m *m)
{
	uint32_t reason, p;

	if (m->was_woken)
		__atomic_fetch_add(&sched_vain_wakes, 1, __ATOMIC_RELAXED);
	m_settle(m);
	reason = rt.assist->park(m, &p);
	p_hold(m, &rt.ps[p]);
	/* Who woke it has counted it already. */
	m->spinning = reason == KGO_PARK_SPINNING;
	m->was_woken = m->spinning;
	m->called = reason == KGO_PARK_WAKE || reason == KGO_PARK_IDLE;
	sysmon_wake();
	timers_check_all();
}

/* Hold a P and return a goroutine for it; NULL if the runtime stops. */
static struct g *find_runnable(struct m *m)
{
	for (;;) {
		struct g *g;

		if (m->hold == M_NO_P) {
			if (m_is_surplus(m) ||
			    __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE))
				return NULL;
			m_park(m);
		}
		if (__atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE))
			return NULL;
		if (unlikely(procs_changed(m_p(m))) && !p_follow(m))
			continue;
		g = find_now(m);
		if (g) {
			count_pick(m_p(m));
			return g;
		}
		give_up(m);
	}
}

/*
 * The M has found something. Who looks on behalf of all has the next one look then. And
 * so does who was called: when no spare is left the next M to come gets one P, however many
 * were asked for, and what is in the others' queues is nobody's.
 */
static void found_one(struct m *m)
{
	if (m->spinning) {
		if (__atomic_load_n(&sched_vain_wakes, __ATOMIC_RELAXED))
			__atomic_store_n(&sched_vain_wakes, 0, __ATOMIC_RELAXED);
		sched_spinning_end(m);
		sched_wake();
	} else if (unlikely(m->called) && p_any_idle() && sched_work_waits()) {
		sched_wake();
	}
	m->called = false;
	m->was_woken = false;
}

void sched_loop(struct m *m)
{
	struct g *g;

	while (!m->retires &&
	       (g = m->bound ? bound_wait(m) : find_runnable(m))) {
		found_one(m);
		if (unlikely(g->bound && g->bound != m))
			bound_pass(m, g);
		else
			m = switch_to(m, g);
	}
}

bool sched_p_runs(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++) {
		uint64_t state = p_state(p_word(&rt.ps[i]));

		if (state != KGO_P_IDLE && state != KGO_P_DEAD)
			return true;
	}
	return false;
}

bool sched_work_waits(void)
{
	return globq_len() || work_in_runqs() ||
	       (!__atomic_load_n(&rt.shared->polling, __ATOMIC_SEQ_CST) &&
		(sched_first_timer() != INT64_MAX ||
		 __atomic_load_n(&rt.shared->net_waiters, __ATOMIC_SEQ_CST)));
}

/* ---- what goroutines do ------------------------------------------------------------ */

static void after_overflow(struct g *prev, void *arg)
{
	(void)arg;
	overflow_found(prev);
}

/* The report needs a stack that is not used up. */
void stack_overflow(void)
{
	struct m *m = m_self();

	m->after = after_overflow;
	switch_to(m, &m->g0);
	__builtin_unreachable();
}

struct m *g_park(struct m *m, enum wait_reason why, after_fn after, void *arg)
{
	struct g *next;

	stack_check(m->g);
	m->g->status = G_WAITING;
	m->g->why = why;
	m->after = after;
	m->after_arg = arg;
	next = pick_local(m);
	return switch_to(m, next ? next : &m->g0);
}

static void after_requeue(struct g *prev, void *arg)
{
	(void)arg;
	prev->status = G_RUNNABLE;
	runq_put(m_p(m_self()), prev);
}

static __attribute__((noinline)) struct m *yield_slow(struct m *m)
{
	struct g *next = pick_slow(m);

	m->after = after_requeue;
	return switch_to(m, next ? next : &m->g0);
}

/* Queue the goroutine that runs, and return who runs next; NULL without a quick pick. */
static __always_inline struct g *yield_quick(struct m *m)
{
	struct p *p = m_p(m);
	struct g *g = m->g, *next;

	stack_check(g);
	next = pick_quick(m);
	if (unlikely(!next))
		return NULL;
	if (p->alone && runq_has_room(p)) {
		/* Nobody takes it from there before its stack is left. */
		g->status = G_RUNNABLE;
		runq_append(p, g);
	} else {
		m->after = after_requeue;
	}
	return next;
}

struct m *g_yield(struct m *m)
{
	struct g *next = yield_quick(m);

	return likely(next) ? switch_to(m, next) : yield_slow(m);
}

/* All of go_yield(), here. */
static struct g_pair yield_done(struct m *m)
{
	critical_exit(m);
	return (struct g_pair){};
}

__attribute__((used)) struct g_pair yield_begin(void)
{
	struct m *m = m_self();
	struct g_pair pair;

	if (unlikely(!m)) {
		sched_yield();
		return (struct g_pair){};
	}
	m = critical_enter(m);
	if (shadow_follows_goroutines())
		return yield_done(g_yield(m));	/* who returns has to be who was called */
	pair.prev = m->g;
	pair.next = yield_quick(m);
	if (unlikely(!pair.next))
		return yield_done(yield_slow(m));
	switch_begin(m, pair.next);
	return pair;
}

__attribute__((used)) void yield_end(struct g *prev)
{
	critical_exit(switch_end(prev));
}

/* Its stack may be used again at once: it goes to who runs next. */
static void after_end(struct g *prev, void *arg)
{
	(void)arg;
	g_free(m_self(), prev);
}

/* Leave the goroutine for the last time. */
__attribute__((noreturn))
static void end_to(struct m *m, struct g *next)
{
	m->after = after_end;
	shadow_end(&m->g->shadow);
	switch_to(m, next ? next : &m->g0);
	__builtin_unreachable();
}

void g_end(struct m *m)
{
	struct g *next;

	stack_check(m->g);
	if (unlikely(m->g->bound)) {
		/* The thread was made the goroutine's own: it ends, too. */
		m->g->locks = 0;
		bound_end(m, m->g);
		m->retires = true;
		next = NULL;
	} else {
		next = pick_local(m);
	}
	end_to(m, next);
}

struct g *g_end_or_next(struct m *m)
{
	struct g *next;

	if (unlikely(m->g->bound))
		g_end(m);
	stack_check(m->g);
	next = pick_local(m);
	if (next && g_inherit(m, m->g, next))
		return NULL;
	if (shadow_follows_goroutines())
		end_to(m, next);	/* who returns has to be who was called */
	if (!next)
		next = &m->g0;
	m->after = after_end;
	switch_prepare(m, next);
	return next;
}
