/* SPDX-License-Identifier: MIT */
/*
 * Preemption: taking the P from a goroutine that runs too long.
 */
#ifndef PREEMPT_H
#define PREEMPT_H

#include <signal.h>

#include "runtime.h"

/* How long a goroutine may run while others wait for its P. */
#define PREEMPT_SLICE	(10 * GO_MILLISECOND)

/* The same while somebody is due: a timer of its P has run out, or a file is ready. */
#define DUE_SLICE	(1 * GO_MILLISECOND)

/* As Go's: nobody else uses it, and it is ignored where it is not expected. */
#define PREEMPT_SIGNAL	SIGURG

/* In the pending word of an M, set by the monitor: yield. */
#define PENDING_PREEMPT	1U

/* Install the signal's handler, and put back what was there. */
int preempt_start(void);
void preempt_stop(void);

/* On an M's thread: let the signal in. */
void preempt_m_begin(void);

/*
 * Of a thread that takes a lock of the C library's which the end of the runtime needs: a
 * goroutine that was stopped with it does not run again then. No switch in between.
 */
void preempt_block(sigset_t *old);
void preempt_unblock(const sigset_t *old);

/*
 * Have the goroutine of a running M stop, with which its P's tick was that. The monitor
 * only.
 */
void preempt_m(uint32_t m, uint32_t tick);

/* On an M's thread: is there a request, and one that nobody has taken? */
bool preempt_take(struct m *m);

/* Is the goroutine of that M, which has its P, still the one that was to stop? */
bool preempt_is_meant(struct m *m);

#endif /* PREEMPT_H */
