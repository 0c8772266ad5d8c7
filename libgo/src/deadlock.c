// SPDX-License-Identifier: MIT
/*
 * All goroutines are asleep: nothing in the program will ever wake one.
 *
 * That is so if no P runs, no M is on its way or blocked in the kernel with a
 * goroutine, no timer is to fire, nobody waits for a descriptor, and the process has
 * no threads but the runtime's own (one that sends signals to channels is none of
 * them, if there is a channel). None of these can change by itself, but they are
 * looked at one after the other: whether a P ran meanwhile is told by the Ps' words,
 * which count their changes, and what a plain thread did before it ended by looking
 * for it first.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "deadlock.h"
#include "dump.h"
#include "runtime.h"
#include "sched.h"
#include "signal.h"

/* The threads of a runtime beside its Ms: go_run()'s, the monitor, the maker. */
#define OWN_THREADS	3

/* Threads of this process; 0 if that can't be known. */
static uint32_t threads_count(void)
{
	struct stat st;

	/* A folder has a link of itself, one of the folder above, and one each. */
	return stat("/proc/self/task", &st) ? 0 : st.st_nlink - 2;
}

/* A sum of the words of all Ps: equal sums, and no P has run in between. */
uint64_t p_words_sum(void)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		sum += __atomic_load_n(&rt.p_words[i].word, __ATOMIC_SEQ_CST) >>
			KGO_P_SEQ_SHIFT;
	return sum;
}

/* All Ms without a goroutine in hand. */
static uint32_t ms_parked(void)
{
	return __atomic_load_n(&rt.shared->nr_spare, __ATOMIC_SEQ_CST) +
	       __atomic_load_n(&rt.nr_bound, __ATOMIC_SEQ_CST);
}

/* There is work, or there may be by itself. */
static bool work_may_come(void)
{
	return sched_work_waits() || sched_first_timer() != INT64_MAX ||
	       __atomic_load_n(&rt.shared->net_waiters, __ATOMIC_SEQ_CST);
}

enum deadlock deadlock_look(void)
{
	uint32_t threads, own, nr_m, parked;
	uint64_t words;

	/* Mostly, and the threads need a system call. */
	if (work_may_come())
		return DEADLOCK_NOT;
	words = p_words_sum();
	threads = threads_count();
	own = OWN_THREADS + signals_rest();
	nr_m = __atomic_load_n(&rt.nr_m, __ATOMIC_SEQ_CST);
	parked = ms_parked();
	if (work_may_come())
		return DEADLOCK_NOT;
	if (nr_m != parked || threads != nr_m + own ||
	    sched_p_runs() || words != p_words_sum())
		return DEADLOCK_UNLESS;
	/* Last: main may have ended, and its M be gone, since the first look. */
	if (__atomic_load_n(&rt.stopping, __ATOMIC_SEQ_CST))
		return DEADLOCK_NOT;
	return DEADLOCK;
}

void deadlock_report(void)
{
	dump_and_quit("libgo: all goroutines are asleep: deadlock");
}
