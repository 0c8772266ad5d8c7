/* SPDX-License-Identifier: MIT */
/*
 * Memory of malloc() that is no longer needed, where free() must not be called: in a
 * critical section, and by the monitor. A goroutine that was stopped in malloc() may
 * have its lock, and needs a P, or the monitor, to go on.
 */
#ifndef GARBAGE_H
#define GARBAGE_H

/* Free it, here if that is allowed and else later. At least a pointer long. Any thread. */
void garbage_put(void *mem);

/* To be freed later: for who may never call free(). */
void garbage_defer(void *mem);

/* Free what was left for later. Before what makes such memory, and at the end. */
void garbage_collect(void);

#endif /* GARBAGE_H */
