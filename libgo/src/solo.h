/* SPDX-License-Identifier: MIT */
/*
 * Locks that need not be taken as long as there is one P and no thread but Ms makes a
 * call.
 *
 * All who would take them hold that P, and nobody takes it from them in a critical
 * section. The first call of a plain thread, or a second P, ends this for good;
 * the thread waits until the P's owner has left the section that it may be in.
 */
#ifndef SOLO_H
#define SOLO_H

#include "lock.h"
#include "runtime.h"

#define SOLO_NOT	0
#define SOLO		1
#define SOLO_ENDS	2	/* for those who begin a section from here on */

extern uint32_t solo;

/* A runtime begins; none of its Ms runs yet. */
void solo_begin(void);

/* It has ended, or the caller holds the only P and no such lock. */
void solo_over(void);

/* From a thread that is no M, before it takes the first lock. */
void solo_end(void);

/* In a critical section: up to its end nobody else takes a lock. @m is NULL in a plain
 * thread.
 */
static inline bool solo_now(const struct m *m)
{
	return m && __atomic_load_n(&solo, __ATOMIC_RELAXED) == SOLO;
}

/* Take a lock of something that goroutines share; the holder may release it. */
static inline void shared_lock(const struct m *m, struct lock *l)
{
	if (!solo_now(m))
		lock_acquire(l);
}

#endif /* SOLO_H */
