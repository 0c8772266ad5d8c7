// SPDX-License-Identifier: MIT
/*
 * Waitgroups. The state is one word, so that counting needs no lock: bit 0 says
 * that the list of waiters is not empty, the others count. The list's lock guards
 * that bit, and the step to a count of zero if it is set. Once the count is zero the
 * waitgroup may be gone.
 */
#include <errno.h>

#include "solo.h"
#include "wait.h"

#define WG_WAITERS	1U
#define WG_COUNT_SHIFT	1

static int64_t wg_count(uint32_t state)
{
	return state >> WG_COUNT_SHIFT;
}

static bool wg_change(struct go_waitgroup *wg, uint32_t *old, uint32_t new)
{
	return __atomic_compare_exchange_n(&wg->state, old, new, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t wg_load(struct go_waitgroup *wg)
{
	return __atomic_load_n(&wg->state, __ATOMIC_ACQUIRE);
}

/*
 * Wake all if the state still is what it was when the next step was to zero.
 *
 * The list is emptied first, and put back if the count has changed: who sees that
 * it is zero does not lock.
 */
static bool wg_finish(struct go_waitgroup *wg, uint32_t old)
{
	struct waitq *q = waitq_of(&wg->waiters);
	struct lock *lock = waitq_lock(wg);
	struct m *m = wait_enter();
	struct waitq all;
	bool finished;

	shared_lock(m, lock);
	all = *q;
	*q = (struct waitq){};
	finished = wg_change(wg, &old, 0);
	if (finished) {
		waitq_wake_all_unlock(m, &all, lock, 0);
	} else {
		*q = all;
		lock_release(lock);
	}
	wait_exit(m);
	return finished;
}

int go_waitgroup_add(struct go_waitgroup *wg, int n)
{
	uint32_t old = wg_load(wg);

	if (unlikely(forked))
		return -ESRCH;
	for (;;) {
		int64_t count = wg_count(old) + n;

		if (count < 0 || count > INT32_MAX)
			return -EINVAL;
		if (count || !(old & WG_WAITERS)) {
			if (wg_change(wg, &old, (uint32_t)count << WG_COUNT_SHIFT |
				      (old & WG_WAITERS)))
				return 0;
		} else {
			if (wg_finish(wg, old))
				return 0;
			old = wg_load(wg);
		}
	}
}

int go_waitgroup_done(struct go_waitgroup *wg)
{
	return go_waitgroup_add(wg, -1);
}

/* The list's lock is held. False if the count is zero. */
static bool wg_announce(struct go_waitgroup *wg)
{
	uint32_t old = wg_load(wg);

	do {
		if (!wg_count(old))
			return false;
	} while (!wg_change(wg, &old, old | WG_WAITERS));
	return true;
}

int go_waitgroup_wait(struct go_waitgroup *wg)
{
	struct lock *lock = waitq_lock(wg);
	struct waiter w = {};
	struct m *m;

	if (unlikely(forked))
		return -ESRCH;
	if (!wg_count(wg_load(wg)))
		return 0;
	m = wait_enter();
	shared_lock(m, lock);
	if (wg_announce(wg)) {
		w.g = wait_g(m);
		waitq_add(waitq_of(&wg->waiters), &w);
		m = wait_park(m, WAIT_WAITGROUP, after_release, lock);
	} else {
		lock_release(lock);
	}
	wait_exit(m);
	return 0;
}
