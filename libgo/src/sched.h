/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: critical sections, parking and readying of goroutines.
 */
#ifndef SCHED_H
#define SCHED_H

#include "proc.h"
#include "runtime.h"

/* How often a P looks whether a timer is due while its queue is not empty, in picks. */
#define TIMER_TICKS	8

struct m *critical_resync(struct m *m);
void critical_pending(struct m *m);

/*
 * At the begin of a section: does the M have a P? It may be another one than before,
 * and the monitor may have marked it.
 */
bool hold_renew(struct m *m);

/*
 * Enter a critical section on an M. The P may have been taken in any block since
 * the last one; one load tells.
 *
 * The order of the two accesses matters only to code on the same CPU (the
 * kernel, in this thread's switch) and to the monitor, which sees this thread switched
 * out between its two (retake.c); so a compiler barrier is enough.
 */
static inline struct m *critical_enter(struct m *m)
{
	struct kgo_m *words = m->words;

	__atomic_store_n(&words->critical, words->critical + 1,
			 __ATOMIC_RELAXED);
	barrier();
	if (unlikely(__atomic_load_n(&words->hold, __ATOMIC_RELAXED) !=
		     m->hold))
		return critical_resync(m);
	return m;
}

/* Leave it. The M may be another one than the one that entered. */
static inline void critical_exit(struct m *m)
{
	struct kgo_m *words = m->words;

	shadow_release(m_p(m));
	/* Who sees this may take the P, and is to see what was done with it. */
	__atomic_store_n(&words->critical, words->critical - 1,
			 __ATOMIC_RELEASE);
	barrier();
	if (unlikely(__atomic_load_n(&words->pending, __ATOMIC_RELAXED)))
		critical_pending(m);
}

/**
 * g_park() - stop running the current goroutine until g_ready()
 * @m: the current M, in a critical section
 * @why: what it waits for, for reports
 * @after: called once the goroutine's stack is left, so that it may be readied;
 *	or NULL
 * @arg: the argument of @after
 *
 * Return: the M that it goes on with, in a critical section.
 */
struct m *g_park(struct m *m, enum wait_reason why, after_fn after, void *arg);

/*
 * The current M's goroutine stops: part with the P, as p_release() does. If that is true
 * the caller offers the P to those that are held, once it has woken somebody for it.
 */
bool sched_release(struct m *m);

/* Make a goroutine runnable that waits, or wake a plain thread that does. In a
 * critical section, or no M.
 */
void g_ready(struct m *m, struct g *g);

/* The same for several. */
void g_ready_list(struct m *m, struct g_list *list);

/* The same for some that are due, by who has no P for them: to run before others. */
void g_ready_list_first(struct g_list *list);

/* Wake a plain thread that waits (wait.c). */
void thread_ready(struct g *g);

/* Go to the end of the P's queue. Returns as g_park(). */
struct m *g_yield(struct m *m);

/* End the current goroutine. */
void g_end(struct m *m) __attribute__((noreturn));

/*
 * End it, in its first function. Returns whom that is to switch to, in a critical section
 * of @m; NULL if the next goroutine goes on from there, as it had no stack yet.
 */
struct g *g_end_or_next(struct m *m);

/* The other side of every switch; returns the M that runs this now. */
struct m *switched(struct g *prev);

/* The M looks for work no more; it may hold no P. */
void sched_spinning_end(struct m *m);

/*
 * Have an idle P run if there is one and nobody spins. The caller has queued
 * something, with a full barrier after it.
 *
 * The M that is woken spins; it is counted before, on its behalf. Whoever queued
 * something meanwhile has left it to that M. So if none is woken after all we have
 * to look again for them once we have left the count.
 */
void sched_wake_slow(void);

static inline void sched_wake(void)
{
	if (p_any_idle())
		sched_wake_slow();
}

/* How many Ms in a row have been woken to look for work, and parked without any. */
extern uint32_t sched_vain_wakes;

/*
 * Set by the monitor while it looks every now and then whether a goroutine is kept waiting:
 * one that is to run next on its P, with nobody else there, wakes no other P then.
 */
extern uint32_t sched_wakes_rest;

/* A timer was started: see that somebody wakes for it. */
void sched_timer_added(int64_t when);

/* When the first timer of all is due; INT64_MAX if there is none. */
int64_t sched_first_timer(void);

/* timers_sleep_until(), of all Ps. */
int64_t sched_sleep_until(int64_t *first);

/* Does any P have an owner? */
bool sched_p_runs(void);

/* Is there anything for an idle P to do? After a full barrier. */
bool sched_work_waits(void);

/* The life of an M's thread, until the runtime ends or there are enough others. */
void sched_loop(struct m *m);

static inline void g_list_init(struct g_list *list)
{
	list->head = NULL;
	list->tail = NULL;
	list->len = 0;
}

static inline struct g *g_next(struct g *g)
{
	struct cds_wfcq_node *next = g->link.next;

	return next ? container_of(next, struct g, link) : NULL;
}

static inline void g_list_add(struct g_list *list, struct g *g)
{
	g->link.next = NULL;
	if (list->tail)
		list->tail->link.next = &g->link;
	else
		list->head = g;
	list->tail = g;
	list->len++;
}

static inline void g_list_push(struct g_list *list, struct g *g)
{
	g->link.next = list->head ? &list->head->link : NULL;
	if (!list->tail)
		list->tail = g;
	list->head = g;
	list->len++;
}

static inline struct g *g_list_pop(struct g_list *list)
{
	struct g *g = list->head;

	if (g) {
		list->head = g_next(g);
		if (!list->head)
			list->tail = NULL;
		list->len--;
	}
	return g;
}

#endif /* SCHED_H */
