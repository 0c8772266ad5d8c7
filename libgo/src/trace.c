// SPDX-License-Identifier: MIT
/*
 * The trace of the scheduler: a line every so often, in the words of Go's
 * GODEBUG=schedtrace, on standard error.
 */
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "globq.h"
#include "proc.h"
#include "report.h"
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

static void trace_number(struct report *r, const char *before, uint64_t n)
{
	report_text(r, before);
	report_number(r, n);
}

/* Not by stdio: a goroutine that was stopped may have the lock of standard error. */
static void trace_print(int64_t now)
{
	struct report r = { .fd = STDERR_FILENO, .waits_not = true };
	uint32_t i, n = procs();

	trace_number(&r, "SCHED ", (now - trace_began) / GO_MILLISECOND);
	trace_number(&r, "ms: gomaxprocs=", n);
	trace_number(&r, " idleprocs=", p_count_idle());
	trace_number(&r, " threads=",
		     __atomic_load_n(&rt.nr_m, __ATOMIC_RELAXED));
	trace_number(&r, " spinningthreads=",
		     __atomic_load_n(&rt.shared->nr_spinning, __ATOMIC_RELAXED));
	trace_number(&r, " idlethreads=",
		     __atomic_load_n(&rt.shared->nr_spare, __ATOMIC_RELAXED));
	trace_number(&r, " runqueue=", globq_len());
	report_text(&r, " [");
	for (i = 0; i < n; i++)
		trace_number(&r, i ? " " : "", runq_len(&rt.ps[i]));
	report_text(&r, "]\n");
	report_flush(&r);
}

/* The monitor must not wait for who reads, so a line for that there is no room is lost. */
static bool trace_has_room(void)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT;
}

int64_t trace_check(void)
{
	int64_t now;

	if (trace_next == INT64_MAX)
		return INT64_MAX;
	now = go_now();
	if (now >= trace_next) {
		if (trace_has_room())
			trace_print(now);
		trace_next = now + rt.trace * GO_MILLISECOND;
	}
	return trace_next;
}
