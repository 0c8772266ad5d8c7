// SPDX-License-Identifier: MIT
/*
 * Weighted semaphores. All of one changes with the lock of its list held.
 */
#include <errno.h>

#include "wait.h"

/* What somebody waits for; on its stack. */
struct claim {
	struct waiter waiter;
	int64_t n;
};

static bool sem_has(const struct go_semaphore *sem, int64_t n)
{
	return n <= sem->size - sem->held;
}

static bool sem_makes_sense(const struct go_semaphore *sem, int64_t n)
{
	return n >= 0 && n <= sem->size;
}

/* Serve those in front for whom there is enough. */
static void sem_serve(struct go_semaphore *sem, struct g_list *wake)
{
	struct waitq *q = waitq_of(&sem->waiters);
	struct waiter *w;

	while ((w = q->first)) {
		struct claim *c = container_of(w, struct claim, waiter);

		if (!sem_has(sem, c->n))
			break;
		waitq_del(q, w);
		if (w->choice && !choice_make(w->choice, w->index))
			continue;
		sem->held += c->n;
		w->g->result = 0;
		g_list_add(wake, w->g);
	}
}

/* After the deadline. Those behind may have waited only for this one's turn. */
static void sem_forget(struct m *m, struct go_semaphore *sem, struct waiter *w)
{
	struct lock *lock = waitq_lock(sem);
	struct g_list wake;

	g_list_init(&wake);
	lock_acquire(lock);
	if (w->queued)
		waitq_del(waitq_of(&sem->waiters), w);
	sem_serve(sem, &wake);
	lock_release(lock);
	g_ready_list(m, &wake);
}

/* The lock is held, and is given up. */
static int sem_wait(struct m *m, struct go_semaphore *sem, int64_t n,
		    int64_t deadline)
{
	struct choice choice = {};
	struct claim c = {
		.waiter.g = wait_g(m),
		.waiter.choice = deadline == INT64_MAX ? NULL : &choice,
		.n = n,
	};
	int ret;

	waitq_add(waitq_of(&sem->waiters), &c.waiter);
	m = wait_park_until(m, WAIT_SEMAPHORE, after_release, waitq_lock(sem),
			    &choice, deadline);
	if (c.waiter.choice && choice.index == CHOICE_DEADLINE)
		sem_forget(m, sem, &c.waiter);
	ret = c.waiter.g->result;
	wait_exit(m);
	return ret;
}

int go_semaphore_acquire_until(struct go_semaphore *sem, int64_t n,
			       int64_t deadline)
{
	struct lock *lock = waitq_lock(sem);
	struct m *m;

	if (!sem_makes_sense(sem, n))
		return -EINVAL;
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	lock_acquire(lock);
	if (sem->waiters.first || !sem_has(sem, n))
		return sem_wait(m, sem, n, deadline);
	sem->held += n;
	lock_release(lock);
	wait_exit(m);
	return 0;
}

int go_semaphore_acquire(struct go_semaphore *sem, int64_t n)
{
	return go_semaphore_acquire_until(sem, n, INT64_MAX);
}

int go_semaphore_try_acquire(struct go_semaphore *sem, int64_t n)
{
	struct lock *lock = waitq_lock(sem);
	int ret = -EAGAIN;
	struct m *m;

	if (!sem_makes_sense(sem, n))
		return -EINVAL;
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	lock_acquire(lock);
	if (!sem->waiters.first && sem_has(sem, n)) {
		sem->held += n;
		ret = 0;
	}
	lock_release(lock);
	wait_exit(m);
	return ret;
}

int go_semaphore_release(struct go_semaphore *sem, int64_t n)
{
	struct lock *lock = waitq_lock(sem);
	struct m *m = wait_enter();
	struct g_list wake;
	int ret = -EINVAL;

	if (wait_refused(m))
		return -ESRCH;
	g_list_init(&wake);
	lock_acquire(lock);
	if (n >= 0 && n <= sem->held) {
		sem->held -= n;
		sem_serve(sem, &wake);
		ret = 0;
	}
	lock_release(lock);
	g_ready_list(m, &wake);
	wait_exit(m);
	return ret;
}
