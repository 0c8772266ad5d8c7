/* SPDX-License-Identifier: MIT */
/*
 * Some latencies, added by many threads at a time.
 */
#ifndef BENCH_FUSE_LATENCY_H
#define BENCH_FUSE_LATENCY_H

#include <stdint.h>

#define LATENCIES_MAX	1000000

/**
 * struct latencies - the first LATENCIES_MAX of them; zeroed
 * @nr: how many were added
 * @ns: in nanoseconds
 */
struct latencies {
	uint32_t nr;
	uint32_t ns[LATENCIES_MAX];
};

/**
 * latencies_add() - one more
 * @l: all
 * @ns: how long it took, 4 s at most
 */
void latencies_add(struct latencies *l, int64_t ns);

/**
 * latencies_print() - quantiles, as members of an object of JSON on standard output
 * @l: all, to which none is added any more; they are sorted
 */
void latencies_print(struct latencies *l);

#endif /* BENCH_FUSE_LATENCY_H */
