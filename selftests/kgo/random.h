/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that a seed repeats. */
#ifndef RANDOM_H
#define RANDOM_H

#include <linux/types.h>

/* xorshift32; the state is never zero */
static inline __u32 random_next(__u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/*
 * Steps of spin() between two events that are to meet: 0 to 2^17, each power of
 * two as likely as the next, so some pairs are closer than a system call and some
 * further apart than a signal takes to be handled, be the machine fast or slow.
 */
static inline int random_distance(__u32 *state)
{
	__u32 most = 1U << random_next(state) % 18;

	return random_next(state) % most;
}

#endif /* RANDOM_H */
