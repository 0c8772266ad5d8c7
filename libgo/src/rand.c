// SPDX-License-Identifier: MIT
/*
 * Random numbers: a state for each M, and one for each plain thread.
 */
#include "rand.h"
#include "runtime.h"

static uint64_t *rand_state(void)
{
	static __thread uint64_t own;
	struct m *m = m_self();

	if (m)
		return &m->rand;
	if (!own)
		own = (uintptr_t)&own * 0x9e3779b97f4a7c15ULL | 1;
	return &own;
}

uint32_t rand_below(uint32_t n)
{
	return (rand_next(rand_state()) >> 32) * n >> 32;
}
