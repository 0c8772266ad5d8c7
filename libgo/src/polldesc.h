/* SPDX-License-Identifier: MIT */
/*
 * Poll descriptors: what the runtime keeps of each file descriptor that was given to
 * a call of go/io.h.
 */
#ifndef POLLDESC_H
#define POLLDESC_H

#include <stdbool.h>
#include <stdint.h>

#include "wait.h"

/* The two directions in which one can wait for a file. */
enum poll_dir {
	POLL_READ,
	POLL_WRITE,
	POLL_DIRS
};

/* What is known of the file. */
enum poll_kind {
	POLL_NEW,	/* nothing yet */
	POLL_PLAIN,	/* epoll refuses it: calls are made as they are */
	POLL_SOCKET,	/* calls that take MSG_DONTWAIT need no O_NONBLOCK */
	POLL_STREAM,	/* a socket that is empty after it gave less than asked for */
	POLL_OTHER,	/* a pipe, a terminal, ... */
};

/**
 * struct poll_side - one direction
 * @seq: events so far; changed with the lock
 * @drained: @seq as it was before an attempt that left nothing; an attempt is in vain
 *	while the two are equal
 * @waits: waits so far, for poll_check_waits()
 * @seen: what that was at the last look
 * @checked: that wait has been looked at
 * @waiters: who waits
 * @deadline: when calls begin to fail, 0 for never
 * @pd: whose it is, once there has been a deadline
 * @timer: fires then
 */
struct poll_side {
	uint32_t seq;
	uint32_t drained;
	uint32_t waits;
	uint32_t seen;
	bool checked;
	struct waitq waiters;
	int64_t deadline;
	struct poll_desc *pd;
	struct timer timer;
};

/**
 * struct poll_desc - a poll descriptor
 * @state: the generation, whether it is being closed, and the calls under way
 * @lock: guards all that follows; @kind and those behind it are read without
 * @kind: enum poll_kind
 * @nonblocking: the file is O_NONBLOCK
 * @registered: epoll has been given it
 * @always: never hold an attempt for vain, as the peer has hung up, which is said only
 *	once, or has sent urgent data, before which a read ends
 * @own: nobody knows of it but a goroutine that is in a call of the library
 * @reset: the generation that the end of a runtime made, the last of those
 * @side: the directions
 */
struct poll_desc {
	uint64_t state;
	struct lock lock;
	uint8_t kind;
	bool nonblocking;
	bool registered;
	bool always;
	bool own;
	uint32_t reset;
	struct poll_side side[POLL_DIRS];
} cache_aligned;

/* In a descriptor's state. The calls under way are the bits below. */
#define POLL_CLOSING	(1ULL << 31)
#define POLL_GEN_SHIFT	32

static inline uint64_t poll_state(const struct poll_desc *pd)
{
	return __atomic_load_n(&pd->state, __ATOMIC_ACQUIRE);
}

static inline uint32_t poll_gen(const struct poll_desc *pd)
{
	return poll_state(pd) >> POLL_GEN_SHIFT;
}

/* NULL without memory; all else of a number that is not negative is there. */
struct poll_desc *poll_desc_of(int fd);

/**
 * struct poll_op - a call that is under way on a descriptor
 * @pd: the descriptor
 * @fd: its number
 * @gen: its generation: how often the number was closed
 * @seq: the number of events in each direction, as the last attempt saw it
 */
struct poll_op {
	struct poll_desc *pd;
	int fd;
	uint32_t gen;
	uint32_t seq[POLL_DIRS];
};

/*
 * Begin a call; go_close() leaves the number open until poll_end(). Returns 0; -EBADF
 * if it is no descriptor, or is being closed; -ENOMEM.
 */
int poll_begin(struct poll_op *op, int fd);
void poll_end(struct poll_op *op);

/*
 * With the lock held: is the call's file the one that it began with? Returns 0; -EBADF
 * if it is closed, or being closed; -ESRCH if a runtime has ended since, which has
 * closed nothing that is a plain thread's.
 */
static inline int poll_op_look(const struct poll_op *op)
{
	uint64_t state = poll_state(op->pd);

	if (likely(state >> POLL_GEN_SHIFT == op->gen))
		return state & POLL_CLOSING ? -EBADF : 0;
	return (int32_t)(op->pd->reset - op->gen) > 0 ? -ESRCH : -EBADF;
}

enum poll_kind poll_kind(const struct poll_op *op);

/* Does the file say -EAGAIN by itself? Else it is to be asked first, by poll(2). */
bool poll_is_nonblocking(const struct poll_op *op);

/*
 * The file may not be what it was seen to be: the number was closed with close(2), and
 * used again. Deadlines stay: they may be the new file's.
 */
void poll_relearn(struct poll_op *op, enum poll_kind seen);

/* ---- for who makes and closes descriptors ----------------------------------------- */

/*
 * The kernel has just given us this number, for a file that is O_NONBLOCK: what is
 * known of an older one is no longer true.
 */
void poll_adopt(int fd, enum poll_kind kind);

/*
 * Nobody but the caller knows of it now, or no longer so: the end of the runtime closes it
 * if the caller is a goroutine, which ends with that.
 */
void poll_own(int fd, bool own);

/* Make the file O_NONBLOCK if it is not. Returns 0, or -EBADF. */
int poll_make_nonblocking(int fd);

/* Wake all who wait, and close it once no call is under way. */
int poll_close(int fd);

/* ---- for the monitor, and the end of the runtime ----------------------------------- */

/* There may be waits that poll_check_waits() has not looked at. */
extern bool poll_waits_begun;

/*
 * Look at each wait that has lasted since the last call, once, or at all of them: does
 * epoll still know of the file? Somebody may have closed its number with close(2). Not
 * from an M.
 */
void poll_check_waits(bool all);

/* The runtime stays until its last M has ended, but nobody polls: wake plain threads. */
void poll_release_threads(void);

/* In a child of fork() made while no runtime ran: the calls under way are the parent's. */
void poll_forked(void);

/* The runtime has ended, and its timers are gone: forget all, and wake plain threads. */
void poll_reset(void);

#endif /* POLLDESC_H */
