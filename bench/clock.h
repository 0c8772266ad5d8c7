/* SPDX-License-Identifier: MIT */
/*
 * The clock of the programs that are written in C.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

/* On CLOCK_MONOTONIC, in nanoseconds. */
static inline int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

#endif /* BENCH_CLOCK_H */
