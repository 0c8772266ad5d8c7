/* SPDX-License-Identifier: MIT */
/*
 * How calls of go/io.h wait: an attempt that does not, and if that was in vain a wait
 * until another one may not be.
 */
#ifndef POLLWAIT_H
#define POLLWAIT_H

#include <sys/epoll.h>

#include "polldesc.h"

/*
 * Before an attempt that does not wait. Returns 0; -EAGAIN if it is known to be in
 * vain; -ETIMEDOUT after the deadline.
 */
int poll_attempt(struct poll_op *op, enum poll_dir dir);

/*
 * After an attempt that was not in vain. If it may have left something, whoever waits
 * behind the caller is told.
 */
void poll_done(struct poll_op *op, enum poll_dir dir, bool drained);

/*
 * After an attempt in vain: wait until another may not be. Returns 0; -EBADF if the
 * descriptor is closed; -ETIMEDOUT; -ESRCH without a runtime; -ENOMEM or -ENOSPC if
 * epoll can't have it.
 */
int poll_wait(struct poll_op *op, enum poll_dir dir);

/*
 * The same for some directions, bits 1 << dir, at each of which an attempt was made;
 * and no longer than until a point in time.
 */
int poll_wait_any(struct poll_op *op, unsigned int dirs, int64_t deadline);

/* From when on calls in these directions fail with -ETIMEDOUT; INT64_MAX for never. */
int poll_set_deadline(int fd, unsigned int dirs, int64_t when);

/* With the lock held: those who wait are added to the list, with that result. */
void poll_side_wake_all(struct poll_side *side, int result,
			struct g_list *wake);

/* What comes out of epoll for a descriptor: who waited is added to the list. */
void poll_event(const struct epoll_event *ev, struct g_list *ready);

#endif /* POLLWAIT_H */
