/* SPDX-License-Identifier: MIT */
/*
 * Goroutines that are bound to an M: locked to it with go_lock_os_thread(), or
 * stopped in the middle of what they did (preempt.c).
 */
#ifndef BOUND_H
#define BOUND_H

#include "runtime.h"

/* In m->park: the M has been given a P, or the runtime stops. */
#define PARK_GRANTED	1U
#define PARK_ENDS	2U

/* Bind the M and a goroutine to each other, and part them. */
void bound_begin(struct m *m, struct g *g);
void bound_end(struct m *m, struct g *g);

/* Give the M's P to the M that a runnable goroutine is bound to; not if that ends. */
void bound_pass(struct m *m, struct g *g);

/* There is work, and an idle P, but no spare; and what waits may be bound to an M. */
bool bound_strands(void);

/*
 * For the monitor: if so, what makes spares may wait for a lock, of malloc() for one,
 * that a goroutine holds which was stopped, and which an M would have to pass a P to.
 * So pass the idle P to one that was. Returns whether to look again soon.
 * Test: who_makes_threads_may_wait_for_the_stopped.
 */
bool bound_rescue(void);

/*
 * Wait until somebody picks the goroutine that the M is bound to, without a P.
 * Returns that goroutine, with a P; NULL if the runtime stops.
 */
struct g *bound_wait(struct m *m);

/* The runtime stops: wake the Ms that wait for their goroutine. */
void bound_wake_all(void);

#endif /* BOUND_H */
