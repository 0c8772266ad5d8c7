// SPDX-License-Identifier: MIT
/*
 * No wake-up is lost, when the moments fall together that rarely do.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "test.h"

#include "assist.h"
#include "preempt.h"
#include "sched.h"

static const struct assist *real;
static struct go_chan *first, *second;
static struct go_waitgroup wg;
static int turn, received;
static pthread_t waker;

static void receive(void *ch)
{
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	add(received, 1);
	go_waitgroup_done(&wg);
}

static void wait_until_idle(void)
{
	while (sched_p_runs())
		usleep(1000);
}

/* Once all are idle: have the calling thread wake Ps by another function. */
static void wake_is(int (*wake)(uint32_t p, bool spinning))
{
	static struct assist other;

	wait_until_idle();
	waker = pthread_self();
	real = rt.assist;
	other = *real;
	other.wake = wake;
	__atomic_store_n(&rt.assist, &other, __ATOMIC_RELEASE);
}

static void wake_is_real(void)
{
	__atomic_store_n(&rt.assist, real, __ATOMIC_RELEASE);
}

static void *send_second(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_chan_send(second, NULL), 0);
	return NULL;
}

/*
 * There was no spare, says this. But the P got one since, which found the first
 * goroutine and is done with it. And who readies the second one sees that
 * somebody is about to wake a P, and leaves it at that.
 */
static int late_wake(uint32_t p, bool spinning)
{
	pthread_t other;
	int ret;

	if (!pthread_equal(pthread_self(), waker) || add(turn, 1) != 1)
		return real->wake(p, spinning);
	/* Without a spare the M that parks next takes it. */
	ret = real->wake(p, false);
	ck_assert(!ret || ret == -EAGAIN);
	while (!load(received))
		usleep(1000);
	wait_until_idle();
	ck_assert_int_eq(pthread_create(&other, NULL, send_second, NULL), 0);
	pthread_join(other, NULL);
	return -EAGAIN;
}

static void *send_first(void *arg)
{
	int i;

	(void)arg;
	wake_is(late_wake);
	ck_assert_int_eq(go_chan_send(first, NULL), 0);
	wake_is_real();
	/* Somebody may have been looking for work after all. */
	if (!load(turn))
		ck_assert_int_eq(go_chan_send(second, NULL), 0);
	for (i = 0; i < 2000 && load(received) < 2; i++)
		usleep(1000);
	ck_assert_int_eq(load(received), 2);
	return NULL;
}

/* Whether the moments fell together is in @turn. */
static void send_both(void)
{
	pthread_t thread;

	store(received, 0);
	go_waitgroup_add(&wg, 2);
	go_spawn(receive, first);
	go_spawn(receive, second);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_first, NULL), 0);
	go_waitgroup_wait(&wg);
	pthread_join(thread, NULL);
}

GO_TEST(who_wakes_in_vain_looks_again_for_those_who_relied_on_it)
{
	int i;

	first = go_chan_make(0, 0);
	second = go_chan_make(0, 0);
	ck_assert(first && second);
	for (i = 0; i < 100 && !load(turn); i++)
		send_both();
	ck_assert_int_ge(load(turn), 1);
	go_chan_release(first);
	go_chan_release(second);
}

/* ---- two wake-ups, and one M that comes ------------------------------------------- */

static int second_ran, ran_beside;

/* Nobody preempts it, and it does not end before the other one has run. */
static void run_beside(void *ch)
{
	sigset_t preempt, old;
	int64_t end;

	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	end = go_now() + 5 * GO_SECOND;
	sigemptyset(&preempt);
	sigaddset(&preempt, PREEMPT_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &preempt, &old);
	if (add(received, 1) == 1) {
		while (!load(second_ran) && go_now() < end)
			;
		store(ran_beside, load(second_ran));
	} else {
		store(second_ran, 1);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	go_waitgroup_done(&wg);
}

/* As where there is no spare. */
static int wake_nobody(uint32_t p, bool spinning)
{
	if (pthread_equal(pthread_self(), waker))
		return -EAGAIN;
	return real->wake(p, spinning);
}

/* Both go to the global queue, and nobody comes; then one M for one P. */
static void *send_to_one(void *arg)
{
	uint32_t p = 1;
	int ret;

	(void)arg;
	wake_is(wake_nobody);
	ck_assert_int_eq(go_chan_send(first, NULL), 0);
	ck_assert_int_eq(go_chan_send(second, NULL), 0);
	wake_is_real();
	/* One may be in use for a moment. */
	do {
		ret = real->wake(p ^= 1, false);
	} while (ret == -EBUSY);
	ck_assert(!ret || ret == -EAGAIN);
	return NULL;
}

static void run_two(void *arg)
{
	pthread_t thread;

	(void)arg;
	first = go_chan_make(0, 0);
	second = go_chan_make(0, 0);
	ck_assert(first && second);
	go_waitgroup_add(&wg, 2);
	go_spawn(run_beside, first);
	go_spawn(run_beside, second);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_to_one, NULL), 0);
	go_waitgroup_wait(&wg);
	pthread_join(thread, NULL);
	ck_assert_int_eq(load(ran_beside), 1);
	go_chan_release(first);
	go_chan_release(second);
}

START_TEST(one_who_comes_for_two_calls_another)
{
	run_with_procs(2 + _i, run_two);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("wake");

	tcase_add_loop_test(tc, one_who_comes_for_two_calls_another, 0, 2);
	tcase_add_go_test(tc, who_wakes_in_vain_looks_again_for_those_who_relied_on_it);
	return run_tests("wake", tc);
}
