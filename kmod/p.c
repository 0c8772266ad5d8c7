// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ps: who owns one, and whether there is work for it.
 *
 * The word of a P says it all (uapi/linux/kgo.h). An idle P also has a
 * bit in the runtime's mask, which is a hint for who looks for one. The bit is
 * set after the word was made idle, and cleared before the word is looked at to
 * take it; who clears it takes the P if it is idle, or sets it again. So the bit
 * of an idle P is clear only while somebody is about to set it, or to take the P.
 *
 * All run with the owner on this CPU and preemption disabled, or on an idle P.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/nospec.h>

#include "kgo.h"

static u64 kgo_word(u64 old, u64 state, u32 m)
{
	u64 seq = (old >> KGO_P_SEQ_SHIFT) + 1;

	return seq << KGO_P_SEQ_SHIFT | (u64)m << KGO_P_M_SHIFT | state;
}

static u64 kgo_word_state(u64 word)
{
	return word & KGO_P_STATE_MASK;
}

static u32 kgo_word_m(u64 word)
{
	return word >> KGO_P_M_SHIFT & KGO_P_M_MASK;
}

static unsigned long *kgo_idle_mask(struct kgo_rt *rt)
{
	return (unsigned long *)rt->shared->idle;
}

bool kgo_p_is_idle(struct kgo_rt *rt, u32 p)
{
	return kgo_word_state(READ_ONCE(kgo_rt_p(rt, p)->word)) == KGO_P_IDLE;
}

/**
 * kgo_p_index() - the index of a P that user space has said
 * @rt: the runtime
 * @said: what it has said
 * @p: where the index goes; nothing is done ahead, by speculation, with another one
 *
 * Return: whether there is that P.
 */
bool kgo_p_index(const struct kgo_rt *rt, u32 said, u32 *p)
{
	if (said >= rt->nr_p)
		return false;
	*p = array_index_nospec(said, rt->nr_p);
	return true;
}

/**
 * kgo_p_owned() - the P that an M holds
 * @m: the M, the current task's
 * @p: where its P's index goes
 * @word: where that P's word goes
 *
 * Return: whether it holds one.
 */
bool kgo_p_owned(struct kgo_thread *m, u32 *p, u64 *word)
{
	u32 hold = READ_ONCE(m->words->hold) & ~KGO_HOLD_SUSPECT;

	if (hold == KGO_HOLD_NONE || !kgo_p_index(m->rt, hold - 1, p))
		return false;
	*word = READ_ONCE(kgo_rt_p(m->rt, *p)->word);
	return kgo_word_state(*word) == KGO_P_RUNNING &&
	       kgo_word_m(*word) == m->index;
}

/**
 * kgo_p_gives_up() - does an M hold no P, and get none any more?
 * @m: the M, the current task's
 *
 * An M that has lost its P gets an idle one whenever it comes to its CPU, also in the
 * middle of the call that is to end that. So this ends first.
 *
 * Return: false if it holds one.
 */
bool kgo_p_gives_up(struct kgo_thread *m)
{
	u64 word;
	u32 p;

	m->lost = false;
	/* The scheduler's hook, on this CPU, may come in between. */
	barrier();
	return !kgo_p_owned(m, &p, &word);
}

/**
 * kgo_p_change() - give a P another owner or state
 * @rt: the runtime
 * @p: the P
 * @old: its word as it was seen
 * @state: the new state
 * @m: the new owner
 *
 * Return: false if the word had changed.
 */
bool kgo_p_change(struct kgo_rt *rt, u32 p, u64 old, u64 state, u32 m)
{
	u64 *word = &kgo_rt_p(rt, p)->word;

	if (cmpxchg(word, old, kgo_word(old, state, m)) != old)
		return false;
	if (state == KGO_P_IDLE)
		set_bit(p, kgo_idle_mask(rt));
	return true;
}

/*
 * Take a P if it is idle, and was so with the M @last, or with any if NULL.
 *
 * If its word has changed and it is idle again, others may not have seen its bit
 * meanwhile, and count on us: so try again. Only a process that plays with its
 * own words makes that fail many times, and only itself is harmed then. @tries is for
 * all Ps that the caller tries to take; each is tried once at least.
 */
static bool kgo_p_take(struct kgo_rt *rt, u32 p, const u32 *last, u32 m,
		       unsigned int *tries)
{
	u64 old;

	do {
		clear_bit(p, kgo_idle_mask(rt));
		/* The bit first, then the word: see above. */
		smp_mb__after_atomic();
		old = READ_ONCE(kgo_rt_p(rt, p)->word);
		if (kgo_word_state(old) != KGO_P_IDLE)
			return false;
		if (last && kgo_word_m(old) != *last)
			break;
		if (kgo_p_change(rt, p, old, KGO_P_RUNNING, m))
			return true;
	} while (*tries && --*tries);
	set_bit(p, kgo_idle_mask(rt));
	return false;
}

/**
 * kgo_p_retake() - take an idle P back
 * @m: the M
 * @p: the P that it owned last
 *
 * Return: false if the P is not idle or somebody else has owned it since.
 */
bool kgo_p_retake(struct kgo_thread *m, u32 p)
{
	u64 word = READ_ONCE(kgo_rt_p(m->rt, p)->word);
	unsigned int tries = KGO_TAKE_TRIES;

	/* Mostly somebody else has it: leave the mask alone then. */
	return kgo_word_state(word) == KGO_P_IDLE &&
	       kgo_word_m(word) == m->index &&
	       kgo_p_take(m->rt, p, &m->index, m->index, &tries);
}

/**
 * kgo_p_take_idle() - take an idle P
 * @rt: the runtime
 * @p: the P
 * @m: the new owner
 *
 * Return: false if the P is not idle.
 */
bool kgo_p_take_idle(struct kgo_rt *rt, u32 p, u32 m)
{
	unsigned int tries = KGO_TAKE_TRIES;

	return kgo_p_take(rt, p, NULL, m, &tries);
}

/**
 * kgo_p_try_idle() - take an idle P, as one of several
 * @rt: the runtime
 * @p: the P
 * @m: the new owner
 * @tries: how often more to try where others make it idle again and again; begins with
 *	KGO_TAKE_TRIES
 *
 * Return: false if the P is not idle.
 */
bool kgo_p_try_idle(struct kgo_rt *rt, u32 p, u32 m, unsigned int *tries)
{
	return kgo_p_is_idle(rt, p) && kgo_p_take(rt, p, NULL, m, tries);
}

/**
 * kgo_p_find_idle() - take any idle P
 * @rt: the runtime
 * @m: the new owner
 *
 * Return: the P, or KGO_NO_P.
 */
int kgo_p_find_idle(struct kgo_rt *rt, u32 m)
{
	unsigned long *mask = kgo_idle_mask(rt);
	unsigned int tries = KGO_TAKE_TRIES;
	u32 p;

	for_each_set_bit(p, mask, rt->nr_p)
		if (kgo_p_take(rt, p, NULL, m, &tries))
			return p;
	return KGO_NO_P;
}

static bool kgo_p_has_local_work(struct kgo_rt *rt, u32 p)
{
	struct kgo_p *words = kgo_rt_p(rt, p);

	return READ_ONCE(words->runq_head) != READ_ONCE(words->runq_tail) ||
	       READ_ONCE(words->runnext);
}

/* How many Ps user space uses of those that there are. */
u32 kgo_nr_p_used(struct kgo_rt *rt)
{
	u32 used = READ_ONCE(rt->shared->nr_p_used);

	return used && used < rt->nr_p ? used : rt->nr_p;
}

static bool kgo_p_is_last(struct kgo_rt *rt, u32 p)
{
	u32 nr_p = kgo_nr_p_used(rt), other;

	for (other = 0; other < nr_p; other++)
		if (other != p &&
		    kgo_word_state(READ_ONCE(kgo_rt_p(rt, other)->word)) >
		    KGO_P_IDLE)
			return false;
	return true;
}

/**
 * kgo_p_has_work() - is there something for a P to do while its owner blocks?
 * @rt: the runtime
 * @p: the P
 *
 * Goroutines in its own queue and in the global one. And the poller: if nobody
 * sleeps in it, somebody must for this P's timers, and, once no P runs, for the
 * goroutines that wait for file descriptors.
 */
bool kgo_p_has_work(struct kgo_rt *rt, u32 p)
{
	struct kgo_runtime *shared = rt->shared;

	if (kgo_p_has_local_work(rt, p) || READ_ONCE(shared->globq_len))
		return true;
	if (READ_ONCE(shared->polling))
		return false;
	return READ_ONCE(kgo_rt_p(rt, p)->timers) ||
	       (READ_ONCE(shared->net_waiters) && kgo_p_is_last(rt, p));
}

/*
 * Is a P idle, so that who queued a goroutine has found it or will be looked after by
 * its idler? That is: it has its bit, which is what is looked at; nobody but the
 * caller is between making a P idle and having found somebody for it; and it was
 * idle all the time, not taken by an M with work of its own before that was over.
 */
static bool kgo_p_excuses(struct kgo_rt *rt, u32 p)
{
	u64 word = READ_ONCE(kgo_rt_p(rt, p)->word);

	if (kgo_word_state(word) != KGO_P_IDLE || !test_bit(p, kgo_idle_mask(rt)))
		return false;
	/* Pairs with the full barrier of who counts itself and makes idle. */
	smp_rmb();
	if (atomic_read(&rt->idling) != 1)
		return false;
	/* Pairs with the barrier of who is done. */
	smp_rmb();
	return READ_ONCE(kgo_rt_p(rt, p)->word) == word;
}

/**
 * kgo_p_has_work_elsewhere() - could an idle P steal something?
 * @rt: the runtime
 * @p: the P
 *
 * Who queues a goroutine wakes an idle P, if there is one and nobody spins. So
 * there can be goroutines that nobody was woken for only if this is the first
 * P to become idle. Likewise for timers of a P whose owner computes, that nobody
 * sleeps in the poller for.
 *
 * Of several that become idle at one moment none is the first; all look then. The
 * caller has counted itself in @rt->idling, and has looked at the global queue: who takes
 * goroutines from there into its own queue wakes others then.
 */
bool kgo_p_has_work_elsewhere(struct kgo_rt *rt, u32 p)
{
	u32 nr_p = kgo_nr_p_used(rt), other;
	bool work = false, polled;

	/* Pairs with the order of the two queues. */
	smp_rmb();
	if (READ_ONCE(rt->shared->nr_spinning))
		return false;
	polled = READ_ONCE(rt->shared->polling);
	for (other = 0; other < nr_p; other++) {
		if (other == p)
			continue;
		if (kgo_p_excuses(rt, other))
			return false;
		work |= kgo_p_has_local_work(rt, other) ||
			(!polled && READ_ONCE(kgo_rt_p(rt, other)->timers));
	}
	return work;
}
