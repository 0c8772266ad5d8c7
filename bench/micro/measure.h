/* SPDX-License-Identifier: MIT */
/*
 * What the micro-benchmarks in C and C++ share: the command line, the clock, how
 * many operations to measure, and the report.
 *
 * A program has one function per kind of work. What the kinds are, which rows
 * of the tables they make with which parameters, and what one operation of each
 * is, stands in bench/rows.py; the driver passes the parameters on.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct kind - a kind of work
 * @name: of the kind, in bench/rows.py
 * @run: do about that many operations, return how many were done
 * @once: the amount of work is fixed, do it one time
 */
struct kind {
	const char *name;
	long (*run)(long ops);
	int once;
};

/*
 * Read the command line: "--list", or a kind and its parameters as NAME=VALUE.
 * Answers the former and ends the program; else returns the kind. The list of
 * kinds ends with one without a name.
 */
const struct kind *measure_open(int argc, char **argv,
				const struct kind *kinds, const char *version);

/* A parameter; ends the program if it was not given. */
long measure_param(const char *name);

/*
 * Do the work as often as it takes to last for min_ms milliseconds, and report
 * the last time. Every kind of runtime calls it where its tasks can run.
 */
void measure(const struct kind *kind);

/* Add a figure to the report. */
void measure_note(const char *name, double value);

/* Note the p50 and the p99 of how late the sleepers woke; sorts the list. */
void measure_note_lateness(int64_t *late, long n);

/* Resident memory of the process and its page tables, in bytes. */
long measure_memory(void);

/* Nanoseconds of the monotonic clock. */
int64_t measure_now(void);

/*
 * How long a sleeper is to sleep next: evenly spread from "min_us" to "max_us".
 * The state is the sleeper's number to begin with.
 */
static inline int64_t measure_sleep_ns(uint64_t *state, long min_us,
				       long max_us)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (min_us + (int64_t)((*state >> 33) % (max_us - min_us + 1))) *
	       1000;
}

/* Say what went wrong, and end the program. */
void measure_fail(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif

#endif /* BENCH_MEASURE_H */
