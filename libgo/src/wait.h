/* SPDX-License-Identifier: MIT */
/*
 * Waiting, of goroutines and of plain threads alike.
 *
 * What can be waited for keeps a list of waiters, each on the stack of who waits.
 * A plain thread has a struct g as well (status G_THREAD), so that who wakes need
 * not know the difference: g_ready() wakes the thread with a futex instead of
 * queueing it. Calls that may be made by both begin with wait_enter() and end
 * with wait_exit(); between them m is NULL in a plain thread. After the first they
 * ask wait_refused().
 *
 * A wait that one of several things may end, such as a select or one with a
 * deadline, has a struct choice: who sets it first has ended the wait, all others
 * leave the waiter alone.
 */
#ifndef WAIT_H
#define WAIT_H

#include "fork.h"
#include "sched.h"
#include "solo.h"
#include "timer.h"

/**
 * struct choice - what ended a wait that several things may end
 * @made: by compare-and-exchange from 0 to 1
 * @index: which of them it was, for who waited
 */
struct choice {
	uint32_t made;
	uint32_t index;
};

/* In struct choice's index: it was the deadline. */
#define CHOICE_DEADLINE	UINT32_MAX

/**
 * struct waiter - one entry in the list of what is waited for
 * @g: who waits
 * @elem: for a channel: where the element is, or is to go
 * @next: the one behind it
 * @prev: the one before it
 * @choice: other things may end the wait, too; NULL if this alone may
 * @index: which of the choice's things this is
 * @queued: it is in the list
 */
struct waiter {
	struct g *g;
	void *elem;
	struct waiter *next;
	struct waiter *prev;
	struct choice *choice;
	uint32_t index;
	bool queued;
};

/* A list of waiters, guarded by the lock of what is waited for. */
struct waitq {
	struct waiter *first;
	struct waiter *last;
};

/*
 * Plain threads that are in a call, but do not sleep in it. Such a call may use
 * the runtime to ready a goroutine, and that may be the last thing the main
 * goroutine has waited for. So the runtime is not taken down before there are
 * none (thread_calls_end()). Test: the_end_waits_for_the_calls_of_plain_threads.
 */
extern uint32_t thread_calls;

static inline void thread_enter(void)
{
	/*
	 * Before a look at rt.running and solo; pairs with thread_calls_end() and
	 * solo_begin().
	 */
	__atomic_fetch_add(&thread_calls, 1, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&solo, __ATOMIC_SEQ_CST)))
		solo_end();
}

static inline void thread_exit(void)
{
	__atomic_fetch_sub(&thread_calls, 1, __ATOMIC_RELEASE);
}

/* No runtime runs any more: wait for the calls that may have seen it run. */
void thread_calls_end(void);

/* Begin what a goroutine or a plain thread may do; returns the M or NULL. */
static inline struct m *wait_enter(void)
{
	struct m *m = m_self();

	if (likely(m))
		return critical_enter(m);
	thread_enter();
	return NULL;
}

static inline void wait_exit(struct m *m)
{
	if (likely(m))
		critical_exit(m);
	else
		thread_exit();
}

/*
 * In a child of fork() nobody can be waited for or woken: return -ESRCH. There is
 * no wait_exit() then, as there is no runtime that would wait for it.
 */
static inline bool wait_refused(const struct m *m)
{
	return unlikely(!m) && unlikely(forked);
}

/* In a child of fork(), what cannot return an error does as it does in POSIX. */
void wait_for_ever(void) __attribute__((noreturn));

/* The calling thread's struct g, of a plain thread. */
struct g *thread_g(void);

/* Who waits: the goroutine, or the plain thread. */
static inline struct g *wait_g(struct m *m)
{
	return likely(m) ? m->g : thread_g();
}

/**
 * wait_park() - wait until somebody calls g_ready()
 * @m: the current M in a critical section, NULL in a plain thread
 * @why: for reports
 * @after: called once the waiter may be woken: releases the lock that guards it
 * @arg: the argument of @after
 *
 * Return: the M that it goes on with, as g_park().
 */
struct m *wait_park(struct m *m, enum wait_reason why, after_fn after,
		    void *arg);

/**
 * wait_park_until() - wait_park(), or until a point in time
 * @m: the current M, or NULL
 * @why: for reports
 * @after: as for wait_park(). It runs once the timer has been started, so the
 *	waiter may have gone on: what is on its stack is there only as long as the
 *	waiter needs a lock that @after still holds
 * @arg: the argument of @after
 * @choice: what ends the wait; its index is CHOICE_DEADLINE if time did. A timer
 *	that could not be started ends it likewise, with -ENOMEM as the result
 * @deadline: on the clock of go_now(); INT64_MAX for none
 *
 * The waiters are still queued after a deadline: the caller takes them out.
 *
 * Return: as wait_park(). The result of the struct g is -ETIMEDOUT after the
 * deadline.
 */
struct m *wait_park_until(struct m *m, enum wait_reason why, after_fn after,
			  void *arg, struct choice *choice, int64_t deadline);

/* Be the one that ends a wait. False if something else has. */
static inline bool choice_make(struct choice *choice, uint32_t index)
{
	uint32_t open = 0;

	if (!__atomic_compare_exchange_n(&choice->made, &open, 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	choice->index = index;
	return true;
}

static inline void waitq_add(struct waitq *q, struct waiter *w)
{
	w->queued = true;
	w->next = NULL;
	w->prev = q->last;
	if (q->last)
		q->last->next = w;
	else
		__atomic_store_n(&q->first, w, __ATOMIC_RELAXED);
	q->last = w;
}

/* In front of the others: one that has waited before. */
static inline void waitq_push(struct waitq *q, struct waiter *w)
{
	w->queued = true;
	w->prev = NULL;
	w->next = q->first;
	if (q->first)
		q->first->prev = w;
	else
		q->last = w;
	__atomic_store_n(&q->first, w, __ATOMIC_RELAXED);
}

static inline void waitq_del(struct waitq *q, struct waiter *w)
{
	w->queued = false;
	if (w->prev)
		w->prev->next = w->next;
	else
		__atomic_store_n(&q->first, w->next, __ATOMIC_RELAXED);
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
}

/* Take the first waiter whose wait nothing else has ended; NULL if none. */
static inline struct waiter *waitq_take(struct waitq *q)
{
	struct waiter *w;

	while ((w = q->first)) {
		waitq_del(q, w);
		if (likely(!w->choice) || choice_make(w->choice, w->index))
			break;
	}
	return w;
}

/* Without the lock: does there seem to be one? */
static inline bool waitq_peek(const struct waitq *q)
{
	return __atomic_load_n(&q->first, __ATOMIC_ACQUIRE);
}

/* ---- objects in the caller's memory ------------------------------------------------ */

/* The list in an object whose structure is public. */
static inline struct waitq *waitq_of(struct go_waitq *q)
{
	_Static_assert(sizeof(*q) == sizeof(struct waitq), "one layout");
	return (struct waitq *)q;
}

/**
 * waitq_lock() - the lock that guards an object's list of waiters
 * @obj: the object
 *
 * It is one of a table's, by address, and not in the object: who finds that it
 * need not wait may free the object while another, who made that so, still
 * releases the lock. Objects share locks, so nobody may hold two.
 */
struct lock *waitq_lock(const void *obj);

/* In a child of fork(): the threads that had them, or slept, are not there. */
void waitq_locks_forked(void);

/* An after_fn: release a struct lock. */
void after_release(struct g *prev, void *lock);

/* Take the first waiter, wake it with that result. False if there is none. The
 * lock is held, and is given up.
 */
bool waitq_wake_unlock(struct m *m, struct waitq *q, struct lock *lock,
		       int result);

/* The same with all of them. */
void waitq_wake_all_unlock(struct m *m, struct waitq *q, struct lock *lock,
			   int result);

#endif /* WAIT_H */
