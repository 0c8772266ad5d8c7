// SPDX-License-Identifier: MIT
/*
 * What is to be done once.
 */
#include "test.h"

static struct go_once once;
static int calls, arrived, result;

static void slowly(void *arg)
{
	add(calls, 1);
	/* Until the others are there: they must not go on. */
	wait_until(load(arrived) == *(int *)arg);
	go_sleep(GO_MILLISECOND);
	result = 42;
}

static void call(int number)
{
	int all = 8;

	(void)number;
	add(arrived, 1);
	go_once_do(&once, slowly, &all);
	ck_assert_int_eq(result, 42);
}

GO_TEST(it_is_done_once_and_all_wait_for_it)
{
	crowd_run(8, 0, call);
	ck_assert_int_eq(calls, 1);
	go_once_do(&once, slowly, NULL);
	ck_assert_int_eq(calls, 1);
}

GO_TEST(plain_threads_wait_for_it_too)
{
	crowd_run(5, 3, call);
	ck_assert_int_eq(calls, 1);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static struct go_once many[1000];
static int counts[1000];

static void do_many(int number)
{
	int i;

	for (i = 0; i < 1000; i++) {
		go_once_do(&many[i], count, &counts[i]);
		ck_assert_int_eq(counts[i], 1);
		if ((i + number) % 10 == 0)
			go_yield();
	}
}

GO_TEST(many_at_once)
{
	crowd_run(6, 2, do_many);
}

int main(void)
{
	TCase *tc = tcase_create("once");

	tcase_add_go_test(tc, it_is_done_once_and_all_wait_for_it);
	tcase_add_go_test(tc, plain_threads_wait_for_it_too);
	tcase_add_go_test(tc, many_at_once);
	return run_tests("once", tc);
}
