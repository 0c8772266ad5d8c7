// SPDX-License-Identifier: MIT
/*
 * Waiting for files.
 *
 * A file is registered with epoll when a call first has to wait for it, for both
 * directions, edge-triggered. From then on each event adds one to its direction's
 * @seq. A call reads that before it makes an attempt; if the attempt was in vain it
 * waits, unless @seq has changed since. So no edge is lost, and none need be stored.
 *
 * Several calls may wait in one direction. An event wakes the first; if it has left
 * something, or may have, it wakes the next one. That way a burst of connections wakes
 * as many as it needs. Those that only look, who have a choice, are in front of the
 * others and are all woken: they take nothing, and what has come may not be what they
 * look for.
 *
 * A deadline is a timer of its direction. It fires with the lock of its heap, inside
 * which no other may be taken, so all is done by its second function.
 */
#include <errno.h>

#include "netpoll.h"
#include "polldesc.h"
#include "pollwait.h"

bool poll_waits_begun;

/* ---- attempts ------------------------------------------------------------------------ */

static bool deadline_is_over(const struct poll_side *side)
{
	int64_t when = __atomic_load_n(&side->deadline, __ATOMIC_RELAXED);

	return unlikely(when) && when <= go_now();
}

int poll_attempt(struct poll_op *op, enum poll_dir dir)
{
	struct poll_desc *pd = op->pd;
	struct poll_side *side = &pd->side[dir];

	if (deadline_is_over(side))
		return -ETIMEDOUT;
	op->seq[dir] = __atomic_load_n(&side->seq, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&pd->registered, __ATOMIC_ACQUIRE) &&
	    op->seq[dir] == __atomic_load_n(&side->drained, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&pd->always, __ATOMIC_RELAXED) &&
	    likely(!forked))
		return -EAGAIN;
	return 0;
}

/*
 * With the lock held. Who wakes has it counted no longer: once a plain thread is awake
 * its runtime may end, and the count be another's.
 */
static void side_del(struct poll_side *side, struct waiter *w)
{
	waitq_del(&side->waiters, w);
	__atomic_fetch_sub(&rt.shared->net_waiters, 1, __ATOMIC_SEQ_CST);
}

/* As waitq_take(). */
static struct waiter *side_take(struct poll_side *side)
{
	struct waiter *w;

	while ((w = side->waiters.first)) {
		side_del(side, w);
		if (likely(!w->choice) || choice_make(w->choice, w->index))
			break;
	}
	return w;
}

/* With the lock held: all who look, and the first of those who take something. */
static void side_wake(struct poll_side *side, struct g_list *wake)
{
	struct waiter *w;

	while ((w = side_take(side))) {
		bool looks = w->choice;

		w->g->result = 0;
		g_list_add(wake, w->g);
		if (!looks)
			break;
	}
}

static void desc_wake_one(struct poll_desc *pd, struct poll_side *side)
{
	struct m *m = wait_enter();
	struct g_list wake;

	if (wait_refused(m))
		return;
	g_list_init(&wake);
	lock_acquire(&pd->lock);
	side_wake(side, &wake);
	lock_release(&pd->lock);
	g_ready_list(m, &wake);
	wait_exit(m);
}

void poll_done(struct poll_op *op, enum poll_dir dir, bool drained)
{
	struct poll_side *side = &op->pd->side[dir];

	if (drained)
		__atomic_store_n(&side->drained, op->seq[dir], __ATOMIC_RELAXED);
	else if (unlikely(waitq_peek(&side->waiters)))
		desc_wake_one(op->pd, side);
}

/* ---- waiting ------------------------------------------------------------------------ */

/* With the lock held. */
static int desc_register(struct poll_op *op)
{
	struct poll_desc *pd = op->pd;
	int dir, ret;

	/* The number may be another file's by now. */
	ret = poll_op_look(op);
	if (unlikely(ret) || likely(pd->registered))
		return ret;
	for (dir = 0; dir < POLL_DIRS; dir++)
		__atomic_store_n(&pd->side[dir].drained,
				 pd->side[dir].seq - 1, __ATOMIC_RELAXED);
	ret = netpoll_add(op->fd, op->gen);
	if (ret == -EPERM) {
		__atomic_store_n(&pd->kind, POLL_PLAIN, __ATOMIC_RELAXED);
		return ret;
	}
	if (!ret)
		__atomic_store_n(&pd->registered, true, __ATOMIC_RELEASE);
	return ret;
}

/* Can anybody wait? The runtime is the poller's. */
static bool nobody_polls(const struct m *m)
{
	return !m && (!__atomic_load_n(&rt.running, __ATOMIC_SEQ_CST) ||
		      __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE));
}

/*
 * With the lock held: is there a reason not to wait in this direction? Returns 1 if
 * there is none, else what the wait returns.
 */
static int side_look(const struct poll_op *op, enum poll_dir dir)
{
	const struct poll_side *side = &op->pd->side[dir];
	int ret = poll_op_look(op);

	if (ret)
		return ret;
	if (deadline_is_over(side))
		return -ETIMEDOUT;
	return side->seq == op->seq[dir] ? 1 : 0;
}

static void side_add(struct poll_side *side, struct waiter *w)
{
	side->waits++;
	side->checked = false;
	if (!__atomic_load_n(&poll_waits_begun, __ATOMIC_RELAXED))
		__atomic_store_n(&poll_waits_begun, true, __ATOMIC_RELAXED);
	if (w->choice)
		waitq_push(&side->waiters, w);
	else
		waitq_add(&side->waiters, w);
	__atomic_fetch_add(&rt.shared->net_waiters, 1, __ATOMIC_SEQ_CST);
}

/* Without a poller somebody must become it. An M that finds nothing else to do does. */
static void thread_waits(const struct m *m)
{
	if (!m && !__atomic_load_n(&rt.shared->polling, __ATOMIC_SEQ_CST))
		sched_wake();
}

int poll_wait(struct poll_op *op, enum poll_dir dir)
{
	struct poll_desc *pd = op->pd;
	struct poll_side *side = &pd->side[dir];
	struct waiter w = {};
	struct m *m;
	int ret;

	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	lock_acquire(&pd->lock);
	ret = nobody_polls(m) ? -ESRCH : desc_register(op);
	if (!ret) {
		__atomic_store_n(&side->drained, op->seq[dir], __ATOMIC_RELAXED);
		ret = side_look(op, dir);
	}
	if (ret <= 0) {
		lock_release(&pd->lock);
		goto out;
	}
	w.g = wait_g(m);
	side_add(side, &w);
	thread_waits(m);
	m = wait_park(m, WAIT_IO, after_release, &pd->lock);
	ret = w.g->result;
out:
	wait_exit(m);
	return ret == -EPERM ? 0 : ret;
}

/* With the lock held: 1 if it waits in all of the directions, else as side_look(). */
static int any_add(const struct poll_op *op, unsigned int dirs,
		   struct waiter *w)
{
	int dir, ret;

	for (dir = 0; dir < POLL_DIRS; dir++) {
		if (!(dirs & 1U << dir))
			continue;
		ret = side_look(op, dir);
		if (ret <= 0)
			return ret;
		side_add(&op->pd->side[dir], &w[dir]);
	}
	return 1;
}

static void any_del(struct poll_desc *pd, struct waiter *w)
{
	int dir;

	for (dir = 0; dir < POLL_DIRS; dir++)
		if (w[dir].queued)
			side_del(&pd->side[dir], &w[dir]);
}

int poll_wait_any(struct poll_op *op, unsigned int dirs, int64_t deadline)
{
	struct poll_desc *pd = op->pd;
	struct waiter w[POLL_DIRS] = {};
	struct choice choice = {};
	struct m *m;
	int dir, ret;

	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	for (dir = 0; dir < POLL_DIRS; dir++) {
		w[dir].g = wait_g(m);
		w[dir].choice = &choice;
	}
	lock_acquire(&pd->lock);
	ret = nobody_polls(m) ? -ESRCH : desc_register(op);
	if (!ret)
		ret = any_add(op, dirs, w);
	if (ret > 0) {
		thread_waits(m);
		m = wait_park_until(m, WAIT_IO, after_release, &pd->lock,
				    &choice, deadline);
		ret = w[0].g->result;
		lock_acquire(&pd->lock);
	}
	any_del(pd, w);
	lock_release(&pd->lock);
	wait_exit(m);
	return ret == -EPERM ? 0 : ret;
}

/* ---- waking ------------------------------------------------------------------------- */

void poll_side_wake_all(struct poll_side *side, int result,
			struct g_list *wake)
{
	struct waiter *w;

	while ((w = side_take(side))) {
		w->g->result = result;
		g_list_add(wake, w->g);
	}
}

static void side_event(struct poll_side *side, struct g_list *ready)
{
	__atomic_store_n(&side->seq, side->seq + 1, __ATOMIC_RELEASE);
	side_wake(side, ready);
}

#define READ_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define WRITE_EVENTS	(EPOLLOUT | EPOLLHUP | EPOLLERR)
#define LASTING_EVENTS	(EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

void poll_event(const struct epoll_event *ev, struct g_list *ready)
{
	struct poll_desc *pd = poll_desc_of((uint32_t)ev->data.u64);
	uint32_t gen = ev->data.u64 >> POLL_GEN_SHIFT;

	if (!pd)
		return;
	lock_acquire(&pd->lock);
	if (poll_gen(pd) == gen) {
		if (ev->events & LASTING_EVENTS)
			__atomic_store_n(&pd->always, true, __ATOMIC_RELAXED);
		if (ev->events & READ_EVENTS)
			side_event(&pd->side[POLL_READ], ready);
		if (ev->events & WRITE_EVENTS)
			side_event(&pd->side[POLL_WRITE], ready);
	}
	lock_release(&pd->lock);
}

/* ---- deadlines ----------------------------------------------------------------------- */

/* With the lock held: who waits longer than it allows is told. */
static void side_expire(struct poll_side *side, struct g_list *wake)
{
	if (deadline_is_over(side))
		poll_side_wake_all(side, -ETIMEDOUT, wake);
}

static bool deadline_fire(struct timer *t, struct g_list *ready)
{
	(void)t;
	(void)ready;
	return true;
}

static void deadline_passed(struct timer *t)
{
	struct poll_side *side = container_of(t, struct poll_side, timer);
	struct poll_desc *pd = side->pd;
	struct g_list wake;

	g_list_init(&wake);
	lock_acquire(&pd->lock);
	side_expire(side, &wake);
	lock_release(&pd->lock);
	g_ready_list(m_self(), &wake);
}

/* With the lock held. */
static int side_set_deadline(struct poll_desc *pd, struct poll_side *side,
			     int64_t when)
{
	if (side->pd) {
		timer_stop(&side->timer);
	} else {
		side->pd = pd;
		timer_make(&side->timer, deadline_fire, deadline_passed);
	}
	__atomic_store_n(&side->deadline, when == INT64_MAX ? 0 : when,
			 __ATOMIC_RELAXED);
	if (!side->deadline || deadline_is_over(side))
		return 0;
	return timer_start(&side->timer, when);
}

int poll_set_deadline(int fd, unsigned int dirs, int64_t when)
{
	struct g_list wake;
	struct poll_op op;
	struct m *m;
	int dir, ret;

	ret = poll_begin(&op, fd);
	if (ret)
		return ret;
	g_list_init(&wake);
	/* No time is as early as one that has passed. */
	if (when <= 0)
		when = 1;
	m = wait_enter();
	if (wait_refused(m)) {
		poll_end(&op);
		return -ESRCH;
	}
	lock_acquire(&op.pd->lock);
	ret = poll_op_look(&op);
	for (dir = 0; !ret && dir < POLL_DIRS; dir++) {
		struct poll_side *side = &op.pd->side[dir];

		if (!(dirs & 1U << dir))
			continue;
		ret = side_set_deadline(op.pd, side, when);
		side_expire(side, &wake);
	}
	lock_release(&op.pd->lock);
	g_ready_list(m, &wake);
	wait_exit(m);
	poll_end(&op);
	return ret;
}
