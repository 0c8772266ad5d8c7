// SPDX-License-Identifier: MIT
/*
 * Condition variables.
 */
#include <errno.h>

#include "test.h"

#define ITEMS	4000	/* of each producer */
#define ROOM	3

static struct go_mutex mu;
static struct go_cond cond, not_full, not_empty;
static int waiting, woken, turn, order[8];
static int room_used, produced, consumed;

GO_TEST(waiting_needs_the_mutex)
{
	ck_assert_int_eq(go_cond_wait(&cond, &mu), -EPERM);
	ck_assert_int_eq(go_cond_wait_until(&cond, &mu, 0), -EPERM);
	ck_assert_ptr_null(cond.waiters.first);
	ck_assert_int_eq(mu.state, 0);
}

GO_TEST(without_waiters_waking_does_nothing)
{
	go_cond_signal(&cond);
	go_cond_broadcast(&cond);
	go_mutex_lock(&mu);
	ck_assert_int_eq(go_cond_wait_until(&cond, &mu,
					    go_now() + GO_MILLISECOND),
			 -ETIMEDOUT);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

GO_TEST(a_deadline_ends_the_wait_with_the_mutex_locked)
{
	int64_t until = go_now() + 2 * GO_MILLISECOND;

	go_mutex_lock(&mu);
	ck_assert_int_eq(go_cond_wait_until(&cond, &mu, until), -ETIMEDOUT);
	ck_assert_int_ge(go_now(), until);
	ck_assert_ptr_null(cond.waiters.first);
	ck_assert(!go_mutex_trylock(&mu));
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

static void wait_in_turn(int number)
{
	go_mutex_lock(&mu);
	while (turn != number) {
		go_mutex_unlock(&mu);
		go_yield();
		go_mutex_lock(&mu);
	}
	turn++;
	waiting++;
	ck_assert_int_eq(go_cond_wait(&cond, &mu), 0);
	order[woken++] = number;
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
}

/* As many as wait now, with the mutex not locked. */
static int waiting_now(void)
{
	int n;

	go_mutex_lock(&mu);
	n = waiting;
	go_mutex_unlock(&mu);
	return n;
}

static int woken_now(void)
{
	int n;

	go_mutex_lock(&mu);
	n = woken;
	go_mutex_unlock(&mu);
	return n;
}

static void signal_all(int number)
{
	int i;

	if (number < 6) {
		wait_in_turn(number);
		return;
	}
	wait_until(waiting_now() == 6);
	for (i = 1; i <= 6; i++) {
		go_cond_signal(&cond);
		wait_until(woken_now() == i);
		/* and nobody else */
		ck_assert_int_eq(woken_now(), i);
	}
}

GO_TEST(signal_wakes_who_has_waited_longest)
{
	int i;

	crowd_run(7, 0, signal_all);
	for (i = 0; i < 6; i++)
		ck_assert_int_eq(order[i], i);
}

static void broadcast_to_all(int number)
{
	if (number) {
		go_mutex_lock(&mu);
		waiting++;
		ck_assert_int_eq(go_cond_wait(&cond, &mu), 0);
		woken++;
		ck_assert_int_eq(go_mutex_unlock(&mu), 0);
		return;
	}
	wait_until(waiting_now() == 7);
	go_cond_broadcast(&cond);
	wait_until(woken_now() == 7);
}

GO_TEST(broadcast_wakes_all)
{
	crowd_run(6, 2, broadcast_to_all);
}

static void produce(int round)
{
	go_mutex_lock(&mu);
	while (room_used == ROOM)
		go_cond_wait(&not_full, &mu);
	room_used++;
	produced++;
	if (round % 2) {
		go_cond_signal(&not_empty);
		go_mutex_unlock(&mu);
	} else {
		go_mutex_unlock(&mu);
		go_cond_signal(&not_empty);
	}
}

/* Some wait with a deadline that passes; then they wait again. */
static void consume(int round)
{
	go_mutex_lock(&mu);
	while (!room_used)
		if (round % 4)
			go_cond_wait(&not_empty, &mu);
		else
			go_cond_wait_until(&not_empty, &mu,
					   go_now() + round % 100 * 200);
	room_used--;
	consumed++;
	go_mutex_unlock(&mu);
	go_cond_signal(&not_full);
}

static void trade(int number)
{
	int i;

	for (i = 0; i < ITEMS; i++)
		if (number % 2)
			produce(i);
		else
			consume(i);
}

GO_TEST(no_wake_up_is_lost)
{
	crowd_run(6, 2, trade);
	ck_assert_int_eq(produced, 4 * ITEMS);
	ck_assert_int_eq(consumed, 4 * ITEMS);
	ck_assert_int_eq(room_used, 0);
	ck_assert_int_eq(mu.state, 0);
}

static struct go_mutex many[600];

static void lock_one(void *arg)
{
	struct go_mutex *one = arg;

	add(waiting, 1);
	go_mutex_lock(one);
	add(woken, 1);
	go_mutex_unlock(one);
}

/* Some of so many mutexes share a lock of libgo's with the condition variable. */
GO_TEST(any_mutex_goes_with_any_condition_variable)
{
	int i;

	for (i = 0; i < 600; i++) {
		go_mutex_lock(&many[i]);
		go_spawn(lock_one, &many[i]);
		wait_until(load(many[i].waiters.first));
		ck_assert_int_eq(go_cond_wait_until(&cond, &many[i], 0),
				 -ETIMEDOUT);
		ck_assert_int_eq(go_mutex_unlock(&many[i]), 0);
	}
	wait_until(load(woken) == 600);
}

int main(void)
{
	TCase *tc = tcase_create("cond");

	tcase_add_go_test(tc, waiting_needs_the_mutex);
	tcase_add_go_test(tc, without_waiters_waking_does_nothing);
	tcase_add_go_test(tc, a_deadline_ends_the_wait_with_the_mutex_locked);
	tcase_add_go_test(tc, signal_wakes_who_has_waited_longest);
	tcase_add_go_test(tc, broadcast_wakes_all);
	tcase_add_go_test(tc, no_wake_up_is_lost);
	tcase_add_go_test(tc, any_mutex_goes_with_any_condition_variable);
	return run_tests("cond", tc);
}
