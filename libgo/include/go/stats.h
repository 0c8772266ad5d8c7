/* SPDX-License-Identifier: MIT */
/*
 * What is going on.
 */
#ifndef GO_STATS_H
#define GO_STATS_H

#include <go/api.h>

/**
 * struct go_stats - what the runtime has done
 * @assist: "module" or "stand-in": who tells that a thread has blocked
 * @procs: processors
 * @threads: threads that run goroutines there are now
 * @threads_max: the most there were at a time
 * @handoffs: a processor went from a blocked thread to another
 * @steals: goroutines taken from another processor's queue
 * @switches: goroutines picked to run
 * @sysmon_retakes: handoffs that the monitor thread made
 */
struct go_stats {
	const char *assist;
	uint32_t procs;
	uint32_t threads;
	uint32_t threads_max;
	uint32_t reserved;
	uint64_t handoffs;
	uint64_t steals;
	uint64_t switches;
	uint64_t sysmon_retakes;
};

/**
 * go_stats_read() - read the counters
 * @st: where to
 *
 * Return: 0; -ESRCH if no runtime runs. Any thread.
 */
GO_API int go_stats_read(struct go_stats *st);

#endif /* GO_STATS_H */
