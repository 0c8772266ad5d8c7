// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#define MILLISECOND	1000000LL
#define MAX_NOTES	4
#define MAX_GROWTH	100	/* of the number of operations, from one try to the next */

static char **params;

static struct {
	const char *name;
	double value;
} notes[MAX_NOTES];
static int nr_notes;

void measure_fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000 * MILLISECOND + ts.tv_nsec;
}

int64_t measure_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void list(const struct kind *kinds, const char *version)
{
	const struct kind *k;

	printf("{\"version\": \"%s\", \"kinds\": [", version);
	for (k = kinds; k->name; k++)
		printf("%s\"%s\"", k == kinds ? "" : ", ", k->name);
	printf("]}\n");
}

const struct kind *measure_open(int argc, char **argv,
				const struct kind *kinds, const char *version)
{
	const struct kind *k;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		fprintf(argc < 2 ? stderr : stdout,
			"usage: %s --list | KIND NAME=VALUE...\n"
			"Measures one kind of work. bench/bench calls it; bench/rows.py has the kinds.\n",
			program_invocation_short_name);
		exit(argc < 2 ? 2 : 0);
	}
	if (!strcmp(argv[1], "--list")) {
		list(kinds, version);
		exit(0);
	}
	params = argv + 2;
	for (k = kinds; k->name; k++)
		if (!strcmp(argv[1], k->name))
			return k;
	measure_fail("there is no kind '%s' (see --list)", argv[1]);
}

long measure_param(const char *name)
{
	size_t len = strlen(name);
	char **p, *end;
	long value;

	for (p = params; *p; p++) {
		if (strncmp(*p, name, len) || (*p)[len] != '=')
			continue;
		value = strtol(*p + len + 1, &end, 10);
		if (*end || end == *p + len + 1 || value < 0)
			measure_fail("%s: not a number", *p);
		return value;
	}
	measure_fail("no %s=NUMBER is given", name);
}

/* Enough for the time wanted and a little more. */
static long more_ops(long ops, int64_t wall, int64_t wanted)
{
	double more = 1.2 * wanted / (wall > 0 ? wall : 1);

	return ops * (more > MAX_GROWTH ? MAX_GROWTH : more) + 1;
}

void measure(const struct kind *kind)
{
	int64_t wanted = measure_param("min_ms") * MILLISECOND;
	int64_t cpu, wall;
	long ops, next = 1;
	int i;

	for (;;) {
		nr_notes = 0;
		cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		wall = measure_now();
		ops = kind->run(next);
		wall = measure_now() - wall;
		cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		if (kind->once || wall >= wanted)
			break;
		next = more_ops(ops, wall, wanted);
	}
	printf("{\"ops\": %ld, \"wall_ns\": %lld, \"cpu_ns\": %lld", ops,
	       (long long)wall, (long long)cpu);
	for (i = 0; i < nr_notes; i++)
		printf(", \"%s\": %.1f", notes[i].name, notes[i].value);
	printf("}\n");
	if (fflush(stdout))
		measure_fail("cannot write the report: %s", strerror(errno));
}

void measure_note(const char *name, double value)
{
	if (nr_notes == MAX_NOTES)
		measure_fail("too many figures");
	notes[nr_notes].name = name;
	notes[nr_notes++].value = value;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void measure_note_lateness(int64_t *late, long n)
{
	qsort(late, n, sizeof(*late), compare);
	if (late[0] < 0)
		measure_fail("a sleeper woke %lld ns too early",
			     (long long)-late[0]);
	measure_note("late_p50_ns", late[(n - 1) / 2]);
	measure_note("late_p99_ns", late[(n - 1) * 99 / 100]);
}

long measure_memory(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long total = 0, kib;
	int found = 0;

	if (!f)
		measure_fail("/proc/self/status: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %ld kB", &kib) == 1 ||
		    sscanf(line, "VmPTE: %ld kB", &kib) == 1) {
			total += kib * 1024;
			found++;
		}
	}
	fclose(f);
	if (found != 2)
		measure_fail("/proc/self/status has no VmRSS or VmPTE");
	return total;
}
