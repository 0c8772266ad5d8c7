/* SPDX-License-Identifier: MIT */
/*
 * Run queues with nothing around them: Ps that no M runs, and goroutines that are records
 * only, each of which is to come out of the queues once.
 */
#ifndef QUEUES_H
#define QUEUES_H

#include "test.h"

#include "globq.h"
#include "proc.h"
#include "runq.h"
#include "sched.h"

#define ITEMS	400000
#define QUEUES	4	/* Ps */

static struct kgo_runtime shared;
static struct kgo_p words[QUEUES];
static struct kgo_m m_words[QUEUES];
static struct p ps[QUEUES];
static struct g *items;
static uint8_t *seen;
static int doubled;

static inline void queues_make(void)
{
	int i;

	rt.shared = &shared;
	rt.ps = ps;
	rt.m_words = m_words;
	rt.nr_p = QUEUES;
	for (i = 0; i < QUEUES; i++) {
		ps[i].index = i;
		ps[i].words = &words[i];
		words[i].word = p_word_next(0, KGO_P_RUNNING, i);
	}
	globq_init();
	items = calloc(ITEMS, sizeof(*items));
	seen = calloc(ITEMS, 1);
	ck_assert(items && seen);
}

/* What the owner of a queue does is done in a critical section of its M. */
static inline void section_begin(const struct p *p)
{
	__atomic_store_n(&m_words[p->index].critical, 1, __ATOMIC_RELAXED);
	barrier();
}

static inline void section_end(const struct p *p)
{
	__atomic_store_n(&m_words[p->index].critical, 0, __ATOMIC_RELEASE);
	barrier();
}

/* It has come out. */
static inline void take(struct g *g)
{
	if (__atomic_exchange_n(&seen[g - items], 1, __ATOMIC_RELAXED))
		add(doubled, 1);
}

/* All have, once, and nothing is left. */
static inline void check_all_seen(void)
{
	int i, missing = 0;

	for (i = 0; i < ITEMS; i++)
		missing += !seen[i];
	ck_assert_int_eq(doubled, 0);
	ck_assert_int_eq(missing, 0);
	ck_assert_uint_eq(globq_len(), 0);
	for (i = 0; i < QUEUES; i++)
		ck_assert(runq_empty(&ps[i]));
}

#endif /* QUEUES_H */
