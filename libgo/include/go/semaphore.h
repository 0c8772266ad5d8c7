/* SPDX-License-Identifier: MIT */
/*
 * Weighted semaphores, as Go's golang.org/x/sync/semaphore.
 */
#ifndef GO_SEMAPHORE_H
#define GO_SEMAPHORE_H

#include <go/sync.h>

/**
 * struct go_semaphore - a number of units that can be had for a time
 * @size: how many there are
 *
 * GO_SEMAPHORE_INIT(size) is its initial state. Who waits is served in the order
 * of coming, so one that wants many is not overtaken for ever by those that want
 * few.
 */
struct go_semaphore {
	int64_t size;
	int64_t held;
	struct go_waitq waiters;
};

#define GO_SEMAPHORE_INIT(size) { (size), 0, { NULL, NULL } }

/**
 * go_semaphore_acquire() - take units, and wait until there are enough
 * @sem: the semaphore
 * @n: how many
 *
 * Who may call: any thread.
 *
 * Return: 0; -EINVAL if @n is negative, or larger than the size, where Go would
 * wait for its context.
 */
GO_API int go_semaphore_acquire(struct go_semaphore *sem, int64_t n);

/**
 * go_semaphore_acquire_until() - take units, but wait no longer than until a point
 *	in time
 * @sem: the semaphore
 * @n: how many
 * @deadline: on the clock of go_now()
 *
 * Who may call: any thread.
 *
 * Return: as go_semaphore_acquire(); -ETIMEDOUT; -ENOMEM.
 */
GO_API int go_semaphore_acquire_until(struct go_semaphore *sem, int64_t n,
				      int64_t deadline);

/**
 * go_semaphore_try_acquire() - take units if that needs no waiting
 * @sem: the semaphore
 * @n: how many
 *
 * Who may call: any thread.
 *
 * Return: 0; -EAGAIN if there are not enough, or somebody waits; -EINVAL as
 * go_semaphore_acquire().
 */
GO_API int go_semaphore_try_acquire(struct go_semaphore *sem, int64_t n);

/**
 * go_semaphore_release() - give units back
 * @sem: the semaphore
 * @n: how many
 *
 * Who may call: any thread.
 *
 * Return: 0; -EINVAL if @n is negative, or more than are held, where Go panics.
 */
GO_API int go_semaphore_release(struct go_semaphore *sem, int64_t n);

#endif /* GO_SEMAPHORE_H */
