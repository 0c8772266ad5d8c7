/* SPDX-License-Identifier: MIT */
/*
 * The number of Ps, and its changes.
 */
#ifndef GOMAXPROCS_H
#define GOMAXPROCS_H

#include "runtime.h"

/* Make the Ps' records, of which the first rt.nr_p come into use. */
int ps_make(void);
void ps_destroy(void);

/* The current M's P is not the only one any more: others may take from it. */
void p_meets_others(struct p *p);

/* The current M holds a P that is to go out of use: part them. */
void p_retire(struct m *m);

/* The number follows the CPUs, until it is set (the monitor, now and then). */
void procs_follow(void);

#endif /* GOMAXPROCS_H */
