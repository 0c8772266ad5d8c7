/* SPDX-License-Identifier: MIT */
/*
 * What goroutines and plain threads wait for each other with, as Go's package
 * sync. Zeroed memory is each type's initial state, and so is GO_SYNC_INIT. None
 * may be moved or copied while it is in use.
 */
#ifndef GO_SYNC_H
#define GO_SYNC_H

#include <stdbool.h>

#include <go/api.h>
#include <go/run.h>

#ifdef __cplusplus
#define GO_SYNC_INIT { }
#else
#define GO_SYNC_INIT { 0 }
#endif

/* A list of waiters: libgo's own. */
struct go_waitq {
	void *first;
	void *last;
};

/* ---- mutex ---------------------------------------------------------------- */

/**
 * struct go_mutex - mutual exclusion
 *
 * Not recursive, and owned by nobody: one goroutine may lock it and another
 * unlock it. A goroutine that has waited for 1 ms in vain is given it before all
 * others, in turn. It may be freed by who has locked it last, as soon as that has
 * unlocked it.
 */
struct go_mutex {
	uint32_t state;		/* 0: free, and nobody waits */
	struct go_waitq waiters;
};

/* In struct go_mutex's state. */
#define GO_MUTEX_LOCKED		((uint32_t)1)
#define GO_MUTEX_WAITERS	((uint32_t)2)	/* somebody waits */
#define GO_MUTEX_WOKEN		((uint32_t)4)	/* and somebody is on the way to it */
#define GO_MUTEX_ATTENDED	(GO_MUTEX_LOCKED | GO_MUTEX_WAITERS | GO_MUTEX_WOKEN)

/* The slow half of go_mutex_lock(). */
GO_API void go_mutex_lock_slow(struct go_mutex *mu);

/* The slow half of go_mutex_unlock(). */
GO_API int go_mutex_unlock_slow(struct go_mutex *mu);

/**
 * go_mutex_trylock() - lock a mutex if that needs no waiting
 * @mu: the mutex
 *
 * Who may call: any thread.
 *
 * Return: whether it is locked now.
 */
static inline bool go_mutex_trylock(struct go_mutex *mu)
{
	uint32_t old = __atomic_load_n(&mu->state, __ATOMIC_RELAXED);

	while (!(old & GO_MUTEX_LOCKED))
		if (__atomic_compare_exchange_n(&mu->state, &old,
						old | GO_MUTEX_LOCKED, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/**
 * go_mutex_lock() - lock a mutex
 * @mu: the mutex
 *
 * Who may call: any thread, also while no runtime runs.
 */
static inline void go_mutex_lock(struct go_mutex *mu)
{
	/*
	 * Others may wait, but one of them that is awake competes like us. Without a
	 * look at the state first, which would have to wait for the last unlock.
	 */
	uint32_t old = __atomic_fetch_or(&mu->state, GO_MUTEX_LOCKED,
					 __ATOMIC_ACQUIRE);

	if (__builtin_expect(old & GO_MUTEX_LOCKED, 0))
		go_mutex_lock_slow(mu);
}

/**
 * go_mutex_lock_until() - lock a mutex, but wait no longer than until a point in
 *	time
 * @mu: the mutex
 * @deadline: on the clock of go_now()
 *
 * Who may call: any thread.
 *
 * Return: 0; -ETIMEDOUT; -ENOMEM.
 */
GO_API int go_mutex_lock_until(struct go_mutex *mu, int64_t deadline);

/**
 * go_mutex_unlock() - unlock a mutex
 * @mu: the mutex
 *
 * Who may call: any thread.
 *
 * Return: 0; -EPERM if it is not locked, where Go ends the program.
 */
static inline int go_mutex_unlock(struct go_mutex *mu)
{
	uint32_t state = __atomic_load_n(&mu->state, __ATOMIC_RELAXED);

	if (__builtin_expect(state == GO_MUTEX_LOCKED ||
			     state == GO_MUTEX_ATTENDED, 1) &&
	    __builtin_expect(__atomic_compare_exchange_n(&mu->state, &state,
							 state & ~GO_MUTEX_LOCKED,
							 false,
							 __ATOMIC_RELEASE,
							 __ATOMIC_RELAXED), 1))
		return 0;
	return go_mutex_unlock_slow(mu);
}

/* ---- rwmutex -------------------------------------------------------------- */

/**
 * struct go_rwmutex - many readers, or one writer
 *
 * A writer that waits keeps new readers out, so a reader may not lock it again.
 * Readers that wait get in as soon as that writer has unlocked it, before the
 * next writer.
 *
 * It may be freed when every call on it has returned; not, as a mutex, by a reader that is
 * the last one to use it.
 */
struct go_rwmutex {
	struct go_mutex writers;
	uint32_t readers;
	int32_t departing;
	uint32_t readers_admitted;
	uint32_t writer_admitted;
	struct go_waitq waiting_readers;
	struct go_waitq waiting_writer;
};

/* In struct go_rwmutex's readers: a writer has it, or waits for readers. */
#define GO_RWMUTEX_WRITER ((uint32_t)1 << 31)

/* The slow half of go_rwmutex_rlock(). */
GO_API void go_rwmutex_rlock_slow(struct go_rwmutex *rw);

/* The slow half of go_rwmutex_runlock(). */
GO_API int go_rwmutex_runlock_slow(struct go_rwmutex *rw);

/**
 * go_rwmutex_rlock() - lock it for reading
 * @rw: the rwmutex
 *
 * Who may call: any thread, also while no runtime runs.
 */
static inline void go_rwmutex_rlock(struct go_rwmutex *rw)
{
	if (__atomic_fetch_add(&rw->readers, 1, __ATOMIC_ACQUIRE) &
	    GO_RWMUTEX_WRITER)
		go_rwmutex_rlock_slow(rw);
}

/**
 * go_rwmutex_tryrlock() - lock it for reading if that needs no waiting
 * @rw: the rwmutex
 *
 * Who may call: any thread.
 *
 * Return: whether it is locked for reading now.
 */
GO_API bool go_rwmutex_tryrlock(struct go_rwmutex *rw);

/**
 * go_rwmutex_runlock() - undo one go_rwmutex_rlock()
 * @rw: the rwmutex
 *
 * Who may call: any thread.
 *
 * Return: 0; -EPERM if it is not locked for reading, where Go ends the program.
 */
static inline int go_rwmutex_runlock(struct go_rwmutex *rw)
{
	uint32_t old = __atomic_load_n(&rw->readers, __ATOMIC_RELAXED);

	while (old && !(old & GO_RWMUTEX_WRITER))
		if (__atomic_compare_exchange_n(&rw->readers, &old, old - 1,
						false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return 0;
	return go_rwmutex_runlock_slow(rw);
}

/**
 * go_rwmutex_lock() - lock it for writing
 * @rw: the rwmutex
 *
 * Who may call: any thread, also while no runtime runs.
 */
GO_API void go_rwmutex_lock(struct go_rwmutex *rw);

/**
 * go_rwmutex_trylock() - lock it for writing if that needs no waiting
 * @rw: the rwmutex
 *
 * Who may call: any thread.
 *
 * Return: whether it is locked for writing now.
 */
GO_API bool go_rwmutex_trylock(struct go_rwmutex *rw);

/**
 * go_rwmutex_unlock() - undo go_rwmutex_lock()
 * @rw: the rwmutex
 *
 * Who may call: any thread.
 *
 * Return: 0; -EPERM if it is not locked for writing, where Go ends the program.
 */
GO_API int go_rwmutex_unlock(struct go_rwmutex *rw);

/* ---- condition variable --------------------------------------------------- */

/**
 * struct go_cond - where to wait until something guarded by a mutex has changed
 */
struct go_cond {
	struct go_waitq waiters;
};

/**
 * go_cond_wait() - unlock a mutex, wait to be woken, lock it again
 * @cond: the condition variable
 * @mu: the mutex, locked
 *
 * It returns only when it was woken, but what it was woken for may have changed
 * again before it had the mutex: look in a loop. Who may call: any thread.
 *
 * Return: 0; -EPERM if the mutex is not locked.
 */
GO_API int go_cond_wait(struct go_cond *cond, struct go_mutex *mu);

/**
 * go_cond_wait_until() - go_cond_wait(), but no longer than until a point in time
 * @cond: the condition variable
 * @mu: the mutex, locked; it is locked again in any case
 * @deadline: on the clock of go_now()
 *
 * Who may call: any thread.
 *
 * Return: 0 if it was woken; -ETIMEDOUT; -ENOMEM; -EPERM if the mutex is not
 * locked.
 */
GO_API int go_cond_wait_until(struct go_cond *cond, struct go_mutex *mu,
			      int64_t deadline);

/**
 * go_cond_signal() - wake who has waited longest, if anybody waits
 * @cond: the condition variable
 *
 * Who may call: any thread; it need not have the mutex.
 */
GO_API void go_cond_signal(struct go_cond *cond);

/**
 * go_cond_broadcast() - wake all who wait
 * @cond: the condition variable
 *
 * Who may call: any thread; it need not have the mutex.
 */
GO_API void go_cond_broadcast(struct go_cond *cond);

/* ---- once ----------------------------------------------------------------- */

/**
 * struct go_once - something that is to be done once
 */
struct go_once {
	uint32_t done;
	struct go_mutex mutex;
};

/* The slow half of go_once_do(). */
GO_API void go_once_do_slow(struct go_once *once, go_fn fn, void *arg);

/**
 * go_once_do() - call a function, the first time
 * @once: says whether it was called
 * @fn: the function; it must return, and must not use the same @once
 * @arg: its argument
 *
 * When this returns, the function has returned. Who may call: any thread, also
 * while no runtime runs.
 */
static inline void go_once_do(struct go_once *once, go_fn fn, void *arg)
{
	if (__builtin_expect(!__atomic_load_n(&once->done, __ATOMIC_ACQUIRE),
			     0))
		go_once_do_slow(once, fn, arg);
}

/* ---- waitgroup ------------------------------------------------------------ */

/**
 * struct go_waitgroup - waits for a number of goroutines to finish
 *
 * It may be freed by who has waited, as soon as go_waitgroup_wait() returns.
 */
struct go_waitgroup {
	uint32_t state;
	struct go_waitq waiters;
};

#define GO_WAITGROUP_INIT GO_SYNC_INIT

/**
 * go_waitgroup_add() - change the count
 * @wg: the waitgroup
 * @n: what to add, may be negative
 *
 * Who may call: any thread, also while no runtime runs.
 *
 * Return: 0; -EINVAL if the count would be negative or over 2^31 - 1, where Go
 * panics.
 */
GO_API int go_waitgroup_add(struct go_waitgroup *wg, int n);

/**
 * go_waitgroup_done() - go_waitgroup_add() of -1
 * @wg: the waitgroup
 */
GO_API int go_waitgroup_done(struct go_waitgroup *wg);

/**
 * go_waitgroup_wait() - wait until the count is zero
 * @wg: the waitgroup
 *
 * Who may call: any thread.
 *
 * Return: 0.
 */
GO_API int go_waitgroup_wait(struct go_waitgroup *wg);

#endif /* GO_SYNC_H */
