// SPDX-License-Identifier: MIT
/*
 * Groups of goroutines that may fail.
 */
#include <errno.h>

#include "test.h"

static struct go_errgroup group;
static struct go_context *ctx;
static int started, running, most, stop, ended;

static int succeed(void *arg)
{
	(void)arg;
	add(ended, 1);
	return 0;
}

/* Fails once so many have started. */
static int fail_after(void *arg)
{
	int n = (intptr_t)arg;

	wait_until(load(ended) >= n - 1);
	add(ended, 1);
	return -n;
}

GO_TEST(wait_returns_when_all_have_returned)
{
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_int_eq(go_errgroup_spawn(&group, succeed, NULL), 0);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
	ck_assert_int_eq(ended, 100);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
}

GO_TEST(the_first_error_is_returned)
{
	int i;

	for (i = 3; i > 0; i--)
		ck_assert_int_eq(go_errgroup_spawn(&group, fail_after,
						   (void *)(intptr_t)i), 0);
	ck_assert_int_eq(go_errgroup_wait(&group), -1);
	ck_assert_int_eq(ended, 3);
}

GO_TEST(mistakes_are_told)
{
	ck_assert_int_eq(go_errgroup_spawn(&group, NULL, NULL), -EINVAL);
	ck_assert_int_eq(go_errgroup_try_spawn(&group, NULL, NULL), -EINVAL);
	ck_assert_int_eq(go_errgroup_set_limit(&group, -1), -EINVAL);
	ck_assert_ptr_null(go_errgroup_with_context(&group, NULL));
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
}

static int until_cancelled(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_chan_recv(go_context_done(ctx), NULL), 0);
	return go_context_cause(ctx);
}

static int return_later(void *arg)
{
	go_sleep(GO_MILLISECOND);
	return (intptr_t)arg;
}

GO_TEST(an_error_cancels_the_context)
{
	int i;

	ctx = go_errgroup_with_context(&group, go_context_background());
	ck_assert_ptr_nonnull(ctx);
	for (i = 0; i < 5; i++)
		go_errgroup_spawn(&group, until_cancelled, NULL);
	go_errgroup_spawn(&group, return_later, (void *)(intptr_t)-EIO);
	ck_assert_int_eq(go_errgroup_wait(&group), -EIO);
	ck_assert_int_eq(go_context_err(ctx), -ECANCELED);
	ck_assert_int_eq(go_context_cause(ctx), -EIO);
	go_context_release(ctx);
}

GO_TEST(waiting_cancels_the_context)
{
	ctx = go_errgroup_with_context(&group, go_context_background());
	go_errgroup_spawn(&group, succeed, NULL);
	wait_until(load(ended) == 1);
	ck_assert_int_eq(go_context_err(ctx), 0);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
	ck_assert_int_eq(go_context_err(ctx), -ECANCELED);
	go_context_release(ctx);
}

static int count_running(void *arg)
{
	int n = add(running, 1);

	(void)arg;
	if (n > load(most))
		store(most, n);
	go_yield();
	add(running, -1);
	add(ended, 1);
	return 0;
}

GO_TEST(no_more_than_the_limit_at_a_time)
{
	int i;

	ck_assert_int_eq(go_errgroup_set_limit(&group, 3), 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(go_errgroup_spawn(&group, count_running, NULL),
				 0);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
	ck_assert_int_eq(ended, 500);
	ck_assert_int_le(most, 3);
}

static int until_stopped(void *arg)
{
	(void)arg;
	add(started, 1);
	wait_until(load(stop));
	return 0;
}

GO_TEST(try_spawn_does_not_wait_at_the_limit)
{
	ck_assert_int_eq(go_errgroup_set_limit(&group, 2), 0);
	ck_assert_int_eq(go_errgroup_try_spawn(&group, until_stopped, NULL), 0);
	ck_assert_int_eq(go_errgroup_try_spawn(&group, until_stopped, NULL), 0);
	ck_assert_int_eq(go_errgroup_try_spawn(&group, until_stopped, NULL),
			 -EAGAIN);
	ck_assert_int_eq(go_errgroup_set_limit(&group, 5), -EBUSY);
	store(stop, 1);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
	ck_assert_int_eq(started, 2);
	ck_assert_int_eq(go_errgroup_set_limit(&group, 0), 0);
	ck_assert_int_eq(go_errgroup_try_spawn(&group, succeed, NULL), 0);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
}

#define GROUPS	SANITIZED(30, 100)

/* Groups on the stack: gone when they have been waited for. */
static void use_a_group(int number)
{
	int i, k;

	for (i = 0; i < GROUPS; i++) {
		struct go_errgroup own = {};
		struct go_context *c = NULL;
		int err = i % 3 ? -1 - i : 0;

		if (i % 2)
			c = go_errgroup_with_context(&own,
						     go_context_background());
		ck_assert_int_eq(go_errgroup_set_limit(&own, number % 3), 0);
		for (k = 0; k < 4; k++)
			ck_assert_int_eq(go_errgroup_spawn(&own, succeed, NULL),
					 0);
		ck_assert_int_eq(go_errgroup_spawn(&own, return_later,
						   (void *)(intptr_t)err), 0);
		ck_assert_int_eq(go_errgroup_wait(&own), err);
		go_context_release(c);
	}
}

GO_TEST(groups_of_goroutines_and_threads)
{
	crowd_run(4, 2, use_a_group);
	ck_assert_int_eq(ended, 6 * GROUPS * 4);
}

START_TEST(without_a_runtime)
{
	ck_assert_int_eq(go_errgroup_set_limit(&group, 1), 0);
	ck_assert_int_eq(go_errgroup_spawn(&group, succeed, NULL), -ESRCH);
	/* What was not started left no trace. */
	ck_assert_int_eq(go_errgroup_spawn(&group, succeed, NULL), -ESRCH);
	ck_assert_int_eq(go_errgroup_wait(&group), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("errgroup");

	tcase_add_go_test(tc, wait_returns_when_all_have_returned);
	tcase_add_go_test(tc, the_first_error_is_returned);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, an_error_cancels_the_context);
	tcase_add_go_test(tc, waiting_cancels_the_context);
	tcase_add_go_test(tc, no_more_than_the_limit_at_a_time);
	tcase_add_go_test(tc, try_spawn_does_not_wait_at_the_limit);
	tcase_add_go_test(tc, groups_of_goroutines_and_threads);
	tcase_add_test(tc, without_a_runtime);
	return run_tests("errgroup", tc);
}
