/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A runtime and its shared words: setting it up and mapping it, what user space
 * does to the word of a P, and waiting for a condition with a limit.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "calls.h"

#define load(word)	 __atomic_load_n((word), __ATOMIC_SEQ_CST)
#define store(word, val) __atomic_store_n((word), (val), __ATOMIC_SEQ_CST)

/* Between a thread and the kernel on that thread. */
static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

/* How long a condition may take to come; a test that needs longer is broken. */
#define LIMIT_NS	(15ULL * 1000 * 1000 * 1000)

static inline __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline void nap_ns(long ns)
{
	struct timespec time = { .tv_nsec = ns };

	nanosleep(&time, NULL);
}

/* A delay that is no block, of a few instructions per step. */
static inline void spin(int steps)
{
	while (steps-- > 0)
		barrier();
}

#define until_limit(cond, pause)				\
({								\
	__u64 end_ = now_ns() + LIMIT_NS;			\
	bool came_;						\
								\
	for (;;) {						\
		came_ = !!(cond);				\
		if (came_ || now_ns() > end_)			\
			break;					\
		pause;						\
	}							\
	came_;							\
})

/* Whether a condition comes within the limit. Blocks: not for an M with a P. */
#define eventually(cond)	until_limit(cond, nap_ns(50 * 1000))

/* The same without blocking. */
#define spin_until(cond)	until_limit(cond, sched_yield())

/* A figure that a longer or shorter run sets in the environment. */
static inline long figure(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? atol(text) : otherwise;
}

struct runtime {
	int fd;
	struct kgo_setup setup;
	struct kgo_runtime *words;
	struct kgo_p *p;
	struct kgo_m *m;
};

static inline int runtime_map(struct runtime *rt)
{
	char *map = mmap(NULL, rt->setup.map_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, rt->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	rt->words = (void *)map;
	rt->p = (void *)(map + rt->setup.p_offset);
	rt->m = (void *)(map + rt->setup.m_offset);
	return 0;
}

/* Open, set up and map. All Ps are dead. */
static inline int runtime_open_as(struct runtime *rt, __u32 flags, __u32 nr_p,
				  __u32 nr_m, __u32 spare_low)
{
	int ret;

	memset(rt, 0, sizeof(*rt));
	rt->fd = kgo_open();
	if (rt->fd < 0)
		return -errno;
	ret = kgo_set_up_as(rt->fd, flags, nr_p, nr_m, spare_low, &rt->setup);
	return ret ? ret : runtime_map(rt);
}

static inline int runtime_open(struct runtime *rt, __u32 nr_p, __u32 nr_m,
			       __u32 spare_low)
{
	return runtime_open_as(rt, 0, nr_p, nr_m, spare_low);
}

static inline void runtime_unmap(struct runtime *rt)
{
	munmap(rt->words, rt->setup.map_size);
	rt->words = NULL;
}

static inline void runtime_close(struct runtime *rt)
{
	if (rt->words)
		runtime_unmap(rt);
	if (rt->fd >= 0)
		close(rt->fd);
	rt->fd = -1;
}

static inline __u64 word_of(__u64 state, __u32 m, __u32 seq)
{
	return state | (__u64)m << KGO_P_M_SHIFT |
	       (__u64)seq << KGO_P_SEQ_SHIFT;
}

static inline __u64 word_state(__u64 word)
{
	return word & KGO_P_STATE_MASK;
}

static inline __u32 word_m(__u64 word)
{
	return word >> KGO_P_M_SHIFT & KGO_P_M_MASK;
}

static inline __u32 word_seq(__u64 word)
{
	return word >> KGO_P_SEQ_SHIFT;
}

static inline bool p_is_idle(struct runtime *rt, __u32 p)
{
	return word_state(load(&rt->p[p].word)) == KGO_P_IDLE;
}

static inline bool p_is_held_by(struct runtime *rt, __u32 p, __u32 m)
{
	__u64 word = load(&rt->p[p].word);

	return word_state(word) == KGO_P_RUNNING && word_m(word) == m;
}

static inline bool idle_bit(struct runtime *rt, __u32 p)
{
	return load(&rt->words->idle[p / 64]) & 1ULL << p % 64;
}

static inline void set_idle_bit(struct runtime *rt, __u32 p)
{
	__atomic_fetch_or(&rt->words->idle[p / 64], 1ULL << p % 64,
			  __ATOMIC_SEQ_CST);
}

static inline void clear_idle_bit(struct runtime *rt, __u32 p)
{
	__atomic_fetch_and(&rt->words->idle[p / 64], ~(1ULL << p % 64),
			   __ATOMIC_SEQ_CST);
}

/* Bring a dead P into use: idle, with the bit that says so. */
static inline void p_start(struct runtime *rt, __u32 p)
{
	__u64 word = load(&rt->p[p].word);

	store(&rt->p[p].word, word_of(KGO_P_IDLE, 0, word_seq(word) + 1));
	set_idle_bit(rt, p);
}

/* Whether an M holds a P, by its own words and by that P's. */
static inline bool m_has_p(struct runtime *rt, __u32 m)
{
	__u32 p = load(&rt->m[m].hold) - 1;

	return p < rt->setup.nr_p && p_is_held_by(rt, p, m);
}

/*
 * The calling M takes an idle P. In a critical section, so that the kernel
 * neither takes the P before it is noted nor, the M being a returning one,
 * gives it another after the look whether it has one.
 */
static inline int p_take(struct runtime *rt, __u32 m, __u32 p)
{
	int ret = -EBUSY;
	__u64 word;

	rt->m[m].critical++;
	barrier();
	if (m_has_p(rt, m)) {
		ret = -EALREADY;
		goto out;
	}
	clear_idle_bit(rt, p);
	word = load(&rt->p[p].word);
	if (word_state(word) == KGO_P_IDLE &&
	    __atomic_compare_exchange_n(&rt->p[p].word, &word,
					word_of(KGO_P_RUNNING, m,
						word_seq(word) + 1), false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		store(&rt->m[m].hold, p + 1);
		ret = 0;
	} else if (p_is_idle(rt, p)) {
		set_idle_bit(rt, p);
	}
out:
	barrier();
	rt->m[m].critical--;
	return ret;
}

/* The calling M makes the P it holds idle; false when it held none. */
static inline bool p_drop(struct runtime *rt, __u32 m)
{
	bool dropped = false;
	__u32 p;
	__u64 word;

	rt->m[m].critical++;
	barrier();
	p = load(&rt->m[m].hold) - 1;
	if (p < rt->setup.nr_p && p_is_held_by(rt, p, m)) {
		word = load(&rt->p[p].word);
		store(&rt->m[m].hold, KGO_HOLD_NONE);
		store(&rt->p[p].word,
		      word_of(KGO_P_IDLE, m, word_seq(word) + 1));
		set_idle_bit(rt, p);
		dropped = true;
	}
	barrier();
	rt->m[m].critical--;
	return dropped;
}

/* Keep a thread on one CPU; 0 is the calling thread. */
static inline int pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

/* The module's reference count; -1 when it cannot be read. */
static inline int module_refs(void)
{
	FILE *file = fopen("/sys/module/kgo/refcnt", "r");
	int refs = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &refs) != 1)
		refs = -1;
	fclose(file);
	return refs;
}

/* Voluntary and involuntary context switches of a thread of this process. */
static inline long switches_of(pid_t tid)
{
	char path[64], line[128];
	long sum = 0, n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %ld", &n) == 1)
			sum += n;
	fclose(file);
	return sum;
}

/* Whether a thread of this process sleeps, and is off its CPU. */
static inline bool is_asleep(pid_t tid)
{
	char path[64], first = 'r';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	/* "running", or the number of the system call */
	if (fscanf(file, "%c", &first) != 1)
		first = 'r';
	fclose(file);
	return first != 'r';
}

#endif /* RUNTIME_H */
