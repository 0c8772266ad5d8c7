// SPDX-License-Identifier: MIT
/*
 * How a lock loses its home.
 */
#include "homelock.h"

/* Pauses of the processor before sleeping, and how long then. */
#define HELD_SPIN	256
#define HELD_SLEEP	(20 * GO_MICROSECOND)

struct at_home at_home[KGO_MAX_P + 1];

/* Who holds it there is in a critical section, and leaves it without waiting for anybody. */
static void wait_while_held(const struct home_lock *l, uint16_t home)
{
	int i = 0;

	while (__atomic_load_n(&at_home[home].lock, __ATOMIC_ACQUIRE) == l) {
		if (i++ < HELD_SPIN)
			cpu_relax();
		else
			futex_sleep(HELD_SLEEP);
	}
}

void home_end(struct home_lock *l, uint16_t here)
{
	uint16_t home = l->home;

	__atomic_store_n(&l->home, 0, __ATOMIC_RELAXED);
	/* Here nobody else is in a section. */
	if (home != here) {
		membarrier_all();
		wait_while_held(l, home);
	}
	if (l->patience < HOME_SHIFT_MAX - HOME_SHIFT_MIN)
		l->patience++;
	l->last = 0;
}
