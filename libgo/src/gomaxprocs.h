/* SPDX-License-Identifier: MIT */
/*
 * The number of Ps, and its changes.
 */
#ifndef GOMAXPROCS_H
#define GOMAXPROCS_H

#include "runtime.h"

/* Make the Ps' records, of which the first rt.nr_p come into use. */
int ps_make(void);
void ps_drop_timers(void);
void ps_destroy(void);

/* Has the number of Ps changed since p_follow()? By the P's owner. */
static inline bool procs_changed(const struct p *p)
{
	return p->procs_seen != procs();
}

/*
 * See to what a change means for the current M's P. False if it has gone out of use; the
 * M has none then.
 */
bool p_follow(struct m *m);

/* The number follows the CPUs, until it is set (the monitor, now and then). */
void procs_follow(void);

#endif /* GOMAXPROCS_H */
