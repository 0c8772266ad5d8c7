// SPDX-License-Identifier: MIT
/*
 * Tickers. A timer that starts itself again when it fires, and then sends the time
 * without waiting, once its heap's lock is released.
 *
 * A ticker's lock is taken before those of its channel and of the heap. It is held
 * while a tick is sent and while the ticker is stopped; so once that is done, and
 * the channel emptied, no tick comes.
 */
#include <errno.h>
#include <stdlib.h>

#include "garbage.h"
#include "wait.h"

/**
 * struct go_ticker - a ticker
 * @timer: fires at the next tick
 * @lock: guards @period, and that @timer is started
 * @refs: one is the owner's; each tick on its way has one
 * @due: a tick is on its way, and has not been dropped by a stop
 * @period: nanoseconds; the firing timer reads it without @lock, it is written
 *	when the timer is stopped
 * @ch: where the ticks go
 */
struct go_ticker {
	struct timer timer;
	struct lock lock;
	uint32_t refs;
	bool due;
	int64_t period;
	struct go_chan *ch;
};

static void ticker_put(struct go_ticker *tk)
{
	if (__atomic_fetch_sub(&tk->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	go_chan_release(tk->ch);
	garbage_put(tk);
}

static void ticker_send(struct timer *t)
{
	struct go_ticker *tk = container_of(t, struct go_ticker, timer);
	int64_t now;

	lock_acquire(&tk->lock);
	if (__atomic_exchange_n(&tk->due, false, __ATOMIC_ACQ_REL)) {
		/* Not earlier: this may be a tick of after a reset by now. */
		now = go_now();
		go_chan_try_send(tk->ch, &now);
	}
	lock_release(&tk->lock);
	ticker_put(tk);
}

/* It is in its heap, so it has not been freed: the owner stops it first. */
static bool ticker_fire(struct timer *t, struct g_list *ready)
{
	struct go_ticker *tk = container_of(t, struct go_ticker, timer);
	int64_t late = go_now() - t->when;

	(void)ready;
	__atomic_fetch_add(&tk->refs, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&tk->due, true, __ATOMIC_RELEASE);
	/* Those that should have been meanwhile are left out. */
	timer_again(t, t->when + (late / tk->period + 1) * tk->period);
	return true;
}

struct go_ticker *go_ticker_start(int64_t ns)
{
	struct go_ticker *tk;

	tk = calloc(1, sizeof(*tk));
	if (!tk)
		return NULL;
	tk->refs = 1;
	timer_make(&tk->timer, ticker_fire, ticker_send);
	tk->ch = go_chan_make(sizeof(int64_t), 1);
	if (!tk->ch || go_ticker_reset(tk, ns) < 0) {
		ticker_put(tk);
		return NULL;
	}
	return tk;
}

struct go_chan *go_ticker_chan(const struct go_ticker *tk)
{
	return tk->ch;
}

/* With the lock held. Returns whether it ticked. */
static bool ticker_stop(struct go_ticker *tk)
{
	bool ticked = timer_stop(&tk->timer);

	__atomic_store_n(&tk->due, false, __ATOMIC_RELEASE);
	go_chan_try_recv(tk->ch, NULL);
	return ticked;
}

int go_ticker_stop(struct go_ticker *tk)
{
	struct m *m = wait_enter();
	bool ticked;

	if (wait_refused(m))
		return 0;
	lock_acquire(&tk->lock);
	ticked = ticker_stop(tk);
	lock_release(&tk->lock);
	wait_exit(m);
	return ticked;
}

int go_ticker_reset(struct go_ticker *tk, int64_t ns)
{
	struct m *m;
	bool ticked;
	int ret;

	if (ns <= 0)
		return -EINVAL;
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	lock_acquire(&tk->lock);
	ticked = ticker_stop(tk);
	tk->period = ns;
	ret = timer_start(&tk->timer, time_after(ns));
	lock_release(&tk->lock);
	wait_exit(m);
	return ret ? ret : ticked;
}

void go_ticker_free(struct go_ticker *tk)
{
	if (!tk)
		return;
	go_ticker_stop(tk);
	ticker_put(tk);
}
