/* SPDX-License-Identifier: MIT */
/*
 * The ways to block in the kernel that the handoff programs measure.
 *
 * Bound to the foreign process, which ends the blocks: a program opens a way,
 * and in each round arms it, waits until it is armed, and blocks in it.
 */
#ifndef BENCH_WAY_H
#define BENCH_WAY_H

#include <stdint.h>
#include <sys/types.h>

#include "foreign.h"

extern const char *const way_names[NR_WAYS];

/**
 * struct way_options - what a way is made of
 * @way: which
 * @foreign: path of the foreign process's program
 * @disk: file on the throttled disk, for WAY_DISK
 * @rate: bytes per second of that disk
 */
struct way_options {
	enum way way;
	const char *foreign;
	const char *disk;
	long long rate;
};

/* A way that has been opened. */
struct blocking_way {
	enum way way;
	pid_t foreign;		/* the process, or 0 */
	int command;		/* its commands */
	struct foreign_page *page;
	int fd;			/* what is read or locked */
	char *fault;		/* the page that faults */
	off_t offset;		/* of the disk's next page */
	off_t size;
	uint32_t seq;
	int64_t delay;
};

/* On CLOCK_MONOTONIC, in nanoseconds. */
int64_t way_now(void);

/**
 * way_open() - make a way ready, and start the foreign process
 * @w: the way
 * @o: the options
 * @delay: length of a block in nanoseconds
 *
 * To be called before there are threads. Ends the program with a message if it
 * cannot be done.
 */
void way_open(struct blocking_way *w, const struct way_options *o,
	      int64_t delay);

/**
 * way_arm() - have the foreign process end the next block
 * @w: the way
 * @start: when the block is to begin, or 0 for at once
 */
void way_arm(struct blocking_way *w, int64_t start);

/* Spin until the foreign process has made ready. */
void way_wait_armed(const struct blocking_way *w);

/* Block until the foreign process ends it, or for the delay. */
void way_block(struct blocking_way *w);

/* Take back what a block has left, out of the time that is measured. */
void way_after(struct blocking_way *w);

/* End the foreign process. */
void way_close(struct blocking_way *w);

#endif /* BENCH_WAY_H */
