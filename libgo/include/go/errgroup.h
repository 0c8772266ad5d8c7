/* SPDX-License-Identifier: MIT */
/*
 * Groups of goroutines that work on parts of one task and may fail, as Go's
 * golang.org/x/sync/errgroup.
 */
#ifndef GO_ERRGROUP_H
#define GO_ERRGROUP_H

#include <go/context.h>
#include <go/semaphore.h>
#include <go/sync.h>

/**
 * typedef go_err_fn - what a goroutine of a group runs
 * @arg: the pointer that was given to go_errgroup_spawn()
 *
 * It must return: go_exit() would leave the group waiting for ever.
 *
 * Return: 0; an error, usually a negative errno.
 */
typedef int (*go_err_fn)(void *arg);

/**
 * struct go_errgroup - a group
 *
 * Zeroed memory is a group without a limit and without a context.
 */
struct go_errgroup {
	struct go_waitgroup running;
	struct go_semaphore limit;
	struct go_context *ctx;
	int err;
};

/**
 * go_errgroup_with_context() - initialise a group that has a context
 * @group: the group
 * @parent: the parent of the context
 *
 * The context is cancelled when a goroutine of the group returns an error, with that
 * as the cause, and at the latest when go_errgroup_wait() returns, which has to be
 * called. Who may call: any thread.
 *
 * Return: the context, with a reference for the caller; NULL if there is no
 * memory or no @parent, and then the group has no context.
 */
GO_API struct go_context *go_errgroup_with_context(struct go_errgroup *group,
						   struct go_context *parent);

/**
 * go_errgroup_set_limit() - limit the goroutines of a group at a time
 * @group: the group
 * @n: how many; 0 for no limit
 *
 * Who may call: any thread.
 *
 * Return: 0; -EINVAL if @n is negative; -EBUSY if goroutines of the group run,
 * where Go panics.
 */
GO_API int go_errgroup_set_limit(struct go_errgroup *group, int n);

/**
 * go_errgroup_spawn() - start a goroutine in a group
 * @group: the group; at its limit, this waits for another one to return
 * @fn: what it runs
 * @arg: its argument
 *
 * Who may call: any thread, while a runtime runs.
 *
 * Return: as go_spawn(); an error here is not one of the group.
 */
GO_API int go_errgroup_spawn(struct go_errgroup *group, go_err_fn fn,
			     void *arg);

/**
 * go_errgroup_try_spawn() - start a goroutine in a group if it is not at its limit
 * @group: the group
 * @fn: what it runs
 * @arg: its argument
 *
 * Who may call: any thread, while a runtime runs.
 *
 * Return: as go_errgroup_spawn(); -EAGAIN at the limit.
 */
GO_API int go_errgroup_try_spawn(struct go_errgroup *group, go_err_fn fn,
				 void *arg);

/**
 * go_errgroup_wait() - wait until all goroutines of a group have returned
 * @group: the group
 *
 * Who may call: any thread.
 *
 * Return: 0, or the first error that one of them has returned.
 */
GO_API int go_errgroup_wait(struct go_errgroup *group);

#endif /* GO_ERRGROUP_H */
