// SPDX-License-Identifier: MIT
/*
 * Waitgroups.
 */
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static struct go_waitgroup wg, waiters;
static int count, seen;

static void done(void *arg)
{
	(void)arg;
	add(count, 1);
	go_waitgroup_done(&wg);
}

static void wait_and_look(void *arg)
{
	(void)arg;
	go_waitgroup_wait(&wg);
	if (load(count) == 500)
		add(seen, 1);
	go_waitgroup_done(&waiters);
}

GO_TEST(all_waiters_wake_when_the_count_is_zero)
{
	int i;

	go_waitgroup_add(&wg, 500);
	go_waitgroup_add(&waiters, 20);
	for (i = 0; i < 20; i++)
		go_spawn(wait_and_look, NULL);
	for (i = 0; i < 500; i++)
		go_spawn(done, NULL);
	go_waitgroup_wait(&waiters);
	ck_assert_int_eq(seen, 20);
}

GO_TEST(a_zero_count_is_no_wait)
{
	struct go_waitgroup local = GO_WAITGROUP_INIT;

	ck_assert_int_eq(go_waitgroup_wait(&local), 0);
}

GO_TEST(a_waitgroup_can_be_used_again)
{
	int i;

	for (i = 0; i < STARTS(2000); i++) {
		go_waitgroup_add(&wg, 2);
		go_spawn(done, NULL);
		go_spawn(done, NULL);
		go_waitgroup_wait(&wg);
		ck_assert_int_eq(load(count), 2 * i + 2);
	}
}

GO_TEST(a_count_out_of_range_is_refused)
{
	ck_assert_int_eq(go_waitgroup_add(&wg, -1), -EINVAL);
	ck_assert_int_eq(go_waitgroup_add(&wg, INT_MAX), 0);
	ck_assert_int_eq(go_waitgroup_add(&wg, 1), -EINVAL);
	ck_assert_int_eq(go_waitgroup_add(&wg, -INT_MAX), 0);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
}

static void *thread_done(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++)
		go_waitgroup_done(&wg);
	return NULL;
}

GO_TEST(plain_threads_count)
{
	pthread_t thread;

	go_waitgroup_add(&wg, 1000);
	pthread_create(&thread, NULL, thread_done, NULL);
	go_waitgroup_wait(&wg);
	pthread_join(thread, NULL);
}

static void *thread_wait(void *arg)
{
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	store(*(int *)arg, 1);
	return NULL;
}

GO_TEST(a_plain_thread_waits)
{
	pthread_t thread;
	int woken = 0;

	go_waitgroup_add(&wg, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_wait, &woken), 0);
	go_sleep(2 * GO_MILLISECOND);
	ck_assert_int_eq(load(woken), 0);
	go_waitgroup_done(&wg);
	wait_until(load(woken));
	pthread_join(thread, NULL);
}

static struct go_waitgroup *short_lived;

/*
 * One waits, four are done, and a plain thread sees that without waiting: it
 * frees the waitgroup while the others may still be in the call that made it zero.
 */
static void done_or_wait(int number)
{
	if (number == 0) {
		go_waitgroup_wait(short_lived);
	} else if (number < 5) {
		while (!load(short_lived->waiters.first))
			go_yield();
		go_waitgroup_done(short_lived);
	} else {
		while (load(short_lived->state))
			;
		go_waitgroup_wait(short_lived);
		ck_assert_int_eq(munmap(short_lived, sysconf(_SC_PAGESIZE)),
				 0);
	}
}

GO_TEST(who_has_waited_may_free_it)
{
	int i;

	for (i = 0; i < STARTS(500); i++) {
		short_lived = mmap(NULL, sysconf(_SC_PAGESIZE),
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert_ptr_ne(short_lived, MAP_FAILED);
		go_waitgroup_add(short_lived, 4);
		crowd_run(5, 1, done_or_wait);
	}
}

/* Two wait again and again, while a goroutine and two threads count up and down. */
static void churn(int number)
{
	int i;

	if (number < 2) {
		for (i = 0; i < 1500; i++)
			go_waitgroup_wait(&wg);
		add(seen, 1);
		return;
	}
	for (i = 0; load(seen) < 2; i++) {
		ck_assert_int_eq(go_waitgroup_add(&wg, 1), 0);
		if (i % 3 == 0)
			go_yield();
		ck_assert_int_eq(go_waitgroup_done(&wg), 0);
	}
}

GO_TEST(no_waiter_is_forgotten)
{
	crowd_run(3, 2, churn);
	ck_assert_int_eq(wg.state, 0);
	ck_assert_ptr_null(wg.waiters.first);
}

int main(void)
{
	TCase *tc = tcase_create("waitgroup");

	tcase_add_go_test(tc, all_waiters_wake_when_the_count_is_zero);
	tcase_add_go_test(tc, a_zero_count_is_no_wait);
	tcase_add_go_test(tc, a_waitgroup_can_be_used_again);
	tcase_add_go_test(tc, a_count_out_of_range_is_refused);
	tcase_add_go_test(tc, plain_threads_count);
	tcase_add_go_test(tc, a_plain_thread_waits);
	tcase_add_go_test(tc, who_has_waited_may_free_it);
	tcase_add_go_test(tc, no_waiter_is_forgotten);
	return run_tests("waitgroup", tc);
}
