/* SPDX-License-Identifier: MIT */
/*
 * Faults: a stack that is used up is reported, what cannot be read is given up,
 * all others are the program's.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

struct g;

/* From the beginning of go_run() to its end. */
void fault_start(void);
void fault_stop(void);

/*
 * A stack for signals' handlers, for a thread that runs goroutines: theirs may be
 * small, or used up. NULL if there is no memory.
 */
void *fault_stack_make(void);
void fault_stack_free(void *stack);

/* Give it to this thread, and take it away again. */
void fault_stack_use(void *stack);
void fault_stack_leave(void *stack);

/* Call a function that may read what is not there. Returns whether all was. */
bool fault_catch(void (*fn)(void *arg), void *arg);

/* A goroutine has left a stack that has no guard, and does not run. */
__attribute__((noreturn, cold)) void overflow_found(struct g *g);

#endif /* FAULT_H */
