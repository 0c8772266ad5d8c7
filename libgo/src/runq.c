// SPDX-License-Identifier: MIT
/*
 * The run queue of a P, by the rules of Go's proc.go (runqput, runqget,
 * runqgrab). The owner alone moves the tail. The head is moved by whoever takes
 * something, by compare-and-exchange; its release pairs with the owner's acquire
 * before it fills a slot again. A P that has been the only one so far has no
 * thieves: its owner uses loads and stores then (struct p's alone). Validator:
 * tests/runq_test.c.
 */
#include <string.h>

#include "globq.h"
#include "proc.h"
#include "runq.h"
#include "sched.h"

/* How often in a row the goroutine that was readied last may run next. */
#define RUNNEXT_TURNS	64

/* How long a thief leaves it alone. */
#define RUNNEXT_REST	(3 * GO_MICROSECOND)

static struct g **runq_slot(struct p *p, uint32_t i)
{
	return &p->runq[i % RUNQ_SIZE];
}

/* The ring is full: half of it and one more go to the global queue. */
static bool runq_put_slow(struct p *p, struct g *g, uint32_t head)
{
	struct kgo_p *w = p->words;
	struct g *half[RUNQ_SIZE / 2];
	struct g_list list;
	uint32_t i;

	for (i = 0; i < RUNQ_SIZE / 2; i++)
		half[i] = __atomic_load_n(runq_slot(p, head + i),
					  __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&w->runq_head, &head,
					 head + RUNQ_SIZE / 2, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;

	g_list_init(&list);
	for (i = 0; i < RUNQ_SIZE / 2; i++)
		g_list_add(&list, half[i]);
	g_list_add(&list, g);
	globq_put_list(&list);
	return true;
}

static void runq_put_tail(struct p *p, struct g *g)
{
	struct kgo_p *w = p->words;

	for (;;) {
		uint32_t head = __atomic_load_n(&w->runq_head,
						__ATOMIC_ACQUIRE);
		uint32_t tail = w->runq_tail;

		if (likely(tail - head < RUNQ_SIZE)) {
			__atomic_store_n(runq_slot(p, tail), g,
					 __ATOMIC_RELAXED);
			/* Pairs with the acquire of who takes from the ring. */
			__atomic_store_n(&w->runq_tail, tail + 1,
					 __ATOMIC_RELEASE);
			return;
		}
		if (runq_put_slow(p, g, head))
			return;
	}
}

void runq_put(struct p *p, struct g *g, bool next)
{
	struct kgo_p *w = p->words;

	if (next && p->alone) {
		uint64_t old = __atomic_load_n(&w->runnext, __ATOMIC_RELAXED);

		__atomic_store_n(&w->runnext, (uintptr_t)g, __ATOMIC_RELAXED);
		if (!old)
			return;
		g = (struct g *)(uintptr_t)old;
	} else if (next) {
		/* Release: a thief that takes it sees the goroutine. */
		g = (struct g *)(uintptr_t)
			__atomic_exchange_n(&w->runnext, (uintptr_t)g,
					    __ATOMIC_SEQ_CST);
		if (!g)
			return;
	}
	runq_put_tail(p, g);
}

void runq_put_list(struct p *p, struct g_list *list)
{
	struct g *g;

	while ((g = g_list_pop(list)))
		runq_put_tail(p, g);
}

struct g *runq_get(struct p *p)
{
	struct kgo_p *w = p->words;
	uint64_t next = __atomic_load_n(&w->runnext, __ATOMIC_RELAXED);
	uint32_t head, tail;

	/*
	 * Two that wake each other must not keep the others from running: now
	 * and then the next one waits behind them.
	 */
	if (unlikely(next && p->inherits++ == RUNNEXT_TURNS)) {
		p->inherits = 0;
		next = __atomic_exchange_n(&w->runnext, 0, __ATOMIC_ACQUIRE);
		if (next)
			runq_put_tail(p, (struct g *)(uintptr_t)next);
		next = 0;
	}
	if (next && p->alone) {
		__atomic_store_n(&w->runnext, 0, __ATOMIC_RELAXED);
		return (struct g *)(uintptr_t)next;
	}
	/* Only a thief can have taken it, and only the owner puts one there. */
	if (next && __atomic_compare_exchange_n(&w->runnext, &next, 0, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
		return (struct g *)(uintptr_t)next;

	head = __atomic_load_n(&w->runq_head, __ATOMIC_ACQUIRE);
	for (;;) {
		struct g *g;

		tail = w->runq_tail;
		if (head == tail)
			return NULL;
		g = __atomic_load_n(runq_slot(p, head), __ATOMIC_RELAXED);
		if (p->alone) {
			__atomic_store_n(&w->runq_head, head + 1,
					 __ATOMIC_RELAXED);
		} else if (!__atomic_compare_exchange_n(&w->runq_head, &head,
							head + 1, false,
							__ATOMIC_RELEASE,
							__ATOMIC_ACQUIRE)) {
			continue;
		}
		p->inherits = 0;
		return g;
	}
}

/*
 * Who has readied a goroutine mostly stops soon after, and runs it itself then. It
 * is left to its P for a moment, lest two that wake each other move from P to P.
 */
static bool runnext_stays(const struct p *victim, uint64_t next)
{
	int64_t until;

	if (p_state(p_word(victim)) != KGO_P_RUNNING)
		return true;
	until = go_now() + RUNNEXT_REST;
	do {
		if (__atomic_load_n(&victim->words->runnext,
				    __ATOMIC_RELAXED) != next)
			return false;
		cpu_relax();
	} while (go_now() < until);
	return true;
}

/* Copy half of a P's ring into another's, behind its tail. Returns how many. */
static uint32_t runq_grab(struct p *p, struct p *victim, bool runnext)
{
	struct kgo_p *w = victim->words;
	uint32_t to = p->words->runq_tail;
	uint32_t head, tail, n, i;

	/* Its owner does not expect us yet. Pairs with p_meets_others(). */
	if (__atomic_load_n(&victim->alone, __ATOMIC_ACQUIRE))
		return 0;
	for (;;) {
		head = __atomic_load_n(&w->runq_head, __ATOMIC_ACQUIRE);
		tail = __atomic_load_n(&w->runq_tail, __ATOMIC_ACQUIRE);
		n = tail - head;
		n -= n / 2;
		if (!n)
			break;
		if (n > RUNQ_SIZE / 2)	/* head and tail do not belong together */
			continue;
		for (i = 0; i < n; i++)
			__atomic_store_n(runq_slot(p, to + i),
					 __atomic_load_n(runq_slot(victim,
								   head + i),
							 __ATOMIC_RELAXED),
					 __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(&w->runq_head, &head, head + n,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return n;
	}

	if (runnext) {
		uint64_t next = __atomic_load_n(&w->runnext, __ATOMIC_RELAXED);

		if (!next || !runnext_stays(victim, next) ||
		    !__atomic_compare_exchange_n(&w->runnext, &next, 0, false,
						 __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			return 0;
		__atomic_store_n(runq_slot(p, to), (struct g *)(uintptr_t)next,
				 __ATOMIC_RELAXED);
		return 1;
	}
	return 0;
}

struct g *runq_steal(struct p *p, struct p *victim, bool runnext)
{
	struct kgo_p *w = p->words;
	uint32_t tail = w->runq_tail;
	uint32_t n = runq_grab(p, victim, runnext);

	if (!n)
		return NULL;
	p_count(&p->steals, n);
	/* The last one is run at once, the others become visible. */
	__atomic_store_n(&w->runq_tail, tail + n - 1, __ATOMIC_RELEASE);
	return __atomic_load_n(runq_slot(p, tail + n - 1), __ATOMIC_RELAXED);
}
