/* SPDX-License-Identifier: MIT */
/*
 * A job for an ordinary library: many workers do it at once, in goroutines or in plain
 * threads, with nothing of the library changed, and a ticker tells how long who has to
 * run waits meanwhile.
 */
#ifndef JOB_H
#define JOB_H

#include <stdint.h>

/**
 * struct job - what a program has its library do
 * @name: of the library
 * @about: what a worker does, for --help
 * @target: what --target is, for --help; NULL if there is none
 * @workers: how many, if nothing else is said
 * @rounds: of each worker, if nothing else is said
 * @prepare: called first, in a plain thread, or NULL
 * @work: called by each worker with its number from 0
 * @verify: called at last, in a plain thread: is what was done there?, or NULL
 *
 * prepare(), work() and verify() end the program by job_fail() if something is wrong.
 */
struct job {
	const char *name;
	const char *about;
	const char *target;
	int workers;
	int rounds;
	void (*prepare)(const struct job *job);
	void (*work)(const struct job *job, int worker);
	void (*verify)(const struct job *job);
};

/* What --target has said. */
extern const char *job_target;

__attribute__((format(printf, 1, 2), noreturn))
void job_fail(const char *format, ...);

/**
 * job_main() - do a job as the command line says, and report in a line of JSON
 * @job: with what was said filled in
 * @argc: of main()
 * @argv: of main()
 *
 * The report: how many threads there were at most, how long all workers took, and how
 * late the ticker was, with the workers and in the second before they began.
 *
 * Return: of main().
 */
int job_main(struct job *job, int argc, char **argv);

#endif /* JOB_H */
