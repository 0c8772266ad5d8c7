/* SPDX-License-Identifier: MIT */
/*
 * What both programs of bench/bench-faults share: a mapped file whose 64-bit words
 * count from 0, and the readers' choice of pages.
 */
#ifndef BENCH_FAULTS_PAGES_H
#define BENCH_FAULTS_PAGES_H

#include <stdint.h>

/**
 * struct pages - a run of readers over a mapped file
 * @words: the file
 * @nr: how many pages it has
 * @readers: how many readers there are
 * @ms: how long they read
 * @procs: GOMAXPROCS, or how many CPUs there are
 * @stop: set when they should end
 */
struct pages {
	const uint64_t *words;
	uint64_t nr;
	int readers;
	int ms;
	int procs;
	int stop;
};

/**
 * struct reader - one of them
 * @pages: the run
 * @random: state of the choice of pages; not 0
 * @count: how many it has read
 * @pad: makes a cache line of it
 */
struct reader {
	struct pages *pages;
	uint64_t random;
	uint64_t count;
	uint64_t pad[5];
};

/**
 * pages_open() - map the file, as the arguments say
 * @pages: filled in
 * @argc: of main()
 * @argv: FILE readers=N ms=N procs=N
 *
 * Ends the program with a message if something is wrong.
 *
 * Return: the readers
 */
struct reader *pages_open(struct pages *pages, int argc, char **argv);

/**
 * pages_read() - read pages at random until told to stop
 * @r: the reader
 *
 * Each word of a page is looked at; a wrong one ends the program.
 */
void pages_read(struct reader *r);

/**
 * pages_report() - a line of JSON on standard output
 * @pages: the run
 * @readers: the readers, which have ended
 * @runtime: who ran them
 * @ns: how long they read
 */
void pages_report(const struct pages *pages, const struct reader *readers,
		  const char *runtime, int64_t ns);

#endif /* BENCH_FAULTS_PAGES_H */
