/* SPDX-License-Identifier: MIT */
/*
 * A cell of the handoff table: one way to block in one setting, many rounds.
 *
 * What is the same in all handoff programs written in C: the command line, the
 * lengths, which rounds count, and the report. bench/go/handoff/main.go does
 * the same in Go.
 *
 * The definition. A goroutine A starts a goroutine B, which is thereby runnable
 * on A's processor, takes the time t0, and makes a call that blocks in the
 * kernel. B's first act is to take the time t1. The handoff is t1 - t0. Where
 * nothing hands the processor over, that is the length of the block and more.
 *
 *	setting	Ps	before each round	block
 *	hot	1	nothing			5 ms
 *	idle	1	A sleeps for 100 ms	5 ms
 *	busy	1	A computes for 100 ms	50 ms
 *	other	2	A sleeps for 100 ms;	50 ms
 *			the other P computes
 *			all along
 *
 * Another process ends the blocks. It gets its orders before the pause and is
 * asleep by t0; "nothing" is thus the time that it takes to make ready, some
 * tens of microseconds, through which A spins.
 *
 * A round is done again when its block was shorter than half of what it should
 * have been (A came too late to it), or when B ran before t0 (A was preempted
 * in between): in neither was there a handoff to measure. The report says how
 * many there were.
 */
#ifndef BENCH_CELL_H
#define BENCH_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "way.h"

enum setting {
	SETTING_HOT,
	SETTING_IDLE,
	SETTING_BUSY,
	SETTING_OTHER,
	NR_SETTINGS
};

/**
 * struct cell - a cell and its rounds
 * @way: the way to block
 * @setting: what goes before
 * @rounds: how many count
 * @pause: nanoseconds before each round
 * @latency: of each round, t1 - t0
 * @block: of each round, how long A was away
 * @done: rounds that count so far
 * @warm: rounds that are still to be left out
 * @repeated: rounds that were done again
 */
struct cell {
	struct blocking_way way;
	enum setting setting;
	int rounds;
	int64_t pause;
	int64_t *latency;
	int64_t *block;
	int done;
	int warm;
	int repeated;
};

/* Read the command line and open the way; ends the program on a mistake. */
void cell_open(struct cell *c, int argc, char **argv, const char *about);

/* Processors that the setting wants. */
int cell_procs(const struct cell *c);

/* Compute until a point in time, with nothing but arithmetic. */
void cell_compute(int64_t until);

/* Compute until the word is set. */
void cell_compute_until_set(const bool *stop);

/*
 * Take note of a round: t0, when A's block ended, and B's t1. False if there
 * were so many to be done again that the cell cannot be measured.
 */
bool cell_note(struct cell *c, int64_t t0, int64_t end, int64_t t1);

/* Print the result as a line of JSON, end the foreign process. */
int cell_close(struct cell *c, const char *runtime);

#endif /* BENCH_CELL_H */
