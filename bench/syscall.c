// SPDX-License-Identifier: MIT
/*
 * What a system call costs that does not block: getpid, in a loop.
 *
 * The same loop runs in a goroutine of libgo's or in a plain thread, where no
 * runtime is started. It goes through libc's syscall(), which knows of neither.
 * The driver runs the two (and bench/go/syscall) in turn and compares medians:
 * a processor whose speed drifts does so for all of them.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <go.h>

#include "clock.h"

static long count = 10000000;
static int repeat = 1;
static const char *runtime = "thread";

static void measure(void)
{
	int64_t start;
	long i;
	int r;

	printf("{\"runtime\": \"%s\", \"count\": %ld, \"ns_per_call\": [",
	       runtime, count);
	for (r = 0; r < repeat; r++) {
		start = now();
		for (i = 0; i < count; i++)
			syscall(SYS_getpid);
		printf("%s%.3f", r ? ", " : "",
		       (double)(now() - start) / count);
	}
	printf("]}\n");
}

static void in_goroutine(void *arg)
{
	struct go_stats stats;

	(void)arg;
	if (go_stats_read(&stats))
		return;
	runtime = strcmp(stats.assist, "module") ? "fallback" : "kgo";
	measure();
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: syscall --runtime goroutine|thread [--count N] [--repeat N]\n"
		"Measures the cost of a system call that does not block.\n"
		"  --runtime  where the calls are made\n"
		"  --count    calls of a measurement (10000000)\n"
		"  --repeat   measurements (1)\n");
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "runtime", required_argument, NULL, 'R' },
		{ "count", required_argument, NULL, 'c' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *where = "";
	bool goroutine;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case 'R':
			where = optarg;
			break;
		case 'c':
			count = atol(optarg);
			break;
		case 'r':
			repeat = atoi(optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	goroutine = !strcmp(where, "goroutine");
	if ((!goroutine && strcmp(where, "thread")) || count < 1 ||
	    repeat < 1) {
		usage(stderr);
		return 2;
	}
	if (!goroutine) {
		measure();
		return 0;
	}
	err = go_run(in_goroutine, NULL);
	if (err) {
		fprintf(stderr, "syscall: go_run: %s\n", strerror(-err));
		return 1;
	}
	return 0;
}
