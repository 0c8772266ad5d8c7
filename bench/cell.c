// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"

#define MILLISECOND	1000000LL
#define WARM_UP		3

static const char *const setting_names[NR_SETTINGS] = {
	"hot", "idle", "busy", "other"
};

static const struct {
	int procs;
	int64_t pause;
	int64_t block;
} settings[NR_SETTINGS] = {
	[SETTING_HOT]	= { 1, 0, 5 * MILLISECOND },
	[SETTING_IDLE]	= { 1, 100 * MILLISECOND, 5 * MILLISECOND },
	[SETTING_BUSY]	= { 1, 100 * MILLISECOND, 50 * MILLISECOND },
	[SETTING_OTHER]	= { 2, 100 * MILLISECOND, 50 * MILLISECOND },
};

static void usage(FILE *to, const char *about)
{
	fprintf(to,
		"usage: %s --way WAY --setting SETTING [options]\n"
		"%s\n"
		"  --way WAY          nanosleep, pipe, futex, userfault, disk, flock\n"
		"  --setting SETTING  hot, idle, busy, other\n"
		"  --rounds N         rounds that count (40)\n"
		"  --foreign FILE     the foreign process's program (./foreign)\n"
		"  --disk FILE        a file of 4 MiB or more on the throttled disk\n"
		"  --rate BYTES       what that disk reads per second\n",
		program_invocation_short_name, about);
}

static int index_of(const char *name, const char *const *names, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return i;
	fprintf(stderr, "%s: there is no '%s' (see --help)\n",
		program_invocation_short_name, name);
	exit(2);
}

void cell_open(struct cell *c, int argc, char **argv, const char *about)
{
	static const struct option long_options[] = {
		{ "way", required_argument, NULL, 'w' },
		{ "setting", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "foreign", required_argument, NULL, 'f' },
		{ "disk", required_argument, NULL, 'd' },
		{ "rate", required_argument, NULL, 'R' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct way_options o = { .way = NR_WAYS, .foreign = "./foreign" };
	int opt;

	memset(c, 0, sizeof(*c));
	c->setting = NR_SETTINGS;
	c->rounds = 40;
	c->warm = WARM_UP;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case 'w':
			o.way = index_of(optarg, way_names, NR_WAYS);
			break;
		case 's':
			c->setting = index_of(optarg, setting_names,
					      NR_SETTINGS);
			break;
		case 'r':
			c->rounds = atoi(optarg);
			break;
		case 'f':
			o.foreign = optarg;
			break;
		case 'd':
			o.disk = optarg;
			break;
		case 'R':
			o.rate = atoll(optarg);
			break;
		case 'h':
			usage(stdout, about);
			exit(0);
		default:
			exit(2);
		}
	}
	if (o.way == NR_WAYS || c->setting == NR_SETTINGS || c->rounds < 1 ||
	    optind < argc) {
		usage(stderr, about);
		exit(2);
	}
	c->pause = settings[c->setting].pause;
	c->latency = calloc(c->rounds, sizeof(*c->latency));
	c->block = calloc(c->rounds, sizeof(*c->block));
	if (!c->latency || !c->block) {
		perror("memory");
		exit(1);
	}
	way_open(&c->way, &o, settings[c->setting].block);
}

int cell_procs(const struct cell *c)
{
	return settings[c->setting].procs;
}

/* About 10 us of arithmetic that the compiler cannot do beforehand. */
static uint64_t work(uint64_t x)
{
	int i;

	for (i = 0; i < 4096; i++)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return x;
}

void cell_compute(int64_t until)
{
	uint64_t x = until;

	while (way_now() < until) {
		x = work(x);
		__asm__ volatile("" : : "r"(x));
	}
}

void cell_compute_until_set(const bool *stop)
{
	uint64_t x = 1;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		x = work(x);
		__asm__ volatile("" : : "r"(x));
	}
}

bool cell_note(struct cell *c, int64_t t0, int64_t end, int64_t t1)
{
	if (end - t0 < c->way.delay / 2 || t1 < t0) {
		if (++c->repeated <= 3 * (c->rounds + WARM_UP))
			return true;
		fprintf(stderr,
			"%s: %d rounds of %s, %s came to nothing; the last block took %lld ns, B ran after %lld ns\n",
			program_invocation_short_name, c->repeated,
			way_names[c->way.way], setting_names[c->setting],
			(long long)(end - t0), (long long)(t1 - t0));
		return false;
	}
	if (c->warm) {
		c->warm--;
		return true;
	}
	c->latency[c->done] = t1 - t0;
	c->block[c->done] = end - t0;
	c->done++;
	return true;
}

static void print_list(const char *name, const int64_t *list, int n)
{
	int i;

	printf(", \"%s\": [", name);
	for (i = 0; i < n; i++)
		printf("%s%lld", i ? ", " : "", (long long)list[i]);
	printf("]");
}

int cell_close(struct cell *c, const char *runtime)
{
	way_close(&c->way);
	if (c->done < c->rounds)
		return 1;
	printf("{\"way\": \"%s\", \"setting\": \"%s\", \"runtime\": \"%s\", \"rounds\": %d, \"repeated\": %d",
	       way_names[c->way.way], setting_names[c->setting], runtime,
	       c->done, c->repeated);
	print_list("latency_ns", c->latency, c->done);
	print_list("block_ns", c->block, c->done);
	printf("}\n");
	return fflush(stdout) ? 1 : 0;
}
