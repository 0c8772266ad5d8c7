/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a P: a ring that its owner fills and everybody empties.
 */
#ifndef RUNQ_H
#define RUNQ_H

#include "runtime.h"

/* Queue a goroutine. Owner only. @next: it is to run next, and the one that was
 * to run next goes to the end. What does not fit goes to the global queue.
 */
void runq_put(struct p *p, struct g *g, bool next);

/* Queue several at the end. Owner only. */
void runq_put_list(struct p *p, struct g_list *list);

/* The next goroutine, or NULL. Owner only. */
struct g *runq_get(struct p *p);

/* Move half of another P's queue to the end of the own one, and return the last
 * of them; NULL if there was none. @runnext: take even the one that is to run
 * next, if nothing else is there.
 */
struct g *runq_steal(struct p *p, struct p *victim, bool runnext);

static inline bool runq_empty(const struct p *p)
{
	const struct kgo_p *w = p->words;

	/*
	 * runnext moves to the ring before it is overwritten, so a queue that
	 * is never empty could look so between the loads; the tail says whether
	 * that happened.
	 */
	for (;;) {
		uint32_t head = __atomic_load_n(&w->runq_head,
						__ATOMIC_SEQ_CST);
		uint32_t tail = __atomic_load_n(&w->runq_tail,
						__ATOMIC_SEQ_CST);
		uint64_t next = __atomic_load_n(&w->runnext, __ATOMIC_SEQ_CST);

		if (tail == __atomic_load_n(&w->runq_tail, __ATOMIC_SEQ_CST))
			return head == tail && !next;
	}
}

#endif /* RUNQ_H */
