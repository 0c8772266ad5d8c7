/* SPDX-License-Identifier: MIT */
/*
 * A lock for the runtime's own short sections. It spins a little and then
 * sleeps in a futex, so a holder that the kernel has preempted costs the others
 * no CPU. An M takes it in a critical section only, so no holder loses its P.
 *
 * Who releases it must see that somebody sleeps, or who is about to sleep that it
 * was released. That takes a barrier between the store and the load on both sides.
 * Releasing is frequent and sleeping is not, so who sleeps pays for both, with
 * membarrier(2). The count of sleepers is one for all locks: a lock may be gone as
 * soon as it is released.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/* 0: free, 1: held */
struct lock {
	uint32_t word;
};

extern uint32_t lock_sleepers;

void lock_acquire_slow(struct lock *l);
void lock_release_slow(struct lock *l);

static inline bool lock_try(struct lock *l)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&l->word, &free, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_acquire(struct lock *l)
{
	if (unlikely(!lock_try(l)))
		lock_acquire_slow(l);
}

static inline void lock_release(struct lock *l)
{
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
	barrier();
	if (unlikely(__atomic_load_n(&lock_sleepers, __ATOMIC_RELAXED)))
		lock_release_slow(l);
}

#endif /* LOCK_H */
