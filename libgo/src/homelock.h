/* SPDX-License-Identifier: MIT */
/*
 * A lock for what is mostly used on one P. Who holds a P that has taken such a lock many
 * times in a row, and nobody else in between, makes it the lock's home, and takes it there
 * without an atomic operation from then on: it says which lock it holds at home (a store), and
 * looks whether the lock still has its home here (a load). Anybody else takes the lock itself,
 * ends that, and waits until the P holds it no more. The barrier that this takes on both sides
 * is one membarrier(2). (Kawachiya, Koseki, Onodera: Lock Reservation, OOPSLA 2002.)
 *
 * That takes microseconds, so each time the lock has to be taken twice as often before it has
 * a home again.
 */
#ifndef HOMELOCK_H
#define HOMELOCK_H

#include "futex.h"
#include "solo.h"

/**
 * struct home_lock - a lock that may have a home
 * @lock: the lock of all others
 * @home: index of the P, plus one; 0 for none. Written with @lock held
 * @last: the P that took @lock last, likewise; with @lock held
 * @row: how often it did, one time after the other; with @lock held
 * @patience: the binary logarithm of how often it takes, less HOME_SHIFT_MIN; likewise
 */
struct home_lock {
	struct lock lock;
	uint16_t home;
	uint16_t last;
	uint16_t row;
	uint8_t patience;
};

/*
 * Of each P, as @home says it: the lock that it holds at home. It is not in the lock, where
 * who finds that it has its home elsewhere by now would write over what is said there.
 */
extern struct at_home {
	const struct home_lock *lock;
} cache_aligned at_home[KGO_MAX_P + 1];

/* It takes so many times to have a home, the first time and at most. */
#define HOME_SHIFT_MIN	8
#define HOME_SHIFT_MAX	15

/* As @home: the P of an M in a critical section; 0 without one, as for a plain thread. */
static inline uint16_t home_of(const struct m *m)
{
	_Static_assert(KGO_MAX_P <= UINT16_MAX, "all have a number");
	return m && likely(m->hold != M_NO_P) ? m->hold : 0;
}

/* With the lock held, whose home is not @here: end that. */
void home_end(struct home_lock *l, uint16_t here);

/* With the lock held, that has no home: it was taken once more. */
static inline void home_count(struct home_lock *l, uint16_t here)
{
	if (l->last != here) {
		l->last = here;
		l->row = 0;
	} else if (unlikely(++l->row >> (HOME_SHIFT_MIN + l->patience)) &&
		   here && membarrier_works) {
		__atomic_store_n(&l->home, here, __ATOMIC_RELAXED);
	}
}

/* Take the lock, wherever its home is; lock_release() releases it. */
static inline void home_lock_away(const struct m *m, struct home_lock *l)
{
	lock_acquire(&l->lock);
	if (unlikely(__atomic_load_n(&l->home, __ATOMIC_RELAXED)))
		home_end(l, home_of(m));
}

static inline void home_release(uint16_t here)
{
	__atomic_store_n(&at_home[here].lock, NULL, __ATOMIC_RELEASE);
}

/* Take it, and return whether it was taken at home. */
static __always_inline bool home_lock(const struct m *m, struct home_lock *l)
{
	uint16_t here;

	if (solo_now(m))
		return false;
	/* Never equal without a P (M_NO_P). */
	if (likely(m) && __atomic_load_n(&l->home, __ATOMIC_RELAXED) == m->hold) {
		here = m->hold;
		__atomic_store_n(&at_home[here].lock, l, __ATOMIC_RELAXED);
		barrier();
		if (likely(__atomic_load_n(&l->home, __ATOMIC_RELAXED) == here))
			return true;
		home_release(here);
	}
	home_lock_away(m, l);
	home_count(l, home_of(m));
	return false;
}

static inline void home_unlock(const struct m *m, struct home_lock *l,
			       bool home)
{
	if (home)
		home_release(home_of(m));
	else
		lock_release(&l->lock);
}

#endif /* HOMELOCK_H */
