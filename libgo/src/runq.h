/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a P: a ring that its owner fills and everybody empties. Its rules are
 * in runq.c; what the owner does at each switch is here.
 */
#ifndef RUNQ_H
#define RUNQ_H

#include "runtime.h"

/* How often in a row the goroutine that was readied last may run next. */
#define RUNNEXT_TURNS	64

/*
 * With more than so many in the ring their stacks are seldom in a cache, nor where they are
 * in the TLB. A stack comes there while the goroutines before it run, its record earlier.
 */
#define RUNQ_LONG	4
#define PREFETCH_STACK	2
#define PREFETCH_G	4
#define PREFETCH_LINES	6

static inline struct g **runq_slot(struct p *p, uint32_t i)
{
	return &p->runq[i % RUNQ_SIZE];
}

/*
 * The ring is full: half of it and one more go to the global queue. False if it is not
 * full any more.
 */
bool runq_put_slow(struct p *p, struct g *g);

/* Owner only: who has seen room there finds it. */
static inline bool runq_has_room(const struct p *p)
{
	const struct kgo_p *w = p->words;

	return w->runq_tail - __atomic_load_n(&w->runq_head, __ATOMIC_ACQUIRE) <
	       RUNQ_SIZE;
}

/* Queue a goroutine at the end, where there is room. Owner only. */
static inline void runq_append(struct p *p, struct g *g)
{
	struct kgo_p *w = p->words;
	uint32_t tail = w->runq_tail;

	__atomic_store_n(runq_slot(p, tail), g, __ATOMIC_RELAXED);
	/* Pairs with the acquire of who takes from the ring. */
	__atomic_store_n(&w->runq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Queue a goroutine at the end. Owner only. */
static inline void runq_put(struct p *p, struct g *g)
{
	while (unlikely(!runq_has_room(p)))
		if (runq_put_slow(p, g))
			return;
	runq_append(p, g);
}

/*
 * Queue one that is to run next; who was to run next goes to the end. Owner only. A full
 * barrier, unless the P has no thieves.
 */
static inline void runq_put_next(struct p *p, struct g *g)
{
	uint64_t *runnext = (uint64_t *)&p->words->runnext;
	uint64_t old;

	if (p->alone) {
		old = __atomic_load_n(runnext, __ATOMIC_RELAXED);
		__atomic_store_n(runnext, (uintptr_t)g, __ATOMIC_RELAXED);
	} else {
		/* Release: a thief that takes it sees the goroutine. */
		old = __atomic_exchange_n(runnext, (uintptr_t)g,
					  __ATOMIC_SEQ_CST);
	}
	if (old)
		runq_put(p, (struct g *)(uintptr_t)old);
}

/* Queue several at the end. Owner only. */
void runq_put_list(struct p *p, struct g_list *list);

/* Who is to run next goes to the end. Owner only. */
void runq_requeue_next(struct p *p);

/*
 * Two that wake each other must not keep the others from running: now and then the
 * next one waits behind them.
 */
static inline bool runq_next_rests(const struct p *p)
{
	return p->inherits >= RUNNEXT_TURNS;
}

/* Who is to run next, or NULL. */
static inline struct g *runq_get_next(struct p *p)
{
	uint64_t *runnext = (uint64_t *)&p->words->runnext;
	/* First: what a thief has done that is gone is seen then (runnext_raid()). */
	bool raided = __atomic_load_n(&p->raiders, __ATOMIC_ACQUIRE);
	uint64_t next = __atomic_load_n(runnext, __ATOMIC_RELAXED);

	if (!next)
		return NULL;
	p->inherits++;
	if (likely(!raided))
		__atomic_store_n(runnext, 0, __ATOMIC_RELAXED);
	/* Only a thief can have taken it, and only the owner puts one there. */
	else if (!__atomic_compare_exchange_n(runnext, &next, 0, false,
					      __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED))
		return NULL;
	return (struct g *)(uintptr_t)next;
}

/*
 * The stack of one that is soon to run, as far as one that waited uses it at once, is to
 * come to the cache. A thief may have taken it; its record is there for ever.
 */
static inline __no_tsan void runq_prefetch(struct p *p, uint32_t head)
{
	struct g *g = __atomic_load_n(runq_slot(p, head + PREFETCH_STACK),
				      __ATOMIC_RELAXED);
	char *sp = __atomic_load_n(&g->sp, __ATOMIC_RELAXED);
	int i;

	g = __atomic_load_n(runq_slot(p, head + PREFETCH_G), __ATOMIC_RELAXED);
	__builtin_prefetch(g, 1);
	if (!sp)
		return;
#pragma GCC unroll 6
	for (i = 0; i < PREFETCH_LINES; i++)
		__builtin_prefetch(sp + i * CACHE_LINE, 1);
}

/* The next goroutine, or NULL. Owner only, who has looked at runq_next_rests(). */
static inline struct g *runq_get_any(struct p *p)
{
	struct kgo_p *w = p->words;
	struct g *g = runq_get_next(p);
	uint32_t head;

	if (g)
		return g;
	head = __atomic_load_n(&w->runq_head, __ATOMIC_ACQUIRE);
	do {
		if (head == w->runq_tail)
			return NULL;
		g = __atomic_load_n(runq_slot(p, head), __ATOMIC_RELAXED);
		if (p->alone) {
			__atomic_store_n(&w->runq_head, head + 1,
					 __ATOMIC_RELAXED);
			break;
		}
	} while (!__atomic_compare_exchange_n(&w->runq_head, &head, head + 1,
					      false, __ATOMIC_RELEASE,
					      __ATOMIC_ACQUIRE));
	p->inherits = 0;
	if (unlikely(w->runq_tail - head > RUNQ_LONG))
		runq_prefetch(p, head);
	return g;
}

/* The next goroutine, or NULL. Owner only. */
static inline struct g *runq_get(struct p *p)
{
	if (unlikely(runq_next_rests(p)))
		runq_requeue_next(p);
	return runq_get_any(p);
}

/* Move half of another P's queue to the end of the own one, and return the last
 * of them; NULL if there was none. @runnext: take even the one that is to run
 * next, if nothing else is there.
 */
struct g *runq_steal(struct p *p, struct p *victim, bool runnext);

/* Owner only: does nobody wait there, but for who is to run next? */
static inline bool runq_ring_empty(const struct p *p)
{
	const struct kgo_p *w = p->words;

	return __atomic_load_n(&w->runq_head, __ATOMIC_RELAXED) == w->runq_tail;
}

/* Owner only: do many wait there? */
static inline bool runq_is_long(const struct p *p)
{
	const struct kgo_p *w = p->words;

	return w->runq_tail - __atomic_load_n(&w->runq_head, __ATOMIC_RELAXED) >
	       RUNQ_LONG;
}

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
