// SPDX-License-Identifier: MIT
/*
 * Contexts.
 */
#include <errno.h>
#include <malloc.h>

#include "runtime.h"
#include "test.h"

static struct go_context *root;
static int cancelled;

static struct go_context *child_of(struct go_context *parent)
{
	struct go_context *ctx = go_context_with_cancel(parent);

	ck_assert_ptr_nonnull(ctx);
	return ctx;
}

static bool is_done(struct go_context *ctx)
{
	int ret = go_chan_try_recv(go_context_done(ctx), NULL);

	ck_assert(ret == 0 || ret == -EAGAIN);
	return !ret;
}

static void assert_cancelled(struct go_context *ctx, int err, int cause)
{
	ck_assert_int_eq(go_context_err(ctx), err);
	ck_assert_int_eq(go_context_cause(ctx), cause);
	ck_assert(is_done(ctx));
}

/* In all heaps of the runtime. */
static int timers_pending(void)
{
	int n = 0;
	uint32_t i;

	for (i = 0; i < rt.nr_p; i++)
		n += load(rt.ps[i].words->timers);
	return n;
}

GO_TEST(the_background_is_never_cancelled)
{
	struct go_context *bg = go_context_background();
	int key;

	ck_assert_int_eq(go_context_cancel(bg), -EINVAL);
	ck_assert_int_eq(go_context_err(bg), 0);
	ck_assert_int_eq(go_context_cause(bg), 0);
	ck_assert_ptr_null(go_context_done(bg));
	ck_assert_ptr_null(go_context_value(bg, &key));
	ck_assert_ptr_null(go_context_value(bg, NULL));
	ck_assert(go_context_deadline(bg) == INT64_MAX);
	ck_assert_ptr_eq(go_context_retain(bg), bg);
	go_context_release(bg);
	go_context_release(bg);
	go_context_release(NULL);
}

GO_TEST(mistakes_are_told)
{
	struct go_context *bg = go_context_background(), *ctx;
	int key;

	ck_assert_ptr_null(go_context_with_cancel(NULL));
	ck_assert_ptr_null(go_context_with_deadline(NULL, 0));
	ck_assert_ptr_null(go_context_with_value(NULL, &key, NULL));
	ck_assert_ptr_null(go_context_with_value(bg, NULL, NULL));
	ctx = go_context_with_value(bg, &key, NULL);
	ck_assert_int_eq(go_context_cancel(ctx), -EINVAL);
	go_context_release(ctx);
	ctx = child_of(bg);
	ck_assert_int_eq(go_context_cancel_cause(ctx, 0), -EINVAL);
	ck_assert_int_eq(go_context_err(ctx), 0);
	go_context_release(ctx);
}

GO_TEST(cancelling_goes_down_and_not_up)
{
	struct go_context *a = child_of(go_context_background());
	struct go_context *b = child_of(a), *b2 = child_of(a);
	struct go_context *c = child_of(b);

	ck_assert(!is_done(b));
	ck_assert_int_eq(go_context_cancel(b), 0);
	assert_cancelled(b, -ECANCELED, -ECANCELED);
	assert_cancelled(c, -ECANCELED, -ECANCELED);
	ck_assert_int_eq(go_context_err(a), 0);
	ck_assert_int_eq(go_context_err(b2), 0);
	ck_assert(!is_done(a));
	ck_assert(!is_done(b2));
	ck_assert_int_eq(go_context_cancel(a), 0);
	assert_cancelled(b2, -ECANCELED, -ECANCELED);
	go_context_release(a);
	go_context_release(b);
	go_context_release(b2);
	go_context_release(c);
}

GO_TEST(the_first_cause_stays)
{
	struct go_context *a = child_of(go_context_background());
	struct go_context *b = child_of(a), *late;

	ck_assert_int_eq(go_context_cancel_cause(b, -EIO), 0);
	ck_assert_int_eq(go_context_cancel_cause(b, -ENOENT), 0);
	ck_assert_int_eq(go_context_cancel_cause(a, -ENOSPC), 0);
	assert_cancelled(a, -ECANCELED, -ENOSPC);
	assert_cancelled(b, -ECANCELED, -EIO);
	late = child_of(a);
	assert_cancelled(late, -ECANCELED, -ENOSPC);
	go_context_release(late);
	go_context_release(b);
	go_context_release(a);
}

GO_TEST(a_deadline_cancels)
{
	int64_t deadline = go_now() + 2 * GO_MILLISECOND;
	struct go_context *a, *b, *c;

	a = go_context_with_deadline(go_context_background(), deadline);
	ck_assert(go_context_deadline(a) == deadline);
	/* Not later than its parent, and its parent's timer is enough. */
	b = go_context_with_deadline(a, deadline + GO_SECOND);
	ck_assert(go_context_deadline(b) == deadline);
	ck_assert_int_le(timers_pending(), 1);
	c = child_of(b);
	ck_assert(go_context_deadline(c) == deadline);
	ck_assert_int_eq(go_chan_recv(go_context_done(c), NULL), 0);
	ck_assert_int_ge(go_now(), deadline);
	ck_assert_int_eq(go_context_err(c), -ETIMEDOUT);
	assert_cancelled(a, -ETIMEDOUT, -ETIMEDOUT);
	go_context_release(a);
	go_context_release(b);
	go_context_release(c);
}

GO_TEST(a_deadline_that_has_passed_cancels_at_once)
{
	struct go_context *a = child_of(go_context_background()), *b;

	b = go_context_with_timeout(a, 0);
	assert_cancelled(b, -ETIMEDOUT, -ETIMEDOUT);
	go_context_release(b);
	go_context_cancel(a);
	b = go_context_with_deadline(a, 1);
	assert_cancelled(b, -ECANCELED, -ECANCELED);
	go_context_release(b);
	go_context_release(a);
}

GO_TEST(no_timer_is_left)
{
	struct go_context *ctx[10];
	int i;

	root = child_of(go_context_background());
	for (i = 0; i < 10; i++)
		ctx[i] = go_context_with_timeout(root, 3600 * GO_SECOND);
	ck_assert_int_eq(timers_pending(), 10);
	go_context_release(ctx[0]);
	ck_assert_int_eq(timers_pending(), 9);
	go_context_cancel(ctx[1]);
	ck_assert_int_eq(timers_pending(), 8);
	go_context_cancel(root);
	ck_assert_int_eq(timers_pending(), 0);
	for (i = 1; i < 10; i++)
		go_context_release(ctx[i]);
	go_context_release(root);
}

GO_TEST(the_nearest_value_counts)
{
	int k1, k2, one = 1, two = 2, three = 3;
	struct go_context *a, *b, *c, *d;

	a = go_context_with_value(go_context_background(), &k1, &one);
	b = go_context_with_value(a, &k2, &two);
	c = child_of(b);
	d = go_context_with_value(c, &k1, &three);
	ck_assert_ptr_eq(go_context_value(c, &k1), &one);
	ck_assert_ptr_eq(go_context_value(d, &k1), &three);
	ck_assert_ptr_eq(go_context_value(d, &k2), &two);
	ck_assert_ptr_null(go_context_value(a, &k2));
	ck_assert_ptr_eq(go_context_done(d), go_context_done(c));
	/* The parents stay as long as a child needs them. */
	go_context_release(a);
	go_context_release(b);
	go_context_cancel(c);
	go_context_release(c);
	assert_cancelled(d, -ECANCELED, -ECANCELED);
	ck_assert_ptr_eq(go_context_value(d, &k2), &two);
	go_context_release(d);
}

/* As deep and as wide as it gets: no recursion on a goroutine's small stack. */
GO_TEST(large_trees)
{
	static struct go_context *deep[20000], *wide[20000];
	int i;

	root = child_of(go_context_background());
	for (i = 0; i < 20000; i++) {
		deep[i] = child_of(i ? deep[i - 1] : root);
		wide[i] = child_of(root);
	}
	go_context_cancel(root);
	for (i = 0; i < 20000; i++) {
		assert_cancelled(deep[i], -ECANCELED, -ECANCELED);
		assert_cancelled(wide[i], -ECANCELED, -ECANCELED);
		go_context_release(wide[i]);
		if (i < 19999)
			go_context_release(deep[i]);
	}
	go_context_release(root);
	go_context_release(deep[19999]);
}

static void make_some(void)
{
	struct go_context *a = child_of(go_context_background()), *kept[200];
	int key, i;

	for (i = 0; i < 200; i++) {
		struct go_context *b = go_context_with_timeout(a, GO_SECOND);
		struct go_context *c = go_context_with_value(b, &key, &i);
		struct go_context *d = child_of(c);

		go_context_release(b);
		if (i % 3)
			go_context_cancel(d);
		go_context_release(c);
		kept[i] = d;
		if (i % 2)
			go_context_release(d);
	}
	go_context_cancel(a);
	for (i = 0; i < 200; i += 2)
		go_context_release(kept[i]);
	go_context_release(a);
}

/* Bytes that are allocated after 200 rounds and were not before. */
static ptrdiff_t growth(void)
{
	size_t before = mallinfo2().uordblks;
	int i;

	for (i = 0; i < 200; i++)
		make_some();
	return mallinfo2().uordblks - before;
}

/*
 * A context that is lost in each round is 20,000 bytes. A thread that the runtime
 * starts meanwhile is as many, but comes only a few times.
 */
GO_TEST(nothing_leaks)
{
	ptrdiff_t grown;
	int i = 0;

	make_some();
	do
		grown = growth();
	while (grown > 10000 && ++i < 10);
	ck_assert_int_le(grown, 10000);
	ck_assert_int_eq(timers_pending(), 0);
}

static void wait_for_root(int number)
{
	if (number) {
		ck_assert_int_eq(go_chan_recv(go_context_done(root), NULL), 0);
		add(cancelled, 1);
	} else {
		go_sleep(GO_MILLISECOND);
		ck_assert_int_eq(cancelled, 0);
		ck_assert_int_eq(go_context_cancel(root), 0);
	}
}

GO_TEST(all_who_wait_are_told)
{
	struct go_context *parent = child_of(go_context_background());

	root = child_of(parent);
	crowd_run(5, 3, wait_for_root);
	ck_assert_int_eq(cancelled, 7);
	go_context_release(parent);
	go_context_release(root);
}

/* Children come, are cancelled, expire and go, while the root is cancelled. */
static void live_and_die(int number)
{
	int i;

	for (i = 0; i < 300; i++) {
		struct go_context *a, *b;

		a = go_context_with_timeout(root, (i * 7 + number) % 60 * 1000);
		ck_assert_ptr_nonnull(a);
		b = child_of(a);
		if (i % 4 == 0)
			go_context_cancel(a);
		if (i % 4 == 1)
			go_context_release(a);
		if (i == 200 + number)
			go_context_cancel(root);
		if (i % 2)
			ck_assert_int_eq(go_chan_recv(go_context_done(b), NULL),
					 0);
		go_context_release(b);
		if (i % 4 != 1)
			go_context_release(a);
	}
}

GO_TEST(trees_that_change_while_they_are_cancelled)
{
	int i;

	for (i = 0; i < 5; i++) {
		root = child_of(go_context_background());
		crowd_run(6, 2, live_and_die);
		assert_cancelled(root, -ECANCELED, -ECANCELED);
		ck_assert_int_eq(timers_pending(), 0);
		go_context_release(root);
	}
}

#define CHILDREN	100
#define ROUNDS		STARTS(4000)

static struct go_context *children[CHILDREN];
static int round_begun, round_done;

static void *cancel_root(void *arg)
{
	int i;

	for (i = 1; i <= ROUNDS; i++) {
		while (load(round_begun) < i)
			sched_yield();
		go_context_cancel(root);
		store(round_done, i);
	}
	return arg;
}

static void expect_all_cancelled(void)
{
	int i;

	for (i = 0; i < CHILDREN; i++)
		expect(go_context_err(children[i]) == -ECANCELED);
}

static void expect_done_when_cancelled(void)
{
	while (!go_context_err(root))
		sched_yield();
	expect(go_chan_try_recv(go_context_done(root), NULL) == 0);
}

/* Who is the second to cancel returns when all below are cancelled, too. */
START_TEST(two_cancel_at_a_time)
{
	pthread_t other;
	uint64_t random = 1;
	int i, k, pause;

	ck_assert_int_eq(pthread_create(&other, NULL, cancel_root, NULL), 0);
	for (i = 1; i <= ROUNDS; i++) {
		root = child_of(go_context_background());
		for (k = 0; k < CHILDREN; k++)
			children[k] = child_of(root);
		store(round_begun, i);
		for (pause = next_random(&random) % 1000; pause; pause--)
			cpu_relax();
		if (i % 2) {
			ck_assert_int_eq(go_context_cancel(root), 0);
			expect_all_cancelled();
		} else {
			expect_done_when_cancelled();
		}
		while (load(round_done) < i)
			sched_yield();
		for (k = 0; k < CHILDREN; k++)
			go_context_release(children[k]);
		go_context_release(root);
	}
	pthread_join(other, NULL);
}
END_TEST

static void make_root(void *arg)
{
	(void)arg;
	root = go_context_with_timeout(go_context_background(),
				       3600 * GO_SECOND);
	ck_assert_ptr_nonnull(root);
}

START_TEST(without_a_runtime)
{
	struct go_context *child;

	root = child_of(go_context_background());
	ck_assert_ptr_null(go_context_with_timeout(root, GO_SECOND));
	ck_assert_int_eq(go_context_cancel(root), 0);
	assert_cancelled(root, -ECANCELED, -ECANCELED);
	go_context_release(root);

	/* One with a deadline may outlive the runtime, but time does not end it. */
	ck_assert_int_eq(go_run(make_root, NULL), 0);
	child = child_of(root);
	ck_assert_int_eq(go_context_cancel(root), 0);
	assert_cancelled(child, -ECANCELED, -ECANCELED);
	go_context_release(root);
	go_context_release(child);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("context");

	tcase_add_go_test(tc, the_background_is_never_cancelled);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, cancelling_goes_down_and_not_up);
	tcase_add_go_test(tc, the_first_cause_stays);
	tcase_add_go_test(tc, a_deadline_cancels);
	tcase_add_go_test(tc, a_deadline_that_has_passed_cancels_at_once);
	tcase_add_go_test(tc, no_timer_is_left);
	tcase_add_go_test(tc, the_nearest_value_counts);
	tcase_add_go_test(tc, large_trees);
	tcase_add_go_test(tc, nothing_leaks);
	tcase_add_go_test(tc, all_who_wait_are_told);
	tcase_add_go_test(tc, trees_that_change_while_they_are_cancelled);
	tcase_add_test(tc, two_cancel_at_a_time);
	tcase_add_test(tc, without_a_runtime);
	return run_tests("context", tc);
}
