// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pages.h"

#define PAGE_BYTES	4096
#define PAGE_WORDS	(PAGE_BYTES / sizeof(uint64_t))

static void die(const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_arguments(struct pages *pages, int argc, char **argv)
{
	if (argc == 5 && sscanf(argv[2], "readers=%d", &pages->readers) == 1 &&
	    sscanf(argv[3], "ms=%d", &pages->ms) == 1 &&
	    sscanf(argv[4], "procs=%d", &pages->procs) == 1 &&
	    pages->readers > 0 && pages->ms > 0 && pages->procs > 0)
		return;
	fprintf(stderr, "usage: %s FILE readers=N ms=N procs=N\n", argv[0]);
	exit(2);
}

struct reader *pages_open(struct pages *pages, int argc, char **argv)
{
	struct reader *readers;
	struct stat st;
	void *map;
	int i, fd;

	read_arguments(pages, argc, argv);
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(argv[1]);
	pages->nr = st.st_size / PAGE_BYTES;
	map = mmap(NULL, pages->nr * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || madvise(map, pages->nr * PAGE_BYTES, MADV_RANDOM))
		die("mmap");
	pages->words = map;
	close(fd);

	readers = calloc(pages->readers, sizeof(*readers));
	if (!readers)
		die("calloc");
	for (i = 0; i < pages->readers; i++) {
		readers[i].pages = pages;
		readers[i].random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return readers;
}

/* xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void pages_read(struct reader *r)
{
	const struct pages *pages = r->pages;
	uint64_t first, i;

	while (!__atomic_load_n(&pages->stop, __ATOMIC_RELAXED)) {
		first = next_random(&r->random) % pages->nr * PAGE_WORDS;
		for (i = first; i < first + PAGE_WORDS; i++) {
			if (pages->words[i] != i) {
				fprintf(stderr, "faults: word %" PRIu64 " is wrong\n", i);
				_exit(1);
			}
		}
		r->count++;
	}
}

static int64_t cpu_ns(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * INT64_C(1000000000) +
	       (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * INT64_C(1000);
}

void pages_report(const struct pages *pages, const struct reader *readers,
		  const char *runtime, int64_t ns)
{
	struct rusage usage;
	uint64_t count = 0;
	int i;

	getrusage(RUSAGE_SELF, &usage);
	for (i = 0; i < pages->readers; i++)
		count += readers[i].count;
	printf("{\"runtime\": \"%s\", \"procs\": %d, \"readers\": %d, \"reads\": %" PRIu64
	       ", \"faults\": %ld, \"ns\": %" PRId64 ", \"cpu_ns\": %" PRId64 "}\n",
	       runtime, pages->procs, pages->readers, count, usage.ru_majflt, ns,
	       cpu_ns(&usage));
}
