/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An M that a test drives: a thread that enters and then does one job after the
 * other as it is asked. Between jobs it spins, so it never blocks by itself.
 */
#ifndef M_THREAD_H
#define M_THREAD_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include "runtime.h"

struct m_thread;
typedef int (*m_job)(struct m_thread *self);

/**
 * struct m_thread - an M that a test drives
 * @rt: its runtime
 * @thread: to join it
 * @tid: its thread id
 * @m: its index
 * @job: what it is to do; NULL: end
 * @arg: for the job to read
 * @p: from PARK
 * @reason: from PARK
 * @events: from WAIT
 * @result: what the job returned
 * @asked: jobs asked for
 * @done: jobs done
 */
struct m_thread {
	struct runtime *rt;
	pthread_t thread;
	pid_t tid;
	__u32 m;
	m_job job;
	void *arg;
	__u32 p;
	__u32 reason;
	__u32 events;
	int result;
	unsigned int asked;
	unsigned int done;
};

static inline void *m_thread_main(void *arg)
{
	struct m_thread *self = arg;
	unsigned int seen = 0;
	m_job job;

	self->tid = syscall(SYS_gettid);
	self->result = kgo_enter(self->rt->fd, &self->m);
	store(&self->done, ++seen);
	for (;;) {
		while (load(&self->asked) == seen)
			sched_yield();
		job = self->job;
		if (!job)
			return NULL;
		self->result = job(self);
		store(&self->done, ++seen);
	}
}

/* A thread with a small stack, so that many cost little. */
static inline int start_thread(pthread_t *thread, void *(*main)(void *),
			       void *arg)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 65536);
	ret = pthread_create(thread, &attr, main, arg);
	pthread_attr_destroy(&attr);
	return -ret;
}

static inline void m_ask(struct m_thread *self, m_job job, void *arg)
{
	self->job = job;
	self->arg = arg;
	store(&self->asked, self->asked + 1);
}

static inline bool m_is_done(struct m_thread *self)
{
	return load(&self->done) == self->asked;
}

/* What the job returned, when it has; -ETIMEDOUT when that takes too long. */
static inline int m_result(struct m_thread *self)
{
	return eventually(m_is_done(self)) ? self->result : -ETIMEDOUT;
}

static inline int m_do(struct m_thread *self, m_job job, void *arg)
{
	m_ask(self, job, arg);
	return m_result(self);
}

/* Start it and wait until it has entered; what ENTER returned. */
static inline int m_start(struct m_thread *self, struct runtime *rt)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->rt = rt;
	self->asked = 1;
	ret = start_thread(&self->thread, m_thread_main, self);
	return ret ? ret : m_result(self);
}

/* End its thread, as an M or not. */
static inline void m_exit(struct m_thread *self)
{
	m_ask(self, NULL, NULL);
	pthread_join(self->thread, NULL);
}

static inline int job_leave(struct m_thread *self)
{
	p_drop(self->rt, self->m);
	return kgo_leave(self->rt->fd);
}

/* Drop what it holds, leave and end; what LEAVE returned. */
static inline int m_end(struct m_thread *self)
{
	int ret = m_do(self, job_leave, NULL);

	if (ret != -ETIMEDOUT)
		m_exit(self);
	return ret;
}

static inline struct kgo_m *m_words(struct m_thread *self)
{
	return &self->rt->m[self->m];
}

static inline __u32 m_state(struct m_thread *self)
{
	return load(&m_words(self)->state);
}

/* Nothing more can be seen of one that waits for a job, on the CPU or for it. */
static inline bool m_is_runnable(struct m_thread *self)
{
	__u32 state = m_state(self);

	return state == KGO_M_RUNNING || state == KGO_M_PREEMPTED;
}

static inline __u32 m_hold(struct m_thread *self)
{
	return load(&m_words(self)->hold);
}

static inline bool m_holds(struct m_thread *self, __u32 p)
{
	return p_is_held_by(self->rt, p, self->m) && m_hold(self) == p + 1;
}

/* arg: the index of the P */
static inline int job_take(struct m_thread *self)
{
	return p_take(self->rt, self->m, (uintptr_t)self->arg);
}

static inline int m_take(struct m_thread *self, __u32 p)
{
	return m_do(self, job_take, (void *)(uintptr_t)p);
}

/* Let a returning M have an idle P, whether the kernel gives it or it takes it. */
static inline bool m_get(struct m_thread *self, __u32 p)
{
	return !m_take(self, p) || m_holds(self, p);
}

static inline int job_drop(struct m_thread *self)
{
	return p_drop(self->rt, self->m) ? 0 : -ESRCH;
}

static inline int job_park(struct m_thread *self)
{
	return kgo_park(self->rt->fd, &self->p, &self->reason);
}

static inline int job_wait(struct m_thread *self)
{
	return kgo_wait(self->rt->fd, (uintptr_t)self->arg, &self->events);
}

/* Whether it is a spare and sleeps. */
static inline bool m_is_parked(struct m_thread *self)
{
	return m_state(self) == KGO_M_SPARE && is_asleep(self->tid);
}

/* Park it, and wait until it sleeps. */
static inline bool m_park(struct m_thread *self)
{
	m_ask(self, job_park, NULL);
	return eventually(m_is_parked(self));
}

static inline void m_wait(struct m_thread *self, __u32 events)
{
	m_ask(self, job_wait, (void *)(uintptr_t)events);
}

static inline void m_signal(struct m_thread *self, int signo)
{
	syscall(SYS_tgkill, getpid(), self->tid, signo);
}

/* Signals that do nothing but interrupt. */
static inline void signal_does_nothing(int signo)
{
	(void)signo;
}

static inline void signals_interrupt(int signo, int flags)
{
	struct sigaction action = {
		.sa_handler = signal_does_nothing,
		.sa_flags = flags,
	};

	sigaction(signo, &action, NULL);
}

/* Interrupt what it does until that has ended; what the job returned. */
static inline int m_interrupt(struct m_thread *self)
{
	signals_interrupt(SIGUSR1, 0);
	until_limit(m_is_done(self),
		    { m_signal(self, SIGUSR1); nap_ns(200 * 1000); });
	return m_is_done(self) ? self->result : -ETIMEDOUT;
}

#endif /* M_THREAD_H */
