/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ms that live at random: they take Ps, work in critical sections, block with
 * and without work left, wake spares, park, and where asked to, die. Each time
 * one believes to hold a P it checks that nobody else does.
 */
#ifndef M_LIFE_H
#define M_LIFE_H

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include "m_thread.h"
#include "random.h"

#define LIFE_MAX_M	64
#define LIFE_MAX_P	64

struct m_life;

struct m_life_thread {
	struct m_life *life;
	pthread_t thread;
	pid_t tid;
	__u32 m;
	__u32 random;
	bool ended;
};

/**
 * struct m_life - Ms that live at random
 * @rt: their runtime; its Ps are in use
 * @checked: what the words say is to be believed, and checked
 * @mortal: now and then one ends without LEAVE
 * @stop: all end
 * @token: a pipe with one token, which each reads and writes back
 * @owner: by P, the M that is in a section on it, plus one
 * @sections: critical sections there were
 * @violations: times that something was not as it must be
 * @what: the first of them
 * @what_p: the P it was about
 * @nr: threads
 * @threads: they
 */
struct m_life {
	struct runtime *rt;
	bool checked;
	bool mortal;
	bool stop;
	int token[2];
	__u32 owner[LIFE_MAX_P];
	unsigned int sections;
	unsigned int violations;
	const char *what;
	__u32 what_p;
	unsigned int nr;
	struct m_life_thread threads[LIFE_MAX_M];
};

static inline void life_check(struct m_life *life, bool good, __u32 p,
			      const char *what)
{
	if (good || !life->checked)
		return;
	if (!__atomic_fetch_add(&life->violations, 1, __ATOMIC_SEQ_CST)) {
		life->what = what;
		life->what_p = p;
	}
}

/* The P that an M holds, by what its words say; nr_p when it holds none. */
static inline __u32 life_held(struct m_life_thread *self)
{
	struct runtime *rt = self->life->rt;
	__u32 p = load(&rt->m[self->m].hold) - 1;

	if (p < rt->setup.nr_p && p_is_held_by(rt, p, self->m))
		return p;
	return rt->setup.nr_p;
}

static inline void life_block(struct m_life_thread *self)
{
	struct timespec time = { .tv_nsec = random_next(&self->random) % 100000 };
	struct m_life *life = self->life;
	__u32 never = 0;
	char token;

	switch (random_next(&self->random) % 4) {
	case 0:
		nanosleep(&time, NULL);
		break;
	case 1:
		syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &time, NULL,
			0);
		break;
	case 2:
		if (read(life->token[0], &token, 1) == 1 &&
		    write(life->token[1], &token, 1) != 1)
			perror("token");
		break;
	default:
		sched_yield();
	}
}

/* Change at random what the kernel reads as hints that there is work. */
static inline void life_hint(struct m_life_thread *self, __u32 p)
{
	struct runtime *rt = self->life->rt;
	__u32 random = random_next(&self->random);

	switch (random % 8) {
	case 0:
		store(&rt->words->globq_len, random >> 8 & 1);
		break;
	case 1:
		store(&rt->words->polling, random >> 8 & 1);
		break;
	case 2:
		store(&rt->words->nr_spinning, random >> 8 & 1);
		break;
	case 3:
		store(&rt->words->net_waiters, random >> 8 & 1);
		break;
	case 4:
		store(&rt->p[p].timers, random >> 8 & 1);
		break;
	case 5:
		store(&rt->p[p].runq_tail, random >> 8 & 1);
		break;
	default:
		store(&rt->p[p].runnext, random >> 8 & 1);
	}
}

static inline void life_wake(struct runtime *rt, __u32 *random)
{
	__u32 p = random_next(random) % rt->setup.nr_p, m;

	if (idle_bit(rt, p))
		kgo_wake(rt->fd, p, random_next(random) & KGO_WAKE_SPINNING,
			 &m);
}

/* Be the owner of a P for a moment, and check that nobody else is. */
static inline void life_section(struct m_life_thread *self, __u32 p)
{
	struct m_life *life = self->life;
	struct kgo_p *words = &life->rt->p[p];
	__u32 me = self->m + 1, n;
	__u64 word = load(&words->word);

	__atomic_fetch_add(&life->sections, 1, __ATOMIC_RELAXED);
	life_check(life, !__atomic_exchange_n(&life->owner[p % LIFE_MAX_P], me,
					      __ATOMIC_SEQ_CST),
		   p, "two owners as a section begins");
	for (n = random_next(&self->random) % 64; n; n--)
		life_check(life, load(&words->word) == word, p,
			   "its word was changed by another");
	if (random_next(&self->random) % 8 == 0) {
		life_block(self);
		life_check(life, load(&words->word) == word, p,
			   "taken in a critical section");
	}
	life_check(life, load(&life->owner[p % LIFE_MAX_P]) == me, p,
		   "two owners as a section ends");
	store(&life->owner[p % LIFE_MAX_P], 0);
}

static inline void life_get_p(struct m_life_thread *self)
{
	struct runtime *rt = self->life->rt;
	__u32 p, reason;

	if (random_next(&self->random) % 2) {
		for (p = 0; p < rt->setup.nr_p; p++)
			if (idle_bit(rt, p) && p_take(rt, self->m, p) != -EBUSY)
				return;
	}
	if (load(&self->life->stop))
		return;
	/* in a critical section, so that no block comes before the check */
	rt->m[self->m].critical++;
	barrier();
	if (!kgo_park(rt->fd, &p, &reason))
		life_check(self->life,
			   p < rt->setup.nr_p && life_held(self) == p, p,
			   "PARK gave a P that is another's");
	barrier();
	rt->m[self->m].critical--;
}

/* One step of its life; false when it dies. */
static inline bool life_step(struct m_life_thread *self)
{
	struct runtime *rt = self->life->rt;
	struct kgo_m *words = &rt->m[self->m];
	__u32 p, m;

	words->critical++;
	barrier();
	p = life_held(self);
	if (p < rt->setup.nr_p) {
		life_section(self, p);
		life_hint(self, p);
	}
	barrier();
	words->critical--;

	if (p == rt->setup.nr_p) {
		life_get_p(self);
		return true;
	}
	switch (random_next(&self->random) % 16) {
	case 0:
		/* unless it has lost it since */
		kgo_pass(rt->fd, p, &m);
		p_drop(rt, self->m);
		kgo_pass(rt->fd, p, &m);
		break;
	case 1:
	case 2:
		life_wake(rt, &self->random);
		break;
	case 3:
		if (self->life->mortal && random_next(&self->random) % 4 == 0)
			return false;
		break;
	default:
		life_block(self);
	}
	return true;
}

static inline void *m_life_main(void *arg)
{
	struct m_life_thread *self = arg;
	struct m_life *life = self->life;
	int ret;

	self->tid = syscall(SYS_gettid);
	/* the slot of one that died is free some time after */
	ret = -ENOSPC;
	while (!load(&life->stop) && ret == -ENOSPC)
		ret = kgo_enter(life->rt->fd, &self->m);
	if (!ret) {
		while (!load(&life->stop))
			if (!life_step(self))
				goto died;
		/* scribbled words may let LEAVE fail; then the M just ends */
		life->rt->m[self->m].critical = 0;
		p_drop(life->rt, self->m);
		ret = kgo_leave(life->rt->fd);
	}
	life_check(life, !ret || ret == -ENOSPC, 0, "ENTER or LEAVE failed");
died:
	store(&self->ended, true);
	return NULL;
}

static inline int m_life_start(struct m_life *life, unsigned int nr,
			       __u32 seed)
{
	unsigned int i;
	int ret;

	signals_interrupt(SIGUSR1, 0);
	if (pipe2(life->token, O_CLOEXEC) || write(life->token[1], "", 1) != 1)
		return -errno;
	life->nr = nr;
	for (i = 0; i < nr; i++) {
		struct m_life_thread *thread = &life->threads[i];

		thread->life = life;
		thread->random = (seed + i) * 2654435761U | 1;
		ret = start_thread(&thread->thread, m_life_main, thread);
		if (ret)
			return ret;
	}
	return 0;
}

/* Start those that died again. */
static inline void m_life_renew(struct m_life *life)
{
	unsigned int i;

	for (i = 0; i < life->nr; i++) {
		struct m_life_thread *thread = &life->threads[i];

		if (!load(&thread->ended))
			continue;
		pthread_join(thread->thread, NULL);
		store(&thread->ended, false);
		if (start_thread(&thread->thread, m_life_main, thread))
			abort();
	}
}

/* Let them live so long, with wake-ups and signals from outside. */
static inline void m_life_tend(struct m_life *life, long seconds)
{
	__u64 end = now_ns() + seconds * 1000000000ULL;
	__u32 random = life->threads[0].random;

	while (now_ns() < end) {
		life_wake(life->rt, &random);
		if (random_next(&random) % 4 == 0)
			syscall(SYS_tgkill, getpid(),
				load(&life->threads[random % life->nr].tid),
				SIGUSR1);
		if (life->mortal)
			m_life_renew(life);
		nap_ns(200 * 1000);
	}
}

/* End all of them. */
static inline int m_life_stop(struct m_life *life)
{
	unsigned int i;

	store(&life->stop, true);
	for (i = 0; i < life->nr; i++) {
		struct m_life_thread *thread = &life->threads[i];
		bool ended = until_limit(load(&thread->ended),
					 { syscall(SYS_tgkill, getpid(),
						   thread->tid, SIGUSR1);
					   nap_ns(200 * 1000); });

		if (!ended)
			return -ETIMEDOUT;
		pthread_join(thread->thread, NULL);
	}
	close(life->token[0]);
	close(life->token[1]);
	return 0;
}

#endif /* M_LIFE_H */
