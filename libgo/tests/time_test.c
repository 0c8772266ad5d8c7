// SPDX-License-Identifier: MIT
/*
 * Sleeping, timers, and channels that tell the time.
 */
#include "test.h"

static struct go_waitgroup wg;
static int count, early, stopped;
static int64_t last;

static void sleep_some(void *arg)
{
	int64_t ns = (intptr_t)arg;
	int64_t start = go_now();

	go_sleep(ns);
	if (go_now() - start < ns)
		add(early, 1);
	add(count, 1);
	go_waitgroup_done(&wg);
}

GO_TEST(sleeps_never_end_early)
{
	const int n = STARTS(2000);
	int i;

	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		go_spawn(sleep_some, (void *)(intptr_t)(i * 7919 % 20000000));
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, n);
	ck_assert_int_eq(early, 0);
}

GO_TEST(no_sleep_is_no_wait)
{
	go_sleep(0);
	go_sleep(-5);
}

static void fire(void *arg)
{
	int64_t now = go_now();

	(void)arg;
	if (now < last)
		add(early, 1);
	add(count, 1);
}

GO_TEST(a_timer_fires_once_and_not_early)
{
	struct go_timer *t;

	last = go_now() + 2 * GO_MILLISECOND;
	t = go_timer_start(2 * GO_MILLISECOND, fire, NULL);
	wait_until(load(count) == 1);
	go_sleep(3 * GO_MILLISECOND);
	ck_assert_int_eq(load(count), 1);
	ck_assert_int_eq(early, 0);
	ck_assert_int_eq(go_timer_stop(t), 0);
	go_timer_free(t);
}

GO_TEST(a_stopped_timer_does_not_fire)
{
	struct go_timer *t[100];
	int i;

	/* Half of them may have fired before we come to stop them. */
	for (i = 0; i < 100; i++)
		t[i] = go_timer_start(i % 2 ? GO_SECOND * 3600 :
				      50 * GO_MILLISECOND + i * 10000, fire,
				      NULL);
	for (i = 99; i >= 0; i--)
		stopped += go_timer_stop(t[i]);
	ck_assert_int_ge(stopped, 50);
	go_sleep(60 * GO_MILLISECOND);
	wait_until(load(count) + stopped >= 100);
	ck_assert_int_eq(load(count) + stopped, 100);
	for (i = 0; i < 100; i++)
		go_timer_free(t[i]);
	go_timer_free(NULL);
}

/* Fired or stopped, never both and never neither. */
GO_TEST(stopping_races_with_firing)
{
	int i;

	for (i = 0; i < 500; i++) {
		struct go_timer *t = go_timer_start(i % 50 * 2000, fire, NULL);

		go_sleep(50000);
		stopped += go_timer_stop(t);
		go_timer_free(t);
	}
	wait_until(load(count) + stopped == 500);
}

GO_TEST(a_timer_that_is_reset_fires_at_the_new_time)
{
	struct go_timer *t = go_timer_start(3600 * GO_SECOND, fire, NULL);

	last = go_now() + GO_MILLISECOND;
	ck_assert_int_eq(go_timer_reset(t, GO_MILLISECOND), 1);
	wait_until(load(count) == 1);
	last = go_now() + GO_MILLISECOND;
	ck_assert_int_eq(go_timer_reset(t, GO_MILLISECOND), 0);
	wait_until(load(count) == 2);
	ck_assert_int_eq(early, 0);
	ck_assert_int_eq(go_timer_reset(t, 3600 * GO_SECOND), 0);
	ck_assert_int_eq(go_timer_stop(t), 1);
	go_timer_free(t);
}

static struct go_timer *shared;

static void reset_or_stop(int number)
{
	int i, ret;

	for (i = 0; i < 2000; i++) {
		if (number)
			ret = go_timer_reset(shared, i % 50 * 1000);
		else
			ret = go_timer_stop(shared);
		ck_assert(ret == 0 || ret == 1);
		if (number && !ret)
			add(early, 1);	/* it had fired or was stopped */
		else if (!number && ret)
			add(stopped, 1);
		if (i % 10 == 0)
			go_sleep(20000);
	}
}

/* Each start but the last was followed by a reset that came before it, by a stop,
 * or by the function.
 */
GO_TEST(resets_race_with_firing)
{
	shared = go_timer_start(0, fire, NULL);
	crowd_run(4, 2, reset_or_stop);
	go_sleep(GO_MILLISECOND);
	early++;	/* the first start */
	early -= go_timer_stop(shared);
	wait_until(load(count) + stopped == early);
	go_timer_free(shared);
}

static void *thread_timer(void *arg)
{
	struct go_timer *t = go_timer_start(GO_MILLISECOND, fire, NULL);
	struct go_chan *ch = go_after(GO_MILLISECOND);
	int64_t when = 0;

	(void)arg;
	ck_assert_ptr_nonnull(t);
	ck_assert_ptr_nonnull(ch);
	ck_assert_int_eq(go_chan_recv(ch, &when), 1);
	ck_assert_int_ge(when, last);
	go_chan_release(ch);
	while (!load(count))
		go_sleep(10000);
	ck_assert_int_eq(go_timer_stop(t), 0);
	go_timer_free(t);
	add(count, 1);
	return NULL;
}

GO_TEST(plain_threads_have_timers)
{
	pthread_t thread;

	last = go_now() + GO_MILLISECOND;
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_timer, NULL), 0);
	wait_until(load(count) == 2);
	pthread_join(thread, NULL);
	ck_assert_int_eq(early, 0);
}

static void start_one(void *arg)
{
	(void)arg;
	shared = go_timer_start(3600 * GO_SECOND, fire, NULL);
}

START_TEST(a_timer_may_outlive_the_runtime)
{
	ck_assert_ptr_null(go_timer_start(0, fire, NULL));
	ck_assert_ptr_null(go_after(0));
	ck_assert_int_eq(go_run(start_one, NULL), 0);
	ck_assert_int_eq(go_timer_stop(shared), 0);
	go_timer_free(shared);
}
END_TEST

GO_TEST(go_after_sends_the_time)
{
	int64_t start = go_now(), t = 0;
	struct go_chan *ch = go_after(3 * GO_MILLISECOND);

	ck_assert_int_eq(go_chan_recv(ch, &t), 1);
	ck_assert_int_ge(t, start + 3 * GO_MILLISECOND);
	go_chan_release(ch);
	/* Nobody waits for this one. */
	go_chan_release(go_after(GO_MILLISECOND));
	go_sleep(3 * GO_MILLISECOND);
}

static int stop_computing;

static void compute(void *arg)
{
	(void)arg;
	while (!load(stop_computing))
		;
}

static void sleep_beside_a_busy_one(void *arg)
{
	int i;

	(void)arg;
	go_spawn(compute, NULL);
	for (i = 0; i < 100; i++)
		go_sleep(100000);
	store(stop_computing, 1);
}

START_TEST(sleeps_go_on_beside_a_busy_processor)
{
	setenv("GOMAXPROCS", "2", 1);
	ck_assert_int_eq(go_run(sleep_beside_a_busy_one, NULL), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("time");

	tcase_add_go_test(tc, sleeps_never_end_early);
	tcase_add_go_test(tc, no_sleep_is_no_wait);
	tcase_add_go_test(tc, a_timer_fires_once_and_not_early);
	tcase_add_go_test(tc, a_stopped_timer_does_not_fire);
	tcase_add_go_test(tc, stopping_races_with_firing);
	tcase_add_go_test(tc, a_timer_that_is_reset_fires_at_the_new_time);
	tcase_add_go_test(tc, resets_race_with_firing);
	tcase_add_go_test(tc, plain_threads_have_timers);
	tcase_add_test(tc, a_timer_may_outlive_the_runtime);
	tcase_add_go_test(tc, go_after_sends_the_time);
	tcase_add_test(tc, sleeps_go_on_beside_a_busy_processor);
	return run_tests("time", tc);
}
