// SPDX-License-Identifier: MIT
/*
 * The slow halves of the runtime's lock, and the calls of the kernel that it needs.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "futex.h"
#include "lock.h"

/*
 * Pauses of the processor between looks, and all in all before sleeping. The
 * distance grows: each look takes the cache line away from who works with it, and
 * that would rather do some more with it at once than each of us a little in turn.
 */
#define SPIN_FIRST	64
#define SPIN_LONGEST	256
#define SPIN_ALL	2048

void futex_wait(uint32_t *word, uint32_t val, int64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000,
	};
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, ns < 0 ? NULL : &ts,
		NULL, 0);
	errno = saved;
}

void futex_wake(uint32_t *word, int n)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
	errno = saved;
}

void futex_sleep(int64_t ns)
{
	static uint32_t never;

	futex_wait(&never, 0, ns);
}

bool membarrier_works;

bool membarrier_all(void)
{
	if (!membarrier_works)
		return false;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)) {
		fprintf(stderr, "libgo: membarrier(2) does not work any more: %s\n",
			strerror(errno));
		abort();
	}
	return true;
}

uint32_t lock_sleepers;

/* Locks are used before there is a runtime, too. */
static __attribute__((constructor)) void lock_init(void)
{
	membarrier_works =
		!syscall(SYS_membarrier,
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static void lock_sleep(struct lock *l)
{
	__atomic_fetch_add(&lock_sleepers, 1, __ATOMIC_SEQ_CST);
	/* From here on who releases a lock sees the count, or we that it is free. */
	membarrier_all();
	while (!lock_try(l))
		futex_wait(&l->word, 1, -1);
	__atomic_fetch_sub(&lock_sleepers, 1, __ATOMIC_RELAXED);
}

void lock_acquire_slow(struct lock *l)
{
	int saved = errno, pauses = SPIN_FIRST, spent, i;

	for (spent = 0; spent < SPIN_ALL; spent += pauses) {
		if (!__atomic_load_n(&l->word, __ATOMIC_RELAXED) && lock_try(l))
			return;
		for (i = 0; i < pauses; i++)
			cpu_relax();
		if (pauses < SPIN_LONGEST)
			pauses *= 2;
	}
	if (membarrier_works)
		lock_sleep(l);
	else
		while (!lock_try(l))
			sched_yield();
	errno = saved;
}

void lock_release_slow(struct lock *l)
{
	futex_wake(&l->word, 1);
}
