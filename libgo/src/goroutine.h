/* SPDX-License-Identifier: MIT */
/*
 * Goroutines: where they come from and where they go.
 */
#ifndef GOROUTINE_H
#define GOROUTINE_H

#include "runtime.h"

/* A goroutine that is ready to be queued; NULL if there is no memory. @m is NULL
 * in a plain thread.
 */
struct g *g_make(struct m *m, go_fn fn, void *arg, const char *name,
		 uint32_t class);

/* It is about to run for the first time: give it a stack. */
void g_begin(struct m *m, struct g *g);

/* One that has ended and whose stack is not in use any more. */
void g_free(struct m *m, struct g *g);

/* On the stack of one that has ended: it is the stack of another one now, which runs.
 * False if that has a stack.
 */
bool g_inherit(struct m *m, struct g *prev, struct g *next);

/* The P gives back all that it keeps. */
void p_free_all(struct p *p);

#endif /* GOROUTINE_H */
