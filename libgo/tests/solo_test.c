// SPDX-License-Identifier: MIT
/*
 * With one P and no plain thread locks are not taken: that ends in time, whoever
 * comes.
 */
#include "test.h"

/* How long each of the two is tried: a run takes from a millisecond to a second. */
#define TRIES	(2 * GO_SECOND)


static struct go_chan *ch;
static struct go_waitgroup wg;
static int64_t each;	/* how many one sends, */
static int64_t sum;	/* and what they are together */
static int64_t sent, received;

static void send_some(void)
{
	int64_t i;

	for (i = 1; i <= each; i++) {
		expect(go_chan_send(ch, &i) == 0);
		add(sent, i);
	}
}

static void sender(void *arg)
{
	(void)arg;
	send_some();
	go_waitgroup_done(&wg);
}

static void receiver(void *arg)
{
	int64_t elem;

	(void)arg;
	while (go_chan_recv(ch, &elem) == 1)
		add(received, elem);
	go_waitgroup_done(&wg);
}

/* Two goroutines send, maybe others do, and all of it is received. */
static void crowd(int senders, void (*interrupt)(void))
{
	int i;

	go_waitgroup_add(&wg, 4);
	for (i = 0; i < 2; i++) {
		go_spawn(receiver, NULL);
		go_spawn(sender, NULL);
	}
	while (load(sent) < sum / 2)
		go_yield();
	if (interrupt)
		interrupt();
	while (load(sent) < senders * sum)
		go_yield();
	go_chan_close(ch);
	go_waitgroup_wait(&wg);
	expect(load(received) == senders * sum);
	expect(wg.state == 0);
}

static void run_once(go_fn fn)
{
	ch = go_chan_make(sizeof(int64_t), 4);
	sent = 0;
	received = 0;
	ck_assert_int_eq(go_run(fn, NULL), 0);
	go_chan_release(ch);
}

static void run_often(go_fn fn, int64_t n)
{
	int64_t end = go_now() + TRIES;

	each = n;
	sum = n * (n + 1) / 2;
	setenv("GOMAXPROCS", "1", 1);
	while (go_now() < end)
		run_once(fn);
}

/* ---- a thread ------------------------------------------------------------------------ */

/* Its first call is in the midst of theirs, at another moment each time. */
static void *thread_main(void *arg)
{
	intptr_t n = (intptr_t)arg;

	while (load(sent) < sum / 2)
		;
	while (n--)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	send_some();
	return NULL;
}

static int pauses;

static void thread_comes_main(void *arg)
{
	pthread_t thread;

	(void)arg;
	pauses = (pauses + 7) % 400;
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_main,
					(void *)(intptr_t)pauses), 0);
	crowd(3, NULL);
	pthread_join(thread, NULL);
}

START_TEST(a_thread_comes)
{
	run_often(thread_comes_main, 100);
}
END_TEST

/* ---- a processor --------------------------------------------------------------------- */

static void two_procs(void)
{
	expect(go_gomaxprocs(2) == 1);
}

static void processor_comes_main(void *arg)
{
	(void)arg;
	crowd(2, two_procs);
}

START_TEST(another_processor_comes)
{
	run_often(processor_comes_main, 5000);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("solo");

	tcase_add_test(tc, a_thread_comes);
	tcase_add_test(tc, another_processor_comes);
	return run_tests("solo", tc);
}
