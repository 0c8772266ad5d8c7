/* SPDX-License-Identifier: MIT */
/*
 * What the environment says: variables, CPUs, the cgroup's quota.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum assist_choice {
	ASSIST_AUTO,		/* the module if it is there */
	ASSIST_MODULE,		/* the module or nothing */
	ASSIST_STANDIN,
};

/**
 * struct settings - how to run
 * @procs: GOMAXPROCS, or the CPUs that the process may use
 * @procs_set: it is GOMAXPROCS
 * @cpus: CPUs in the affinity mask
 * @max_threads: LIBGO_MAXTHREADS, most Ms
 * @assist: LIBGO_ASSIST
 * @hold: Ms that return are to wait for a P in the kernel, of LIBGO_DEBUG
 * @sigquit: SIGQUIT is to dump all goroutines, of LIBGO_DEBUG
 * @deadlock: a deadlock is to be reported, of LIBGO_DEBUG
 * @schedtrace: milliseconds between lines of the trace, of LIBGO_DEBUG
 */
struct settings {
	uint32_t procs;
	bool procs_set;
	uint32_t cpus;
	uint32_t max_threads;
	enum assist_choice assist;
	uint32_t hold;
	uint32_t sigquit;
	uint32_t deadlock;
	uint32_t schedtrace;
};

/* The CPUs that a thread may use now, by its mask and its cgroup's quota. */
uint32_t settings_procs(pid_t tid);

/* Read them. -EINVAL if one makes no sense, named on standard error. */
int settings_read(struct settings *s);

#endif /* SETTINGS_H */
