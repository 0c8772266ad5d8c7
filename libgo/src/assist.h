/* SPDX-License-Identifier: MIT */
/*
 * The assist: who tells that an M has blocked and moves its P. Either the module
 * (assist_module.c), or, where there is none, the stand-in, for which the monitor
 * finds that out (assist_standin.c, retake.c). Nothing else in libgo knows which of
 * the two it is.
 *
 * Spares are Ms that are parked in the assist. A P is given to a spare when its
 * owner blocks, and when somebody asks for it by wake().
 */
#ifndef ASSIST_H
#define ASSIST_H

#include "runtime.h"

/**
 * struct assist - the interface of both
 * @name: for reports
 * @retake_after: nanoseconds that a goroutine has a P before the monitor looks
 *	whether its M is blocked
 * @patience: nanoseconds between the monitor's looks, while something happens
 * @patience_max: the most that grows to while nothing does
 * @idle_looks: looks at idle Ps alone before the monitor sleeps until it is
 *	woken, which is on the way of the first goroutine that runs then
 * @start: provide rt.shared, rt.p_words and rt.m_words for rt.nr_p_max Ps and
 *	rt.nr_m_max Ms; a negative errno on failure
 * @stop: give that back
 * @enter: make the calling thread an M: sets m->words and m->index
 * @leave: the opposite
 * @park: wait until the M, which holds no P, has one; returns KGO_PARK_* with
 *	the P's index in *p. In a critical section.
 * @wake: give an idle P to a spare. 0; -EAGAIN if there is none: the next M to
 *	park gets it, and one is asked for; -EBUSY if the P is not idle any more
 * @pass: give a P to the M that the kernel has held longest at its return from a block:
 *	an idle P, or the caller's own. 0; -EAGAIN if none is held; -EBUSY if the P is
 *	not idle. Called only if p_wanted() says that some are
 * @wait: block until more spares are needed, or the monitor, which is true then; any
 *	thread that is no goroutine's
 * @handoffs: how many handoffs there were; NULL if the monitor makes them
 */
struct assist {
	const char *name;
	int64_t retake_after;
	int64_t patience;
	int64_t patience_max;
	uint32_t idle_looks;
	int (*start)(void);
	void (*stop)(void);
	int (*enter)(struct m *m);
	void (*leave)(struct m *m);
	uint32_t (*park)(struct m *m, uint32_t *p);
	int (*wake)(uint32_t p, bool spinning);
	int (*pass)(uint32_t p);
	bool (*wait)(void);
	uint64_t (*handoffs)(void);
};

extern const struct assist assist_module;
extern const struct assist assist_standin;

#endif /* ASSIST_H */
