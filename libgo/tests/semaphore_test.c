// SPDX-License-Identifier: MIT
/*
 * Weighted semaphores.
 */
#include <errno.h>

#include "test.h"
#include "wait.h"

#define SIZE	10
#define ROUNDS	500

static struct go_semaphore sem = GO_SEMAPHORE_INIT(SIZE);
static int held, order[8], nr_order;

GO_TEST(mistakes_are_told)
{
	ck_assert_int_eq(go_semaphore_acquire(&sem, -1), -EINVAL);
	ck_assert_int_eq(go_semaphore_acquire(&sem, SIZE + 1), -EINVAL);
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, SIZE + 1), -EINVAL);
	ck_assert_int_eq(go_semaphore_release(&sem, 1), -EINVAL);
	ck_assert_int_eq(go_semaphore_acquire(&sem, 3), 0);
	ck_assert_int_eq(go_semaphore_release(&sem, 4), -EINVAL);
	ck_assert_int_eq(go_semaphore_release(&sem, -1), -EINVAL);
	ck_assert_int_eq(go_semaphore_release(&sem, 3), 0);
	ck_assert_int_eq(sem.held, 0);
}

GO_TEST(try_acquire_does_not_wait)
{
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, 6), 0);
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, 5), -EAGAIN);
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, 4), 0);
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, 0), 0);
	ck_assert_int_eq(go_semaphore_release(&sem, SIZE), 0);
}

static void acquire_noting(void *arg)
{
	int n = (intptr_t)arg;

	ck_assert_int_eq(go_semaphore_acquire(&sem, n), 0);
	store(order[add(nr_order, 1) - 1], n);
	ck_assert_int_eq(go_semaphore_release(&sem, n), 0);
}

static const void *last_waiter(void)
{
	struct lock *lock = waitq_lock(&sem);
	struct m *m = wait_enter();
	const void *last;

	lock_acquire(lock);
	last = sem.waiters.last;
	lock_release(lock);
	wait_exit(m);
	return last;
}

/* Start one, and wait until it waits. */
static void spawn_waiter(int n)
{
	const void *before = last_waiter();

	go_spawn(acquire_noting, (void *)(intptr_t)n);
	wait_until(last_waiter() != before);
}

GO_TEST(one_that_wants_many_is_not_overtaken)
{
	ck_assert_int_eq(go_semaphore_acquire(&sem, 5), 0);
	spawn_waiter(9);
	/* There are enough for these, but it is not their turn. */
	ck_assert_int_eq(go_semaphore_try_acquire(&sem, 1), -EAGAIN);
	spawn_waiter(1);
	spawn_waiter(2);
	go_sleep(GO_MILLISECOND);
	ck_assert_int_eq(load(nr_order), 0);
	ck_assert_int_eq(go_semaphore_release(&sem, 5), 0);
	wait_until(load(order[0]) && load(order[1]) && load(order[2]));
	ck_assert_int_eq(order[0] + order[1] + order[2], 12);
	ck_assert_int_ne(order[2], 9);
}

GO_TEST(a_deadline_ends_the_wait)
{
	int64_t until = go_now() + 2 * GO_MILLISECOND;

	ck_assert_int_eq(go_semaphore_acquire(&sem, 5), 0);
	ck_assert_int_eq(go_semaphore_acquire_until(&sem, 6, until),
			 -ETIMEDOUT);
	ck_assert_int_ge(go_now(), until);
	ck_assert_ptr_null(sem.waiters.first);
	ck_assert_int_eq(go_semaphore_acquire_until(&sem, 5, 0), 0);
	ck_assert_int_eq(go_semaphore_release(&sem, SIZE), 0);
}

static void give_up_soon(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_semaphore_acquire_until(&sem, SIZE, go_now() +
						    300 * GO_MILLISECOND),
			 -ETIMEDOUT);
}

GO_TEST(who_gives_up_lets_those_behind_pass)
{
	ck_assert_int_eq(go_semaphore_acquire(&sem, 5), 0);
	go_spawn(give_up_soon, NULL);
	wait_until(last_waiter());
	spawn_waiter(1);
	wait_until(load(nr_order) == 1);
	ck_assert_int_eq(go_semaphore_release(&sem, 5), 0);
}

static void acquire_and_release(int number)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		int n = (i + number) % SIZE + 1;
		int ret;

		if (i % 3 == 0)
			ret = go_semaphore_acquire_until(&sem, n, go_now() +
							 i % 50 * 1000);
		else if (i % 3 == 1)
			ret = go_semaphore_try_acquire(&sem, n);
		else
			ret = go_semaphore_acquire(&sem, n);
		if (ret) {
			ck_assert_int_ne(i % 3, 2);
			continue;
		}
		ck_assert_int_le(add(held, n), SIZE);
		if (i % 4 == 0)
			go_yield();
		add(held, -n);
		ck_assert_int_eq(go_semaphore_release(&sem, n), 0);
	}
}

GO_TEST(no_more_than_there_are_and_nothing_is_lost)
{
	crowd_run(6, 2, acquire_and_release);
	ck_assert_int_eq(sem.held, 0);
	ck_assert_ptr_null(sem.waiters.first);
}

int main(void)
{
	TCase *tc = tcase_create("semaphore");

	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, try_acquire_does_not_wait);
	tcase_add_go_test(tc, one_that_wants_many_is_not_overtaken);
	tcase_add_go_test(tc, a_deadline_ends_the_wait);
	tcase_add_go_test(tc, who_gives_up_lets_those_behind_pass);
	tcase_add_go_test(tc, no_more_than_there_are_and_nothing_is_lost);
	return run_tests("semaphore", tc);
}
