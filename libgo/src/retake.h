/* SPDX-License-Identifier: MIT */
/*
 * Taking a P from an M that is blocked, without the kernel's help.
 */
#ifndef RETAKE_H
#define RETAKE_H

#include "runtime.h"

/**
 * struct watch - what the monitor keeps for each P
 * @tick: the P's tick at the last look
 * @word: the P's word then
 * @since: since when both are what they are
 * @counted: when the P's picks of goroutines were counted last
 * @counted_tick: its tick then
 * @computes: they were too few for it to see itself when its timers are due
 * @tid: the proc_tid() of the thread whose state it read last for that P
 * @fd: that thread's file in /proc that tells, or -1
 */
struct watch {
	uint32_t tick;
	uint64_t word;
	int64_t since;
	int64_t counted;
	uint32_t counted_tick;
	bool computes;
	pid_t tid;
	int fd;
};

static inline void watch_init(struct watch *w)
{
	*w = (struct watch){ .fd = -1 };
}

void watch_destroy(struct watch *w);

/* Is that M blocked, as far as can be seen? The monitor only. */
bool m_blocked(uint32_t m, struct watch *w);

/* The same of a thread that has that proc_tid(). */
bool thread_blocked(struct watch *w, pid_t tid);

/*
 * The calling thread's id in /proc, which may be mounted for another namespace of
 * processes than the thread's own.
 */
pid_t proc_tid(void);

/* Take a running P whose word was that, if its owner is blocked outside of a
 * critical section. Returns whether it was taken. The monitor only.
 */
bool retake(struct p *p, uint64_t word, struct watch *w);

#endif /* RETAKE_H */
