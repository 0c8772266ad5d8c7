/* SPDX-License-Identifier: MIT */
/*
 * The global run queue: what does not fit into a P's, what has yielded, what
 * plain threads and the poller make runnable.
 */
#ifndef GLOBQ_H
#define GLOBQ_H

#include "runtime.h"

void globq_init(void);

/* Queue one goroutine. Any thread; never waits. */
void globq_put(struct g *g);

/* Queue several, none of which has been stopped. */
void globq_put_list(struct g_list *list);

/* Queue several that are due, before all others. */
void globq_put_list_first(struct g_list *list);

/*
 * Take a P's share of the queue, max at most if that is not 0: the first is returned,
 * the others go to the P's own queue. Owner of the P only.
 */
struct g *globq_get(struct p *p, uint32_t max);

/* Take one that is bound to an M, if there is one among the first. Not a goroutine. */
struct g *globq_get_bound(void);

static inline uint32_t globq_len(void)
{
	return __atomic_load_n(&rt.shared->globq_len, __ATOMIC_SEQ_CST);
}

/* How many go before the others. */
extern uint32_t globq_nr_first;

static inline bool globq_has_first(void)
{
	return __atomic_load_n(&globq_nr_first, __ATOMIC_RELAXED);
}

struct g *globq_get_first_slow(void);

/* Take one of those, or NULL. */
static inline struct g *globq_get_first(void)
{
	return unlikely(globq_has_first()) ? globq_get_first_slow() : NULL;
}

#endif /* GLOBQ_H */
