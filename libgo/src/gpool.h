/* SPDX-License-Identifier: MIT */
/*
 * Where the records of goroutines come from.
 */
#ifndef GPOOL_H
#define GPOOL_H

#include "runtime.h"

/* Fill an empty list with dead goroutines, P_BATCH of them or at least one.
 * Returns -ENOMEM if there is none. Any thread.
 */
int gpool_get(struct g_list *list);

/* One; NULL if there is no memory. */
struct g *gpool_get_one(void);

/* Give them back. */
void gpool_put(struct g_list *list);

/* Visit all goroutines that there are or have been. Any thread. */
void gpool_walk(void (*visit)(struct g *g, void *arg), void *arg);

/* The end of the runtime. */
void gpool_destroy(void);

#endif /* GPOOL_H */
