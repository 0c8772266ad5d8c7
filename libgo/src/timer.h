/* SPDX-License-Identifier: MIT */
/*
 * Timers: a heap for each P, under a lock of its own.
 */
#ifndef TIMER_H
#define TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "lock.h"

struct g;
struct g_list;
struct p;
struct timer;

/*
 * Called when the time has come, with the heap's lock held: so who has stopped
 * a timer knows that the function neither runs nor will. Goroutines that become
 * runnable are added to the list.
 *
 * Timers are started and stopped under locks of channels, tickers and contexts, so
 * this must take none of those. What needs one is left to the timer's second
 * function: return true to have it called. By then the timer may have been stopped;
 * it is up to this function to keep it there, with a reference.
 */
typedef bool (*timer_fn)(struct timer *t, struct g_list *ready);

/* Called after the first, on an M in a critical section, without any lock. It does
 * not park.
 */
typedef void (*timer_late_fn)(struct timer *t);

#define TIMER_OFF	UINT32_MAX	/* position of a timer in no heap */

/**
 * struct timer - something to do at a point in time
 * @when: the time, on the clock of go_now()
 * @fire: what to do
 * @late: what to do then, or NULL
 * @drop: what to do if the runtime ends before, without any lock, or NULL
 * @heap: the heap that it is in, or whose lock is held while it fires; or NULL.
 *	Only who starts it may change it from NULL
 * @pos: its place there, or TIMER_OFF
 */
struct timer {
	int64_t when;
	timer_fn fire;
	timer_late_fn late;
	void (*drop)(struct timer *t);
	struct timers *heap;
	uint32_t pos;
};

/**
 * struct timer_entry - a timer in a heap, or a goroutine that sleeps
 * @when: the time, again: what is compared is here, the timers are anywhere
 * @what: the address; with ENTRY_SLEEPER it is the goroutine's
 */
struct timer_entry {
	int64_t when;
	uintptr_t what;
};

#define ENTRY_SLEEPER	1UL

/**
 * struct timers - a heap of timers
 * @lock: guards all that follows
 * @first: time of the first timer, INT64_MAX if there is none; read without
 *	the lock as well
 * @heap: the timers, a heap of four children a node, which share a cache line
 * @len: number of timers, shown to the kernel in the P's words
 * @cap: allocated length, with what is before @heap
 * @p: whose it is
 */
struct timers {
	struct lock lock;
	int64_t first;
	struct timer_entry *heap;
	uint32_t len;
	uint32_t cap;
	struct p *p;
};

void timer_make(struct timer *t, timer_fn fire, timer_late_fn late);

/*
 * Start a timer that is in no heap, in the current P's, or for a plain thread in
 * that of P 0. In a critical section if it is an M. Returns 0; -ENOMEM; -ESRCH if no
 * runtime runs.
 */
int timer_start(struct timer *t, int64_t when);

/*
 * Ready a goroutine that waits then, with a result of 0. Nobody can stop that, and no
 * timer is needed for it. On an M in a critical section; returns as timer_start() does.
 */
int timer_sleep(struct g *g, int64_t when);

/* From its own timer_fn: let it fire again. */
void timer_again(struct timer *t, int64_t when);

/* True if it was in a heap. Any thread, in a critical section if it is an M. */
bool timer_stop(struct timer *t);

/* Move all timers to the heap of a P with a lower index. */
void timers_move(struct timers *to, struct timers *from);

/* Fire what is due in a P's heap. Returns whether anything was. */
bool timers_run(struct timers *ts, int64_t now);

/*
 * Until when the poller may sleep, and when the first is due; at the same moment, as who adds
 * one between the two wakes nobody. Where many are due one after the other it sleeps on: to
 * sleep and wake costs more than they do.
 */
int64_t timers_sleep_until(struct timers *ts, int64_t *first);

void timers_init(struct timers *ts, struct p *p);

/*
 * The runtime has ended: take all out. Plain threads may be stopping them; who comes upon
 * the heap yet has gone when there are no calls of theirs (thread_calls_end()), and only
 * then may it be destroyed.
 */
void timers_drop(struct timers *ts);
void timers_destroy(struct timers *ts);

static inline int64_t timers_first(const struct timers *ts)
{
	return __atomic_load_n(&ts->first, __ATOMIC_SEQ_CST);
}

/* The time so many nanoseconds from now; never INT64_MAX, which is no time. */
int64_t time_after(int64_t ns);

#endif /* TIMER_H */
