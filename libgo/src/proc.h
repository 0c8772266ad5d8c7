/* SPDX-License-Identifier: MIT */
/*
 * The words of Ps: who owns one. The rules are the ABI's (uapi/linux/kgo.h); the
 * kernel's half is kmod/p.c.
 */
#ifndef PROC_H
#define PROC_H

#include "runtime.h"

static inline uint64_t p_state(uint64_t word)
{
	return word & KGO_P_STATE_MASK;
}

static inline uint32_t p_owner(uint64_t word)
{
	return word >> KGO_P_M_SHIFT & KGO_P_M_MASK;
}

static inline uint64_t p_word_next(uint64_t word, uint64_t state, uint32_t m)
{
	return ((word >> KGO_P_SEQ_SHIFT) + 1) << KGO_P_SEQ_SHIFT |
		(uint64_t)m << KGO_P_M_SHIFT | state;
}

static inline uint64_t p_word(const struct p *p)
{
	return __atomic_load_n(&p->words->word, __ATOMIC_ACQUIRE);
}

/* Change a word; false if it is not old any more. A full barrier. */
bool p_change(struct p *p, uint64_t old, uint64_t state, uint32_t m);

/* Take an idle P for an M. False if it is not idle. */
bool p_take_idle(struct p *p, uint32_t m);

/* Take any idle P. NULL if there is none. */
struct p *p_find_idle(uint32_t m);

/*
 * Does the kernel hold Ms that have come back from a block until there is a P for them?
 * Who makes a P idle looks at this after it.
 */
static inline bool p_wanted(void)
{
	return __atomic_load_n(&rt.shared->nr_held, __ATOMIC_SEQ_CST);
}

/* Is the P's owner in a critical section? What it did before is seen if not. */
bool p_in_section(const struct p *p);

/* An idle P is for those that the kernel holds first. */
void p_offer(struct p *p);

/* Make the current M's P idle. A full barrier; offer it then, if it still is. */
void p_make_idle(struct m *m);

/*
 * Make the current M's P idle, or pass it to an M that the kernel holds. A full
 * barrier: look for work after it.
 */
void p_release(struct m *m);

/* The M has been made the owner of a P: let it use it. */
void p_hold(struct m *m, struct p *p);

/* P_WORD Ps have their bits in one word of the mask of idle ones. */
#define P_WORD	64

bool p_any_idle_slow(void);

/* Is there a bit of an idle P? */
static inline bool p_any_idle(void)
{
	return __atomic_load_n(&rt.shared->idle[0], __ATOMIC_SEQ_CST) ||
	       (unlikely(procs() > P_WORD) && p_any_idle_slow());
}

/* How many bits are set. */
uint32_t p_count_idle(void);

/* The index of a P that seems idle, or UINT32_MAX. */
uint32_t p_idle_hint(void);

/* That P turned out not to be idle: clear its bit, if it still is not. */
void p_drop_hint(uint32_t p);

#endif /* PROC_H */
