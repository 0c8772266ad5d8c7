// SPDX-License-Identifier: MIT
/*
 * Tickers.
 */
#include <errno.h>

#include "test.h"

#define PERIOD	(200 * GO_MICROSECOND)

static struct go_ticker *ticker;
static int64_t from;
static int ticks, ended;

static int64_t next_tick(struct go_ticker *tk)
{
	int64_t t = 0;

	ck_assert_int_eq(go_chan_recv(go_ticker_chan(tk), &t), 1);
	return t;
}

GO_TEST(ticks_come_one_period_after_the_other)
{
	int64_t start = go_now(), t;
	size_t goroutines = go_num_goroutine();
	int i;

	ticker = go_ticker_start(PERIOD);
	ck_assert_ptr_nonnull(ticker);
	for (i = 1; i <= 50; i++) {
		t = next_tick(ticker);
		ck_assert_int_ge(t, start + i * PERIOD);
		ck_assert_int_le(t, go_now());
	}
	ck_assert_int_eq(go_num_goroutine(), goroutines);
	go_ticker_free(ticker);
	go_ticker_free(NULL);
}

GO_TEST(a_slow_receiver_loses_ticks)
{
	int64_t slept;
	int old = 0;

	ticker = go_ticker_start(PERIOD);
	ck_assert_int_eq(go_chan_cap(go_ticker_chan(ticker)), 1);
	go_sleep(20 * PERIOD);
	slept = go_now();
	/* The one that was kept, and what was on its way. */
	while (next_tick(ticker) <= slept)
		old++;
	ck_assert_int_ge(old, 1);
	ck_assert_int_le(old, 4);
	go_ticker_free(ticker);
}

GO_TEST(mistakes_are_told)
{
	ck_assert_ptr_null(go_ticker_start(0));
	ck_assert_ptr_null(go_ticker_start(-1));
	ticker = go_ticker_start(PERIOD);
	ck_assert_int_eq(go_ticker_reset(ticker, 0), -EINVAL);
	next_tick(ticker);	/* it still ticks */
	go_ticker_free(ticker);
}

GO_TEST(no_tick_comes_after_a_stop)
{
	int i;

	for (i = 0; i < 300; i++) {
		ticker = go_ticker_start(10 * GO_MICROSECOND);
		go_sleep(i % 40 * GO_MICROSECOND);
		ck_assert_int_eq(go_ticker_stop(ticker), 1);
		ck_assert_int_eq(go_chan_len(go_ticker_chan(ticker)), 0);
		ck_assert_int_eq(go_ticker_stop(ticker), 0);
		go_sleep(30 * GO_MICROSECOND);
		ck_assert_int_eq(go_chan_len(go_ticker_chan(ticker)), 0);
		go_ticker_free(ticker);
	}
}

GO_TEST(reset_changes_the_period)
{
	int64_t start;

	ticker = go_ticker_start(3600 * GO_SECOND);
	start = go_now();
	ck_assert_int_eq(go_ticker_reset(ticker, PERIOD), 1);
	ck_assert_int_ge(next_tick(ticker), start + PERIOD);
	ck_assert_int_ge(next_tick(ticker), start + 2 * PERIOD);
	ck_assert_int_eq(go_ticker_stop(ticker), 1);
	start = go_now();
	ck_assert_int_eq(go_ticker_reset(ticker, 2 * PERIOD), 0);
	ck_assert_int_ge(next_tick(ticker), start + 2 * PERIOD);
	go_ticker_free(ticker);
}

/* They wait with deadlines, which are timers too, for the ticks and each other. */
static void receive_or_reset(int number)
{
	struct go_chan *ch = go_ticker_chan(ticker);
	int i, ret;

	for (i = 0; i < 2000; i++) {
		if (number == 0 && i % 20 == 0) {
			ck_assert_int_ge(go_ticker_reset(ticker, 20000 + i), 0);
			continue;
		}
		if (number == 1 && i % 50 == 0) {
			ck_assert_int_ge(go_ticker_stop(ticker), 0);
			ck_assert_int_ge(go_ticker_reset(ticker, 30000), 0);
		}
		ret = go_chan_recv_until(ch, NULL,
					 go_now() + i % 7 * 10000);
		if (ret == 1)
			add(ticks, 1);
		else
			ck_assert_int_eq(ret, -ETIMEDOUT);
	}
	add(ended, 1);
}

GO_TEST(ticks_deadlines_and_resets_at_once)
{
	ticker = go_ticker_start(20 * GO_MICROSECOND);
	crowd_run(4, 2, receive_or_reset);
	ck_assert_int_eq(ended, 6);
	ck_assert_int_gt(ticks, 0);
	go_ticker_free(ticker);
}

GO_TEST(freeing_races_with_ticking)
{
	int i;

	for (i = 0; i < 1000; i++) {
		ticker = go_ticker_start(1 + i % 50 * 100);
		if (i % 2)
			go_sleep(i % 30 * GO_MICROSECOND);
		go_ticker_free(ticker);
	}
}

static void *thread_ticks(void *arg)
{
	struct go_ticker *tk = go_ticker_start(PERIOD);
	int i;

	ck_assert_ptr_nonnull(tk);
	for (i = 1; i <= 10; i++)
		ck_assert_int_ge(next_tick(tk), from + i * PERIOD);
	ck_assert_int_eq(go_ticker_stop(tk), 1);
	go_ticker_free(tk);
	store(*(int *)arg, 1);
	return NULL;
}

GO_TEST(a_plain_thread_has_one)
{
	pthread_t thread;
	int done = 0;

	from = go_now();
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_ticks, &done), 0);
	wait_until(load(done));
	pthread_join(thread, NULL);
}

static void start_one(void *arg)
{
	(void)arg;
	ticker = go_ticker_start(PERIOD);
	next_tick(ticker);
}

START_TEST(it_may_outlive_the_runtime)
{
	int i;

	ck_assert_ptr_null(go_ticker_start(PERIOD));
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(go_run(start_one, NULL), 0);
		ck_assert_int_eq(go_ticker_reset(ticker, PERIOD), -ESRCH);
		go_ticker_free(ticker);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ticker");

	tcase_add_go_test(tc, ticks_come_one_period_after_the_other);
	tcase_add_go_test(tc, a_slow_receiver_loses_ticks);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, no_tick_comes_after_a_stop);
	tcase_add_go_test(tc, reset_changes_the_period);
	tcase_add_go_test(tc, ticks_deadlines_and_resets_at_once);
	tcase_add_go_test(tc, freeing_races_with_ticking);
	tcase_add_go_test(tc, a_plain_thread_has_one);
	tcase_add_test(tc, it_may_outlive_the_runtime);
	return run_tests("ticker", tc);
}
