// SPDX-License-Identifier: MIT
/*
 * Random reads of a mapped file with libgo: a goroutine for each reader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <go.h>

#include "pages.h"

static struct pages pages;
static struct reader *readers;
static struct go_waitgroup ended;
static const char *runtime;

static void die(const char *what, int ret)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void read_on(void *arg)
{
	pages_read(arg);
	go_waitgroup_done(&ended);
}

static void run(void *arg)
{
	int64_t begun = go_now();
	struct go_stats stats;
	int i, ret;

	ret = go_stats_read(&stats);
	if (ret)
		die("go_stats_read", ret);
	runtime = strcmp(stats.assist, "module") ? "fallback" : "kgo";

	go_waitgroup_add(&ended, pages.readers);
	for (i = 0; i < pages.readers; i++) {
		ret = go_spawn(read_on, &readers[i]);
		if (ret)
			die("go_spawn", ret);
	}
	go_sleep(pages.ms * GO_MILLISECOND);
	__atomic_store_n(&pages.stop, 1, __ATOMIC_RELAXED);
	go_waitgroup_wait(&ended);
	*(int64_t *)arg = go_now() - begun;
}

int main(int argc, char **argv)
{
	char procs[16];
	int64_t ns;
	int ret;

	readers = pages_open(&pages, argc, argv);
	snprintf(procs, sizeof(procs), "%d", pages.procs);
	setenv("GOMAXPROCS", procs, 1);
	ret = go_run(run, &ns);
	if (ret)
		die("go_run", ret);
	pages_report(&pages, readers, runtime, ns);
	return 0;
}
