// SPDX-License-Identifier: MIT
/*
 * Select chooses evenly among the cases that can proceed (Go's specification:
 * by a uniform pseudo-random selection).
 *
 * Each is a chi-square test at a significance of one in a million: the 90 of
 * them fail a correct select once in 11,000 runs. With 4,000 choices between two
 * cases one that is chosen a fifth more often than the other does not pass.
 */
#include <pthread.h>
#include <stdbool.h>

#include "test.h"

#define CHOICES 4000
#define CASES_MAX 20

/* What chi-square exceeds once in 1,000,000 times, by degrees of freedom. */
static const double chi_square_limit[CASES_MAX] = {
	[1] = 23.93, [2] = 27.63, [3] = 30.66, [4] = 33.38, [7] = 40.52,
	[11] = 48.87, [19] = 63.68,
};

static struct go_chan *chs[CASES_MAX], *nil;
static int v;

/* How a channel is made ready, and kept so. */
enum ready { NOT, RECV, SEND, CLOSED, NIL };

static struct go_case case_make(int i, enum ready ready)
{
	chs[i] = go_chan_make(sizeof(int), CHOICES);
	switch (ready) {
	case NOT:
		return (struct go_case)GO_RECV(chs[i], &v);
	case RECV:
		while (go_chan_try_send(chs[i], &v) == 0)
			;
		return (struct go_case)GO_RECV(chs[i], &v);
	case SEND:
		return (struct go_case)GO_SEND(chs[i], &v);
	case CLOSED:
		go_chan_close(chs[i]);
		return (struct go_case)GO_RECV(chs[i], &v);
	default:
		return (struct go_case)GO_RECV(nil, &v);
	}
}

static bool is_ready(enum ready ready)
{
	return ready != NOT && ready != NIL;
}

/* Let n cases, some of them ready, be chosen from, and look at how often each is. */
static void choose_among(const enum ready *ready, int n)
{
	struct go_case cases[CASES_MAX];
	int seen[CASES_MAX] = {}, nr_ready = 0, i;
	double expected, chi_square = 0;

	for (i = 0; i < n; i++) {
		cases[i] = case_make(i, ready[i]);
		nr_ready += is_ready(ready[i]);
	}
	for (i = 0; i < CHOICES; i++)
		seen[go_select(cases, n)]++;
	expected = (double)CHOICES / nr_ready;
	for (i = 0; i < n; i++) {
		if (is_ready(ready[i]))
			chi_square += (seen[i] - expected) *
				(seen[i] - expected) / expected;
		else
			ck_assert_int_eq(seen[i], 0);
		go_chan_release(chs[i]);
	}
	ck_assert_double_gt(chi_square_limit[nr_ready - 1], 0);
	ck_assert_double_le(chi_square, chi_square_limit[nr_ready - 1]);
}

#define choose(...)							\
	do {								\
		static const enum ready ready[] = { __VA_ARGS__ };	\
									\
		choose_among(ready, sizeof(ready) / sizeof(*ready));	\
	} while (0)

static void choose_all(void *arg)
{
	(void)arg;
	choose(RECV, RECV);
	choose(SEND, RECV);
	choose(SEND, SEND, SEND);
	choose(RECV, CLOSED, SEND);
	choose(RECV, RECV, RECV, RECV);
	choose(NOT, RECV, NOT, RECV);
	choose(RECV, RECV, NOT, NOT, NOT, NOT, NOT, NOT);
	choose(NOT, NOT, NOT, SEND, NIL, NOT, RECV, CLOSED);
	choose(RECV, RECV, RECV, RECV, RECV);
	choose(RECV, SEND, CLOSED, RECV, SEND, CLOSED, RECV, SEND);
	choose(NIL, RECV, RECV, NIL, RECV, NOT, RECV, RECV, NOT);
	choose(RECV, RECV, RECV, RECV, RECV, RECV, RECV, RECV, RECV, RECV,
	       RECV, RECV);
	choose(SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND,
	       SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND, SEND);
	choose(NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT,
	       NOT, NOT, NOT, NOT, NOT, NOT, NOT, SEND, SEND, SEND);
}

GO_TEST(a_goroutine_chooses_evenly)
{
	choose_all(NULL);
}

static void *in_thread(void *arg)
{
	choose_all(arg);
	return NULL;
}

GO_TEST(a_plain_thread_chooses_evenly)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, in_thread, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* One channel in several cases has as many chances. */
GO_TEST(a_channel_that_stands_twice_is_two_cases)
{
	int seen[3] = {}, i;
	double expected = CHOICES / 3., chi_square = 0;

	chs[0] = go_chan_make(sizeof(int), CHOICES);
	chs[1] = go_chan_make(sizeof(int), CHOICES);
	for (i = 0; i < CHOICES; i++) {
		struct go_case cases[] = {
			GO_SEND(chs[0], &v), GO_SEND(chs[1], &v),
			GO_SEND(chs[0], &v),
		};

		seen[go_select(cases, 3)]++;
	}
	for (i = 0; i < 3; i++)
		chi_square += (seen[i] - expected) * (seen[i] - expected) /
			expected;
	ck_assert_double_le(chi_square, chi_square_limit[2]);
}

/*
 * A waiter that another channel has served makes its channel look ready; that
 * must not make the others any likelier. Here chs[0] has one each time.
 */
static struct go_chan *other, *turn;

static void leave_a_stale_waiter(void *arg)
{
	struct go_case cases[] = {
		GO_RECV(chs[0], NULL), GO_RECV(other, NULL),
	};

	(void)arg;
	while (go_chan_recv(turn, NULL))
		ck_assert_int_eq(go_select(cases, 2), 1);
}

GO_TEST(a_stale_waiter_does_not_count)
{
	int seen[3] = {}, i;
	double chi_square = 0, expected = CHOICES / 2.;

	chs[0] = go_chan_make(sizeof(int), 0);
	chs[1] = go_chan_make(sizeof(int), CHOICES);
	chs[2] = go_chan_make(sizeof(int), CHOICES);
	other = go_chan_make(sizeof(int), 0);
	turn = go_chan_make(0, 0);
	go_spawn(leave_a_stale_waiter, NULL);
	for (i = 0; i < CHOICES; i++) {
		struct go_case cases[] = {
			GO_SEND(chs[0], &v), GO_SEND(chs[1], &v),
			GO_SEND(chs[2], &v),
		};

		go_chan_send(turn, NULL);
		while (go_chan_try_send(other, &v))
			go_yield();
		/* on one P the other has not run since, and is queued still */
		seen[go_select(cases, 3)]++;
	}
	go_chan_close(turn);
	ck_assert_int_eq(seen[0], 0);
	for (i = 1; i < 3; i++)
		chi_square += (seen[i] - expected) * (seen[i] - expected) /
			expected;
	ck_assert_double_le(chi_square, chi_square_limit[1]);
}

int main(void)
{
	TCase *tc = tcase_create("select_fair");

	tcase_add_go_test(tc, a_goroutine_chooses_evenly);
	tcase_add_go_test(tc, a_plain_thread_chooses_evenly);
	tcase_add_go_test(tc, a_channel_that_stands_twice_is_two_cases);
	tcase_add_go_test(tc, a_stale_waiter_does_not_count);
	return run_tests("select_fair", tc);
}
