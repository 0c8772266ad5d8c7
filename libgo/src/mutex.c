// SPDX-License-Identifier: MIT
/*
 * Mutexes, after Go's sync.Mutex: in normal mode who unlocks a mutex wakes the
 * first waiter, which has to compete with whoever comes along. That is fast, but
 * a waiter may lose again and again. One that has waited for 1 ms makes the
 * mutex starving: then it is handed over, still locked, to one waiter after the
 * other, until one has waited for less, or is the last.
 *
 * No wake-up is lost:
 *  - WAITERS is set, in the word that unlocking changes, before somebody waits and
 *    only while the mutex is locked. So who unlocks it sees that.
 *  - Who unlocks it wakes a waiter unless one is on its way already, or somebody
 *    spins: WOKEN says so, and belongs to that one. It clears WOKEN when it has
 *    the mutex, and wakes the next one when it unlocks it; or when it waits again,
 *    while the mutex is locked, and then who has it will wake somebody.
 *  The list of waiters, WAITERS and STARVING change with the list's lock held.
 *  The test is nothing_is_lost in tests/mutex_test.c.
 */
#include <errno.h>

#include "proc.h"
#include "runq.h"
#include "wait.h"

#define MUTEX_LOCKED	GO_MUTEX_LOCKED
#define MUTEX_WAITERS	GO_MUTEX_WAITERS	/* the list is not empty */
#define MUTEX_WOKEN	GO_MUTEX_WOKEN	/* somebody is on the way to get it */
#define MUTEX_STARVING	8U	/* it is handed over; always LOCKED, too */

/* How long a waiter competes with others. */
#define STARVING_NS	GO_MILLISECOND

/* A result of a wait: the mutex was handed over. */
#define HANDED		1

/* How often to look again before sleeping, and pauses of the CPU between looks. */
#define SPIN_LOOKS	4
#define SPIN_PAUSES	30

/**
 * struct contender - one that wants the mutex
 * @deadline: when it gives up
 * @since: when it began to wait; 0: not yet
 * @woken: MUTEX_WOKEN if that bit is its own, or 0
 * @looks: how often it has spun
 */
struct contender {
	int64_t deadline;
	int64_t since;
	uint32_t woken;
	int looks;
};

static bool mutex_change(struct go_mutex *mu, uint32_t *old, uint32_t new)
{
	return __atomic_compare_exchange_n(&mu->state, old, new, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uint32_t mutex_load(const struct go_mutex *mu)
{
	return __atomic_load_n(&mu->state, __ATOMIC_RELAXED);
}

/* ---- lock ------------------------------------------------------------------------ */

/*
 * Is it likely that who has the mutex runs now, on another P? With goroutines in
 * the own queue it is more likely among those.
 */
static bool pausing_pays(struct m *m)
{
	if (rt.nr_cpu < 2 || procs() < 2)
		return false;
	if (!m)
		return true;
	return procs() - p_count_idle() >
		1 + __atomic_load_n(&rt.shared->nr_spinning, __ATOMIC_RELAXED);
}

static void pause_a_little(void)
{
	int i;

	for (i = 0; i < SPIN_PAUSES; i++)
		cpu_relax();
}

/*
 * With the mutex locked: let some time pass without sleeping. False if that does not
 * pay. Of those that want the mutex, only the one that is on its way lets other
 * goroutines run meanwhile: that is a switch for each look.
 */
static bool mutex_spin(struct go_mutex *mu, struct contender *c, uint32_t old)
{
	struct m *m;
	bool pays;

	if (c->looks == SPIN_LOOKS || old & MUTEX_STARVING)
		return false;
	c->looks++;
	m = wait_enter();
	if (m && !runq_empty(m_p(m))) {
		pays = c->woken;
		if (pays)
			m = g_yield(m);
		wait_exit(m);
		return pays;
	}
	pays = pausing_pays(m);
	wait_exit(m);
	if (!pays)
		return false;
	/* Nobody needs to be woken meanwhile. */
	if (!c->woken && (old & (MUTEX_WAITERS | MUTEX_WOKEN)) == MUTEX_WAITERS &&
	    mutex_change(mu, &old, old | MUTEX_WOKEN))
		c->woken = MUTEX_WOKEN;
	pause_a_little();
	return true;
}

/*
 * Say that somebody is to wait, or to starve. The list's lock is held. False if the
 * mutex is not locked any more.
 */
static bool mutex_announce(struct go_mutex *mu, struct contender *c,
			   uint32_t set)
{
	uint32_t old = mutex_load(mu);

	do {
		if (!(old & MUTEX_LOCKED))
			return false;
	} while (!mutex_change(mu, &old, (old & ~c->woken) | set));
	c->woken = 0;
	return true;
}

/* After the deadline: take the waiter out of the list. */
static void mutex_forget(struct go_mutex *mu, struct waiter *w)
{
	struct waitq *q = waitq_of(&mu->waiters);
	struct lock *lock = waitq_lock(mu);

	lock_acquire(lock);
	if (w->queued)
		waitq_del(q, w);
	if (!q->first)
		__atomic_fetch_and(&mu->state,
				   ~(MUTEX_WAITERS | MUTEX_STARVING),
				   __ATOMIC_RELAXED);
	lock_release(lock);
}

/*
 * Wait until the mutex has been unlocked. HANDED if it is locked for the caller
 * now; 0 if it is worth another try; a negative errno.
 */
static int mutex_wait(struct go_mutex *mu, struct contender *c)
{
	struct lock *lock = waitq_lock(mu);
	struct choice choice = {};
	struct waiter w = { .elem = c };
	uint32_t set = MUTEX_WAITERS;
	int64_t now = go_now();
	bool again = c->since;
	struct m *m;
	struct g *g;

	if (!again)
		c->since = now;
	else if (now - c->since > STARVING_NS)
		set |= MUTEX_STARVING;
	m = wait_enter();
	if (wait_refused(m)) {
		if (c->deadline != INT64_MAX)
			return -ESRCH;
		wait_for_ever();
	}
	g = wait_g(m);
	w.g = g;
	lock_acquire(lock);
	if (!mutex_announce(mu, c, set)) {
		lock_release(lock);
		wait_exit(m);
		return 0;
	}
	if (c->deadline != INT64_MAX)
		w.choice = &choice;
	if (again)
		waitq_push(waitq_of(&mu->waiters), &w);
	else
		waitq_add(waitq_of(&mu->waiters), &w);
	m = wait_park_until(m, WAIT_MUTEX, after_release, lock, &choice,
			    c->deadline);
	if (w.choice && choice.index == CHOICE_DEADLINE)
		mutex_forget(mu, &w);
	else if (g->result != HANDED)
		c->woken = MUTEX_WOKEN;
	wait_exit(m);
	return g->result;
}

static int mutex_lock(struct go_mutex *mu, int64_t deadline)
{
	struct contender c = { .deadline = deadline };
	uint32_t old = mutex_load(mu);
	int ret;

	for (;;) {
		if (!(old & MUTEX_LOCKED)) {
			if (mutex_change(mu, &old,
					 (old | MUTEX_LOCKED) & ~c.woken))
				return 0;
			continue;
		}
		if (!mutex_spin(mu, &c, old)) {
			ret = mutex_wait(mu, &c);
			if (ret)
				return ret == HANDED ? 0 : ret;
			c.looks = 0;
		}
		old = mutex_load(mu);
	}
}

void go_mutex_lock_slow(struct go_mutex *mu)
{
	mutex_lock(mu, INT64_MAX);
}

int go_mutex_lock_until(struct go_mutex *mu, int64_t deadline)
{
	return mutex_lock(mu, deadline);
}

/* ---- unlock ---------------------------------------------------------------------- */

/* Does who unlocks it have to see to a waiter? */
static bool mutex_must_wake(uint32_t state)
{
	/* In a child of fork() those who waited are not there any more. */
	return state & MUTEX_WAITERS && !forked &&
	       (state & MUTEX_STARVING || !(state & MUTEX_WOKEN));
}

static bool starves(const struct waiter *w)
{
	const struct contender *c = w->elem;

	return go_now() - c->since > STARVING_NS;
}

/*
 * With the list's lock held: unlock the mutex for a waiter that was taken out of
 * the list, or hand it over. Returns the result of its wait.
 */
static int mutex_pass(struct go_mutex *mu, struct waiter *w)
{
	uint32_t old = mutex_load(mu);
	uint32_t clear = 0, set = 0;
	int result = 0;

	if (!waitq_of(&mu->waiters)->first)
		clear |= MUTEX_WAITERS | MUTEX_STARVING;
	if (old & MUTEX_STARVING) {
		result = HANDED;
		if (!starves(w))
			clear |= MUTEX_STARVING;
	} else {
		clear |= MUTEX_LOCKED;
		set |= MUTEX_WOKEN;
	}
	/* Somebody that spins may set WOKEN meanwhile. */
	while (!mutex_change(mu, &old, (old & ~clear) | set))
		;
	return result;
}

/* Unlock it and wake a waiter. False if there is nobody to wake after all. */
static bool mutex_wake(struct go_mutex *mu)
{
	struct waitq *q = waitq_of(&mu->waiters);
	struct lock *lock = waitq_lock(mu);
	struct m *m = wait_enter();
	struct waiter *w = NULL;

	lock_acquire(lock);
	if (mutex_must_wake(mutex_load(mu))) {
		w = waitq_take(q);
		if (w)
			w->g->result = mutex_pass(mu, w);
		else	/* all have given up */
			__atomic_fetch_and(&mu->state,
					   ~(MUTEX_WAITERS | MUTEX_STARVING),
					   __ATOMIC_RELAXED);
	}
	lock_release(lock);
	if (w)
		g_ready(m, w->g);
	wait_exit(m);
	return w;
}

int go_mutex_unlock_slow(struct go_mutex *mu)
{
	uint32_t old = mutex_load(mu);

	while (old & MUTEX_LOCKED) {
		if (mutex_must_wake(old)) {
			if (mutex_wake(mu))
				return 0;
			old = mutex_load(mu);
		} else if (mutex_change(mu, &old, old & ~MUTEX_LOCKED)) {
			return 0;
		}
	}
	return -EPERM;
}
