// SPDX-License-Identifier: MIT
/*
 * Select, sentence by sentence of Go's language specification (Select
 * statements). What libgo promises besides: select_fair_test,
 * select_torture_test.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "chan.h"
#include "test.h"

#define CHANS 20
#define UNTOUCHED (-77)

static struct go_chan *chs[CHANS], *nil;
static int got[CHANS], one = 1;
static struct go_waitgroup wg;
static int chosen, done, evaluated;

static void chans_make(int n, int cap)
{
	int i;

	for (i = 0; i < n; i++) {
		chs[i] = kept_chan(sizeof(int), cap);
		ck_assert_ptr_nonnull(chs[i]);
		got[i] = UNTOUCHED;
	}
}

static void send(int i, int v)
{
	ck_assert_int_eq(go_chan_send(chs[i], &v), 0);
}

static int waitq_len(const struct waitq *q)
{
	const struct waiter *w;
	int n = 0;

	for (w = q->first; w; w = w->next)
		n++;
	return n;
}

/* How many wait for a channel; the interface does not tell. */
static int waiters(int i)
{
	struct m *m = wait_enter();
	int n;

	home_lock_away(m, &chs[i]->lock);
	n = waitq_len(&chs[i]->recvq) + waitq_len(&chs[i]->sendq);
	lock_release(&chs[i]->lock.lock);
	wait_exit(m);
	return n;
}

static void *in_thread(void *arg)
{
	((go_fn)arg)(NULL);
	return NULL;
}

/* Run something in a goroutine, or else in a plain thread. */
static void start(go_fn fn, int thread)
{
	pthread_t t;

	if (thread)
		ck_assert_int_eq(pthread_create(&t, NULL, in_thread, fn), 0);
	else
		ck_assert_int_eq(go_spawn(fn, NULL), 0);
}

/* ---- evaluation ------------------------------------------------------------------ */

static struct go_chan *evaluate_chan(int i)
{
	evaluated++;
	return chs[i];
}

static int *evaluate_elem(int *elem)
{
	evaluated += 100;
	return elem;
}

/*
 * The channels and the values to send are evaluated exactly once, irrespective
 * of which case is chosen. (Not in the order of the source: C leaves the order in
 * an initializer open.)
 */
GO_TEST(operands_are_evaluated_once)
{
	chans_make(2, 1);
	{
		struct go_case cases[] = {
			GO_SEND(evaluate_chan(0), evaluate_elem(&one)),
			GO_RECV(evaluate_chan(1), evaluate_elem(&got[1])),
			GO_DEFAULT,
		};

		ck_assert_int_eq(evaluated, 202);
		ck_assert_int_eq(go_select(cases, 3), 0);
		ck_assert_int_eq(go_select(cases, 3), 2);
		ck_assert_int_eq(evaluated, 202);
	}
}

/*
 * If the chosen case is a receive, the value is assigned; the left-hand sides of
 * the others are not touched.
 */
GO_TEST(only_the_chosen_receive_stores)
{
	int i;

	chans_make(3, 1);
	for (i = 0; i < 3; i++) {
		struct go_case cases[] = {
			GO_RECV(chs[0], &got[0]), GO_RECV(chs[1], &got[1]),
			GO_RECV(chs[2], &got[2]),
		};

		got[0] = UNTOUCHED;
		got[1] = UNTOUCHED;
		got[2] = UNTOUCHED;
		send(i, 100 + i);
		ck_assert_int_eq(go_select(cases, 3), i);
		ck_assert_int_eq(got[i], 100 + i);
		ck_assert_int_eq(got[(i + 1) % 3], UNTOUCHED);
		ck_assert_int_eq(got[(i + 2) % 3], UNTOUCHED);
	}
}

/* Nor are they by the default, or by a deadline. */
GO_TEST(a_default_or_a_deadline_stores_nothing)
{
	chans_make(1, 1);
	{
		struct go_case cases[] = {
			GO_RECV(chs[0], &got[0]), GO_DEFAULT,
		};

		ck_assert_int_eq(go_select(cases, 2), 1);
		cases[1] = (struct go_case)
			GO_DEADLINE(go_now() + GO_MILLISECOND);
		ck_assert_int_eq(go_select(cases, 2), 1);
		ck_assert_int_eq(got[0], UNTOUCHED);
	}
}

/* A receive may drop the value. */
GO_TEST(a_receive_may_drop_the_value)
{
	struct go_case c;

	chans_make(1, 1);
	send(0, 1);
	c = (struct go_case)GO_RECV(chs[0], NULL);
	ck_assert_int_eq(go_select(&c, 1), 0);
	ck_assert_int_eq(c.result, 1);
	ck_assert_uint_eq(go_chan_len(chs[0]), 0);
}

/* ---- which case is chosen ----------------------------------------------------------- */

/* If one or more can proceed, a single one is chosen, and only it is executed. */
GO_TEST(one_of_several_ready_cases_is_done)
{
	static const int results[] = { 1, 1, 0, 0 };
	int i, k, left;

	chans_make(4, 1);
	send(0, 0);
	send(1, 1);
	for (k = 0; k < 100; k++) {
		struct go_case cases[] = {
			GO_RECV(chs[0], &got[0]), GO_RECV(chs[1], &got[1]),
			GO_SEND(chs[2], &one), GO_SEND(chs[3], &one),
		};

		i = go_select(cases, 4);
		ck_assert(i >= 0 && i < 4);
		ck_assert_int_eq(cases[i].result, results[i]);
		left = go_chan_len(chs[0]) + go_chan_len(chs[1]) +
			2 - go_chan_len(chs[2]) - go_chan_len(chs[3]);
		ck_assert_int_eq(left, 3);
		/* as before, for the next round */
		if (i < 2)
			send(i, i);
		else
			ck_assert_int_eq(go_chan_recv(chs[i], NULL), 1);
	}
}

/* If none can, the default is chosen; it may stand anywhere. */
GO_TEST(the_default_may_stand_anywhere)
{
	int pos, i;

	chans_make(3, 0);
	for (pos = 0; pos < 4; pos++) {
		struct go_case cases[4];

		for (i = 0; i < 4; i++)
			cases[i] = (struct go_case)GO_RECV(chs[i % 3], NULL);
		cases[pos] = (struct go_case)GO_DEFAULT;
		ck_assert_int_eq(go_select(cases, 4), pos);
	}
}

/* The default is chosen only if none can. */
GO_TEST(a_ready_case_comes_before_the_default)
{
	int i;

	chans_make(2, 1);
	for (i = 0; i < 100; i++) {
		struct go_case cases[] = {
			GO_DEFAULT, GO_RECV(chs[0], NULL), GO_RECV(chs[1], NULL),
		};

		send(i % 2, 1);
		ck_assert_int_eq(go_select(cases, 3), 1 + i % 2);
	}
}

/* There can be at most one default. */
GO_TEST(a_second_default_is_refused)
{
	struct go_case cases[] = {
		GO_DEFAULT, GO_RECV(nil, NULL), GO_DEFAULT,
	};

	ck_assert_int_eq(go_select(cases, 3), -EINVAL);
	cases[1] = (struct go_case)GO_DEADLINE(0);
	ck_assert_int_eq(go_select(cases, 3), -EINVAL);
	ck_assert_int_eq(go_select(cases, 2), 0);
}

static void select_of_two(void *arg)
{
	struct go_case cases[] = {
		GO_RECV(chs[0], &got[0]), GO_SEND(chs[1], &one),
	};
	int i = go_select(cases, 2);

	(void)arg;
	ck_assert_int_eq(cases[i].result, !i);
	store(chosen, i);
	add(done, 1);
}

/* Without a default it blocks until one of the cases can proceed. */
GO_TEST(it_blocks_until_a_case_can_proceed)
{
	int thread, v = 0;

	chans_make(2, 0);
	for (thread = 0; thread < 2; thread++) {
		done = 0;
		start(select_of_two, thread);
		wait_until(waiters(0) && waiters(1));
		ck_assert_int_eq(load(done), 0);
		send(0, 55);
		wait_until(load(done));
		ck_assert_int_eq(load(chosen), 0);
		ck_assert_int_eq(got[0], 55);

		start(select_of_two, thread);
		wait_until(waiters(0) && waiters(1));
		ck_assert_int_eq(load(done), 1);
		ck_assert_int_eq(go_chan_recv(chs[1], &v), 1);
		ck_assert_int_eq(v, 1);
		wait_until(load(done) == 2);
		ck_assert_int_eq(load(chosen), 1);
	}
}

/* The cases that were not chosen are as if they had never been there. */
GO_TEST(cases_not_chosen_leave_nothing_behind)
{
	int i, v;

	chans_make(CHANS, 0);
	for (i = 0; i < CHANS; i++) {
		struct go_case cases[CHANS];
		int k;

		for (k = 0; k < CHANS; k++)
			cases[k] = (struct go_case)GO_RECV(chs[k], &got[k]);
		cases[i] = (struct go_case)
			GO_DEADLINE(go_now() + GO_MILLISECOND / 4);
		ck_assert_int_eq(go_select(cases, CHANS), i);
		for (k = 0; k < CHANS; k++) {
			ck_assert_int_eq(waiters(k), 0);
			ck_assert_int_eq(go_chan_try_send(chs[k], &one),
					 -EAGAIN);
			ck_assert_int_eq(go_chan_try_recv(chs[k], &v),
					 -EAGAIN);
		}
	}
}

/* ---- nil channels ----------------------------------------------------------------------- */

static void select_nothing(void *arg)
{
	struct go_case cases[] = { GO_RECV(nil, NULL), GO_SEND(nil, &one) };

	(void)arg;
	switch (add(done, 1) % 3) {
	case 0:
		go_select(NULL, 0);
		break;
	case 1:
		go_select(cases, 1);
		break;
	default:
		go_select(cases, 2);
	}
	ck_abort_msg("a select of nothing has ended");
}

/*
 * Communication on nil can never proceed: a select of nil channels only and
 * without a default, or without any case, blocks for ever.
 */
GO_TEST(a_select_of_nothing_blocks_for_ever)
{
	int i;

	for (i = 0; i < 6; i++)
		start(select_nothing, i / 3);
	wait_until(load(done) == 6);
	go_sleep(5 * GO_MILLISECOND);	/* for those that go on */
}

/* With a default or a deadline it is that. */
GO_TEST(a_nil_channel_is_as_if_its_case_were_not_there)
{
	int64_t soon = go_now() + GO_MILLISECOND;
	int i;

	chans_make(1, 1);
	{
		struct go_case cases[] = {
			GO_RECV(nil, &got[0]), GO_DEFAULT, GO_SEND(nil, &one),
		};

		ck_assert_int_eq(go_select(cases, 3), 1);
		cases[1] = (struct go_case)GO_DEADLINE(soon);
		ck_assert_int_eq(go_select(cases, 3), 1);
		ck_assert_int_ge(go_now(), soon);
		for (i = 0; i < 100; i++) {
			cases[1] = (struct go_case)GO_SEND(chs[0], &one);
			ck_assert_int_eq(go_select(cases, 3), 1);
			cases[1] = (struct go_case)GO_RECV(chs[0], NULL);
			ck_assert_int_eq(go_select(cases, 3), 1);
		}
	}
	ck_assert_int_eq(got[0], UNTOUCHED);
}

#define NIL_WAITS 20000

/* Use the stack below the caller again. */
static __attribute__((noinline)) void scribble(int c)
{
	char below[1024];

	memset(below, c, sizeof(below));
	__asm__ __volatile__("" : : "r" (below) : "memory");
}

static void wait_for_nil(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < NIL_WAITS; i++) {
		ck_assert_int_eq(go_chan_recv_until(nil, NULL, go_now() +
						    i % 8 * GO_MICROSECOND),
				 -ETIMEDOUT);
		scribble(0xcc);
	}
	go_waitgroup_done(&wg);
}

/*
 * The deadline may pass on another processor while the goroutine is still being
 * put aside; without a channel nothing else keeps it from going on.
 */
GO_TEST(a_deadline_passes_at_once_with_nothing_else_to_wait_for)
{
	int i;

	go_waitgroup_add(&wg, 4);
	for (i = 0; i < 4; i++)
		start(wait_for_nil, 0);
	go_waitgroup_wait(&wg);
}

/* ---- closed channels ------------------------------------------------------------------- */

/* Receive operator: from a closed channel it can always proceed. */
GO_TEST(a_closed_channel_is_ready_to_receive)
{
	int i;

	chans_make(2, 1);
	send(0, 7);
	go_chan_close(chs[0]);
	for (i = 0; i < 10; i++) {
		struct go_case cases[] = {
			GO_RECV(chs[1], &got[1]), GO_RECV(chs[0], &got[0]),
			GO_DEFAULT,
		};

		got[0] = UNTOUCHED;
		ck_assert_int_eq(go_select(cases, 3), 1);
		ck_assert_int_eq(cases[1].result, !i);
		ck_assert_int_eq(got[0], i ? 0 : 7);
	}
}

/* Send statements: a send on a closed channel proceeds, by panicking. */
GO_TEST(a_closed_channel_is_ready_to_refuse)
{
	int cap;

	for (cap = 0; cap < 2; cap++) {
		struct go_case cases[2] = { GO_DEFAULT };

		chans_make(1, cap);
		go_chan_close(chs[0]);
		cases[1] = (struct go_case)GO_SEND(chs[0], &one);
		ck_assert_int_eq(go_select(cases, 2), 1);
		ck_assert_int_eq(cases[1].result, -EPIPE);
	}
}

static void select_until_closed(void *arg)
{
	struct go_case cases[] = {
		GO_RECV(chs[0], &got[0]), GO_SEND(chs[1], &one),
		GO_DEADLINE(go_now() + 60 * GO_SECOND),
	};
	int i = go_select(cases, 3);

	(void)arg;
	store(chosen, i);
	ck_assert_int_eq(cases[i].result, -EPIPE * i);
	add(done, 1);
}

/* Close: whoever waits learns of it, in either direction. */
GO_TEST(a_close_ends_the_wait)
{
	int closed, thread;

	for (closed = 0; closed < 2; closed++) {
		for (thread = 0; thread < 2; thread++) {
			chans_make(2, 0);
			done = 0;
			start(select_until_closed, thread);
			wait_until(waiters(0) && waiters(1));
			ck_assert_int_eq(go_chan_close(chs[closed]), 0);
			wait_until(load(done));
			ck_assert_int_eq(load(chosen), closed);
			ck_assert_int_eq(waiters(!closed), 0);
			ck_assert_int_eq(got[0], closed ? UNTOUCHED : 0);
		}
	}
}

/* ---- the same channel more than once ------------------------------------------------------ */

static void recv_twice(void *arg)
{
	struct go_case cases[] = {
		GO_RECV(chs[0], &got[0]), GO_RECV(chs[0], &got[1]),
	};
	int i = go_select(cases, 2);

	(void)arg;
	ck_assert_int_eq(cases[i].result, 1);
	store(chosen, i);
	add(done, 1);
}

/* It receives one element, into the case that was chosen. */
GO_TEST(two_receives_of_one_channel_are_two_cases)
{
	int cap, thread;

	for (cap = 0; cap < 2; cap++) {
		for (thread = 0; thread < 2; thread++) {
			chans_make(1, cap);
			done = 0;
			got[1] = UNTOUCHED;
			start(recv_twice, thread);
			wait_until(waiters(0) == 2);
			send(0, 9);
			wait_until(load(done));
			ck_assert_int_eq(got[chosen], 9);
			ck_assert_int_eq(got[!chosen], UNTOUCHED);
			ck_assert_int_eq(waiters(0), 0);
			ck_assert_uint_eq(go_chan_len(chs[0]), 0);
		}
	}
}

/* Channel types: both a sender and a receiver are needed: it is not its own partner. */
GO_TEST(a_select_does_not_meet_itself)
{
	struct go_case cases[3] = { GO_DEFAULT };

	chans_make(1, 0);
	cases[1] = (struct go_case)GO_SEND(chs[0], &one);
	cases[2] = (struct go_case)GO_RECV(chs[0], &got[0]);
	ck_assert_int_eq(go_select(cases, 3), 0);
	cases[0] = (struct go_case)GO_DEADLINE(go_now() + GO_MILLISECOND);
	ck_assert_int_eq(go_select(cases, 3), 0);
	ck_assert_int_eq(got[0], UNTOUCHED);
	ck_assert_int_eq(waiters(0), 0);
}

static void send_or_receive(void *arg)
{
	int mine = (intptr_t)arg, theirs = 0, i, k;

	for (k = 0; k < 1000; k++) {
		struct go_case cases[] = {
			GO_SEND(chs[0], &mine), GO_RECV(chs[0], &theirs),
		};

		i = go_select(cases, 2);
		ck_assert_int_eq(cases[i].result, i);
		ck_assert_int_eq(theirs, i ? 3 - mine : 0);
		theirs = 0;
		add(done, i ? 1 : -1);
	}
	go_waitgroup_done(&wg);
}

/* But two of them meet: one sends, the other receives. */
GO_TEST(two_such_selects_meet)
{
	chans_make(1, 0);
	go_waitgroup_add(&wg, 2);
	go_spawn(send_or_receive, (void *)1);
	go_spawn(send_or_receive, (void *)2);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(done, 0);
}

/* With a buffer that is neither full nor empty either can proceed. */
GO_TEST(send_and_receive_of_one_buffer)
{
	int seen[2] = {}, i, k;

	chans_make(1, 100);
	for (k = 0; k < 50; k++)
		send(0, k);
	for (k = 0; k < 40; k++) {
		struct go_case cases[] = {
			GO_SEND(chs[0], &one), GO_RECV(chs[0], &got[0]),
		};

		i = go_select(cases, 2);
		seen[i]++;
	}
	ck_assert_int_eq(go_chan_len(chs[0]), 50 + seen[0] - seen[1]);
	ck_assert_int_eq(seen[0] + seen[1], 40);
	ck_assert(seen[0] && seen[1]);	/* 1 in 2^39 */
}

int main(void)
{
	TCase *tc = tcase_create("select_spec");

	tcase_add_go_test(tc, operands_are_evaluated_once);
	tcase_add_go_test(tc, only_the_chosen_receive_stores);
	tcase_add_go_test(tc, a_default_or_a_deadline_stores_nothing);
	tcase_add_go_test(tc, a_receive_may_drop_the_value);
	tcase_add_go_test(tc, one_of_several_ready_cases_is_done);
	tcase_add_go_test(tc, the_default_may_stand_anywhere);
	tcase_add_go_test(tc, a_ready_case_comes_before_the_default);
	tcase_add_go_test(tc, a_second_default_is_refused);
	tcase_add_go_test(tc, it_blocks_until_a_case_can_proceed);
	tcase_add_go_test(tc, cases_not_chosen_leave_nothing_behind);
	tcase_add_go_test(tc, a_select_of_nothing_blocks_for_ever);
	tcase_add_go_test(tc, a_nil_channel_is_as_if_its_case_were_not_there);
	tcase_add_go_test(tc, a_deadline_passes_at_once_with_nothing_else_to_wait_for);
	tcase_add_go_test(tc, a_closed_channel_is_ready_to_receive);
	tcase_add_go_test(tc, a_closed_channel_is_ready_to_refuse);
	tcase_add_go_test(tc, a_close_ends_the_wait);
	tcase_add_go_test(tc, two_receives_of_one_channel_are_two_cases);
	tcase_add_go_test(tc, a_select_does_not_meet_itself);
	tcase_add_go_test(tc, two_such_selects_meet);
	tcase_add_go_test(tc, send_and_receive_of_one_buffer);
	return run_tests("select_spec", tc);
}
