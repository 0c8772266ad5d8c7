// SPDX-License-Identifier: MIT
/*
 * Everything that channels can do against everything else: selects of any cases,
 * plain, timed and non-blocking operations, closes in the middle of it, from
 * goroutines and plain threads. What is checked:
 *
 *  - each element that was sent is received once, or is still in a buffer;
 *  - a receiver gets the elements of one sender from one channel in their order;
 *  - a select stores into the chosen case only;
 *  - everybody comes to an end: a wake-up that is lost is a test that times out.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "rand.h"
#include "test.h"

/* Operations, and how long they may take at most: emulators are slow. */
#define OPS		1000000
#define TIME_LIMIT	(6 * GO_SECOND)

/* Operations, or time, after which a round's channels are closed. */
#define ROUND_OPS	20000
#define ROUND_TIME	(50 * GO_MILLISECOND)

#define GOROUTINES	12
#define THREADS		3
#define WORKERS		(GOROUTINES + THREADS)
#define CHANS		4
#define CASES		6
#define ALL_CLOSED	((1U << CHANS) - 1)
#define UNTOUCHED	UINT64_MAX

/* An element: who sent it, and the sender's count, in 32 bits each. */
static uint64_t elem_make(uint32_t worker, uint32_t seq)
{
	return (uint64_t)worker << 32 | seq;
}

/* The sum of these tells elements apart that a plain sum does not. */
static uint64_t elem_hash(uint64_t elem)
{
	elem *= 0x9e3779b97f4a7c15ULL;
	elem ^= elem >> 29;
	return elem * 0xbf58476d1ce4e5b9ULL;
}

/**
 * struct tally - elements that went by
 * @n: how many
 * @sum: of their hashes
 */
struct tally {
	uint64_t n;
	uint64_t sum;
};

/**
 * struct worker - one that uses the channels
 * @index: which one
 * @seq: of the last element that it has tried to send
 * @rand: state of its random numbers
 * @closed: channels that it knows to be closed, a bit each
 * @last: what it received last, by channel and sender
 * @sent: what it has sent
 * @received: what it has received
 */
struct worker {
	uint32_t index;
	uint32_t seq;
	uint64_t rand;
	uint32_t closed;
	uint32_t last[CHANS][WORKERS];
	struct tally sent;
	struct tally received;
};

static struct worker workers[WORKERS];
static struct go_chan *chs[CHANS];
static struct go_waitgroup wg;
static uint64_t ops, round_ops;

static uint32_t below(struct worker *w, uint32_t n)
{
	return (rand_next(&w->rand) >> 32) % n;
}

static void tally_add(struct tally *t, uint64_t elem)
{
	t->n++;
	t->sum += elem_hash(elem);
}

/* What an operation says: of the channel, of the element. */
static void sent(struct worker *w, int ch, uint64_t elem, int ret)
{
	if (!ret)
		tally_add(&w->sent, elem);
	else if (ret == -EPIPE)
		w->closed |= 1U << ch;
	else
		expect(ret == -EAGAIN || ret == -ETIMEDOUT);
}

static void received(struct worker *w, int ch, uint64_t elem, int ret)
{
	uint32_t sender = elem >> 32, seq = elem;

	if (ret == 1) {
		expect(sender < WORKERS);
		expect(seq > w->last[ch][sender]);
		w->last[ch][sender] = seq;
		tally_add(&w->received, elem);
	} else if (!ret) {
		expect(elem == 0);
		w->closed |= 1U << ch;
	} else {
		expect(ret == -EAGAIN || ret == -ETIMEDOUT);
		expect(elem == UNTOUCHED);
	}
}

static int64_t soon(struct worker *w)
{
	return go_now() + below(w, 50) * GO_MICROSECOND;
}

static void one_send(struct worker *w)
{
	uint64_t elem = elem_make(w->index, ++w->seq);
	int ch = below(w, CHANS);

	switch (below(w, 3)) {
	case 0:
		sent(w, ch, elem, go_chan_send(chs[ch], &elem));
		break;
	case 1:
		sent(w, ch, elem, go_chan_try_send(chs[ch], &elem));
		break;
	default:
		sent(w, ch, elem, go_chan_send_until(chs[ch], &elem, soon(w)));
	}
}

static void one_receive(struct worker *w)
{
	uint64_t elem = UNTOUCHED;
	int ch = below(w, CHANS), ret;

	switch (below(w, 3)) {
	case 0:
		ret = go_chan_recv(chs[ch], &elem);
		break;
	case 1:
		ret = go_chan_try_recv(chs[ch], &elem);
		break;
	default:
		ret = go_chan_recv_until(chs[ch], &elem, soon(w));
	}
	received(w, ch, elem, ret);
}

/* One of several operations; the last case may be a default or a deadline. */
static void one_select(struct worker *w)
{
	uint64_t out = elem_make(w->index, ++w->seq), in[CASES];
	int n = 1 + below(w, CASES), ch[CASES], i, k;
	struct go_case cases[CASES];

	for (i = 0; i < n; i++) {
		ch[i] = below(w, CHANS);
		in[i] = UNTOUCHED;
		if (below(w, 2))
			cases[i] = (struct go_case)GO_SEND(chs[ch[i]], &out);
		else
			cases[i] = (struct go_case)GO_RECV(chs[ch[i]], &in[i]);
	}
	switch (below(w, 4)) {
	case 0:
		cases[n - 1] = (struct go_case)GO_DEFAULT;
		break;
	case 1:
		cases[n - 1] = (struct go_case)GO_DEADLINE(soon(w));
	}

	i = go_select(cases, n);
	expect(i >= 0 && i < n);
	for (k = 0; k < n; k++)
		expect(k == i || in[k] == UNTOUCHED);
	if (cases[i].kind == GO_CASE_SEND)
		sent(w, ch[i], out, cases[i].result);
	else if (cases[i].kind == GO_CASE_RECV)
		received(w, ch[i], in[i], cases[i].result);
}

/* Until all channels are closed. */
static void work(void *arg)
{
	struct worker *w = arg;
	int n = 0;

	while (w->closed != ALL_CLOSED) {
		switch (below(w, 4)) {
		case 0:
			one_send(w);
			break;
		case 1:
			one_receive(w);
			break;
		default:
			one_select(w);
		}
		if (++n % 16 == 0)
			add(round_ops, 16);
	}
	go_waitgroup_done(&wg);
}

static void *work_in_thread(void *arg)
{
	work(arg);
	return NULL;
}

/* What is left in a closed channel. */
static void drain(struct go_chan *ch, struct tally *left)
{
	uint64_t elem;

	while (go_chan_recv(ch, &elem) == 1)
		tally_add(left, elem);
}

static void round_start(pthread_t *threads)
{
	static const int caps[CHANS] = { 0, 0, 1, 3 };
	int i;

	for (i = 0; i < CHANS; i++)
		chs[i] = go_chan_make(sizeof(uint64_t), caps[i]);
	store(round_ops, 0);
	go_waitgroup_add(&wg, WORKERS);
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.index = i,
			.rand = (ops + i + 1) * 0x9e3779b97f4a7c15ULL,
		};
		if (i < GOROUTINES)
			ck_assert_int_eq(go_spawn(work, &workers[i]), 0);
		else
			ck_assert_int_eq(pthread_create(&threads[i - GOROUTINES],
							NULL, work_in_thread,
							&workers[i]), 0);
	}
}

static void round_check(void)
{
	struct tally in = {}, out = {};
	int i;

	for (i = 0; i < WORKERS; i++) {
		in.n += workers[i].sent.n;
		in.sum += workers[i].sent.sum;
		out.n += workers[i].received.n;
		out.sum += workers[i].received.sum;
	}
	for (i = 0; i < CHANS; i++) {
		drain(chs[i], &out);
		go_chan_release(chs[i]);
	}
	ck_assert_uint_eq(in.n, out.n);
	ck_assert_uint_eq(in.sum, out.sum);
}

static void one_round(void)
{
	int64_t until = go_now() + ROUND_TIME;
	pthread_t threads[THREADS];
	int i;

	round_start(threads);
	/* all may be sending, or all receiving: then only the close ends it */
	wait_until(load(round_ops) >= ROUND_OPS || go_now() > until);
	for (i = 0; i < CHANS; i++) {
		ck_assert_int_eq(go_chan_close(chs[i]), 0);
		go_yield();
	}
	go_waitgroup_wait(&wg);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	round_check();
	ops += load(round_ops);
}

GO_TEST(nothing_is_lost_whatever_meets_whatever)
{
	int64_t until = go_now() + TIME_LIMIT;

	while (ops < OPS && go_now() < until)
		one_round();
	ck_assert_uint_gt(ops, 0);
}

int main(void)
{
	TCase *tc = tcase_create("select_torture");

	tcase_add_go_test(tc, nothing_is_lost_whatever_meets_whatever);
	return run_tests("select_torture", tc);
}
