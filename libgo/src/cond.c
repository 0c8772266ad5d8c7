// SPDX-License-Identifier: MIT
/*
 * Condition variables.
 */
#include <errno.h>

#include "wait.h"

/**
 * struct cond_wait - what has to be released once the waiter's stack is left
 * @lock: of the list of waiters
 * @mu: the mutex
 */
struct cond_wait {
	struct lock *lock;
	struct go_mutex *mu;
};

/*
 * The waiter may be woken as soon as the lock is released, but it does not leave
 * its frame before it has the mutex.
 */
static void after_unlock(struct g *prev, void *arg)
{
	struct cond_wait *cw = arg;
	struct go_mutex *mu = cw->mu;

	(void)prev;
	lock_release(cw->lock);
	go_mutex_unlock(mu);
}

static void cond_forget(struct go_cond *cond, struct waiter *w)
{
	struct lock *lock = waitq_lock(cond);

	lock_acquire(lock);
	if (w->queued)
		waitq_del(waitq_of(&cond->waiters), w);
	lock_release(lock);
}

int go_cond_wait_until(struct go_cond *cond, struct go_mutex *mu,
		       int64_t deadline)
{
	struct cond_wait cw = { .lock = waitq_lock(cond), .mu = mu };
	struct choice choice = {};
	struct waiter w = {};
	struct m *m;
	int ret;

	if (!(__atomic_load_n(&mu->state, __ATOMIC_RELAXED) & GO_MUTEX_LOCKED))
		return -EPERM;
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	w.g = wait_g(m);
	if (deadline != INT64_MAX)
		w.choice = &choice;
	lock_acquire(cw.lock);
	waitq_add(waitq_of(&cond->waiters), &w);
	m = wait_park_until(m, WAIT_COND, after_unlock, &cw, &choice, deadline);
	if (w.choice && choice.index == CHOICE_DEADLINE)
		cond_forget(cond, &w);
	ret = w.g->result;
	wait_exit(m);
	go_mutex_lock(mu);
	return ret;
}

int go_cond_wait(struct go_cond *cond, struct go_mutex *mu)
{
	return go_cond_wait_until(cond, mu, INT64_MAX);
}

/*
 * Without the lock: who waits for what the caller has changed was in the list
 * before it unlocked the mutex, which the caller has locked since. In a child of
 * fork() nobody waits any more.
 */
static bool cond_idle(struct go_cond *cond)
{
	return forked || !waitq_peek(waitq_of(&cond->waiters));
}

void go_cond_signal(struct go_cond *cond)
{
	struct lock *lock = waitq_lock(cond);
	struct m *m;

	if (cond_idle(cond))
		return;
	m = wait_enter();
	lock_acquire(lock);
	waitq_wake_unlock(m, waitq_of(&cond->waiters), lock, 0);
	wait_exit(m);
}

void go_cond_broadcast(struct go_cond *cond)
{
	struct lock *lock = waitq_lock(cond);
	struct m *m;

	if (cond_idle(cond))
		return;
	m = wait_enter();
	lock_acquire(lock);
	waitq_wake_all_unlock(m, waitq_of(&cond->waiters), lock, 0);
	wait_exit(m);
}
