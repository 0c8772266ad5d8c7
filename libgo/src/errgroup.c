// SPDX-License-Identifier: MIT
/*
 * Groups of goroutines that may fail.
 */
#include <errno.h>
#include <stdlib.h>

#include <go.h>

/* What one goroutine of a group is to do. */
struct job {
	struct go_errgroup *group;
	go_err_fn fn;
	void *arg;
};

/* The first one counts. */
static void group_fail(struct go_errgroup *group, int err)
{
	int none = 0;

	if (__atomic_compare_exchange_n(&group->err, &none, err, false,
					__ATOMIC_ACQ_REL, __ATOMIC_RELAXED) &&
	    group->ctx)
		go_context_cancel_cause(group->ctx, err);
}

/* Room for another one, if there is a limit. The waitgroup keeps the group there. */
static void group_make_room(struct go_errgroup *group)
{
	if (group->limit.size)
		go_semaphore_release(&group->limit, 1);
}

static void job_run(void *arg)
{
	struct job job = *(struct job *)arg;
	int err;

	free(arg);
	err = job.fn(job.arg);
	if (err)
		group_fail(job.group, err);
	group_make_room(job.group);
	go_waitgroup_done(&job.group->running);
}

/* Start one for which there is room. */
static int group_spawn(struct go_errgroup *group, go_err_fn fn, void *arg)
{
	struct job *job;
	int ret;

	ret = go_waitgroup_add(&group->running, 1);
	if (ret)
		goto err_room;
	ret = -ENOMEM;
	job = malloc(sizeof(*job));
	if (!job)
		goto err_running;
	*job = (struct job){ .group = group, .fn = fn, .arg = arg };
	ret = go_spawn(job_run, job);
	if (ret)
		goto err_job;
	return 0;

err_job:
	free(job);
err_running:
	/* Who waits for the last one may free the group. */
	group_make_room(group);
	go_waitgroup_done(&group->running);
	return ret;
err_room:
	group_make_room(group);
	return ret;
}

struct go_context *go_errgroup_with_context(struct go_errgroup *group,
					    struct go_context *parent)
{
	*group = (struct go_errgroup){};
	group->ctx = go_context_with_cancel(parent);
	return group->ctx ? go_context_retain(group->ctx) : NULL;
}

int go_errgroup_set_limit(struct go_errgroup *group, int n)
{
	if (n < 0)
		return -EINVAL;
	if (__atomic_load_n(&group->running.state, __ATOMIC_ACQUIRE))
		return -EBUSY;
	group->limit = (struct go_semaphore)GO_SEMAPHORE_INIT(n);
	return 0;
}

int go_errgroup_spawn(struct go_errgroup *group, go_err_fn fn, void *arg)
{
	int ret;

	if (!fn)
		return -EINVAL;
	if (group->limit.size) {
		ret = go_semaphore_acquire(&group->limit, 1);
		if (ret)
			return ret;
	}
	return group_spawn(group, fn, arg);
}

int go_errgroup_try_spawn(struct go_errgroup *group, go_err_fn fn, void *arg)
{
	int ret;

	if (!fn)
		return -EINVAL;
	if (group->limit.size) {
		ret = go_semaphore_try_acquire(&group->limit, 1);
		if (ret)
			return ret;
	}
	return group_spawn(group, fn, arg);
}

int go_errgroup_wait(struct go_errgroup *group)
{
	struct go_context *ctx;
	int err;

	err = go_waitgroup_wait(&group->running);
	if (err)
		return err;
	err = __atomic_load_n(&group->err, __ATOMIC_ACQUIRE);
	/* Of those who wait, one gives the group's reference back. */
	ctx = __atomic_exchange_n(&group->ctx, NULL, __ATOMIC_ACQ_REL);
	if (ctx) {
		go_context_cancel(ctx);
		go_context_release(ctx);
	}
	return err;
}
