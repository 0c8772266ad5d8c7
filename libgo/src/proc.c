// SPDX-License-Identifier: MIT
/*
 * The words of Ps.
 *
 * An idle P has a bit in a mask, a hint for who looks for one. It is set after
 * the word was made idle and cleared before the word is looked at to take it; who
 * clears it takes the P if it is idle, or sets it again. So the bit of an idle P
 * is clear only while somebody is about to set it, or to take the P.
 *
 * Loads that follow the publication of something, here and of the lengths of queues,
 * are sequentially consistent: a relaxed one may come before the store of an atomic
 * operation ahead of it, as where that is a loop of exclusives (AArch64 before 8.1).
 */
#include "assist.h"
#include "proc.h"

static __u64 *idle_bits(uint32_t p)
{
	return &rt.shared->idle[p / P_WORD];
}

static void idle_set(uint32_t p)
{
	__atomic_fetch_or(idle_bits(p), 1ULL << p % P_WORD, __ATOMIC_SEQ_CST);
}

static void idle_clear(uint32_t p)
{
	__atomic_fetch_and(idle_bits(p), ~(1ULL << p % P_WORD), __ATOMIC_SEQ_CST);
}

bool p_change(struct p *p, uint64_t old, uint64_t state, uint32_t m)
{
	if (!__atomic_compare_exchange_n(&p->words->word, &old,
					 p_word_next(old, state, m), false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	if (state == KGO_P_IDLE)
		idle_set(p->index);
	return true;
}

bool p_take_idle(struct p *p, uint32_t m)
{
	uint64_t word;

	/*
	 * Somebody may have had it meanwhile, and have made it idle again. Others
	 * may not have seen its bit since, and count on us.
	 */
	do {
		idle_clear(p->index);
		word = p_word(p);
		if (p_state(word) != KGO_P_IDLE)
			return false;
	} while (!p_change(p, word, KGO_P_RUNNING, m));
	return true;
}

void p_drop_hint(uint32_t p)
{
	idle_clear(p);
	if (p_state(p_word(&rt.ps[p])) == KGO_P_IDLE) {
		idle_set(p);
		/* Who has been held meanwhile did not see it. */
		p_offer(&rt.ps[p]);
	}
}

struct p *p_find_idle(uint32_t m)
{
	uint32_t i, nr_p = procs();

	for (i = 0; i < nr_p; i++) {
		if (!(__atomic_load_n(idle_bits(i), __ATOMIC_SEQ_CST) &
		      1ULL << i % P_WORD))
			continue;
		if (p_take_idle(&rt.ps[i], m))
			return &rt.ps[i];
	}
	return NULL;
}

bool p_in_section(const struct p *p)
{
	uint64_t word = p_word(p);

	return (p_state(word) == KGO_P_RUNNING ||
		p_state(word) == KGO_P_SUSPECT) &&
	       __atomic_load_n(&rt.m_words[p_owner(word)].critical,
			       __ATOMIC_ACQUIRE);
}

void p_offer(struct p *p)
{
	if (unlikely(p_wanted()))
		rt.assist->pass(p->index);
}

void p_make_idle(struct m *m)
{
	struct p *p = m_p(m);
	uint64_t word;

	m->hold = M_NO_P;
	__atomic_store_n(&m->words->hold, KGO_HOLD_NONE, __ATOMIC_RELAXED);
	/* It is ours, running or suspect: the stand-in's monitor gives way. */
	do {
		word = p_word(p);
	} while (!p_change(p, word, KGO_P_IDLE, m->index));
}

void p_release(struct m *m)
{
	struct p *p = m_p(m);

	if (unlikely(p_wanted())) {
		shadow_release(p);
		if (!rt.assist->pass(p->index)) {
			m->hold = M_NO_P;
			return;
		}
	}
	p_make_idle(m);
	p_offer(p);
}

void p_hold(struct m *m, struct p *p)
{
	shadow_acquire(p);
	m->p = p;
	m->hold = p->index + 1;
	__atomic_store_n(&m->words->hold, m->hold, __ATOMIC_RELAXED);
}

bool p_any_idle_slow(void)
{
	uint32_t i;

	for (i = P_WORD; i < procs(); i += P_WORD)
		if (__atomic_load_n(idle_bits(i), __ATOMIC_SEQ_CST))
			return true;
	return false;
}

uint32_t p_count_idle(void)
{
	uint32_t i, n = 0, nr_p = procs();

	for (i = 0; i < nr_p; i += P_WORD) {
		uint64_t bits = __atomic_load_n(idle_bits(i), __ATOMIC_RELAXED);

		/* One that goes out of use is none of ours. */
		if (nr_p - i < P_WORD)
			bits &= (1ULL << (nr_p - i)) - 1;
		n += __builtin_popcountll(bits);
	}
	return n;
}

uint32_t p_idle_hint(void)
{
	uint32_t i;

	for (i = 0; i < procs(); i += P_WORD) {
		uint64_t bits = __atomic_load_n(idle_bits(i), __ATOMIC_SEQ_CST);

		if (bits)
			return i + __builtin_ctzll(bits);
	}
	return UINT32_MAX;
}
