// SPDX-License-Identifier: MIT
/*
 * The run queue of a P, by the rules of Go's proc.go (runqput, runqget,
 * runqgrab). The owner alone moves the tail. The head is moved by whoever takes
 * something, by compare-and-exchange; its release pairs with the owner's acquire
 * before it fills a slot again. A P that has been the only one so far has no
 * thieves: its owner uses loads and stores then (struct p's alone).
 *
 * Who is to run next is another matter: the owner takes it at nearly each switch and a thief
 * seldom does. So the thief pays for both, with membarrier(2): the owner takes it with a
 * load and a store, in a critical section, unless it sees that there are raiders; and
 * who has said so, and sees no section after the barrier, finds an owner that has seen it.
 *
 * Validator: tests/runq_test.c.
 */
#include "futex.h"
#include "globq.h"
#include "proc.h"
#include "runq.h"
#include "sched.h"

/* How long a thief leaves it alone. */
#define RUNNEXT_REST	(3 * GO_MICROSECOND)

/* How often it looks then whether the owner has left its critical section, and then sleeps. */
#define SECTION_LOOKS	64
#define SECTION_SLEEP	(20 * GO_MICROSECOND)

/* In a batch for the global queue each one knows the one that far behind. */
#define AHEAD		8

static struct g *runq_at(struct p *p, uint32_t i)
{
	return __atomic_load_n(runq_slot(p, i), __ATOMIC_RELAXED);
}

bool runq_put_slow(struct p *p, struct g *g)
{
	struct kgo_p *w = p->words;
	uint32_t head = w->runq_tail - RUNQ_SIZE;
	uint32_t i, end = head + RUNQ_SIZE / 2;
	struct g_list list;

	i = head;
	if (!__atomic_compare_exchange_n(&w->runq_head, &head, end, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;

	/* They are this P's now, and nobody else fills a slot. */
	g_list_init(&list);
	for (; i != end; i++) {
		struct g *moved = runq_at(p, i);

		moved->ahead = end - i > AHEAD ? runq_at(p, i + AHEAD) : g;
		g_list_add(&list, moved);
	}
	g->ahead = g;
	g_list_add(&list, g);
	globq_put_list(&list);
	return true;
}

void runq_put_list(struct p *p, struct g_list *list)
{
	struct g *g;

	while ((g = g_list_pop(list)))
		runq_put(p, g);
}

void runq_requeue_next(struct p *p)
{
	uint64_t next = __atomic_exchange_n(&p->words->runnext, 0,
					    __ATOMIC_ACQUIRE);

	p->inherits = 0;
	if (next)
		runq_put(p, (struct g *)(uintptr_t)next);
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

/*
 * Has the P's owner left the critical section that it may have been in? One that stays in
 * there is switched out, and it may be this thread that has its CPU: it wakes a spare in a
 * section, and the kernel may have that preempt it.
 */
static bool section_left(const struct p *p)
{
	int i;

	for (i = 0; i < SECTION_LOOKS; i++) {
		if (!p_in_section(p))
			return true;
		cpu_relax();
	}
	return false;
}

/* Take who is to run next on another P. False if it cannot be had. */
static bool runnext_raid(struct p *victim, uint64_t next)
{
	bool taken = false, left;

	/* Its owner is about to take it, or to put another one there. */
	if (p_in_section(victim)) {
		if (!section_left(victim))
			futex_sleep(SECTION_SLEEP);
		return false;
	}
	__atomic_fetch_add(&victim->raiders, 1, __ATOMIC_SEQ_CST);
	left = !membarrier_all() || section_left(victim);
	if (left)
		taken = __atomic_compare_exchange_n(&victim->words->runnext,
						    &next, 0, false,
						    __ATOMIC_ACQUIRE,
						    __ATOMIC_RELAXED);
	__atomic_fetch_sub(&victim->raiders, 1, __ATOMIC_RELEASE);
	if (!left)
		futex_sleep(SECTION_SLEEP);
	return taken;
}

/* Copy half of a P's ring into another's, behind its tail. Returns how many. */
static uint32_t runq_grab(struct p *p, struct p *victim, bool runnext)
{
	struct kgo_p *w = victim->words;
	uint32_t to = p->words->runq_tail;
	uint32_t head, tail, n, i;

	/* Its owner does not expect us yet. Pairs with p_meet_others(). */
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
					 runq_at(victim, head + i),
					 __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(&w->runq_head, &head, head + n,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return n;
	}

	if (runnext) {
		uint64_t next = __atomic_load_n(&w->runnext, __ATOMIC_RELAXED);

		if (!next || !runnext_stays(victim, next) ||
		    !runnext_raid(victim, next))
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
	return runq_at(p, tail + n - 1);
}
