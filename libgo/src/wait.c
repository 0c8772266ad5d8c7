// SPDX-License-Identifier: MIT
/*
 * How goroutines and plain threads wait.
 */
#include <errno.h>
#include <unistd.h>

#include "futex.h"
#include "wait.h"

/* How often to look whether the calls of plain threads are over. */
#define CALLS_LOOK	(50 * GO_MICROSECOND)

/* ---- plain threads -------------------------------------------------------------- */

/* A plain thread's struct g; only its status, result and wake word are used. */
static __thread struct g own_g = { .status = G_THREAD };

struct g *thread_g(void)
{
	return &own_g;
}

void thread_ready(struct g *g)
{
	/* Then it may be gone; the futex's address is all that is used. */
	__atomic_store_n(&g->thread_woken, 1, __ATOMIC_RELEASE);
	futex_wake(&g->thread_woken, 1);
}

uint32_t thread_calls;

void thread_calls_end(void)
{
	uint32_t n;

	/* Nobody wakes it: they are few, short, and should not pay for that. */
	while ((n = __atomic_load_n(&thread_calls, __ATOMIC_SEQ_CST)))
		futex_wait(&thread_calls, n, CALLS_LOOK);
}

static bool thread_woken(const struct g *g)
{
	return __atomic_load_n(&g->thread_woken, __ATOMIC_ACQUIRE);
}

static void thread_wait(struct g *g)
{
	while (!thread_woken(g))
		futex_wait(&g->thread_woken, 0, -1);
}

void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void thread_park(after_fn after, void *arg)
{
	struct g *g = thread_g();

	g->thread_woken = 0;
	after(g, arg);
	thread_exit();
	thread_wait(g);
	thread_enter();
}

static void thread_park_until(after_fn after, void *arg, struct choice *choice,
			      int64_t deadline)
{
	struct g *g = thread_g();
	int64_t left;

	g->thread_woken = 0;
	after(g, arg);
	thread_exit();
	while (!thread_woken(g)) {
		left = deadline - go_now();
		if (left > 0) {
			futex_wait(&g->thread_woken, 0, left);
			continue;
		}
		if (choice_make(choice, CHOICE_DEADLINE))
			break;
		thread_wait(g);
	}
	thread_enter();
	if (choice->index == CHOICE_DEADLINE)
		g->result = -ETIMEDOUT;
}

/* ---- both ------------------------------------------------------------------------- */

struct m *wait_park(struct m *m, enum wait_reason why, after_fn after,
		    void *arg)
{
	if (likely(m))
		return g_park(m, why, after, arg);
	thread_park(after, arg);
	return NULL;
}

/* A deadline of a goroutine's wait; on its stack. */
struct deadline {
	struct timer timer;
	struct g *g;
	struct choice *choice;
	int64_t when;
	after_fn after;
	void *arg;
};

static bool deadline_passed(struct timer *t, struct g_list *ready)
{
	struct deadline *d = container_of(t, struct deadline, timer);

	if (choice_make(d->choice, CHOICE_DEADLINE)) {
		d->g->result = -ETIMEDOUT;
		g_list_add(ready, d->g);
	}
	return false;
}

/*
 * The stack has been left. The timer first: once the lock is released somebody
 * may end the wait, and who waited stops the timer then.
 */
static void after_deadline(struct g *prev, void *arg)
{
	struct deadline *d = arg;
	after_fn after = d->after;
	void *after_arg = d->arg;
	bool failed = false;
	int ret;

	ret = timer_start(&d->timer, d->when);
	if (ret && choice_make(d->choice, CHOICE_DEADLINE)) {
		prev->result = ret;
		failed = true;
	}
	after(prev, after_arg);
	if (failed)
		g_ready(m_self(), prev);
}

struct m *wait_park_until(struct m *m, enum wait_reason why, after_fn after,
			  void *arg, struct choice *choice, int64_t deadline)
{
	struct deadline d;

	if (deadline == INT64_MAX)
		return wait_park(m, why, after, arg);
	/* It has passed; and the time until then is a number. */
	if (deadline < 0)
		deadline = 0;
	if (!m) {
		thread_park_until(after, arg, choice, deadline);
		return NULL;
	}
	d = (struct deadline){
		.g = m->g, .choice = choice, .when = deadline,
		.after = after, .arg = arg,
	};
	timer_make(&d.timer, deadline_passed, NULL);
	m = g_park(m, why, after_deadline, &d);
	timer_stop(&d.timer);
	return m;
}

/* ---- objects in the caller's memory ------------------------------------------------ */

#define LOCKS_SHIFT	8
#define LOCKS		(1 << LOCKS_SHIFT)

static struct {
	struct lock lock cache_aligned;
} waitq_locks[LOCKS];

struct lock *waitq_lock(const void *obj)
{
	/* Multiplicative hashing (Knuth): the high bits depend on all. */
	uint64_t hash = (uintptr_t)obj * 0x9e3779b97f4a7c15ULL;

	return &waitq_locks[hash >> (64 - LOCKS_SHIFT)].lock;
}

void waitq_locks_forked(void)
{
	int i;

	for (i = 0; i < LOCKS; i++)
		waitq_locks[i].lock = (struct lock){};
	lock_sleepers = 0;
}

void after_release(struct g *prev, void *lock)
{
	(void)prev;
	lock_release(lock);
}

bool waitq_wake_unlock(struct m *m, struct waitq *q, struct lock *lock,
		       int result)
{
	struct waiter *w = waitq_take(q);

	if (w)
		w->g->result = result;
	lock_release(lock);
	if (!w)
		return false;
	g_ready(m, w->g);
	return true;
}

void waitq_wake_all_unlock(struct m *m, struct waitq *q, struct lock *lock,
			   int result)
{
	struct g_list wake;
	struct waiter *w;

	g_list_init(&wake);
	while ((w = waitq_take(q))) {
		w->g->result = result;
		g_list_add(&wake, w->g);
	}
	lock_release(lock);
	g_ready_list(m, &wake);
}
