// SPDX-License-Identifier: MIT
/*
 * Processors and threads: their numbers, and goroutines that keep a thread.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "test.h"

static struct go_waitgroup wg;
static int stop, running, most;

/* ---- GOMAXPROCS ------------------------------------------------------------------- */

GO_TEST(the_number_is_told_and_changed)
{
	int before = go_gomaxprocs(0);

	ck_assert_int_eq(go_gomaxprocs(5), before);
	ck_assert_int_eq(go_gomaxprocs(0), 5);
	ck_assert_int_eq(go_gomaxprocs(-1), 5);
	ck_assert_int_eq(go_gomaxprocs(1000), -EINVAL);
	ck_assert_int_eq(go_gomaxprocs(1), 5);
	ck_assert_int_eq(go_gomaxprocs(1), 1);
}

/*
 * How many goroutines run at a time: each notes it, and blocks for nothing. One that
 * is preempted in between would seem to run.
 */
static void note_running(void *arg)
{
	sigset_t preempt;
	int i, now;

	(void)arg;
	sigemptyset(&preempt);
	sigaddset(&preempt, SIGURG);
	for (i = 0; i < 5000 && !load(stop); i++) {
		pthread_sigmask(SIG_BLOCK, &preempt, NULL);
		now = add(running, 1);
		if (now > load(most))
			store(most, now);
		add(running, -1);
		pthread_sigmask(SIG_UNBLOCK, &preempt, NULL);
		if (i % 8 == 0)
			go_yield();
	}
	go_waitgroup_done(&wg);
}

static void note_most(void)
{
	int i;

	store(most, 0);
	go_waitgroup_add(&wg, 8);
	for (i = 0; i < 8; i++)
		go_spawn(note_running, NULL);
	go_waitgroup_wait(&wg);
}

GO_TEST(no_more_run_than_there_are)
{
	go_gomaxprocs(1);
	/* who is on a processor that goes away leaves it with the next call */
	go_yield();
	note_most();
	ck_assert_int_eq(load(most), 1);
}

static void work(void *arg)
{
	int i;

	for (i = 0; i < 2000; i++)
		go_yield();
	add(*(int *)arg, 1);
	go_waitgroup_done(&wg);
}

/* Nothing is lost while the number goes up and down. */
GO_TEST(changes_lose_nothing)
{
	int i, done = 0;

	go_waitgroup_add(&wg, 60);
	for (i = 0; i < 60; i++)
		go_spawn(work, &done);
	for (i = 0; i < 200; i++) {
		ck_assert_int_gt(go_gomaxprocs(i * 7 % 9 + 1), 0);
		go_sleep(100 * GO_MICROSECOND);
	}
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(done, 60);
}

static void follow_main(void *arg)
{
	cpu_set_t all, one;
	int i;

	(void)arg;
	ck_assert_int_eq(sched_getaffinity(getpid(), sizeof(all), &all), 0);
	ck_assert_int_eq(go_gomaxprocs(0), CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (i = 0; !CPU_ISSET(i, &all); i++)
		;
	CPU_SET(i, &one);
	sched_setaffinity(getpid(), sizeof(one), &one);
	wait_until(go_gomaxprocs(0) == 1);
	sched_setaffinity(getpid(), sizeof(all), &all);
	wait_until(go_gomaxprocs(0) == CPU_COUNT(&all));
}

START_TEST(the_number_follows_the_affinity_mask)
{
	unsetenv("GOMAXPROCS");
	ck_assert_int_eq(go_run(follow_main, NULL), 0);
}
END_TEST

/* ---- threads ------------------------------------------------------------------------ */

static int token[2];

static void take_token(void *arg)
{
	char byte;

	(void)arg;
	ck_assert_int_eq(read(token[0], &byte, 1), 1);
	go_waitgroup_done(&wg);
}

/* Many block, so there are many threads; afterwards there are few. */
GO_TEST(threads_that_are_not_needed_end)
{
	struct go_stats st;
	char bytes[100] = {};
	int round, i;

	ck_assert_int_eq(pipe(token), 0);
	for (round = 0; round < 2; round++) {
		go_waitgroup_add(&wg, 100);
		for (i = 0; i < 100; i++)
			go_spawn(take_token, NULL);
		wait_until(!go_stats_read(&st) && st.threads > 100);
		ck_assert_int_eq(write(token[1], bytes, 100), 100);
		go_waitgroup_wait(&wg);
		wait_until(!go_stats_read(&st) && st.threads < 50);
	}
}

/* ---- goroutines that keep their thread ------------------------------------------------ */

static __thread int tls;

/*
 * A compiler may remember the variable's address over a call, and then it is the
 * one of the thread before (Documentation/thread-local-storage.rst).
 */
static __attribute__((noinline)) int *tls_here(void)
{
	int *here = &tls;

	__asm__ __volatile__("" : "+r" (here));
	return here;
}

static void locked(void *arg)
{
	pthread_t self;
	int i;

	ck_assert_int_eq(go_lock_os_thread(), 0);
	self = pthread_self();
	*tls_here() = (intptr_t)arg;
	for (i = 0; i < 300; i++) {
		if (i % 3 == 0)
			go_yield();
		else if (i % 3 == 1)
			go_sleep(10 * GO_MICROSECOND);
		else
			usleep(1);
		ck_assert(pthread_equal(self, pthread_self()));
		ck_assert_int_eq(*tls_here(), (intptr_t)arg);
	}
	*tls_here() = 0;
	ck_assert_int_eq(go_unlock_os_thread(), 0);
	go_waitgroup_done(&wg);
}

static void not_locked(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 3000; i++) {
		/* no thread of theirs runs it */
		ck_assert_int_eq(*tls_here(), 0);
		go_yield();
	}
	go_waitgroup_done(&wg);
}

GO_TEST(a_locked_goroutine_keeps_its_thread)
{
	intptr_t i;

	go_waitgroup_add(&wg, 10);
	for (i = 1; i <= 5; i++) {
		go_spawn(locked, (void *)i);
		go_spawn(not_locked, NULL);
	}
	go_waitgroup_wait(&wg);
}

GO_TEST(locks_nest)
{
	ck_assert_int_eq(go_unlock_os_thread(), -EINVAL);
	ck_assert_int_eq(go_lock_os_thread(), 0);
	ck_assert_int_eq(go_lock_os_thread(), 0);
	ck_assert_int_eq(go_unlock_os_thread(), 0);
	go_sleep(GO_MILLISECOND);
	ck_assert_int_eq(go_unlock_os_thread(), 0);
	ck_assert_int_eq(go_unlock_os_thread(), -EINVAL);
}

static pthread_key_t key;
static int threads_ended;

static void thread_ended(void *arg)
{
	(void)arg;
	add(threads_ended, 1);
}

static void lock_and_end(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_lock_os_thread(), 0);
	pthread_setspecific(key, &key);
}

GO_TEST(a_thread_ends_with_the_goroutine_locked_to_it)
{
	ck_assert_int_eq(pthread_key_create(&key, thread_ended), 0);
	go_spawn(lock_and_end, NULL);
	wait_until(load(threads_ended) == 1);
}

static void *plain_thread(void *arg)
{
	ck_assert_int_eq(go_lock_os_thread(), -EPERM);
	ck_assert_int_eq(go_unlock_os_thread(), -EPERM);
	ck_assert_int_gt(go_gomaxprocs(3), 0);
	return arg;
}

GO_TEST(plain_threads_have_nothing_to_lock)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, plain_thread, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(go_gomaxprocs(0), 3);
}

/* The end of main while locked goroutines wait. */
static void leave_locked(void *arg)
{
	(void)arg;
	go_lock_os_thread();
	go_chan_recv(NULL, NULL);
}

static void leave_locked_main(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 5; i++)
		go_spawn(leave_locked, NULL);
	go_sleep(2 * GO_MILLISECOND);
}

START_TEST(main_ends_while_locked_ones_wait)
{
	int i;

	for (i = 0; i < 20; i++)
		run_after_another(leave_locked_main, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("procs");

	tcase_add_go_test(tc, the_number_is_told_and_changed);
	tcase_add_go_test(tc, no_more_run_than_there_are);
	tcase_add_go_test(tc, changes_lose_nothing);
	tcase_add_test(tc, the_number_follows_the_affinity_mask);
	tcase_add_go_test(tc, threads_that_are_not_needed_end);
	tcase_add_go_test(tc, a_locked_goroutine_keeps_its_thread);
	tcase_add_go_test(tc, locks_nest);
	tcase_add_go_test(tc, a_thread_ends_with_the_goroutine_locked_to_it);
	tcase_add_go_test(tc, plain_threads_have_nothing_to_lock);
	tcase_add_test(tc, main_ends_while_locked_ones_wait);
	return run_tests("procs", tc);
}
