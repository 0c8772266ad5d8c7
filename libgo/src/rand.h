/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for fairness, not for secrets.
 */
#ifndef RAND_H
#define RAND_H

#include <stdint.h>

/* The state of xorshift64 (Marsaglia 2003), never zero. */
static inline uint64_t rand_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A number from 0 to n - 1, of the calling thread's. */
uint32_t rand_below(uint32_t n);

#endif /* RAND_H */
