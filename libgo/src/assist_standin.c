// SPDX-License-Identifier: MIT
/*
 * The stand-in for the module: the same words, in the process' own memory, and
 * spares that sleep in futexes. That an M has blocked is found out by the
 * monitor, which then takes its P (retake.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "assist.h"
#include "futex.h"
#include "proc.h"

/* As Go's monitor: it polls every 20 us, and less often if nothing happens. */
#define STANDIN_PATIENCE	(20 * GO_MICROSECOND)
#define STANDIN_PATIENCE_MAX	(10 * GO_MILLISECOND)

/**
 * struct standin - the state of the stand-in
 * @map: shared words
 * @map_size: their length
 * @lock: guards the next six
 * @spares: parked Ms, the last one parked first
 * @starves: the Ps that have found no spare for their work
 * @nr_starving: how many they are
 * @starving_next: where to begin looking for one
 * @next_m: index of the next M that was never there
 * @free_m: an index that is free again, plus one; the next is in its words
 * @need: futex: counts the requests for spares
 * @seen: requests that the maker has seen
 */
static struct {
	void *map;
	size_t map_size;
	struct lock lock;
	struct m *spares;
	bool starves[KGO_MAX_P];
	uint32_t nr_starving;
	uint32_t starving_next;
	uint32_t next_m;
	uint32_t free_m;
	uint32_t need;
	uint32_t seen;
} standin;

static int standin_start(void)
{
	size_t p_offset = sizeof(struct kgo_runtime);
	size_t m_offset = p_offset + rt.nr_p_max * sizeof(struct kgo_p);
	char *map;

	memset(&standin, 0, sizeof(standin));
	standin.map_size = m_offset +
		(rt.nr_m_max + 1) * sizeof(struct kgo_m);
	map = mmap(NULL, standin.map_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	standin.map = map;
	rt.shared = standin.map;
	rt.p_words = (void *)(map + p_offset);
	rt.m_words = (void *)(map + m_offset);
	return 0;
}

static void standin_stop(void)
{
	munmap(standin.map, standin.map_size);
}

static __u64 *next_free(uint32_t m)
{
	return &rt.m_words[m].reserved1[0];
}

static int standin_enter(struct m *m)
{
	int ret = 0;

	lock_acquire(&standin.lock);
	if (standin.free_m) {
		m->index = standin.free_m - 1;
		standin.free_m = *next_free(m->index);
	} else if (standin.next_m <= rt.nr_m_max) {	/* one more: the maker */
		m->index = standin.next_m++;
	} else {
		ret = -ENOSPC;
	}
	lock_release(&standin.lock);
	if (ret)
		return ret;
	m->words = &rt.m_words[m->index];
	memset(m->words, 0, sizeof(*m->words));
	return 0;
}

static void standin_leave(struct m *m)
{
	lock_acquire(&standin.lock);
	*next_free(m->index) = standin.free_m;
	standin.free_m = m->index + 1;
	lock_release(&standin.lock);
}

/* Ask the maker for spares. */
static void spares_needed(void)
{
	__atomic_fetch_add(&standin.need, 1, __ATOMIC_SEQ_CST);
	futex_wake(&standin.need, 1);
}

static void spares_count(int32_t n)
{
	__atomic_store_n(&rt.shared->nr_spare, rt.shared->nr_spare + n,
			 __ATOMIC_RELAXED);
}

static bool spares_low(void)
{
	return __atomic_load_n(&rt.shared->nr_spare, __ATOMIC_RELAXED) <
		rt.spare_low;
}

/* With the lock held. */
static void set_starving(uint32_t p, bool starves)
{
	standin.nr_starving += starves - standin.starves[p];
	standin.starves[p] = starves;
}

/* Take the first idle one of the Ps that starve, or of all, from that one on. */
static struct p *take_from(bool starving, uint32_t first, uint32_t m)
{
	uint32_t i, nr_p = procs_top();

	for (i = 0; i < nr_p; i++) {
		struct p *p = &rt.ps[(first + i) % nr_p];

		if ((standin.starves[p->index] || !starving) &&
		    p_state(p_word(p)) == KGO_P_IDLE && p_take_idle(p, m))
			return p;
	}
	return NULL;
}

/*
 * A P that is to be run by an M that parks, or NULL. With the lock held. The rules are
 * the module's, see kgo_feed() in kmod/park.c.
 */
static struct p *feed(uint32_t m)
{
	uint32_t starved = 0;
	struct p *p;

	if (!standin.nr_starving)
		return NULL;
	p = take_from(true, standin.starving_next, m);
	if (!p)
		p = take_from(false, 0, m);
	if (!p) {
		memset(standin.starves, 0, sizeof(standin.starves));
		standin.nr_starving = 0;
		return NULL;
	}
	if (standin.starves[p->index])
		starved = p->index;
	while (!standin.starves[starved])
		starved++;
	set_starving(starved, false);
	standin.starving_next = p->index + 1;
	return p;
}

/*
 * Make a spare the owner of an idle P. With the lock held; the caller wakes the
 * spare, or asks for one if there was none.
 */
static int spare_grant(struct p *p, uint32_t reason, struct m **spare)
{
	struct m *m = standin.spares;

	if (p_state(p_word(p)) != KGO_P_IDLE)
		return -EBUSY;
	if (!m) {
		set_starving(p->index, true);
		return -EAGAIN;
	}
	if (!p_take_idle(p, m->index))
		return -EBUSY;

	set_starving(p->index, false);
	standin.spares = m->spare_next;
	spares_count(-1);
	m->granted = p->index;
	m->reason = reason;
	*spare = m;
	return 0;
}

static void spare_wake(struct m *m)
{
	__atomic_store_n(&m->park, 1, __ATOMIC_RELEASE);
	futex_wake(&m->park, 1);
}

static uint32_t standin_park(struct m *m, uint32_t *p)
{
	struct p *idle;

	lock_acquire(&standin.lock);
	idle = feed(m->index);
	if (!idle) {
		m->spare_next = standin.spares;
		standin.spares = m;
		spares_count(1);
	}
	lock_release(&standin.lock);

	if (idle) {
		if (spares_low())
			spares_needed();
		*p = idle->index;
		return KGO_PARK_IDLE;
	}
	while (!__atomic_load_n(&m->park, __ATOMIC_ACQUIRE))
		futex_wait(&m->park, 0, -1);
	__atomic_store_n(&m->park, 0, __ATOMIC_RELAXED);
	*p = m->granted;
	return m->reason;
}

static int standin_wake(uint32_t p, bool spinning)
{
	uint32_t reason = spinning ? KGO_PARK_SPINNING : KGO_PARK_WAKE;
	struct m *spare = NULL;
	int ret;

	lock_acquire(&standin.lock);
	ret = spare_grant(&rt.ps[p], reason, &spare);
	lock_release(&standin.lock);

	if (spare)
		spare_wake(spare);
	if (ret != -EBUSY && spares_low())
		spares_needed();
	return ret;
}

static bool standin_wait(void)
{
	uint32_t need;

	while ((need = __atomic_load_n(&standin.need, __ATOMIC_SEQ_CST)) ==
	       standin.seen)
		futex_wait(&standin.need, need, -1);
	standin.seen = need;
	return false;
}

const struct assist assist_standin = {
	.name = "stand-in",
	.patience = STANDIN_PATIENCE,
	.patience_max = STANDIN_PATIENCE_MAX,
	.start = standin_start,
	.stop = standin_stop,
	.enter = standin_enter,
	.leave = standin_leave,
	.park = standin_park,
	.wake = standin_wake,
	.wait = standin_wait,
};
