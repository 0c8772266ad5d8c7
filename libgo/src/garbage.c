// SPDX-License-Identifier: MIT
/*
 * Memory that is freed later: a list that grows at its head and is taken as a whole.
 * The next call that allocates of the kind that leaves something here frees all that
 * there is, so there is never more of it than once was in use.
 */
#include <stdlib.h>

#include "garbage.h"
#include "runtime.h"

struct garbage {
	struct garbage *next;
};

static struct garbage *garbage;

void garbage_defer(void *mem)
{
	struct garbage *item = mem;

	item->next = __atomic_load_n(&garbage, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&garbage, &item->next, item, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void garbage_put(void *mem)
{
	struct m *m = m_self();

	if (m && m->words->critical)
		garbage_defer(mem);
	else
		free(mem);
}

void garbage_collect(void)
{
	struct garbage *item, *next;

	if (likely(!__atomic_load_n(&garbage, __ATOMIC_RELAXED)))
		return;
	item = __atomic_exchange_n(&garbage, NULL, __ATOMIC_ACQUIRE);
	for (; item; item = next) {
		next = item->next;
		free(item);
	}
}
