/* SPDX-License-Identifier: MIT */
/*
 * The runtime's objects: G a goroutine, M a thread, P a processor.
 *
 * An M runs goroutines while it holds a P. A blocked M's P is taken from it, by
 * the module or by the stand-in, so everything that uses a P runs in a critical
 * section: critical_enter() makes sure that the M has a P and keeps it until
 * critical_exit(). The section belongs to the M and stays entered over a switch
 * of goroutines: the goroutine that was switched to leaves it.
 *
 * The words that both the module and libgo use are in the ABI's structures
 * (uapi/linux/kgo.h), in memory that the assist (assist.h) provides.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <go.h>
#include <linux/kgo.h>
#include <urcu/wfcqueue.h>

#include "arch/context.h"
#include "compiler.h"
#include "lock.h"
#include "sanitizer.h"
#include "timer.h"

struct assist;

/* ---- G -------------------------------------------------------------------- */

enum g_status {
	G_DEAD,			/* free, or never used */
	G_RUNNABLE,		/* in a run queue */
	G_RUNNING,
	G_WAITING,
	G_THREAD,		/* none: a plain thread that waits */
};

/* What a goroutine waits for, for reports; dump.c has the words. */
enum wait_reason {
	WAIT_NOTHING,
	WAIT_SEND,
	WAIT_RECV,
	WAIT_SELECT,
	WAIT_SLEEP,
	WAIT_MUTEX,
	WAIT_RWMUTEX,
	WAIT_COND,
	WAIT_SEMAPHORE,
	WAIT_WAITGROUP,
	WAIT_IO,
	WAIT_EVER,
	WAIT_REASONS
};

/**
 * struct g - a goroutine, or the scheduler's own context of an M (g0)
 * @sp: stack pointer while it does not run, NULL until it has run first; in arch/ at
 *	offset 0
 * @fn: what it runs; at offset 8
 * @arg: its argument; at offset 16
 * @link: in the global queue, or in a struct g_list
 * @status: enum g_status
 * @err: errno while it does not run
 * @result: what woke it says here
 * @why: enum wait_reason, what it waits for
 * @thread_woken: futex of a plain thread, 1 when it has been woken
 * @stack_class: size class of the stack, see stack.h
 * @guarded: an overflow of the stack faults
 * @preempted: it was stopped in the middle of what it did, in its thread
 * @stopped: it was stopped, there or in a call of the library, and has not run since
 * @bound: the M that it must run on, NULL if any will do
 * @rest: in the global queue, the first of those that are queued with it (globq.c)
 * @ahead: one that is taken from there soon after it, for the cache; or any other
 * @rest_len: how many are queued with it
 * @locks: calls of go_lock_os_thread() that have not been undone
 * @stack: the stack, NULL if it has none yet
 * @stack_lo: lowest address of the stack
 * @id: its number
 * @name: for reports, may be NULL
 * @batch_next: the next batch in the pool, of the first of one (gpool.c)
 * @batch_tail: the last of that batch
 * @shadow: what a sanitizer knows of it
 */
struct g {
	void *sp;
	go_fn fn;
	void *arg;
	struct cds_wfcq_node link;
	uint32_t status;
	int err;
	int result;
	uint32_t why;
	uint32_t thread_woken;
	uint8_t stack_class;
	bool guarded;
	bool preempted;
	bool stopped;
	struct m *bound;
	struct g *rest;
	struct g *ahead;
	uint32_t rest_len;
	uint32_t locks;
	struct stack *stack;
	char *stack_lo;
	uint64_t id;
	const char *name;
	struct g *batch_next;
	struct g *batch_tail;
	struct shadow shadow;
};

/* Goroutines one after another, linked by @link. */
struct g_list {
	struct g *head;
	struct g *tail;
	uint32_t len;
};

/* Stacks that are not in use, see stack.h. */
struct stack_list {
	struct stack *head;
	struct stack *tail;
	uint32_t len;
};

/* ---- P -------------------------------------------------------------------- */

#define RUNQ_SIZE	1024	/* a power of two */

/*
 * How many free goroutines, or free stacks, Ps get and give at a time. Each keeps a list
 * that it takes from and gives to, and besides that a whole batch or none, so who does the
 * one as often as the other does not need the pool (Bonwick's magazines, Usenix 2001).
 */
#define P_BATCH		32

/**
 * struct p - a processor: what its owner alone uses, but for the ring
 * @words: its shared words, among them the ends of the ring
 * @index: which one it is
 * @runq: the ring of runnable goroutines
 * @inherits: picks of runnext in a row
 * @procs_seen: the number of Ps when its owner last saw to a change of that
 * @raiders: thieves that want who is to run next; never 0 without membarrier(2)
 * @alone: there has been no other P so far, and nobody takes from its queue; cleared
 *	by its owner
 * @put_off: how often those whose turn it is have waited for those that are due
 * @first_ran: the last turn was that of one that goes first, now it is its own queue's
 * @passed: of the Ms that are held and the global queue the former had the last turn
 * @free: dead goroutines, to be used again for any with a default stack
 * @free_batch: P_BATCH more, or none
 * @stacks: default stacks that are not in use
 * @stacks_batch: P_BATCH more, or none
 * @next_id: next number for a goroutine
 * @last_id: where the P's share of numbers ends
 * @born: goroutines started here, less those ended here
 * @switches: goroutines picked to run
 * @steals: goroutines stolen by it
 * @timers: the timers that were started here
 */
struct p {
	struct kgo_p *words;
	uint32_t index;
	uint32_t inherits;
	uint32_t procs_seen;
	uint32_t raiders;
	bool alone;
	uint8_t put_off;
	bool passed;
	bool first_ran;
	struct g_list free;
	struct g_list free_batch;
	struct stack_list stacks;
	struct stack_list stacks_batch;
	uint64_t next_id;
	uint64_t last_id;
	int64_t born;
	uint64_t switches;
	uint64_t steals;
	struct timers timers cache_aligned;
	struct g *runq[RUNQ_SIZE] cache_aligned;
} cache_aligned;

/* ---- M -------------------------------------------------------------------- */

/* What to do once the stack that was left is not in use any more. */
typedef void (*after_fn)(struct g *prev, void *arg);

/* In m->hold: no P. Never equal to what the shared word can say. */
#define M_NO_P		UINT32_MAX

/**
 * struct m - a thread that runs goroutines
 * @words: its shared words
 * @hold: what words->hold was when it got its P, or M_NO_P
 * @p: that P, while there is one
 * @index: which one it is
 * @g: the goroutine that it runs, or &g0
 * @bound: the goroutine that it runs nothing but, NULL if it runs any
 * @picked: a bound goroutine that was picked on a goroutine's stack
 * @retires: its thread is to end
 * @errno_loc: the address of its errno
 * @after: called on the next stack
 * @after_arg: its argument
 * @preempt_tick: the tick of the P of the goroutine that was last to be preempted
 * @spinning: it looks for work and is counted in nr_spinning
 * @called: its P had waited for an M, or somebody asked for one, and nobody spins for that
 * @was_woken: it was woken to look for work, and has found none since
 * @rand: state of the random order in which it steals
 * @g0: the scheduler's context, on the thread's own stack
 * @fault_stack: where signals are handled, see fault.h
 * @tid: thread id
 * @proc_tid: as /proc has it, see proc_tid()
 * @park: futex of the stand-in and of who waits for a bound goroutine, set to 1
 *	with a P granted; 0 while the M runs
 * @granted: P granted with @park
 * @reason: KGO_PARK_*, why it was woken
 * @spare_next: next spare in the stand-in's list, or next M that has ended
 */
struct m {
	struct kgo_m *words;
	uint32_t hold;
	uint32_t index;
	struct p *p;
	struct g *g;
	struct g *bound;
	struct g *picked;
	bool retires;
	int *errno_loc;
	after_fn after;
	void *after_arg;
	uint32_t preempt_tick;
	bool spinning;
	bool called;
	bool was_woken;
	uint64_t rand;
	struct g g0;
	void *fault_stack;
	pid_t tid;
	pid_t proc_tid;
	uint32_t park;
	uint32_t granted;
	uint32_t reason;
	struct m *spare_next;
};

/* ---- the runtime ----------------------------------------------------------- */

/* What the thread that has called go_run() waits for. */
#define MAIN_ENDED	1	/* the main goroutine has ended */
#define MAIN_QUIT	2	/* SIGQUIT has come */

/**
 * struct rt - the runtime
 * @shared: shared words
 * @p_words: shared words of the Ps
 * @m_words: shared words of the Ms
 * @ps: the Ps
 * @ms: the Ms by index, NULL where there is none; readers other than the M
 *	itself are in an RCU read-side section
 * @assist: who tells of blocks
 * @nr_p: number of Ps, GOMAXPROCS; may change
 * @nr_p_set: it was set, and does not follow the CPUs
 * @nr_p_top: the most there were; those beyond @nr_p go out of use
 * @nr_p_max: the most there can be
 * @run_tid: the thread that called go_run()
 * @nr_cpu: number of CPUs that they may run on
 * @nr_m_max: cap on Ms
 * @spare_low: with fewer spares than this another M is made
 * @spare_high: with so many an M ends instead of parking
 * @running: a runtime runs, from go_run() until its last M is gone
 * @stopping: the main goroutine has ended
 * @fpu: control words that goroutines begin with
 * @hold: Ms that return from a block are to wait for a P in the kernel
 * @sigquit: SIGQUIT is to dump all goroutines
 * @deadlock: that all goroutines are asleep is to be reported
 * @trace: milliseconds between lines of the scheduler's trace, 0 for none
 * @main_done: futex: MAIN_*
 * @nr_m: Ms there are, or are about to be
 * @nr_m_top: the most there were
 * @nr_bound: of them, those that wait for the goroutine they are bound to
 * @cap_told: that the cap was reached has been said
 * @last_poll: when the poller was last asked, for sysmon
 * @id_block: numbers of goroutines given to Ps so far
 * @foreign_born: goroutines started by plain threads
 * @retakes: Ps that sysmon took from blocked Ms
 */
struct rt {
	struct kgo_runtime *shared;
	struct kgo_p *p_words;
	struct kgo_m *m_words;
	struct p *ps;
	struct m **ms;
	const struct assist *assist;
	uint32_t nr_p;
	bool nr_p_set;
	uint32_t nr_p_top;
	uint32_t nr_p_max;
	pid_t run_tid;
	uint32_t nr_cpu;
	uint32_t nr_m_max;
	uint32_t spare_low;
	uint32_t spare_high;
	uint32_t running;
	uint32_t stopping;
	struct fpu_control fpu;
	bool hold;
	bool sigquit;
	bool deadlock;
	uint32_t trace;

	uint32_t main_done cache_aligned;
	uint32_t nr_m;
	uint32_t nr_m_top;
	uint32_t nr_bound;
	bool cap_told;
	int64_t last_poll;
	uint64_t id_block;
	int64_t foreign_born;
	uint64_t retakes;
};

extern struct rt rt;

/* ---- the current M ------------------------------------------------------------ */

extern __thread struct m *m_tls __attribute__((tls_model("initial-exec")));

/*
 * The M that runs this, NULL in a plain thread. A goroutine may come back from
 * a switch on another thread, so the compiler must not remember the address of
 * the variable: the load is one that it cannot see through.
 */
static inline struct m *m_self(void)
{
	struct m *m;

#if defined(__x86_64__) && defined(__PIC__)
	__asm__ __volatile__("movq m_tls@gottpoff(%%rip), %0\n\t"
			     "movq %%fs:(%0), %0" : "=r" (m));
#elif defined(__x86_64__)
	__asm__ __volatile__("movq %%fs:m_tls@tpoff, %0" : "=r" (m));
#elif defined(__aarch64__)
	__asm__ __volatile__("mrs %0, tpidr_el0\n\t"
			     "adrp x9, :gottprel:m_tls\n\t"
			     "ldr x9, [x9, #:gottprel_lo12:m_tls]\n\t"
			     "ldr %0, [%0, x9]" : "=&r" (m) : : "x9");
#endif
	return m;
}

/* GOMAXPROCS now. */
static inline uint32_t procs(void)
{
	return __atomic_load_n(&rt.nr_p, __ATOMIC_RELAXED);
}

/* Ps that are, or have been, in use. */
static inline uint32_t procs_top(void)
{
	return __atomic_load_n(&rt.nr_p_top, __ATOMIC_ACQUIRE);
}

/* The P of an M that is in a critical section. */
static inline struct p *m_p(struct m *m)
{
	return m->p;
}

/* Add to one of a P's counters: written by its owner only, read by anyone. */
static inline void p_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

#endif /* RUNTIME_H */
