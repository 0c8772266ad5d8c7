// SPDX-License-Identifier: MIT
/*
 * Select: one of several operations, and that nothing is lost by the others.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "test.h"

#define CHANS 20

static struct go_chan *chs[CHANS];
static struct go_waitgroup wg;
static int count;

static void chans_make(int n, int cap)
{
	int i;

	for (i = 0; i < n; i++) {
		chs[i] = go_chan_make(sizeof(int), cap);
		ck_assert_ptr_nonnull(chs[i]);
	}
}

GO_TEST(the_case_that_is_ready_is_done)
{
	int i, v = 0, seven = 7;

	chans_make(4, 1);
	for (i = 0; i < 4; i++) {
		struct go_case cases[] = {
			GO_RECV(chs[0], &v), GO_RECV(chs[1], &v),
			GO_RECV(chs[2], &v), GO_RECV(chs[3], &v),
		};

		ck_assert_int_eq(go_chan_send(chs[i], &seven), 0);
		ck_assert_int_eq(go_select(cases, 4), i);
		ck_assert_int_eq(cases[i].result, 1);
		ck_assert_int_eq(v, 7);
	}
}

GO_TEST(default_is_taken_if_none_is_ready)
{
	int v = 1;

	chans_make(2, 1);
	ck_assert_int_eq(go_chan_send(chs[1], &v), 0);
	{
		struct go_case cases[] = {
			GO_RECV(chs[0], &v), GO_DEFAULT, GO_SEND(chs[1], &v),
		};

		ck_assert_int_eq(go_select(cases, 3), 1);
		ck_assert_int_eq(go_chan_recv(chs[1], &v), 1);
		ck_assert_int_eq(go_select(cases, 3), 2);
		ck_assert_int_eq(go_chan_len(chs[1]), 1);
	}
}

GO_TEST(a_deadline_ends_the_wait)
{
	int64_t until = go_now() + 3 * GO_MILLISECOND;
	int v;

	chans_make(1, 0);
	{
		struct go_case cases[] = {
			GO_RECV(chs[0], &v), GO_DEADLINE(until),
			GO_DEADLINE(until + GO_SECOND),
		};

		ck_assert_int_eq(go_select(cases, 3), 1);
		ck_assert(go_now() >= until);
		/* it left no waiter behind */
		ck_assert_int_eq(go_chan_try_send(chs[0], &v), -EAGAIN);
	}
}

GO_TEST(mistakes_are_told)
{
	struct go_case twice[] = { GO_DEFAULT, GO_DEFAULT };
	struct go_case unknown[] = { { .kind = 77 } };

	ck_assert_int_eq(go_select(NULL, -1), -EINVAL);
	ck_assert_int_eq(go_select(twice, 2), -EINVAL);
	ck_assert_int_eq(go_select(unknown, 1), -EINVAL);
}

static void feed(void *arg)
{
	int i, n = (intptr_t)arg;

	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(go_chan_send(chs[n], &n), 0);
	go_waitgroup_done(&wg);
}

/* n channels, each with a sender; all elements arrive, each from its channel. */
static void collect(int n)
{
	struct go_case cases[CHANS];
	int from[CHANS] = {}, v[CHANS], i, k;

	for (i = 0; i < n; i++)
		cases[i] = (struct go_case)GO_RECV(chs[i], &v[i]);
	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		go_spawn(feed, (void *)(intptr_t)i);
	for (k = 0; k < n * 1000; k++) {
		i = go_select(cases, n);
		ck_assert_int_ge(i, 0);
		ck_assert_int_eq(cases[i].result, 1);
		ck_assert_int_eq(v[i], i);
		from[i]++;
	}
	go_waitgroup_wait(&wg);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(from[i], 1000);
}

GO_TEST(nothing_is_lost_or_doubled)
{
	chans_make(8, 0);
	collect(1);
	collect(4);
	collect(8);
}

GO_TEST(many_cases)
{
	chans_make(CHANS, 1);
	collect(CHANS);
}

static void *thread_collect(void *arg)
{
	(void)arg;
	collect(4);
	store(count, 1);
	return NULL;
}

GO_TEST(plain_threads_select)
{
	pthread_t thread;

	chans_make(4, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_collect, NULL), 0);
	wait_until(load(count));
	pthread_join(thread, NULL);
}

/* Selects that send and receive on the same channels, against each other. */
static void contend(void *arg)
{
	int sent = 1, got, i, k;

	(void)arg;
	for (k = 0; k < 2000; k++) {
		struct go_case cases[] = {
			GO_SEND(chs[0], &sent), GO_RECV(chs[0], &got),
			GO_SEND(chs[1], &sent), GO_RECV(chs[1], &got),
			GO_DEADLINE(go_now() + GO_SECOND),
		};

		i = go_select(cases, 5);
		if (i == 4)	/* the others have ended */
			break;
		add(count, i % 2 ? 1 : -1);
	}
	go_waitgroup_done(&wg);
}

GO_TEST(selects_against_selects)
{
	int i;

	chans_make(2, 0);
	go_waitgroup_add(&wg, 6);
	for (i = 0; i < 6; i++)
		go_spawn(contend, NULL);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 0);
}

int main(void)
{
	TCase *tc = tcase_create("select");

	tcase_add_go_test(tc, the_case_that_is_ready_is_done);
	tcase_add_go_test(tc, default_is_taken_if_none_is_ready);
	tcase_add_go_test(tc, a_deadline_ends_the_wait);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, nothing_is_lost_or_doubled);
	tcase_add_go_test(tc, many_cases);
	tcase_add_go_test(tc, plain_threads_select);
	tcase_add_go_test(tc, selects_against_selects);
	return run_tests("select", tc);
}
