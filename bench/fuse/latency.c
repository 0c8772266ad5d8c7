// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "latency.h"

void latencies_add(struct latencies *l, int64_t ns)
{
	uint32_t i = __atomic_fetch_add(&l->nr, 1, __ATOMIC_RELAXED);

	if (i < LATENCIES_MAX)
		l->ns[i] = ns < UINT32_MAX ? ns : UINT32_MAX;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void latencies_print(struct latencies *l)
{
	uint32_t nr = l->nr < LATENCIES_MAX ? l->nr : LATENCIES_MAX;

	qsort(l->ns, nr, sizeof(*l->ns), compare);
	printf("\"nr\": %u, \"p50_ns\": %u, \"p90_ns\": %u, \"p99_ns\": %u",
	       l->nr, nr ? l->ns[nr / 2] : 0, nr ? l->ns[nr * 9ULL / 10] : 0,
	       nr ? l->ns[nr * 99ULL / 100] : 0);
}
