// SPDX-License-Identifier: MIT
/*
 * Channels: what Go's language specification says of them.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "chan.h"
#include "test.h"

#define N 20000

static struct go_chan *ch;
static struct go_waitgroup wg;
static int count, sum, ret;

static void send_n(void *arg)
{
	int i;

	for (i = 1; i <= (int)(intptr_t)arg; i++)
		ck_assert_int_eq(go_chan_send(ch, &i), 0);
	go_waitgroup_done(&wg);
}

static void recv_all(void *arg)
{
	int v;

	(void)arg;
	while (go_chan_recv(ch, &v) == 1) {
		add(sum, v);
		add(count, 1);
	}
	go_waitgroup_done(&wg);
}

GO_TEST(elements_arrive_in_order)
{
	int cap, i, v;

	for (cap = 0; cap < 5; cap++) {
		ch = go_chan_make(sizeof(int), cap);
		go_waitgroup_add(&wg, 1);
		go_spawn(send_n, (void *)1000);
		for (i = 1; i <= 1000; i++) {
			ck_assert_int_eq(go_chan_recv(ch, &v), 1);
			ck_assert_int_eq(v, i);
		}
		go_waitgroup_wait(&wg);
		go_chan_release(ch);
	}
}

static void send_flag(void *arg)
{
	(void)arg;
	go_chan_send(ch, NULL);
	store(count, 1);
}

GO_TEST(an_unbuffered_send_waits_for_its_receiver)
{
	ch = go_chan_make(0, 0);
	go_spawn(send_flag, NULL);
	go_sleep(5 * GO_MILLISECOND);
	ck_assert_int_eq(load(count), 0);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	wait_until(load(count));
}

GO_TEST(a_buffer_holds_cap_elements)
{
	int i;

	ch = go_chan_make(sizeof(i), 3);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(go_chan_try_send(ch, &i), 0);
	ck_assert_int_eq(go_chan_try_send(ch, &i), -EAGAIN);
	ck_assert_uint_eq(go_chan_len(ch), 3);
	ck_assert_uint_eq(go_chan_cap(ch), 3);
}

GO_TEST(senders_and_receivers_lose_and_double_nothing)
{
	int i;

	ch = go_chan_make(sizeof(int), 7);
	go_waitgroup_add(&wg, 8);
	for (i = 0; i < 8; i++)
		go_spawn(send_n, (void *)(N / 8));
	for (i = 0; i < 5; i++)
		go_spawn(recv_all, NULL);
	go_waitgroup_wait(&wg);
	go_waitgroup_add(&wg, 5);
	ck_assert_int_eq(go_chan_close(ch), 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, N);
	ck_assert_int_eq(sum, 8 * (N / 8) * (N / 8 + 1) / 2);
}

GO_TEST(a_closed_channel_drains_and_then_gives_zeroes)
{
	int v = 5;

	ch = go_chan_make(sizeof(v), 2);
	go_chan_send(ch, &v);
	ck_assert_int_eq(go_chan_close(ch), 0);
	v = 0;
	ck_assert_int_eq(go_chan_recv(ch, &v), 1);
	ck_assert_int_eq(v, 5);
	ck_assert_int_eq(go_chan_recv(ch, &v), 0);
	ck_assert_int_eq(v, 0);
	v = 7;
	ck_assert_int_eq(go_chan_try_recv(ch, &v), 0);
	ck_assert_int_eq(v, 0);
}

GO_TEST(send_and_close_of_a_closed_channel_fail)
{
	int v = 1;

	ch = go_chan_make(sizeof(v), 2);
	ck_assert_int_eq(go_chan_close(ch), 0);
	ck_assert_int_eq(go_chan_send(ch, &v), -EPIPE);
	ck_assert_int_eq(go_chan_try_send(ch, &v), -EPIPE);
	ck_assert_int_eq(go_chan_close(ch), -EPIPE);
	ck_assert_int_eq(go_chan_close(NULL), -EINVAL);
}

static void send_expecting_close(void *arg)
{
	int v = 1;

	(void)arg;
	ret = go_chan_send(ch, &v);
	go_waitgroup_done(&wg);
}

GO_TEST(close_wakes_all_waiters)
{
	int i;

	ch = go_chan_make(sizeof(int), 0);
	go_waitgroup_add(&wg, 10);
	for (i = 0; i < 10; i++)
		go_spawn(recv_all, NULL);
	go_sleep(2 * GO_MILLISECOND);
	go_chan_close(ch);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 0);
	go_chan_release(ch);

	ch = go_chan_make(sizeof(int), 0);
	go_waitgroup_add(&wg, 1);
	go_spawn(send_expecting_close, NULL);
	go_sleep(2 * GO_MILLISECOND);
	go_chan_close(ch);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(ret, -EPIPE);
}

GO_TEST(a_nil_channel_is_never_ready)
{
	ck_assert_int_eq(go_chan_try_send(NULL, NULL), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(NULL, NULL), -EAGAIN);
	ck_assert_int_eq(go_chan_recv_until(NULL, NULL,
					    go_now() + GO_MILLISECOND),
			 -ETIMEDOUT);
	ck_assert_uint_eq(go_chan_len(NULL), 0);
	ck_assert_uint_eq(go_chan_cap(NULL), 0);
}

GO_TEST(a_deadline_ends_a_wait)
{
	int64_t deadline = go_now() + 3 * GO_MILLISECOND;
	int v = 1;

	ch = go_chan_make(sizeof(v), 0);
	ck_assert_int_eq(go_chan_recv_until(ch, &v, deadline), -ETIMEDOUT);
	ck_assert_int_ge(go_now(), deadline);
	ck_assert_int_eq(go_chan_send_until(ch, &v, go_now() + 1), -ETIMEDOUT);
	/* It waits no more: */
	ck_assert_int_eq(go_chan_try_send(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
}

static void send_late(void *arg)
{
	int v = 9;

	go_sleep((intptr_t)arg);
	go_chan_send_until(ch, &v, go_now() + GO_MILLISECOND / 2);
	go_waitgroup_done(&wg);
}

/* Deadline and element race: whoever wins, nothing is lost or left behind. */
GO_TEST(a_deadline_and_an_element_race)
{
	int i, v, got = 0;

	ch = go_chan_make(sizeof(int), 0);
	for (i = 0; i < 300; i++) {
		go_waitgroup_add(&wg, 1);
		go_spawn(send_late, (void *)(intptr_t)(i % 10 * 20000));
		v = 0;
		ret = go_chan_recv_until(ch, &v, go_now() + 100000);
		ck_assert(ret == 1 || ret == -ETIMEDOUT);
		ck_assert_int_eq(v, ret == 1 ? 9 : 0);
		got += ret == 1;
		go_waitgroup_wait(&wg);
		ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
	}
	ck_assert_int_le(got, 300);
}

GO_TEST(elements_of_any_size_are_copied_whole)
{
	static const size_t sizes[] = { 0, 1, 3, 8, 100, 4096, 65535 };
	static char in[65535], out[65536];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		memset(in, 0x5a + i, sizeof(in));
		memset(out, 0xcc, sizeof(out));
		ch = go_chan_make(sizes[i], 2);
		ck_assert_ptr_nonnull(ch);
		go_chan_send(ch, in);
		ck_assert_int_eq(go_chan_recv(ch, out), 1);
		ck_assert_int_eq(memcmp(in, out, sizes[i]), 0);
		ck_assert_int_eq((unsigned char)out[sizes[i]], 0xcc);
		go_chan_release(ch);
	}
	ck_assert_ptr_null(go_chan_make(65536, 0));
	ck_assert_ptr_null(go_chan_make(65535, SIZE_MAX / 2));
}

/* ---- plain threads ------------------------------------------------------------- */

static struct go_chan *back;

static void *thread_echo(void *arg)
{
	int v;

	(void)arg;
	while (go_chan_recv(ch, &v) == 1)
		ck_assert_int_eq(go_chan_send(back, &v), 0);
	ck_assert_int_eq(go_chan_close(back), 0);
	return NULL;
}

GO_TEST(plain_threads_send_and_receive)
{
	pthread_t thread;
	int cap, i, v;

	for (cap = 0; cap < 3; cap++) {
		ch = go_chan_make(sizeof(int), cap);
		back = go_chan_make(sizeof(int), cap);
		ck_assert_int_eq(pthread_create(&thread, NULL, thread_echo,
						NULL), 0);
		for (i = 0; i < 300; i++) {
			ck_assert_int_eq(go_chan_send(ch, &i), 0);
			ck_assert_int_eq(go_chan_recv(back, &v), 1);
			ck_assert_int_eq(v, i);
		}
		go_chan_close(ch);
		ck_assert_int_eq(go_chan_recv(back, &v), 0);
		pthread_join(thread, NULL);
		go_chan_release(ch);
		go_chan_release(back);
	}
}

START_TEST(plain_threads_need_no_runtime)
{
	int v = 1;

	ch = go_chan_make(sizeof(v), 1);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_recv_until(ch, &v, go_now() +
					    GO_MILLISECOND), -ETIMEDOUT);
	ck_assert_int_eq(go_chan_send(ch, &v), 0);
	ck_assert_int_eq(go_chan_try_send(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_send_until(ch, &v, go_now()), -ETIMEDOUT);
	ck_assert_int_eq(go_chan_recv(ch, &v), 1);
	ck_assert_int_eq(go_chan_close(ch), 0);
	ck_assert_int_eq(go_chan_recv(ch, &v), 0);
	go_chan_release(go_chan_retain(ch));
	go_chan_release(ch);
	go_chan_release(NULL);
}
END_TEST

static int sent, received, turn;

static void *send_second(void *arg)
{
	int v = 2, i;

	for (i = 1; i <= N; i++) {
		while (load(sent) < i)
			sched_yield();
		go_chan_send(ch, &v);
	}
	return arg;
}

static void *receive_one(void *arg)
{
	int v, i;

	for (i = 1; i <= N; i++) {
		while (load(turn) < i)
			sched_yield();
		ck_assert_int_eq(go_chan_recv(ch, &v), 1);
		store(received, i);
	}
	return arg;
}

/* A sender waits behind the element: two who receive both get one. */
START_TEST(a_full_channel_with_a_sender_is_never_empty)
{
	pthread_t sender, receiver;
	uint64_t random = 1;
	int v, i, pause;

	ch = kept_chan(sizeof(v), 1);
	ck_assert_int_eq(pthread_create(&sender, NULL, send_second, NULL), 0);
	ck_assert_int_eq(pthread_create(&receiver, NULL, receive_one, NULL), 0);
	for (i = 1; i <= N; i++) {
		v = 1;
		go_chan_send(ch, &v);
		store(sent, i);
		while (!waitq_peek(&ch->sendq))
			sched_yield();
		store(turn, i);
		for (pause = next_random(&random) % 100; pause; pause--)
			cpu_relax();
		expect(go_chan_try_recv(ch, &v) == 1);
		while (load(received) < i)
			sched_yield();
	}
	pthread_join(sender, NULL);
	pthread_join(receiver, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("chan");

	tcase_add_go_test(tc, elements_arrive_in_order);
	tcase_add_go_test(tc, an_unbuffered_send_waits_for_its_receiver);
	tcase_add_go_test(tc, a_buffer_holds_cap_elements);
	tcase_add_go_test(tc, senders_and_receivers_lose_and_double_nothing);
	tcase_add_go_test(tc, a_closed_channel_drains_and_then_gives_zeroes);
	tcase_add_go_test(tc, send_and_close_of_a_closed_channel_fail);
	tcase_add_go_test(tc, close_wakes_all_waiters);
	tcase_add_go_test(tc, a_nil_channel_is_never_ready);
	tcase_add_go_test(tc, a_deadline_ends_a_wait);
	tcase_add_go_test(tc, a_deadline_and_an_element_race);
	tcase_add_go_test(tc, elements_of_any_size_are_copied_whole);
	tcase_add_go_test(tc, plain_threads_send_and_receive);
	tcase_add_test(tc, plain_threads_need_no_runtime);
	tcase_add_test(tc, a_full_channel_with_a_sender_is_never_empty);
	return run_tests("chan", tc);
}
