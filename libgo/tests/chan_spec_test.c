// SPDX-License-Identifier: MIT
/*
 * Channels, sentence by sentence: what Go's language specification and its
 * memory model say of them. Above each test is the sentence, shortened, and its
 * section. Where Go panics libgo returns an error; what a compiler checks (the
 * direction of a channel) has no counterpart here, the element's type has
 * (typed_test).
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "chan.h"
#include "test.h"

#define MANY 10

static struct go_chan *ch, *nil;
static struct go_waitgroup wg;
static int done, count, sum;

static void make_ints(size_t cap)
{
	ch = kept_chan(sizeof(int), cap);
}

static void send(int v)
{
	ck_assert_int_eq(go_chan_send(ch, &v), 0);
}

static int recv(void)
{
	int v = 0xcccccccc;

	ck_assert_int_eq(go_chan_recv(ch, &v), 1);
	return v;
}

static int waitq_len(const struct waitq *q)
{
	const struct waiter *w;
	int n = 0;

	for (w = q->first; w; w = w->next)
		n++;
	return n;
}

/* How many wait for the channel; the interface does not tell. */
static int waiters(void)
{
	struct m *m = wait_enter();
	int n;

	home_lock_away(m, &ch->lock);
	n = waitq_len(&ch->recvq) + waitq_len(&ch->sendq);
	lock_release(&ch->lock.lock);
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

static void send_7(void *arg)
{
	(void)arg;
	send(7);
	add(done, 1);
}

static void recv_7(void *arg)
{
	(void)arg;
	ck_assert_int_eq(recv(), 7);
	add(done, 1);
}

/* ---- Channel types ---------------------------------------------------------------- */

/* Channel types: the value of an uninitialized channel is nil. */
GO_TEST(zeroed_memory_is_a_nil_channel)
{
	struct { struct go_chan *ch; } zeroed = {};

	ck_assert_int_eq(go_chan_try_send(zeroed.ch, &count), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(zeroed.ch, &count), -EAGAIN);
	ck_assert_int_eq(go_chan_close(zeroed.ch), -EINVAL);
}

/* Channel types: make takes a capacity, which sets the size of the buffer. */
GO_TEST(make_sets_the_capacity)
{
	size_t caps[] = { 0, 1, 2, 100, 100000 }, i;

	for (i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		make_ints(caps[i]);
		ck_assert_uint_eq(go_chan_cap(ch), caps[i]);
		ck_assert_uint_eq(go_chan_len(ch), 0);
		go_chan_release(ch);
	}
}

/*
 * Channel types: without a capacity communication succeeds only when both a
 * sender and a receiver are ready.
 */
GO_TEST(an_unbuffered_channel_needs_both)
{
	int thread, v = 7, got = 0;

	make_ints(0);
	ck_assert_int_eq(go_chan_try_send(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(ch, &got), -EAGAIN);
	for (thread = 0; thread < 2; thread++) {
		start(recv_7, thread);
		wait_until(go_chan_try_send(ch, &v) == 0);
		start(send_7, thread);
		wait_until(go_chan_try_recv(ch, &got) == 1);
		ck_assert_int_eq(got, 7);
	}
	wait_until(load(done) == 4);
	ck_assert_int_eq(go_chan_try_send(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(ch, &got), -EAGAIN);
}

/*
 * Channel types: a buffered one blocks no sender while the buffer is not full,
 * and no receiver while it is not empty.
 */
GO_TEST(a_buffer_decouples_sender_and_receiver)
{
	int round, i;

	make_ints(3);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 3; i++)
			send(i);
		for (i = 0; i < 3; i++)
			ck_assert_int_eq(recv(), i);
	}
}

/* Channel types: a nil channel is never ready for communication. */
GO_TEST(a_nil_channel_is_never_ready)
{
	int64_t soon = go_now() + GO_MILLISECOND;
	int v = 1;

	ck_assert_int_eq(go_chan_try_send(nil, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_try_recv(nil, &v), -EAGAIN);
	ck_assert_int_eq(go_chan_send_until(nil, &v, soon), -ETIMEDOUT);
	ck_assert_int_eq(go_chan_recv_until(nil, &v, soon), -ETIMEDOUT);
	ck_assert_int_ge(go_now(), soon);
	ck_assert_int_eq(v, 1);
}

/*
 * Channel types: the two-valued receive tells whether the value was sent before
 * the channel was closed.
 */
GO_TEST(a_zero_that_was_sent_is_told_from_a_closed_channel)
{
	int v = 1;

	make_ints(1);
	send(0);
	go_chan_close(ch);
	ck_assert_int_eq(go_chan_recv(ch, &v), 1);
	ck_assert_int_eq(v, 0);
	v = 1;
	ck_assert_int_eq(go_chan_recv(ch, &v), 0);
	ck_assert_int_eq(v, 0);
}

static void send_and_look(void *arg)
{
	int i;

	(void)arg;
	for (i = 1; i <= 1000; i++) {
		send(i);
		ck_assert_uint_le(go_chan_len(ch), 3);
		ck_assert_uint_eq(go_chan_cap(ch), 3);
	}
	go_waitgroup_done(&wg);
}

static void recv_and_look(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++) {
		add(sum, recv());
		ck_assert_uint_le(go_chan_len(ch), 3);
	}
	go_waitgroup_done(&wg);
}

/*
 * Channel types: any number of goroutines may send, receive, and ask for the
 * length and the capacity without further synchronization.
 */
GO_TEST(any_number_may_use_it_at_once)
{
	int i;

	make_ints(3);
	go_waitgroup_add(&wg, 4 * MANY);
	for (i = 0; i < MANY; i++) {
		start(send_and_look, i % 2);
		start(send_and_look, 0);
		start(recv_and_look, 0);
		start(recv_and_look, i % 2);
	}
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(sum, 2 * MANY * 1000 * 1001 / 2);
	ck_assert_uint_eq(go_chan_len(ch), 0);
}

static void send_1000(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++)
		send(i);
}

/* Channel types: values are received in the order in which one sends them. */
GO_TEST(one_senders_values_arrive_in_order)
{
	int cap, thread, i;

	for (thread = 0; thread < 2; thread++) {
		for (cap = 0; cap < 5; cap++) {
			make_ints(cap);
			start(send_1000, thread);
			for (i = 0; i < 1000; i++)
				ck_assert_int_eq(recv(), i);
			go_chan_release(ch);
		}
	}
}

static void send_own_number(void *arg)
{
	send((intptr_t)arg);
	add(done, 1);
}

/* Channel types: a channel is a first-in-first-out queue, of senders too. */
GO_TEST(who_waits_to_send_first_is_first)
{
	int cap, i;

	for (cap = 0; cap < 3; cap++) {
		make_ints(cap);
		done = 0;
		for (i = 0; i < MANY; i++) {
			go_spawn(send_own_number, (void *)(intptr_t)i);
			wait_until(load(done) + waiters() == i + 1);
		}
		ck_assert_int_eq(load(done), cap);
		for (i = 0; i < MANY; i++)
			ck_assert_int_eq(recv(), i);
		wait_until(load(done) == MANY);
		go_chan_release(ch);
	}
}

static int got_by[MANY];

static void recv_by_number(void *arg)
{
	got_by[(intptr_t)arg] = recv();
	add(done, 1);
}

/* Channel types: likewise of receivers. */
GO_TEST(who_waits_to_receive_first_is_first)
{
	int i;

	make_ints(2);
	for (i = 0; i < MANY; i++) {
		go_spawn(recv_by_number, (void *)(intptr_t)i);
		wait_until(waiters() == i + 1);
	}
	for (i = 0; i < MANY; i++)
		send(100 + i);
	wait_until(load(done) == MANY);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(got_by[i], 100 + i);
}

/* Channel types: an element type may have no size (struct{}). */
GO_TEST(elements_of_no_size_are_counted)
{
	char guard = 0x5a;
	int i;

	ch = go_chan_make(0, 1000);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(go_chan_try_send(ch, NULL), 0);
	ck_assert_int_eq(go_chan_try_send(ch, NULL), -EAGAIN);
	ck_assert_uint_eq(go_chan_len(ch), 1000);
	for (i = 0; i < 999; i++)
		ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	go_chan_close(ch);
	ck_assert_int_eq(go_chan_recv(ch, &guard), 1);
	ck_assert_int_eq(go_chan_recv(ch, &guard), 0);
	ck_assert_int_eq(guard, 0x5a);
}

static void send_nothing(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_chan_send(ch, NULL), 0);
	add(done, 1);
}

GO_TEST(elements_of_no_size_synchronize)
{
	ch = go_chan_make(0, 0);
	start(send_nothing, 0);
	start(send_nothing, 1);
	wait_until(waiters() == 2);
	ck_assert_int_eq(load(done), 0);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	wait_until(load(done) == 1);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	wait_until(load(done) == 2);
}

/* ---- Send statements ----------------------------------------------------------------- */

/* Send statements: the value is evaluated before communication begins. */
GO_TEST(what_is_sent_is_a_copy)
{
	int v = 1;

	make_ints(1);
	ck_assert_int_eq(go_chan_send(ch, &v), 0);
	v = 2;
	ck_assert_int_eq(recv(), 1);
}

/* Send statements: it blocks until the send can proceed. */
GO_TEST(a_send_waits_until_it_can_proceed)
{
	int cap, thread, i;

	for (thread = 0; thread < 2; thread++) {
		for (cap = 0; cap < 3; cap++) {
			make_ints(cap);
			for (i = 0; i < cap; i++)
				send(7);
			done = 0;
			start(send_7, thread);
			wait_until(waiters() == 1);
			ck_assert_int_eq(load(done), 0);
			ck_assert_int_eq(recv(), 7);
			wait_until(load(done));
			ck_assert_uint_eq(go_chan_len(ch), cap);
		}
	}
}

/* Send statements: on an unbuffered channel it can proceed if a receiver is ready. */
GO_TEST(a_send_can_proceed_if_a_receiver_is_ready)
{
	int v = 7;

	make_ints(0);
	start(recv_7, 0);
	wait_until(waiters() == 1);
	send(v);
	wait_until(load(done));
}

/* Send statements: on a buffered one it can proceed if there is room. */
GO_TEST(a_send_can_proceed_if_there_is_room)
{
	int i;

	make_ints(4);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(go_chan_try_send(ch, &i), 0);
	ck_assert_int_eq(go_chan_try_send(ch, &i), -EAGAIN);
	ck_assert_int_eq(recv(), 0);
	ck_assert_int_eq(go_chan_try_send(ch, &i), 0);
	ck_assert_int_eq(go_chan_try_send(ch, &i), -EAGAIN);
}

/* Send statements: on a closed channel it panics, room or not. */
GO_TEST(a_send_on_a_closed_channel_fails)
{
	int64_t soon = go_now() + GO_SECOND;
	int cap, v = 7;

	for (cap = 0; cap < 3; cap++) {
		make_ints(cap);
		if (cap)
			send(1);
		go_chan_close(ch);
		ck_assert_int_eq(go_chan_send(ch, &v), -EPIPE);
		ck_assert_int_eq(go_chan_try_send(ch, &v), -EPIPE);
		ck_assert_int_eq(go_chan_send_until(ch, &v, soon), -EPIPE);
		ck_assert_uint_eq(go_chan_len(ch), cap ? 1 : 0);
	}
}

static void use_nil(void *arg)
{
	int v = 7;

	(void)arg;
	switch (add(count, 1) % 3) {
	case 0:
		go_chan_send(nil, &v);
		break;
	case 1:
		go_chan_recv(nil, &v);
		break;
	default:
		/* For statements with range clause: so does one over nil */
		while (go_chan_recv(nil, &v))
			;
	}
	ck_abort_msg("a nil channel has let somebody pass");
}

/* Send statements, Receive operator: on a nil channel either blocks for ever. */
GO_TEST(a_nil_channel_blocks_for_ever)
{
	int i;

	for (i = 0; i < 6; i++)
		start(use_nil, i / 3);
	wait_until(load(count) == 6);
	go_sleep(5 * GO_MILLISECOND);	/* for those that go on */
}

/* ---- Receive operator ------------------------------------------------------------------ */

/* Receive operator: it blocks until a value is available, and that is its value. */
GO_TEST(a_receive_waits_for_a_value)
{
	int cap, thread;

	for (thread = 0; thread < 2; thread++) {
		for (cap = 0; cap < 3; cap++) {
			make_ints(cap);
			done = 0;
			start(recv_7, thread);
			wait_until(waiters() == 1);
			ck_assert_int_eq(load(done), 0);
			send(7);
			wait_until(load(done));
		}
	}
}

/*
 * Receive operator: on a closed channel it can always proceed at once, yielding
 * zero after the values that were sent before.
 */
GO_TEST(a_receive_from_a_closed_channel_proceeds)
{
	int i, v;

	make_ints(3);
	for (i = 1; i <= 3; i++)
		send(i);
	go_chan_close(ch);
	for (i = 1; i <= 3; i++)
		ck_assert_int_eq(recv(), i);
	for (i = 0; i < MANY; i++) {
		v = 0xcccccccc;
		ck_assert_int_eq(go_chan_recv(ch, &v), 0);
		ck_assert_int_eq(v, 0);
		v = 0xcccccccc;
		ck_assert_int_eq(go_chan_try_recv(ch, &v), 0);
		ck_assert_int_eq(v, 0);
		v = 0xcccccccc;
		ck_assert_int_eq(go_chan_recv_until(ch, &v, 0), 0);
		ck_assert_int_eq(v, 0);
		ck_assert_int_eq(go_chan_recv(ch, NULL), 0);
	}
}

/* Receive operator: the zero is the whole element's. */
GO_TEST(the_zero_value_has_the_elements_size)
{
	static const char zeroes[100];
	char elem[101];

	memset(elem, 0xcc, sizeof(elem));
	ch = go_chan_make(100, 0);
	go_chan_close(ch);
	ck_assert_int_eq(go_chan_recv(ch, elem), 0);
	ck_assert_int_eq(memcmp(elem, zeroes, 100), 0);
	ck_assert_int_eq((unsigned char)elem[100], 0xcc);
}

/* Receive operator: a value may be discarded (<-ch as a statement). */
GO_TEST(a_value_may_be_dropped)
{
	make_ints(1);
	send(1);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	start(send_7, 0);
	start(send_7, 1);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	wait_until(load(done) == 2);
}

/* ---- Close ---------------------------------------------------------------------------- */

/* Close: it records that no more values will be sent; those there are stay. */
GO_TEST(close_discards_nothing)
{
	make_ints(2);
	send(1);
	send(2);
	ck_assert_int_eq(go_chan_close(ch), 0);
	ck_assert_uint_eq(go_chan_len(ch), 2);
	ck_assert_int_eq(recv(), 1);
	ck_assert_int_eq(recv(), 2);
}

/* Close: sending to or closing a closed channel panics, and so does closing nil. */
GO_TEST(close_of_a_closed_channel_or_nil_fails)
{
	int v = 1;

	make_ints(1);
	ck_assert_int_eq(go_chan_close(ch), 0);
	ck_assert_int_eq(go_chan_close(ch), -EPIPE);
	ck_assert_int_eq(go_chan_send(ch, &v), -EPIPE);
	ck_assert_int_eq(go_chan_close(ch), -EPIPE);
	ck_assert_int_eq(go_chan_close(nil), -EINVAL);
}

static void recv_closed(void *arg)
{
	int v = 0xcccccccc;

	(void)arg;
	ck_assert_int_eq(go_chan_recv(ch, &v), 0);
	ck_assert_int_eq(v, 0);
	add(done, 1);
}

/* Close: receives that wait return the zero value without blocking any longer. */
GO_TEST(close_ends_every_wait_for_a_value)
{
	int i;

	make_ints(1);
	for (i = 0; i < 2 * MANY; i++)
		start(recv_closed, i % 2);
	wait_until(waiters() == 2 * MANY);
	ck_assert_int_eq(load(done), 0);
	ck_assert_int_eq(go_chan_close(ch), 0);
	wait_until(load(done) == 2 * MANY);
}

static void send_closed(void *arg)
{
	int v = 9;

	(void)arg;
	ck_assert_int_eq(go_chan_send(ch, &v), -EPIPE);
	add(done, 1);
}

/* Close: sends that wait panic, and what they would have sent is not received. */
GO_TEST(close_ends_every_wait_to_send)
{
	int i, v;

	make_ints(1);
	send(7);
	for (i = 0; i < 2 * MANY; i++)
		start(send_closed, i % 2);
	wait_until(waiters() == 2 * MANY);
	ck_assert_int_eq(go_chan_close(ch), 0);
	wait_until(load(done) == 2 * MANY);
	ck_assert_int_eq(recv(), 7);
	ck_assert_int_eq(go_chan_recv(ch, &v), 0);
}

/* ---- Length and capacity --------------------------------------------------------------- */

/* Length and capacity: len is the number of elements queued, 0 <= len <= cap. */
GO_TEST(len_counts_what_is_in_the_buffer)
{
	int i;

	make_ints(5);
	for (i = 0; i < 5; i++) {
		ck_assert_uint_eq(go_chan_len(ch), i);
		send(i);
	}
	go_chan_close(ch);
	for (i = 5; i > 0; i--) {
		ck_assert_uint_eq(go_chan_len(ch), i);
		recv();
	}
	ck_assert_uint_eq(go_chan_len(ch), 0);
	ck_assert_uint_eq(go_chan_cap(ch), 5);
}

/* Length and capacity: who waits is not in the buffer. */
GO_TEST(len_does_not_count_waiters)
{
	int cap;

	for (cap = 0; cap < 2; cap++) {
		make_ints(cap);
		if (cap)
			send(7);
		start(send_7, 0);
		start(send_7, 1);
		wait_until(waiters() == 2);
		ck_assert_uint_eq(go_chan_len(ch), cap);
		ck_assert_int_eq(recv() + recv(), 14);
		if (cap)
			ck_assert_int_eq(recv(), 7);
	}
}

/* Length and capacity: of nil both are 0. */
GO_TEST(len_and_cap_of_nil_are_zero)
{
	ck_assert_uint_eq(go_chan_len(nil), 0);
	ck_assert_uint_eq(go_chan_cap(nil), 0);
}

/* ---- For statements with range clause --------------------------------------------------- */

static void send_1000_and_close(void *arg)
{
	send_1000(arg);
	ck_assert_int_eq(go_chan_close(ch), 0);
}

/*
 * For statements with range clause: the successive values sent on the channel,
 * until it is closed.
 */
GO_TEST(a_range_has_all_values_until_close)
{
	int cap, v, next;

	for (cap = 0; cap < 5; cap++) {
		make_ints(cap);
		start(send_1000_and_close, cap % 2);
		next = 0;
		while (go_chan_recv(ch, &v))
			ck_assert_int_eq(v, next++);
		ck_assert_int_eq(next, 1000);
	}
}

/* ---- The Go memory model, Channel communication ------------------------------------------ */

#define MESSAGES 2000

/* Plain variables on purpose: the channel is what orders the accesses. */
static int message[MESSAGES];

static void write_and_send(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MESSAGES; i++) {
		message[i] = i + 1;
		send(i);
	}
}

/* A send is synchronized before the completion of the corresponding receive. */
GO_TEST(what_was_written_before_a_send_is_seen_after_its_receive)
{
	int cap, thread, i, k;

	for (thread = 0; thread < 2; thread++) {
		for (cap = 0; cap < 3; cap++) {
			make_ints(cap);
			memset(message, 0, sizeof(message));
			start(write_and_send, thread);
			for (k = 0; k < MESSAGES; k++) {
				i = recv();
				ck_assert_int_eq(message[i], i + 1);
			}
		}
	}
}

static void write_and_close(void *arg)
{
	message[0] = 42;
	go_chan_close(ch);
	(void)arg;
}

/* Closing is synchronized before a receive that returns zero because of it. */
GO_TEST(what_was_written_before_a_close_is_seen_after_it)
{
	int i, v;

	for (i = 0; i < 200; i++) {
		make_ints(i % 2);
		message[0] = 0;
		start(write_and_close, i % 4 == 0);
		if (i % 3)
			go_chan_recv(ch, &v);
		else
			wait_until(go_chan_try_recv(ch, &v) == 0);
		ck_assert_int_eq(message[0], 42);
	}
}

static void write_and_recv(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MESSAGES; i++) {
		message[i] = i + 1;
		recv();
	}
}

/*
 * A receive from an unbuffered channel is synchronized before the completion of
 * the corresponding send.
 */
GO_TEST(what_was_written_before_a_receive_is_seen_after_its_send)
{
	int thread, i;

	for (thread = 0; thread < 2; thread++) {
		make_ints(0);
		memset(message, 0, sizeof(message));
		start(write_and_recv, thread);
		for (i = 0; i < MESSAGES; i++) {
			send(i);
			ck_assert_int_eq(message[i], i + 1);
		}
	}
}

static void count_under_channel(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++) {
		send(1);
		sum++;		/* the channel is a lock */
		recv();
	}
	go_waitgroup_done(&wg);
}

/*
 * The kth receive from a channel of capacity C is synchronized before the
 * completion of the k+Cth send: with C = 1 it is a lock,
 */
GO_TEST(a_channel_of_capacity_one_is_a_lock)
{
	int i;

	make_ints(1);
	go_waitgroup_add(&wg, MANY);
	for (i = 0; i < MANY; i++)
		start(count_under_channel, i % 3 == 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(sum, MANY * 1000);
}

static void enter_and_leave(void *arg)
{
	int i, inside;

	(void)arg;
	for (i = 0; i < 200; i++) {
		send(1);
		inside = add(count, 1);
		ck_assert_int_ge(inside, 1);
		ck_assert_int_le(inside, 3);
		go_yield();
		add(count, -1);
		recv();
	}
	go_waitgroup_done(&wg);
}

/* and with a larger C a semaphore that lets so many in. */
GO_TEST(a_channel_of_capacity_three_lets_three_in)
{
	int i;

	make_ints(3);
	go_waitgroup_add(&wg, MANY);
	for (i = 0; i < MANY; i++)
		start(enter_and_leave, i % 3 == 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 0);
}

int main(void)
{
	TCase *tc = tcase_create("chan_spec");

	tcase_add_go_test(tc, zeroed_memory_is_a_nil_channel);
	tcase_add_go_test(tc, make_sets_the_capacity);
	tcase_add_go_test(tc, an_unbuffered_channel_needs_both);
	tcase_add_go_test(tc, a_buffer_decouples_sender_and_receiver);
	tcase_add_go_test(tc, a_nil_channel_is_never_ready);
	tcase_add_go_test(tc, a_zero_that_was_sent_is_told_from_a_closed_channel);
	tcase_add_go_test(tc, any_number_may_use_it_at_once);
	tcase_add_go_test(tc, one_senders_values_arrive_in_order);
	tcase_add_go_test(tc, who_waits_to_send_first_is_first);
	tcase_add_go_test(tc, who_waits_to_receive_first_is_first);
	tcase_add_go_test(tc, elements_of_no_size_are_counted);
	tcase_add_go_test(tc, elements_of_no_size_synchronize);
	tcase_add_go_test(tc, what_is_sent_is_a_copy);
	tcase_add_go_test(tc, a_send_waits_until_it_can_proceed);
	tcase_add_go_test(tc, a_send_can_proceed_if_a_receiver_is_ready);
	tcase_add_go_test(tc, a_send_can_proceed_if_there_is_room);
	tcase_add_go_test(tc, a_send_on_a_closed_channel_fails);
	tcase_add_go_test(tc, a_nil_channel_blocks_for_ever);
	tcase_add_go_test(tc, a_receive_waits_for_a_value);
	tcase_add_go_test(tc, a_receive_from_a_closed_channel_proceeds);
	tcase_add_go_test(tc, the_zero_value_has_the_elements_size);
	tcase_add_go_test(tc, a_value_may_be_dropped);
	tcase_add_go_test(tc, close_discards_nothing);
	tcase_add_go_test(tc, close_of_a_closed_channel_or_nil_fails);
	tcase_add_go_test(tc, close_ends_every_wait_for_a_value);
	tcase_add_go_test(tc, close_ends_every_wait_to_send);
	tcase_add_go_test(tc, len_counts_what_is_in_the_buffer);
	tcase_add_go_test(tc, len_does_not_count_waiters);
	tcase_add_go_test(tc, len_and_cap_of_nil_are_zero);
	tcase_add_go_test(tc, a_range_has_all_values_until_close);
	tcase_add_go_test(tc, what_was_written_before_a_send_is_seen_after_its_receive);
	tcase_add_go_test(tc, what_was_written_before_a_close_is_seen_after_it);
	tcase_add_go_test(tc, what_was_written_before_a_receive_is_seen_after_its_send);
	tcase_add_go_test(tc, a_channel_of_capacity_one_is_a_lock);
	tcase_add_go_test(tc, a_channel_of_capacity_three_lets_three_in);
	return run_tests("chan_spec", tc);
}
