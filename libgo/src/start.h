/* SPDX-License-Identifier: MIT */
/*
 * The start and the end of the runtime.
 */
#ifndef START_H
#define START_H

#include <stdbool.h>

struct g;

/* Is it the main goroutine? */
bool g_is_main(const struct g *g);

/* Is a call of go_run() under way, or are threads of an earlier one left? */
bool run_active(void);

/* The main goroutine ends: stop the runtime. */
void main_ended(void);

#endif /* START_H */
