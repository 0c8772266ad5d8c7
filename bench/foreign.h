/* SPDX-License-Identifier: MIT */
/*
 * What a handoff program and the foreign process say to each other.
 *
 * The program starts build/bench/foreign with these descriptors:
 *
 *	FOREIGN_COMMAND	read end of a pipe, one struct foreign_command a round
 *	FOREIGN_PAGE	a memfd that holds a struct foreign_page, mapped by both
 *	FOREIGN_PIPE	write end of the pipe that a round may wait for
 *	FOREIGN_UFFD	the program's userfaultfd
 *	FOREIGN_FILE	an open file of its own, for flock() and for the disk
 *
 * Those that a way has no use for are /dev/null. bench/go/handoff/main.go has
 * the same numbers.
 */
#ifndef BENCH_FOREIGN_H
#define BENCH_FOREIGN_H

#include <stdint.h>

#define FOREIGN_COMMAND	3
#define FOREIGN_PAGE	4
#define FOREIGN_PIPE	5
#define FOREIGN_UFFD	6
#define FOREIGN_FILE	7

/* The ways to block, in the order of way_names[]. */
enum way {
	WAY_NANOSLEEP,
	WAY_PIPE,
	WAY_FUTEX,
	WAY_USERFAULT,
	WAY_DISK,
	WAY_FLOCK,
	NR_WAYS
};

/**
 * struct foreign_command - end the block of one round
 * @way: an enum way
 * @seq: number of the round, put into the page's armed
 * @start: when the program means to block, on CLOCK_MONOTONIC; a time that
 *	has passed means as soon as the foreign process is ready
 * @delay: nanoseconds from then to the end of the block
 * @address: of the page that faults, for WAY_USERFAULT
 */
struct foreign_command {
	uint32_t way;
	uint32_t seq;
	int64_t start;
	int64_t delay;
	uint64_t address;
};

/**
 * struct foreign_page - memory of both
 * @futex: a round's futex: waited for while it is 0, set to 1 to end the block
 * @armed: @seq of the last command that the foreign process is ready for
 */
struct foreign_page {
	uint32_t futex;
	uint32_t armed;
};

#endif /* BENCH_FOREIGN_H */
