// SPDX-License-Identifier: MIT
/*
 * Time: the clock, sleeping, and timers.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fork.h"
#include "garbage.h"
#include "goroutine.h"
#include "sched.h"
#include "stack.h"
#include "timer.h"
#include "wait.h"

int64_t go_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * GO_SECOND + ts.tv_nsec;
}

int64_t time_after(int64_t ns)
{
	int64_t now = go_now();

	if (ns <= 0)
		return now;
	return ns > INT64_MAX - 1 - now ? INT64_MAX - 1 : now + ns;
}

static void thread_sleep(int64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / GO_SECOND, .tv_nsec = ns % GO_SECOND,
	};
	int saved = errno;

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
	errno = saved;
}

/* ---- sleeping ----------------------------------------------------------------- */

/* It can be time at once, so this is done when the stack has been left. */
static void after_sleep(struct g *prev, void *arg)
{
	const int64_t *until = arg;
	int ret = timer_sleep(prev, *until);

	if (ret) {
		prev->result = ret;
		g_ready(m_self(), prev);
	}
}

void go_sleep(int64_t ns)
{
	struct m *m = m_self();
	int64_t until;
	int ret;

	if (ns <= 0)
		return;
	if (!m) {
		thread_sleep(ns);
		return;
	}

	m = critical_enter(m);
	until = time_after(ns);
	m = g_park(m, WAIT_SLEEP, after_sleep, &until);
	ret = m->g->result;
	critical_exit(m);
	if (ret)	/* no memory for a timer: block instead */
		thread_sleep(ns);
}

/* ---- timers ---------------------------------------------------------------------- */

/**
 * struct go_timer - a function to be called later
 * @timer: in a heap
 * @lock: taken by who starts and stops it
 * @fn: the function
 * @arg: its argument
 */
struct go_timer {
	struct timer timer;
	struct lock lock;
	go_fn fn;
	void *arg;
};

static bool timer_spawn(struct timer *t, struct g_list *ready)
{
	struct go_timer *gt = container_of(t, struct go_timer, timer);
	struct g *g = g_make(m_self(), gt->fn, gt->arg, "timer", STACK_DEFAULT);

	/* Without memory for a goroutine there is nobody to tell. */
	if (g)
		g_list_add(ready, g);
	return false;
}

struct go_timer *go_timer_start(int64_t ns, go_fn fn, void *arg)
{
	struct go_timer *gt;
	struct m *m;
	int ret;

	if (!fn)
		return NULL;
	gt = malloc(sizeof(*gt));
	if (!gt)
		return NULL;
	*gt = (struct go_timer){ .fn = fn, .arg = arg };
	timer_make(&gt->timer, timer_spawn, NULL);

	m = wait_enter();
	ret = timer_start(&gt->timer, time_after(ns));
	wait_exit(m);
	if (ret) {
		free(gt);
		return NULL;
	}
	return gt;
}

int go_timer_stop(struct go_timer *gt)
{
	struct m *m;
	bool stopped;

	if (forked)
		return 0;
	m = wait_enter();
	lock_acquire(&gt->lock);
	stopped = timer_stop(&gt->timer);
	lock_release(&gt->lock);
	wait_exit(m);
	return stopped;
}

int go_timer_reset(struct go_timer *gt, int64_t ns)
{
	struct m *m = wait_enter();
	bool stopped;
	int ret;

	if (wait_refused(m))
		return -ESRCH;
	lock_acquire(&gt->lock);
	stopped = timer_stop(&gt->timer);
	ret = timer_start(&gt->timer, time_after(ns));
	lock_release(&gt->lock);
	wait_exit(m);
	return ret ? ret : stopped;
}

void go_timer_free(struct go_timer *gt)
{
	if (!gt)
		return;
	go_timer_stop(gt);
	free(gt);
}

/* ---- channels that tell the time ---------------------------------------------------- */

/* Frees itself when it has fired, or does not any more. */
struct after {
	struct timer timer;
	struct go_chan *ch;
};

static void after_drop(struct timer *t)
{
	struct after *a = container_of(t, struct after, timer);

	go_chan_release(a->ch);
	garbage_put(a);
}

static void after_send(struct timer *t)
{
	struct after *a = container_of(t, struct after, timer);
	int64_t now = go_now();

	go_chan_try_send(a->ch, &now);
	after_drop(t);
}

static bool after_fire(struct timer *t, struct g_list *ready)
{
	(void)t;
	(void)ready;
	return true;
}

struct go_chan *go_after(int64_t ns)
{
	struct go_chan *ch;
	struct after *a;
	struct m *m;
	int ret;

	a = malloc(sizeof(*a));
	if (!a)
		return NULL;
	ch = go_chan_make(sizeof(int64_t), 1);
	if (!ch)
		goto err_after;
	a->ch = go_chan_retain(ch);
	timer_make(&a->timer, after_fire, after_send);
	a->timer.drop = after_drop;

	m = wait_enter();
	ret = timer_start(&a->timer, time_after(ns));
	wait_exit(m);
	if (ret)
		goto err_chan;
	return ch;

err_chan:
	go_chan_release(a->ch);
	go_chan_release(ch);
err_after:
	free(a);
	return NULL;
}
