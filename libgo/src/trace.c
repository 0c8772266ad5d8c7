// SPDX-License-Identifier: MIT
/*
 * The trace of the scheduler: a line every so often, in the words of Go's
 * GODEBUG=schedtrace, on standard error.
 */
#include <stdio.h>

#include "globq.h"
#include "proc.h"
#include "runtime.h"
#include "trace.h"

static int64_t trace_began, trace_next;

void trace_start(void)
{
	trace_began = go_now();
	trace_next = rt.trace ? trace_began : INT64_MAX;
}

static uint32_t runq_len(const struct p *p)
{
	const struct kgo_p *w = p->words;
	uint32_t head = __atomic_load_n(&w->runq_head, __ATOMIC_RELAXED);
	uint32_t tail = __atomic_load_n(&w->runq_tail, __ATOMIC_RELAXED);

	return tail - head + !!__atomic_load_n(&w->runnext, __ATOMIC_RELAXED);
}

static void trace_print(int64_t now)
{
	uint32_t i, n = procs();

	fprintf(stderr,
		"SCHED %lldms: gomaxprocs=%u idleprocs=%u threads=%u spinningthreads=%u idlethreads=%u runqueue=%u [",
		(long long)((now - trace_began) / GO_MILLISECOND), n,
		p_count_idle(), __atomic_load_n(&rt.nr_m, __ATOMIC_RELAXED),
		__atomic_load_n(&rt.shared->nr_spinning, __ATOMIC_RELAXED),
		__atomic_load_n(&rt.shared->nr_spare, __ATOMIC_RELAXED),
		globq_len());
	for (i = 0; i < n; i++)
		fprintf(stderr, "%s%u", i ? " " : "", runq_len(&rt.ps[i]));
	fputs("]\n", stderr);
}

int64_t trace_check(void)
{
	int64_t now;

	if (trace_next == INT64_MAX)
		return INT64_MAX;
	now = go_now();
	if (now >= trace_next) {
		trace_print(now);
		trace_next = now + rt.trace * GO_MILLISECOND;
	}
	return trace_next;
}
