// SPDX-License-Identifier: MIT
/*
 * The foreign process: it ends the blocks of the handoff programs.
 *
 * One binary for all runtimes, so that the waker is the same. For each command
 * (see foreign.h) it makes ready, says so in the shared page, sleeps, and ends
 * the block. A program that waits for "ready" before it starts its clock is
 * thus not disturbed by this process until the block is to end.
 *
 * The disk cannot be woken. There the foreign process owes QEMU's throttle so
 * many bytes that it serves nothing until the block is to end. The throttle is
 * a leaky bucket: what is read fills it, it drains at the disk's rate, and a
 * request waits while the bucket holds more than a tenth of a second's worth.
 * A request is charged when it is let through, so a read of any size passes at
 * once if the bucket is not over the mark, and the next one pays for it. With
 *
 *	full	the time at which the bucket was, or will be, just at its mark
 *
 * a read of (end - full) * rate bytes puts that time to @end, and the page that
 * the program then reads puts it a little further. An empty bucket does not get
 * emptier: full is never more than a tenth of a second ago.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "foreign.h"

#define SECOND		1000000000LL
#define PAGE		4096
#define SECTOR		512
#define CHARGE_MAX	(4 << 20)	/* of one read, and of the file */

static struct foreign_page *page;
static char *buffer;
static int64_t rate;		/* of the disk, bytes per second */
static int64_t full;

static void die(const char *what)
{
	fprintf(stderr, "foreign: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_until(int64_t when)
{
	struct timespec ts = { when / SECOND, when % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

/* Make the disk serve nothing until @end. */
static void charge(int64_t end)
{
	int64_t oldest = now() - SECOND / 10;
	int64_t bytes;

	if (full < oldest)
		full = oldest;
	bytes = (end - full) * rate / SECOND / SECTOR * SECTOR;
	if (bytes > CHARGE_MAX) {
		fprintf(stderr, "foreign: %lld bytes are more than fit: the disk is too fast\n",
			(long long)bytes);
		exit(1);
	}
	if (bytes > 0) {
		if (pread(FOREIGN_FILE, buffer, bytes, 0) != bytes)
			die("reading the disk");
		full += bytes * SECOND / rate;
	}
	full += PAGE * SECOND / rate;
}

/*
 * What has to be done before the program blocks. Returns when the block is to
 * end: the delay counts from the start that the program has named, or from now,
 * when it may start. What the disk is to be charged must be known before that,
 * so there the last charges tell how long this one will take.
 */
static int64_t prepare(const struct foreign_command *cmd)
{
	static int64_t charge_takes;
	int64_t begin = now();
	int64_t start;

	switch (cmd->way) {
	case WAY_FUTEX:
		__atomic_store_n(&page->futex, 0, __ATOMIC_RELAXED);
		break;
	case WAY_FLOCK:
		if (flock(FOREIGN_FILE, LOCK_EX))
			die("flock");
		break;
	case WAY_DISK:
		start = begin + charge_takes;
		if (start < cmd->start)
			start = cmd->start;
		charge(start + cmd->delay);
		charge_takes = (3 * charge_takes + now() - begin) / 4;
		return start + cmd->delay;
	}
	start = now();
	return (start < cmd->start ? cmd->start : start) + cmd->delay;
}

static void serve_fault(uint64_t address)
{
	struct uffdio_copy copy = {
		.dst = address,
		.src = (uintptr_t)buffer,
		.len = PAGE,
	};

	while (ioctl(FOREIGN_UFFD, UFFDIO_COPY, &copy)) {
		if (errno != EAGAIN)
			die("UFFDIO_COPY");
		copy.copy = 0;
	}
}

static void end_block(const struct foreign_command *cmd)
{
	switch (cmd->way) {
	case WAY_PIPE:
		if (write(FOREIGN_PIPE, "", 1) != 1)
			die("writing the pipe");
		break;
	case WAY_FUTEX:
		__atomic_store_n(&page->futex, 1, __ATOMIC_SEQ_CST);
		if (syscall(SYS_futex, &page->futex, FUTEX_WAKE, INT_MAX, NULL,
			    NULL, 0) < 0)
			die("FUTEX_WAKE");
		break;
	case WAY_USERFAULT:
		serve_fault(cmd->address);
		break;
	case WAY_FLOCK:
		flock(FOREIGN_FILE, LOCK_UN);
		break;
	}
}

int main(int argc, char **argv)
{
	struct foreign_command cmd;

	if (argc > 2) {
		fprintf(stderr, "usage: foreign [RATE-OF-THE-DISK], started by the handoff programs\n");
		return 2;
	}
	rate = argc > 1 ? atoll(argv[1]) : 0;
	prctl(PR_SET_TIMERSLACK, 1);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    FOREIGN_PAGE, 0);
	if (page == MAP_FAILED)
		die("the shared page");
	buffer = mmap(NULL, CHARGE_MAX, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer == MAP_FAILED)
		die("memory");

	while (read(FOREIGN_COMMAND, &cmd, sizeof(cmd)) == sizeof(cmd)) {
		int64_t end = prepare(&cmd);

		__atomic_store_n(&page->armed, cmd.seq, __ATOMIC_RELEASE);
		sleep_until(end);
		end_block(&cmd);
	}
	return 0;
}
