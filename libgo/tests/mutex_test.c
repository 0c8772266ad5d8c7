// SPDX-License-Identifier: MIT
/*
 * Mutexes.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define ROUNDS 3000

static struct go_mutex mu;
static long count, taken;
static int inside, stop;

/* As guarded code: finds out whether it is alone, and lets others run. */
static void critical(int round)
{
	ck_assert_int_eq(add(inside, 1), 1);
	count++;
	if (round % 7 == 0)
		go_yield();
	ck_assert_int_eq(add(inside, -1), 0);
}

GO_TEST(an_unlocked_mutex_is_not_unlocked)
{
	ck_assert_int_eq(go_mutex_unlock(&mu), -EPERM);
	go_mutex_lock(&mu);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	ck_assert_int_eq(go_mutex_unlock(&mu), -EPERM);
	ck_assert(go_mutex_trylock(&mu));
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

GO_TEST(trylock_does_not_wait)
{
	ck_assert(go_mutex_trylock(&mu));
	ck_assert(!go_mutex_trylock(&mu));
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

START_TEST(it_works_without_a_runtime)
{
	go_mutex_lock(&mu);
	ck_assert_int_eq(go_mutex_lock_until(&mu, go_now() + GO_MILLISECOND),
			 -ETIMEDOUT);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}
END_TEST

static void lock_and_count(int number)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		go_mutex_lock(&mu);
		critical(i + number);
		ck_assert_int_eq(go_mutex_unlock(&mu), 0);
		if (i % 5 == 0)
			go_yield();
	}
}

GO_TEST(one_at_a_time)
{
	crowd_run(8, 0, lock_and_count);
	ck_assert_int_eq(count, 8 * ROUNDS);
	ck_assert_int_eq(mu.state, 0);
}

GO_TEST(one_at_a_time_with_plain_threads)
{
	crowd_run(4, 3, lock_and_count);
	ck_assert_int_eq(count, 7 * ROUNDS);
	ck_assert_int_eq(mu.state, 0);
}

/* All three ways to lock it, deadlines that pass, and threads. */
static void lock_somehow(int number)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		int64_t until = go_now() + (i * 7919 + number) % 300 * 100;

		if (i % 3 == 0) {
			go_mutex_lock(&mu);
		} else if (i % 3 == 1) {
			if (!go_mutex_trylock(&mu))
				continue;
		} else {
			int ret = go_mutex_lock_until(&mu, until);

			if (ret) {
				ck_assert_int_eq(ret, -ETIMEDOUT);
				ck_assert_int_ge(go_now(), until);
				continue;
			}
		}
		add(taken, 1);
		critical(i);
		ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	}
}

/* A wake-up that is lost leaves somebody waiting, and the test's limit ends it. */
GO_TEST(nothing_is_lost)
{
	crowd_run(6, 2, lock_somehow);
	ck_assert_int_eq(count, taken);
	ck_assert_int_eq(mu.state, 0);
	ck_assert_ptr_null(mu.waiters.first);
}

/* Each round two come at once and nobody after them: nobody else would wake one. */
static void come_at_once(int number)
{
	int i;

	(void)number;
	for (i = 1; i <= 3000; i++) {
		volatile int work = i * 37 % 6000;

		meet(&inside, 2, i);
		go_mutex_lock(&mu);
		count++;
		/* To end at any moment of the other's way to sleep. */
		while (work)
			work--;
		ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	}
}

GO_TEST(who_comes_last_is_woken)
{
	crowd_run(2, 0, come_at_once);
	ck_assert_int_eq(count, 6000);
}

GO_TEST(a_plain_thread_that_comes_last_is_woken)
{
	crowd_run(0, 2, come_at_once);
	ck_assert_int_eq(count, 6000);
}

static void hog(void *arg)
{
	while (!load(stop)) {
		go_mutex_lock(&mu);
		/* The others run only while the mutex is locked. */
		go_yield();
		go_mutex_unlock(&mu);
	}
	go_waitgroup_done(arg);
}

GO_TEST(a_waiter_does_not_starve)
{
	struct go_waitgroup hogs = GO_WAITGROUP_INIT;
	int i;

	go_waitgroup_add(&hogs, 2);
	go_spawn(hog, &hogs);
	go_spawn(hog, &hogs);
	for (i = 0; i < 20; i++) {
		go_yield();
		go_mutex_lock(&mu);
		ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	}
	store(stop, 1);
	go_waitgroup_wait(&hogs);
	ck_assert_int_eq(mu.state, 0);
}

static void *thread_lock(void *arg)
{
	go_mutex_lock(&mu);
	store(*(int *)arg, 1);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	return NULL;
}

GO_TEST(a_plain_thread_does_not_starve)
{
	struct go_waitgroup hogs = GO_WAITGROUP_INIT;
	pthread_t thread;
	int had = 0;

	go_waitgroup_add(&hogs, 1);
	go_spawn(hog, &hogs);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_lock, &had), 0);
	wait_until(load(had));
	store(stop, 1);
	go_waitgroup_wait(&hogs);
	pthread_join(thread, NULL);
}

GO_TEST(a_deadline_ends_the_wait)
{
	int64_t until = go_now() + 2 * GO_MILLISECOND;

	go_mutex_lock(&mu);
	ck_assert_int_eq(go_mutex_lock_until(&mu, until), -ETIMEDOUT);
	ck_assert_int_ge(go_now(), until);
	ck_assert_int_eq(go_mutex_lock_until(&mu, 0), -ETIMEDOUT);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	/* nothing is left of those who have given up */
	ck_assert_int_eq(mu.state, 0);
	ck_assert_int_eq(go_mutex_lock_until(&mu, 0), 0);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

static void give_up_and_sleep(int number)
{
	int i;

	for (i = 0; i < 200; i++) {
		ck_assert_int_eq(go_mutex_lock_until(&mu, INT64_MIN), -ETIMEDOUT);
		go_sleep((i * 7 + number) % 10 * 10 * GO_MICROSECOND);
	}
}

/* As early as can be; the timers of all others go on. */
GO_TEST(a_deadline_of_long_ago)
{
	go_mutex_lock(&mu);
	crowd_run(4, 2, give_up_and_sleep);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

static void unlock_later(void *arg)
{
	(void)arg;
	go_sleep(GO_MILLISECOND);
	go_mutex_unlock(&mu);
}

GO_TEST(unlocked_before_the_deadline)
{
	go_mutex_lock(&mu);
	go_spawn(unlock_later, NULL);
	ck_assert_int_eq(go_mutex_lock_until(&mu, go_now() + 50 * GO_SECOND),
			 0);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

/* An object with a mutex and a count of references, on a page of its own. */
struct object {
	struct go_mutex mu;
	int refs;
};

static struct object *object;
static struct go_waitgroup users;

static void release_object(void *arg)
{
	struct object *o = arg;
	int left;

	go_mutex_lock(&o->mu);
	left = --o->refs;
	if (left % 2)
		go_yield();
	go_mutex_unlock(&o->mu);
	if (!left)
		ck_assert_int_eq(munmap(o, sysconf(_SC_PAGESIZE)), 0);
	go_waitgroup_done(&users);
}

GO_TEST(who_unlocks_last_may_free_it)
{
	int round, i;

	for (round = 0; round < SANITIZED(200, 500); round++) {
		object = mmap(NULL, sysconf(_SC_PAGESIZE),
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert_ptr_ne(object, MAP_FAILED);
		object->refs = 5;
		go_waitgroup_add(&users, 5);
		for (i = 0; i < 5; i++)
			go_spawn(release_object, object);
		go_waitgroup_wait(&users);
	}
}

int main(void)
{
	TCase *tc = tcase_create("mutex");

	tcase_add_go_test(tc, an_unlocked_mutex_is_not_unlocked);
	tcase_add_go_test(tc, trylock_does_not_wait);
	tcase_add_test(tc, it_works_without_a_runtime);
	tcase_add_go_test(tc, one_at_a_time);
	tcase_add_go_test(tc, one_at_a_time_with_plain_threads);
	tcase_add_go_test(tc, nothing_is_lost);
	tcase_add_go_test(tc, who_comes_last_is_woken);
	tcase_add_go_test(tc, a_plain_thread_that_comes_last_is_woken);
	tcase_add_go_test(tc, a_waiter_does_not_starve);
	tcase_add_go_test(tc, a_plain_thread_does_not_starve);
	tcase_add_go_test(tc, a_deadline_ends_the_wait);
	tcase_add_go_test(tc, a_deadline_of_long_ago);
	tcase_add_go_test(tc, unlocked_before_the_deadline);
	tcase_add_go_test(tc, who_unlocks_last_may_free_it);
	return run_tests("mutex", tc);
}
