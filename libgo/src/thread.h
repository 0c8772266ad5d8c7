/* SPDX-License-Identifier: MIT */
/*
 * The threads that libgo makes.
 */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>

/* Start a thread with all signals blocked. 0, or a negative errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);

/* What each does first. */
void thread_begin(const char *name);

#endif /* THREAD_H */
