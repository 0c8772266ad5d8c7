// SPDX-License-Identifier: MIT
/*
 * Timers: a heap of four children a node for each P.
 *
 * Any P may fire any heap's timers; a timer stays in the heap it was started in
 * until it fires or is stopped. A heap's lock is the innermost of those of
 * channels, tickers and contexts, but what makes a goroutine may take those of its
 * pools inside it. Validator: tests/timer_test.c.
 *
 * A timer may outlive the runtime, and be stopped then: one that is in no heap does
 * not point to one.
 */
#include <errno.h>
#include <sys/mman.h>

#include "sanitizer.h"
#include "sched.h"
#include "timer.h"

#define HEAP_CHILDREN	4
#define HEAP_OFFSET	(HEAP_CHILDREN - 1)	/* unused, so that children share a line */

/* When so many are due within CROWD_SPAN the poller wakes CROWD_REST later. */
#define CROWD		20
#define CROWD_SPAN	(200 * GO_MICROSECOND)
#define CROWD_REST	(400 * GO_MICROSECOND)

#define HEAP_FIRST	256	/* entries: they fill a page of 4 KiB */

static size_t heap_size(uint32_t cap)
{
	return cap * sizeof(struct timer_entry);
}

static struct timer_entry *heap_memory(struct timers *ts)
{
	return ts->heap - HEAP_OFFSET;
}

static struct timer_entry timer_entry(struct timer *t, int64_t when)
{
	return (struct timer_entry){ .when = when, .what = (uintptr_t)t };
}

/* NULL if it is a goroutine. */
static struct timer *entry_timer(struct timer_entry e)
{
	return e.what & ENTRY_SLEEPER ? NULL : (struct timer *)e.what;
}

static struct g *entry_sleeper(struct timer_entry e)
{
	return (struct g *)(e.what & ~ENTRY_SLEEPER);
}

void timers_init(struct timers *ts, struct p *p)
{
	*ts = (struct timers){ .first = INT64_MAX, .p = p };
}

/* It is out of the heap, and has fired. The last access to it. */
static void timer_leave(struct timer *t)
{
	t->pos = TIMER_OFF;
	__atomic_store_n(&t->heap, NULL, __ATOMIC_RELEASE);
}

/* Take the last one out. False if there is none. */
static bool timers_drop_one(struct timers *ts)
{
	void (*drop)(struct timer *t) = NULL;
	struct timer *t = NULL;
	bool any;

	lock_acquire(&ts->lock);
	any = ts->len;
	if (any)
		t = entry_timer(ts->heap[--ts->len]);
	if (t) {
		drop = t->drop;
		timer_leave(t);
	}
	lock_release(&ts->lock);
	if (drop)
		drop(t);
	return any;
}

void timers_drop(struct timers *ts)
{
	while (timers_drop_one(ts))
		;
}

void timers_destroy(struct timers *ts)
{
	if (ts->heap) {
		shadow_unmap(heap_memory(ts), heap_size(ts->cap));
		munmap(heap_memory(ts), heap_size(ts->cap));
	}
	ts->heap = NULL;
}

void timer_make(struct timer *t, timer_fn fire, timer_late_fn late)
{
	*t = (struct timer){ .fire = fire, .late = late, .pos = TIMER_OFF };
}

/* Most timers are in no cache. Those that sleep are not told their place. */
static void heap_set(struct timers *ts, uint32_t pos, struct timer_entry e)
{
	struct timer *t = entry_timer(e);

	ts->heap[pos] = e;
	if (t)
		t->pos = pos;
}

static void heap_up(struct timers *ts, uint32_t pos, struct timer_entry e)
{
	while (pos) {
		uint32_t parent = (pos - 1) / HEAP_CHILDREN;

		if (ts->heap[parent].when <= e.when)
			break;
		heap_set(ts, pos, ts->heap[parent]);
		pos = parent;
	}
	heap_set(ts, pos, e);
}

static void heap_down(struct timers *ts, uint32_t pos, struct timer_entry e)
{
	for (;;) {
		uint32_t child = pos * HEAP_CHILDREN + 1;
		uint32_t end = child + HEAP_CHILDREN;
		uint32_t least = child;

		if (child >= ts->len)
			break;
		if (end > ts->len)
			end = ts->len;
		while (++child < end)
			if (ts->heap[child].when < ts->heap[least].when)
				least = child;
		if (ts->heap[least].when >= e.when)
			break;
		heap_set(ts, pos, ts->heap[least]);
		pos = least;
	}
	heap_set(ts, pos, e);
}

/* There is room for it. */
static void heap_add(struct timers *ts, struct timer_entry e)
{
	heap_up(ts, ts->len++, e);
}

static struct timer_entry heap_remove(struct timers *ts, uint32_t pos)
{
	struct timer_entry e = ts->heap[pos], last = ts->heap[--ts->len];

	if (entry_timer(e))
		entry_timer(e)->pos = TIMER_OFF;
	if (pos == ts->len)
		return e;
	if (pos && ts->heap[(pos - 1) / HEAP_CHILDREN].when > last.when)
		heap_up(ts, pos, last);
	else
		heap_down(ts, pos, last);
	return e;
}

/* After each change of a heap: what others read without the lock. */
static void timers_publish(struct timers *ts)
{
	__atomic_store_n(&ts->first, ts->len ? ts->heap[0].when : INT64_MAX,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&ts->p->words->timers, ts->len, __ATOMIC_RELAXED);
}

/*
 * Not from malloc(): a goroutine that was stopped in there may have its lock, and
 * would get no P while we wait in our section for that.
 */
static int timers_grow(struct timers *ts)
{
	uint32_t cap = ts->cap ? ts->cap * 2 : HEAP_FIRST;
	struct timer_entry *heap;

	if (ts->len + HEAP_OFFSET < ts->cap)
		return 0;
	if (ts->heap)
		heap = mremap(heap_memory(ts), heap_size(ts->cap), heap_size(cap),
			      MREMAP_MAYMOVE);
	else
		heap = mmap(NULL, heap_size(cap), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (heap == MAP_FAILED)
		return -ENOMEM;
	if (ts->heap)
		shadow_unmap(heap_memory(ts), heap_size(ts->cap));
	shadow_map(heap, heap_size(cap));
	ts->heap = heap + HEAP_OFFSET;
	ts->cap = cap;
	return 0;
}

static int timers_add(struct timers *ts, struct timer_entry e)
{
	struct timer *t = entry_timer(e);
	int ret;

	lock_acquire(&ts->lock);
	ret = timers_grow(ts);
	if (!ret) {
		if (t) {
			t->when = e.when;
			__atomic_store_n(&t->heap, ts, __ATOMIC_RELEASE);
		}
		heap_add(ts, e);
		timers_publish(ts);
	}
	lock_release(&ts->lock);
	if (!ret)
		sched_timer_added(e.when);
	return ret;
}

int timer_start(struct timer *t, int64_t when)
{
	struct m *m = m_self();

	/* Threads that main has left behind may keep a runtime up that has ended. */
	if (!m && (!__atomic_load_n(&rt.running, __ATOMIC_ACQUIRE) ||
		   __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE)))
		return -ESRCH;
	return timers_add(m ? &m_p(m)->timers : &rt.ps[0].timers,
			  timer_entry(t, when));
}

int timer_sleep(struct g *g, int64_t when)
{
	struct timer_entry e = {
		.when = when, .what = (uintptr_t)g | ENTRY_SLEEPER,
	};

	return timers_add(&m_p(m_self())->timers, e);
}

void timer_again(struct timer *t, int64_t when)
{
	t->when = when;
	heap_add(t->heap, timer_entry(t, when));
}

/* Lock the heap that a timer is in, or was in last; NULL if in none ever. */
static struct timers *timer_lock(struct timer *t)
{
	struct timers *ts;

	while ((ts = __atomic_load_n(&t->heap, __ATOMIC_ACQUIRE))) {
		lock_acquire(&ts->lock);
		if (likely(ts == __atomic_load_n(&t->heap, __ATOMIC_RELAXED)))
			break;
		lock_release(&ts->lock);	/* timers_move() */
	}
	return ts;
}

bool timer_stop(struct timer *t)
{
	struct timers *ts = timer_lock(t);
	bool there;

	if (!ts)
		return false;
	there = t->pos != TIMER_OFF;
	if (there) {
		heap_remove(ts, t->pos);
		timer_leave(t);
		timers_publish(ts);
	}
	lock_release(&ts->lock);
	return there;
}

/*
 * The two locks are taken in the order of the Ps, and nobody else holds one while
 * taking another. Without memory the timers stay: who steals fires them, too.
 */
void timers_move(struct timers *to, struct timers *from)
{
	lock_acquire(&to->lock);
	lock_acquire(&from->lock);
	while (from->len && !timers_grow(to)) {
		struct timer_entry e = heap_remove(from, from->len - 1);
		struct timer *t = entry_timer(e);

		if (t)
			__atomic_store_n(&t->heap, to, __ATOMIC_RELEASE);
		heap_add(to, e);
	}
	timers_publish(to);
	timers_publish(from);
	lock_release(&from->lock);
	lock_release(&to->lock);
}

/*
 * One that is to fire again needs no call of sched_timer_added(): the heap's first time
 * goes from the old one to the new one at once, and the poller wakes for the old one.
 */
static void timer_fire(struct timers *ts, struct timer *t, struct g_list *ready)
{
	bool late = t->fire(t, ready);

	if (t->pos == TIMER_OFF)
		timer_leave(t);
	if (late) {
		timers_publish(ts);
		lock_release(&ts->lock);
		t->late(t);
		lock_acquire(&ts->lock);
	}
}

static void sleeper_wake(struct g *g, struct g_list *ready)
{
	g->result = 0;
	g_list_add(ready, g);
}

/* See to the first of the heap. */
static void timers_fire(struct timers *ts, struct g_list *ready)
{
	struct timer_entry e = heap_remove(ts, 0);
	struct timer *t = entry_timer(e);

	/* whatever the next one is */
	if (ts->len)
		__builtin_prefetch(entry_sleeper(ts->heap[0]), 1);
	if (t)
		timer_fire(ts, t, ready);
	else
		sleeper_wake(entry_sleeper(e), ready);
}

/*
 * Count those due until a time from a place in the heap on, to those counted before, and
 * no more than CROWD in all: so many levels, too, are looked at.
 */
static uint32_t timers_due(const struct timers *ts, uint32_t pos, int64_t until,
			   uint32_t n)
{
	uint32_t child = pos * HEAP_CHILDREN + 1;
	uint32_t end = child + HEAP_CHILDREN;

	if (pos >= ts->len || ts->heap[pos].when > until)
		return n;
	for (n++; child < end && n < CROWD; child++)
		n = timers_due(ts, child, until, n);
	return n;
}

int64_t timers_sleep_until(struct timers *ts, int64_t *first)
{
	int64_t until;

	lock_acquire(&ts->lock);
	until = ts->len ? ts->heap[0].when : INT64_MAX;
	*first = until;
	if (until < INT64_MAX - CROWD_REST &&
	    timers_due(ts, 0, until + CROWD_SPAN, 0) == CROWD)
		until += CROWD_REST;
	lock_release(&ts->lock);
	return until;
}

bool timers_run(struct timers *ts, int64_t now)
{
	struct g_list ready;
	bool any = false;

	g_list_init(&ready);
	lock_acquire(&ts->lock);
	while (ts->len && ts->heap[0].when <= now) {
		timers_fire(ts, &ready);
		any = true;
	}
	if (any)
		timers_publish(ts);
	lock_release(&ts->lock);
	g_ready_list(m_self(), &ready);
	return any;
}
