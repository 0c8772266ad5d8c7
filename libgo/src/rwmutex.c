// SPDX-License-Identifier: MIT
/*
 * Rwmutexes, after Go's sync.RWMutex. The word readers counts those who read and
 * those who want to; its highest bit says that a writer has come. Writers exclude
 * each other with a mutex. A writer sets the bit, takes the number of those who
 * read then as the number that it waits for (departing), and the last of them
 * wakes it. Who wants to read and finds the bit set waits to be admitted; the
 * writer clears the bit and admits as many as the word counts then.
 *
 * Being admitted may come before waiting for it, so admissions are counted. They
 * and the lists are guarded by the lists' lock. departing is negative while
 * readers have left of which the writer does not know yet.
 */
#include <errno.h>

#include "wait.h"

#define WRITER	GO_RWMUTEX_WRITER

/* ---- admission ------------------------------------------------------------------- */

/* Wait for one of those that admit() gives. */
static void admission_wait(struct go_rwmutex *rw, uint32_t *admitted,
			   struct go_waitq *q)
{
	struct lock *lock = waitq_lock(rw);
	struct m *m = wait_enter();
	struct waiter w = { .g = wait_g(m) };

	if (wait_refused(m))
		wait_for_ever();
	lock_acquire(lock);
	if (*admitted) {
		--*admitted;
		lock_release(lock);
	} else {
		waitq_add(waitq_of(q), &w);
		m = wait_park(m, WAIT_RWMUTEX, after_release, lock);
	}
	wait_exit(m);
}

/* Let n go on that wait, or will. */
static void admit(struct go_rwmutex *rw, uint32_t *admitted,
		  struct go_waitq *q, uint32_t n)
{
	struct lock *lock = waitq_lock(rw);
	struct m *m = wait_enter();
	struct g_list wake;
	struct waiter *w;

	if (wait_refused(m))
		return;		/* those who waited are not there any more */
	g_list_init(&wake);
	lock_acquire(lock);
	for (; n && (w = waitq_take(waitq_of(q))); n--)
		g_list_add(&wake, w->g);
	*admitted += n;
	lock_release(lock);
	g_ready_list(m, &wake);
	wait_exit(m);
}

/* ---- readers --------------------------------------------------------------------- */

void go_rwmutex_rlock_slow(struct go_rwmutex *rw)
{
	admission_wait(rw, &rw->readers_admitted, &rw->waiting_readers);
}

bool go_rwmutex_tryrlock(struct go_rwmutex *rw)
{
	uint32_t old = __atomic_load_n(&rw->readers, __ATOMIC_RELAXED);

	while (!(old & WRITER))
		if (__atomic_compare_exchange_n(&rw->readers, &old, old + 1,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

int go_rwmutex_runlock_slow(struct go_rwmutex *rw)
{
	uint32_t old = __atomic_load_n(&rw->readers, __ATOMIC_RELAXED);

	do {
		if (!(old & ~WRITER))
			return -EPERM;
	} while (!__atomic_compare_exchange_n(&rw->readers, &old, old - 1,
					      false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (old & WRITER &&
	    !__atomic_sub_fetch(&rw->departing, 1, __ATOMIC_ACQ_REL))
		admit(rw, &rw->writer_admitted, &rw->waiting_writer, 1);
	return 0;
}

/* ---- writers --------------------------------------------------------------------- */

void go_rwmutex_lock(struct go_rwmutex *rw)
{
	uint32_t n;

	go_mutex_lock(&rw->writers);
	n = __atomic_fetch_or(&rw->readers, WRITER, __ATOMIC_ACQ_REL);
	if (n && __atomic_add_fetch(&rw->departing, n, __ATOMIC_ACQ_REL))
		admission_wait(rw, &rw->writer_admitted, &rw->waiting_writer);
}

bool go_rwmutex_trylock(struct go_rwmutex *rw)
{
	uint32_t none = 0;

	if (!go_mutex_trylock(&rw->writers))
		return false;
	if (__atomic_compare_exchange_n(&rw->readers, &none, WRITER, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return true;
	go_mutex_unlock(&rw->writers);
	return false;
}

int go_rwmutex_unlock(struct go_rwmutex *rw)
{
	uint32_t n = __atomic_load_n(&rw->readers, __ATOMIC_RELAXED);

	if (!(n & WRITER))
		return -EPERM;
	n = __atomic_fetch_and(&rw->readers, ~WRITER, __ATOMIC_ACQ_REL);
	if (n & ~WRITER)
		admit(rw, &rw->readers_admitted, &rw->waiting_readers,
		      n & ~WRITER);
	return go_mutex_unlock(&rw->writers);
}
