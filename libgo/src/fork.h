/* SPDX-License-Identifier: MIT */
/*
 * What is left of the runtime in a child of fork(): nothing.
 *
 * The child has one thread. Whatever the others held or were in the middle of
 * stays so, goroutines that wait never wake, and the module's pages are not there
 * at all. So in a child that was forked while a runtime ran, calls that need one,
 * or a lock, or somebody else to go on, return -ESRCH.
 */
#ifndef FORK_H
#define FORK_H

#include <stdbool.h>

/* This is such a child. Set once, while it has one thread. */
extern bool forked;

/* 0, or why children could not be told that they are. */
int fork_watched(void);

#endif /* FORK_H */
